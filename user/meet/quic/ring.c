// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/quic/ring.h"

#include <stdlib.h>
#include <string.h>

/* Describes the bytes [from, to), at most the size of the ring. */
static int pieces(const struct ring *ring, uint64_t from, uint64_t to, struct iovec piece[2])
{
	size_t at = (from - ring->base) % RING_SIZE, length = to - from;
	size_t first = length < RING_SIZE - at ? length : RING_SIZE - at;

	if (!length)
		return 0;
	piece[0] = (struct iovec){ ring->data + at, first };
	piece[1] = (struct iovec){ ring->data, length - first };
	return length > first ? 2 : 1;
}

int ring_space(struct ring *ring, struct iovec piece[2])
{
	if (!ring->data)
		ring->data = malloc(RING_SIZE);
	if (!ring->data)
		return 0;
	/* restart at the first page, so that a stream with little traffic touches few pages */
	if (ring->acked == ring->end)
		ring->base = ring->end;
	return pieces(ring, ring->end, ring->acked + RING_SIZE, piece);
}

int ring_unsent(const struct ring *ring, struct iovec piece[2])
{
	return pieces(ring, ring->sent, ring->end, piece);
}

size_t ring_put(struct ring *ring, const void *data, size_t length)
{
	struct iovec piece[2];
	int i, count = ring_space(ring, piece);
	size_t done = 0, part;

	for (i = 0; i < count; i++, done += part) {
		part = length - done < piece[i].iov_len ? length - done : piece[i].iov_len;
		memcpy(piece[i].iov_base, (const uint8_t *)data + done, part);
	}
	ring->end += done;
	return done;
}

void ring_acknowledge(struct ring *ring, uint64_t upto)
{
	if (upto > ring->acked && upto <= ring->end)
		ring->acked = upto;
}

void ring_free(struct ring *ring)
{
	free(ring->data);
	*ring = (struct ring){ .data = NULL };
}
