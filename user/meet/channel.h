/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * ChannelData messages (RFC 8656, section 12.4), which carry relayed datagrams. Their first byte is
 * 64 to 79 (RFC 9443), which no STUN message begins with. A QUIC packet may, so only messages from
 * a server can be ChannelData.
 *
 * Over TCP, zero bytes pad a message to a multiple of four.
 */
#ifndef SLUICE_MEET_CHANNEL_H
#define SLUICE_MEET_CHANNEL_H

#include <sluice/rendezvous.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct channel_data {
	uint16_t number;
	const uint8_t *data; /* may be unaligned */
	size_t length;
};

static inline bool channel_is_valid(unsigned int number)
{
	return number >= SLUICE_CHANNEL_MIN && number <= SLUICE_CHANNEL_MAX;
}

/* Returns true if a message begins like ChannelData. */
static inline bool channel_is_data(const void *message, size_t length)
{
	return length && *(const uint8_t *)message >> 4 == SLUICE_CHANNEL_MIN >> 12;
}

/* Returns the size of a message with @length bytes of data, padded for a stream. */
static inline size_t channel_padded(size_t length)
{
	return (SLUICE_CHANNEL_HEADER + length + 3) & ~(size_t)3;
}

/*
 * Parses a datagram, or one framed message. Returns 0, or -EPROTO. A datagram may have more bytes
 * than its data, which are ignored (RFC 8656, section 12.5).
 */
int channel_parse(const void *message, size_t length, struct channel_data *out);
/*
 * Frames a stream, as stun_frame() does. Returns the padded size of the first message, 0 if the
 * message header is incomplete, or -EPROTO if no message of at most @max bytes starts there.
 */
ssize_t channel_frame(const void *data, size_t have, size_t max);
/* Writes the header of a message. @length: of the data, at most 65535. */
void channel_put_header(uint8_t header[SLUICE_CHANNEL_HEADER], uint16_t number, size_t length);

#endif
