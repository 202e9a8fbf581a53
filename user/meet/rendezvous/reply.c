// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/request.h"

#include <stdlib.h>

void reply_begin(struct reply *reply, const struct request *request, enum sluice_stun_class class)
{
	stun_begin_response(&reply->builder, reply->message, sizeof(reply->message),
			    request->message, class);
}

/*
 * Returns true if the answer may be sent to an unproven source. Except for Binding, which has
 * foreign clients, no answer is longer than its request. Otherwise a forged source would receive
 * more bytes than the attacker sent.
 */
static bool stranger_may_get(const struct request *request, size_t length)
{
	struct server *server = request->server;

	/* the TCP handshake has proved the address */
	if (request->path->stream)
		return true;
	if (request->message->method != SLUICE_STUN_BINDING && length > request->message->length) {
		count(server, COUNT_unanswered_short);
		return false;
	}
	if (!budget_take(server->budget, &request->path->client.addr, request->now_ns)) {
		count(server, COUNT_unanswered_budget);
		return false;
	}
	server->counter[COUNT_stranger_in_bytes] += request->message->length;
	server->counter[COUNT_stranger_out_bytes] += length;
	return true;
}

bool reply_send(struct reply *reply, const struct request *request, const struct path *path)
{
	struct server *server = request->server;
	size_t length;

	if (request->key)
		stun_put_sha256(&reply->builder, request->key, KEY_SIZE);
	if (request->message->fingerprint)
		stun_put_fingerprint(&reply->builder);
	length = stun_end(&reply->builder);
	if (!length || (!request->peer && !stranger_may_get(request, length)))
		return false;
	server->send(path, reply->message, length, server->arg);
	return true;
}

void reply_error(const struct request *request, unsigned int code, enum rendezvous_counter counter)
{
	struct reply reply;

	reply_begin(&reply, request, SLUICE_STUN_ERROR);
	stun_put_error(&reply.builder, code);
	if (reply_send(&reply, request, request->path))
		count(request->server, counter);
}

bool reply_unknown(const struct request *request, const uint16_t *known, size_t known_count)
{
	uint16_t unknown[STUN_UNKNOWN_MAX];
	unsigned int found = stun_unknown(request->message, known, known_count, unknown);
	struct reply reply;

	if (!found)
		return false;
	reply_begin(&reply, request, SLUICE_STUN_ERROR);
	stun_put_error(&reply.builder, 420);
	stun_put_unknown(&reply.builder, unknown, found);
	if (reply_send(&reply, request, request->path))
		count(request->server, COUNT_bad_request);
	return true;
}

void reply_to_peer(struct reply *reply, struct server *server,
		   const struct registration *registration)
{
	size_t length;

	stun_put_sha256(&reply->builder, registration->peer->key, KEY_SIZE);
	length = stun_end(&reply->builder);
	if (length)
		server->send(&registration->path, reply->message, length, server->arg);
}
