/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_MEET_FORWARD_CARRIER_OPTIONS_H
#define SLUICE_MEET_FORWARD_CARRIER_OPTIONS_H

#include "base/loop.h"
#include "meet/peer/member.h"
#include "meet/peer/service.h"

struct carrier_options {
	struct loop *loop;
	const char *peer; /* for messages */
	/* Exposed services of this peer; count 0: none. */
	const struct service *services;
	unsigned int count;
	bool is_member; /* of a pool: carries TCP services only */
	/* Called when a loop event has queued data: call quic_flush(). */
	loop_fn flush;
	void *arg;
	/*
	 * Called when the other peer has answered a request: SERVICE_OK, another code, or
	 * SERVICE_CODES if the stream ended without an answer. May be NULL.
	 */
	void (*answered)(void *hooks_arg, unsigned int code);
	/* Called when a connection has ended. May be NULL. */
	loop_fn ended;
	/*
	 * Called when the other peer requests a member of its pool. Returns SERVICE_OK with the own
	 * ephemeral key, or another code. May be NULL.
	 */
	enum service_code (*member_requested)(void *hooks_arg, const struct member_request *request,
					      uint8_t key[KEY_SIZE]);
	/*
	 * Called when a request by carrier_member() is answered: SERVICE_OK and the ephemeral key
	 * of the other peer, or as answered(). May be NULL.
	 */
	void (*member_answered)(void *hooks_arg,
				const uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE],
				unsigned int code, const uint8_t *key);
	void *hooks_arg;
	struct drops *drops; /* counts dropped datagrams */
};

#endif
