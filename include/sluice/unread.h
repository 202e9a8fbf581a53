/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* What a drain reads from a socket without a reference to it (bpf/steer/unread.bpf.c). */
#ifndef SLUICE_UNREAD_H
#define SLUICE_UNREAD_H

#include <linux/types.h>

/* Limit on the sockets of a drain. */
#define SLUICE_UNREAD_MAX 1024

/* The state of a socket, now or when it was closed. */
struct sluice_unread {
	__u32 datagrams; /* in the receive queue */
	__u32 drops;	 /* since the socket was created; wraps */
	__u32 known;	 /* 0: another socket has the address, or the socket is open */
	__u32 connected;
};

#endif
