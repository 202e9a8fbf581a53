// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Authenticates requests: a nonce proves the address of the sender, MESSAGE-INTEGRITY-SHA256 its
 * key. An unknown name and a wrong key get the same answer.
 */
#include "meet/rendezvous/auth.h"

#include "meet/nonce.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MS_NS 1000000ULL

void request_challenge(const struct request *request, unsigned int code)
{
	struct reply reply;
	char nonce[NONCE_SIZE];

	nonce_make(nonce, request->server->nonce_key, &request->path->client,
		   path_transport(request->path), request->now_ns / MS_NS);
	reply_begin(&reply, request, SLUICE_STUN_ERROR);
	stun_put_error(&reply.builder, code);
	stun_put(&reply.builder, SLUICE_STUN_NONCE, nonce, NONCE_SIZE);
	if (reply_send(&reply, request, request->path))
		count(request->server, COUNT_challenged);
}

bool request_authenticate(struct request *request)
{
	struct server *server = request->server;
	const uint8_t *nonce, *name, *key;
	struct peer *peer;
	size_t length;
	int age;

	if (stun_get(request->message, SLUICE_STUN_NONCE, &nonce, &length)) {
		request_challenge(request, 401);
		return false;
	}
	age = length == NONCE_SIZE
		      ? nonce_check((const char *)nonce, server->nonce_key, &request->path->client,
				    path_transport(request->path), request->now_ns / MS_NS)
		      : -EKEYREJECTED;
	if (age < 0) {
		request_challenge(request, 438);
		return false;
	}
	if (stun_get(request->message, SLUICE_STUN_USERNAME, &name, &length)) {
		reply_error(request, 400, COUNT_bad_request);
		return false;
	}
	peer = length <= PEER_NAME_MAX ? peers_find(&server->peers, (const char *)name, length)
				       : NULL;
	key = peer ? peers_key(peer, server->config.secret) : NULL;
	if (!key || stun_check_sha256(request->message, key, KEY_SIZE)) {
		reply_error(request, 401, COUNT_refused);
		return false;
	}
	request->peer = peer;
	request->key = key;
	request->nonce_age_ms = (uint32_t)age;
	return true;
}

struct registration *request_registration(const struct request *request)
{
	struct registration *registration = store_by_peer(request->server->store, request->peer);

	if (registration && path_is_same(&registration->path, request->path))
		return registration;
	reply_error(request, 437, COUNT_refused_stale);
	return NULL;
}
