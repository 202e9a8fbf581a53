// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * reply, wire mode: requests are sent on to the address that the server answers from, and answers
 * get back the address that the client had asked, both before conntrack.
 *
 *	               as a host                            as a gateway
 *	client ── iface [server on this host]      client ── this host ── iface [server elsewhere]
 *	ingress: target A -> S                     egress:  target B1 -> B2, once B2 has answered
 *	egress:  source S -> A                     ingress: source B2 -> B1
 *
 * As a host, S is what the kernel would answer from: its own route look-up says so (kernel 6.7,
 * with forwarding on), else the routes that user space put into sluice_w_routes.  The target is
 * rewritten too, and not the source of answers alone, since a server that connects its socket back
 * to the client would not be found at A any more, and since conntrack must see one pair of
 * addresses. As a gateway, the server is known when it has answered.
 *
 * A decision holds for a quarter of a second for its flow; in between a datagram costs a parse and
 * a look-up in the flow table.  Rejected: deciding for each datagram (two route and two socket
 * look-ups), and for the life of the flow (routes, addresses and sockets change).
 *
 * One program each for ingress and egress, loaded once for each kind of interface with `role` as a
 * constant: what a kind has no use for is not in it.  Errors of ICMP about a rewritten datagram
 * quote it, and are translated the other way.
 *
 * What others chose is not second-guessed: where this host speaks first from an address of its
 * own choice, the answers come to that one; where a client turns to another address of the server
 * behind a gateway, it gets that one.
 *
 * A program that is unsure lets the packet pass unchanged.  Its stack is full: 512 bytes for the
 * deepest chain of calls, with each frame rounded up to 32 on kernel 5.10.
 */
#include "common/kernel.h"
#include "common/settings.h"
#include "wire/fast_path.h"
#include "wire/host.h"
#include "wire/maps.h"
#include "wire/packet.h"
#include "wire/table.h"

#include <linux/pkt_cls.h>

/* For tcx TCX_NEXT, for cls_bpf "the next filter": who comes after us sees the packet as well. */
#define PASS TC_ACT_UNSPEC

/* --- requests, toward the server */

static __always_inline void request_key(struct __sk_buff *skb, const struct ends *ends,
					bool gateway, struct wire_key *key)
{
	key->client = ends->source;
	key->client_port_be = ends->source_port_be;
	key->server_port_be = ends->target_port_be;
	key->zone = zone_of(skb, gateway);
}

static __always_inline void reply_key(struct __sk_buff *skb, const struct ends *ends, bool gateway,
				      struct wire_key *key)
{
	key->client = ends->target;
	key->client_port_be = ends->target_port_be;
	key->server_port_be = ends->source_port_be;
	key->zone = zone_of(skb, gateway);
}

static __always_inline bool view_live(const struct wire_view *view, __u32 now)
{
	return sluice_flow_idle(now, view->seen) <= age;
}

/* What is sent to `server` or from there is not meant for or by the address asked. */
static __always_inline bool view_apart(const struct wire_view *view)
{
	const __u32 apart = SLUICE_WIRE_TURNED | SLUICE_WIRE_OWED;

	return addr_equal(&view->asked, &view->server) || (view->marks & apart) == apart;
}

/* What this host began is not judged while it lasts. */
static __always_inline bool view_holds(const struct wire_view *view, __u32 now)
{
	return view_live(view, now) &&
	       (view->marks & SLUICE_WIRE_HOST_FIRST ||
		sluice_flow_idle(now, view->checked) <= SLUICE_WIRE_RECHECK);
}

/* Does the address that the client turns away from still owe it an answer? */
static __always_inline bool view_owes(const struct wire_view *view, __u32 now)
{
	return view->unanswered && sluice_flow_idle(now, view->seen) <= SLUICE_WIRE_LATE;
}

/* Does `server` still owe an answer for which the client had asked there? */
static __always_inline bool view_owed(const struct wire_view *view, __u32 now)
{
	return view->marks & SLUICE_WIRE_OWED &&
	       sluice_flow_idle(now, view->checked) <= SLUICE_WIRE_LATE;
}

/*
 * Will answers of *server, where requests to `target` go on to, have to be told from one that it
 * owes to a request to itself?
 */
static __always_inline bool owes_another(const struct wire_view *view,
					 const struct sluice_addr *target, __u32 now)
{
	if (addr_equal(&view->asked, target))
		return view_owed(view, now);
	return addr_equal(&view->asked, &view->server) && view_owes(view, now);
}

/* A datagram that came in, to a server on this host perhaps. */
static __always_inline void request_to_host(struct __sk_buff *skb, const struct ends *ends,
					    struct change *change)
{
	struct sluice_wire_set *set;
	struct wire_view view;
	struct wire_key key;
	__u32 now = clock();
	bool known, owed;

