/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The few STUN messages (RFC 8489) that a client needs to learn how its NAT maps it: the Binding
 * request, with the RESPONSE-PORT of RFC 5780, and its response; and the Binding indication, a
 * keepalive that is not answered (RFC 8445, section 11).
 */
#ifndef SLUICE_BASE_STUN_H
#define SLUICE_BASE_STUN_H

#include <netinet/in.h>
#include <stddef.h>
#include <stdint.h>

#define STUN_ID_SIZE  12 /* of a transaction id */
#define STUN_SENT_MAX 28 /* the longest message that is built here */

/* Build a message from a transaction id. Return its length. */
size_t stun_indication(uint8_t *message, const uint8_t id[STUN_ID_SIZE]);
/* @port is the port to which the server sends the response; 0: the source port. */
size_t stun_request(uint8_t *message, const uint8_t id[STUN_ID_SIZE], uint16_t port);

struct stun_mapped {
	struct in6_addr addr; /* IPv4 as ::ffff:a.b.c.d */
	in_port_t port_be;
};

/*
 * Parses the response to a request with this transaction id. Returns 0 with *mapped set, -EAGAIN if
 * it is not such a response, -EBADMSG if it is malformed, or -EREMOTEIO for an error response, with
 * its code in *error.
 */
int stun_response(const uint8_t *message, size_t length, const uint8_t id[STUN_ID_SIZE],
		  struct stun_mapped *mapped, unsigned int *error);

#endif
