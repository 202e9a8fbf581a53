// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * reply, wire mode: redirects requests to the address that the server answers from, and restores
 * the requested address as the source of answers, both before conntrack.
 *
 *	               as a host                            as a gateway
 *	client ── iface [server on this host]      client ── this host ── iface [server elsewhere]
 *	ingress: target A -> S                     egress:  target B1 -> B2, once B2 has answered
 *	egress:  source S -> A                     ingress: source B2 -> B1
 *
 * As a host, S is the source that the kernel would choose: by its own route lookup (kernel 6.7,
 * with forwarding on), else by sluice_w_routes from user space. The target is rewritten too, and
 * not just the source of answers: a server that connects its socket back to the client no longer
 * receives at A, and conntrack must see one pair of addresses. A gateway learns the server address
 * from its first answer.
 *
 * A decision about a flow holds for a quarter of a second; meanwhile a datagram costs a parse and a
 * lookup in the flow table. Rejected: a decision for each datagram (two route and two socket
 * lookups), and one for the life of the flow (routes, addresses and sockets change).
 *
 * One program each for ingress and egress is loaded for each kind of interface, with `role` as a
 * constant, so that the verifier drops unused code. ICMP errors about a rewritten datagram quote
 * it, and are translated in reverse.
 *
 * Explicit choices are respected: if this host sends first from an address of its own choice, the
 * answers reach that address; if a client switches to another address of the server behind a
 * gateway, its requests reach the new address.
 *
 * In doubt a program passes the packet unchanged. The stack is full: 512 bytes for the deepest
 * chain of calls, with each frame rounded up to 32 on kernel 5.10.
 */
#include "common/kernel.h"
#include "common/settings.h"
#include "wire/fast_path.h"
#include "wire/host.h"
#include "wire/maps.h"
#include "wire/packet.h"
#include "wire/table.h"

#include <linux/pkt_cls.h>

/* TCX_NEXT for tcx, "the next filter" for cls_bpf: later programs see the packet as well. */
#define PASS TC_ACT_UNSPEC

/* --- requests, toward the server */

static __always_inline void request_key(struct __sk_buff *skb, const struct ends *ends,
					bool gateway, struct wire_key *key)
{
	key->client = ends->source;
	key->client_port_be = ends->source_port_be;
	key->server_port_be = ends->target_port_be;
	key->scope = scope_of(skb, gateway);
}

static __always_inline void reply_key(struct __sk_buff *skb, const struct ends *ends, bool gateway,
				      struct wire_key *key)
{
	key->client = ends->target;
	key->client_port_be = ends->target_port_be;
	key->server_port_be = ends->source_port_be;
	key->scope = scope_of(skb, gateway);
}

static __always_inline bool view_live(const struct wire_view *view, __u32 now)
{
	return sluice_flow_idle(now, view->seen) <= age;
}

/* Returns true if datagrams of `server` are unrelated to the requested address. */
static __always_inline bool view_apart(const struct wire_view *view)
{
	const __u32 apart = SLUICE_WIRE_TURNED | SLUICE_WIRE_OWED;

	return addr_equal(&view->requested, &view->server) || (view->flags & apart) == apart;
}

/* Returns true if the decision still holds; flows that this host started keep theirs. */
static __always_inline bool view_holds(const struct wire_view *view, __u32 now)
{
	return view_live(view, now) &&
	       (view->flags & SLUICE_WIRE_HOST_FIRST ||
		sluice_flow_idle(now, view->checked) <= SLUICE_WIRE_RECHECK);
}

/* Does the previously requested address still have a pending reply? */
static __always_inline bool view_owes(const struct wire_view *view, __u32 now)
{
	return view->unanswered && sluice_flow_idle(now, view->seen) <= SLUICE_WIRE_LATE;
}

/* Does `server` still have a pending reply to a request that was sent to it? */
static __always_inline bool view_owed(const struct wire_view *view, __u32 now)
{
	return view->flags & SLUICE_WIRE_OWED &&
	       sluice_flow_idle(now, view->checked) <= SLUICE_WIRE_LATE;
}

/* Does the server still have a pending reply of its own, which must not be rewritten? */
static __always_inline bool owes_another(const struct wire_view *view,
					 const struct sluice_addr *target, __u32 now)
{
	if (addr_equal(&view->requested, target))
		return view_owed(view, now);
	return addr_equal(&view->requested, &view->server) && view_owes(view, now);
}

/* Handles an incoming datagram, perhaps to a server on this host. */
static __always_inline void request_to_host(struct __sk_buff *skb, const struct ends *ends,
					    struct change *change)
{
	struct sluice_wire_set *set;
	struct wire_view view;
	struct wire_key key;
	__u32 now = clock();
	bool known, owed;

