/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state that the links of a process share. */
#ifndef SLUICE_MEET_NODE_RUNTIME_H
#define SLUICE_MEET_NODE_RUNTIME_H

#include "base/clock.h"
#include "base/loop.h"
#include "meet/key.h"
#include "meet/mapping/mapping.h"
#include "meet/node/socket.h"
#include "meet/peer/client.h"
#include "meet/peer/service.h"
#include "meet/peer/session_view.h"
#include "meet/quic/quic.h"
#include "meet/tcp/paths.h"
#include "meet/tcp/stream.h"

struct link;

struct runtime {
	struct loop *loop;
	struct peer_socket socket;
	struct quic_endpoint *endpoint;
	struct peer_client *client;
	struct mapping *mapping;  /* NULL: disabled */
	uint8_t secret[KEY_SIZE]; /* own private key */
	enum peer_session_relay relay;
	uint64_t searches_full_ns; /* search budget of all links */
	uint64_t interval_ns;	   /* of keepalives */
	/* TCP to the servers; NULL, or not connected: UDP, unless tcp_only. */
	struct tcp_stream *stream[PEER_CLIENT_SERVERS_MAX];
	struct tcp_paths *tcp; /* to other peers; NULL: not needed yet */
	bool tcp_only, udp_only;
	/* Services that this peer exposes. */
	const struct service *services;
	unsigned int service_count;
	/* Called when a loop event has queued data: update(update_arg) sends it. */
	loop_fn update;
	void *update_arg;
	/* Called when a link becomes ready. */
	void (*ready)(void *arg, struct link *link);
	/* Called when the path of a link has changed or is lost. */
	void (*path_changed)(void *arg, struct link *link);
	/* As in struct carrier_options. */
	void (*answered)(void *arg, unsigned int code);
	loop_fn ended;
	/* Called when a link may open more streams. May be NULL. */
	loop_fn permitted;
	void *arg;
	/* As in struct carrier_options, called with update_arg; @link is the path's. */
	enum service_code (*member_requested)(void *update_arg, struct link *link,
					      const struct member_request *request,
					      uint8_t key[KEY_SIZE]);
	void (*member_answered)(void *update_arg,
				const uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE],
				unsigned int code, const uint8_t *key);
};

/*
 * Sends datagrams of @size bytes each, the last of which may be shorter: to a UDP or TCP address,
 * to a server by its current transport, or through a relay.
 */
void runtime_send(struct runtime *runtime, const struct stun_endpoint *to, const void *data,
		  size_t length, size_t size);

static inline uint64_t runtime_now_ns(void)
{
	return clock_now_us() * 1000;
}

#endif
