/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The floor of the benchmark: programs without logic, on the hooks that sluice uses.
 *
 * The programs empty_* show the cost of the kernel's hooks themselves. The programs source_* set a
 * constant, the right source in the benchmark's topology, without a lookup. They show the cost of
 * any program that sets a source, including the kernel's check of that source. Any further cost is
 * sluice's own.
 */
#include <linux/bpf.h>

#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>

#define PASS 1

#define NEXT -1

/* 198.18.0.2 and 2001:2::2, of bed.py. */
#define HOST_IP4      0xc6120002
#define HOST_IP6_HIGH 0x20010002
#define HOST_IP6_LOW  2

SEC("cgroup_skb/ingress")
int empty_learn(struct __sk_buff *skb)
{
	return PASS;
}

SEC("cgroup_skb/egress")
int empty_leave(struct __sk_buff *skb)
{
	return PASS;
}

SEC("cgroup/sock_release")
int empty_close(struct bpf_sock *ctx)
{
	return PASS;
}

SEC("tc")
int empty_in(struct __sk_buff *skb)
{
	return NEXT;
}

SEC("tc")
int empty_out(struct __sk_buff *skb)
{
	return NEXT;
}

SEC("cgroup/sendmsg4")
int empty_fix4(struct bpf_sock_addr *ctx)
{
	return PASS;
}

SEC("cgroup/sendmsg6")
int empty_fix6(struct bpf_sock_addr *ctx)
{
	return PASS;
}

SEC("cgroup/sendmsg4")
int source_fix4(struct bpf_sock_addr *ctx)
{
	ctx->msg_src_ip4 = bpf_htonl(HOST_IP4);
	return PASS;
}

SEC("cgroup/sendmsg6")
int source_fix6(struct bpf_sock_addr *ctx)
{
	ctx->msg_src_ip6[0] = bpf_htonl(HOST_IP6_HIGH);
	ctx->msg_src_ip6[1] = 0;
	ctx->msg_src_ip6[2] = 0;
	ctx->msg_src_ip6[3] = bpf_htonl(HOST_IP6_LOW);
	return PASS;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
