/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads the steering program: for a new group, or in place of the one that a group has. */
#ifndef SLUICE_STEER_GROUP_PROGRAM_H
#define SLUICE_STEER_GROUP_PROGRAM_H

#include "base/err.h"
#include "kernel/sockets.h"
#include "steer/group/group.h"

#include <linux/bpf.h>
#include <stdbool.h>

/* What the program of a group is loaded with. */
struct steer_setting {
	enum sluice_steer_policy policy;
	__u32 flows;
	__u64 idle_ns;
	__u64 settled_ns; /* CLOCK_MONOTONIC; until then, flows may have been there before us */
};

/*
 * What a process that loads again and again keeps, so that the kernel is not asked twice and a new
 * group waits for milliseconds.  All zero is a loader that knows nothing yet.
 */
struct steer_loader {
	const char *cgroup;	 /* for steer/cpu/consumers.h; NULL: the host's root */
	struct steer_bpf *spare; /* maps and a program for the next group */
	struct steer_setting spare_for;
	struct steer_setting verified; /* policy 0: none */
	enum {
		STEER_CASTS_UNKNOWN,
		STEER_CASTS,
		STEER_NO_CASTS
	} casts;		/* which of the two programs (bpf/steer/sock.h) the kernel takes */
	__u8 tag[BPF_TAG_SIZE]; /* the kernel's digest of the program that was loaded last */
	bool consumers_failed;	/* and that has been logged */
};

void steer_loader_close(struct steer_loader *loader);

/*
 * Joins the sockets to a group that has its maps: *socket_fd is one of them, for the program to be
 * attached by.
 */
typedef int (*steer_fill_fn)(struct steer_group *group, void *arg, int *socket_fd, struct err *err);

/*
 * Makes maps and a program for the group that these sockets are in, pins them, has `fill` enter the
 * sockets, and attaches the program.  On failure nothing is left.
 */
int steer_group_create(struct steer_loader *loader, const char *dir,
		       const struct steer_setting *setting, const struct sluice_socket_record *of,
		       steer_fill_fn fill, void *arg, struct steer_group **group, struct err *err);
/*
 * Attaches a program with another setting, by any socket of the group, on the same maps; a flow
 * table of another size starts empty.
 */
int steer_group_change(struct steer_loader *loader, struct steer_group *group,
		       const struct steer_setting *setting, int socket_fd, struct err *err);
/* Has the group a program of this build, as far as the loader knows, with this setting? */
bool steer_group_is_current(const struct steer_loader *loader, const struct steer_group *group,
			    const struct steer_setting *setting);

/*
 * Makes maps and a program for the next such group ready, since the verifier takes most of the time
 * that a new group waits.  NULL: none is wanted any more.
 */
int steer_group_prepare(struct steer_loader *loader, const struct steer_setting *setting,
			struct err *err);
/* Verifies the program for such a group, once for each loader, and changes nothing. */
int steer_group_verify(struct steer_loader *loader, const struct steer_setting *setting,
		       struct err *err);
/* Does the same before such a group is created: is there memory for its table, too? */
int steer_group_verify_first(struct steer_loader *loader, const struct steer_setting *setting,
			     struct err *err);

#endif
