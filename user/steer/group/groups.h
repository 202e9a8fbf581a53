/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pinned groups: one directory each, below DIR/steer. */
#ifndef SLUICE_STEER_GROUP_GROUPS_H
#define SLUICE_STEER_GROUP_GROUPS_H

#include "base/err.h"
#include "kernel/state_dir.h"
#include "process/sockets.h"
#include "steer/group/group.h"
#include "steer/group/quota.h"

#include <limits.h>
#include <stdbool.h>

#define STEER_OBJECT "steer"
/* Prefix of the names of all steering programs, of any version. */
#define STEER_PROGRAM  "sluice_steer"
#define STEER_PIN_META "sluice_steering"

extern const struct state_dir steer_state_dir;

/* A group of another ABI version, which the next load replaces. */
struct steer_group_other {
	char name[NAME_MAX + 1];
	__u32 prog_id; /* id of the pinned program; 0: none */
	bool seen;     /* the sweep has replaced the group, or would in a dry run */
};

struct steer_groups_open {
	struct steer_group *group[STEER_GROUPS_MAX];
	bool seen[STEER_GROUPS_MAX]; /* the sweep has found a socket of the group */
	int count;
	/* removed remains: number of pins, and a socket of each group that was attached */
	int remains_pins, remains_count;
	struct sluice_socket_record *remains;
	struct steer_group_other *other;
	int other_count;
};

/* Formats DIR/steer into @path and returns it. */
const char *steer_dir(const char *bpffs, char path[PATH_MAX]);
/*
 * Opens all groups; none if steer is not loaded. With @cleanup, removes groups with a missing pin,
 * such as the remains of a loader that died. Groups of another ABI version are only listed. Returns
 * 0, or -errno with *err set and nothing open.
 */
int steer_groups_read(const char *bpffs, struct steer_groups_open *pinned, bool cleanup,
		      struct err *err);
void steer_groups_close(struct steer_groups_open *pinned);
/* Returns the listed group of another ABI version with this program, or NULL. */
struct steer_group_other *steer_groups_other(const struct steer_groups_open *pinned, __u32 prog_id);
/* Removes a group of another ABI version, and adds it to the removed remains. */
void steer_groups_remove_other(struct steer_groups_open *pinned, const char *bpffs,
			       struct steer_group_other *other);
/*
 * Adds the ports of the groups to the filter. Extends the filter to all network namespaces, unless
 * all groups are in its namespace.
 */
void steer_groups_filter(const struct steer_groups_open *pinned, struct sockets_filter *filter);

/* Reads the record of steer. Returns 0, or -errno with *err set; -ENOENT if steer is not loaded. */
int steer_read(const char *bpffs, struct sluice_steer_meta *meta, struct err *err);
/* Sets *ports to the managed ports. */
void steer_ports(const struct sluice_steer_meta *meta, struct ports *ports);
/* Opens each group and calls @fn for it, until @fn returns nonzero. */
int steer_groups(const char *bpffs, int (*fn)(struct steer_group *group, void *arg), void *arg,
		 struct err *err);
/*
 * Opens the map of a group's sockets, from which the kernel removes closed sockets. Returns a
 * descriptor, or -errno.
 */
int steer_group_sockets_open(const char *bpffs, const char *name);

#endif
