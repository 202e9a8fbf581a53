// SPDX-License-Identifier: GPL-2.0-or-later
#include "conntrack/audit.h"

#include "base/addr.h"
#include "base/array.h"

#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <stdio.h>
#include <stdlib.h>

/* In ms: the kernel rounds timeouts down to whole seconds. */
#define TIMEOUT_UNIT_MS 1000

const char *audit_reason_name(enum audit_reason reason)
{
	static const char *const names[AUDIT_REASONS] = {
		[AUDIT_TWIN] = "twin",
		[AUDIT_BACKEND_GONE] = "backend-gone",
		[AUDIT_SOCKET_GONE] = "socket-gone",
		[AUDIT_UNANSWERED] = "unanswered",
		[AUDIT_BACKEND_SILENT] = "backend-silent",
	};

	return names[reason];
}

/* --- comparing two dumps */

void audit_compare(const struct ct_table *earlier, struct ct_table *later)
{
	uint64_t latest_ms, expires_ms;
	size_t i;

	for (i = 0; i < later->count; i++) {
		struct ct_entry *after = &later->entry[i];
		const struct ct_entry *before = conntrack_find(earlier, after);

		if (!before || !conntrack_same(before, after))
			continue;
		after->watched = true;
		after->answered = after->reply_count.packets > before->reply_count.packets;
		if (before->counted && after->counted) {
			after->used = after->answered || after->original_count.packets >
								 before->original_count.packets;
			continue;
		}
		/* without counters: a datagram has been seen if the expiry has moved */
		latest_ms = earlier->end_ms + (uint64_t)before->timeout_s * 1000 + TIMEOUT_UNIT_MS;
		expires_ms = later->begin_ms + (uint64_t)after->timeout_s * 1000;
		after->used = expires_ms > latest_ms;
	}
}

/* --- classifying one dump */

static bool is_unreplied(const struct ct_entry *entry)
{
	return !(entry->status & IPS_SEEN_REPLY);
}

/* Offloaded flows bypass conntrack, so its timeouts and counters do not reflect them. */
static bool is_auditable(const struct ct_entry *entry)
{
	return !(entry->status & (IPS_OFFLOAD | IPS_HW_OFFLOAD | IPS_DYING | IPS_TEMPLATE));
}

const struct inet_socket *audit_sender(const struct ct_tuple *tuple, const struct inet *inet)
{
	return inet_find_socket(inet, &tuple->src, tuple->src_port_be, &tuple->dst,
				tuple->dst_port_be);
}

/*
 * Returns true if the server has a socket that is bound to the source address of @answer: it then
 * answers from this address intentionally, as a STUN server does on request (RFC 5780). Ignores a
 * socket that was bound to the wildcard address and then connected to its client.
 */
static bool is_bound_there(const struct ct_entry *answer, const struct inet *inet)
{
	const struct ct_tuple *original = &answer->original;
	const struct in6_addr any = in6addr_any;
	const struct inet_socket *socket = inet_find_socket(inet, &original->src,
							    original->src_port_be, &any, 0);

	return socket && IN6_ARE_ADDR_EQUAL(&socket->local, &original->src);
}

/*
 * Returns the first entry from the server's port to the client of @request. The other candidates
 * follow it, since conntrack_order() compares the ports before the source address.
 */
