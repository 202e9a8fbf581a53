// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Monitors the network of this host. Hosts with containers change interfaces and routes all the
 * time; paths are affected only if the own addresses or the route to a server change.
 */
#include "base/clock.h"
#include "base/log.h"
#include "meet/node/node.h"
#include "meet/peer/gather.h"
#include "net/sockaddr.h"

#include <errno.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <string.h>
#include <unistd.h>

#define QUIET_US 100000
#define BOUND_US 1000000

/* Expands each address to one candidate per transport, up to CANDIDATES_MAX. */
static int add_transports(const struct node *node, struct candidate candidates[CANDIDATES_MAX],
			  int hosts)
{
	const struct runtime *runtime = &node->runtime;
	struct candidate host[CANDIDATES_MAX];
	int i, count = 0;

	memcpy(host, candidates, (size_t)hosts * sizeof(*host));
	for (i = 0; i < hosts; i++) {
		if (!runtime->tcp_only && count < CANDIDATES_MAX)
			candidates[count++] = host[i];
		if (!node_tcp_is_offered(node) || count == CANDIDATES_MAX)
			continue;
		candidates[count] = host[i];
		candidates[count].transport = CANDIDATE_TCP;
		candidates[count++].at.port_be = tcp_paths_port(runtime->tcp);
	}
	return count;
}

/*
 * Adds a candidate; if the list is full, it replaces the last host candidate, because it is more
 * useful behind a NAT.
 */
static int add(struct candidate candidates[CANDIDATES_MAX], int count,
	       const struct candidate *candidate)
{
	if (count == CANDIDATES_MAX)
		count--;
	candidates[count] = *candidate;
	return count + 1;
}

bool node_network_offer(struct node *node)
{
	struct candidate candidates[CANDIDATES_MAX], other;
	struct err err = { 0 };
	int count = 0;

	/* with --relay-only, no other peer sends to them */
	if (node->runtime.relay != PEER_SESSION_RELAY_ONLY)
		count = gather_host(candidates, NULL, peer_socket_port(&node->runtime.socket),
				    node->runtime.socket.ip6, &err);
	if (count > 0)
		count = add_transports(node, candidates, count);
	if (count >= 0 && mapping_candidate(node->runtime.mapping, &other))
		count = add(candidates, count, &other);
	if (count >= 0 && node->reflexive.offered) {
		other = (struct candidate){ .at = node->reflexive.tcp.at,
					    .kind = CANDIDATE_REFLEXIVE,
					    .transport = CANDIDATE_TCP };
		count = add(candidates, count, &other);
	}
	if (count >= 0)
		return peer_client_set_candidates(node->runtime.client, candidates,
						  (unsigned int)count, runtime_now_ns());
	log_err(&err);
	return false;
}

struct in6_addr node_source_toward(const struct stun_endpoint *to)
{
	struct stun_endpoint own = { .port_be = 0 };
	union any_sockaddr addr;
	socklen_t size = endpoint_to_sockaddr(to, 0, &addr);
	int fd = socket(addr.sa.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return own.addr;
	/* sends nothing */
	if (!connect(fd, &addr.sa, size)) {
		size = sizeof(addr);
		if (!getsockname(fd, &addr.sa, &size))
			endpoint_from_sockaddr(&own, &addr);
	}
	close(fd);
	return own.addr;
}

/* Returns the bit mask of servers toward which the source address has changed. */
static unsigned int set_sources(struct node *node)
{
	struct in6_addr *known, source;
	unsigned int changed = 0, i;

	for (i = 0; i < node->identity->servers; i++) {
		known = &node->network.source[i];
		source = node_source_toward(peer_client_server_at(node->runtime.client, i));
		if (IN6_ARE_ADDR_EQUAL(known, &source))
			continue;
		*known = source;
		changed |= 1U << i;
	}
	return changed;
}

static void on_settled(void *arg)
{
	struct node *node = arg;
	uint64_t began_us = clock_now_us();
	bool others = node_network_offer(node);
	unsigned int moved = set_sources(node);
	struct link *link;

	node_servers_moved(node, moved);
	if (moved)
		node_keepalive_moved(node);
	if (others || moved) {
		mapping_doubt(node->runtime.mapping);
		peer_client_refresh(node->runtime.client, runtime_now_ns());
		for (link = node->links; link; link = link->next)
			peer_session_network_changed(link->session, runtime_now_ns());
	}
	node_update(node);
	debounce_ran(&node->network.events, began_us, clock_now_us());
}

static void on_event(void *arg)
{
	struct node *node = arg;
	uint64_t now_us = clock_now_us();
	char buffer[8192];

	while (recv(node->network.fd, buffer, sizeof(buffer), MSG_DONTWAIT) > 0)
		;
	debounce_event(&node->network.events, now_us);
	loop_timer_start(node->network.timer, node->network.events.due_us > now_us
						      ? node->network.events.due_us - now_us
						      : 0);
}

void node_network_introduce(struct node *node)
{
	const struct peer_session_remote *path;
	struct link *link;

	for (link = node->links; link; link = link->next) {
		path = peer_session_path(link->session);
		if (link->initiator && (!path || path->kind == PEER_SESSION_REMOTE_RELAYED))
			peer_client_connect(node->runtime.client, link->name, runtime_now_ns());
	}
}

/* Handles a port mapping, which may arrive after the registration. */
static void on_mapping(void *arg)
{
	struct candidate unused;
	struct node *node = arg;

	if (node_network_offer(node) && mapping_candidate(node->runtime.mapping, &unused))
		node_network_introduce(node);
	node_update(node);
}

void node_network_watch(struct node *node)
{
	struct sockaddr_nl groups = { .nl_family = AF_NETLINK,
				      .nl_groups = RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR |
						   RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE };
	struct node_network *network = &node->network;

	network->events = (struct debounce){ .quiet_us = QUIET_US, .bound_us = BOUND_US };
	network->timer = loop_timer(node->runtime.loop, false, on_settled, node);
	network->fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
	if (network->fd >= 0 &&
	    (!network->timer || bind(network->fd, (struct sockaddr *)&groups, sizeof(groups)) ||
	     loop_read(node->runtime.loop, network->fd, on_event, node)))
		node_network_close(node);
	/* if this fails, there is no mapping */
	mapping_watch(node->runtime.mapping, node->runtime.loop,
		      peer_socket_port(&node->runtime.socket), on_mapping, node);
	node_network_offer(node);
	set_sources(node);
}

void node_network_close(struct node *node)
{
	if (node->network.fd >= 0)
		close(node->network.fd);
	node->network.fd = -1;
}
