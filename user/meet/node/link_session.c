// SPDX-License-Identifier: GPL-2.0-or-later
/* Handles what the session of a link reports: a new path, another path MTU, a wish, the end. */
#include "base/addr.h"
#include "base/log.h"
#include "meet/node/link.h"

/*
 * Detects a peer that lost the connection in a restart, after a path change: its session still
 * answers checks, at least every second, but QUIC does not answer this number of packets.
 */
#define SILENT_NS	500000000ULL
#define SILENT_PACKETS	8
#define SILENT_CHECK_NS 2000000000ULL

static void log_remote(struct log_line *line, const struct peer_session_remote *remote)
{
	char text[ADDR_TEXT_MAX];

	if (remote->kind != PEER_SESSION_REMOTE_RELAYED)
		log_field(line, "address", "%s",
			  addr_format_port(&remote->at.addr, remote->at.port_be, text));
	log_field(line, "kind", "%s", peer_session_remote_kinds[remote->kind]);
	if (remote->kind != PEER_SESSION_REMOTE_RELAYED)
		log_field(line, "transport", "%s", remote->at.tcp ? "tcp" : "udp");
}

static void log_path(const struct link *link)
{
	const struct peer_session_remote *path = peer_session_path(link->session);
	struct log_line line;

	if (link->parent)
		log_begin(&line, LOG_LEVEL_DEBUG, path ? "member path" : "member path lost");
	else
		log_begin(&line, LOG_LEVEL_INFO, path ? "path" : "path lost");
	log_field(&line, "peer", "%s", link->name);
	if (path) {
		log_remote(&line, path);
		log_field(&line, "rtt_ms", "%.1f", (double)path->rtt_ns / 1e6);
	}
	log_end(&line);
}

static void on_path(struct link *link, uint64_t now_ns)
{
	struct connection *connection = &link->connection[link->active];

	log_path(link);
	link_hold_path(link, now_ns);
	if (!link->parent)
		link->runtime->path_changed(link->runtime->arg, link);
	if (!peer_session_path(link->session) || !connection->quic)
		return;
	quic_set_packet_size(connection->quic, peer_session_mtu(link->session));
	quic_path_changed(connection->quic, now_ns);
	if (!link->ready || !link->initiator)
		return;
	link->silent_ns = now_ns + SILENT_NS;
	link->silent_packets = 0;
}

static void on_mtu(struct link *link, uint64_t now_ns)
{
	struct quic *quic = link->connection[link->active].quic;
	size_t mtu = peer_session_mtu(link->session);
	bool fell = mtu == PEER_SESSION_FULL_SIZE; /* a black hole, or a network change */
	struct log_line line;

	log_begin(&line, fell ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG, "path mtu");
	log_field(&line, "peer", "%s", link->name);
	log_field(&line, "bytes", "%zu", mtu);
	log_end(&line);
	if (!quic)
		return;
	quic_set_packet_size(quic, mtu);
	if (fell)
		quic_path_changed(quic, now_ns);
}

void link_ask_again(struct link *link, uint64_t now_ns)
{
	const struct peer_session_remote *path = peer_session_path(link->session);
	struct quic *quic = link->connection[link->active].quic;

	link->silent_ns = now_ns + SILENT_NS;
	/* the path itself may be silent */
	if (!path || !quic || now_ns - path->consent_ns > SILENT_CHECK_NS)
		link->silent_packets = 0;
	else if (link->silent_packets++ == SILENT_PACKETS)
		link_over(link, "the other peer does not know the connection any more");
	else
		quic_path_changed(quic, now_ns);
}

/* Logs each address of the other peer, with the reason why it was not reached. */
static void describe_failure(struct link *link)
{
	const struct peer_session_remote *remote;
	unsigned int i, count;
	struct log_line line;

	remote = peer_session_remotes(link->session, &count);
	for (i = 0; i < count; i++) {
		log_begin(&line, link->parent ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO,
			  "candidate failed");
		log_field(&line, "peer", "%s", link->name);
		log_remote(&line, &remote[i]);
		log_field(&line, "reason", "%s", peer_session_reasons[remote[i].reason]);
		log_end(&line);
	}
	if (link->parent)
		link_over(link, "no connection was established");
	else if (!link->relay_code)
		link_over(link, link->reported ? "the path is lost, and no other one was found"
					       : "no path was found");
	else if (link->relay_code == 486)
		link_over(link, "no direct path was found, and the server relays no more sessions");
	else
		link_over(link, "no direct path was found, and the relay of the server fails");
}

/*
 * Ends a member whose connection is lost or was not established: only the pool replaces it. Checks
 * that are late do not end it, because a program may use it, and TCP repeats them.
 */
static void member_events(struct link *link, unsigned int events)
{
	if (events & PEER_SESSION_ENDED)
		describe_failure(link);
	else if (link->ready && !peer_session_path(link->session))
		link_over(link, "the connection is lost");
}

/* Passes the requests of a session to the servers. */
static void session_events(struct link *link, unsigned int events, uint64_t now_ns)
{
	struct runtime *runtime = link->runtime;

	if (events & PEER_SESSION_WANTS_REFRESH) {
		peer_client_refresh(runtime->client, now_ns);
		mapping_doubt(runtime->mapping);
	}
	if (events & PEER_SESSION_WANTS_INTRODUCTION)
		peer_client_connect(runtime->client, link->name, now_ns);
	if (events & PEER_SESSION_WANTS_RELAY)
		peer_client_relay(runtime->client, peer_session_introduction(link->session),
				  now_ns);
	if (events & PEER_SESSION_ENDED) {
		describe_failure(link);
		peer_client_report(runtime->client, peer_session_introduction(link->session),
				   SLUICE_RENDEZVOUS_FAILED, now_ns);
	}
}

void link_session_update(struct link *link, uint64_t now_ns)
{
	uint8_t buffer[PEER_SESSION_DATAGRAM_MAX];
	struct stun_endpoint to;
	unsigned int events;
	size_t size;

	if (peer_session_due_ns(link->session) <= now_ns)
		peer_session_timeout(link->session, now_ns);
	events = peer_session_events(link->session);
	if (events & PEER_SESSION_PATH_CHANGED)
		on_path(link, now_ns);
	else if (events & PEER_SESSION_MTU_CHANGED)
		on_mtu(link, now_ns);
	if (link->parent)
		member_events(link, events);
	else
		session_events(link, events, now_ns);
	/* a check would connect again */
	if (link->parent && link->end[0])
		return;
	while ((size = peer_session_send(link->session, buffer, &to, now_ns))) {
		prediction_begin(link->prediction);
		link_send(link, &to, buffer, size, size);
	}
}
