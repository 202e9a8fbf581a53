// SPDX-License-Identifier: GPL-2.0-or-later
/* The TCP connections to other peers: what arrives there is for a link. */
#include "base/log.h"
#include "meet/quic/node.h"

#include <string.h>

static void on_connected(void *arg, const struct stun_endpoint *at)
{
	struct node *node = arg;
	struct link *link;

	for (link = node->links; link; link = link->next)
		peer_session_connected(link->session, at, runtime_now_ns());
}

static void on_ended(void *arg, const struct stun_endpoint *at)
{
	struct node *node = arg;
	struct link *link;

	for (link = node->links; link; link = link->next)
		peer_session_lose(link->session, at, runtime_now_ns());
}

void node_tcp_open(struct node *node)
{
	struct runtime *runtime = &node->runtime;
	const struct tcp_paths_options options = { .loop = runtime->loop,
						   .received = node_receive,
						   .connected = on_connected,
						   .ended = on_ended,
						   .flush = node_update,
						   .arg = node };
	struct log_line line;
	int result;

	if (runtime->tcp || runtime->udp_only || runtime->relay == PEER_SESSION_RELAY_ONLY)
		return;
	result = tcp_paths_open(&runtime->tcp, &options, runtime->socket.ip6);
	if (!result) {
		node_network_offer(node);
		return;
	}
	log_begin(&line, LOG_LEVEL_WARNING, "no port for direct TCP connections");
	log_field(&line, "reason", "%s", strerror(-result));
	log_end(&line);
}

void node_tcp_close(struct node *node)
{
	tcp_paths_close(node->runtime.tcp);
	node->runtime.tcp = NULL;
}
