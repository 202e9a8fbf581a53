/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The UDP socket of a peer, which STUN and QUIC share (RFC 9443), for IPv4 and IPv6. Datagrams
 * enter and leave in batches of one system call (UDP_GRO, UDP_SEGMENT). They are never fragmented,
 * so that a full-size check proves that size.
 */
#ifndef SLUICE_MEET_QUIC_SOCKET_H
#define SLUICE_MEET_QUIC_SOCKET_H

#include "base/err.h"
#include "net/stun.h"

struct peer_socket {
	int fd;
	bool ip6;	  /* also sends to IPv6 addresses */
	bool segments;	  /* the kernel splits batches */
	uint64_t dropped; /* could not be sent */
	uint32_t lost;	  /* received when the queue was full */
};

typedef void (*peer_socket_fn)(void *arg, const struct stun_endpoint *from, const uint8_t *data,
			       size_t length);

/* Opens it on a port that the kernel chooses. Returns 0, or -errno with *err set. */
int peer_socket_open(struct peer_socket *socket, struct err *err);
void peer_socket_close(struct peer_socket *socket);
/* Returns 0 on failure. */
in_port_t peer_socket_port(const struct peer_socket *socket);

/* Calls fn for the datagrams that are here, of a bounded number of reads. */
void peer_socket_read(struct peer_socket *socket, peer_socket_fn fn, void *arg);
/*
 * Sends datagrams of @size bytes each, the last of which may be shorter, in packets of ChannelData
 * to a server, whose header has this channel.
 */
void peer_socket_send_channel(struct peer_socket *socket, const struct stun_endpoint *server,
			      uint16_t channel, const void *data, size_t length, size_t size);
/* Sends datagrams of @size bytes each, the last of which may be shorter. */
void peer_socket_send(struct peer_socket *socket, const struct stun_endpoint *to, const void *data,
		      size_t length, size_t size);

#endif
