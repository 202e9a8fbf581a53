// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Object reply, mode wire: restores the requested address as the source of answers that leave from
 * another one, and redirects requests that the server's host would refuse because the server has
 * connected back. Both happen before conntrack.
 *
 *	               as a host                            as a gateway
 *	client -- iface [server on this host]      client -- this host -- iface [server elsewhere]
 *	ingress: request noted                     egress:  request noted
 *	egress:  source S -> A, a fault            ingress: source S -> A, a fault
 *	ingress: target A -> S, if refused         egress:  target A -> S, once refused
 *
 * The programs predict nothing, and never change the datagrams of a server that answers from the
 * requested address. They change the source of an answer only after they have detected the fault,
 * and the destination of a request only if the host would refuse the request. Decisions that a
 * request reaches a socket, or that a socket's answers are wrong, stay valid for a quarter of a
 * second, unless the server closes or connects the socket. Until then, a datagram costs a parse and
 * a lookup in the table of records. A refusal is looked up for each request.
 *
 * Rejected: a route lookup for the source that the kernel would choose. That source depends on
 * ports, marks, rules and multipath hashes, on addresses that change, and on the server's socket
 * options.
 *
 * The loader loads a pair of programs, for ingress and egress, for each kind of interface. `role`
 * is a constant in each, so that the verifier removes dead code.
 *
 * When in doubt, a program passes the packet unchanged. The stack is full: the deepest call chain
 * uses all 512 bytes, since kernel 5.10 rounds each frame up to 32 bytes.
 */
#include "common/kernel.h"
#include "common/settings.h"
#include "wire/change_plain.h"
#include "wire/error.h"
#include "wire/fragment.h"
#include "wire/gateway.h"
#include "wire/host.h"
#include "wire/maps.h"
#include "wire/packet.h"
#include "wire/parse_plain.h"

#include <linux/pkt_cls.h>

/* TCX_NEXT for tcx, "the next filter" for cls_bpf: later programs see the packet as well. */
#define PASS TC_ACT_UNSPEC

static __always_inline void decide_in(struct __sk_buff *skb, const struct ends *ends,
				      struct wire_key *key, struct wire_view *view, bool conntrack,
				      struct change *change)
{
	if (role & SLUICE_WIRE_HOST && port_managed(bpf_ntohs(ends->target_port_be)))
		host_request(skb, ends, key, view, conntrack, change);
	if (role & SLUICE_WIRE_GATEWAY && !change->end &&
	    port_managed(bpf_ntohs(ends->source_port_be)))
		gateway_reply(skb, ends, key, view, change);
}

static __always_inline void decide_out(struct __sk_buff *skb, const struct ends *ends,
				       struct wire_key *key, struct wire_view *view, bool conntrack,
				       struct change *change)
{
	if (role & SLUICE_WIRE_HOST && port_managed(bpf_ntohs(ends->source_port_be)))
		host_reply(skb, ends, key, view, conntrack, change);
	if (role & SLUICE_WIRE_GATEWAY && !change->end &&
	    port_managed(bpf_ntohs(ends->target_port_be)))
		gateway_request(skb, ends, key, view, change);
}

static __always_inline int handle(struct __sk_buff *skb, bool out, bool conntrack)
{
	struct change change = { .outcome = SLUICE_WIRE_COUNTERS_MAX };
	enum parsed_kind kind;
	struct wire_view view;
	struct wire_key key;
	struct parsed pkt;

	kind = packet_parse(skb, &pkt);
	if (likely(kind == PARSED_DATAGRAM)) {
		if (out)
			decide_out(skb, &pkt.outer, &key, &view, conntrack, &change);
		else
			decide_in(skb, &pkt.outer, &key, &view, conntrack, &change);
		if (unlikely(!pkt.unfragmented))
			fragment_store(skb, &pkt, out, &change);
	} else if (kind == PARSED_LATER_FRAGMENT) {
		fragment_follow(skb, &pkt, out, &change);
	} else if (kind == PARSED_ERROR) {
		return error_pass(skb, &pkt, out, &key, &change.to) ? TC_ACT_SHOT : PASS;
	} else {
		return PASS;
	}
	if (change.end &&
	    !(is_plain(&pkt, conntrack) ? change_plain(skb, pkt.version, change.end, &change.to)
					: change_address(skb, &pkt, change.end, &change.to)))
		change.outcome = SLUICE_WIRE_failed;
	if (change.outcome < SLUICE_WIRE_COUNTERS_MAX)
		count(change.outcome);
	return PASS;
}

SEC("tc")
int sluice_wire_in(struct __sk_buff *skb)
{
	return handle(skb, false, false);
}

SEC("tc")
int sluice_wire_out(struct __sk_buff *skb)
{
	return handle(skb, true, false);
}

/* The same programs for kernels with conntrack kfuncs. */
SEC("tc")
int sluice_ct_in(struct __sk_buff *skb)
{
	return handle(skb, false, true);
}

SEC("tc")
int sluice_ct_out(struct __sk_buff *skb)
{
	return handle(skb, true, true);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
