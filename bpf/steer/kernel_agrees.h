/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Compares a flow's worker with the kernel's own choice. The selection for a new flow starts with
 * the kernel's choice, so most flows have the worker that the kernel would choose anyway. For these
 * flows the program returns without a selection, and saves bpf_sk_select_reuseport(), which costs
 * more than the rest of the decision.
 *
 * Rejected: a socket filter, which returns the index of a socket, in place of sk_reuseport. A
 * socket filter has no access to the kernel's hash. It could therefore not record a new flow with
 * the kernel's choice, and an unrecorded flow would move when the filter is attached.
 */
#ifndef SLUICE_BPF_STEER_KERNEL_AGREES_H
#define SLUICE_BPF_STEER_KERNEL_AGREES_H

#include "steer/sock.h"
#include "steer/table.h"

/*
 * Written by the program: the number of sockets << 32 | tick_clock() when that number last changed.
 */
static volatile __u64 group_changed;

/*
 * Returns 1 if the number of sockets has not changed since before the current tick, and 0
 * otherwise. The kernel reads the number before it calls the program; if a socket joins or leaves
 * in between, the kernel's choice differs.
 */
static __always_inline __u64 group_is_settled(__u32 count, __u32 now)
{
	__u64 changed = group_changed, same = is_zero(changed >> 32 ^ count);

	if (!same)
		group_changed = (__u64)count << 32 | now;
	return same & ~is_zero((__u32)changed ^ now);
}

/*
 * Returns the address of the socket that the kernel would choose, or 0 if that is not certain. See
 * net/core/sock_reuseport.c, reuseport_select_sock_by_hash(). Runs once per datagram and has no
 * branch: the verifier searches the kernel's BTF for each load through a pointer from the context.
 */
static __always_inline __u64 kernel_choice(const struct datagram *of)
{
	const struct sk_reuseport_kern *kern;
	const struct sock_reuseport *group;
	const __u64 *member;
	__u64 known;
	__u32 count, at;

	if (!of->casts)
		return 0;
	kern = bpf_cast_to_kern_ctx(of->ctx);
	group = kern->sk->sk_reuseport_cb;
	count = group->num_socks;
	known = group_is_settled(count, of->now);
	/* since Linux 6.2, the kernel prefers sockets with SO_INCOMING_CPU */
	if (bpf_core_field_exists(group->incoming_cpu))
		known &= is_zero(group->incoming_cpu);
	at = (__u64)of->ctx->hash * count >> 32;
	/* a load that faults returns 0 */
	member = bpf_rdonly_cast((const void *)group + bpf_core_field_offset(group->socks) +
					 at * sizeof(*member),
				 bpf_core_type_id_kernel(struct in6_addr));
	return *member * known;
}

/* Returns true if the kernel would choose the socket of @slot. */
static __always_inline bool kernel_selects(const struct datagram *of,
					   const struct sluice_steer_slot *slot)
{
	/* the socket may have been freed, and another socket of the group may have its address */
	return slot && of->chosen && of->chosen == slot->sock &&
	       sock_cookie((const void *)slot->sock, true) == slot->cookie;
}

#endif
