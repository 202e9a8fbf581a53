// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Counts the UDP datagrams to a port that the kernel frees unread, by location in the kernel
 * (freed.c). A datagram that is read is freed by consume_skb(), and is not counted.
 */
#include <linux/bpf.h>

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define core __attribute__((preserve_access_index))

struct sk_buff {
	unsigned char *head;
	__u16 transport_header;
	__u16 network_header;
} core;

struct udphdr {
	__u16 source, dest;
} core;

const volatile __u16 port; /* network byte order */

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 256);
	__type(key, __u64);
	__type(value, __u64);
} freed SEC(".maps");

static int is_to_port(const struct sk_buff *skb)
{
	const unsigned char *head = BPF_CORE_READ(skb, head);
	const struct udphdr *udp = (void *)(head + BPF_CORE_READ(skb, transport_header));
	const unsigned char *ip = head + BPF_CORE_READ(skb, network_header);
	__u8 version = 0, protocol = 0;

	bpf_probe_read_kernel(&version, 1, ip);
	bpf_probe_read_kernel(&protocol, 1, ip + (version >> 4 == 4 ? 9 : 6));
	return protocol == 17 && BPF_CORE_READ(udp, dest) == port;
}

SEC("tp_btf/kfree_skb")
int BPF_PROG(count_freed, struct sk_buff *skb, void *location)
{
	__u64 place = (__u64)location, one = 1, *count;

	if (!is_to_port(skb))
		return 0;
	count = bpf_map_lookup_elem(&freed, &place);
	if (count)
		__sync_fetch_and_add(count, 1);
	else
		bpf_map_update_elem(&freed, &place, &one, BPF_ANY);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
