// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Uses TCP to a server if UDP gets no answer, or with --transport tcp. The server may only have
 * been down, so UDP is probed periodically with a Binding request; a response ends the use of TCP.
 */
#include "base/addr.h"
#include "base/log.h"
#include "meet/node/node.h"
#include "meet/tcp/server_stream.h"
#include "net/stun_build.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

#define RETRY_FIRST_US 1000000
#define RETRY_MAX_US   30000000
#define PROBE_US       15000000

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
		if (!runtime->tcp_only)
			loop_timer_start(server->probe, PROBE_US);
		log_state(server, "connected to the server by TCP");
	} else {
		retry_later(server);
		if (!peer_client_registered(runtime->client, server->index))
			return;
	}
	/* the source address that the server sees has changed */
	peer_client_refresh(runtime->client, runtime_now_ns());
}

static void on_flush(void *arg)
{
	node_update(((struct node_server *)arg)->node);
}

static bool wants_tcp(const struct node_server *server)
{
	return server->udp_failed || server->node->runtime.tcp_only;
}

static void connect_now(void *arg)
{
	struct node_server *server = arg;
	struct runtime *runtime = &server->node->runtime;
	struct tcp_stream *stream = runtime->stream[server->index];

	if (!wants_tcp(server))
		return;
	/* this connection shares the NAT mapping of the port */
	node_tcp_open(server->node);
	node_tcp_forget(server->node);
	if (!stream) {
		stream = malloc(sizeof(*stream));
		if (!stream) {
			retry_later(server);
			return;
		}
		*stream = (struct tcp_stream){ .loop = runtime->loop,
					       .frame = server_stream_frame,
					       .received = on_received,
					       .changed = on_changed,
					       .flush = on_flush,
					       .arg = server,
					       .fd = -1 };
		runtime->stream[server->index] = stream;
	}
	if (stream->fd < 0 &&
	    tcp_stream_connect(stream, tcp_paths_port(runtime->tcp),
			       peer_client_server_at(runtime->client, server->index)))
		retry_later(server);
}

static void disconnect(struct node_server *server)
{
	struct tcp_stream *stream = server->node->runtime.stream[server->index];

	loop_timer_stop(server->retry);
	loop_timer_stop(server->probe);
	server->retry_us = RETRY_FIRST_US;
	if (stream)
		tcp_stream_close(stream, true);
}

static bool is_connected(const struct node_server *server)
{
	const struct tcp_stream *stream = server->node->runtime.stream[server->index];

	return stream && stream->connected;
}

void node_server_silent(struct node *node, unsigned int index)
{
	struct node_server *server = &node->server[index];
	const struct tcp_stream *stream = node->runtime.stream[index];

	node_lookup_start(node, index);
	if (node->identity->transport == PEER_TRANSPORT_UDP)
		return;
	server->udp_failed = true;
	/* the connection is dead, like UDP */
	if (is_connected(server))
		disconnect(server);
	if ((!stream || stream->fd < 0) && !loop_timer_runs(server->retry))
		connect_now(server);
}

static void use_udp(struct node_server *server)
{
	server->udp_failed = false;
	disconnect(server);
}

void node_server_warn(struct node *node, unsigned int index, const char *reason)
{
	struct log_line line;

	if (!log_condition_set(&node->server[index].unregistered, reason))
		return;
	log_begin(&line, LOG_LEVEL_WARNING, "not registered");
	log_field(&line, "server", "%s", node->identity->server[index].host);
	log_field(&line, "reason", "%s", reason);
	log_end(&line);
}

void node_server_registered(struct node *node, unsigned int index)
{
	struct node_server *server = &node->server[index];

	log_condition_set(&server->unregistered, NULL);
	node_lookup_stop(node, index);
	if (is_connected(server) || node->runtime.tcp_only)
		return;
	use_udp(server);
	node_keepalive_registered(node, index);
}

/* --- probes of UDP */

static void probe_udp(void *arg)
{
	struct node_server *server = arg;
	struct runtime *runtime = &server->node->runtime;
	static const uint8_t
		padding[32]; /* padding, so that the response is not longer than the request */
	struct stun_builder builder;
	uint8_t request[128];
	size_t size;

	loop_timer_start(server->probe, PROBE_US);
	if (getrandom(server->probe_id, sizeof(server->probe_id), 0) != sizeof(server->probe_id))
		return;
	stun_begin(&builder, request, sizeof(request), SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST,
		   server->probe_id);
	stun_put(&builder, SLUICE_STUN_PADDING, padding, sizeof(padding));
	size = stun_end(&builder);
	peer_socket_send(&runtime->socket, peer_client_server_at(runtime->client, server->index),
			 request, size, size);
}

bool node_server_answers(struct node *node, const struct stun_endpoint *from, const uint8_t *data,
			 size_t length)
{
	int index = peer_client_server_of(node->runtime.client, from);
	struct node_server *server = index < 0 ? NULL : &node->server[index];
	struct stun_message message;
	struct link *link;

	if (!server || !loop_timer_runs(server->probe) || stun_parse(data, length, &message) ||
	    message.method != SLUICE_STUN_BINDING || !stun_is_response(&message, server->probe_id))
		return false;
	use_udp(server);
	log_state(server, "the server answers by UDP");
	peer_client_refresh(node->runtime.client, runtime_now_ns());
	/* direct paths may be possible now */
	for (link = node->links; link; link = link->next)
		peer_session_network_changed(link->session, runtime_now_ns());
	return true;
}

/* --- life */

void node_server_found(struct node *node, unsigned int index, const struct stun_endpoint *at)
{
	struct node_server *server = &node->server[index];

	if (stun_endpoint_is_same(peer_client_server_at(node->runtime.client, index), at))
		return;
	use_udp(server);
	/* another route is no move of this host */
	node->network.source[index] = node_source_toward(at);
	peer_client_set_server(node->runtime.client, index, at, runtime_now_ns());
	node_keepalive_server_moved(node, index);
	log_state(server, "the server has another address");
	connect_now(server);
}

void node_servers_moved(struct node *node, unsigned int servers)
{
	unsigned int i;

	for (i = 0; i < node->identity->servers; i++) {
		if (!(servers & 1U << i))
			continue;
		use_udp(&node->server[i]);
		connect_now(&node->server[i]);
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
		server->probe = loop_timer(node->runtime.loop, false, probe_udp, server);
		if (!server->retry || !server->probe)
			return -ENOMEM;
		connect_now(server);
	}
	return 0;
}

void node_servers_close(struct node *node)
{
	unsigned int i;

	for (i = 0; i < PEER_CLIENT_SERVERS_MAX; i++) {
		if (node->runtime.stream[i])
			tcp_stream_close(node->runtime.stream[i], false);
		free(node->runtime.stream[i]);
		node->runtime.stream[i] = NULL;
	}
}
