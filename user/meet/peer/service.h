/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Services: the local UDP and TCP addresses that a peer exposes to others, under names; and the
 * records by which one peer asks the other for a service, sluice-protocol(7).
 *
 * A peer opens a stream and sends a request; the other peer answers with a code. A
 * stream of a TCP service then carries its bytes. That of a UDP service stays open as long as the
 * service is used, and carries those datagrams, each behind a header, that do not fit a QUIC
 * datagram; the others travel as QUIC datagrams, which name the stream.
 */
#ifndef SLUICE_MEET_PEER_SERVICE_H
#define SLUICE_MEET_PEER_SERVICE_H

#include "base/err.h"
#include "meet/peers.h"
#include "net/stun.h"

enum service_kind {
	SERVICE_UDP = 1,
	SERVICE_TCP = 2,
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
	SERVICE_SILENT,	 /* the local address does not accept the connection */
	SERVICE_LIMIT,	 /* too many at once */
	SERVICE_CODES,
};

extern const char *const service_kinds[];     /* by kind; NULL ends the list */
extern const char *const service_code_text[]; /* by code */

/* Returns the text of a code that another peer has sent. */
const char *service_describe(unsigned int code);

/* Parses udp:ADDR:PORT or tcp:ADDR:PORT. @what names the option, NULL: none. Returns 0 or -EINVAL
 * with *err. */
int service_parse_address(const char *what, const char *text, struct service_address *address,
			  struct err *err);
/* Parses [NAME=]udp:ADDR:PORT or the same with tcp. */
int service_parse(const char *what, const char *text, struct service *service, struct err *err);
bool service_is_name(const char *text);

/*
 * Finds what a request asks for. An empty name is that of the service without a name, or the only
 * one of its kind. NULL: there is none.
 */
const struct service *service_find(const struct service *services, unsigned int count,
				   enum service_kind kind, const char *name);

/* A request: kind, length of the name, name. The longest has SERVICE_REQUEST_MAX bytes. */
#define SERVICE_REQUEST_MAX (2 + PEER_NAME_MAX)

/* Writes a request. Returns its size. */
size_t service_request_put(uint8_t buffer[SERVICE_REQUEST_MAX], enum service_kind kind,
			   const char *name);
/*
 * Reads a request at the start of a stream of which @have bytes are here. Returns its size; 0 if
 * that needs more bytes; or -EPROTO.
 */
int service_request_read(const uint8_t *data, size_t have, enum service_kind *kind,
			 char name[PEER_NAME_MAX + 1]);

#endif
