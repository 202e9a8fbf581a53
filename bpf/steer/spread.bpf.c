// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Spreads the flows of an interface over CPUs, for a NIC with fewer queues than CPUs: the network
 * stack processes a flow on one CPU of a list, which policy cpu then treats as the CPU of arrival.
 *
 * The programs never drop: a datagram that is not for a managed port, or cannot be assigned, passes
 * on the current CPU. An overloaded CPU drops datagrams that exceed its queue, as it does with its
 * backlog. The kernel reports these drops through a tracepoint, and sluice_lost counts them.
 *
 * Native XDP builds a new skb on the other CPU, without the CHECKSUM_PARTIAL state of a datagram
 * that this host sent through a veth; the stack would then drop the datagram for a bad checksum.
 * The program recognises such a datagram by its checksum field, which holds only the pseudo-header
 * sum, and leaves it on its CPU. Generic XDP passes the skb itself, which has that state.
 */
#include "common/addr.h"
#include "common/settings.h"
#include "steer/spread_maps.h"

#include <linux/if_ether.h>
#include <sluice/checksum.h>
#include <sluice/packet.h>
#include <sluice/steer.h>

/* Constants of this load, in addition to those of common/settings.h. */
const volatile __u32 cpu_count = 1;
const volatile __u16 cpus[SLUICE_SPREAD_CPUS];

/*
 * Returns false for packets other than UDP, by the protocol number in the IP header, before the
 * full parse.
 */
static __always_inline bool may_be_udp(const struct packet_cursor *cursor)
{
	const struct packet_iphdr *ip4 = packet_at(cursor, cursor->off, sizeof(*ip4));
	__u8 next;

	if (!ip4)
		return false;
	if (cursor->proto_be == PACKET_BE16(ETH_P_IP))
		return ip4->h.protocol == IPPROTO_UDP;
	next = ((const struct packet_ipv6hdr *)ip4)->h.nexthdr;
	return next == IPPROTO_UDP || next == IPPROTO_HOPOPTS || next == IPPROTO_ROUTING ||
	       next == IPPROTO_FRAGMENT || next == IPPROTO_DSTOPTS || next == IPPROTO_AH;
}

static __always_inline __u64 addr_sum(const struct in6_addr *addr)
{
	return (__u64)addr->s6_addr32[0] + addr->s6_addr32[1] + addr->s6_addr32[2] +
	       addr->s6_addr32[3];
}

/*
 * Returns true if the checksum is not computed yet (CHECKSUM_PARTIAL). The prefix of each v4-mapped
 * address adds 0xffff to the sum, which is zero in ones' complement.
 */
static __always_inline bool checksum_is_open(const struct packet_ip *ip,
					     const struct packet_udp *udp)
{
	__u64 sum = addr_sum(&ip->saddr) + addr_sum(&ip->daddr) + PACKET_BE16(IPPROTO_UDP) +
		    PACKET_BE16(udp->len);

	return udp->check_be && udp->check_be == checksum_fold(sum);
}

static __always_inline __u64 addr_mix(__u64 hash, const struct in6_addr *from)
{
	struct sluice_addr addr = addr_of(from);

	return sluice_flow_mix(sluice_flow_mix(hash, addr.half[0]), addr.half[1]);
}

static __always_inline __u32 flow_cpu(const struct packet_ip *ip, const struct packet_udp *udp)
{
	__u64 hash = addr_mix(addr_mix(seed, &ip->saddr), &ip->daddr);

	hash = sluice_flow_mix(hash, udp->source_be);

	return cpus[(((hash >> 32) * cpu_count) >> 32) % SLUICE_SPREAD_CPUS];
}

static __always_inline int send(__u32 cpu)
{
	__u64 *sent = bpf_map_lookup_elem(&sluice_x_sent, &cpu);
	int verdict = XDP_PASS;

	if (cpu == bpf_get_smp_processor_id()) {
		count_add(SLUICE_SPREAD_stayed, 1);
	} else {
		verdict = bpf_redirect_map(&sluice_x_cpus, cpu, XDP_PASS);
		count_add(verdict == XDP_REDIRECT ? SLUICE_SPREAD_spread
						  : SLUICE_SPREAD_left_no_queue,
			  1);
		if (verdict != XDP_REDIRECT)
			return XDP_PASS;
	}
	if (sent)
		*sent += 1;
	return verdict;
}

/*
 * Returns true if the packet is a datagram to a managed port. Counts UDP packets that it cannot
 * parse or assign.
 */
static __always_inline bool is_managed_datagram(struct xdp_md *ctx, struct packet_ip *ip,
						struct packet_udp *udp)
{
	void *data = (void *)(long)ctx->data, *data_end = (void *)(long)ctx->data_end;
	struct packet_cursor cursor = packet_begin(data, data_end, data_end - data, 0);
	enum packet_verdict verdict;

	if (packet_parse_eth(&cursor) != PACKET_OK || !may_be_udp(&cursor))
		return false;
	verdict = packet_parse_ip(&cursor, PACKET_WHOLE, ip);
	if (verdict == PACKET_OK && ip->fragment != PACKET_UNFRAGMENTED) {
		if (ip->protocol == IPPROTO_UDP)
			count_add(SLUICE_SPREAD_left_fragment, 1);
		return false;
	}
	if (verdict == PACKET_OK)
		verdict = packet_parse_udp(&cursor, ip, udp);
	if (verdict != PACKET_OK && verdict != PACKET_NOT_UDP)
		count_add(SLUICE_SPREAD_left_header, 1);
	return verdict == PACKET_OK && port_managed(PACKET_BE16(udp->dest_be));
}

SEC("xdp")
int sluice_spread(struct xdp_md *ctx)
{
	struct packet_ip ip;
	struct packet_udp udp;

	if (!is_managed_datagram(ctx, &ip, &udp))
		return XDP_PASS;
	if (checksum_is_open(&ip, &udp)) {
		count_add(SLUICE_SPREAD_left_checksum, 1);
		return XDP_PASS;
	}
	return send(flow_cpu(&ip, &udp));
}

/* For generic XDP, which keeps CHECKSUM_PARTIAL and so needs no checksum_is_open(). */
SEC("xdp")
int sluice_spread_g(struct xdp_md *ctx)
{
	struct packet_ip ip;
	struct packet_udp udp;

	return is_managed_datagram(ctx, &ip, &udp) ? send(flow_cpu(&ip, &udp)) : XDP_PASS;
}

/*
 * Counts datagrams dropped by the cpumap. The arguments are: map id, datagrams queued, datagrams
 * dropped, CPU.
 */
SEC("raw_tp/xdp_cpumap_enqueue")
int sluice_lost(struct bpf_raw_tracepoint_args *ctx)
{
	const struct sluice_spread_meta *meta;
	__u32 zero = 0, lost = ctx->args[2];

	if (!lost)
		return 0;
	meta = bpf_map_lookup_elem(&sluice_x_meta, &zero);
	if (meta && meta->map_id == (__u32)ctx->args[0])
		count_add(SLUICE_SPREAD_lost, lost);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
