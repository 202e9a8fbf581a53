/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The output of the socket iterator, in items of equal size: one record for each pair of a UDP
 * socket and a process that holds it, and the members of each reuseport group in one or more items.
 */
#ifndef SLUICE_SOCKETS_H
#define SLUICE_SOCKETS_H

#include <sluice/flow.h>
#include <stddef.h>

#define SLUICE_COMM_SIZE 16 /* TASK_COMM_LEN */

/* Sockets of a group beyond this number have no index. */
#define SLUICE_GROUP_MAX 1024
#define SLUICE_NO_INDEX	 (~0U)

struct sluice_socket_record {
	__u64 sock;   /* the kernel's address of its struct sock */
	__u64 cookie; /* 0: not assigned yet */
	__u64 group;  /* 1 + the group's reuseport_id; 0: not bound with SO_REUSEPORT */
	struct sluice_addr local;
	struct sluice_addr peer; /* peer of a connected socket */
	__u32 netns;		 /* inode number of the network namespace */
	__u32 pid;		 /* thread group */
	__u32 tid; /* a thread that has the descriptor: the group leader, if it still runs */
	__u32 uid; /* the user of the process, or the creator of its outermost user namespace */
	__u32 fd;
	__u32 group_index;     /* index in the kernel's group, or SLUICE_NO_INDEX */
	__u32 group_prog;      /* id of the group's program; 0: none */
	__u32 group_prog_refs; /* references to it: the group, pins, descriptors */
	__u32 queue_used;      /* memory of the receive queue, in bytes */
	__u32 queue_room;      /* the queue's limit */
	__u32 queue_read;      /* bytes read, but still charged to the queue */
	__u32 drops;	       /* datagrams dropped since the socket was created; wraps */
	__u32 ifindex;	       /* ifindex of SO_BINDTODEVICE, or 0 */
	__u8 group_filters;    /* the group has a program; a classic BPF filter has no id */
	__u8 connected;
	__u16 family;
	__u16 port; /* local, host order; 0: not bound */
	__be16 peer_port_be;
	char comm[SLUICE_COMM_SIZE];
	__u32 reserved;
};
_Static_assert(sizeof(struct sluice_socket_record) == 136, "struct sluice_socket_record");

/* The members of a group, in the kernel's order. Only items that contain members are written. */
struct sluice_socket_members {
	__u64 none;  /* 0, unlike the first word of a record */
	__u64 group; /* as in struct sluice_socket_record */
	__u64 count;
	__u64 sock[SLUICE_GROUP_MAX + 10]; /* pads the last item */
};
_Static_assert(sizeof(struct sluice_socket_members) % sizeof(struct sluice_socket_record) == 0,
	       "struct sluice_socket_members");

/* Returns the number of items that contain @count members. */
static inline __u64 sluice_members_items(__u64 count)
{
	const __u64 item = sizeof(struct sluice_socket_record) / sizeof(__u64);

	return (offsetof(struct sluice_socket_members, sock) / sizeof(__u64) + count + item - 1) /
	       item;
}

/* Selects the sockets that a walk returns. */
struct sluice_sockets_filter {
	__u32 groups;	/* only members of reuseport groups */
	__u32 programs; /* only members of groups with a program */
	__u32 any_port;
	__u32 members; /* also return the members of groups */
	__u32 netns;   /* inode number; 0: all */
	__u32 reserved;
	__u64 ports[1024];
};

#endif
