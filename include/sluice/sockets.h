/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* What the socket iterator writes, one record for each UDP socket and process that holds it. */
#ifndef SLUICE_SOCKETS_H
#define SLUICE_SOCKETS_H

#include <linux/types.h>

#define SLUICE_COMM_SIZE 16 /* TASK_COMM_LEN */

struct sluice_socket_record {
	__u64 cookie; /* 0: nobody has asked for it yet */
	__u32 netns;  /* inode number of the network namespace */
	__u32 pid;    /* thread group */
	__u32 fd;
	__u16 family;
	__u16 port; /* local, host order; 0: not bound */
	char comm[SLUICE_COMM_SIZE];
};
_Static_assert(sizeof(struct sluice_socket_record) == 40, "struct sluice_socket_record");

#endif
