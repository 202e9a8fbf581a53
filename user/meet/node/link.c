// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/node/link.h"

#include "base/addr.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

static void on_random(void *buffer, size_t size, void *arg)
{
	if (getrandom(buffer, size, 0) != (ssize_t)size)
		abort(); /* fails only before Linux 3.17: up to 256 bytes cannot fail */
}

void link_over(struct link *link, const char *reason)
{
	if (!link->end[0])
		snprintf(link->end, sizeof(link->end), "%s", reason);
}

static unsigned int index_of(const struct connection *connection)
{
	return connection == &connection->link->connection[1];
}

struct tcp_paths *link_tcp(const struct link *link)
{
	return link->tcp ? link->tcp : link->runtime->tcp;
}

void link_send(struct link *link, const struct stun_endpoint *to, const void *data, size_t length,
	       size_t size)
{
	if (!to->tcp)
		runtime_send(link->runtime, to, data, length, size);
	else if (link_tcp(link))
		tcp_paths_send(link_tcp(link), to, data, length, size);
}

/* Returns the link that counts the bytes of this one. */
static struct link *counted(struct link *link)
{
	return link->parent ? link->parent : link;
}

/* --- what QUIC calls */

static void on_send(void *arg, const void *packets, size_t length, size_t size)
{
	struct link *link = ((struct connection *)arg)->link;
	const struct peer_session_remote *path = peer_session_path(link->session);

	/* a packet of the previous path; TCP closes the connection for a packet that is too long */
	if (!path || size > peer_session_mtu(link->session))
		return;
	link_send(link, &path->at, packets, length, size);
	counted(link)->bytes_out += length;
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

static void on_permitted(void *arg)
{
	const struct link *link = ((struct connection *)arg)->link;
	const struct runtime *runtime = link->runtime;

	if (!link->parent && runtime->permitted)
		runtime->permitted(runtime->arg);
}

static const struct quic_handlers handlers = {
	.send = on_send,
	.ready = on_ready,
	.datagram = on_datagram,
	.opened = on_opened,
	.data = carrier_data,
	.writable = carrier_writable,
	.ended = carrier_ended,
	.permitted = on_permitted,
};

/* --- what the carrier calls */

static void on_answered(void *arg, unsigned int code)
{
	const struct runtime *runtime = ((struct link *)arg)->runtime;

	if (runtime->answered)
		runtime->answered(runtime->arg, code);
}

static void on_ended(void *arg)
{
	const struct runtime *runtime = ((struct link *)arg)->runtime;

	if (runtime->ended)
		runtime->ended(runtime->arg);
}

static enum service_code on_member_requested(void *arg, const struct member_request *request,
					     uint8_t key[KEY_SIZE])
{
	struct link *link = arg;

	return link->runtime->member_requested(link->runtime->update_arg, link, request, key);
}

static void on_member_answered(void *arg, const uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE],
			       unsigned int code, const uint8_t *key)
{
	const struct runtime *runtime = ((struct link *)arg)->runtime;

	runtime->member_answered(runtime->update_arg, id, code, key);
}

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
						 .is_member = link->parent,
						 .flush = runtime->update,
						 .answered = on_answered,
						 .ended = on_ended,
						 .member_requested = on_member_requested,
						 .member_answered = on_member_answered,
						 .hooks_arg = link,
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
	counted(link)->bytes_in += length;
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
	for (i = 0; i < count && link_tcp(link); i++)
		if (remote[i].at.tcp)
			tcp_paths_release(link_tcp(link), &remote[i].at, link);
}

/* Holds only the TCP connection of the path, if the path has one. */
static void hold_tcp(const struct link *link)
{
	const struct peer_session_remote *path = peer_session_path(link->session);

	release_tcp(link);
	if (path && path->at.tcp)
		tcp_paths_hold(link_tcp(link), &path->at, link);
}

void link_hold_path(struct link *link, uint64_t now_ns)
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
	link_hold_path(link, now_ns);
	return bound;
}

/* --- life */

static int create(struct link **link, struct runtime *runtime, struct link *parent,
		  const struct introduction *introduction, unsigned int slot, uint64_t now_ns)
{
	struct peer_session_options options = { .random = on_random,
						.relay = parent ? PEER_SESSION_RELAY_NEVER
								: runtime->relay,
						.no_udp = parent || runtime->tcp_only,
						.no_tcp = runtime->udp_only,
						.interval_ns = runtime->interval_ns,
						.searches_full_ns = &runtime->searches_full_ns };
	struct link *created = calloc(1, sizeof(*created));
	int result;

	if (!created)
		return -ENOMEM;
	created->runtime = runtime;
	created->parent = parent;
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

int link_new(struct link **link, struct runtime *runtime, const struct introduction *introduction,
	     unsigned int slot, uint64_t now_ns)
{
	return create(link, runtime, NULL, introduction, slot, now_ns);
}

int link_new_member(struct link **link, struct link *parent, struct tcp_paths *tcp,
		    const struct introduction *introduction, unsigned int slot, uint64_t now_ns)
{
	int result = create(link, parent->runtime, parent, introduction, slot, now_ns);

	if (!result)
		(*link)->tcp = tcp;
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

/* Handles the completed handshake of the active connection, which authenticates the other peer. */
static void became_ready(struct link *link, uint64_t now_ns)
{
	const struct peer_session_remote *path = peer_session_path(link->session);
	struct runtime *runtime = link->runtime;

	link->ready = true;
	link->silent_ns = 0;
	connection_close(&link->connection[!link->active], now_ns);
	if (link->parent)
		return;
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

	link_session_update(link, now_ns);
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
		link_ask_again(link, now_ns);
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
