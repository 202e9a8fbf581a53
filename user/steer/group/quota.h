/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits the steered groups of a network namespace: each group costs memory, and with --netns all
 * any user can create groups in a namespace of their own.
 *
 * A namespace gets another group as long as more are free than it has. A greedy namespace thus
 * ends at half of the groups and leaves half of the rest to the next one, for any number of
 * namespaces; a fixed quota would be too small for a few namespaces and too large for many. A
 * quarter is reserved for the host's own namespace, which many others could otherwise starve.
 */
#ifndef SLUICE_STEER_GROUP_QUOTA_H
#define SLUICE_STEER_GROUP_QUOTA_H

#include <linux/types.h>
#include <sluice/sockets.h>
#include <stdbool.h>
#include <stddef.h>

#define STEER_GROUPS_MAX    256
#define STEER_GROUPS_OTHERS 192 /* of these, for namespaces other than the host's */

struct quota {
	__u32 netns; /* inode number */
	int groups;
	int left_out;			     /* groups that were denied */
	struct sluice_socket_record example; /* a socket of one of them, for the caller, or 0 */
};

/* All zero except host is the empty state. */
struct quotas {
	__u32 host; /* the namespace without a limit of its own */
	int groups;
	int others; /* of these, in other namespaces */
	struct quota *each;
	size_t count, room;
};

/* Returns the namespace of process 1: the host's, or that of a container with its own PIDs. */
__u32 quota_host(void);
/* May the namespace have another group? Counts a denial in left_out. */
bool quota_allow(struct quotas *quotas, __u32 netns);
/* Counts another group of the namespace. */
void quota_add(struct quotas *quotas, __u32 netns);
/* Returns the entry of a namespace, or NULL on ENOMEM (quota_allow() then denies the group). */
struct quota *quota_of(struct quotas *quotas, __u32 netns);
/* Forgets the groups, to count them again, and keeps what was left out. */
void quota_recount(struct quotas *quotas);
void quota_free(struct quotas *quotas);

#endif
