// SPDX-License-Identifier: GPL-2.0-or-later
/* The requirements of modes socket and audit on the kernel. */
#include "reply/needs.h"

#include "kernel/caps.h"
#include "kernel/links.h"

#define AUDIT_FALLBACK "mode audit is not available"

#define FIELD(t, f, use)                                                                          \
	{                                                                                         \
		.name = #t "." #f, .why = (use), .probe = field, .takes = NEED_BTF, .type = #t,   \
		.field = #f, .hint = "report a bug: sluice does not support this kernel's layout" \
	}
/* Probes a helper on sendmsg, the hook that was last to support it. */
#define SENDMSG_HELPER(h, version, use, instead) \
	NEED_HELPER(CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG, h, version, use, instead)

static enum feature field(const struct need *need, struct probe *probe)
{
	return feature_field(probe->vmlinux, need->type, need->field);
}

/* Probes a field of the conntrack entry, which the programs reach through sk_buff._nfct. */
static enum feature conntrack_field(const struct need *need, struct probe *probe)
{
	if (feature_field(probe->vmlinux, "sk_buff", "_nfct") != FEATURE_YES)
		return FEATURE_NO;
	return feature_field(probe->conntrack, need->type, need->field);
}

static const struct need rows[] = {
	NEED_CGROUP_HOOK("cgroup_skb/ingress", SKB, INET_INGRESS, "4.10",
			 "learns the requested address", NULL),
	NEED_CGROUP_HOOK("cgroup/sendmsg4", SOCK_ADDR, UDP4_SENDMSG, "4.18",
			 "sets the source of an IPv4 reply", NULL),
	NEED_CGROUP_HOOK("cgroup/sendmsg6", SOCK_ADDR, UDP6_SENDMSG, "4.18",
			 "sets the source of an IPv6 reply", NULL),
	NEED_CGROUP_HOOK("cgroup_skb/egress", SKB, INET_EGRESS, "4.10",
			 "detects wrong replies, for audit", AUDIT_FALLBACK),
	NEED_CGROUP_HOOK("cgroup/connect4", SOCK_ADDR, INET4_CONNECT, "4.17",
			 "detects servers that connect to clients", NULL),
	{ .name = "bpf_link for cgroups",
	  .why = "keeps programs attached and replaceable",
	  .has = feature_cgroup_link,
	  .takes = NEED_NET,
	  .since = "5.7",
	  .hint = NEED_CGROUP_HINT },
	NEED_MAP(SK_STORAGE, "5.2", "marks managed sockets", NULL),
	SENDMSG_HELPER(sk_storage_get, "5.3", "finds managed sockets", NULL),
	SENDMSG_HELPER(spin_lock, "5.1", "guards a set of the flow table", NULL),
	NEED_HELPER(CGROUP_SKB, BPF_CGROUP_INET_INGRESS, get_socket_cookie, "4.12",
		    "identifies the socket of a flow", NULL),
	{ .name = "bpf_probe_read_kernel",
	  .why = "reads kernel structures",
	  .probe = need_helper,
	  .takes = NEED_NET | NEED_PERFMON,
	  .prog = BPF_PROG_TYPE_CGROUP_SOCK_ADDR,
	  .attach = BPF_CGROUP_UDP4_SENDMSG,
	  .number = BPF_FUNC_probe_read_kernel,
	  .since = "5.8",
	  .hint = "use a kernel without lockdown level confidentiality (kernel_lockdown(7))" },
	SENDMSG_HELPER(jiffies64, "5.6", "reads the clock of the flow table", NULL),
	FIELD(net, ns.inum, "identifies the socket's namespace"),
	FIELD(net, ipv4.dev_addr_genid, "detects changes of IPv4 addresses"),
	FIELD(net, ipv6.dev_addr_genid, "detects changes of IPv6 addresses"),
	FIELD(sock, __sk_common.skc_net.net, "locates the namespace"),
	FIELD(sock, sk_userlocks, "distinguishes servers from clients"),
	FIELD(net, dev_base_head, "locates the host's devices"),
	FIELD(in_ifaddr, ifa_local, "lists the host's addresses (IPv4)"),
	FIELD(inet6_ifaddr, if_list, "lists the host's addresses (IPv6)"),
	{ .name = "nf_conn.tuplehash",
	  .why = "lets audit recognise NATed replies",
	  .probe = conntrack_field,
	  .takes = NEED_BTF,
	  .type = "nf_conn",
	  .field = "tuplehash",
	  .hint = "load nf_conntrack, built with BTF",
	  .fallback = "audit may count NATed replies as wrong" },
};

NEEDS(reply_needs, rows);

int reply_caps_require(enum sluice_reply_mode mode, struct err *err)
{
	/*
	 * Mode audit reads conntrack's types. If they are in a module, libbpf loads the BTF of all
	 * modules, which the kernel allows only with CAP_SYS_ADMIN.
	 */
	static const int caps[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN };
	bool modules = mode == SLUICE_REPLY_AUDIT && !feature_struct("nf_conn");

	return caps_require("reply load", caps, modules ? 4 : 3, err);
}
