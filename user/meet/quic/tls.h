/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * TLS 1.3 of a QUIC connection between two peers, without certificates: an external pre-shared key
 * with an ephemeral exchange (psk_dhe_ke, RFC 8446), so that both prove themselves and a key that
 * is stolen later opens no recorded traffic. No tickets, no resumption, no early data.
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
	ngtcp2_crypto_conn_ref ref; /* ->user_data is this struct's owner */
	uint8_t psk[TLS_PSK_SIZE];
	char identity[TLS_IDENTITY_SIZE];
};

/* Parses the ciphers and the key exchange, once for all connections. Returns 0 or -ENOMEM. */
int tls_priority_new(gnutls_priority_t *priority);

/*
 * Creates the session. tls->psk and ->identity are set, and zeroed by tls_free(); tls->ref is set
 * and stays in place. Returns 0 or -ENOMEM.
 */
int tls_init(struct tls *tls, bool server, gnutls_priority_t priority);
void tls_free(struct tls *tls);
/*
 * Checks that the completed handshake is the intended one, whatever the library may have agreed
 * to. Returns NULL, or the deviation.
 */
const char *tls_deviation(const struct tls *tls);

#endif
