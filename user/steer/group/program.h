/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads the steering program of a new group, or replaces the program of an existing group. */
#ifndef SLUICE_STEER_GROUP_PROGRAM_H
#define SLUICE_STEER_GROUP_PROGRAM_H

#include "base/err.h"
#include "base/log.h"
#include "process/sockets.h"
#include "steer/group/attach.h"
#include "steer/group/group.h"

#include <linux/bpf.h>
#include <stdbool.h>

/* The settings that are constants of a group's program. */
struct steer_setting {
	enum sluice_steer_policy policy;
	__u32 flows;
	__u64 idle_ns;
	__u64 settled_ns; /* CLOCK_MONOTONIC; before this time, unknown flows may be older */
};

/*
 * State that a process keeps between loads, to avoid repeated feature probes and to set up a new
 * group in milliseconds. Initially all zero.
 */
struct steer_loader {
	const char *cgroup;	 /* cgroup for steer/cpu/consumers.h; NULL: attach nothing */
	const char *no_cgroup;	 /* the reason why cgroup is NULL, for the log; or NULL */
	struct steer_bpf *spare; /* maps and a program for the next group */
	struct steer_setting spare_for;
	struct steer_setting verified; /* policy 0: none */
	enum {
		STEER_CASTS_UNKNOWN,
		STEER_CASTS,
		STEER_NO_CASTS
	} casts;		/* the program (bpf/steer/sock.h) that works on this kernel */
	__u8 tag[BPF_TAG_SIZE]; /* tag of the last program loaded */
	enum {
		STEER_CONSUMERS_OK, /* also the initial state */
		STEER_CONSUMERS_FAILED,
		STEER_CONSUMERS_RETRY
	} consumers;
	struct log_condition consumers_failure;
	bool consumers_attached; /* true until consumers_detach() */
};

void steer_loader_close(struct steer_loader *loader);

/*
 * Adds the sockets of a group to its maps. Sets *member to a socket through which the program can
 * be attached.
 */
typedef int (*steer_join_fn)(struct steer_group *group, void *arg, struct steer_member *member,
			     struct err *err);

/*
 * Loads and pins maps and a program for the group of socket @of, calls @join, and attaches the
 * program. Returns 0, or -errno with *err set and nothing left behind.
 */
int steer_group_create(struct steer_loader *loader, const char *dir,
		       const struct steer_setting *setting, const struct sluice_socket_record *of,
		       steer_join_fn join, void *arg, struct steer_group **group, struct err *err);
/*
 * Attaches a program with a different setting, through any socket of the group. Keeps the maps, but
 * starts with an empty flow table if its size changes.
 */
int steer_group_change(struct steer_loader *loader, struct steer_group *group,
		       const struct steer_setting *setting, const struct steer_member *member,
		       struct err *err);
/*
 * Returns true if the group has this setting and, as far as the loader knows, a program of this
 * build.
 */
bool steer_group_is_current(const struct steer_loader *loader, const struct steer_group *group,
			    const struct steer_setting *setting);

/*
 * Loads maps and a program in reserve for the next group, because verification takes most of the
 * setup time. A NULL setting frees the reserve.
 */
int steer_group_prepare(struct steer_loader *loader, const struct steer_setting *setting,
			struct err *err);
/* Verifies the program with this setting, once per loader; changes nothing. */
int steer_group_verify(struct steer_loader *loader, const struct steer_setting *setting,
		       struct err *err);
/* Verifies the program before the first group, and allocates a flow table to check for memory. */
int steer_group_verify_first(struct steer_loader *loader, const struct steer_setting *setting,
			     struct err *err);

#endif
