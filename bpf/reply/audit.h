/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Audits replies: counts, for each socket, the replies that left from an address other than the
 * requested one. Mode socket also records servers that connect to their clients, since it does not
 * fix their replies. Such a server may connect the socket that has received the request, or open
 * another socket for each client.
 */
#ifndef SLUICE_BPF_REPLY_AUDIT_H
#define SLUICE_BPF_REPLY_AUDIT_H

#include "common/addr.h"
#include "common/clock.h"
#include "common/kernel.h"
#include "common/ticks.h"
#include "reply/datagram.h"
#include "reply/maps.h"
#include "reply/table.h"

#include <bpf/bpf_core_read.h>
#include <stdbool.h>

const volatile bool process_known; /* the programs on connect(2) can identify the calling process */

/*
 * Restores the source that the socket used. This hook runs after netfilter, so NAT may have changed
 * the source; the conntrack tuple of the packet's direction has the original source.
 */
static __always_inline void source_before_nat(struct __sk_buff *skb, struct sluice_addr *source)
{
	unsigned long nfct;
	struct nf_conn *ct = NULL;
	__u32 words[4];

	if (!bpf_core_field_exists(ct->tuplehash) ||
	    !bpf_core_field_exists(((struct sk_buff *)0)->_nfct))
		return;
	nfct = BPF_CORE_READ(kernel_skb(skb), _nfct);
	ct = (struct nf_conn *)(nfct & ~NFCT_INFOMASK);
	if (!ct)
		return;
	if ((nfct & NFCT_INFOMASK) >= IP_CT_IS_REPLY)
		BPF_CORE_READ_INTO(&words, ct, tuplehash[1].tuple.src.u3.all);
	else
		BPF_CORE_READ_INTO(&words, ct, tuplehash[0].tuple.src.u3.all);
	if (addr_is_ip4(source))
		addr_map_ip4(source, words[0]);
	else
		__builtin_memcpy(source, words, sizeof(*source));
}

static __always_inline struct sluice_audit *tally_of(__u64 cookie, const struct flow_key *key)
{
	struct sluice_audit fresh = { .port = key->port, .netns = key->netns };
	struct sluice_audit *tally = bpf_map_lookup_elem(&sluice_audits, &cookie);

	if (tally)
		return tally;
	bpf_map_update_elem(&sluice_audits, &cookie, &fresh, BPF_NOEXIST);
	return bpf_map_lookup_elem(&sluice_audits, &cookie);
}

static __always_inline void audit(const struct flow_key *key, const struct sluice_addr *asked,
				  const struct sluice_addr *used)
{
	struct sluice_audit *tally = tally_of(key->cookie, key);
	bool right = addr_equal(used, asked);

	if (!tally)
		return;
	count(right ? SLUICE_REPLY_audit_right : SLUICE_REPLY_audit_wrong);
	if (right) {
		__sync_fetch_and_add(&tally->right, 1);
		return;
	}
	__sync_fetch_and_add(&tally->wrong, 1);
	tally->wrong_ns = clock_ns();
	tally->peer = key->peer;
	tally->asked = *asked;
	tally->used = *used;
	tally->peer_port_be = key->peer_port_be;
}

/*
 * Records a datagram to a port from which the peer has sent no request. The datagram may be a reply
 * (SIP to the port in Via, DHCP through a relay) or something else, so it does not count as a wrong
 * reply.
 */
static __always_inline void audit_other_port(const struct flow_key *key,
					     const struct sluice_addr *asked,
					     const struct sluice_addr *used)
{
	struct sluice_audit *tally;

	if (addr_equal(used, asked))
		return;
	tally = tally_of(key->cookie, key);
	if (!tally)
		return;
	count(SLUICE_REPLY_audit_other_port);
	__sync_fetch_and_add(&tally->other_port, 1);
	tally->other_peer = key->peer;
	tally->other_asked = *asked;
	tally->other_used = *used;
	tally->other_port_be = key->peer_port_be;
}

/* Checks the source of a datagram to the peer that the socket has connected to. */
static __always_inline void audit_connected(struct __sk_buff *skb,
					    const struct sluice_connect *connect,
					    struct datagram *datagram)
{
	struct sluice_audit *tally = bpf_map_lookup_elem(&sluice_audits, &connect->cookie);
	bool right;

	if (!tally || connect->peer_port_be != datagram->target_port_be ||
	    !addr_equal(&connect->peer, &datagram->target))
		return;
	source_before_nat(skb, &datagram->source);
	right = addr_equal(&connect->asked, &datagram->source);
	count(right ? SLUICE_REPLY_audit_right : SLUICE_REPLY_audit_wrong);
	__sync_fetch_and_add(right ? &tally->connect_right : &tally->connect_wrong, 1);
	if (!right || !tally->connect_wrong)
		tally->connect_used = datagram->source;
}

/* Excludes the sockets of clients, which connect before they have a port. */
static __always_inline bool may_answer(const struct bpf_sock *sk)
{
	return sk->src_port && port_managed(sk->src_port);
}

/*
 * Returns the key of the connecting socket's own flow; the flow of another socket has another
 * cookie.
 */
static __always_inline struct flow_key key_of_connect(struct bpf_sock_addr *ctx,
						      const struct bpf_sock *sk)
{
	struct sock *kernel_sk = BPF_CORE_READ((struct bpf_sock_addr_kern *)ctx, sk);

	return (struct flow_key){
		.cookie = bpf_get_socket_cookie(ctx),
		.port = sk->src_port,
		.netns = BPF_CORE_READ(kernel_sk, __sk_common.skc_net.net, ns.inum),
	};
}

/* Records that a socket connects to a peer, if the peer has sent a request to the socket's port. */
static __always_inline void audit_connect(struct flow_key *key, struct bpf_sock *sk)
{
	struct sluice_connect connect = { .peer = key->peer, .peer_port_be = key->peer_port_be };
	struct sluice_connect *stored;
	struct sluice_flow_set *set;
	struct sluice_audit *tally;
	struct flow_view flow;

	flow_key_hash(key);
	set = flow_set(key);
	if (!set)
		return;
	if (flow_read(set, key, &flow)) {
		connect.cookie = key->cookie;
		connect.asked = flow.local;
	} else {
		connect.cookie = flow_of_sibling(set, key, tick_clock(), &connect.asked);
	}
	if (!connect.cookie)
		return;
	tally = tally_of(connect.cookie, key);
	stored = bpf_sk_storage_get(&sluice_connects, sk, NULL, BPF_SK_STORAGE_GET_F_CREATE);
	if (!tally || !stored)
		return;
	*stored = connect;
	count(SLUICE_REPLY_audit_connect);
	__sync_fetch_and_add(&tally->connects, 1);
	if (connect.cookie != key->cookie)
		__sync_fetch_and_add(&tally->siblings, 1);
	tally->connect_peer = key->peer;
	tally->connect_port_be = key->peer_port_be;
	tally->connect_asked = connect.asked;
	tally->connect_used = (struct sluice_addr){};
	if (!process_known)
		return;
	tally->pid = bpf_get_current_pid_tgid() >> 32;
	bpf_get_current_comm(tally->comm, sizeof(tally->comm));
}

#endif
