// SPDX-License-Identifier: GPL-2.0-or-later
/* Dispatches received datagrams, and sends datagrams by the right transport. */
#include "meet/channel.h"
#include "meet/node/node.h"
#include "meet/peer/relay.h"
#include "meet/quic/quic.h"
#include "meet/tcp/server_stream.h"

#include <string.h>

/* Returns the link, or the member of a pool, whose QUIC connection starts with this id. */
static struct link *starts_with(struct link *links, const uint8_t *id)
{
	struct link *link;

	for (link = links; link; link = link->next)
		if (!memcmp(peer_session_introduction(link->session)->id, id, QUIC_ID_SIZE))
			return link;
	return NULL;
}

static void on_quic(struct node *node, const struct stun_endpoint *from, const uint8_t *packet,
		    size_t length)
{
	struct link *link = NULL;
	const uint8_t *id;
	bool first;

	id = quic_destination(packet, length, &first);
	if (!id)
		return;
	if (first)
		link = starts_with(node->links, id);
	if (first && !link)
		link = starts_with(node->members, id);
	if (!link) {
		first = false;
		link = quic_slot(id) / 2 < NODE_LINKS_MAX ? node->by_slot[quic_slot(id) / 2] : NULL;
	}
	if (link && peer_session_knows(link->session, from))
		link_packet(link, from, id, first, packet, length, runtime_now_ns());
}

/* Passes a message to the link, or the member of a pool, to which it belongs. */
static bool give(struct node *node, struct link *links, const struct stun_endpoint *from,
		 const struct stun_message *message)
{
	struct link *link;

	for (link = links; link; link = link->next) {
		if (!peer_session_owns(link->session, message))
			continue;
		/* the members of a peer share its limit of connections */
		if (peer_session_receive(link->session, from, message, runtime_now_ns()) &&
		    from->tcp)
			tcp_paths_prove(link_tcp(link), from, link->parent ? link->parent : link);
		return true;
	}
	return false;
}

/* @from: an address, or the relay channel of the datagram. */
static void on_inner(struct node *node, const struct stun_endpoint *from, const uint8_t *data,
		     size_t length)
{
	struct stun_message message;

	if (data[0] >= 64) {
		on_quic(node, from, data, length);
		return;
	}
	if (stun_parse(data, length, &message) ||
	    peer_client_receive(node->runtime.client, from, &message, runtime_now_ns()))
		return;
	if (!give(node, node->links, from, &message))
		give(node, node->members, from, &message);
}

/*
 * RFC 9443: the first byte distinguishes STUN and QUIC. ChannelData and QUIC packets may have the
 * same first byte, but QUIC packets never come from a server.
 */
void node_receive(void *arg, const struct stun_endpoint *from, const uint8_t *data, size_t length)
{
	struct node *node = arg;
	struct stun_endpoint relayed;
	struct channel_data inner;
	int server;

	if (relay_is_endpoint(from)) /* forged: relay addresses do not exist on any network */
		return;
	server = channel_is_data(data, length) ? peer_client_server_of(node->runtime.client, from)
					       : -1;
	if (server < 0) {
		on_inner(node, from, data, length);
		return;
	}
	if (channel_parse(data, length, &inner) || !inner.length)
		return;
	relayed = relay_endpoint((unsigned int)server, inner.number);
	on_inner(node, &relayed, inner.data, inner.length);
}

static void on_datagram(void *arg, const struct stun_endpoint *from, const uint8_t *data,
			size_t length)
{
	if (!node_server_answers(arg, from, data, length))
		node_receive(arg, from, data, length);
}

void node_readable(void *arg)
{
	struct node *node = arg;

	peer_socket_read(&node->runtime.socket, on_datagram, node);
	node_update(node);
}

void runtime_send(struct runtime *runtime, const struct stun_endpoint *to, const void *data,
		  size_t length, size_t size)
{
	bool relayed = relay_is_endpoint(to);
	int server = relayed ? (int)relay_server(to) : peer_client_server_of(runtime->client, to);
	struct tcp_stream *stream = server >= 0 ? runtime->stream[server] : NULL;

	if (to->tcp) {
		if (runtime->tcp)
			tcp_paths_send(runtime->tcp, to, data, length, size);
		return;
	}
	if (stream && !stream->connected)
		stream = NULL;
	if (server >= 0 && !stream && runtime->tcp_only)
		return;
	if (relayed && stream)
		server_stream_send_channel(stream, relay_channel(to), data, length, size);
	else if (relayed)
		peer_socket_send_channel(
			&runtime->socket,
			peer_client_server_at(runtime->client, (unsigned int)server),
			relay_channel(to), data, length, size);
	else if (stream)
		server_stream_send(stream, data, length);
	else
		peer_socket_send(&runtime->socket, to, data, length, size);
}
