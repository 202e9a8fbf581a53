// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/peer/secret.h"

#include <errno.h>
#include <nettle/base16.h>
#include <nettle/curve25519.h>
#include <nettle/hkdf.h>
#include <nettle/hmac.h>
#include <nettle/memops.h>
#include <string.h>

#define IDENTITY_SIZE 16
#define LABEL_MAX     32

/* The values that both peers know, in the same order on both sides: A is the initiator. */
struct exchange {
	uint8_t shared[3][KEY_SIZE];
	uint8_t public_key[4][KEY_SIZE]; /* A, B, EA, EB */
};

/* Multiplies. Returns false if the result is all-zero, because the point has small order. */
static bool multiply(uint8_t shared[KEY_SIZE], const uint8_t secret[KEY_SIZE],
		     const uint8_t other[KEY_SIZE])
{
	uint8_t any = 0;
	int i;

	curve25519_mul(shared, secret, other);
	for (i = 0; i < KEY_SIZE; i++)
		any |= shared[i];
	return any;
}

static bool exchange_keys(struct exchange *exchange, const uint8_t own_secret[KEY_SIZE],
			  const struct introduction *intro)
{
	int own = intro->initiator ? 0 : 1, other = !own;

	key_public(exchange->public_key[own], own_secret);
	key_public(exchange->public_key[2 + own], intro->ephemeral_secret);
	memcpy(exchange->public_key[other], intro->peer_key, KEY_SIZE);
	memcpy(exchange->public_key[2 + other], intro->peer_ephemeral, KEY_SIZE);
	/*
	 * in a session with itself, a peer would accept its own checks as those of the other peer
	 */
	return !memeql_sec(exchange->public_key[0], exchange->public_key[1], KEY_SIZE) &&
	       multiply(exchange->shared[0], own_secret, intro->peer_key) &&
	       multiply(exchange->shared[1 + own], own_secret, intro->peer_ephemeral) &&
	       multiply(exchange->shared[1 + other], intro->ephemeral_secret, intro->peer_key);
}

static void expand(uint8_t *out, size_t size, const uint8_t extracted[SHA256_DIGEST_SIZE],
		   const char *label, const struct exchange *exchange)
{
	uint8_t info[LABEL_MAX + sizeof(exchange->public_key)];
	size_t length = strlen(label);
	struct hmac_sha256_ctx hmac;

	memcpy(info, label, length);
	memcpy(info + length, exchange->public_key, sizeof(exchange->public_key));
	hmac_sha256_set_key(&hmac, SHA256_DIGEST_SIZE, extracted);
	hkdf_expand(&hmac, (nettle_hash_update_func *)hmac_sha256_update,
		    (nettle_hash_digest_func *)hmac_sha256_digest, SHA256_DIGEST_SIZE,
		    length + sizeof(exchange->public_key), info, size, out);
	explicit_bzero(&hmac, sizeof(hmac));
}

int peer_secret_derive(struct peer_secret *secret, const uint8_t own_secret[KEY_SIZE],
		       const struct introduction *introduction)
{
	/* by direction: from the initiator, to the initiator */
	static const char *const checks[] = { "sluice checks from 1", "sluice checks to 1" };
	uint8_t extracted[SHA256_DIGEST_SIZE], identity[IDENTITY_SIZE];
	int own = introduction->initiator ? 0 : 1;
	struct hmac_sha256_ctx hmac;
	struct exchange exchange = { 0 };
	int result = -EINVAL;

	if (exchange_keys(&exchange, own_secret, introduction)) {
		hmac_sha256_set_key(&hmac, sizeof(introduction->id), introduction->id);
		hkdf_extract(&hmac, (nettle_hash_update_func *)hmac_sha256_update,
			     (nettle_hash_digest_func *)hmac_sha256_digest, SHA256_DIGEST_SIZE,
			     sizeof(exchange.shared), (const uint8_t *)exchange.shared, extracted);
		expand(secret->own_checks, PEER_SECRET_SIZE, extracted, checks[own], &exchange);
		expand(secret->peer_checks, PEER_SECRET_SIZE, extracted, checks[!own], &exchange);
		expand(secret->psk, PEER_SECRET_SIZE, extracted, "sluice psk 1", &exchange);
		expand(identity, IDENTITY_SIZE, extracted, "sluice psk identity 1", &exchange);
		base16_encode_update(secret->psk_identity, IDENTITY_SIZE, identity);
		secret->psk_identity[PEER_SECRET_IDENTITY_TEXT - 1] = '\0';
		result = 0;
	}
	explicit_bzero(&hmac, sizeof(hmac));
	explicit_bzero(&exchange, sizeof(exchange));
	explicit_bzero(extracted, sizeof(extracted));
	return result;
}
