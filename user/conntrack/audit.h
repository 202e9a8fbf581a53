/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the conntrack entries that contradict the sockets and routes of this host, and the reason.
 * The audit only compares tables and never queries the kernel. It omits doubtful entries.
 */
#ifndef SLUICE_CONNTRACK_AUDIT_H
#define SLUICE_CONNTRACK_AUDIT_H

#include "net/conntrack.h"
#include "net/inet.h"

/* The reason of a finding: the first of these that applies to the entry. */
enum audit_reason {
	/*
	 * Half of a twin, the two entries that a wrong source address creates: an unreplied
	 * request, and its reply as a separate flow.
	 */
	AUDIT_TWIN,
	/* DNAT forwards to a backend that no longer exists. */
	AUDIT_BACKEND_GONE,
	/* The endpoint on this host no longer has a socket. */
	AUDIT_SOCKET_GONE,
	/* Datagrams refresh the entry, which has never seen a reply. */
	AUDIT_UNANSWERED,
	/*
	 * Datagrams refresh the entry, but the backend, which has replied before, did not reply
	 * between the two dumps.
	 */
	AUDIT_BACKEND_SILENT,
	AUDIT_REASONS,
};

/*
 * The reasons that prove a fault, as a set of 1 << enum audit_reason. With other reasons, an entry
 * may be a live flow of a service that never replies.
 */
#define AUDIT_PROVEN (1 << AUDIT_TWIN | 1 << AUDIT_BACKEND_GONE | 1 << AUDIT_SOCKET_GONE)

/* The missing part, for AUDIT_BACKEND_GONE and AUDIT_SOCKET_GONE. */
enum audit_missing {
	AUDIT_MISSING_NOTHING,
	AUDIT_MISSING_RESPONDER,  /* no socket receives datagrams of the original direction */
	AUDIT_MISSING_ORIGINATOR, /* the socket that sent the first datagram is closed */
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
	size_t uncounted; /* possible AUDIT_BACKEND_SILENT entries without counters */
};

/* Returns the socket of this host that would send a datagram with this tuple, or NULL. */
const struct inet_socket *audit_sender(const struct ct_tuple *tuple, const struct inet *inet);
/* Returns "twin", "backend-gone", "socket-gone", "unanswered" or "backend-silent". */
const char *audit_reason_name(enum audit_reason reason);
/* Sets watched, used and answered of each entry in `later` that is also in `earlier`. */
void audit_compare(const struct ct_table *earlier, struct ct_table *later);
/* Appends a finding for each entry that contradicts *inet. Returns 0 or -ENOMEM. */
int audit_classify(const struct ct_table *table, const struct inet *inet, struct audit *audit);
/*
 * Lists the backends on other hosts to which DNAT forwards. Call inet_query_hosts() with this list
 * before audit_classify(). The caller frees the list. Returns 0 or -ENOMEM.
 */
int audit_backends(const struct ct_table *table, const struct inet *inet, struct in6_addr **addr,
		   size_t *count);
/* Formats the reason as a phrase without a full stop. Returns text. */
const char *audit_explain(const struct ct_table *table, const struct audit_finding *finding,
			  char *text, size_t size);
void audit_free(struct audit *audit);

#endif
