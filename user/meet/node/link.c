// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/node/link.h"

#include "base/addr.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

/*
 * Detects a peer that lost the connection in a restart, after a path change: its session still
 * answers checks, at least every second, but QUIC does not answer this number of packets.
 */
#define SILENT_NS	500000000ULL
#define SILENT_PACKETS	8
#define SILENT_CHECK_NS 2000000000ULL

static void on_random(void *buffer, size_t size, void *arg)
{
	if (getrandom(buffer, size, 0) != (ssize_t)size)
		abort(); /* fails only before Linux 3.17: up to 256 bytes cannot fail */
}

static void link_over(struct link *link, const char *reason)
{
	if (!link->end[0])
		snprintf(link->end, sizeof(link->end), "%s", reason);
}

static unsigned int index_of(const struct connection *connection)
{
	return connection == &connection->link->connection[1];
}

/* --- what QUIC calls */

static void on_send(void *arg, const void *packets, size_t length, size_t size)
{
	struct link *link = ((struct connection *)arg)->link;
	const struct peer_session_remote *path = peer_session_path(link->session);

	/* a packet of the previous path; TCP closes the connection for a packet that is too long */
	if (!path || size > peer_session_mtu(link->session))
		return;
	runtime_send(link->runtime, &path->at, packets, length, size);
	link->bytes_out += length;
	peer_session_sent(link->session, runtime_now_ns());
}

static void on_ready(void *arg)
{
	struct connection *connection = arg;
	struct link *link = connection->link;

	/* link_update() frees the other connection, outside of its callbacks */
	link->active = index_of(connection);
	link->ready = false;
}

static void on_datagram(void *arg, const uint8_t *data, size_t length)
{
	carrier_datagram(((struct connection *)arg)->carrier, data, length);
}

static void *on_opened(void *arg, struct quic_stream *stream)
{
	return carrier_opened(((struct connection *)arg)->carrier, stream);
}

static const struct quic_handlers handlers = {
	.send = on_send,
	.ready = on_ready,
	.datagram = on_datagram,
	.opened = on_opened,
	.data = carrier_data,
	.writable = carrier_writable,
	.ended = carrier_ended,
};

/* --- connections */

static void connection_close(struct connection *connection, uint64_t now_ns)
{
	carrier_free(connection->carrier);
	connection->carrier = NULL;
	if (connection->quic) {
		quic_flush(connection->quic, now_ns);
		quic_close(connection->quic, now_ns);
	}
	quic_free(connection->quic);
	connection->quic = NULL;
	drops_log(&connection->drops, connection->link->name, true, now_ns);
}

/* @packet: the first packet of the client; NULL: this peer is the client. */
static void connection_open(struct connection *connection, const uint8_t *packet, size_t length,
			    uint64_t now_ns)
{
	struct link *link = connection->link;
	struct runtime *runtime = link->runtime;
	const struct introduction *introduction = peer_session_introduction(link->session);
	const struct peer_session_remote *path = peer_session_path(link->session);
	const struct peer_secret *secret = peer_session_secret(link->session);
	const struct carrier_options carrier = { .loop = runtime->loop,
						 .peer = link->name,
						 .services = runtime->services,
						 .count = runtime->service_count,
						 .flush = runtime->update,
						 .answered = runtime->answered,
						 .ended = runtime->ended,
						 .hooks_arg = runtime->arg,
						 .drops = &connection->drops,
						 .arg = runtime->update_arg };
	struct quic_settings settings = { .server = packet,
					  .slot = (uint16_t)(link->slot * 2 + index_of(connection)),
					  .identity = secret->psk_identity,
					  .rtt_ns = path ? path->rtt_ns : 0,
					  .handlers = &handlers,
					  .arg = connection,
					  .drops = &connection->drops };
	int result;

	memcpy(settings.psk, secret->psk, sizeof(settings.psk));
	memcpy(settings.first_id, introduction->id, sizeof(settings.first_id));
	memcpy(connection->id, introduction->id, sizeof(connection->id));
	result = packet ? quic_accept(runtime->endpoint, &settings, packet, length, now_ns,
				      &connection->quic)
			: quic_connect(runtime->endpoint, &settings, now_ns, &connection->quic);
	explicit_bzero(settings.psk, sizeof(settings.psk));
	if (!result)
		result = carrier_new(&connection->carrier, &carrier);
	if (result)
		connection_close(connection, now_ns);
	else
		carrier_set_quic(connection->carrier, connection->quic);
}

