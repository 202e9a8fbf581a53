// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/quic/connection.h"

#include <errno.h>
#include <gnutls/crypto.h>
#include <malloc.h>
#include <ngtcp2/ngtcp2_crypto_gnutls.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HANDSHAKE_TIMEOUT_NS (10 * NGTCP2_SECONDS)
/*
 * Flow control limits in bytes: per stream and per connection, initial and maximum (ngtcp2 adapts
 * them to the path).
 */
#define STREAM_WINDOW	  (256 << 10)
#define STREAM_WINDOW_MAX (4 << 20)
#define WINDOW		  (1 << 20)
#define WINDOW_MAX	  (16 << 20)
#define MEMORY_KEPT	  (4 << 20)
#define STALL_TIMEOUTS	  2
#define STALL_PACKETS	  2

/*
 * Keeps freed memory in the heap: the buffers of one batch of packets are freed, and the next batch
 * needs them again.
 */
static void keep_memory(void)
{
	mallopt(M_TRIM_THRESHOLD, MEMORY_KEPT);
	mallopt(M_TOP_PAD, MEMORY_KEPT / 4);
}

int quic_endpoint_new(struct quic_endpoint **endpoint)
{
	struct quic_endpoint *created = calloc(1, sizeof(*created));

	keep_memory();
	if (!created || tls_priority_new(&created->priority)) {
		free(created);
		return -ENOMEM;
	}
	*endpoint = created;
	return 0;
}

void quic_endpoint_free(struct quic_endpoint *endpoint)
{
	if (!endpoint)
		return;
	gnutls_priority_deinit(endpoint->priority);
	free(endpoint);
}

/* --- connection ids */

const uint8_t *quic_destination(const void *packet, size_t length, bool *first)
{
	ngtcp2_version_cid id;

	if (!length || ngtcp2_pkt_decode_version_cid(&id, packet, length, QUIC_ID_SIZE) ||
	    id.dcidlen != QUIC_ID_SIZE)
		return NULL;
	*first = id.version;
	return id.dcid;
}

uint16_t quic_slot(const uint8_t id[QUIC_ID_SIZE])
{
	return (uint16_t)(id[0] << 8 | id[1]);
}

static void id_new(ngtcp2_cid *id, uint16_t slot)
{
	id->datalen = QUIC_ID_SIZE;
	gnutls_rnd(GNUTLS_RND_RANDOM, id->data, QUIC_ID_SIZE);
	id->data[0] = (uint8_t)(slot >> 8);
	id->data[1] = (uint8_t)slot;
}

/* --- the end */

static void end(struct quic *quic, const char *reason)
{
	if (quic->over)
		return;
	quic->over = true;
	snprintf(quic->end, sizeof(quic->end), "%s", reason);
}

static void write_close(struct quic *quic, const ngtcp2_connection_close_error *error,
			uint64_t now_ns)
{
	uint8_t packet[QUIC_PACKET];
	ngtcp2_ssize size = ngtcp2_conn_write_connection_close(
		quic->conn, NULL, NULL, packet, sizeof(packet), error, now_ns + quic->ahead_ns);

	if (size > 0)
		quic->handlers->send(quic->arg, packet, (size_t)size, (size_t)size);
}

static void ended_by_peer(struct quic *quic)
{
	ngtcp2_connection_close_error error;

	ngtcp2_conn_get_connection_close_error(quic->conn, &error);
	/* RFC 9001, section 4.8: a TLS alert */
	if (error.error_code >= 0x100 && error.error_code < 0x200)
		end(quic, "the other peer refused the key");
	else if (error.error_code == 0)
		end(quic, "the other peer has closed the connection");
	else
		end(quic, "the other peer reported a protocol error");
}

void quic_fail(struct quic *quic, int result, uint64_t now_ns)
{
	ngtcp2_connection_close_error error;
	uint8_t alert;

	if (quic->over)
		return;
	ngtcp2_connection_close_error_default(&error);
	switch (result) {
	case NGTCP2_ERR_DRAINING:
		ended_by_peer(quic);
		return;
	case NGTCP2_ERR_HANDSHAKE_TIMEOUT:
		end(quic, "the other peer did not answer the handshake");
		return;
	case NGTCP2_ERR_IDLE_CLOSE:
	case NGTCP2_ERR_DROP_CONN:
		end(quic, "the connection was dropped");
		return;
	case NGTCP2_ERR_CRYPTO:
		alert = ngtcp2_conn_get_tls_alert(quic->conn);
		end(quic, "the handshake failed: the other peer has another key");
		if (alert) {
			ngtcp2_connection_close_error_set_transport_error_tls_alert(&error, alert,
										    NULL, 0);
			break;
		}
		/* fall through */
	default:
		ngtcp2_connection_close_error_set_transport_error_liberr(&error, result, NULL, 0);
		end(quic, ngtcp2_strerror(result));
	}
	write_close(quic, &error, now_ns);
}

