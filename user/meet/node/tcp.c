// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Passes messages from the TCP connections of other peers to the links. A peer with working UDP
 * opens the port only when a peer that is registered by TCP is introduced.
 */
#include "base/log.h"
#include "meet/node/node.h"

#include <string.h>

/*
 * Delay before a new candidate is offered. The offer is a new registration, which ends the sessions
 * at the server; within the delay, both peers can bind their relay channels.
 */
#define OFFER_US 5000000

static void on_connected(void *arg, const struct stun_endpoint *at)
{
	struct node *node = arg;
	struct link *link;

	for (link = node->links; link; link = link->next)
		peer_session_connected(link->session, at, runtime_now_ns());
	for (link = node->members; link; link = link->next)
		if (!link->tcp)
			peer_session_connected(link->session, at, runtime_now_ns());
}

static void on_ended(void *arg, const struct stun_endpoint *at)
{
	struct node *node = arg;
	struct link *link;

	for (link = node->links; link; link = link->next)
		peer_session_lose(link->session, at, runtime_now_ns());
	for (link = node->members; link; link = link->next)
		if (!link->tcp)
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

/* --- the server-reflexive address */

static void on_known(void *arg)
{
	struct node *node = arg;

	loop_timer_start(node->reflexive.timer, OFFER_US);
}

static void offer(void *arg)
{
	struct node *node = arg;

	node->reflexive.offered = true;
	if (node_network_offer(node))
		node_network_introduce(node);
	node_update(node);
}

static void on_unknown(void *arg)
{
	node_tcp_forget(arg);
}

/*
 * Connects to a server to learn the server-reflexive address. The server closes a connection that
 * is idle for a minute, which ends the offer.
 */
static void learn(struct node *node, unsigned int server)
{
	struct node_reflexive *reflexive = &node->reflexive;

	if (!reflexive->timer) {
		reflexive->tcp = (struct reflexive){ .loop = node->runtime.loop,
						     .known = on_known,
						     .ended = on_unknown,
						     .flush = node_update,
						     .arg = node };
		reflexive->timer = loop_timer(node->runtime.loop, false, offer, node);
	}
	if (reflexive->timer)
		reflexive_learn(&reflexive->tcp, tcp_paths_port(node->runtime.tcp),
				peer_client_server_at(node->runtime.client, server));
}

void node_tcp_forget(struct node *node)
{
	struct node_reflexive *reflexive = &node->reflexive;
	bool offered = reflexive->offered;

	reflexive_close(&reflexive->tcp);
	if (reflexive->timer)
		loop_timer_stop(reflexive->timer);
	reflexive->offered = false;
	if (offered)
		node_network_offer(node);
}

/*
 * Returns true if the other peer is registered by TCP: the server adds the source address of its
 * registration, with its transport.
 */
static bool is_by_tcp(const struct introduction *introduction)
{
	const struct candidate *candidate;
	bool tcp = false;
	unsigned int i;

	for (i = 0; i < introduction->candidates; i++) {
		candidate = &introduction->candidate[i];
		if (candidate->kind != CANDIDATE_REFLEXIVE)
			continue;
		if (candidate->transport == CANDIDATE_UDP)
			return false;
		tcp = true;
	}
	return tcp;
}

static bool is_connected(const struct tcp_stream *stream)
{
	return stream && stream->connected;
}

void node_tcp_introduced(struct node *node, const struct introduction *introduction)
{
	if (!is_by_tcp(introduction))
		return;
	node_tcp_open(node);
	if (node->runtime.tcp && !is_connected(node->runtime.stream[introduction->server]))
		learn(node, introduction->server);
}

bool node_tcp_is_offered(const struct node *node)
{
	bool offered = node->runtime.tcp_only || node->reflexive.offered;
	unsigned int i;

	for (i = 0; i < node->identity->servers; i++)
		offered |= node->server[i].udp_failed;
	return offered && node->runtime.tcp;
}

void node_tcp_close(struct node *node)
{
	reflexive_free(&node->reflexive.tcp);
	tcp_paths_close(node->runtime.tcp);
	node->runtime.tcp = NULL;
}