static bool is_for(const struct connection *connection, const uint8_t *id)
{
	return connection->quic && !memcmp(connection->id, id, QUIC_ID_SIZE);
}

void link_packet(struct link *link, const struct stun_endpoint *from, const uint8_t *id, bool first,
		 const uint8_t *packet, size_t length, uint64_t now_ns)
{
	struct connection *connection = &link->connection[quic_slot(id) & 1];

	if (first) {
		connection = &link->connection[link->active];
		/* use a second connection for a new introduction */
		if (!is_for(connection, id))
			connection = &link->connection[!link->active];
		if (!is_for(connection, id) && !link->initiator) {
			connection_close(connection, now_ns);
			connection_open(connection, packet, length, now_ns);
		}
	}
	if (!connection->quic || !quic_receive(connection->quic, packet, length, now_ns))
		return;
	link->bytes_in += length;
	peer_session_heard(link->session, from);
	if (index_of(connection) == link->active)
		link->silent_ns = 0;
}

/* --- the relay */

/* Releases the relay bindings that the link does not use. They expire within a minute. */
static void release_relays(struct link *link, uint64_t now_ns)
{
	const struct peer_session_remote *remote;
	unsigned int i, count;

	remote = peer_session_remotes(link->session, &count);
	for (i = 0; i < count; i++)
		if (remote[i].kind == PEER_SESSION_REMOTE_RELAYED && !remote[i].selected)
			peer_client_hold_relay(link->runtime->client, &remote[i].at, false, now_ns);
}

/* Releases the TCP connections that the link does not use. They expire within a minute. */
static void release_tcp(const struct link *link)
{
	const struct peer_session_remote *remote;
	unsigned int i, count;

	remote = peer_session_remotes(link->session, &count);
	for (i = 0; i < count && link->runtime->tcp; i++)
		if (remote[i].at.tcp)
			tcp_paths_release(link->runtime->tcp, &remote[i].at, link);
}

/* Holds only the TCP connection of the path, if the path has one. */
static void hold_tcp(const struct link *link)
{
	const struct peer_session_remote *path = peer_session_path(link->session);

	release_tcp(link);
	if (path && path->at.tcp)
		tcp_paths_hold(link->runtime->tcp, &path->at, link);
}

/* Holds only the relay binding or the TCP connection of the path, if there is a path. */
static void hold_path(struct link *link, uint64_t now_ns)
{
	const struct peer_session_remote *path = peer_session_path(link->session);

	hold_tcp(link);
	link->relayed = path && path->kind == PEER_SESSION_REMOTE_RELAYED;
	if (link->relayed)
		peer_client_hold_relay(link->runtime->client, &path->at, true, now_ns);
	if (path)
		release_relays(link, now_ns);
}

bool link_relay(struct link *link, const struct peer_client_event *event, uint64_t now_ns)
{
	bool bound = event->kind == PEER_CLIENT_RELAYED;

	if (!memcmp(event->session_id, peer_session_introduction(link->session)->id,
		    sizeof(event->session_id)))
		link->relay_code = bound ? 0 : event->code;
	if (!bound)
		peer_session_lose(link->session, &event->relay, now_ns);
	else if (!peer_session_set_relay(link->session, event->session_id, &event->relay, now_ns))
		return false;
	hold_path(link, now_ns);
	return bound;
}

/* --- life */

int link_new(struct link **link, struct runtime *runtime, const struct introduction *introduction,
	     unsigned int slot, uint64_t now_ns)
{
	struct peer_session_options options = { .random = on_random,
						.relay = runtime->relay,
						.no_udp = runtime->tcp_only,
						.no_tcp = runtime->udp_only,
						.interval_ns = runtime->interval_ns,
						.searches_full_ns = &runtime->searches_full_ns };
	struct link *created = calloc(1, sizeof(*created));
	int result;

	if (!created)
		return -ENOMEM;
	created->runtime = runtime;
	created->slot = slot;
	created->initiator = introduction->initiator;
	created->connection[0].link = created->connection[1].link = created;
	snprintf(created->name, sizeof(created->name), "%s", introduction->name);
	memcpy(options.secret, runtime->secret, sizeof(options.secret));
	result = peer_session_new(&created->session, &options, introduction, now_ns);
	explicit_bzero(options.secret, sizeof(options.secret));
	if (result)
		free(created);
	else
		*link = created;
	return result;
}

