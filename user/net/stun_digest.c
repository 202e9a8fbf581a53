// SPDX-License-Identifier: GPL-2.0-or-later
#include "net/stun_digest.h"

#include "net/stun_bytes.h"

#include <nettle/hmac.h>
#include <zlib.h>

void stun_digest_sha1(const uint8_t *data, size_t at, size_t size, const void *key,
		      size_t key_length, uint8_t digest[SHA1_DIGEST_SIZE])
{
	struct hmac_sha1_ctx hmac;
	uint8_t length[2];

	put16(length, (uint16_t)(at + STUN_ATTR_HEADER + size - SLUICE_STUN_HEADER_SIZE));
	hmac_sha1_set_key(&hmac, key_length, key);
	hmac_sha1_update(&hmac, 2, data);
	hmac_sha1_update(&hmac, 2, length);
	hmac_sha1_update(&hmac, at - 4, data + 4);
	hmac_sha1_digest(&hmac, SHA1_DIGEST_SIZE, digest);
}

void stun_digest_sha256(const uint8_t *data, size_t at, size_t size, const void *key,
			size_t key_length, uint8_t digest[SHA256_DIGEST_SIZE])
{
	struct hmac_sha256_ctx hmac;
	uint8_t length[2];

	put16(length, (uint16_t)(at + STUN_ATTR_HEADER + size - SLUICE_STUN_HEADER_SIZE));
	hmac_sha256_set_key(&hmac, key_length, key);
	hmac_sha256_update(&hmac, 2, data);
	hmac_sha256_update(&hmac, 2, length);
	hmac_sha256_update(&hmac, at - 4, data + 4);
	hmac_sha256_digest(&hmac, SHA256_DIGEST_SIZE, digest);
}

uint32_t stun_fingerprint(const uint8_t *data, size_t at)
{
	return (uint32_t)crc32(0, data, (uInt)at) ^ SLUICE_STUN_FINGERPRINT_XOR;
}
