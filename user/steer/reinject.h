/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Datagrams that wait in the queue of a socket that nobody will read any more, sent once more to
 * the address and port that they were sent to, in the name of their sender: so the group's program
 * chooses anew.
 *
 * They go out of a raw socket and come in through lo, so rules for lo apply to them.  Their time of
 * arrival, TTL and TOS are those of now.
 */
#ifndef SLUICE_STEER_REINJECT_H
#define SLUICE_STEER_REINJECT_H

#include <linux/types.h>
#include <stdbool.h>

struct reinjected {
	__u64 moved;
	__u64 lost; /* read, and refused when they were to be sent */
};

/*
 * Empties the queue of a UDP socket that receives on `port`.  It must no longer get new datagrams
 * by then.  What was sent to many (multicast, broadcast) is taken, and not sent again.  Adds to
 * *requeued; 0, or -errno: what is left in the queue has not been touched.  -ELOOP: what was sent
 * comes back.
 */
int reinject(int socket_fd, __u16 port, struct reinjected *reinjected);
/* Does a datagram wait in the socket's queue? */
bool reinject_waits(int socket_fd);
/* Reads and drops what waits: the count. */
__u64 reinject_discard(int socket_fd);

#endif