static size_t answers_begin(const struct ct_table *table, const struct ct_entry *request)
{
	struct ct_entry key = { .original = { .dst = request->reply.dst,
					      .dst_port_be = request->reply.dst_port_be,
					      .src_port_be = request->reply.src_port_be } };
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (conntrack_order(&table->entry[middle], &key) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/*
 * Finds twins. Sets twin[i] to 1 + the index of the other half; it stays 0 if entry i is not half
 * of a twin.
 */
static void pair_up(const struct ct_table *table, const struct inet *inet, size_t *twin)
{
	size_t i, j;

	for (i = 0; i < table->count; i++) {
		const struct ct_entry *request = &table->entry[i];
		const struct ct_tuple *reply = &request->reply;

		if (!is_unreplied(request) || !is_auditable(request) ||
		    !inet_is_local(inet, &reply->src))
			continue;
		for (j = answers_begin(table, request); j < table->count; j++) {
			const struct ct_entry *answer = &table->entry[j];
			const struct ct_tuple *sent = &answer->original;

			if (!IN6_ARE_ADDR_EQUAL(&sent->dst, &reply->dst) ||
			    sent->dst_port_be != reply->dst_port_be ||
			    sent->src_port_be != reply->src_port_be)
				break;
			if (IN6_ARE_ADDR_EQUAL(&sent->src, &reply->src) ||
			    answer->original_zone != request->reply_zone || !is_unreplied(answer) ||
			    !is_auditable(answer) || !inet_is_local(inet, &sent->src) ||
			    is_bound_there(answer, inet))
				continue;
			twin[i] = j + 1;
			twin[j] = i + 1;
		}
	}
}

/*
 * Checks whether a backend on another host is reachable; for a backend on this host, the caller
 * checks its socket.
 */
static enum audit_missing classify_backend(const struct ct_entry *entry, const struct inet *inet)
{
	if (!conntrack_is_dnat(entry) || inet_is_local(inet, &entry->reply.src))
		return AUDIT_MISSING_NOTHING;
	switch (inet_host_reach(inet, &entry->reply.src)) {
	case INET_REACH_NO_ROUTE:
		return AUDIT_MISSING_ROUTE;
	case INET_REACH_NO_NEIGHBOUR:
		return AUDIT_MISSING_NEIGHBOUR;
	case INET_REACH_OPEN:
		break;
	}
	return AUDIT_MISSING_NOTHING;
}

/*
 * Returns true for VXLAN and similar tunnels. Each end sends from a port without a socket to the
 * port on which the other end's kernel receives, so the reverse direction is a separate flow. A
 * socket without a visible process is assumed to be a kernel socket.
 */
static bool is_tunnel(const struct ct_entry *entry, const struct inet *inet)
{
	const struct inet_socket *socket;

	if (inet_is_local(inet, &entry->original.src) &&
	    inet_is_kernel_port(inet, entry->original.dst_port_be))
		return true;
	socket = inet_is_local(inet, &entry->reply.src) ? audit_sender(&entry->reply, inet) : NULL;
	return socket && !socket->pid;
}

/* Returns true if only packet counters can show whether the backend still replies. */
static bool may_be_silent(const struct ct_entry *entry, const struct inet *inet)
{
	return !is_unreplied(entry) && conntrack_is_dnat(entry) &&
	       !inet_is_local(inet, &entry->reply.src);
}

static bool classify(const struct ct_entry *entry, const struct inet *inet, size_t twin,
		     struct audit_finding *finding)
{
	finding->missing = AUDIT_MISSING_NOTHING;
	finding->twin = twin ? twin - 1 : finding->entry;
	if (twin) {
		finding->reason = AUDIT_TWIN;
		return true;
	}
	finding->missing = classify_backend(entry, inet);
	if (finding->missing) {
		finding->reason = AUDIT_BACKEND_GONE;
		return true;
	}
	/* a growing reply counter proves that a receiver exists */
	if (inet_is_local(inet, &entry->reply.src) && !entry->answered &&
	    !audit_sender(&entry->reply, inet)) {
		finding->missing = AUDIT_MISSING_RESPONDER;
		finding->reason = conntrack_is_dnat(entry) ? AUDIT_BACKEND_GONE : AUDIT_SOCKET_GONE;
		return true;
	}
	/* an entry in use may belong to a raw socket, which sends without a UDP socket */
	if (inet_is_local(inet, &entry->original.src) && entry->watched && !entry->used &&
	    !audit_sender(&entry->original, inet) && !is_tunnel(entry, inet)) {
		finding->missing = AUDIT_MISSING_ORIGINATOR;
		finding->reason = AUDIT_SOCKET_GONE;
		return true;
	}
	if (entry->counted && entry->used && !entry->answered && may_be_silent(entry, inet)) {
		finding->reason = AUDIT_BACKEND_SILENT;
		return true;
	}
	/* a reply to a multicast or broadcast datagram never matches its entry */
	finding->reason = AUDIT_UNANSWERED;
	return is_unreplied(entry) && entry->used && !inet_is_shared(inet, &entry->original.dst) &&
	       !is_tunnel(entry, inet);
}

int audit_classify(const struct ct_table *table, const struct inet *inet, struct audit *audit)
{
	size_t i, *twin = calloc(table->count + 1, sizeof(*twin));
	int result = twin ? 0 : -ENOMEM;

	if (twin)
		pair_up(table, inet, twin);
	for (i = 0; i < table->count && !result; i++) {
		const struct ct_entry *entry = &table->entry[i];
		struct audit_finding finding = { .entry = i };

		if (!is_auditable(entry))
			continue;
		audit->uncounted += !entry->counted && may_be_silent(entry, inet);
		if (!classify(entry, inet, twin[i], &finding))
			continue;
		result = array_grow((void **)&audit->finding, &audit->room, audit->count,
				    sizeof(finding));
		if (!result)
			audit->finding[audit->count++] = finding;
	}
	free(twin);
	return result;
}

int audit_backends(const struct ct_table *table, const struct inet *inet, struct in6_addr **addr,
		   size_t *count)
{
	struct in6_addr *found = NULL;
	size_t i, used = 0, room = 0;

	for (i = 0; i < table->count; i++) {
		const struct ct_entry *entry = &table->entry[i];

		if (!conntrack_is_dnat(entry) || inet_is_local(inet, &entry->reply.src))
			continue;
		if (array_grow((void **)&found, &room, used, sizeof(*found))) {
			free(found);
			return -ENOMEM;
		}
		found[used++] = entry->reply.src;
	}
	*addr = found;
	*count = used;
	return 0;
}

static void explain_twin(const struct ct_entry *entry, const struct ct_entry *twin, char *text,
			 size_t size)
{
	char requested[ADDR_TEXT_MAX], from[ADDR_TEXT_MAX];
	/* the request is the half whose expected reply has the destination of the other half */
	bool is_request = IN6_ARE_ADDR_EQUAL(&entry->reply.dst, &twin->original.dst) &&
			  entry->reply.dst_port_be == twin->original.dst_port_be;
	const struct ct_entry *request = is_request ? entry : twin;
	const struct ct_entry *answer = is_request ? twin : entry;

	snprintf(text, size,
		 is_request ? "requested %s, reply source %s: the reply does not match the request"
			    : "the answer to a request to %s, sent from %s",
		 addr_format_port(&request->reply.src, request->reply.src_port_be, requested),
		 addr_format(&answer->original.src, from));
}

const char *audit_explain(const struct ct_table *table, const struct audit_finding *finding,
			  char *text, size_t size)
{
	const struct ct_entry *entry = &table->entry[finding->entry];
	char responder[ADDR_TEXT_MAX], originator[ADDR_TEXT_MAX], backend[ADDR_TEXT_MAX];

	if (finding->reason == AUDIT_TWIN) {
		explain_twin(entry, &table->entry[finding->twin], text, size);
		return text;
	}
	addr_format_port(&entry->reply.src, entry->reply.src_port_be, responder);
	addr_format_port(&entry->original.src, entry->original.src_port_be, originator);
	addr_format(&entry->reply.src, backend);
	switch (finding->missing) {
	case AUDIT_MISSING_RESPONDER:
		snprintf(text, size, "no socket of this host receives on %s", responder);
		break;
	case AUDIT_MISSING_ORIGINATOR:
		snprintf(text, size, "no socket of this host sends from %s any more", originator);
		break;
	case AUDIT_MISSING_ROUTE:
		snprintf(text, size, "forwarded to %s, but there is no route to it", backend);
		break;
	case AUDIT_MISSING_NEIGHBOUR:
		snprintf(text, size, "forwarded to %s, which does not answer ARP or NDP", backend);
		break;
	case AUDIT_MISSING_NOTHING:
		if (finding->reason == AUDIT_BACKEND_SILENT)
			snprintf(text, size, "forwarded to %s, which did not reply while watched",
				 backend);
		else
			snprintf(text, size, "no reply was ever seen, but datagrams keep it alive");
		break;
	}
	return text;
}

void audit_free(struct audit *audit)
{
	free(audit->finding);
	*audit = (struct audit){ .finding = NULL };
}
