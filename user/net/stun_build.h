/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Builds STUN messages: stun_begin(), stun_put_*() in the order of the message, stun_end().
 * stun_end() returns 0 for a message that does not fit; no other call needs a check. Padding is
 * zero.
 */
#ifndef SLUICE_NET_STUN_BUILD_H
#define SLUICE_NET_STUN_BUILD_H

#include "net/stun.h"

struct stun_builder {
	uint8_t *data;
	size_t size;
	size_t length;
	bool overflow;
};

/* Begins a message. @class: enum sluice_stun_class. */
void stun_begin(struct stun_builder *builder, void *buffer, size_t size, unsigned int method,
		enum sluice_stun_class class, const uint8_t id[SLUICE_STUN_ID_SIZE]);
/* Begins the response to a request, which may be classic. */
void stun_begin_response(struct stun_builder *builder, void *buffer, size_t size,
			 const struct stun_message *request, enum sluice_stun_class class);

void stun_put(struct stun_builder *builder, uint16_t type, const void *value, size_t length);
/* Puts a value of 2 bytes and 2 bytes of padding, as for RESPONSE-PORT. */
void stun_put_u16(struct stun_builder *builder, uint16_t type, uint16_t value);
void stun_put_u32(struct stun_builder *builder, uint16_t type, uint32_t value);
void stun_put_u64(struct stun_builder *builder, uint16_t type, uint64_t value);
void stun_put_address(struct stun_builder *builder, uint16_t type,
		      const struct stun_endpoint *endpoint);
void stun_put_xor_address(struct stun_builder *builder, uint16_t type,
			  const struct stun_endpoint *endpoint);
/* @code is from 300 to 699. The reason phrase is empty, to save bytes. */
void stun_put_error(struct stun_builder *builder, unsigned int code);
/*
 * Puts UNKNOWN-ATTRIBUTES. A classic transaction gets an even number of types, as RFC 3489
 * requires.
 */
void stun_put_unknown(struct stun_builder *builder, const uint16_t *types, unsigned int count);

/*
 * These protect the attributes before them: put them last, in the order SHA-1, SHA-256,
 * FINGERPRINT.
 */
void stun_put_sha1(struct stun_builder *builder, const void *key, size_t key_length);
void stun_put_sha256(struct stun_builder *builder, const void *key, size_t key_length);
void stun_put_fingerprint(struct stun_builder *builder);

/* Returns the length of the message, or 0 if it did not fit. */
size_t stun_end(struct stun_builder *builder);

#endif
