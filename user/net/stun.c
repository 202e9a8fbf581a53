// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/stun.h"

#include "net/stun_bytes.h"
#include "net/stun_digest.h"

#include <arpa/inet.h>
#include <errno.h>
#include <nettle/memops.h>
#include <string.h>

#define HEADER SLUICE_STUN_HEADER_SIZE

/* Minimum length, in bytes; the length is a multiple of 4 (RFC 8489, section 14.6). */
#define SHA256_TRUNCATED_MIN 16

/* Returns true for the message types that RFC 3489 and RFC 8489 share. */
static bool is_classic_type(uint16_t type)
{
	return type == SLUICE_STUN_TYPE(SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST) ||
	       type == SLUICE_STUN_TYPE(SLUICE_STUN_BINDING, SLUICE_STUN_SUCCESS) ||
	       type == SLUICE_STUN_TYPE(SLUICE_STUN_BINDING, SLUICE_STUN_ERROR);
}

/*
 * Records where the protected part of the message ends. Returns 0, or -EPROTO for a wrong
 * FINGERPRINT.
 */
static int note(struct stun_message *message, size_t at, const struct stun_attr *attr)
{
	bool first = false;

	if (attr->type == SLUICE_STUN_MESSAGE_INTEGRITY) {
		first = !message->integrity && !message->integrity_sha256;
		if (first)
			message->integrity = at;
	} else if (attr->type == SLUICE_STUN_MESSAGE_INTEGRITY_SHA256) {
		first = !message->integrity_sha256;
		if (first)
			message->integrity_sha256 = at;
	} else if (attr->type == SLUICE_STUN_FINGERPRINT && !message->classic) {
		/* FINGERPRINT must be the last attribute: RFC 8489, section 14.7 */
		if (attr->length != STUN_FINGERPRINT_SIZE ||
		    at + STUN_ATTR_HEADER + STUN_FINGERPRINT_SIZE != message->length ||
		    get32(attr->value) != stun_fingerprint(message->data, at))
			return -EPROTO;
		message->fingerprint = true;
		first = true;
	}
	if (first && at < message->end)
		message->end = at;
	return 0;
}

int stun_parse(const void *data, size_t length, struct stun_message *message)
{
	const uint8_t *bytes = data;
	struct stun_message parsed = { .data = bytes, .length = length, .end = length }, whole;
	struct stun_attr attr;
	size_t at = 0, before;
	uint16_t type;

	if (length < HEADER || length % 4 || get16(bytes + 2) != length - HEADER)
		return -EPROTO;
	type = get16(bytes);
	parsed.classic = !has_cookie(bytes);
	if (parsed.classic ? !is_classic_type(type) : type & 0xc000)
		return -EPROTO;
	parsed.method = (uint16_t)((type & 0x3e00) >> 2 | (type & 0xe0) >> 1 | (type & 0xf));
	parsed.class = (enum sluice_stun_class)((type & 0x100) >> 7 | (type & 0x10) >> 4);
	/* also check the attributes after MESSAGE-INTEGRITY, which stun_next() later skips */
	whole = parsed;
	for (before = HEADER; stun_next(&whole, &at, &attr); before = at)
		if (note(&parsed, before, &attr))
			return -EPROTO;
	*message = parsed;
	return before == length ? 0 : -EBADMSG;
}

ssize_t stun_frame(const void *data, size_t have, size_t max)
{
	const uint8_t *bytes = data;
	size_t size;

	if (have && bytes[0] & 0xc0)
		return -EPROTO;
	if (have < 8)
		return 0;
	size = HEADER + (size_t)get16(bytes + 2);
	return has_cookie(bytes) && size % 4 == 0 && size <= max ? (ssize_t)size : -EPROTO;
}

const uint8_t *stun_id(const struct stun_message *message)
{
	return message->data + HEADER - SLUICE_STUN_ID_SIZE;
}

bool stun_is_response(const struct stun_message *message, const uint8_t id[SLUICE_STUN_ID_SIZE])
{
	return !message->classic &&
	       (message->class == SLUICE_STUN_SUCCESS || message->class == SLUICE_STUN_ERROR) &&
	       !memcmp(stun_id(message), id, SLUICE_STUN_ID_SIZE);
}

bool stun_next(const struct stun_message *message, size_t *at, struct stun_attr *attr)
{
	size_t begin = *at ? *at : HEADER, left = message->end - begin;
	const uint8_t *header = message->data + begin;

	if (left < STUN_ATTR_HEADER || get16(header + 2) > left - STUN_ATTR_HEADER)
		return false;
	*attr = (struct stun_attr){ .type = get16(header),
				    .length = get16(header + 2),
				    .value = header + STUN_ATTR_HEADER };
	*at = begin + STUN_ATTR_HEADER + padded(attr->length);
	return true;
}

static int find(const struct stun_message *message, uint16_t type, struct stun_attr *attr)
{
	size_t at = 0;

	while (stun_next(message, &at, attr))
		if (attr->type == type)
			return 0;
	return -ENOENT;
}

int stun_get(const struct stun_message *message, uint16_t type, const uint8_t **value,
	     size_t *length)
{
	struct stun_attr attr;
	int result = find(message, type, &attr);

	if (result)
		return result;
	*value = attr.value;
	*length = attr.length;
	return 0;
}

static int get_sized(const struct stun_message *message, uint16_t type, size_t size,
		     const uint8_t **value)
{
	struct stun_attr attr;
	int result = find(message, type, &attr);

	if (result)
		return result;
	*value = attr.value;
	return attr.length == size ? 0 : -EBADMSG;
}

