/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits the steered groups of each network namespace. Each group costs memory, and with --netns
 * all, any user can create groups in a namespace of their own.
 *
 * A namespace gets another group only while more groups are free than it has. So a greedy namespace
 * gets at most half of the groups, the next greedy namespace half of the rest, and so on. Rejected:
 * a fixed quota, which would be too small for few namespaces and too large for many. A quarter of
 * the groups is reserved for the host's namespace, so that many other namespaces cannot starve it.
 */
#ifndef SLUICE_STEER_GROUP_QUOTA_H
#define SLUICE_STEER_GROUP_QUOTA_H

#include <linux/types.h>
#include <sluice/sockets.h>
#include <stdbool.h>
#include <stddef.h>

#define STEER_GROUPS_MAX    256
#define STEER_GROUPS_OTHERS 192 /* groups for all namespaces except the host's */

struct quota {
	__u32 netns; /* inode number */
	int groups;
	int left_out;			     /* number of denied groups */
	struct sluice_socket_record example; /* a socket of a denied group, set by the caller */
};

/* Initially all zero, except `host`. */
struct quotas {
	__u32 host; /* the namespace that has no quota */
	int groups;
	int others; /* groups in other namespaces */
	struct quota *each;
	size_t count, room;
};

/*
 * Returns the network namespace of process 1, which belongs to the host, or to a container with its
 * own PID namespace.
 */
__u32 quota_host(void);
/* Returns true if the namespace may have another group; otherwise increments left_out. */
bool quota_allow(struct quotas *quotas, __u32 netns);
/* Adds a group to the count of the namespace. */
void quota_add(struct quotas *quotas, __u32 netns);
/* Returns the entry of a namespace, or NULL on ENOMEM (quota_allow() then denies the group). */
struct quota *quota_of(struct quotas *quotas, __u32 netns);
/* Resets the counts of groups, but not of denied groups. */
void quota_recount(struct quotas *quotas);
void quota_free(struct quotas *quotas);

#endif
