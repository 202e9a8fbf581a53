/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * Compares a flow's worker with the kernel's own choice. A new flow starts there, so most flows
 * have the worker that the kernel would choose anyway. For these, the program returns without a
 * selection. This saves bpf_sk_select_reuseport(), which costs more than the rest of the decision.
 *
 * Rejected: a socket filter in place of sk_reuseport, whose result is the index of the socket. It
 * does not see the kernel's hash, so it could not record a new flow with the kernel's choice, and a
 * flow that is not recorded would move when the filter takes over.
 */
#ifndef SLUICE_BPF_STEER_KERNEL_AGREES_H
#define SLUICE_BPF_STEER_KERNEL_AGREES_H

#include "steer/sock.h"
#include "steer/table.h"

/* Written by the program: the number of sockets << 32 | tick_clock() of its last change. */
static volatile __u64 group_changed;

/*
 * Returns 1 or 0. The kernel reads the number of sockets before it calls the program. If a socket
 * joins or leaves in between, the kernel's choice differs. Therefore the number must have stayed
 * the same since before the current tick.
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
 * net/core/sock_reuseport.c, reuseport_select_sock_by_hash(). Runs once per datagram, without a
 * branch: for each load through a pointer of the context, the verifier searches the kernel's BTF.
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
	/* since 6.2: sockets with SO_INCOMING_CPU come first */
	if (bpf_core_field_exists(group->incoming_cpu))
		known &= is_zero(group->incoming_cpu);
	at = (__u64)of->ctx->hash * count >> 32;
	/* a load that faults returns 0 */
	member = bpf_rdonly_cast((const void *)group + bpf_core_field_offset(group->socks) +
					 at * sizeof(*member),
				 bpf_core_type_id_kernel(struct in6_addr));
	return *member * known;
}

/* Would the kernel choose this slot's socket? */
static __always_inline bool kernel_selects(const struct datagram *of,
					   const struct sluice_steer_slot *slot)
{
	/* the socket may have been freed, and its address reused in the group */
	return slot && of->chosen && of->chosen == slot->sock &&
	       sock_cookie((const void *)slot->sock, true) == slot->cookie;
}

#endif
