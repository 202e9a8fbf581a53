/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads and writes UDP datagrams in batches, with one system call per batch (recvmmsg, UDP_GRO,
 * UDP_SEGMENT).
 */
#ifndef SLUICE_NET_UDP_IO_H
#define SLUICE_NET_UDP_IO_H

#include "net/sockaddr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define UDP_IO_BATCH 16 /* reads in one call */

typedef void (*udp_io_fn)(void *arg, const union any_sockaddr *from, const uint8_t *data,
			  size_t length);

/*
 * Enlarges the queues of a socket, and enables UDP_GRO. The default queue holds about 90 datagrams,
 * less than 10 ms at 100 Mbit/s; a process may wait longer for a CPU.
 */
void udp_io_prepare(int fd);
/*
 * Reads up to UDP_IO_BATCH queued datagrams or GRO batches. Returns the number read, less than
 * UDP_IO_BATCH only if the queue is empty; or -errno, -EAGAIN if the queue was empty. *lost: number
 * of datagrams dropped because the queue was full, since the socket was opened; unchanged if
 * unknown.
 */
int udp_io_read(int fd, udp_io_fn fn, void *arg, uint32_t *lost);
/*
 * Sends datagrams of @size bytes each, the last of which may be shorter. @to: NULL if the socket is
 * connected. *segments: use UDP_SEGMENT; cleared if the kernel refuses it. @wait_ms: maximum wait
 * for space in the send queue. Returns the number of datagrams that could not be sent.
 */
unsigned int udp_io_write(int fd, bool *segments, const union any_sockaddr *to, socklen_t to_size,
			  const void *data, size_t length, size_t size, int wait_ms);

#endif