void quic_close(struct quic *quic, uint64_t now_ns)
{
	ngtcp2_connection_close_error error;

	if (quic->over)
		return;
	ngtcp2_connection_close_error_default(&error);
	ngtcp2_connection_close_error_set_application_error(&error, 0, NULL, 0);
	write_close(quic, &error, now_ns);
	end(quic, "closed");
}

/* --- callbacks of ngtcp2 */

static ngtcp2_conn *conn_of_ref(ngtcp2_crypto_conn_ref *ref)
{
	return ((struct quic *)ref->user_data)->conn;
}

/*
 * ngtcp2 before 0.19 greases the QUIC bit (RFC 9287) in half of its connections, depending on the
 * low bit of a single random byte. A greased bit would break the demultiplexing of STUN and QUIC on
 * one socket (RFC 9443).
 */
static void on_rand(uint8_t *data, size_t length, const ngtcp2_rand_ctx *context)
{
	gnutls_rnd(GNUTLS_RND_NONCE, data, length);
	if (length == 1)
		*data &= 0xfe;
}

/* Clears grease_quic_bit: ngtcp2 before 0.19 sends this parameter regardless of the settings. */
static void announce_no_grease(ngtcp2_conn *conn)
{
	((ngtcp2_transport_params *)ngtcp2_conn_get_local_transport_params(conn))->grease_quic_bit =
		0;
}

/* true if ngtcp2_conn_read_pkt() has accepted a packet; it drops others without an error. */
static bool decrypted;

static int on_decrypt(uint8_t *to, const ngtcp2_crypto_aead *aead,
		      const ngtcp2_crypto_aead_ctx *context, const uint8_t *from, size_t length,
		      const uint8_t *nonce, size_t nonce_length, const uint8_t *head,
		      size_t head_length)
{
	int result = ngtcp2_crypto_decrypt_cb(to, aead, context, from, length, nonce, nonce_length,
					      head, head_length);

	decrypted |= !result;
	return result;
}

static int on_new_id(ngtcp2_conn *conn, ngtcp2_cid *id, uint8_t *token, size_t length, void *arg)
{
	const struct quic *quic = arg;

	id_new(id, quic->slot);
	gnutls_rnd(GNUTLS_RND_RANDOM, token, NGTCP2_STATELESS_RESET_TOKENLEN);
	return 0;
}

static int on_handshake(ngtcp2_conn *conn, void *arg)
{
	struct quic *quic = arg;
	const char *deviation = tls_deviation(&quic->tls);

	explicit_bzero(quic->tls.psk, sizeof(quic->tls.psk));
	if (deviation) {
		end(quic, deviation);
		return NGTCP2_ERR_CALLBACK_FAILURE;
	}
	quic->ready = true;
	quic->handlers->ready(quic->arg);
	return 0;
}

static int on_datagram(ngtcp2_conn *conn, uint32_t flags, const uint8_t *data, size_t length,
		       void *arg)
{
	struct quic *quic = arg;

	quic->handlers->datagram(quic->arg, data, length);
	return 0;
}

static int on_more_streams(ngtcp2_conn *conn, uint64_t streams, void *arg)
{
	struct quic *quic = arg;

	if (quic->ready && quic->handlers->permitted)
		quic->handlers->permitted(quic->arg);
	return 0;
}

