/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The HMACs and the checksum of a STUN message; internal to the codec. */
#ifndef SLUICE_NET_STUN_DIGEST_H
#define SLUICE_NET_STUN_DIGEST_H

#include <nettle/sha1.h>
#include <nettle/sha2.h>
#include <stddef.h>
#include <stdint.h>

/*
 * Compute the HMAC over the @at bytes before an integrity attribute. The header's length is
 * computed as if that attribute, with a value of @size bytes, were the last (RFC 8489, sections
 * 14.5 and 14.6).
 */
void stun_digest_sha1(const uint8_t *data, size_t at, size_t size, const void *key,
		      size_t key_length, uint8_t digest[SHA1_DIGEST_SIZE]);
void stun_digest_sha256(const uint8_t *data, size_t at, size_t size, const void *key,
			size_t key_length, uint8_t digest[SHA256_DIGEST_SIZE]);

/* Returns the FINGERPRINT of the first @at bytes, whose header length already includes it. */
uint32_t stun_fingerprint(const uint8_t *data, size_t at);

#endif
