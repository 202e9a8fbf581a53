/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The bytes of a stream that the other peer has not acknowledged. QUIC keeps pointers to the bytes
 * for retransmission, so they do not move until they are acknowledged.
 */
#ifndef SLUICE_MEET_QUIC_RING_H
#define SLUICE_MEET_QUIC_RING_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#define RING_SIZE (1 << 19)

/* Offsets in the stream: [acked, sent) is in flight, [sent, end) has never been sent. */
struct ring {
	uint8_t *data; /* NULL: not used yet */
	uint64_t base; /* stream offset of data[0], reset whenever the ring is empty */
	uint64_t acked, sent, end;
};

/* Describes the free space in up to two pieces. Returns their number; 0: full, or no memory. */
int ring_space(struct ring *ring, struct iovec piece[2]);
/* Describes the unsent bytes. Returns the number of pieces. */
int ring_unsent(const struct ring *ring, struct iovec piece[2]);
/* Copies bytes into the ring. Returns the number of bytes copied. */
size_t ring_put(struct ring *ring, const void *data, size_t length);
void ring_acknowledge(struct ring *ring, uint64_t upto);
void ring_free(struct ring *ring);

#endif
