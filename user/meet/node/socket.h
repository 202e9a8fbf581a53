/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The UDP socket of a peer, which STUN and QUIC share (RFC 9443), for IPv4 and IPv6. Datagrams are
 * received and sent in batches (UDP_GRO, UDP_SEGMENT). They are never fragmented, so a full-size
 * check proves that the path passes this size.
 */
#ifndef SLUICE_MEET_NODE_SOCKET_H
#define SLUICE_MEET_NODE_SOCKET_H

#include "base/err.h"
#include "net/stun.h"

struct peer_socket {
	int fd;
	bool ip6;	  /* IPv6 socket, dual-stack */
	bool segments;	  /* the kernel splits batches */
	uint64_t dropped; /* datagrams that could not be sent */
	uint32_t lost;	  /* datagrams dropped because the receive queue was full */
};

typedef void (*peer_socket_fn)(void *arg, const struct stun_endpoint *from, const uint8_t *data,
			       size_t length);

/* Opens the socket on a port that the kernel selects. Returns 0, or -errno with *err set. */
int peer_socket_open(struct peer_socket *socket, struct err *err);
void peer_socket_close(struct peer_socket *socket);
/* Returns 0 on failure. */
in_port_t peer_socket_port(const struct peer_socket *socket);

/* Calls fn for each queued datagram, in a bounded number of reads. */
void peer_socket_read(struct peer_socket *socket, peer_socket_fn fn, void *arg);
/*
 * Sends datagrams of @size bytes each, the last of which may be shorter, as ChannelData messages of
 * this channel to a server.
 */
void peer_socket_send_channel(struct peer_socket *socket, const struct stun_endpoint *server,
			      uint16_t channel, const void *data, size_t length, size_t size);
/* Sends datagrams of @size bytes each, the last of which may be shorter. */
void peer_socket_send(struct peer_socket *socket, const struct stun_endpoint *to, const void *data,
		      size_t length, size_t size);

#endif
