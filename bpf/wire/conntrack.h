/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Looks up the conntrack entry of a peer's requests. Kernels before 6.0, and kernels without
 * conntrack, lack the kfuncs, so only separate programs call them. The programs without the kfuncs
 * cannot detect DNAT. If the server connects back, they leave the entry of the peer's first request
 * until it expires after 30 s.
 */
#ifndef SLUICE_BPF_WIRE_CONNTRACK_H
#define SLUICE_BPF_WIRE_CONNTRACK_H

#include "common/addr.h"
#include "wire/table.h"

#include <linux/in.h>

/* net/netfilter/nf_conntrack_bpf.c, without the fields added in 6.11; constants: include/uapi */
struct bpf_ct_opts {
	__s32 netns_id;
	__s32 error;
	__u8 l4proto;
	__u8 dir;
	__u8 reserved[2];
};

#define NETNS_CURRENT  -1
#define IP_CT_ORIGINAL 0

struct nf_conn *bpf_skb_ct_lookup(struct __sk_buff *skb, struct bpf_sock_tuple *tuple, __u32 size,
				  struct bpf_ct_opts *opts, __u32 opts_size) __ksym __weak;
int bpf_ct_change_timeout(struct nf_conn *ct, __u32 timeout_ms) __ksym __weak;
void bpf_ct_release(struct nf_conn *ct) __ksym __weak;

/*
 * Looks up the entry of requests to @requested. Returns true if DNAT sends them elsewhere, so that
 * this host's sockets do not receive them. @cut shortens the timeout of an UNREPLIED entry, since
 * the peer's further requests belong to another entry.
 */
static __noinline bool conntrack_has_dnat(struct __sk_buff *skb, const struct wire_key *key,
					  const struct sluice_addr *requested, bool cut)
{
	struct bpf_ct_opts opts = { .netns_id = NETNS_CURRENT, .l4proto = IPPROTO_UDP };
	struct bpf_sock_tuple tuple = {};
	__u32 size = sizeof(tuple.ipv6);
	struct nf_conn *ct;
	bool dnat = false;

	if (addr_is_ip4(requested)) {
		tuple.ipv4.saddr = key->peer.word_be[3];
		tuple.ipv4.daddr = requested->word_be[3];
		tuple.ipv4.sport = key->peer_port_be;
		tuple.ipv4.dport = key->port_be;
		size = sizeof(tuple.ipv4);
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, &key->peer, sizeof(key->peer));
		__builtin_memcpy(tuple.ipv6.daddr, requested, sizeof(*requested));
		tuple.ipv6.sport = key->peer_port_be;
		tuple.ipv6.dport = key->port_be;
	}
	ct = bpf_skb_ct_lookup(skb, &tuple, size, &opts, sizeof(opts));
	if (!ct)
		return false;
	if (opts.dir == IP_CT_ORIGINAL) {
		dnat = ct->status & IPS_DST_NAT;
		if (cut && !dnat && !(ct->status & IPS_SEEN_REPLY) &&
		    !bpf_ct_change_timeout(ct, SLUICE_WIRE_CONNTRACK_MS))
			count(SLUICE_WIRE_conntrack_cut);
	}
	bpf_ct_release(ct);
	return dnat;
}

#endif
