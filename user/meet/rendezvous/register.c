// SPDX-License-Identifier: GPL-2.0-or-later
/* register, refresh and unregister */
#include "meet/nonce.h"
#include "meet/rendezvous/auth.h"
#include "meet/rendezvous/request.h"
#include "meet/scope.h"

#include <endian.h>
#include <errno.h>
#include <nettle/hmac.h>
#include <string.h>
#include <sys/random.h>

#define SECOND_NS 1000000000ULL
#define MS_NS	  1000000ULL
#define KEY_LABEL "sluice refresh 1"

static const uint16_t known[] = { AUTH_ATTRIBUTES, SLUICE_RENDEZVOUS_CANDIDATE };
static const uint16_t known_unregister[] = { AUTH_ATTRIBUTES, SLUICE_RENDEZVOUS_REGISTRATION };
#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

static struct sluice_rendezvous_id id_of(const struct registration *registration)
{
	return (struct sluice_rendezvous_id){ htobe32(registration->slot),
					      htobe32(registration->epoch) };
}

/* --- candidates */

/*
 * Returns true if this candidate may be passed to other peers. A public address must be the
 * source of the request, or one at which the peer has received a nonce. So no peer can make others
 * send to a victim. The port of another mapping on the same public address cannot be proved here.
 */
static bool is_allowed(const struct request *request, const struct candidate *candidate,
		       const char *proof)
{
	const struct server *server = request->server;

	if (ntohs(candidate->at.port_be) < server->config.port_min)
		return false;
	switch (scope_of(&candidate->at.addr)) {
	case SCOPE_PRIVATE:
		return true;
	case SCOPE_PUBLIC:
		return IN6_ARE_ADDR_EQUAL(&candidate->at.addr, &request->path->client.addr) ||
		       (proof && nonce_check(proof, server->nonce_key, &candidate->at,
					     candidate->transport, request->now_ns / MS_NS) >= 0);
	default:
		return false;
	}
}

/* Only the server supplies the server-reflexive candidate of the transport of the registration. */
static bool is_redundant(const struct request *request, const struct candidate *candidate)
{
	return candidate->kind == CANDIDATE_REFLEXIVE &&
	       candidate->transport == path_transport(request->path);
}

/* Reads the candidates. Returns the number of candidates, or -1 after an error response. */
static int read_candidates(const struct request *request,
			   struct candidate candidates[CANDIDATES_MAX])
{
	struct stun_attr attr;
	const char *proof;
	size_t at = 0;
	int read = 0;

	while (stun_next(request->message, &at, &attr)) {
		if (attr.type != SLUICE_RENDEZVOUS_CANDIDATE)
			continue;
		if (read == CANDIDATES_MAX ||
		    candidate_parse(request->message, &attr, &candidates[read], &proof) ||
		    is_redundant(request, &candidates[read])) {
			reply_error(request, 400, COUNT_bad_request);
			return -1;
		}
		if (!is_allowed(request, &candidates[read], proof)) {
			reply_error(request, 403, COUNT_refused_candidate);
			return -1;
		}
		read++;
	}
	return read;
}

/* A peer without a NAT has the address that the server sees. */
static bool is_behind_nat(const struct path *path, const struct candidate *candidates, int read)
{
	enum candidate_transport transport = path_transport(path);
	int i;

	for (i = 0; i < read; i++)
		if (candidates[i].kind == CANDIDATE_HOST && candidates[i].transport == transport &&
		    stun_endpoint_is_same(&candidates[i].at, &path->client))
			return false;
	return true;
}

/* --- register */

static void derive_refresh_key(struct registration *registration, const uint8_t key[KEY_SIZE])
{
	const struct sluice_rendezvous_id id = id_of(registration);
	uint64_t derived_le[2];
	struct hmac_sha256_ctx hmac;

	hmac_sha256_set_key(&hmac, KEY_SIZE, key);
	hmac_sha256_update(&hmac, strlen(KEY_LABEL), (const uint8_t *)KEY_LABEL);
	hmac_sha256_update(&hmac, sizeof(id), (const uint8_t *)&id);
	hmac_sha256_digest(&hmac, sizeof(derived_le), (uint8_t *)derived_le);
	registration->refresh_key.word[0] = le64toh(derived_le[0]);
	registration->refresh_key.word[1] = le64toh(derived_le[1]);
	explicit_bzero(&hmac, sizeof(hmac));
}

static void reply_registered(const struct request *request, const struct registration *registration)
{
	const struct sluice_rendezvous_id id = id_of(registration);
	struct reply reply;

	reply_begin(&reply, request, SLUICE_STUN_SUCCESS);
	stun_put_xor_address(&reply.builder, SLUICE_STUN_XOR_MAPPED_ADDRESS,
			     &request->path->client);
	stun_put(&reply.builder, SLUICE_RENDEZVOUS_REGISTRATION, &id, sizeof(id));
	stun_put_u32(&reply.builder, SLUICE_RENDEZVOUS_LIFETIME, REGISTRATION_LIFE_S);
	stun_put_u32(&reply.builder, SLUICE_RENDEZVOUS_BEHIND_NAT, registration->behind_nat);
	reply_send(&reply, request, request->path);
}

