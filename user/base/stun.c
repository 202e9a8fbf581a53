// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/stun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>
#include <zlib.h>

#define HEADER_SIZE 20
#define COOKIE	    0x2112a442U

#define BINDING_REQUEST	   0x0001
#define BINDING_INDICATION 0x0011
#define BINDING_SUCCESS	   0x0101
#define BINDING_ERROR	   0x0111

#define MAPPED_ADDRESS	   0x0001
#define ERROR_CODE	   0x0009
#define XOR_MAPPED_ADDRESS 0x0020
#define RESPONSE_PORT	   0x0027 /* RFC 5780, section 7.5 */
#define FINGERPRINT	   0x8028

#define FINGERPRINT_XOR 0x5354554eU

#define FAMILY_IP4 1
#define FAMILY_IP6 2

static void put16(uint8_t *at, uint16_t value)
{
	at[0] = (uint8_t)(value >> 8);
	at[1] = (uint8_t)value;
}

static void put32(uint8_t *at, uint32_t value)
{
	put16(at, (uint16_t)(value >> 16));
	put16(at + 2, (uint16_t)value);
}

static uint16_t get16(const uint8_t *at)
{
	return (uint16_t)(at[0] << 8 | at[1]);
}

static uint32_t get32(const uint8_t *at)
{
	return (uint32_t)get16(at) << 16 | get16(at + 2);
}

static void put_header(uint8_t *message, uint16_t type, uint16_t length,
		       const uint8_t id[STUN_ID_SIZE])
{
	put16(message, type);
	put16(message + 2, length);
	put32(message + 4, COOKIE);
	memcpy(message + 8, id, STUN_ID_SIZE);
}

size_t stun_indication(uint8_t *message, const uint8_t id[STUN_ID_SIZE])
{
	/* it takes the size of hold_payload_length()'s buffer, 96 bytes, for 0 */
	/* cppcheck-suppress ctuPointerArith */
	uint8_t *attribute = message + HEADER_SIZE;

	put_header(message, BINDING_INDICATION, 8, id);
	put16(attribute, FINGERPRINT);
	put16(attribute + 2, 4);
	put32(attribute + 4, (uint32_t)crc32(0, message, HEADER_SIZE) ^ FINGERPRINT_XOR);
	return HEADER_SIZE + 8;
}

size_t stun_request(uint8_t *message, const uint8_t id[STUN_ID_SIZE], uint16_t port)
{
	uint8_t *attribute = message + HEADER_SIZE;

	put_header(message, BINDING_REQUEST, port ? 8 : 0, id);
	if (!port)
		return HEADER_SIZE;
	put16(attribute, RESPONSE_PORT);
	put16(attribute + 2, 4);
	put16(attribute + 4, port);
	put16(attribute + 6, 0);
	return HEADER_SIZE + 8;
}

/* Returns false if the attribute is malformed. */
static bool parse_address(const uint8_t *value, uint16_t length, const uint8_t * xor,
			  struct stun_mapped *mapped)
{
	bool ip4 = length == 8 && value[1] == FAMILY_IP4;
	uint8_t *to = mapped->addr.s6_addr;
	uint16_t port;
	int i, size = ip4 ? 4 : 16;

	if (!ip4 && (length != 20 || value[1] != FAMILY_IP6))
		return false;
	memset(to, 0, 16);
	if (ip4)
		memset(to + 10, 0xff, 2);
	for (i = 0; i < size; i++)
		to[16 - size + i] = value[4 + i] ^ (xor? xor[i] : 0);
	port = (uint16_t)(get16(value + 2) ^ (xor? get16(xor) : 0));
	mapped->port_be = htons(port);
	return true;
}

int stun_response(const uint8_t *message, size_t length, const uint8_t id[STUN_ID_SIZE],
		  struct stun_mapped *mapped, unsigned int *error)
{
	struct stun_mapped plain, xored;
	bool has_plain = false, has_xored = false;
	size_t at = HEADER_SIZE;
	uint16_t type;

	if (length < HEADER_SIZE || get32(message + 4) != COOKIE ||
	    memcmp(message + 8, id, STUN_ID_SIZE))
		return -EAGAIN;
	type = get16(message);
	if (type != BINDING_SUCCESS && type != BINDING_ERROR)
		return -EAGAIN;
	if (get16(message + 2) != length - HEADER_SIZE || length % 4)
		return -EBADMSG;
	*error = 0;
	while (at < length) {
		uint16_t kind = get16(message + at), size = get16(message + at + 2);
		const uint8_t *value = message + at + 4;

		/* each attribute is padded to a multiple of 4 bytes */
		if (size > length - at - 4)
			return -EBADMSG;
		if (kind == XOR_MAPPED_ADDRESS && !has_xored) {
			/* the cookie and the transaction id follow each other in the header */
			if (!parse_address(value, size, message + 4, &xored))
				return -EBADMSG;
			has_xored = true;
		} else if (kind == MAPPED_ADDRESS && !has_plain) {
			if (!parse_address(value, size, NULL, &plain))
				return -EBADMSG;
			has_plain = true;
		} else if (kind == ERROR_CODE && size >= 4) {
			*error = (value[2] & 7U) * 100U + value[3];
		}
		at += 4 + ((size_t)size + 3) / 4 * 4;
	}
	if (type == BINDING_ERROR)
		return -EREMOTEIO;
	if (!has_xored && !has_plain)
		return -EBADMSG;
	*mapped = has_xored ? xored : plain;
	return 0;
}
