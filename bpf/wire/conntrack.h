/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The conntrack entry of a peer's first request, before its server connected back: later requests
 * belong to another entry. Only a program of its own calls this, since kernels before 6.0, and
 * those without conntrack, lack the functions. There the entry ends by itself after 30 s.
 */
#ifndef SLUICE_BPF_WIRE_CONNTRACK_H
#define SLUICE_BPF_WIRE_CONNTRACK_H

#include "wire/packet.h"

#include <linux/in.h>

/* include/uapi and net/netfilter/nf_conntrack_bpf.c; without the fields of 6.11 */
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

/* Cuts the entry of a request short, if no answer has used it. */
static __noinline void conntrack_cut(struct __sk_buff *skb, const struct ends *request)
{
	struct bpf_ct_opts opts = { .netns_id = NETNS_CURRENT, .l4proto = IPPROTO_UDP };
	struct bpf_sock_tuple tuple = {};
	__u32 size = sizeof(tuple.ipv6);
	struct nf_conn *ct;

	if (addr_is_ip4(&request->target)) {
		tuple.ipv4.saddr = request->source.word_be[3];
		tuple.ipv4.daddr = request->target.word_be[3];
		tuple.ipv4.sport = request->source_port_be;
		tuple.ipv4.dport = request->target_port_be;
		size = sizeof(tuple.ipv4);
	} else {
		__builtin_memcpy(tuple.ipv6.saddr, &request->source, sizeof(request->source));
		__builtin_memcpy(tuple.ipv6.daddr, &request->target, sizeof(request->target));
		tuple.ipv6.sport = request->source_port_be;
		tuple.ipv6.dport = request->target_port_be;
	}
	ct = bpf_skb_ct_lookup(skb, &tuple, size, &opts, sizeof(opts));
	if (!ct)
		return;
	if (opts.dir == IP_CT_ORIGINAL && !(ct->status & IPS_SEEN_REPLY) &&
	    !bpf_ct_change_timeout(ct, SLUICE_WIRE_CONNTRACK_MS))
		count(SLUICE_WIRE_conntrack_cut);
	bpf_ct_release(ct);
}

#endif
