/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The introduction of a member of the pool, sluice-protocol(7): a further TCP connection between
 * two peers that have a path. They exchange it on a stream of the connection over this path, which
 * is authentic and secret, so it needs no server.
 *
 * The borrowing peer connects from a new port. It sends the session id, its ephemeral key, and the
 * addresses of this port. The other peer answers with its ephemeral key; it uses the port and the
 * addresses of the introduction by the server.
 */
#ifndef SLUICE_MEET_PEER_MEMBER_H
#define SLUICE_MEET_PEER_MEMBER_H

#include "meet/peer/introduction.h"
#include "net/stun.h"

#define MEMBER_ADDRESSES_MAX 8
#define MEMBER_ADDRESS_SIZE  18 /* an IPv6 or IPv4-mapped address, and a port */
/* A request has at most this size. */
#define MEMBER_REQUEST_MAX \
	(SLUICE_RENDEZVOUS_SESSION_ID_SIZE + KEY_SIZE + MEMBER_ADDRESSES_MAX * MEMBER_ADDRESS_SIZE)

struct member_request {
	uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE];
	uint8_t ephemeral[KEY_SIZE]; /* public */
	struct stun_endpoint at[MEMBER_ADDRESSES_MAX];
	unsigned int addresses;
};

/* Writes a request. Returns its size. */
size_t member_request_put(uint8_t buffer[MEMBER_REQUEST_MAX], const struct member_request *request);
/* Parses a request. Returns 0 or -EPROTO. */
int member_request_read(const uint8_t *data, size_t length, struct member_request *request);

/*
 * Makes the introduction of a member from that of its path. @other has the id, and the ephemeral
 * key and the addresses of the other peer; @secret is the own ephemeral key. The start time is now.
 */
void member_introduce(struct introduction *introduction, const struct introduction *path,
		      const struct member_request *other, const uint8_t secret[KEY_SIZE],
		      bool initiator, uint64_t now_ns);

#endif
