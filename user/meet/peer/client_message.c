// SPDX-License-Identifier: GPL-2.0-or-later
/* The messages of a client. sluice-protocol(7) describes them. */
#include "meet/peer/client_state.h"
#include "meet/scope.h"
#include "net/stun_build.h"

#include <arpa/inet.h>
#include <endian.h>
#include <nettle/hmac.h>
#include <string.h>

#define REFRESH_LABEL	"sluice refresh 1"
#define CHALLENGE_SIZE	64 /* of the 401 response; a request without a nonce is no shorter */
#define PORT_MIN	1024
#define START_DELAY_MAX 5000 /* milliseconds; a server's own limit is 2000 */
#define MS_NS		1000000ULL

bool client_offers(const struct client_server *server, const struct candidate *candidate)
{
	if (!server->restricted)
		return true;
	if (ntohs(candidate->at.port_be) < PORT_MIN)
		return false;
	switch (scope_of(&candidate->at.addr)) {
	case SCOPE_PRIVATE:
		return true;
	case SCOPE_PUBLIC:
		return IN6_ARE_ADDR_EQUAL(&candidate->at.addr, &server->mapped.addr);
	default:
		return false;
	}
}

unsigned int client_offered(const struct peer_client *client, const struct client_server *server)
{
	unsigned int i, offered = 0;

	for (i = 0; i < client->candidates; i++)
		offered += client_offers(server, &client->candidate[i]);
	return offered;
}

/* --- out */

static void put_refresh(struct stun_builder *builder, const struct client_server *server)
{
	struct sluice_rendezvous_token token = { .id = server->id };

	token.mac_le = htole64(sluice_rendezvous_token_mac(&server->refresh_key, &server->id,
							   server->mapped.addr.s6_addr32,
							   server->mapped.port_be));
	stun_put(builder, SLUICE_RENDEZVOUS_REFRESH_TOKEN, &token, sizeof(token));
}

static void put_candidates(struct stun_builder *builder, const struct peer_client *client,
			   const struct client_server *server)
{
	unsigned int i;

	for (i = 0; i < client->candidates; i++)
		if (client_offers(server, &client->candidate[i]))
			candidate_put(builder, &client->candidate[i], NULL);
}

static void put_connect(struct stun_builder *builder, const struct client_connect *connect)
{
	stun_put(builder, SLUICE_RENDEZVOUS_PEER_NAME, connect->name, strlen(connect->name));
	stun_put(builder, SLUICE_RENDEZVOUS_EPHEMERAL_KEY, connect->ephemeral, KEY_SIZE);
}

static void put_report(struct stun_builder *builder, const struct client_report *report)
{
	stun_put(builder, SLUICE_RENDEZVOUS_SESSION_ID, report->session_id,
		 sizeof(report->session_id));
	stun_put_u32(builder, SLUICE_RENDEZVOUS_OUTCOME, report->outcome);
}

static void put_bind(struct stun_builder *builder, const struct client_relay *relay)
{
	const uint8_t number[4] = { (uint8_t)(relay->channel >> 8), (uint8_t)relay->channel };

	stun_put(builder, SLUICE_RENDEZVOUS_SESSION_ID, relay->session_id,
		 sizeof(relay->session_id));
	stun_put(builder, SLUICE_RENDEZVOUS_CHANNEL_NUMBER, number, sizeof(number));
}

size_t client_put_request(const struct peer_client *client, const struct client_server *server,
			  const struct client_request *request, const void *owner, uint8_t *buffer)
{
	static const uint8_t padding[CHALLENGE_SIZE];
	struct stun_builder builder;

	stun_begin(&builder, buffer, PEER_CLIENT_DATAGRAM_SIZE, request->method,
		   SLUICE_STUN_REQUEST, request->id);
	if (request->method == SLUICE_RENDEZVOUS_REFRESH) {
		put_refresh(&builder, server);
		return stun_end(&builder);
	}
	stun_put(&builder, SLUICE_STUN_USERNAME, client->name, strlen(client->name));
	if (!server->has_nonce) {
		stun_put(&builder, SLUICE_STUN_PADDING, padding, sizeof(padding));
		return stun_end(&builder);
	}
	stun_put(&builder, SLUICE_STUN_NONCE, server->nonce, NONCE_SIZE);
	switch (request->method) {
	case SLUICE_RENDEZVOUS_REGISTER:
		put_candidates(&builder, client, server);
		break;
	case SLUICE_RENDEZVOUS_UNREGISTER:
		stun_put(&builder, SLUICE_RENDEZVOUS_REGISTRATION, &server->id, sizeof(server->id));
		break;
	case SLUICE_RENDEZVOUS_CONNECT:
		put_connect(&builder, owner);
		break;
	case SLUICE_RENDEZVOUS_REPORT:
		put_report(&builder, owner);
		break;
	case SLUICE_RENDEZVOUS_BIND:
		put_bind(&builder, owner);
		break;
	}
	stun_put_sha256(&builder, server->key, KEY_SIZE);
	return stun_end(&builder);
}

