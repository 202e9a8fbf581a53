// SPDX-License-Identifier: GPL-2.0-or-later
/* What mode socket needs of the kernel: to learn, to fix, to audit. */
#include "reply/needs.h"

#define AUDIT_FALLBACK "audit mode is not to be had"

#define FIELD(t, f, use)                                                                         \
	{                                                                                        \
		.name = #t "." #f, .why = (use), .probe = field, .takes = NEED_BTF, .type = #t,  \
		.field = #f, .hint = "report it: sluice does not know the layout of this kernel" \
	}
/* The hook to which kernels gave a helper last. */
#define SENDMSG_HELPER(h, version, use, instead) \
	NEED_HELPER(CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG, h, version, use, instead)

static enum feature field(const struct need *need, struct probe *probe)
{
	return feature_field(probe->vmlinux, need->type, need->field);
}

/* An entry is reached by a member of the packet's sk_buff. */
static enum feature conntrack_field(const struct need *need, struct probe *probe)
{
	if (feature_field(probe->vmlinux, "sk_buff", "_nfct") != FEATURE_YES)
		return FEATURE_NO;
	return feature_field(probe->conntrack, need->type, need->field);
}

static const struct need rows[] = {
	NEED_CGROUP_HOOK("cgroup_skb/ingress", SKB, INET_INGRESS, "4.10",
			 "learns which address was asked", NULL),
	NEED_CGROUP_HOOK("cgroup/sendmsg4", SOCK_ADDR, UDP4_SENDMSG, "4.18",
			 "sets the source of an IPv4 reply", NULL),
	NEED_CGROUP_HOOK("cgroup/sendmsg6", SOCK_ADDR, UDP6_SENDMSG, "4.18",
			 "sets the source of an IPv6 reply", NULL),
	NEED_CGROUP_HOOK("cgroup_skb/egress", SKB, INET_EGRESS, "4.10",
			 "sees wrong replies leave, for audit", AUDIT_FALLBACK),
	NEED_CGROUP_HOOK("cgroup/connect4", SOCK_ADDR, INET4_CONNECT, "4.17",
			 "sees servers connect to clients, for audit", AUDIT_FALLBACK),
	{ .name = "bpf_link for cgroups",
	  .why = "keeps programs attached, replaces them",
	  .has = feature_cgroup_link,
	  .takes = NEED_NET,
	  .since = "5.7",
	  .hint = NEED_CGROUP_HINT },
	NEED_MAP(SK_STORAGE, "5.2", "marks managed sockets", NULL),
	SENDMSG_HELPER(sk_storage_get, "5.3", "finds the mark", NULL),
	SENDMSG_HELPER(spin_lock, "5.1", "guards a set of the flow table", NULL),
	NEED_HELPER(CGROUP_SKB, BPF_CGROUP_INET_INGRESS, get_socket_cookie, "4.12",
		    "names the socket of a flow", NULL),
	{ .name = "bpf_probe_read_kernel",
	  .why = "reads kernel structures",
	  .probe = need_helper,
	  .takes = NEED_NET | NEED_PERFMON,
	  .prog = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	  .attach = BPF_CGROUP_UDP4_SENDMSG,
	  .number = BPF_FUNC_probe_read_kernel,
	  .since = "5.8",
	  .hint = "a kernel that is not locked down to confidentiality (kernel_lockdown(7))" },
	SENDMSG_HELPER(ktime_get_coarse_ns, "5.11", "tells a flow's age cheaply",
		       "bpf_ktime_get_ns, which is dearer"),
	FIELD(net, ns.inum, "names the socket's namespace"),
	FIELD(net, ipv4.dev_addr_genid, "tells that IPv4 addresses changed"),
	FIELD(net, ipv6.dev_addr_genid, "tells that IPv6 addresses changed"),
	FIELD(sock, __sk_common.skc_net.net, "leads to the namespace"),
	FIELD(sock, sk_userlocks, "tells servers from clients"),
	FIELD(net, dev_base_head, "leads to the host's devices"),
	FIELD(in_ifaddr, ifa_local, "tells the host's addresses (IPv4)"),
	FIELD(inet6_ifaddr, if_list, "tells the host's addresses (IPv6)"),
	{ .name = "nf_conn.tuplehash",
	  .why = "lets audit see through NAT",
	  .probe = conntrack_field,
	  .takes = NEED_BTF,
	  .type = "nf_conn",
	  .field = "tuplehash",
	  .hint = "load nf_conntrack, built with BTF",
	  .fallback = "audit may count NATed replies as wrong" },
};

NEEDS(reply_needs, rows);