int stun_get_u16(const struct stun_message *message, uint16_t type, uint16_t *out)
{
	struct stun_attr attr;
	int result = find(message, type, &attr);

	if (result)
		return result;
	if (attr.length != 2 && attr.length != 4)
		return -EBADMSG;
	*out = get16(attr.value);
	return 0;
}

int stun_get_u32(const struct stun_message *message, uint16_t type, uint32_t *out)
{
	const uint8_t *value;
	int result = get_sized(message, type, 4, &value);

	if (!result)
		*out = get32(value);
	return result;
}

int stun_get_u64(const struct stun_message *message, uint16_t type, uint64_t *out)
{
	const uint8_t *value;
	int result = get_sized(message, type, 8, &value);

	if (!result)
		*out = (uint64_t)get32(value) << 32 | get32(value + 4);
	return result;
}

/* Decodes an address. @mask is NULL, or the 16 bytes with which port and address are XORed. */
static int value_address(const struct stun_attr *attr, const uint8_t *mask,
			 struct stun_endpoint *out)
{
	bool ip4 = attr->length == 8 && attr->value[1] == SLUICE_STUN_IP4;
	size_t i, size = ip4 ? 4 : 16;
	struct stun_endpoint endpoint = { .port_be = 0 };
	uint16_t port;

	if (!ip4 && (attr->length != 20 || attr->value[1] != SLUICE_STUN_IP6))
		return -EBADMSG;
	if (ip4)
		memset(endpoint.addr.s6_addr + 10, 0xff, 2);
	for (i = 0; i < size; i++)
		endpoint.addr.s6_addr[16 - size + i] = attr->value[4 + i] ^ (mask ? mask[i] : 0);
	port = (uint16_t)(get16(attr->value + 2) ^ (mask ? get16(mask) : 0));
	endpoint.port_be = htons(port);
	*out = endpoint;
	return 0;
}

int stun_value_address(const struct stun_attr *attr, struct stun_endpoint *out)
{
	return value_address(attr, NULL, out);
}

int stun_value_xor_address(const struct stun_message *message, const struct stun_attr *attr,
			   struct stun_endpoint *out)
{
	/* the mask is the cookie and the transaction id, which are adjacent in the header */
	return value_address(attr, message->data + 4, out);
}

int stun_get_address(const struct stun_message *message, uint16_t type, struct stun_endpoint *out)
{
	struct stun_attr attr;
	int result = find(message, type, &attr);

	return result ? result : stun_value_address(&attr, out);
}

int stun_get_xor_address(const struct stun_message *message, uint16_t type,
			 struct stun_endpoint *out)
{
	struct stun_attr attr;
	int result = find(message, type, &attr);

	return result ? result : stun_value_xor_address(message, &attr, out);
}

int stun_get_mapped(const struct stun_message *message, struct stun_endpoint *out)
{
	int result = -ENOENT;

	if (!message->classic)
		result = stun_get_xor_address(message, SLUICE_STUN_XOR_MAPPED_ADDRESS, out);
	if (result == -ENOENT)
		result = stun_get_address(message, SLUICE_STUN_MAPPED_ADDRESS, out);
	return result;
}

int stun_get_error(const struct stun_message *message, unsigned int *code)
{
	struct stun_attr attr;
	int result = find(message, SLUICE_STUN_ERROR_CODE, &attr);
	unsigned int hundreds;

	if (result)
		return result;
	if (attr.length < 4)
		return -EBADMSG;
	/* the other 21 bits are reserved, and ignored */
	hundreds = attr.value[2] & 7U;
	if (hundreds < 3 || hundreds > 6 || attr.value[3] > 99)
		return -EBADMSG;
	*code = hundreds * 100 + attr.value[3];
	return 0;
}

static bool contains(const uint16_t *types, size_t count, uint16_t type)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (types[i] == type)
			return true;
	return false;
}

unsigned int stun_unknown(const struct stun_message *message, const uint16_t *known,
			  size_t known_count, uint16_t unknown[STUN_UNKNOWN_MAX])
{
	unsigned int count = 0;
	struct stun_attr attr;
	size_t at = 0;

	while (count < STUN_UNKNOWN_MAX && stun_next(message, &at, &attr))
		if (attr.type < SLUICE_STUN_OPTIONAL && !contains(known, known_count, attr.type) &&
		    !contains(unknown, count, attr.type))
			unknown[count++] = attr.type;
	return count;
}

int stun_check_sha1(const struct stun_message *message, const void *key, size_t key_length)
{
	size_t at = message->integrity;
	uint8_t digest[SHA1_DIGEST_SIZE];

	if (!at)
		return -ENOENT;
	if (get16(message->data + at + 2) != sizeof(digest))
		return -EBADMSG;
	stun_digest_sha1(message->data, at, sizeof(digest), key, key_length, digest);
	return memeql_sec(message->data + at + STUN_ATTR_HEADER, digest, sizeof(digest))
		       ? 0
		       : -EKEYREJECTED;
}

int stun_check_sha256(const struct stun_message *message, const void *key, size_t key_length)
{
	size_t at = message->integrity_sha256, size;
	uint8_t digest[SHA256_DIGEST_SIZE];

	if (!at)
		return -ENOENT;
	size = get16(message->data + at + 2);
	if (size < SHA256_TRUNCATED_MIN || size > sizeof(digest) || size % 4)
		return -EBADMSG;
	stun_digest_sha256(message->data, at, size, key, key_length, digest);
	return memeql_sec(message->data + at + STUN_ATTR_HEADER, digest, size) ? 0 : -EKEYREJECTED;
}
