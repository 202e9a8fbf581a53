// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Measures the lifetime of mappings in the NAT of this host with a server (nat/lifetime_watch.h),
 * and sets the interval of keepalives accordingly, unless --keepalive is given.
 *
 * The other peer keeps its own mapping, so only the own NAT matters. The measured mapping is new,
 * and many NATs keep a mapping with traffic for longer (RFC 4787, REQ-5), so the interval is safe.
 */
#include "base/log.h"
#include "meet/quic/node.h"
#include "nat/lifetime_watch.h"

#include <string.h>

/* A lost mapping of an idle path is found only after the interval. */
#define INTERVAL_MAX_S 60
/* Registering again also starts a probe. */
#define AGAIN_S 3600

static void set_interval(struct node *node, uint64_t interval_ns)
{
	struct link *link;

	node->runtime.interval_ns = interval_ns;
	peer_client_set_interval(node->runtime.client, interval_ns);
	for (link = node->links; link; link = link->next)
		peer_session_set_interval(link->session, interval_ns);
	node_update(node);
}

static void log_interval(const struct node *node, uint64_t interval_ns)
{
	struct log_line line;

	log_begin(&line, LOG_LEVEL_INFO, "keepalive interval");
	log_field(&line, "interval_s", "%.1f", (double)interval_ns / 1e9);
	log_field(&line, "source", "%s", node_keepalive_source(node));
	log_end(&line);
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
	if (keepalive->measured == found && node->runtime.interval_ns == interval_ns)
		return;
	keepalive->measured = found;
	log_interval(node, interval_ns);
	set_interval(node, interval_ns);
}

void node_keepalive_registered(struct node *node, unsigned int server)
{
	struct node_keepalive *keepalive = &node->keepalive;
	const struct lifetime_watch_options options = {
		.server = *peer_client_server_at(node->runtime.client, server),
		.max_s = INTERVAL_MAX_S,
		.again_s = AGAIN_S,
		.fn = on_probed,
		.arg = node,
	};

	/* with --relay-only, the registration keeps the only mapping in use */
	if (node->identity->keepalive_s || node->runtime.relay == PEER_SESSION_RELAY_ONLY ||
	    (keepalive->watch && keepalive->server != server))
		return;
	lifetime_watch_free(keepalive->watch);
	keepalive->server = server;
	/* without memory, the interval stays the default */
	keepalive->watch = lifetime_watch_new(node->runtime.loop, &options);
}

void node_keepalive_moved(struct node *node)
{
	struct node_keepalive *keepalive = &node->keepalive;

	node_keepalive_close(node);
	if (!keepalive->measured)
		return;
	keepalive->measured = false;
	set_interval(node, PEER_SESSION_INTERVAL_NS);
}

/* The next measurement may raise the interval again. */
void node_keepalive_lost(struct node *node)
{
	struct node_keepalive *keepalive = &node->keepalive;

	if (!keepalive->measured || node->runtime.interval_ns <= PEER_SESSION_INTERVAL_NS)
		return;
	keepalive->measured = false;
	log_interval(node, PEER_SESSION_INTERVAL_NS);
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
