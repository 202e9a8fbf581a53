// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * sluice_steer selects the socket of a reuseport group for a datagram.
 *
 * A recorded flow stays with its worker. The selection for a new flow starts with the kernel's own
 * choice (the kernel's hash, scaled to its list of sockets). So loading the program moves no flow,
 * and a flow without room in the table keeps its worker as long as the group does not change.
 *
 * The program never drops: if it cannot select a socket, it returns without a selection, and the
 * kernel chooses (net/core/sock_reuseport.c, reuseport_select_sock()). The kernel removes a closed
 * socket from sluice_sockets, so the flows of a dead worker move without help from user space.
 */
#include "common/kernel.h"

#include "steer/choice.h"
#include "steer/flow.h"
#include "steer/maps.h"
#include "steer/sock.h"
#include "steer/table.h"

#include <bpf/bpf_helpers.h>
#include <linux/udp.h>
#include <sluice/steer.h>

/*
 * Computes the print and the hash of the datagram's flow. The context's data starts at the UDP
 * header.
 */
static __always_inline bool print_read(struct datagram *of)
{
	const struct udphdr *udp = of->ctx->data;
	bool by_source = policy == SLUICE_STEER_SOURCE;
	union {
		__u64 word[4];
		__be32 ip4_be[2];
	} addrs;
	__be16 port_be;

	if ((const void *)(udp + 1) > of->ctx->data_end)
		return false;
	port_be = by_source ? 0 : udp->source;
	if (of->ctx->eth_protocol == bpf_htons(ETH_P_IP)) {
		if (!addrs_read_ip4(of, addrs.word))
			return false;
		if (by_source)
			addrs.ip4_be[1] = 0;
		of->print = sluice_steer_print(&keys, addrs.word, 1, port_be);
	} else if (of->ctx->eth_protocol == bpf_htons(ETH_P_IPV6)) {
		if (!addrs_read_ip6(of, addrs.word))
			return false;
		if (by_source)
			addrs.word[2] = addrs.word[3] = 0;
		of->print = sluice_steer_print(&keys, addrs.word, 4, port_be);
	} else {
		return false;
	}
	of->hash = sluice_steer_hash(of->print);
	return true;
}

/* --- policy cpu: records no flows, since the NIC chooses the CPU on which a flow arrives */

static __always_inline int steer_by_cpu(const struct datagram *of)
{
	__u32 slot;

	if (cpu_select(of, &slot)) {
		count(SLUICE_STEER_known);
	} else {
		if (!choose(of, false, &slot))
			return SK_PASS;
		count(SLUICE_STEER_cpu_other);
	}
	slot_account(of, slot, false, false);
	return SK_PASS;
}

static __always_inline int steer(struct sk_reuseport_md *ctx, bool casts)
{
	enum sluice_steer_counter why = SLUICE_STEER_started;
	struct datagram of = { .ctx = ctx, .now = tick_clock(), .casts = casts };
	struct sluice_steer_set *set;
	__u32 index, way;

	of.chosen = kernel_choice(&of);
	if (policy == SLUICE_STEER_CPU)
		return steer_by_cpu(&of);
	if (!print_read(&of)) {
		count(SLUICE_STEER_kernel_header);
		return SK_PASS;
	}
	index = sluice_flow_set_index(of.hash, sets);
	set = bpf_map_lookup_elem(&sluice_table, &index);
	if (!set)
		return SK_PASS;
	way = flow_find(set, &of);
	if (way < SLUICE_STEER_WAYS)
		why = flow_follow(&of, set, way);
	if (why == SLUICE_STEER_known) {
		count(SLUICE_STEER_known);
		return SK_PASS;
	}
	return flow_begin(&of, set, way, why);
}

SEC("sk_reuseport")
int sluice_steer(struct sk_reuseport_md *ctx)
{
	return steer(ctx, true);
}

/* For kernels without the kfuncs of steer/sock.h. */
SEC("sk_reuseport")
int sluice_steer_h(struct sk_reuseport_md *ctx)
{
	return steer(ctx, false);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
