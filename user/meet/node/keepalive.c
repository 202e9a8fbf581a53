// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Measures the lifetime of mappings in the NAT of this host with a server (nat/lifetime_watch.h).
 * If the NAT drops a mapping before the default interval has passed, keepalives and refreshes are
 * sent more often, unless --keepalive is given. The interval is never longer than the default,
 * because a path may pass another NAT or firewall than the one measured.
 */
#include "base/log.h"
#include "meet/node/node.h"
#include "nat/lifetime_watch.h"

#include <string.h>

#define INTERVAL_MAX_S (PEER_SESSION_INTERVAL_NS / 1000000000ULL)
#define AGAIN_S	       3600

static void set_interval(struct node *node, uint64_t interval_ns)
{
	struct link *link;

	node->runtime.interval_ns = interval_ns;
	peer_client_set_interval(node->runtime.client, interval_ns);
	for (link = node->links; link; link = link->next)
		peer_session_set_interval(link->session, interval_ns);
	node_update(node);
}

/* Returns true if this peer is registered with the server by UDP. */
static bool is_usable(const struct node *node, unsigned int server)
{
	const struct tcp_stream *stream = node->runtime.stream[server];

	return peer_client_registered(node->runtime.client, server) &&
	       !(stream && stream->connected);
}

static void measure(struct node *node, unsigned int server);

/* Measures with another server, if one did not answer, or does not know RESPONSE-PORT. */
static void try_next(struct node *node)
{
	struct node_keepalive *keepalive = &node->keepalive;
	unsigned int i, count = node->identity->servers;

	keepalive->tried |= 1U << keepalive->server;
	for (i = 0; i < count; i++)
		if (!(keepalive->tried & 1U << i) && is_usable(node, i)) {
			node_keepalive_close(node);
			measure(node, i);
			return;
		}
	/* again with all servers after AGAIN_S */
	keepalive->tried = 0;
}

static void on_probed(const struct nat_finding *finding, const char *failure, void *arg)
{
	struct node *node = arg;
	struct node_keepalive *keepalive = &node->keepalive;
	uint64_t interval_ns = nat_interval_ns(finding, INTERVAL_MAX_S);
	bool found = finding->proven_s || finding->shorter;
	struct log_line line;

	log_begin(&line, LOG_LEVEL_DEBUG, "mapping lifetime");
	log_field(&line, "server", "%s", node->identity->server[keepalive->server].host);
	if (*failure)
		log_field(&line, "reason", "%s", failure);
	else if (finding->shorter)
		log_field(&line, "shorter_than_s", "%u", nat_interval_step_s[0]);
	else
		log_field(&line, "at_least_s", "%u", finding->proven_s);
	log_end(&line);
	if (*failure) {
		try_next(node);
		return;
	}
	keepalive->tried = 0;
	if (keepalive->measured == found && node->runtime.interval_ns == interval_ns)
		return;
	keepalive->measured = found;
	log_begin(&line, LOG_LEVEL_INFO, "keepalive interval");
	log_field(&line, "interval_s", "%.1f", (double)interval_ns / 1e9);
	log_field(&line, "source", "%s", node_keepalive_source(node));
	log_end(&line);
	set_interval(node, interval_ns);
}

static void measure(struct node *node, unsigned int server)
{
	struct node_keepalive *keepalive = &node->keepalive;
	const struct lifetime_watch_options options = {
		.server = *peer_client_server_at(node->runtime.client, server),
		.max_s = INTERVAL_MAX_S,
		.again_s = AGAIN_S,
		.fn = on_probed,
		.arg = node,
	};

	keepalive->server = server;
	/* without memory, the interval stays the default */
	keepalive->watch = lifetime_watch_new(node->runtime.loop, &options);
}

void node_keepalive_registered(struct node *node, unsigned int server)
{
	struct node_keepalive *keepalive = &node->keepalive;

	/*
	 * A NAT that loses the mapping of the registration makes the peer register again before a
	 * probe has ended. With --relay-only, the registration keeps the only mapping in use.
	 */
	if (keepalive->watch || node->identity->keepalive_s ||
	    node->runtime.relay == PEER_SESSION_RELAY_ONLY)
		return;
	measure(node, server);
}

void node_keepalive_server_moved(struct node *node, unsigned int server)
{
	if (node->keepalive.watch && node->keepalive.server == server)
		node_keepalive_close(node);
}

void node_keepalive_moved(struct node *node)
{
	struct node_keepalive *keepalive = &node->keepalive;

	node_keepalive_close(node);
	keepalive->tried = 0;
	if (!keepalive->measured)
		return;
	keepalive->measured = false;
	set_interval(node, PEER_SESSION_INTERVAL_NS);
}

const char *node_keepalive_source(const struct node *node)
{
	if (node->identity->keepalive_s)
		return "option";
	return node->keepalive.measured ? "measured" : "default";
}

void node_keepalive_close(struct node *node)
{
	lifetime_watch_free(node->keepalive.watch);
	node->keepalive.watch = NULL;
}
