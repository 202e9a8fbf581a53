// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * The floor for the cost of a steering program: leaves the selection to the kernel. The figures of
 * all programs include the cost of the call by the kernel and of its statistics.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("sk_reuseport")
int steer_empty(struct sk_reuseport_md *ctx)
{
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