	change->outcome = SLUICE_WIRE_request_not_local;
	if (!frame_is_local(skb, now))
		return;
	request_key(skb, ends, false, &key);
	set = wire_set(&key);
	if (!set)
		return;
	change->to = ends->target;
	known = wire_read(set, &key, &view);
	if (known && addr_equal(&view.requested, &ends->target) && view_holds(&view, now)) {
		wire_request_seen(set, &view, now);
		change->to = view.server;
		change->outcome = addr_equal(&view.server, &view.requested)
					  ? SLUICE_WIRE_request_right
					  : SLUICE_WIRE_request_rewritten;
	} else if (classify(skb, &key, &ends->target, &change->to, &change->outcome)) {
		owed = known && owes_another(&view, &ends->target, now) &&
		       addr_equal(&view.server, &change->to);
		/* no change: `checked`, the start of the pending reply, must stay */
		if (owed && view.flags & SLUICE_WIRE_OWED) {
			wire_request_seen(set, &view, now);
		} else {
			view.requested = ends->target;
			view.server = change->to;
			view.flags = owed ? SLUICE_WIRE_OWED : 0;
			view.unanswered = 1;
			wire_store(set, &key, &view, now);
		}
	}
	if (!addr_equal(&change->to, &ends->target))
		change->end = SLUICE_WIRE_TARGET;
}

static __always_inline bool addr_is_server(const struct sluice_addr *addr)
{
	return bpf_map_lookup_elem(&sluice_w_server, addr);
}

/*
 * Returns true if a request is redirected to the server address. While there is no reply, requests
 * alternate between the server address and the requested one, which may be the only one left.
 */
static __always_inline bool redirects(const struct wire_view *view, __u32 now)
{
	__u32 silent = sluice_flow_idle(now, view->checked);

	if (view->flags & SLUICE_WIRE_TURNED || addr_equal(&view->server, &view->requested))
		return false;
	return !(view->flags & SLUICE_WIRE_WAITING && view_live(view, now) &&
		 silent / SLUICE_WIRE_PATIENCE % 2);
}

/* Is this the first request without a reply? */
static __always_inline bool waits_now(const struct wire_view *view, __u32 now)
{
	return !(view->flags & SLUICE_WIRE_WAITING && view_live(view, now)) &&
	       sluice_flow_idle(now, view->checked) > SLUICE_WIRE_RECHECK;
}

/* Records that the client of a flow now sends to @target. */
static __always_inline void turn(struct wire_view *view, const struct sluice_addr *target,
				 __u32 now)
{
	/* a new flow has seen == 0 */
	view->flags = view->seen && view_live(view, now) ? SLUICE_WIRE_TURNED : 0;
	view->server = *target;
	if (view->flags && view_owes(view, now)) {
		view->flags |= SLUICE_WIRE_OWED;
		view->server = view->requested;
	}
	view->requested = *target;
}

/*
 * Handles a datagram to the server behind this gateway. Once the server has answered from another
 * address, its socket may be connected there, so later requests go to that address. The age does
 * not matter: the server may have stayed connected all the time.
 */
static __always_inline void request_to_server(struct __sk_buff *skb, const struct ends *ends,
					      struct change *change)
{
	struct sluice_wire_set *set;
	struct wire_view view = {};
	struct wire_key key;
	__u32 now = clock();
	bool fresh;

	if (!addr_is_server(&ends->target))
		return;
	request_key(skb, ends, true, &key);
	set = wire_set(&key);
	if (!set)
		return;
	fresh = !wire_read(set, &key, &view) || !addr_equal(&view.requested, &ends->target);
	if (fresh)
		turn(&view, &ends->target, now);
	change->outcome = SLUICE_WIRE_request_right;
	if (redirects(&view, now)) {
		change->outcome = SLUICE_WIRE_request_rewritten;
		change->to = view.server;
		change->end = SLUICE_WIRE_TARGET;
		fresh = waits_now(&view, now);
		view.flags |= fresh ? SLUICE_WIRE_WAITING : 0;
	}
	view.unanswered |= fresh;
	if (fresh)
		wire_store(set, &key, &view, now);
	else
		wire_request_seen(set, &view, now);
}

/* --- replies, toward the client */

/*
 * Finds the flow of a reply; returns false with change->outcome set if there is none. A reply that
 * needs a change is fixed at any age, as long as the flow has its slot: the server does not know of
 * the age, and the client still expects the requested address. If another client has got the same
 * address and port meanwhile, and this host sends to it first, the client sees an address of this
 * host all the same, and its answers are redirected correctly.
 */
static __always_inline bool reply_flow(struct sluice_wire_set *set, const struct wire_key *key,
				       const struct sluice_addr *source, __u32 now,
				       struct wire_view *view, struct change *change)
{
	change->outcome = SLUICE_WIRE_reply_no_flow;
	if (!wire_read(set, key, view))
		return false;
	change->outcome = SLUICE_WIRE_reply_expired;
	return view_live(view, now) || (addr_equal(&view->server, source) && !view_apart(view));
}