static ngtcp2_callbacks callbacks(void)
{
	ngtcp2_callbacks set = {
		.client_initial = ngtcp2_crypto_client_initial_cb,
		.recv_client_initial = ngtcp2_crypto_recv_client_initial_cb,
		.recv_crypto_data = ngtcp2_crypto_recv_crypto_data_cb,
		.handshake_completed = on_handshake,
		.encrypt = ngtcp2_crypto_encrypt_cb,
		.decrypt = on_decrypt,
		.hp_mask = ngtcp2_crypto_hp_mask_cb,
		.recv_retry = ngtcp2_crypto_recv_retry_cb,
		.update_key = ngtcp2_crypto_update_key_cb,
		.delete_crypto_aead_ctx = ngtcp2_crypto_delete_crypto_aead_ctx_cb,
		.delete_crypto_cipher_ctx = ngtcp2_crypto_delete_crypto_cipher_ctx_cb,
		.get_path_challenge_data = ngtcp2_crypto_get_path_challenge_data_cb,
		.version_negotiation = ngtcp2_crypto_version_negotiation_cb,
		.rand = on_rand,
		.get_new_connection_id = on_new_id,
		.recv_datagram = on_datagram,
		.extend_max_local_streams_bidi = on_more_streams,
	};

	quic_stream_callbacks(&set);
	return set;
}

/* --- creation */

/* The path that ngtcp2 uses: two fictitious addresses, which never change. */
static const struct sockaddr_in own_address = { .sin_family = AF_INET, .sin_port = 1 };
static const struct sockaddr_in other_address = { .sin_family = AF_INET, .sin_port = 2 };
static const ngtcp2_path constant_path = {
	.local = { (ngtcp2_sockaddr *)&own_address, sizeof(own_address) },
	.remote = { (ngtcp2_sockaddr *)&other_address, sizeof(other_address) },
};

/* @first: the client's first packet; NULL: this is the client. */
static int create(struct quic_endpoint *endpoint, const struct quic_settings *settings,
		  const ngtcp2_pkt_hd *first, uint64_t now_ns, struct quic **quic)
{
	const ngtcp2_callbacks set = callbacks();
	ngtcp2_transport_params params;
	ngtcp2_settings tuning;
	struct quic *created;
	ngtcp2_cid other, own;
	int result;

	created = calloc(1, sizeof(*created));
	if (!created)
		return -ENOMEM;
	*created = (struct quic){ .endpoint = endpoint,
				  .handlers = settings->handlers,
				  .arg = settings->arg,
				  .drops = settings->drops,
				  .slot = settings->slot,
				  .packet = QUIC_PACKET,
				  .tls.ref = { conn_of_ref, created } };
	LIST_INIT(&created->streams);
	TAILQ_INIT(&created->writable);
	memcpy(created->tls.psk, settings->psk, sizeof(created->tls.psk));
	snprintf(created->tls.identity, sizeof(created->tls.identity), "%s", settings->identity);

	ngtcp2_settings_default(&tuning);
	tuning.initial_ts = now_ns;
	if (settings->rtt_ns)
		tuning.initial_rtt = settings->rtt_ns;
	tuning.cc_algo = NGTCP2_CC_ALGO_CUBIC;
	/* the session discovers the path MTU: quic_set_packet_size() */
	tuning.max_tx_udp_payload_size = QUIC_PACKET_MAX;
	tuning.no_tx_udp_payload_size_shaping = 1;
	tuning.no_pmtud = 1;
	tuning.handshake_timeout = HANDSHAKE_TIMEOUT_NS;
	tuning.max_window = WINDOW_MAX;
	tuning.max_stream_window = STREAM_WINDOW_MAX;
	ngtcp2_transport_params_default(&params);
	params.initial_max_stream_data_bidi_local = STREAM_WINDOW;
	params.initial_max_stream_data_bidi_remote = STREAM_WINDOW;
	params.initial_max_data = WINDOW;
	params.initial_max_streams_bidi = QUIC_STREAMS_MAX;
	params.max_idle_timeout = 0; /* the session's consent decides */
	params.max_datagram_frame_size = 65535;
	params.disable_active_migration = 1;
	id_new(&own, settings->slot);
	if (first) {
		params.original_dcid = first->dcid;
		result = ngtcp2_conn_server_new(&created->conn, &first->scid, &own, &constant_path,
						first->version, &set, &tuning, &params, NULL,
						created);
	} else {
		ngtcp2_cid_init(&other, settings->first_id, QUIC_ID_SIZE);
		result = ngtcp2_conn_client_new(&created->conn, &other, &own, &constant_path,
						NGTCP2_PROTO_VER_V1, &set, &tuning, &params, NULL,
						created);
	}
	if (result || tls_init(&created->tls, first, endpoint->priority)) {
		quic_free(created);
		return -ENOMEM;
	}
	announce_no_grease(created->conn);
	ngtcp2_conn_set_tls_native_handle(created->conn, created->tls.session);
	*quic = created;
	return 0;
}

