// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Checks between peers: Binding requests with SESSION-ID, CHECK-NUMBER and
 * MESSAGE-INTEGRITY-SHA256, and their responses. sluice-protocol(7) describes them.
 */
#include "meet/peer/session_state.h"
#include "net/stun_build.h"

#include <string.h>

/* sizes of an attribute header and of MESSAGE-INTEGRITY-SHA256 */
#define ATTR_HEADER    4
#define INTEGRITY_SIZE (ATTR_HEADER + 32)
#define WINDOW	       64

/* Adds PADDING so that the message has @size bytes, including MESSAGE-INTEGRITY-SHA256. */
static void put_padding(struct stun_builder *builder, size_t size)
{
	static const uint8_t zeros[PEER_SESSION_DATAGRAM_MAX];

	if (builder->length + ATTR_HEADER + INTEGRITY_SIZE <= size)
		stun_put(builder, SLUICE_STUN_PADDING, zeros,
			 size - builder->length - ATTR_HEADER - INTEGRITY_SIZE);
}

/*
 * Returns true if the next check has full size. An address that has sent a check, or answered a
 * short check, gets full-size checks; every second check stays short, to distinguish a path that
 * drops long datagrams from a silent address.
 */
static bool wants_full(const struct peer_session_remote *remote,
		       const struct session_checks *checks)
{
	return !remote->full && (remote->answered || remote->heard) && !checks->last_full &&
	       checks->full < SESSION_TRIES_FULL;
}

static bool is_marked(const struct session_marks *marks, const uint8_t id[SLUICE_STUN_ID_SIZE])
{
	return marks->bits[id[0] % 64] >> id[1] % 64 & 1;
}

static void mark(struct session_marks *marks, const uint8_t id[SLUICE_STUN_ID_SIZE])
{
	marks->bits[id[0] % 64] |= 1ULL << id[1] % 64;
	marks->added++;
}

/* Marks the recorded checks only. */
static void mark_again(struct peer_session *session)
{
	unsigned int i, k;

	session->marks = (struct session_marks){ .added = 0 };
	for (i = 0; i < session->remotes; i++)
		for (k = 0; k < SESSION_SENT; k++)
			if (session->checks[i].sent[k].used)
				mark(&session->marks, session->checks[i].sent[k].id);
	session->marks.added = 0;
}

/* @size: 0: without padding; @probe: it is an MTU probe. */
static size_t put_request(struct peer_session *session, unsigned int remote, uint16_t size,
			  bool probe, uint8_t *buffer, uint64_t now_ns)
{
	struct session_checks *checks = &session->checks[remote];
	struct session_keys *keys = &session->keys[checks->keys];
	unsigned int sent = checks->next_sent++ % SESSION_SENT;
	struct stun_builder builder;

	session->stats.checks_sent++;
	session->remote[remote].checks++;
	checks->sent[sent].used = true;
	checks->sent[sent].at_ns = now_ns;
	checks->sent[sent].full = checks->full;
	checks->sent[sent].probe = probe ? size : 0;
	session->options.random(checks->sent[sent].id, SLUICE_STUN_ID_SIZE, session->options.arg);
	if (session->marks.added == SESSION_MARKS_MAX)
		mark_again(session);
	else
		mark(&session->marks, checks->sent[sent].id);
	stun_begin(&builder, buffer, PEER_SESSION_DATAGRAM_MAX, SLUICE_STUN_BINDING,
		   SLUICE_STUN_REQUEST, checks->sent[sent].id);
	stun_put(&builder, SLUICE_RENDEZVOUS_SESSION_ID, keys->introduction.id,
		 sizeof(keys->introduction.id));
	stun_put_u32(&builder, SLUICE_RENDEZVOUS_CHECK_NUMBER, ++keys->number);
	session_put_predicted(session, remote, &builder);
	put_padding(&builder, size);
	stun_put_sha256(&builder, keys->secret.own_checks, PEER_SECRET_SIZE);
	return stun_end(&builder);
}

size_t session_put_check(struct peer_session *session, unsigned int remote, uint8_t *buffer,
			 uint64_t now_ns)
{
	struct session_checks *checks = &session->checks[remote];

	checks->last_full = wants_full(&session->remote[remote], checks);
	checks->full += checks->last_full;
	return put_request(session, remote, checks->last_full ? PEER_SESSION_FULL_SIZE : 0, false,
			   buffer, now_ns);
}

