// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * The floor of what a steering program costs: one that leaves the choice to the kernel.  What the
 * kernel takes to call it, and to keep its statistics, is in every figure of another program too.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>

SEC("sk_reuseport")
int steer_empty(struct sk_reuseport_md *ctx)
{
	return SK_PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
