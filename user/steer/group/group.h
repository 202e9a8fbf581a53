/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A steered group: its pin directory below DIR/steer, its attached program
 * (steer/group/program.h), and the slots of its sockets (steer/group/slots.h).
 */
#ifndef SLUICE_STEER_GROUP_GROUP_H
#define SLUICE_STEER_GROUP_GROUP_H

#include "base/err.h"
#include "kernel/state_dir.h"

#include <limits.h>
#include <linux/bpf.h>
#include <sluice/steer.h>
#include <stdbool.h>

#define STEER_PIN_PROGRAM "sluice_steer"

struct steer_group {
	char dir[PATH_MAX];  /* DIR/steer */
	char name[NAME_MAX]; /* name of the pin directory */
	struct sluice_steer_group info;
	/* id of the pinned program; info.prog_id may be missing if a loader died */
	__u32 pinned_id;
	__u8 pinned_tag[BPF_TAG_SIZE];
	struct sluice_steer_slot slots[SLUICE_STEER_SLOTS];
	int group_fd, sockets_fd, slots_fd, choices_fd, current_fd, cpus_fd, placed_fd, table_fd,
		recent_fd, stats_fd, counters_fd;
	int drain_lock_fd; /* pin directory, for steer/group/drain_lock.h; -1: not open */
};

/* Returns the state directory of group @name. @name must outlive the result. */
struct state_dir steer_group_state_dir(const char *name);
/*
 * Opens a pinned group. Returns 0, -EUCLEAN if its loader died during the load, -ENOENT if a map is
 * not pinned, or another -errno with *err set, for example for another ABI version.
 */
int steer_group_open(const char *dir, const char *name, struct steer_group **group,
		     struct err *err);
/* Allocates a group without maps. */
struct steer_group *steer_group_new(const char *dir, const char *name);
/*
 * Opens the pinned maps, after closing maps that are already open. Returns 0, or -errno with *err
 * set.
 */
int steer_group_open_maps(struct steer_group *group, struct err *err);
void steer_group_close(struct steer_group *group);
/* Reads the slots again. */
int steer_group_reload(struct steer_group *group);
/* Reads the record again. */
int steer_group_reload_info(struct steer_group *group);
/* Writes group->info. */
int steer_group_write_info(const struct steer_group *group, struct err *err);

#endif
