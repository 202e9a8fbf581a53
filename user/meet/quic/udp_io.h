/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads and writes the datagrams of a UDP socket in batches of one system call (recvmmsg, UDP_GRO,
 * UDP_SEGMENT).
 */
#ifndef SLUICE_MEET_QUIC_UDP_IO_H
#define SLUICE_MEET_QUIC_UDP_IO_H

#include "net/sockaddr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UDP_IO_BATCH 16 /* reads in one call */

typedef void (*udp_io_fn)(void *arg, const union any_sockaddr *from, const uint8_t *data,
			  size_t length);

/*
 * Makes the queues of a socket large: the default holds about 90 datagrams, which arrive in less
 * than 10 ms at 100 Mbit/s, and that is no time for a process to wait for a CPU. Lets the kernel
 * hand over batches.
 */
void udp_io_prepare(int fd);
/*
 * Reads up to UDP_IO_BATCH datagrams that are here, or batches of datagrams that the kernel has
 * joined. Returns how many it has read, fewer only if no more are here; or -errno, which is -EAGAIN
 * if there are none. *lost: how many the queue of the socket had no room for since it was opened;
 * it stays as it is if that is not known.
 */
int udp_io_read(int fd, udp_io_fn fn, void *arg, uint32_t *lost);
/*
 * Sends datagrams of @size bytes each, the last of which may be shorter. @to: NULL if the socket is
 * connected. *segments: the kernel splits batches; cleared when it refuses. @wait_ms: for room in
 * the socket's queue. Returns how many datagrams could not be sent.
 */
unsigned int udp_io_write(int fd, bool *segments, const union any_sockaddr *to, socklen_t to_size,
			  const void *data, size_t length, size_t size, int wait_ms);

#endif
