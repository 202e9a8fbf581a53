// SPDX-License-Identifier: GPL-2.0-or-later
/* The requirements of hold on the kernel. */
#include "hold/needs.h"

#include "kernel/caps.h"
#include "kernel/links.h"
#include "kernel/tc.h"

#define NO_ICMP "sockets receive ICMP errors of keepalives, which continue after port unreachable"

static enum feature conntrack_status(const struct need *need, struct probe *probe)
{
	if (feature_field(probe->vmlinux, "sk_buff", "_nfct") != FEATURE_YES)
		return FEATURE_NO;
	return feature_field(probe->conntrack, need->type, need->field);
}

static const struct need rows[] = {
	NEED_CAP(CAP_NET_RAW, "send keepalives"),
	NEED_CAP(CAP_SYS_ADMIN, "enter the network namespaces of the sockets"),
	NEED_CGROUP_HOOK("cgroup_skb/egress", SKB, INET_EGRESS, "4.10",
			 "records when datagrams leave", NULL),
	NEED_CGROUP_HOOK("cgroup_skb/ingress", SKB, INET_INGRESS, "4.10",
			 "records when datagrams arrive", NULL),
	NEED_CGROUP_HOOK("cgroup/sock_release", SOCK, INET_SOCK_RELEASE, "5.9",
			 "detects closed sockets", NULL),
	NEED_HELPER(CGROUP_SKB, BPF_CGROUP_INET_EGRESS, ktime_get_boot_ns, "5.8",
		    "reads a clock that also runs during suspend", NULL),
	NEED_HELPER(CGROUP_SKB, BPF_CGROUP_INET_EGRESS, spin_lock, "5.1", "locks a flow", NULL),
	NEED_HOOK("tcx", SCHED_CLS, TC_TCX_INGRESS, "6.6", "reads ICMP errors caused by keepalives",
		  NO_ICMP),
	{ .name = "nf_conn.status",
	  .why = "finds the addresses before the NAT of this host",
	  .probe = conntrack_status,
	  .takes = NEED_BTF,
	  .type = "nf_conn",
	  .field = "status",
	  .hint = "load nf_conntrack, built with BTF",
	  .fallback = "flows behind this host's own NAT are not kept" },
};

NEEDS(hold_needs, rows);

int hold_caps_require(struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_ADMIN };
	/*
	 * to find a type in a module, libbpf loads the BTF of all modules, which needs
	 * CAP_SYS_ADMIN
	 */
	bool modules = !feature_struct("nf_conn");

	return caps_require("hold load", caps, modules ? 4 : 3, err);
}
