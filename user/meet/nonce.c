// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/nonce.h"

#include <endian.h>
#include <errno.h>
#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <string.h>

#define MAC_SIZE 16

struct nonce {
	uint64_t time_be;
	uint8_t mac[MAC_SIZE];
};
_Static_assert(BASE64_ENCODE_RAW_LENGTH(sizeof(struct nonce)) == NONCE_SIZE, "NONCE_SIZE");

static void seal(struct nonce *nonce, const uint8_t key[32], const struct stun_endpoint *peer,
		 uint8_t transport)
{
	struct hmac_sha256_ctx hmac;

	hmac_sha256_set_key(&hmac, 32, key);
	hmac_sha256_update(&hmac, sizeof(nonce->time_be), (const uint8_t *)&nonce->time_be);
	hmac_sha256_update(&hmac, sizeof(peer->addr), peer->addr.s6_addr);
	hmac_sha256_update(&hmac, sizeof(peer->port_be), (const uint8_t *)&peer->port_be);
	hmac_sha256_update(&hmac, sizeof(transport), &transport);
	hmac_sha256_digest(&hmac, MAC_SIZE, nonce->mac);
}

void nonce_make(char text[NONCE_SIZE], const uint8_t key[32], const struct stun_endpoint *to,
		uint8_t transport, uint64_t now_ms)
{
	struct nonce nonce = { .time_be = htobe64(now_ms) };

	seal(&nonce, key, to, transport);
	base64_encode_raw(text, sizeof(nonce), (const uint8_t *)&nonce);
}

int nonce_check(const char *text, const uint8_t key[32], const struct stun_endpoint *from,
		uint8_t transport, uint64_t now_ms)
{
	uint8_t decoded[BASE64_DECODE_LENGTH(NONCE_SIZE)];
	struct base64_decode_ctx decoder;
	struct nonce nonce, right;
	size_t length = sizeof(decoded);
	uint64_t age;

	base64_decode_init(&decoder);
	if (!base64_decode_update(&decoder, &length, decoded, NONCE_SIZE, text) ||
	    !base64_decode_final(&decoder) || length != sizeof(nonce))
		return -EKEYREJECTED;
	memcpy(&nonce, decoded, sizeof(nonce));
	right = nonce;
	seal(&right, key, from, transport);
	if (!memeql_sec(right.mac, nonce.mac, MAC_SIZE))
		return -EKEYREJECTED;
	/* the process has made the key, so no nonce is from the future */
	age = now_ms - be64toh(nonce.time_be);
	return age <= NONCE_LIFE_MS ? (int)age : -ESTALE;
}