	change->outcome = SLUICE_WIRE_request_not_local;
	if (!frame_is_ours(skb, now))
		return;
	request_key(skb, ends, false, &key);
	set = wire_set(&key);
	if (!set)
		return;
	change->to = ends->target;
	known = wire_read(set, &key, &view);
	if (known && addr_equal(&view.asked, &ends->target) && view_holds(&view, now)) {
		wire_asked(set, &view, now);
		change->to = view.server;
		change->outcome = addr_equal(&view.server, &view.asked)
					  ? SLUICE_WIRE_request_right
					  : SLUICE_WIRE_request_rewritten;
	} else if (classify(skb, &key, &ends->target, &change->to, &change->outcome)) {
		owed = known && owes_another(&view, &ends->target, now) &&
		       addr_equal(&view.server, &change->to);
		/* nothing new: and `checked`, since when it is owed, stays as it is */
		if (owed && view.marks & SLUICE_WIRE_OWED) {
			wire_asked(set, &view, now);
		} else {
			view.asked = ends->target;
			view.server = change->to;
			view.marks = owed ? SLUICE_WIRE_OWED : 0;
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
 * Is a request to go on to where its server answers from?  While there is no answer, it goes there
 * and to the address asked, turn and turn about: that one may be the only one that is left.
 */
static __always_inline bool redirects(const struct wire_view *view, __u32 now)
{
	__u32 silent = sluice_flow_idle(now, view->checked);

	if (view->marks & SLUICE_WIRE_TURNED || addr_equal(&view->server, &view->asked))
		return false;
	return !(view->marks & SLUICE_WIRE_WAITING && view_live(view, now) &&
		 silent / SLUICE_WIRE_PATIENCE % 2);
}

/* Is this the first request that waits for an answer? */
static __always_inline bool waits_now(const struct wire_view *view, __u32 now)
{
	return !(view->marks & SLUICE_WIRE_WAITING && view_live(view, now)) &&
	       sluice_flow_idle(now, view->checked) > SLUICE_WIRE_RECHECK;
}

/* The client of a flow asks there from now on. */
static __always_inline void turn(struct wire_view *view, const struct sluice_addr *target,
				 __u32 now)
{
	/* one that was not found has never been seen */
	view->marks = view->seen && view_live(view, now) ? SLUICE_WIRE_TURNED : 0;
	view->server = *target;
	if (view->marks && view_owes(view, now)) {
		view->marks |= SLUICE_WIRE_OWED;
		view->server = view->asked;
	}
	view->asked = *target;
}

/*
 * A datagram on its way to the server behind this gateway.  Once the server has answered it from
 * another address, its socket may be connected there: so further requests go to that one.  Whatever
 * its age: a server that has never gone away is still connected.
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
	fresh = !wire_read(set, &key, &view) || !addr_equal(&view.asked, &ends->target);
	if (fresh)
		turn(&view, &ends->target, now);
	change->outcome = SLUICE_WIRE_request_right;
	if (redirects(&view, now)) {
		change->outcome = SLUICE_WIRE_request_rewritten;
		change->to = view.server;
		change->end = SLUICE_WIRE_TARGET;
		fresh = waits_now(&view, now);
		view.marks |= fresh ? SLUICE_WIRE_WAITING : 0;
	}
	view.unanswered |= fresh;
	if (fresh)
		wire_store(set, &key, &view, now);
	else
		wire_asked(set, &view, now);
}

/* --- replies, toward the client */

/*
 * The flow that a reply belongs to; false, and why, if it is none that we know.  One that needs a
 * change is put right whatever its age, while it has its slot: the server does not know that we
 * count, and the client still expects the address that it asked.  Should another client have got
 * that one's address and port meanwhile, and this host speak to it first, it sees an address of
 * this host all the same, and its answers come to the right one.
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
 * Is this the answer that is owed?  Then it is right, and the next one from there is another's. The
 * address asked last has not answered by that.
 */
static __always_inline bool reply_owed(struct sluice_wire_set *set, const struct wire_key *key,
				       const struct wire_view *view,
				       const struct sluice_addr *source, bool gateway, __u32 now,
				       struct change *change)
{
	if (likely(!view_owed(view, now)) || !addr_equal(&view->server, source) ||
	    !wire_take_owed(set, key, view, gateway ? &view->asked : &view->server, now))
		return false;
	change->outcome = SLUICE_WIRE_reply_right;
	return true;
}

/* Nobody has asked for the address since a while: should it have gone, nobody expects it either. */
static __always_inline bool is_unasked(const struct wire_view *view, __u32 now)
{
	return sluice_flow_idle(now, view->checked) > age;
}

/* It leaves from the address that the client had asked. */
static __always_inline void reply_from(const struct sluice_addr *asked, const struct ends *ends,
				       struct change *change)
{
	change->outcome = SLUICE_WIRE_reply_right;
	if (addr_equal(asked, &ends->source))
		return;
	change->outcome = SLUICE_WIRE_reply_rewritten;
	change->to = *asked;
	change->end = SLUICE_WIRE_SOURCE;
}

/* A datagram that goes out, of a server on this host perhaps. */
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
		/* it may be another's: a container's on the same interface (macvlan) */
		if (!source_is_chosen(skb, ends) || addr_is_away(skb, &ends->source, true))
			return;
		view.asked = view.server = ends->source;
		view.marks = SLUICE_WIRE_HOST_FIRST;
		view.unanswered = 0;
		wire_store(set, &key, &view, now);
		return;
	}
	if (!addr_equal(&view.server, &ends->source) && !addr_equal(&view.asked, &ends->source)) {
		change->outcome = SLUICE_WIRE_reply_other_source;
		wire_answered(set, &view, now);
		/* it has changed its mind, and what comes in is to be judged again */
		if (view.marks & SLUICE_WIRE_HOST_FIRST) {
			view.marks = 0;
			wire_store(set, &key, &view, now);
		}
		return;
	}
	if (reply_owed(set, &key, &view, &ends->source, false, now, change))
		return;
	if (!addr_equal(&view.asked, &ends->source) && is_unasked(&view, now) &&
	    addr_is_away(skb, &view.asked, true)) {
		change->outcome = SLUICE_WIRE_reply_address_gone;
		return;
	}
	wire_answered(set, &view, now);
	reply_from(&view.asked, ends, change);
}

/* A datagram that came in from the server behind this gateway perhaps. */
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
	if (is_unasked(&view, now) && !addr_is_server(&view.asked)) {
		change->outcome = SLUICE_WIRE_reply_address_gone;
		return;
	}
	if (reply_owed(set, &key, &view, &ends->source, true, now, change))
		return;
	if (view_owed(&view, now) && addr_equal(&view.asked, &ends->source)) {
		wire_answered(set, &view, now);
	} else if (addr_equal(&view.server, &ends->source) &&
		   !(view.marks & (SLUICE_WIRE_WAITING | SLUICE_WIRE_OWED))) {
		wire_answered(set, &view, now);
		wire_confirm(set, &view, now);
	} else {
		view.server = ends->source;
		view.marks &= ~(SLUICE_WIRE_WAITING | SLUICE_WIRE_OWED);
		view.unanswered = 0;
		wire_store(set, &key, &view, now);
	}
	reply_from(&view.asked, ends, change);
}

