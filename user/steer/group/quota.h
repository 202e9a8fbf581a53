/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * How many groups a network namespace may have steered: each costs memory, so there is a limit to
 * all of them, and with --netns all anybody's sockets make one.
 *
 * A namespace gets one more as long as more are free than it has.  So whoever wants all ends at
 * half, and leaves as much to who comes next, whatever their number; a fixed share would be too
 * small for a few and too large for many.  A quarter is for the host's own namespace alone, which
 * others could else keep out by being many.
 */
#ifndef SLUICE_STEER_GROUP_QUOTA_H
#define SLUICE_STEER_GROUP_QUOTA_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

struct sluice_socket_record;

#define STEER_GROUPS_MAX    256
#define STEER_GROUPS_OTHERS 192 /* of these, for all namespaces but the host's */

struct quota {
	__u32 netns; /* inode number */
	int groups;
	int left_out;				    /* groups that were not allowed */
	const struct sluice_socket_record *example; /* of these; the caller's */
};

/* All zero but for `host` is none. */
struct quotas {
	__u32 host; /* the namespace that may have all */
	int groups;
	int others; /* of these, of other namespaces */
	struct quota *each;
	size_t count, room;
};

/* The namespace of process 1: the host's, or in a container with its own processes, the
 * container's.
 */
__u32 quota_host(void);
/* May the namespace have one more?  If not, it is counted. */
bool quota_allow(struct quotas *shares, __u32 netns);
/* It has one more. */
void quota_add(struct quotas *shares, __u32 netns);
/* What is known of a namespace; NULL without memory, which nobody is allowed a group by. */
struct quota *quota_of(struct quotas *shares, __u32 netns);
void quota_free(struct quotas *shares);

#endif
