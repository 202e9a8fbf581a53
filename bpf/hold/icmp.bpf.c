// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Handles ICMP errors that quote a datagram of a flow. While the daemon runs, the program is
 * attached to the ingress of the interfaces by which the applications' last datagrams left.
 *
 * A keepalive expires on its way, so a router reports time exceeded; a firewall or the peer may
 * report unreachable. The socket would pass the error to an application that has sent nothing:
 * EHOSTUNREACH if the socket has set IP_RECVERR, ECONNREFUSED if it is connected. So the program
 * drops errors that quote a keepalive. It recognises the quote by its length and its mark
 * (sluice_hold_id()), which the application's datagrams do not have.
 *
 * The program records a port unreachable message from the peer itself: the peer's application no
 * longer needs the mapping. Since a forged message must not end a silent flow, the program accepts
 * it only shortly after the application or, with a quoted keepalive, the daemon has sent.
 */
#include "common/addr.h"
#include "hold/datagram.h"
#include "hold/maps.h"

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/pkt_cls.h>

#define ICMPV6_PORT_UNREACHABLE 4
/* The maximum age of a datagram quoted by an error: an error arrives one RTT after the datagram. */
#define ERROR_NS 10000000000ULL
/* The bytes to pull: two IP headers, the ICMP header and the UDP header, with room for options. */
#define READ_MAX 256

/* Constants of this load, known to the verifier. */
const volatile __u64 seed;
const volatile __u32 payload_len; /* payload length of a keepalive, in bytes */

/* Returns false for nearly all packets at low cost. Misses ICMPv6 after extension headers. */
static __always_inline bool may_be_icmp(struct __sk_buff *skb)
{
	__u8 protocol = 0;

	if (skb->protocol == bpf_htons(ETH_P_IP))
		return !bpf_skb_load_bytes_relative(skb, 9, &protocol, 1, BPF_HDR_START_NET) &&
		       protocol == IPPROTO_ICMP;
	if (skb->protocol == bpf_htons(ETH_P_IPV6))
		return !bpf_skb_load_bytes_relative(skb, 6, &protocol, 1, BPF_HDR_START_NET) &&
		       protocol == IPPROTO_ICMPV6;
	return false;
}

/* Returns the flow label of the IPv6 header at @off. */
static __always_inline __u32 flow_label(const struct packet_cursor *cursor, __u32 off)
{
	const __be32 *word_be = packet_at(cursor, off, 4);

	return word_be ? bpf_ntohl(*word_be) & 0xfffff : 0;
}

static __always_inline bool is_keepalive(const struct packet_cursor *cursor,
					 const struct packet_ip *quoted,
					 const struct packet_udp *udp,
					 const struct sluice_hold_key *key)
{
	__u32 id = sluice_hold_id(seed, &key->peer, key->peer_port_be);

	if (udp->len != sizeof(struct udphdr) + payload_len)
		return false;
	if (quoted->version == 4)
		return quoted->fragment_id_be == bpf_htons(sluice_hold_id4(id));
	return flow_label(cursor, quoted->l3_off) == sluice_hold_label(id);
}

static __always_inline bool is_port_unreachable(const struct packet_ip *ip,
						const struct packet_icmp_error *error)
{
	return ip->version == 4 ? error->type == PACKET_ICMP_DEST_UNREACH &&
					  error->code == PACKET_ICMP_PORT_UNREACH
				: error->type == ICMPV6_DEST_UNREACH &&
					  error->code == ICMPV6_PORT_UNREACHABLE;
}

static __always_inline bool is_soon_after(__u64 sent_ns, __u64 now)
{
	return now < sent_ns || now - sent_ns < ERROR_NS;
}

/*
 * Returns true if the application has just sent, or if the error quotes a keepalive that was just
 * sent.
 */
static __always_inline bool is_believed(const struct sluice_hold_flow *flow, __u32 slot,
					bool keepalive, __u64 now)
{
	const struct sluice_hold_kept *kept = bpf_map_lookup_elem(&sluice_kept, &slot);

	return is_soon_after(flow->out_ns, now) ||
	       (keepalive && kept && kept->serial == flow->serial &&
		is_soon_after(kept->kept_ns, now));
}

static __always_inline void record_unreachable(struct __sk_buff *skb, struct sluice_hold_key *key,
					       bool keepalive)
{
	__u64 now = bpf_ktime_get_boot_ns();
	struct sluice_hold_flow *flow;
	__u32 *found, slot;

	key->netns = BPF_CORE_READ(kernel_skb(skb), dev, nd_net.net, ns.inum);
	found = bpf_map_lookup_elem(&sluice_index, key);
	if (!found)
		return;
	slot = *found;
	flow = bpf_map_lookup_elem(&sluice_flows, &slot);
	if (!flow)
		return;
	if (!is_believed(flow, slot, keepalive, now)) {
		count(SLUICE_HOLD_unreachable_ignored);
		return;
	}
	flow->unreachable_ns = now;
	count(SLUICE_HOLD_unreachable);
}

SEC("tc")
int sluice_hold_icmp(struct __sk_buff *skb)
{
	struct sk_buff *kernel = kernel_skb(skb);
	struct sluice_hold_key key = {};
	struct packet_icmp_error error;
	struct packet_cursor cursor;
	struct packet_ip ip, quoted;
	struct sluice_addr reporter;
	struct packet_udp udp;
	bool keepalive;

	if (!may_be_icmp(skb))
		return TC_ACT_UNSPEC;
	bpf_skb_pull_data(skb, skb->len < READ_MAX ? skb->len : READ_MAX);
	cursor = packet_begin((void *)(long)skb->data, (void *)(long)skb->data_end, skb->len,
			      skb->protocol);
	/* the offset is 0 on a device without a link layer, such as a tunnel */
	cursor.off = (__u16)(BPF_CORE_READ(kernel, head) + BPF_CORE_READ(kernel, network_header) -
			     BPF_CORE_READ(kernel, data));
	if (packet_parse_ip(&cursor, PACKET_QUOTED, &ip) != PACKET_OK ||
	    packet_parse_icmp_error(&cursor, &ip, &error) != PACKET_OK ||
	    packet_parse_ip(&cursor, PACKET_QUOTED, &quoted) != PACKET_OK ||
	    packet_parse_udp(&cursor, &quoted, &udp) != PACKET_OK)
		return TC_ACT_UNSPEC;
	key.local = addr_of(&quoted.saddr);
	key.peer = addr_of(&quoted.daddr);
	key.local_port_be = udp.source_be;
	key.peer_port_be = udp.dest_be;
	reporter = addr_of(&ip.saddr);
	keepalive = is_keepalive(&cursor, &quoted, &udp, &key);
	if (is_port_unreachable(&ip, &error) && addr_equal(&reporter, &key.peer))
		record_unreachable(skb, &key, keepalive);
	if (!keepalive)
		return TC_ACT_UNSPEC;
	count(SLUICE_HOLD_suppressed);
	return TC_ACT_SHOT;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