/*
 * Is this the pending reply? Then it is right, and later ones from this source are not. It does not
 * count as a reply of the requested address.
 */
static __always_inline bool reply_owed(struct sluice_wire_set *set, const struct wire_key *key,
				       const struct wire_view *view,
				       const struct sluice_addr *source, bool gateway, __u32 now,
				       struct change *change)
{
	if (likely(!view_owed(view, now)) || !addr_equal(&view->server, source) ||
	    !wire_take_owed(set, key, view, gateway ? &view->requested : &view->server, now))
		return false;
	change->outcome = SLUICE_WIRE_reply_right;
	return true;
}

/* Has no client used the address for the age? If it is gone, no client expects it either. */
static __always_inline bool is_unused(const struct wire_view *view, __u32 now)
{
	return sluice_flow_idle(now, view->checked) > age;
}

/* Restores the requested address as the source. */
static __always_inline void reply_from(const struct sluice_addr *requested, const struct ends *ends,
				       struct change *change)
{
	change->outcome = SLUICE_WIRE_reply_right;
	if (addr_equal(requested, &ends->source))
		return;
	change->outcome = SLUICE_WIRE_reply_rewritten;
	change->to = *requested;
	change->end = SLUICE_WIRE_SOURCE;
}

/* Handles an outgoing datagram, perhaps of a server on this host. */
static __always_inline void reply_of_host(struct __sk_buff *skb, const struct ends *ends,
					  struct change *change)
{
	struct sluice_wire_set *set;
	struct wire_view view;
	struct wire_key key;
	__u32 now = clock();

	reply_key(skb, ends, false, &key);
	set = wire_set(&key);
	if (!set)
		return;
	if (!reply_flow(set, &key, &ends->source, now, &view, change)) {
		/* the source may belong to a container on the same interface (macvlan) */
		if (!source_is_chosen(skb, ends) || addr_is_away(skb, &ends->source, true))
			return;
		view.requested = view.server = ends->source;
		view.flags = SLUICE_WIRE_HOST_FIRST;
		view.unanswered = 0;
		wire_store(set, &key, &view, now);
		return;
	}
	if (!addr_equal(&view.server, &ends->source) &&
	    !addr_equal(&view.requested, &ends->source)) {
		change->outcome = SLUICE_WIRE_reply_other_source;
		wire_reply_seen(set, &view, now);
		/* the host has switched its source: classify the next request */
		if (view.flags & SLUICE_WIRE_HOST_FIRST) {
			view.flags = 0;
			wire_store(set, &key, &view, now);
		}
		return;
	}
	if (reply_owed(set, &key, &view, &ends->source, false, now, change))
		return;
	if (!addr_equal(&view.requested, &ends->source) && is_unused(&view, now) &&
	    addr_is_away(skb, &view.requested, true)) {
		change->outcome = SLUICE_WIRE_reply_address_gone;
		return;
	}
	wire_reply_seen(set, &view, now);
	reply_from(&view.requested, ends, change);
}

/* Handles an incoming datagram, perhaps from the server behind this gateway. */
static __always_inline void reply_of_server(struct __sk_buff *skb, const struct ends *ends,
					    struct change *change)
{
	struct sluice_wire_set *set;
	struct wire_view view;
	struct wire_key key;
	__u32 now = clock();

	if (!addr_is_server(&ends->source))
		return;
	reply_key(skb, ends, true, &key);
	set = wire_set(&key);
	if (!set)
		return;
	if (!reply_flow(set, &key, &ends->source, now, &view, change))
		return;
	if (is_unused(&view, now) && !addr_is_server(&view.requested)) {
		change->outcome = SLUICE_WIRE_reply_address_gone;
		return;
	}
	if (reply_owed(set, &key, &view, &ends->source, true, now, change))
		return;
	if (view_owed(&view, now) && addr_equal(&view.requested, &ends->source)) {
		wire_reply_seen(set, &view, now);
	} else if (addr_equal(&view.server, &ends->source) &&
		   !(view.flags & (SLUICE_WIRE_WAITING | SLUICE_WIRE_OWED))) {
		wire_reply_seen(set, &view, now);
		wire_confirm(set, &view, now);
	} else {
		view.server = ends->source;
		view.flags &= ~(SLUICE_WIRE_WAITING | SLUICE_WIRE_OWED);
		view.unanswered = 0;
		wire_store(set, &key, &view, now);
	}
	reply_from(&view.requested, ends, change);
}

/* --- ICMP errors */

