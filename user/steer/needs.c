// SPDX-License-Identifier: GPL-2.0-or-later
/* The requirements of steer on the kernel. */
#include "steer/needs.h"

#include "kernel/caps.h"
#include "kernel/xdp.h"
#include "process/take_socket.h"

#define QUEUE_FALLBACK "the NIC's queues choose the CPU"
#define BOUND_FALLBACK "policy cpu finds only workers that are bound to one CPU"

static enum feature generic_xdp(const struct need *need, struct probe *probe)
{
	return feature_function(probe->vmlinux, XDP_GENERIC_TO_CPUS);
}

static const struct need rows[] = {
	NEED_CAP(CAP_SYS_PTRACE, "copy sockets of other processes (pidfd_getfd)"),
	NEED_HOOK("sk_reuseport", SK_REUSEPORT, 0, "4.19", "chooses the worker", NULL),
	NEED_HELPER(SK_REUSEPORT, 0, sk_select_reuseport, "4.19",
		    "delivers the datagram to the worker", NULL),
	NEED_MAP(REUSEPORT_SOCKARRAY, "4.19", "holds the workers' sockets", NULL),
	{ .name = "SO_ATTACH_REUSEPORT_EBPF",
	  .why = "attaches to a group of sockets",
	  .has = feature_reuseport_attach,
	  .takes = NEED_NET,
	  .since = "4.19" },
	{ .name = "pidfd_getfd",
	  .why = "copies the workers' sockets",
	  .has = feature_pidfd_getfd,
	  .since = "5.6",
	  .hint = NEED_SECCOMP_HINT },
	NEED_HELPER(SK_REUSEPORT, 0, skb_load_bytes_relative, "4.19",
		    "reads the addresses of a datagram", NULL),
	NEED_HELPER(SK_REUSEPORT, 0, jiffies64, "5.6", "reads the clock of the flow table", NULL),
	NEED_HELPER(SK_REUSEPORT, 0, probe_read_kernel, "5.8", "reads the usage of a queue",
		    "new flows also go to workers with full queues"),
	{ .name = "bpf_rdonly_cast in sk_reuseport",
	  .why = "reads addresses and sockets without calls (kfunc)",
	  .has_btf = feature_reuseport_casts,
	  .takes = NEED_BPF | NEED_PERFMON | NEED_BTF,
	  .since = "6.2",
	  .fallback = "calls helpers, which are slower" },
	NEED_CGROUP_HOOK("cgroup/post_bind4", SOCK, INET4_POST_BIND, "4.17",
			 "reports new sockets immediately", STEER_SWEEP_FALLBACK),
	NEED_CGROUP_HOOK("cgroup/post_bind6", SOCK, INET6_POST_BIND, "4.17",
			 "reports new sockets immediately", STEER_SWEEP_FALLBACK),
	NEED_CGROUP_HOOK("cgroup/sock_release", SOCK, INET_SOCK_RELEASE, "5.9",
			 "counts the datagrams that a drained process leaves unread",
			 "the last known state of its queue is counted"),
	NEED_MAP(RINGBUF, "5.8", "carries the events of new sockets", STEER_SWEEP_FALLBACK),
	NEED_HOOK("xdp", XDP, 0, "4.8", "spreads flows over CPUs", QUEUE_FALLBACK),
	NEED_MAP(CPUMAP, "4.15", "spreads flows over CPUs", QUEUE_FALLBACK),
	{ .name = "generic XDP to CPUs",
	  .why = "spreads flows if the driver lacks XDP",
	  .probe = generic_xdp,
	  .takes = NEED_BTF,
	  .since = "5.15",
	  .fallback = "--xdp works only if the driver supports XDP" },
	NEED_CGROUP_HOOK("cgroup/recvmsg4", SOCK_ADDR, UDP4_RECVMSG, "5.2",
			 "finds the CPU of a worker, for policy cpu", BOUND_FALLBACK),
	NEED_CGROUP_HOOK("cgroup/recvmsg6", SOCK_ADDR, UDP6_RECVMSG, "5.2",
			 "finds the CPU of a worker, for policy cpu", BOUND_FALLBACK),
};

NEEDS(steer_needs, rows);

int steer_caps_require(const char *command, bool attaches, struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE, CAP_NET_ADMIN };
	int result = caps_require(command, caps, attaches ? 4 : 3, err);

	return result ? result : process_sockets_check(command, err);
}