/* --- ICMP errors */

/* Goes toward the server, and quotes a reply from the address asked: back to the server's. */
static __always_inline bool error_about_reply(struct __sk_buff *skb, const struct heard *heard,
					      bool gateway)
{
	struct sluice_wire_set *set;
	struct wire_view view;
	struct wire_key key;

	if (!port_managed(bpf_ntohs(heard->quoted.source_port_be)))
		return false;
	reply_key(skb, &heard->quoted, gateway, &key);
	set = wire_set(&key);
	if (!set || !wire_read(set, &key, &view) || view_apart(&view) ||
	    !addr_equal(&view.asked, &heard->quoted.source) ||
	    sluice_flow_idle(clock(), view.seen) > age)
		return false;
	if (!change_quoted(skb, heard, SLUICE_WIRE_SOURCE, &view.server))
		return false;
	if (!addr_equal(&heard->outer.target, &view.asked))
		return true;
	return change_address(skb, heard, SLUICE_WIRE_TARGET, &view.server);
}

/* Goes toward the client, and quotes a request to the server's address: back to the one asked. */
static __always_inline bool error_about_request(struct __sk_buff *skb, const struct heard *heard,
						bool gateway)
{
	struct sluice_wire_set *set;
	struct wire_view view;
	struct wire_key key;

	if (!port_managed(bpf_ntohs(heard->quoted.target_port_be)))
		return false;
	request_key(skb, &heard->quoted, gateway, &key);
	set = wire_set(&key);
	if (!set || !wire_read(set, &key, &view) || view_apart(&view) ||
	    !addr_equal(&view.server, &heard->quoted.target) ||
	    sluice_flow_idle(clock(), view.seen) > age)
		return false;
	if (!change_quoted(skb, heard, SLUICE_WIRE_TARGET, &view.asked))
		return false;
	if (!addr_equal(&heard->outer.source, &view.server))
		return true;
	return change_address(skb, heard, SLUICE_WIRE_SOURCE, &view.asked);
}

static __always_inline void error_pass(struct __sk_buff *skb, const struct heard *heard, bool out)
{
	bool host = role & SLUICE_WIRE_HOST, gateway = role & SLUICE_WIRE_GATEWAY;
	bool done;

	if (out)
		done = (host && error_about_request(skb, heard, false)) ||
		       (gateway && error_about_reply(skb, heard, true));
	else
		done = (host && frame_is_ours(skb, clock()) &&
			error_about_reply(skb, heard, false)) ||
		       (gateway && error_about_request(skb, heard, true));
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
	enum heard_kind kind;
	struct heard heard;

	kind = packet_hear(skb, &heard);
	if (likely(kind == HEARD_DATAGRAM)) {
		if (out)
			decide_out(skb, &heard.outer, &change);
		else
			decide_in(skb, &heard.outer, &change);
		if (unlikely(heard.fragment == PACKET_FIRST_FRAGMENT))
			fragment_store(skb, &heard, out, &change);
	} else if (kind == HEARD_LATER_FRAGMENT) {
		fragment_follow(skb, &heard, out, &change);
	} else {
		if (kind == HEARD_ERROR)
			error_pass(skb, &heard, out);
		return PASS;
	}
	if (change.end && !change_address(skb, &heard, change.end, &change.to))
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
