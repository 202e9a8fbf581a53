/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the conntrack entries that contradict the sockets and routes of this host, and the reason.
 * The audit only compares tables and never queries the kernel; when in doubt, it omits an entry.
 */
#ifndef SLUICE_CONNTRACK_AUDIT_H
#define SLUICE_CONNTRACK_AUDIT_H

#include "net/conntrack.h"
#include "net/inet.h"

/* The reason of a finding: the first that applies to the entry. */
enum audit_reason {
	/*
	 * Half of the pair that a wrong source address leaves: an unreplied request, and its reply
	 * as a flow of its own.
	 */
	AUDIT_TWIN,
	/* DNAT sends a client to a backend that is gone. */
	AUDIT_BACKEND_GONE,
	/* The end on this host no longer has a socket. */
	AUDIT_SOCKET_GONE,
	/* Datagrams refresh the entry, but no reply was ever seen. */
	AUDIT_UNANSWERED,
	/* The same, but the backend had replied before: it did not reply between the two reads. */
	AUDIT_BACKEND_SILENT,
	AUDIT_REASONS,
};

/*
 * The reasons that prove a fault, as a set of 1 << enum audit_reason. The others may be live flows
 * of services that never reply.
 */
#define AUDIT_PROVEN (1 << AUDIT_TWIN | 1 << AUDIT_BACKEND_GONE | 1 << AUDIT_SOCKET_GONE)

/* The missing part, for AUDIT_BACKEND_GONE and AUDIT_SOCKET_GONE. */
enum audit_missing {
	AUDIT_MISSING_NOTHING,
	AUDIT_MISSING_RESPONDER,  /* no socket receives the entry's datagrams */
	AUDIT_MISSING_ORIGINATOR, /* the socket that sent the first datagram */
	AUDIT_MISSING_ROUTE,
	AUDIT_MISSING_NEIGHBOUR,
};

struct audit_finding {
	enum audit_reason reason;
	enum audit_missing missing;
	size_t entry; /* index into the table */
	size_t twin;  /* AUDIT_TWIN: index of the other half */
};

struct audit {
	struct audit_finding *finding; /* in the order of the table */
	size_t count, room;
	size_t uncounted; /* entries that could be AUDIT_BACKEND_SILENT, but have no counters */
};

/* Returns the socket of this host that sends datagrams with this tuple, or NULL. */
const struct inet_socket *audit_sender(const struct ct_tuple *tuple, const struct inet *inet);
/* Returns "twin", "backend-gone", "socket-gone", "unanswered" or "backend-silent". */
const char *audit_reason_name(enum audit_reason reason);
/* Sets watched, used and answered of each entry in `later` that is also in `earlier`. */
void audit_compare(const struct ct_table *earlier, struct ct_table *later);
/* Appends a finding for each entry that contradicts *inet. Returns 0 or -ENOMEM. */
int audit_classify(const struct ct_table *table, const struct inet *inet, struct audit *audit);
/*
 * Lists the backends on other hosts that DNAT sends entries to. inet_query_hosts() must have
 * queried them before audit_classify(). The caller frees the list. Returns 0 or -ENOMEM.
 */
int audit_backends(const struct ct_table *table, const struct inet *inet, struct in6_addr **addr,
		   size_t *count);
/* Writes the reason as a sentence without a full stop; returns text. */
const char *audit_explain(const struct ct_table *table, const struct audit_finding *finding,
			  char *text, size_t size);
void audit_free(struct audit *audit);

#endif