void link_free(struct link *link, uint64_t now_ns)
{
	const struct peer_session_remote *path = peer_session_path(link->session);

	release_relays(link, now_ns);
	release_tcp(link);
	if (path && path->kind == PEER_SESSION_REMOTE_RELAYED)
		peer_client_hold_relay(link->runtime->client, &path->at, false, now_ns);
	connection_close(&link->connection[0], now_ns);
	connection_close(&link->connection[1], now_ns);
	prediction_free(link->prediction);
	peer_session_free(link->session);
	free(link);
}

void link_introduce(struct link *link, const struct introduction *introduction, uint64_t now_ns)
{
	release_relays(link, now_ns);
	/* the session drops the other addresses */
	release_tcp(link);
	peer_session_introduce(link->session, introduction, now_ns);
	hold_tcp(link);
}

struct carrier *link_carrier(struct link *link)
{
	return link->ready ? link->connection[link->active].carrier : NULL;
}

/* --- progress */

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
	hold_path(link, now_ns);
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

/* Repeats a packet on a new path that has not answered yet, or gives up. */
static void ask_again(struct link *link, uint64_t now_ns)
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
		log_begin(&line, LOG_LEVEL_INFO, "candidate failed");
		log_field(&line, "peer", "%s", link->name);
		log_remote(&line, &remote[i]);
		log_field(&line, "reason", "%s", peer_session_reasons[remote[i].reason]);
		log_end(&line);
	}
	if (!link->relay_code)
		link_over(link, link->reported ? "the path is lost, and no other one was found"
					       : "no path was found");
	else if (link->relay_code == 486)
		link_over(link, "no direct path was found, and the server relays no more sessions");
	else
		link_over(link, "no direct path was found, and the relay of the server fails");
}

static void session_update(struct link *link, uint64_t now_ns)
{
	struct runtime *runtime = link->runtime;
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
	while ((size = peer_session_send(link->session, buffer, &to, now_ns))) {
		prediction_begin(link->prediction);
		runtime_send(runtime, &to, buffer, size, size);
	}
}

/* Handles the completed handshake of the active connection, which authenticates the other peer. */
static void became_ready(struct link *link, uint64_t now_ns)
{
	const struct peer_session_remote *path = peer_session_path(link->session);
	struct runtime *runtime = link->runtime;

	link->ready = true;
	link->silent_ns = 0;
	connection_close(&link->connection[!link->active], now_ns);
	if (!link->reported)
		peer_client_report(runtime->client, peer_session_introduction(link->session),
				   link->relayed	  ? SLUICE_RENDEZVOUS_RELAYED
				   : path && path->at.tcp ? SLUICE_RENDEZVOUS_DIRECT_TCP
							  : SLUICE_RENDEZVOUS_DIRECT_UDP,
				   now_ns);
	link->reported = true;
	runtime->ready(runtime->arg, link);
}

static void connection_update(struct connection *connection, uint64_t now_ns)
{
	struct link *link = connection->link;
	const char *end;

	if (!connection->quic)
		return;
	carrier_update(connection->carrier);
	quic_expire(connection->quic, now_ns);
	if (quic_stalls(connection->quic))
		peer_session_stalled(link->session, now_ns);
	quic_set_packet_size(connection->quic, peer_session_mtu(link->session));
	quic_flush(connection->quic, now_ns);
	drops_log(&connection->drops, link->name, false, now_ns);
	end = quic_end(connection->quic);
	if (!end)
		return;
	if (index_of(connection) == link->active)
		link_over(link, end);
	else
		connection_close(connection, now_ns);
}

void link_update(struct link *link, uint64_t now_ns)
{
	struct connection *active = &link->connection[link->active];

	session_update(link, now_ns);
	if (link->initiator && !active->quic && peer_session_path(link->session))
		connection_open(active, NULL, 0, now_ns);
	connection_update(&link->connection[0], now_ns);
	connection_update(&link->connection[1], now_ns);
	active = &link->connection[link->active];
	if (!link->ready && active->quic && quic_is_ready(active->quic)) {
		became_ready(link, now_ns);
		quic_flush(active->quic, now_ns);
	}
	if (link->silent_ns && now_ns >= link->silent_ns)
		ask_again(link, now_ns);
}

uint64_t link_due_ns(const struct link *link)
{
	uint64_t due_ns = peer_session_due_ns(link->session), next_ns;
	unsigned int i;

	for (i = 0; i < 2; i++) {
		next_ns = link->connection[i].quic ? quic_next_ns(link->connection[i].quic)
						   : UINT64_MAX;
		if (next_ns < due_ns)
			due_ns = next_ns;
	}
	return link->silent_ns && link->silent_ns < due_ns ? link->silent_ns : due_ns;
}