void register_request(const struct request *request)
{
	struct server *server = request->server;
	struct registration *before = store_by_peer(server->store, request->peer), *fresh;
	struct candidate candidates[CANDIDATES_MAX];
	struct stream *stream = request->path->stream;
	struct registration content;
	int read;

	if (reply_unknown(request, known, COUNT_OF(known)))
		return;
	/* its response was lost */
	if (before && path_is_same(&before->path, request->path) &&
	    !memcmp(before->transaction, stun_id(request->message), SLUICE_STUN_ID_SIZE)) {
		reply_registered(request, before);
		return;
	}
	if (stream && stream->registration && stream->registration != before) {
		reply_error(request, 437, COUNT_refused_stale);
		return;
	}
	read = read_candidates(request, candidates);
	if (read < 0)
		return;
	content =
		(struct registration){ .peer = request->peer,
				       .path = *request->path,
				       .since_ns = request->now_ns,
				       .seen_ns = request->now_ns,
				       .rtt_ms = request->nonce_age_ms,
				       .behind_nat = is_behind_nat(request->path, candidates, read),
				       .candidates = (uint8_t)read };
	memcpy(content.transaction, stun_id(request->message), SLUICE_STUN_ID_SIZE);
	/* an upper bound: the client may use a nonce long after it arrives */
	if (before && before->rtt_ms < content.rtt_ms)
		content.rtt_ms = before->rtt_ms;
	if (getrandom(&content.epoch, sizeof(content.epoch), 0) != sizeof(content.epoch)) {
		reply_error(request, 500, COUNT_refused_limit);
		return;
	}
	if (!content.epoch) /* 0 means: no registration */
		content.epoch = 1;
	fresh = store_put(server->store, &content, candidates,
			  request->now_ns + REGISTRATION_LIFE_S * SECOND_NS);
	if (!fresh) {
		reply_error(request, errno == ENOMEM ? 500 : 486, COUNT_refused_limit);
		return;
	}
	derive_refresh_key(fresh, request->key);
	if (stream)
		stream->registration = fresh;
	else if (server->config.fast_path.put)
		server->config.fast_path.put(server->config.fast_path.arg, fresh);
	count(server, COUNT_registered);
	reply_registered(request, fresh);
}

/* --- refresh, unregister */

void refresh_request(const struct request *request)
{
	struct server *server = request->server;
	struct request known_request = *request;
	const struct path *path = request->path;
	struct registration *registration = NULL;
	struct sluice_rendezvous_token token;
	__be32 transaction_be[3];
	const uint8_t *value;
	struct reply reply;
	size_t length;
	uint64_t proof;

	if (stun_get(request->message, SLUICE_RENDEZVOUS_REFRESH_TOKEN, &value, &length) ||
	    length != sizeof(token)) {
		reply_error(request, 400, COUNT_bad_request);
		return;
	}
	memcpy(&token, value, sizeof(token));
	registration = store_by_id(server->store, be32toh(token.id.slot_be),
				   be32toh(token.id.epoch_be));
	/* the MAC covers the source */
	if (!registration || !path_is_same(&registration->path, path) ||
	    registration_is_old(registration, request->now_ns) ||
	    sluice_rendezvous_token_mac(&registration->refresh_key, &token.id,
					path->client.addr.s6_addr32,
					path->client.port_be) != le64toh(token.mac_le)) {
		reply_error(request, 437, COUNT_refused_stale);
		return;
	}
	store_refresh(server->store, registration, request->now_ns,
		      request->now_ns + REGISTRATION_LIFE_S * SECOND_NS);
	memcpy(transaction_be, stun_id(request->message), sizeof(transaction_be));
	proof = htole64(
		sluice_rendezvous_proof_mac(&registration->refresh_key, &token.id, transaction_be));
	known_request.peer = registration->peer;
	reply_begin(&reply, request, SLUICE_STUN_SUCCESS);
	stun_put(&reply.builder, SLUICE_RENDEZVOUS_REFRESH_PROOF, &proof, sizeof(proof));
	reply_send(&reply, &known_request, path);
	count(server, COUNT_refreshed);
}

void unregister_request(const struct request *request)
{
	struct server *server = request->server;
	struct registration *registration = store_by_peer(server->store, request->peer);
	struct sluice_rendezvous_id id, own;
	const uint8_t *value;
	struct reply reply;
	size_t length;

	if (reply_unknown(request, known_unregister, COUNT_OF(known_unregister)))
		return;
	if (stun_get(request->message, SLUICE_RENDEZVOUS_REGISTRATION, &value, &length) ||
	    length != sizeof(id)) {
		reply_error(request, 400, COUNT_bad_request);
		return;
	}
	memcpy(&id, value, sizeof(id));
	if (registration) {
		own = id_of(registration);
		/* an earlier process of the peer must not remove the registration of a later one */
		if (memcmp(&own, &id, sizeof(id))) {
			reply_error(request, 437, COUNT_refused_stale);
			return;
		}
		store_remove(server->store, registration);
		relays_of_peer_end(&server->relays, request->peer);
		count(server, COUNT_unregistered);
	}
	reply_begin(&reply, request, SLUICE_STUN_SUCCESS);
	reply_send(&reply, request, request->path);
}
