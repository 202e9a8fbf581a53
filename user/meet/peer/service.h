/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Services: the named local UDP and TCP addresses that a peer exposes to other peers, and the
 * records with which a peer requests a service, sluice-protocol(7).
 *
 * A peer opens a stream and sends a request; the other peer answers with a code. A stream of a TCP
 * service then carries its bytes. A stream of a UDP service stays open while the service is in use.
 * It carries the datagrams that do not fit a QUIC datagram, each after a header; all others travel
 * as QUIC datagrams that contain the number of the stream.
 */
#ifndef SLUICE_MEET_PEER_SERVICE_H
#define SLUICE_MEET_PEER_SERVICE_H

#include "base/err.h"
#include "meet/peer/member.h"
#include "meet/peers.h"
#include "net/stun.h"

enum service_kind {
	SERVICE_UDP = 1,
	SERVICE_TCP = 2,
	SERVICE_MEMBER = 3, /* no service, but a member of the pool: peer/member.h */
};

struct service_address {
	enum service_kind kind;
	struct stun_endpoint at;
};

struct service {
	struct service_address address;
	char name[PEER_NAME_MAX + 1]; /* may be empty */
};

#define SERVICES_MAX 32

enum service_code {
	SERVICE_OK,
	SERVICE_UNKNOWN, /* no service of this name and kind */
	SERVICE_SILENT,	 /* the local service does not accept the connection */
	SERVICE_LIMIT,	 /* too many at once */
	SERVICE_CODES,
};

extern const char *const service_kinds[];     /* by kind, NULL-terminated */
extern const char *const service_code_text[]; /* by code */

/* Returns the text for a code that the other peer has sent. */
const char *service_describe(unsigned int code);

/*
 * Parses udp:ADDR:PORT or tcp:ADDR:PORT. @what: name of the option, or NULL. Returns 0 or -EINVAL
 * with *err.
 */
int service_parse_address(const char *what, const char *text, struct service_address *address,
			  struct err *err);
/* Parses [NAME=]udp:ADDR:PORT or [NAME=]tcp:ADDR:PORT. */
int service_parse(const char *what, const char *text, struct service *service, struct err *err);
bool service_is_name(const char *text);

/*
 * Finds the service that a request names. An empty name matches the service without a name, or the
 * only service of its kind. NULL: there is none.
 */
const struct service *service_find(const struct service *services, unsigned int count,
				   enum service_kind kind, const char *name);

/* A request: kind, length of the text, text: the name of the service, or a member's request. */
#define SERVICE_HEADER	    2
#define SERVICE_REQUEST_MAX (SERVICE_HEADER + MEMBER_REQUEST_MAX)

/* Writes a request. Returns its size. */
size_t service_request_put(uint8_t buffer[SERVICE_REQUEST_MAX], enum service_kind kind,
			   const void *text, size_t length);
/*
 * Parses a request at the start of a stream, of which @have bytes have arrived. Returns its size, 0
 * if more bytes are needed, or -EPROTO. *name is empty for a member.
 */
int service_request_read(const uint8_t *data, size_t have, enum service_kind *kind,
			 char name[PEER_NAME_MAX + 1]);

#endif
