/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads the steering program: for a new group, or in place of the one that a group has. */
#ifndef SLUICE_STEER_GROUP_PROGRAM_H
#define SLUICE_STEER_GROUP_PROGRAM_H

#include "base/err.h"
#include "base/log.h"
#include "kernel/sockets.h"
#include "steer/group/attach.h"
#include "steer/group/group.h"

#include <linux/bpf.h>
#include <stdbool.h>

/* The settings that are compiled into a group's program. */
struct steer_setting {
	enum sluice_steer_policy policy;
	__u32 flows;
	__u64 idle_ns;
	__u64 settled_ns; /* CLOCK_MONOTONIC; until then an unknown flow may be an older one */
};

/*
 * State that a process keeps between loads: it saves repeated probes, and sets up a new group in
 * milliseconds. All zero is the initial state.
 */
struct steer_loader {
	const char *cgroup;	 /* for steer/cpu/consumers.h; NULL: attach nothing */
	const char *no_cgroup;	 /* why cgroup is NULL, for the log; or NULL */
	struct steer_bpf *spare; /* maps and a program for the next group */
	struct steer_setting spare_for;
	struct steer_setting verified; /* policy 0: none */
	enum {
		STEER_CASTS_UNKNOWN,
		STEER_CASTS,
		STEER_NO_CASTS
	} casts; /* which of the two programs (bpf/steer/sock.h) the kernel accepts */
	__u8 tag[BPF_TAG_SIZE]; /* of the program that was loaded last */
	enum {
		STEER_CONSUMERS_OK, /* or not tried yet */
		STEER_CONSUMERS_FAILED,
		STEER_CONSUMERS_RETRY
	} consumers;
	struct log_condition consumers_failure;
	bool consumers_attached; /* until consumers_detach() */
};

void steer_loader_close(struct steer_loader *loader);

/* Joins the sockets to a group with its maps; *member is one of them, to attach the program. */
typedef int (*steer_join_fn)(struct steer_group *group, void *arg, struct steer_member *member,
			     struct err *err);

/*
 * Loads and pins maps and a program for the group of socket @of, calls @join, and attaches the
 * program. Leaves nothing behind on failure.
 */
int steer_group_create(struct steer_loader *loader, const char *dir,
		       const struct steer_setting *setting, const struct sluice_socket_record *of,
		       steer_join_fn join, void *arg, struct steer_group **group, struct err *err);
/*
 * Attaches a program with another setting through any socket of the group, and keeps the maps; a
 * flow table of another size starts empty.
 */
int steer_group_change(struct steer_loader *loader, struct steer_group *group,
		       const struct steer_setting *setting, const struct steer_member *member,
		       struct err *err);
/* Does the group have this setting, and a program of this build as far as the loader knows? */
bool steer_group_is_current(const struct steer_loader *loader, const struct steer_group *group,
			    const struct steer_setting *setting);

/*
 * Loads maps and a program in reserve for the next group, as verification takes most of the setup
 * time. NULL frees the reserve.
 */
int steer_group_prepare(struct steer_loader *loader, const struct steer_setting *setting,
			struct err *err);
/* Verifies the program with this setting, once per loader; changes nothing. */
int steer_group_verify(struct steer_loader *loader, const struct steer_setting *setting,
		       struct err *err);
/* Verifies before the first group, and allocates its table to check for memory. */
int steer_group_verify_first(struct steer_loader *loader, const struct steer_setting *setting,
			     struct err *err);

#endif
