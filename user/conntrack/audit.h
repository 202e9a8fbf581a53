/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which conntrack entries contradict the sockets and routes of this host, and why.  It only
 * compares tables and never talks to the kernel; where the tables leave a doubt, an entry is left
 * out.
 */
#ifndef SLUICE_CONNTRACK_AUDIT_H
#define SLUICE_CONNTRACK_AUDIT_H

#include "conntrack/table.h"
#include "kernel/inet.h"

/* One for each entry: the first that holds. */
enum audit_reason {
	/* Half of the pair that a wrong source address leaves: the request, unanswered, and the
	 * answer, taken for a conversation of its own. */
	AUDIT_TWIN,
	/* DNAT has bound a client to a backend that is no longer there. */
	AUDIT_BACKEND_GONE,
	/* No socket is left at the end that is on this host. */
	AUDIT_SOCKET_GONE,
	/* It never got an answer, yet datagrams keep it alive. */
	AUDIT_UNANSWERED,
	AUDIT_REASONS,
};

/* What exactly is missing, for AUDIT_BACKEND_GONE and AUDIT_SOCKET_GONE. */
enum audit_missing {
	AUDIT_MISSING_NOTHING,
	AUDIT_MISSING_RESPONDER,  /* the socket that should receive what the entry lets in */
	AUDIT_MISSING_ORIGINATOR, /* the socket that sent its first datagram */
	AUDIT_MISSING_ROUTE,
	AUDIT_MISSING_NEIGHBOUR,
};

struct audit_finding {
	enum audit_reason reason;
	enum audit_missing missing;
	size_t entry; /* index into the table */
	size_t twin;  /* AUDIT_TWIN: the other half's */
};

struct audit {
	struct audit_finding *finding; /* in the order of the table */
	size_t count, room;
};

/* The socket of this host from which datagrams of the tuple are sent; NULL: none. */
const struct inet_socket *audit_sender(const struct ct_tuple *tuple, const struct inet *inet);
/* "twin", "backend-gone", "socket-gone", "unanswered" */
const char *audit_reason_name(enum audit_reason reason);
/* Sets watched, used and answered in the entries of `later` that are in `earlier`, too. */
void audit_compare(const struct ct_table *earlier, struct ct_table *later);
/* Appends a finding for each entry that contradicts *inet. 0 or -ENOMEM. */
int audit_classify(const struct ct_table *table, const struct inet *inet, struct audit *audit);
/*
 * The backends of entries that were sent to another host by DNAT, for inet_query_hosts(), which
 * audit_classify() relies on; to be freed by the caller.  0 or -ENOMEM.
 */
int audit_backends(const struct ct_table *table, const struct inet *inet, struct in6_addr **addr,
		   size_t *count);
/* The reason as a sentence without its full stop; returns text. */
const char *audit_explain(const struct ct_table *table, const struct audit_finding *finding,
			  char *text, size_t size);
void audit_free(struct audit *audit);

#endif