size_t session_put_probe(struct peer_session *session, unsigned int remote, uint16_t size,
			 uint8_t *buffer, uint64_t now_ns)
{
	return put_request(session, remote, size, true, buffer, now_ns);
}

size_t session_put_response(struct peer_session *session, uint8_t *buffer, struct stun_endpoint *to)
{
	const struct session_response *response = &session->response[session->first_response];
	struct stun_builder builder;

	session->first_response = (session->first_response + 1) % SESSION_RESPONSES;
	session->responses--;
	*to = response->to;
	stun_begin(&builder, buffer, PEER_SESSION_FULL_SIZE, SLUICE_STUN_BINDING,
		   SLUICE_STUN_SUCCESS, response->id);
	stun_put_xor_address(&builder, SLUICE_STUN_XOR_MAPPED_ADDRESS, to);
	put_padding(&builder, response->size);
	stun_put_sha256(&builder, session->keys[response->keys].secret.peer_checks,
			PEER_SECRET_SIZE);
	return stun_end(&builder);
}

int session_keys_of(const struct peer_session *session, const struct stun_message *message)
{
	const uint8_t *id;
	size_t length;
	int i;

	if (message->method != SLUICE_STUN_BINDING || message->class != SLUICE_STUN_REQUEST ||
	    stun_get(message, SLUICE_RENDEZVOUS_SESSION_ID, &id, &length) ||
	    length != SLUICE_RENDEZVOUS_SESSION_ID_SIZE)
		return SESSION_NONE;
	for (i = 0; i < SESSION_KEYS; i++)
		if (session->keys[i].used && !memcmp(session->keys[i].introduction.id, id, length))
			return i;
	return SESSION_NONE;
}

int session_remote_of(const struct peer_session *session, const struct stun_message *message,
		      unsigned int *sent)
{
	unsigned int i, k;

	if (message->method != SLUICE_STUN_BINDING || message->class != SLUICE_STUN_SUCCESS ||
	    !is_marked(&session->marks, stun_id(message)))
		return SESSION_NONE;
	for (i = 0; i < session->remotes; i++)
		for (k = 0; k < SESSION_SENT; k++)
			if (session->checks[i].sent[k].used &&
			    stun_is_response(message, session->checks[i].sent[k].id)) {
				*sent = k;
				return (int)i;
			}
	return SESSION_NONE;
}

/* Marks a number in the replay window. Returns false if the number is too old, or a replay. */
static bool take_number(struct session_keys *keys, uint32_t number)
{
	uint32_t behind;

	if (number > keys->highest) {
		keys->window = number - keys->highest < WINDOW
				       ? keys->window << (number - keys->highest) | 1
				       : 1;
		keys->highest = number;
		return true;
	}
	behind = keys->highest - number;
	if (!number || behind >= WINDOW || keys->window >> behind & 1)
		return false;
	keys->window |= 1ULL << behind;
	return true;
}

bool session_accept_check(struct session_keys *keys, const struct stun_message *message)
{
	static const uint16_t known[] = { SLUICE_RENDEZVOUS_SESSION_ID,
					  SLUICE_RENDEZVOUS_CHECK_NUMBER, SLUICE_STUN_PADDING };
	uint16_t unknown[STUN_UNKNOWN_MAX];
	uint32_t number;

	return !stun_check_sha256(message, keys->secret.peer_checks, PEER_SECRET_SIZE) &&
	       !stun_unknown(message, known, sizeof(known) / sizeof(*known), unknown) &&
	       !stun_get_u32(message, SLUICE_RENDEZVOUS_CHECK_NUMBER, &number) &&
	       take_number(keys, number);
}

void session_queue_response(struct peer_session *session, const struct stun_endpoint *to,
			    unsigned int keys, const struct stun_message *message)
{
	struct session_response *response;

	if (session->responses == SESSION_RESPONSES)
		return;
	response = &session->response[(session->first_response + session->responses) %
				      SESSION_RESPONSES];
	session->responses++;
	*response = (struct session_response){ .to = *to, .keys = keys };
	response->size = message->length < PEER_SESSION_FULL_SIZE ? message->length
								  : PEER_SESSION_FULL_SIZE;
	memcpy(response->id, stun_id(message), SLUICE_STUN_ID_SIZE);
}
