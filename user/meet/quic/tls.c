// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/quic/tls.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

#define ALPN "sluice/1"

/*
 * GnuTLS refuses a priority string without a signature algorithm, even though nothing is signed.
 * AES-256-GCM cannot be used: its hash differs from the hash of the PSK binder.
 */
#define PRIORITY                                                                   \
	"NONE:+VERS-TLS1.3:%s:+AEAD:+ECDHE-PSK:+GROUP-X25519:+SIGN-EDDSA-ED25519:" \
	"%%DISABLE_TLS13_COMPAT_MODE"

/*
 * Returns true if the CPU has AES instructions; with them, ChaCha20 takes six times the CPU time of
 * AES.
 */
static bool cpu_has_aes(void)
{
#if defined(__x86_64__)
	return __builtin_cpu_supports("aes");
#elif defined(__aarch64__)
	return getauxval(AT_HWCAP) & 1 << 3; /* HWCAP_AES */
#else
	return false;
#endif
}

int tls_priority_new(gnutls_priority_t *priority)
{
	char text[256];

	snprintf(text, sizeof(text), PRIORITY,
		 cpu_has_aes() ? "+AES-128-GCM:+CHACHA20-POLY1305"
			       : "+CHACHA20-POLY1305:+AES-128-GCM");
	return gnutls_priority_init(priority, text, NULL) ? -ENOMEM : 0;
}

/* For an unknown identity, GnuTLS uses a random key, so the handshake fails as with a wrong key. */
static int on_identity(gnutls_session_t session, const gnutls_datum_t *identity,
		       gnutls_datum_t *key)
{
	const ngtcp2_crypto_conn_ref *ref = gnutls_session_get_ptr(session);
	const struct tls *tls = (const void *)((const char *)ref - offsetof(struct tls, ref));

	*key = (gnutls_datum_t){ NULL, 0 };
	if (identity->size != TLS_IDENTITY_SIZE - 1 ||
	    gnutls_memcmp(identity->data, tls->identity, TLS_IDENTITY_SIZE - 1))
		return 0;
	key->data = gnutls_malloc(TLS_PSK_SIZE);
	if (!key->data)
		return -1;
	memcpy(key->data, tls->psk, TLS_PSK_SIZE);
	key->size = TLS_PSK_SIZE;
	return 0;
}

static int set_credentials(struct tls *tls, bool server)
{
	const gnutls_datum_t identity = { (unsigned char *)tls->identity, TLS_IDENTITY_SIZE - 1 };
	const gnutls_datum_t key = { tls->psk, TLS_PSK_SIZE };
	int result;

	if (server) {
		result = gnutls_psk_allocate_server_credentials(&tls->server);
		if (result)
			return result;
		gnutls_psk_set_server_credentials_function2(tls->server, on_identity);
		return gnutls_credentials_set(tls->session, GNUTLS_CRD_PSK, tls->server);
	}
	result = gnutls_psk_allocate_client_credentials(&tls->client);
	if (!result)
		result = gnutls_psk_set_client_credentials2(tls->client, &identity, &key,
							    GNUTLS_PSK_KEY_RAW);
	return result ? result : gnutls_credentials_set(tls->session, GNUTLS_CRD_PSK, tls->client);
}

int tls_init(struct tls *tls, bool server, gnutls_priority_t priority)
{
	const gnutls_datum_t alpn = { (unsigned char *)ALPN, strlen(ALPN) };
	int result;

	result = gnutls_init(&tls->session, (server ? GNUTLS_SERVER : GNUTLS_CLIENT) |
						    GNUTLS_NO_TICKETS | GNUTLS_NO_AUTO_SEND_TICKET |
						    GNUTLS_NO_END_OF_EARLY_DATA);
	if (result)
		return -ENOMEM;
	gnutls_session_set_ptr(tls->session, &tls->ref);
	result = gnutls_priority_set(tls->session, priority);
	if (!result)
		result = server ? ngtcp2_crypto_gnutls_configure_server_session(tls->session)
				: ngtcp2_crypto_gnutls_configure_client_session(tls->session);
	if (!result)
		result = gnutls_alpn_set_protocols(tls->session, &alpn, 1, GNUTLS_ALPN_MANDATORY);
	if (!result)
		result = set_credentials(tls, server);
	if (result)
		tls_free(tls);
	return result ? -ENOMEM : 0;
}

void tls_free(struct tls *tls)
{
	if (tls->session)
		gnutls_deinit(tls->session);
	if (tls->client)
		gnutls_psk_free_client_credentials(tls->client);
	if (tls->server)
		gnutls_psk_free_server_credentials(tls->server);
	tls->session = NULL;
	tls->client = NULL;
	tls->server = NULL;
	explicit_bzero(tls->psk, sizeof(tls->psk));
}

const char *tls_deviation(const struct tls *tls)
{
	gnutls_session_t session = tls->session;
	gnutls_datum_t alpn;

	if (gnutls_protocol_get_version(session) != GNUTLS_TLS1_3)
		return "not TLS 1.3";
	if (gnutls_alpn_get_selected_protocol(session, &alpn) || alpn.size != strlen(ALPN) ||
	    memcmp(alpn.data, ALPN, alpn.size))
		return "another application protocol";
	if (gnutls_auth_get_type(session) != GNUTLS_CRD_PSK ||
	    gnutls_kx_get(session) != GNUTLS_KX_ECDHE_PSK)
		return "not a pre-shared key with an ephemeral exchange";
	if (gnutls_group_get(session) != GNUTLS_GROUP_X25519)
		return "an exchange other than X25519";
	if (gnutls_session_is_resumed(session))
		return "a resumed session";
	if (gnutls_session_get_flags(session) & GNUTLS_SFLAGS_EARLY_DATA)
		return "early data";
	return NULL;
}