/* Translates an error toward the server, which quotes a rewritten reply. */
static __always_inline bool error_about_reply(struct __sk_buff *skb, const struct parsed *pkt,
					      bool gateway)
{
	struct sluice_wire_set *set;
	struct wire_view view;
	struct wire_key key;

	if (!port_managed(bpf_ntohs(pkt->quoted.source_port_be)))
		return false;
	reply_key(skb, &pkt->quoted, gateway, &key);
	set = wire_set(&key);
	if (!set || !wire_read(set, &key, &view) || view_apart(&view) ||
	    !addr_equal(&view.requested, &pkt->quoted.source) ||
	    sluice_flow_idle(clock(), view.seen) > age)
		return false;
	if (!change_quoted(skb, pkt, SLUICE_WIRE_SOURCE, &view.server))
		return false;
	if (!addr_equal(&pkt->outer.target, &view.requested))
		return true;
	return change_address(skb, pkt, SLUICE_WIRE_TARGET, &view.server);
}

/* Translates an error toward the client, which quotes a rewritten request. */
static __always_inline bool error_about_request(struct __sk_buff *skb, const struct parsed *pkt,
						bool gateway)
{
	struct sluice_wire_set *set;
	struct wire_view view;
	struct wire_key key;

	if (!port_managed(bpf_ntohs(pkt->quoted.target_port_be)))
		return false;
	request_key(skb, &pkt->quoted, gateway, &key);
	set = wire_set(&key);
	if (!set || !wire_read(set, &key, &view) || view_apart(&view) ||
	    !addr_equal(&view.server, &pkt->quoted.target) ||
	    sluice_flow_idle(clock(), view.seen) > age)
		return false;
	if (!change_quoted(skb, pkt, SLUICE_WIRE_TARGET, &view.requested))
		return false;
	if (!addr_equal(&pkt->outer.source, &view.server))
		return true;
	return change_address(skb, pkt, SLUICE_WIRE_SOURCE, &view.requested);
}

static __always_inline void error_pass(struct __sk_buff *skb, const struct parsed *pkt, bool out)
{
	bool host = role & SLUICE_WIRE_HOST, gateway = role & SLUICE_WIRE_GATEWAY;
	bool done;

	if (out)
		done = (host && error_about_request(skb, pkt, false)) ||
		       (gateway && error_about_reply(skb, pkt, true));
	else
		done = (host && frame_is_local(skb, clock()) &&
			error_about_reply(skb, pkt, false)) ||
		       (gateway && error_about_request(skb, pkt, true));
	count(done ? SLUICE_WIRE_error_translated : SLUICE_WIRE_error_left);
}

/* --- the programs */

static __always_inline void decide_in(struct __sk_buff *skb, const struct ends *ends,
				      struct change *change)
{
	if (role & SLUICE_WIRE_HOST && port_managed(bpf_ntohs(ends->target_port_be)))
		request_to_host(skb, ends, change);
	if (role & SLUICE_WIRE_GATEWAY && !change->end &&
	    port_managed(bpf_ntohs(ends->source_port_be)))
		reply_of_server(skb, ends, change);
}

static __always_inline void decide_out(struct __sk_buff *skb, const struct ends *ends,
				       struct change *change)
{
	if (role & SLUICE_WIRE_HOST && port_managed(bpf_ntohs(ends->source_port_be)))
		reply_of_host(skb, ends, change);
	if (role & SLUICE_WIRE_GATEWAY && !change->end &&
	    port_managed(bpf_ntohs(ends->target_port_be)))
		request_to_server(skb, ends, change);
}

static __always_inline int handle(struct __sk_buff *skb, bool out)
{
	struct change change = { .outcome = SLUICE_WIRE_COUNTERS_MAX };
	enum parsed_kind kind;
	struct parsed pkt;

	kind = packet_parse(skb, &pkt);
	if (likely(kind == PARSED_DATAGRAM)) {
		if (out)
			decide_out(skb, &pkt.outer, &change);
		else
			decide_in(skb, &pkt.outer, &change);
		if (unlikely(pkt.fragment == PACKET_FIRST_FRAGMENT))
			fragment_store(skb, &pkt, out, &change);
	} else if (kind == PARSED_LATER_FRAGMENT) {
		fragment_follow(skb, &pkt, out, &change);
	} else {
		if (kind == PARSED_ERROR)
			error_pass(skb, &pkt, out);
		return PASS;
	}
	if (change.end && !change_address(skb, &pkt, change.end, &change.to))
		change.outcome = SLUICE_WIRE_failed;
	if (change.outcome < SLUICE_WIRE_COUNTERS_MAX)
		count(change.outcome);
	return PASS;
}

SEC("tc")
int sluice_wire_in(struct __sk_buff *skb)
{
	return handle(skb, false);
}

SEC("tc")
int sluice_wire_out(struct __sk_buff *skb)
{
	return handle(skb, true);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
