/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reinjects the datagrams left in the receive queue of a drained socket.  Each is sent again from
 * its original source to its original destination, so that the group's program selects another
 * worker for it.
 *
 * The datagrams leave through a raw socket and return through lo, so firewall rules for lo apply to
 * them.  Their receive timestamp, TTL and TOS are new.
 */
#ifndef SLUICE_STEER_REINJECT_H
#define SLUICE_STEER_REINJECT_H

#include <linux/types.h>
#include <stdbool.h>

struct reinjected {
	__u64 moved;
	__u64 lost; /* read from the queue, but could not be sent */
};

/*
 * Empties the receive queue of a UDP socket that is bound to `port` and gets no new datagrams.
 * Drops multicast and broadcast datagrams without sending them.  Adds to the counts in *reinjected.
 * Returns 0, or -errno with the remaining datagrams still in the queue; -ELOOP if the datagrams
 * come back to this socket.
 */
int reinject(int socket_fd, __u16 port, struct reinjected *reinjected);
/* Checks whether a datagram is in the socket's receive queue. */
bool reinject_waits(int socket_fd);
/* Drops every datagram in the receive queue.  Returns their number. */
__u64 reinject_discard(int socket_fd);

#endif
