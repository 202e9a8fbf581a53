/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A STUN client over UDP, with several sockets and concurrent Binding transactions.
 *
 * The tests of RFC 5780 request a response from a different address, or to a different socket. The
 * client therefore accepts a response on any of its sockets and matches it only by transaction id;
 * the caller compares the addresses.
 */
#ifndef SLUICE_NAT_CLIENT_H
#define SLUICE_NAT_CLIENT_H

#include "base/err.h"
#include "base/loop.h"
#include "net/stun.h"

#define NAT_CLIENT_SOCKETS_MAX 40

enum nat_outcome {
	NAT_NOT_ASKED,
	NAT_PENDING,
	NAT_ANSWERED, /* a success response */
	NAT_REFUSED,  /* an error response, or a malformed response: code 0 */
	NAT_LOOPED,   /* the request has arrived at a socket of the client */
	NAT_SILENT,
};

struct nat_query {
	/* the request, set by the caller */
	int fd; /* from nat_client_socket() */
	struct stun_endpoint to;
	uint32_t change;	/* SLUICE_STUN_CHANGE_*; 0: the attribute is absent */
	uint16_t response_port; /* 0: the attribute is absent */
	void (*done)(struct nat_query *query);
	void *arg;
	/* the result */
	enum nat_outcome outcome;
	int arrived_fd;		   /* the socket that has received the response or request */
	struct stun_endpoint from; /* its source */
	struct stun_endpoint mapped;
	struct stun_endpoint other; /* OTHER-ADDRESS; port 0: absent */
	bool rewritten;		    /* MAPPED-ADDRESS differs from XOR-MAPPED-ADDRESS */
	unsigned int code;	    /* ERROR-CODE */
	int error;		    /* errno of sendto() or of an ICMP error, or 0 */
	bool sent;		    /* at least one request was sent */
	/* private */
	struct nat_query *next;
	uint8_t id[SLUICE_STUN_ID_SIZE];
	unsigned int tries;
	uint64_t sent_us, due_us;
};

struct nat_client;

/*
 * Creates a client. @source is the source address; NULL: selected by the route. Returns NULL on
 * ENOMEM.
 */
struct nat_client *nat_client_new(struct loop *loop, const struct in6_addr *source);
/* Opens a socket on an unused port. Returns the descriptor, or -errno with *err set. */
int nat_client_socket(struct nat_client *client, struct err *err);
/*
 * Starts a transaction after @delay_us, or sends the request at once if it is 0. The loop calls
 * query->done once when it is complete; done() may start other transactions, but must not free the
 * client. Until then, the query must not move in memory.
 */
void nat_client_ask(struct nat_client *client, struct nat_query *query, uint64_t delay_us);
/* Closes the sockets and drops pending queries. Does nothing for NULL. */
void nat_client_free(struct nat_client *client);

/* Returns the local port of a socket, in network order. */
in_port_t nat_local_port(int fd);
/* Determines the source address of the route to @to. Returns 0 or -errno. */
int nat_local_addr(const struct in6_addr *to, struct in6_addr *local);
/* Compares address and port. */
bool nat_is_same(const struct stun_endpoint *one, const struct stun_endpoint *other);
/*
 * Returns true if a request may be sent to an address that the server has reported: it must be a
 * unicast address with the family and scope of the server's address.
 */
bool nat_is_usable(const struct stun_endpoint *reported, const struct in6_addr *server);

#endif
