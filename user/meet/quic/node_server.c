// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * TCP to the servers, where UDP gets no answer, or --transport tcp demands it. A peer that
 * registers over TCP is reached through the relay; the other peer may use UDP. A change of the
 * network has UDP tried first again.
 */
#include "base/addr.h"
#include "base/log.h"
#include "meet/quic/node.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RETRY_FIRST_US 1000000
#define RETRY_MAX_US   30000000

static void log_state(const struct node_server *server, const char *state)
{
	const struct stun_endpoint *at = peer_client_server_at(server->node->runtime.client,
							       server->index);
	char text[ADDR_TEXT_MAX];
	struct log_line line;

	log_begin(&line, LOG_LEVEL_INFO, state);
	log_field(&line, "server", "%s", addr_format_port(&at->addr, at->port_be, text));
	log_end(&line);
}

static void retry_later(struct node_server *server)
{
	loop_timer_start(server->retry, server->retry_us);
	server->retry_us *= 2;
	if (server->retry_us > RETRY_MAX_US)
		server->retry_us = RETRY_MAX_US;
}

static void on_received(void *arg, const uint8_t *message, size_t length)
{
	const struct node_server *server = arg;

	node_receive(server->node,
		     peer_client_server_at(server->node->runtime.client, server->index), message,
		     length);
}

static void on_changed(void *arg)
{
	struct node_server *server = arg;
	struct runtime *runtime = &server->node->runtime;

	if (runtime->stream[server->index]->connected) {
		server->retry_us = RETRY_FIRST_US;
		log_state(server, "connected to the server by TCP");
	} else {
		retry_later(server);
		if (!peer_client_registered(runtime->client, server->index))
			return;
	}
	/* the server sees another address */
	peer_client_refresh(runtime->client, runtime_now_ns());
}

static void on_flush(void *arg)
{
	node_update(((struct node_server *)arg)->node);
}

static void connect_now(void *arg)
{
	struct node_server *server = arg;
	struct runtime *runtime = &server->node->runtime;
	struct server_stream *stream = runtime->stream[server->index];

	if (!stream) {
		stream = malloc(sizeof(*stream));
		if (!stream) {
			retry_later(server);
			return;
		}
		*stream = (struct server_stream){ .loop = runtime->loop,
						  .received = on_received,
						  .changed = on_changed,
						  .flush = on_flush,
						  .arg = server,
						  .fd = -1 };
		runtime->stream[server->index] = stream;
	}
	if (stream->fd < 0 &&
	    server_stream_open(stream, peer_client_server_at(runtime->client, server->index)))
		retry_later(server);
}

void node_server_silent(struct node *node, unsigned int server)
{
	const struct server_stream *stream = node->runtime.stream[server];

	if (node->identity->transport == PEER_TRANSPORT_UDP || (stream && stream->fd >= 0) ||
	    loop_timer_runs(node->server[server].retry))
		return;
	connect_now(&node->server[server]);
}

void node_servers_network_changed(struct node *node)
{
	struct node_server *server;
	unsigned int i;

	for (i = 0; i < node->identity->servers; i++) {
		server = &node->server[i];
		loop_timer_stop(server->retry);
		server->retry_us = RETRY_FIRST_US;
		if (node->runtime.stream[i])
			server_stream_close(node->runtime.stream[i]);
		if (node->identity->transport == PEER_TRANSPORT_TCP)
			connect_now(server);
	}
}

int node_servers_open(struct node *node)
{
	struct node_server *server;
	unsigned int i;

	for (i = 0; i < node->identity->servers; i++) {
		server = &node->server[i];
		*server = (struct node_server){ .node = node,
						.index = i,
						.retry_us = RETRY_FIRST_US };
		server->retry = loop_timer(node->runtime.loop, false, connect_now, server);
		if (!server->retry)
			return -ENOMEM;
		if (node->identity->transport == PEER_TRANSPORT_TCP)
			connect_now(server);
	}
	return 0;
}

void node_servers_close(struct node *node)
{
	unsigned int i;

	for (i = 0; i < PEER_CLIENT_SERVERS_MAX; i++) {
		if (node->runtime.stream[i])
			server_stream_close(node->runtime.stream[i]);
		free(node->runtime.stream[i]);
		node->runtime.stream[i] = NULL;
	}
}