int quic_connect(struct quic_endpoint *endpoint, const struct quic_settings *settings,
		 uint64_t now_ns, struct quic **quic)
{
	return create(endpoint, settings, NULL, now_ns, quic);
}

int quic_accept(struct quic_endpoint *endpoint, const struct quic_settings *settings,
		const void *packet, size_t length, uint64_t now_ns, struct quic **quic)
{
	ngtcp2_pkt_hd first;

	if (ngtcp2_accept(&first, packet, length) || first.dcid.datalen != QUIC_ID_SIZE ||
	    memcmp(first.dcid.data, settings->first_id, QUIC_ID_SIZE))
		return -EPROTO;
	return create(endpoint, settings, &first, now_ns, quic);
}

void quic_free(struct quic *quic)
{
	if (!quic)
		return;
	if (quic->conn)
		ngtcp2_conn_del(quic->conn);
	quic_streams_free(quic);
	tls_free(&quic->tls);
	free(quic->datagram);
	free(quic);
}

bool quic_is_ready(const struct quic *quic)
{
	return quic->ready && !quic->over;
}

const char *quic_end(const struct quic *quic)
{
	return quic->over ? quic->end : NULL;
}

uint64_t quic_rtt_ns(const struct quic *quic)
{
	ngtcp2_conn_stat stat;

	ngtcp2_conn_get_conn_stat(quic->conn, &stat);
	return stat.smoothed_rtt;
}

/* --- packets */

void quic_set_packet_size(struct quic *quic, size_t size)
{
	if (size < QUIC_PACKET)
		size = QUIC_PACKET;
	quic->packet = size < QUIC_PACKET_MAX ? size : QUIC_PACKET_MAX;
}

bool quic_stalls(struct quic *quic)
{
	bool stalls = quic->stalls;

	quic->stalls = false;
	return stalls;
}

/*
 * Records whether packets stall after a timeout: a probe timeout has repeated, or losses have
 * reduced the congestion window to its minimum (RFC 9002, section 7.2).
 */
static void note_stall(struct quic *quic)
{
	ngtcp2_conn_stat stat;

	ngtcp2_conn_get_conn_stat(quic->conn, &stat);
	quic->stalls |= stat.pto_count >= STALL_TIMEOUTS ||
			stat.cwnd <= STALL_PACKETS * QUIC_PACKET_MAX;
}

bool quic_receive(struct quic *quic, const void *packet, size_t length, uint64_t now_ns)
{
	const ngtcp2_pkt_info info = { 0 };
	int result;

	if (quic->over || !length)
		return false;
	decrypted = false;
	result = ngtcp2_conn_read_pkt(quic->conn, &constant_path, &info, packet, length,
				      now_ns + quic->ahead_ns);
	if (result)
		quic_fail(quic, result, now_ns);
	return decrypted && quic->ready;
}

uint64_t quic_next_ns(const struct quic *quic)
{
	uint64_t expiry = quic->over ? UINT64_MAX : ngtcp2_conn_get_expiry(quic->conn);

	return expiry == UINT64_MAX ? expiry : expiry - quic->ahead_ns;
}

void quic_expire(struct quic *quic, uint64_t now_ns)
{
	int result;

	if (quic_next_ns(quic) > now_ns)
		return;
	result = ngtcp2_conn_handle_expiry(quic->conn, now_ns + quic->ahead_ns);
	if (result)
		quic_fail(quic, result, now_ns);
	else
		note_stall(quic);
}

void quic_path_changed(struct quic *quic, uint64_t now_ns)
{
	uint64_t expiry;

	if (!quic_is_ready(quic))
		return;
	/* Sends a frame to get an acknowledgement, which shows the lost packets. */
	ngtcp2_conn_extend_max_streams_uni(quic->conn, 1);
	if (quic_write(quic, now_ns))
		return;
	/*
	 * If lost packets fill the congestion window, only an expired probe timer makes ngtcp2
	 * send.
	 */
	expiry = ngtcp2_conn_get_expiry(quic->conn);
	if (expiry != UINT64_MAX && expiry > now_ns + quic->ahead_ns)
		quic->ahead_ns = expiry - now_ns;
	quic_expire(quic, now_ns);
	quic_write(quic, now_ns);
}
