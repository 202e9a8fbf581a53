/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Accesses possibly unaligned numbers in a STUN message; internal to the codec. */
#ifndef SLUICE_NET_STUN_BYTES_H
#define SLUICE_NET_STUN_BYTES_H

#include <sluice/stun.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define STUN_ATTR_HEADER      4
#define STUN_FINGERPRINT_SIZE 4

static inline void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static inline void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

static inline uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static inline uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

/* Rounds the length of an attribute up to a multiple of 4 bytes. */
static inline size_t padded(size_t length)
{
	return (length + 3) & ~(size_t)3;
}

static inline bool has_cookie(const uint8_t *data)
{
	return get32(data + 4) == SLUICE_STUN_COOKIE;
}

#endif
