/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The secrets of a session between two peers. They are derived by a triple Diffie-Hellman exchange
 * from the static keys a and b and the ephemeral keys ea and eb of the introduction:
 *
 *   HKDF-SHA256(salt = session id, ikm = X25519(a, b) || X25519(a, eb) || X25519(ea, b),
 *               info = label || A || B || EA || EB)
 *
 * a is the peer that requested the introduction. The server, which forwards the public keys only,
 * cannot derive the secrets. An attacker who has stolen the static key of a peer cannot impersonate
 * other peers to that peer.
 *
 * Forward secrecy comes from the exchange within QUIC.
 */
#ifndef SLUICE_MEET_PEER_SECRET_H
#define SLUICE_MEET_PEER_SECRET_H

#include "meet/key.h"
#include "meet/peer/introduction.h"

#define PEER_SECRET_SIZE	  32
#define PEER_SECRET_IDENTITY_TEXT 33 /* 16 bytes in hex, with the terminating NUL */

struct peer_secret {
	/* One secret per direction, so that a reflected check is not authentic. */
	uint8_t own_checks[PEER_SECRET_SIZE];  /* protects this peer's checks and their responses */
	uint8_t peer_checks[PEER_SECRET_SIZE]; /* the other peer's */
	uint8_t psk[PEER_SECRET_SIZE];	       /* of TLS 1.3 within QUIC */
	char psk_identity[PEER_SECRET_IDENTITY_TEXT];
};

/*
 * Derives the secrets from the own static private key and an introduction. Returns 0; or -EINVAL,
 * with *secret unchanged, if a public key has small order or is the peer's own key.
 */
int peer_secret_derive(struct peer_secret *secret, const uint8_t own_secret[KEY_SIZE],
		       const struct introduction *introduction);

#endif
