/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Handles a server behind this host; host.h handles servers on this host. The programs run at the
 * interface toward the server: they record requests on egress, and correct answers on ingress,
 * before PREROUTING. They cannot read the server's sockets. So they insert only addresses that the
 * user has listed for the server, and redirect requests only after the server has refused one.
 */
#ifndef SLUICE_BPF_WIRE_GATEWAY_H
#define SLUICE_BPF_WIRE_GATEWAY_H

#include "common/addr.h"
#include "common/ticks.h"
#include "wire/record.h"

static __always_inline bool addr_is_servers(const struct sluice_addr *addr)
{
	return bpf_map_lookup_elem(&sluice_w_server, addr);
}

/* Handles an outgoing datagram, which may be a request to the server. */
static __always_inline void gateway_request(struct __sk_buff *skb, const struct ends *ends,
					    struct wire_key *key, struct wire_view *view,
					    struct change *change)
{
	struct sluice_wire_set *set;

	if (!addr_is_servers(&ends->target))
		return;
	set = request_set(skb, ends, true, key);
	if (!set)
		return;
	change->outcome = request_is_clear(set, key, &ends->target, false, true, tick_clock(),
					   false);
	if (change->outcome != SLUICE_WIRE_COUNTERS_MAX)
		return;
	change->outcome = record_request(set, key, &ends->target, false, view);
	if (change->outcome != SLUICE_WIRE_COUNTERS_MAX)
		return;
	change->outcome = SLUICE_WIRE_request_passed;
	if (!(view->flags & SLUICE_WIRE_REDIRECT) || !addr_is_servers(&view->server))
		return;
	change->to = view->server;
	change->end = SLUICE_WIRE_TARGET;
	change->outcome = SLUICE_WIRE_request_rewritten;
}

/*
 * Replaces the socket cookie, which is unknown here, so that a decision about an answer can be
 * stored.
 */
#define GATEWAY_COOKIE 1

/* Handles an incoming datagram, which may be an answer from the server. */
static __always_inline void gateway_reply(struct __sk_buff *skb, const struct ends *ends,
					  struct wire_key *key, struct wire_view *view,
					  struct change *change)
{
	struct sluice_wire_flow *flow;
	struct sluice_wire_set *set;
	__u32 now = tick_clock(), way;

	if (!addr_is_servers(&ends->source))
		return;
	set = reply_set(skb, ends, true, key);
	if (!set)
		return;
	flow = record_peek(set, key, now, &way);
	change->outcome = flow ? reply_is_clear(flow) : SLUICE_WIRE_reply_no_flow;
	if (change->outcome != SLUICE_WIRE_COUNTERS_MAX)
		return;
	if (reply_is_sealed(set, way, key, &ends->source, GATEWAY_COOKIE, 0, now, &change->to)) {
		change->outcome = SLUICE_WIRE_reply_rewritten;
		change->end = SLUICE_WIRE_SOURCE;
		return;
	}
	view->genid = 0;
	change->outcome = record_reply(set, key, &ends->source, GATEWAY_COOKIE, view);
	if (change->outcome == SLUICE_WIRE_reply_rewritten)
		goto rewrite;
	if (change->outcome != SLUICE_WIRE_COUNTERS_MAX)
		return;
	change->outcome = SLUICE_WIRE_reply_address_gone;
	if (!addr_is_servers(&view->requested))
		return;
	if (record_prove(set, key, view, &ends->source, GATEWAY_COOKIE))
		count(SLUICE_WIRE_proven);
	change->outcome = SLUICE_WIRE_reply_rewritten;
rewrite:
	change->to = view->requested;
	change->end = SLUICE_WIRE_SOURCE;
}

#endif
