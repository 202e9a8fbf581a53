// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/stun_build.h"

#include "net/stun_bytes.h"
#include "net/stun_digest.h"

#include <arpa/inet.h>
#include <string.h>

#define HEADER	 SLUICE_STUN_HEADER_SIZE
#define BODY_MAX 0xfffcU /* largest value of the length field, a multiple of 4 */

/*
 * Appends an attribute with a zeroed value. Returns a pointer to the value, or NULL without room.
 */
static uint8_t *append(struct stun_builder *builder, uint16_t type, size_t length)
{
	size_t size = STUN_ATTR_HEADER + padded(length);
	uint8_t *at = builder->data + builder->length;

	if (builder->overflow || length > BODY_MAX || size > builder->size - builder->length ||
	    builder->length + size - HEADER > BODY_MAX) {
		builder->overflow = true;
		return NULL;
	}
	memset(at, 0, size);
	put16(at, type);
	put16(at + 2, (uint16_t)length);
	builder->length += size;
	put16(builder->data + 2, (uint16_t)(builder->length - HEADER));
	return at + STUN_ATTR_HEADER;
}

/* Writes the header except the cookie and the transaction id. */
static bool begin(struct stun_builder *builder, void *buffer, size_t size, unsigned int method,
		  enum sluice_stun_class class)
{
	*builder = (struct stun_builder){
		.data = buffer, .size = size, .length = HEADER, .overflow = size < HEADER
	};
	if (builder->overflow)
		return false;
	put16(builder->data, (uint16_t)SLUICE_STUN_TYPE(method, (unsigned int)class));
	put16(builder->data + 2, 0);
	return true;
}

void stun_begin(struct stun_builder *builder, void *buffer, size_t size, unsigned int method,
		enum sluice_stun_class class, const uint8_t id[SLUICE_STUN_ID_SIZE])
{
	if (!begin(builder, buffer, size, method, class))
		return;
	put32(builder->data + 4, SLUICE_STUN_COOKIE);
	memcpy(builder->data + 8, id, SLUICE_STUN_ID_SIZE);
}

void stun_begin_response(struct stun_builder *builder, void *buffer, size_t size,
			 const struct stun_message *request, enum sluice_stun_class class)
{
	if (begin(builder, buffer, size, request->method, class))
		memcpy(builder->data + 4, request->data + 4, HEADER - 4);
}

void stun_put(struct stun_builder *builder, uint16_t type, const void *value, size_t length)
{
	uint8_t *to = append(builder, type, length);

	if (to && length)
		memcpy(to, value, length);
}

void stun_put_u16(struct stun_builder *builder, uint16_t type, uint16_t value)
{
	uint8_t *to = append(builder, type, 4);

	if (to)
		put16(to, value);
}

void stun_put_u32(struct stun_builder *builder, uint16_t type, uint32_t value)
{
	uint8_t *to = append(builder, type, 4);

	if (to)
		put32(to, value);
}

void stun_put_u64(struct stun_builder *builder, uint16_t type, uint64_t value)
{
	uint8_t *to = append(builder, type, 8);

	if (!to)
		return;
	put32(to, (uint32_t)(value >> 32));
	put32(to + 4, (uint32_t)value);
}

static void put_address(struct stun_builder *builder, uint16_t type,
			const struct stun_endpoint *endpoint, bool xored)
{
	bool ip4 = IN6_IS_ADDR_V4MAPPED(&endpoint->addr);
	size_t i, size = ip4 ? 4 : 16;
	uint8_t *to = append(builder, type, 4 + size);
	const uint8_t *mask = builder->data + 4;

	if (!to)
		return;
	to[1] = ip4 ? SLUICE_STUN_IP4 : SLUICE_STUN_IP6;
	put16(to + 2, (uint16_t)(ntohs(endpoint->port_be) ^ (xored ? get16(mask) : 0)));
	for (i = 0; i < size; i++)
		to[4 + i] = endpoint->addr.s6_addr[16 - size + i] ^ (xored ? mask[i] : 0);
}

void stun_put_address(struct stun_builder *builder, uint16_t type,
		      const struct stun_endpoint *endpoint)
{
	put_address(builder, type, endpoint, false);
}

void stun_put_xor_address(struct stun_builder *builder, uint16_t type,
			  const struct stun_endpoint *endpoint)
{
	put_address(builder, type, endpoint, true);
}

void stun_put_error(struct stun_builder *builder, unsigned int code)
{
	stun_put_u32(builder, SLUICE_STUN_ERROR_CODE, code / 100 << 8 | code % 100);
}

void stun_put_unknown(struct stun_builder *builder, const uint16_t *types, unsigned int count)
{
	/* RFC 3489, section 11.2.9: repeat a type if the length is not a multiple of 4 */
	unsigned int i,
		all = builder->overflow || has_cookie(builder->data) ? count : (count + 1) & ~1U;
	uint8_t *to = append(builder, SLUICE_STUN_UNKNOWN_ATTRIBUTES, all * 2UL);

	for (i = 0; to && i < all; i++)
		put16(to + 2UL * i, types[i < count ? i : 0]);
}

void stun_put_sha1(struct stun_builder *builder, const void *key, size_t key_length)
{
	size_t at = builder->length;
	uint8_t digest[SHA1_DIGEST_SIZE];
	uint8_t *to = append(builder, SLUICE_STUN_MESSAGE_INTEGRITY, sizeof(digest));

	if (!to)
		return;
	stun_digest_sha1(builder->data, at, sizeof(digest), key, key_length, digest);
	memcpy(to, digest, sizeof(digest));
}

void stun_put_sha256(struct stun_builder *builder, const void *key, size_t key_length)
{
	size_t at = builder->length;
	uint8_t digest[SHA256_DIGEST_SIZE];
	uint8_t *to = append(builder, SLUICE_STUN_MESSAGE_INTEGRITY_SHA256, sizeof(digest));

	if (!to)
		return;
	stun_digest_sha256(builder->data, at, sizeof(digest), key, key_length, digest);
	memcpy(to, digest, sizeof(digest));
}

void stun_put_fingerprint(struct stun_builder *builder)
{
	size_t at = builder->length;
	uint8_t *to = append(builder, SLUICE_STUN_FINGERPRINT, STUN_FINGERPRINT_SIZE);

	if (to)
		put32(to, stun_fingerprint(builder->data, at));
}

size_t stun_end(struct stun_builder *builder)
{
	return builder->overflow ? 0 : builder->length;
}
