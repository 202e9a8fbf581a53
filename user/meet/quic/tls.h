/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS 1.3 for a QUIC connection between two peers, without certificates: an external pre-shared key
 * with an ephemeral exchange (psk_dhe_ke, RFC 8446) provides mutual authentication and forward
 * secrecy. There are no tickets, no resumption and no early data.
 */
#ifndef SLUICE_MEET_QUIC_TLS_H
#define SLUICE_MEET_QUIC_TLS_H

#include <gnutls/gnutls.h>
#include <ngtcp2/ngtcp2_crypto.h>
#include <stdbool.h>
#include <stdint.h>

#define TLS_PSK_SIZE	  32
#define TLS_IDENTITY_SIZE 33 /* 16 bytes in hexadecimal digits, with the terminating NUL */

struct tls {
	gnutls_session_t session;
	gnutls_psk_client_credentials_t client;
	gnutls_psk_server_credentials_t server;
	ngtcp2_crypto_conn_ref ref; /* ->user_data is the owner of this struct */
	uint8_t psk[TLS_PSK_SIZE];
	char identity[TLS_IDENTITY_SIZE];
};

/* Parses the ciphers and the key exchange, once for all connections. Returns 0 or -ENOMEM. */
int tls_priority_new(gnutls_priority_t *priority);

/*
 * Creates the session. The caller has set tls->psk, ->identity and ->ref, and must not move @tls.
 * tls_free() zeroes psk and identity. Returns 0 or -ENOMEM.
 */
int tls_init(struct tls *tls, bool server, gnutls_priority_t priority);
void tls_free(struct tls *tls);
/*
 * Checks the negotiated parameters of the completed handshake, independently of the library's
 * settings. Returns NULL, or a description of the deviation.
 */
const char *tls_deviation(const struct tls *tls);

#endif