size_t client_put_answer(const struct client_server *server, const struct client_answer *answer,
			 uint8_t *buffer)
{
	struct stun_builder builder;

	/* the transaction id of an introduction is the start of the session id */
	stun_begin(&builder, buffer, PEER_CLIENT_DATAGRAM_SIZE, SLUICE_RENDEZVOUS_INTRODUCE,
		   answer->error ? SLUICE_STUN_ERROR : SLUICE_STUN_SUCCESS, answer->session_id);
	if (answer->error)
		stun_put_error(&builder, answer->error);
	else
		stun_put(&builder, SLUICE_RENDEZVOUS_EPHEMERAL_KEY, answer->ephemeral, KEY_SIZE);
	stun_put_sha256(&builder, server->key, KEY_SIZE);
	return stun_end(&builder);
}

/* --- in */

/* Copies an attribute of fixed size. */
static bool read_exact(const struct stun_message *message, uint16_t type, void *out, size_t size)
{
	const uint8_t *value;
	size_t length;

	if (stun_get(message, type, &value, &length) || length != size)
		return false;
	memcpy(out, value, size);
	return true;
}

static void derive_refresh_key(struct client_server *server)
{
	uint64_t derived_le[2];
	struct hmac_sha256_ctx hmac;

	hmac_sha256_set_key(&hmac, KEY_SIZE, server->key);
	hmac_sha256_update(&hmac, strlen(REFRESH_LABEL), (const uint8_t *)REFRESH_LABEL);
	hmac_sha256_update(&hmac, sizeof(server->id), (const uint8_t *)&server->id);
	hmac_sha256_digest(&hmac, sizeof(derived_le), (uint8_t *)derived_le);
	server->refresh_key.word[0] = le64toh(derived_le[0]);
	server->refresh_key.word[1] = le64toh(derived_le[1]);
	explicit_bzero(&hmac, sizeof(hmac));
}

bool client_read_registered(const struct stun_message *message, struct client_server *server)
{
	struct sluice_rendezvous_id id;
	struct stun_endpoint mapped;
	uint32_t behind_nat = 1;

	if (stun_get_xor_address(message, SLUICE_STUN_XOR_MAPPED_ADDRESS, &mapped) ||
	    !read_exact(message, SLUICE_RENDEZVOUS_REGISTRATION, &id, sizeof(id)))
		return false;
	stun_get_u32(message, SLUICE_RENDEZVOUS_BEHIND_NAT, &behind_nat);
	server->id = id;
	server->mapped = mapped;
	server->behind_nat = behind_nat;
	derive_refresh_key(server);
	return true;
}

bool client_check_refreshed(const struct stun_message *message, const struct client_server *server,
			    const struct client_request *request)
{
	__be32 transaction_be[3];
	uint64_t proof_le;

	memcpy(transaction_be, request->id, sizeof(transaction_be));
	/* no constant-time comparison: 64 bits, and the key is valid for one registration only */
	return read_exact(message, SLUICE_RENDEZVOUS_REFRESH_PROOF, &proof_le, sizeof(proof_le)) &&
	       le64toh(proof_le) == sluice_rendezvous_proof_mac(&server->refresh_key, &server->id,
								transaction_be);
}

/* Reads the candidates, and skips kinds and transports that this implementation does not know. */
static void read_candidates(const struct stun_message *message, struct introduction *introduction)
{
	struct stun_attr attr;
	const char *proof;
	size_t at = 0;

	while (introduction->candidates < INTRODUCTION_CANDIDATES_MAX &&
	       stun_next(message, &at, &attr))
		if (attr.type == SLUICE_RENDEZVOUS_CANDIDATE &&
		    !candidate_parse(message, &attr,
				     &introduction->candidate[introduction->candidates], &proof))
			introduction->candidates++;
}

bool client_read_introduction(const struct peer_client *client, const struct stun_message *message,
			      struct introduction *introduction, uint64_t now_ns)
{
	const uint8_t *name;
	size_t length;
	uint32_t delay_ms;

	if (!read_exact(message, SLUICE_RENDEZVOUS_SESSION_ID, introduction->id,
			sizeof(introduction->id)) ||
	    !read_exact(message, SLUICE_RENDEZVOUS_PEER_KEY, introduction->peer_key, KEY_SIZE) ||
	    !read_exact(message, SLUICE_RENDEZVOUS_EPHEMERAL_KEY, introduction->peer_ephemeral,
			KEY_SIZE) ||
	    stun_get_u32(message, SLUICE_RENDEZVOUS_START_DELAY, &delay_ms) ||
	    stun_get(message, SLUICE_RENDEZVOUS_PEER_NAME, &name, &length) ||
	    !peers_name_is_valid((const char *)name, length))
		return false;
	memcpy(introduction->name, name, length);
	introduction->name[length] = '\0';
	introduction->start_ns = now_ns +
				 (delay_ms < START_DELAY_MAX ? delay_ms : START_DELAY_MAX) * MS_NS;
	/* peer_secret_derive() would reject these keys */
	if (key_is_weak(introduction->peer_key) || key_is_weak(introduction->peer_ephemeral) ||
	    !memcmp(introduction->peer_key, client->key, KEY_SIZE))
		return false;
	introduction->candidates = 0;
	read_candidates(message, introduction);
	return introduction->candidates > 0;
}
