/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Calls every read function on a STUN message. For the test and the fuzzer of the codec, which
 * define MUST().
 */
#ifndef SLUICE_TESTS_STUN_READ_H
#define SLUICE_TESTS_STUN_READ_H

#include "net/stun.h"
#include "net/stun_digest.h"

/* Reads an attribute in every form, whether present or not. */
static inline void stun_read_forms(const struct stun_message *message, uint16_t type)
{
	struct stun_endpoint endpoint;
	const uint8_t *value;
	size_t length;
	uint16_t u16;
	uint32_t u32;
	uint64_t u64;

	stun_get(message, type, &value, &length);
	stun_get_u16(message, type, &u16);
	stun_get_u32(message, type, &u32);
	stun_get_u64(message, type, &u64);
	stun_get_address(message, type, &endpoint);
	stun_get_xor_address(message, type, &endpoint);
}

static inline void stun_read_all(const struct stun_message *message)
{
	uint16_t unknown[STUN_UNKNOWN_MAX];
	struct stun_endpoint endpoint;
	struct stun_attr attr;
	const uint8_t *value;
	unsigned int code;
	size_t at = 0, length;

	while (stun_next(message, &at, &attr)) {
		MUST(attr.value >= message->data + SLUICE_STUN_HEADER_SIZE);
		MUST(attr.value + attr.length <= message->data + message->length);
		MUST(!stun_get(message, attr.type, &value, &length) && value <= attr.value);
		stun_read_forms(message, attr.type);
	}
	stun_get_mapped(message, &endpoint);
	MUST(stun_get_error(message, &code) || (code >= 300 && code <= 699));
	MUST(stun_unknown(message, NULL, 0, unknown) <= STUN_UNKNOWN_MAX);
	stun_check_sha1(message, "key", 3);
	stun_check_sha256(message, "key", 3);
	stun_is_response(message, (const uint8_t *)"012345678901");
}

#endif
