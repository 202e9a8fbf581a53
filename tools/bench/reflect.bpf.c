// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * The floor for the cost of an answer by XDP: returns each UDP datagram unchanged to its sender.
 * Swapping addresses and ports does not change the header checksums.
 */
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <linux/in.h>
#include <linux/ip.h>
#include <linux/ipv6.h>
#include <linux/udp.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

char LICENSE[] SEC("license") = "Dual BSD/GPL";

#define SWAP(a, b)                     \
	do {                           \
		typeof(a) kept = (a);  \
                                       \
		(a) = (b), (b) = kept; \
	} while (0)

SEC("xdp")
int reflect(struct xdp_md *ctx)
{
	void *data = (void *)(long)ctx->data, *end = (void *)(long)ctx->data_end;
	struct ethhdr *eth = data;
	struct iphdr *ip4 = (void *)(eth + 1);
	struct ipv6hdr *ip6 = (void *)(eth + 1);
	struct udphdr *udp;
	int i;

	if ((void *)(ip4 + 1) > end)
		return XDP_PASS;
	if (eth->h_proto == bpf_htons(ETH_P_IP)) {
		udp = (void *)(ip4 + 1);
		if ((void *)(udp + 1) > end || ip4->protocol != IPPROTO_UDP)
			return XDP_PASS;
		SWAP(ip4->saddr, ip4->daddr);
	} else {
		udp = (void *)(ip6 + 1);
		if ((void *)(udp + 1) > end || eth->h_proto != bpf_htons(ETH_P_IPV6) ||
		    ip6->nexthdr != IPPROTO_UDP)
			return XDP_PASS;
		SWAP(ip6->saddr, ip6->daddr);
	}
	for (i = 0; i < ETH_ALEN; i++)
		SWAP(eth->h_source[i], eth->h_dest[i]);
	SWAP(udp->source, udp->dest);
	return XDP_TX;
}
