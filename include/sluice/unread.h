/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The data that a drain reads from a socket without holding a reference (bpf/steer/unread.bpf.c).
 */
#ifndef SLUICE_UNREAD_H
#define SLUICE_UNREAD_H

#include <linux/types.h>

/* Limit on the sockets of a drain. */
#define SLUICE_UNREAD_MAX 1024

/* The current state of a socket, or its state when it was closed. */
struct sluice_unread {
	__u32 datagrams; /* datagrams in the receive queue */
	__u32 drops;	 /* drop count since the socket was created; wraps */
	/* sluice_queue: 0 if another socket has the address; sluice_closing: 0 until the close */
	__u32 known;
	__u32 connected;
};

#endif
