// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/check.h"

#include "base/mounts.h"
#include "kernel/caps.h"
#include "kernel/feature.h"
#include "kernel/links.h"
#include "kernel/xdp.h"

#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#define BPFFS "/sys/fs/bpf"

/* What the maps of a plane take, the flow table of its default size included, and some room. */
#define MAP_MEMORY (4 << 20)

#define REPLY (1U << PROBE_REPLY)
#define STEER (1U << PROBE_STEER)
#define MEET  (1U << PROBE_MEET)

/* Capabilities that a question itself takes; without them it is not put. */
enum {
	ASK_BPF = 1 << 0,
	ASK_PERFMON = 1 << 1,
	ASK_NET_ADMIN = 1 << 2,
};
#define ASK_NET	  (ASK_BPF | ASK_NET_ADMIN)
#define ASK_TRACE (ASK_BPF | ASK_PERFMON)

enum answer {
	ANSWER_YES,
	ANSWER_LIMITED, /* there, with a restriction that the note tells */
	ANSWER_NO,
	ANSWER_REFUSED,
};

/* What questions share, and the last one's answer in words, both empty if the table's do. */
struct asking {
	const struct probe_settings *settings;
	struct btf *vmlinux;
	struct btf *conntrack; /* the module's; NULL where it is built in */
	bool bpf_refused;
	char note[256];
	char mend[256];
};

struct need {
	unsigned int needed;   /* planes that can't do without */
	unsigned int optional; /* planes that can */
	const char *name;
	const char *why;
	enum answer (*ask)(const struct need *need, struct asking *asking);
	int takes; /* ASK_… */
	/* What ask() looks for; which of these it reads stands at ask(). */
	int prog, attach, number;
	const char *type, *field;
	const char *since;    /* the first kernel that has it, for the reader alone */
	const char *fallback; /* what is done without it */
	const char *mend;
};

static enum answer from_feature(enum feature feature)
{
	return feature == FEATURE_YES  ? ANSWER_YES
	       : feature == FEATURE_NO ? ANSWER_NO
				       : ANSWER_REFUSED;
}

__attribute__((format(printf, 2, 3))) static void note(struct asking *asking, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(asking->note, sizeof(asking->note), fmt, args);
	va_end(args);
}

__attribute__((format(printf, 2, 3))) static void mend(struct asking *asking, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(asking->mend, sizeof(asking->mend), fmt, args);
	va_end(args);
}

/* --- questions about the host */

static enum answer ask_kernel(const struct need *need, struct asking *asking)
{
	struct utsname name;

	if (uname(&name))
		return ANSWER_NO;
	note(asking, "%s %s", name.release, name.machine);
	return ANSWER_YES;
}

/* number: the capability */
static enum answer ask_cap(const struct need *need, struct asking *asking)
{
	struct err err;

	if (!caps_require(need->name, &need->number, 1, &err))
		return ANSWER_YES;
	note(asking, "missing; needed to %s", need->why);
	mend(asking, "%s", err.mend);
	return ANSWER_REFUSED;
}

static enum answer ask_bpf(const struct need *need, struct asking *asking)
{
	enum answer answer = from_feature(feature_bpf());

	asking->bpf_refused = answer == ANSWER_REFUSED;
	return answer;
}

static enum answer ask_btf(const struct need *need, struct asking *asking)
{
	if (asking->vmlinux)
		return ANSWER_YES;
	return access("/sys/kernel/btf", F_OK) && errno == EACCES ? ANSWER_REFUSED : ANSWER_NO;
}

/* The folder, or the nearest one above it that exists. */
static int existing(const char *path, char at[PATH_MAX])
{
	struct stat st;
	char *slash;

	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(at, path);
	while (stat(at, &st)) {
		if (errno != ENOENT)
			return -errno;
		slash = strrchr(at, '/');
		if (!slash || slash == at)
			strcpy(at, slash ? "/" : ".");
		else
			*slash = '\0';
	}
	return 0;
}

static enum answer ask_bpffs(const struct need *need, struct asking *asking)
{
	const char *folder = asking->settings->bpffs;
	char at[PATH_MAX];
	int result = existing(folder, at);

	if (!result)
		result = mounts_is_bpffs(at);
	if (result == 1 && access(at, W_OK | X_OK))
		result = -errno;
	note(asking, "%s", at);
	if (result == 1)
		return ANSWER_YES;
	if (result == -EACCES || result == -EPERM) {
		note(asking, "%s: may not be written to", at);
		mend(asking, "run as root, or name another folder with --bpffs");
		return ANSWER_REFUSED;
	}
	note(asking, "%s: %s", at, result ? strerror(-result) : "not on a bpffs");
	mend(asking, "%s",
	     strncmp(folder, BPFFS "/", sizeof(BPFFS))
		     ? "name a folder on a bpffs, such as below " BPFFS
		     : "mount -t bpf bpf " BPFFS "; below 'ip netns exec' use --netns instead");
	return ANSWER_NO;
}

/* Are there controllers of version 1, as in systemd's hybrid layout? */
static bool cgroup_is_hybrid(void)
{
	FILE *mountinfo = fopen("/proc/self/mountinfo", "re");
	bool hybrid = mountinfo && mounts_have_cgroup1(mountinfo);

	if (mountinfo)
		fclose(mountinfo);
	return hybrid;
}

/* 1, 0, or -errno, as mounts_is_cgroup2(). */
static int cgroup_path(const char *given, char path[PATH_MAX])
{
	int result;

	if (given) {
		snprintf(path, PATH_MAX, "%s", given);
		return mounts_is_cgroup2(given);
	}
	result = mounts_cgroup2(path, PATH_MAX);
	return result ? result : 1;
}

static enum answer cgroup_missing(const char *given, int result, struct asking *asking)
{
	if (given) {
		note(asking, "%s: %s", given, result ? strerror(-result) : "not on a cgroup2");
		mend(asking, "name a cgroup2 directory");
	} else {
		const char *point = cgroup_is_hybrid() ? "/sys/fs/cgroup/unified"
						       : "/sys/fs/cgroup";

		note(asking, "%s", result == -ENOENT ? "not mounted" : strerror(-result));
		mend(asking, "mkdir -p %s && mount -t cgroup2 none %s", point, point);
	}
	return result == -EACCES ? ANSWER_REFUSED : ANSWER_NO;
}

static enum answer ask_cgroup(const struct need *need, struct asking *asking)
{
	const char *given = asking->settings->cgroup;
	char path[PATH_MAX];
	int result = cgroup_path(given, path);

	if (result < 1)
		return cgroup_missing(given, result, asking);
	if (mounts_is_cgroup2_root(path)) {
		note(asking, "%s, root of the whole host, %s layout", path,
		     cgroup_is_hybrid() ? "hybrid" : "pure v2");
		return ANSWER_YES;
	}
	note(asking, "%s is a subtree: only processes below it are covered", path);
	mend(asking, "to cover the host, mount its cgroup2 root here and name it with --cgroup");
	return ANSWER_LIMITED;
}

/* number: the address family */
static enum answer ask_udp(const struct need *need, struct asking *asking)
{
	return from_feature(feature_udp(need->number));
}

static enum answer ask_pidfd_getfd(const struct need *need, struct asking *asking)
{
	return from_feature(feature_pidfd_getfd());
}

/* --- questions about BPF */

/* prog, attach */
static enum answer ask_hook(const struct need *need, struct asking *asking)
{
	return from_feature(feature_hook(need->prog, need->attach));
}

/* number: the map type */
static enum answer ask_map(const struct need *need, struct asking *asking)
{
	return from_feature(feature_map(need->number));
}

/* libbpf, which has put RLIMIT_MEMLOCK aside if it may, does so for a load, too. */
static enum answer ask_memory(const struct need *need, struct asking *asking)
{
	enum answer answer = from_feature(feature_memory(MAP_MEMORY));

	if (answer == ANSWER_REFUSED) {
		note(asking, "RLIMIT_MEMLOCK is too low (kernels before 5.11 count maps to it)");
		mend(asking, "%s", HOOKS_MEMLOCK_MEND);
	}
	return answer;
}

/* prog, attach; number: the helper */
static enum answer ask_helper(const struct need *need, struct asking *asking)
{
	return from_feature(feature_helper(need->prog, need->attach, need->number));
}

/* Where requests are learned (cgroup_skb) and where replies are mended (sock_addr). */
static enum answer both(enum feature skb, enum feature addr)
{
	return from_feature(skb != FEATURE_YES ? skb : addr);
}

/* number: the helper */
static enum answer ask_reply_helper(const struct need *need, struct asking *asking)
{
	return both(feature_helper(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS, need->number),
		    feature_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG,
				   need->number));
}

static enum answer ask_spin_lock(const struct need *need, struct asking *asking)
{
	return both(feature_spin_lock(BPF_PROG_TYPE_CGROUP_SKB, BPF_CGROUP_INET_INGRESS),
		    feature_spin_lock(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG));
}

static enum answer ask_steer_lock(const struct need *need, struct asking *asking)
{
	return from_feature(feature_spin_lock(BPF_PROG_TYPE_SK_REUSEPORT, 0));
}

static enum answer ask_cgroup_link(const struct need *need, struct asking *asking)
{
	return from_feature(feature_cgroup_link());
}

static enum answer ask_tcx(const struct need *need, struct asking *asking)
{
	return from_feature(feature_tcx());
}

static enum answer ask_fib_source(const struct need *need, struct asking *asking)
{
	return from_feature(feature_fib_source());
}

static enum answer ask_reuseport_attach(const struct need *need, struct asking *asking)
{
	return from_feature(feature_reuseport_attach());
}

/* Without BTF nobody knows; the line of BTF itself says how to mend that. */
static enum answer no_btf(struct asking *asking)
{
	note(asking, "not known without BTF");
	mend(asking, "as for BTF");
	return ANSWER_NO;
}

static enum answer ask_file_iterator(const struct need *need, struct asking *asking)
{
	if (!asking->vmlinux)
		return no_btf(asking);
	return from_feature(feature_file_iterator(asking->vmlinux));
}

static enum answer ask_reuseport_casts(const struct need *need, struct asking *asking)
{
	if (!asking->vmlinux)
		return no_btf(asking);
	return from_feature(feature_reuseport_casts(asking->vmlinux));
}

/* type, field */
static enum answer ask_field(const struct need *need, struct asking *asking)
{
	if (!asking->vmlinux)
		return no_btf(asking);
	return from_feature(feature_field(asking->vmlinux, need->type, need->field));
}

static const struct btf *conntrack_btf(const struct asking *asking)
{
	return asking->conntrack ? asking->conntrack : asking->vmlinux;
}

/* type, field; and the word that leads from a packet to conntrack's entry */
static enum answer ask_conntrack_field(const struct need *need, struct asking *asking)
{
	if (!asking->vmlinux)
		return no_btf(asking);
	if (feature_field(asking->vmlinux, "sk_buff", "_nfct") != FEATURE_YES)
		return ANSWER_NO;
	return from_feature(feature_field(conntrack_btf(asking), need->type, need->field));
}

/* type: the function */
static enum answer ask_function(const struct need *need, struct asking *asking)
{
	if (!asking->vmlinux)
		return no_btf(asking);
	return from_feature(feature_function(asking->vmlinux, need->type));
}

/* type: the kfunc */
static enum answer ask_conntrack_function(const struct need *need, struct asking *asking)
{
	if (!asking->vmlinux)
		return no_btf(asking);
	return from_feature(feature_function(conntrack_btf(asking), need->type));
}

/* --- the table */

#define CGROUP_MEND  "a kernel built with CONFIG_CGROUP_BPF"
#define SECCOMP_MEND "allow it in the seccomp profile (securityContext.seccompProfile of a pod)"

#define STUN_FALLBACK	  "STUN is answered in user space, not in XDP"
#define SWEEP_FALLBACK	  "new sockets are found by a sweep through all processes, later"
#define QUEUE_FALLBACK	  "the NIC's queues choose the CPU"
#define CONSUMER_FALLBACK "workers that are pinned to a CPU alone"

#define CAP(cap)   .name = #cap, .ask = ask_cap, .number = cap
#define HOOK(p, a) .ask = ask_hook, .takes = ASK_NET, .prog = BPF_PROG_TYPE_##p, .attach = a
#define MAP(m)	   .name = #m " map", .ask = ask_map, .takes = ASK_BPF, .number = BPF_MAP_TYPE_##m
#define HELPER(p, a, h)                                                                    \
	.name = "bpf_" #h, .ask = ask_helper, .takes = ASK_NET, .prog = BPF_PROG_TYPE_##p, \
	.attach = a, .number = BPF_FUNC_##h
#define REPLY_HELPER(h)                                                             \
	.name = "bpf_" #h, .ask = ask_reply_helper, .takes = ASK_NET | ASK_PERFMON, \
	.number = BPF_FUNC_##h
#define FIELD(t, f)                                                   \
	.name = #t "." #f, .ask = ask_field, .type = #t, .field = #f, \
	.mend = "report it: sluice does not know the layout of this kernel"

static const struct need needs[] = {
	{ .optional = REPLY | STEER | MEET, .name = "kernel", .ask = ask_kernel },
	{ REPLY | STEER, MEET, CAP(CAP_BPF), .why = "load programs and make maps",
	  .fallback = STUN_FALLBACK },
	{ REPLY | STEER, MEET, CAP(CAP_NET_ADMIN), .why = "attach programs to the network",
	  .fallback = STUN_FALLBACK },
	{ REPLY | STEER, 0, CAP(CAP_PERFMON), .why = "read kernel structures in programs" },
	{ STEER, 0, CAP(CAP_SYS_PTRACE), .why = "take sockets of other processes (pidfd_getfd)" },
	{ REPLY | STEER, MEET, .name = "bpf(2)", .why = "the system call answers", .ask = ask_bpf,
	  .takes = ASK_BPF, .since = "3.18", .mend = SECCOMP_MEND, .fallback = STUN_FALLBACK },
	{ REPLY | STEER, 0, .name = "memory for maps", .why = "the flow table and its like",
	  .ask = ask_memory, .takes = ASK_BPF, .mend = "raise the cgroup's memory limit" },
	{ REPLY | STEER, 0, .name = "BTF", .why = "tells programs the kernel's layout (CO-RE)",
	  .ask = ask_btf, .since = "5.2", .mend = "a kernel built with CONFIG_DEBUG_INFO_BTF" },
	{ REPLY | STEER, MEET, .name = "bpffs", .ask = ask_bpffs, .fallback = STUN_FALLBACK },
	{ REPLY, STEER, .name = "cgroup2", .ask = ask_cgroup, .fallback = SWEEP_FALLBACK },

	/* reply: learn, fix, audit */
	{ REPLY, 0, .name = "cgroup_skb/ingress", .why = "learns which address was asked",
	  HOOK(CGROUP_SKB, BPF_CGROUP_INET_INGRESS), .since = "4.10", .mend = CGROUP_MEND },
	{ REPLY, 0, .name = "cgroup/sendmsg4", .why = "sets the source of an IPv4 reply",
	  HOOK(CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_SENDMSG), .since = "4.18", .mend = CGROUP_MEND },
	{ REPLY, 0, .name = "cgroup/sendmsg6", .why = "sets the source of an IPv6 reply",
	  HOOK(CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_SENDMSG), .since = "4.18", .mend = CGROUP_MEND },
	{ 0, REPLY, .name = "cgroup_skb/egress", .why = "sees wrong replies leave, for audit",
	  HOOK(CGROUP_SKB, BPF_CGROUP_INET_EGRESS), .since = "4.10", .mend = CGROUP_MEND,
	  .fallback = "audit mode is not to be had" },
	{ 0, REPLY, .name = "cgroup/connect4", .why = "sees servers connect to clients, for audit",
	  HOOK(CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT), .since = "4.17", .mend = CGROUP_MEND,
	  .fallback = "audit mode is not to be had" },
	{ REPLY, 0, .name = "bpf_link for cgroups", .why = "keeps programs attached, replaces them",
	  .ask = ask_cgroup_link, .takes = ASK_NET, .since = "5.7", .mend = CGROUP_MEND },
	{ REPLY, 0, MAP(SK_STORAGE), .why = "marks managed sockets", .since = "5.2" },
	{ REPLY, 0, REPLY_HELPER(sk_storage_get), .why = "finds the mark", .since = "5.3" },
	{ REPLY, 0, .name = "bpf_spin_lock", .why = "guards a set of the flow table",
	  .ask = ask_spin_lock, .takes = ASK_NET, .since = "5.1" },
	{ REPLY, 0, HELPER(CGROUP_SKB, BPF_CGROUP_INET_INGRESS, get_socket_cookie),
	  .why = "names the socket of a flow", .since = "4.12" },
	{ REPLY, 0, REPLY_HELPER(probe_read_kernel), .why = "reads kernel structures",
	  .since = "5.8",
	  .mend = "a kernel that is not locked down to confidentiality (kernel_lockdown(7))" },
	{ 0, REPLY, REPLY_HELPER(ktime_get_coarse_ns), .why = "tells a flow's age cheaply",
	  .since = "5.11", .fallback = "bpf_ktime_get_ns, which is dearer" },
	{ REPLY, 0, FIELD(net, ns.inum), .why = "names the socket's namespace" },
	{ REPLY, 0, FIELD(net, ipv4.dev_addr_genid), .why = "tells that IPv4 addresses changed" },
	{ REPLY, 0, FIELD(net, ipv6.dev_addr_genid), .why = "tells that IPv6 addresses changed" },
	{ REPLY, 0, FIELD(sock, __sk_common.skc_net.net), .why = "leads to the namespace" },
	{ REPLY, 0, FIELD(sock, sk_userlocks), .why = "tells servers from clients" },
	{ REPLY, 0, FIELD(net, dev_base_head), .why = "leads to the host's devices" },
	{ REPLY, 0, FIELD(in_ifaddr, ifa_local), .why = "tells the host's addresses (IPv4)" },
	{ REPLY, 0, FIELD(inet6_ifaddr, if_list), .why = "tells the host's addresses (IPv6)" },
	{ 0, REPLY, .name = "nf_conn.tuplehash", .why = "lets audit see through NAT",
	  .ask = ask_conntrack_field, .type = "nf_conn", .field = "tuplehash",
	  .mend = "load nf_conntrack, built with BTF",
	  .fallback = "audit may count NATed replies as wrong" },
	{ STEER, REPLY, .name = "iter/task_file", .why = "finds sockets and their processes",
	  .ask = ask_file_iterator, .takes = ASK_TRACE, .since = "5.8",
	  .fallback = "processes stay unknown" },
	/* reply: wire mode */
	{ 0, REPLY, .name = "tc", .why = "rewrites datagrams in wire mode", HOOK(SCHED_CLS, 0),
	  .since = "4.1", .fallback = "socket mode alone" },
	{ 0, REPLY, .name = "tcx", .why = "keeps tc programs attached, in order", .ask = ask_tcx,
	  .takes = ASK_NET, .since = "6.6", .fallback = "clsact" },
	{ 0, REPLY, .name = "BPF_FIB_LOOKUP_SRC", .why = "tells the source of a route",
	  .ask = ask_fib_source, .takes = ASK_NET, .since = "6.7",
	  .fallback = "addresses from netlink" },
	{ 0, REPLY, HELPER(CGROUP_SKB, BPF_CGROUP_INET_INGRESS, get_netns_cookie),
	  .why = "names the namespace of a datagram", .since = "6.12",
	  .fallback = "the socket cookie alone" },
	{ 0, REPLY, .name = "bpf_skb_ct_lookup", .why = "looks into conntrack (kfunc)",
	  .ask = ask_conntrack_function, .type = "bpf_skb_ct_lookup", .since = "5.18",
	  .mend = "from 5.18 on: load nf_conntrack, built with BTF", .fallback = "ctnetlink" },

	{ STEER, 0, .name = "sk_reuseport", .why = "chooses the worker", HOOK(SK_REUSEPORT, 0),
	  .since = "4.19" },
	{ STEER, 0, HELPER(SK_REUSEPORT, 0, sk_select_reuseport),
	  .why = "hands the datagram to the worker", .since = "4.19" },
	{ STEER, 0, MAP(REUSEPORT_SOCKARRAY), .why = "holds the workers' sockets",
	  .since = "4.19" },
	{ STEER, 0, .name = "SO_ATTACH_REUSEPORT_EBPF", .why = "attaches to a group of sockets",
	  .ask = ask_reuseport_attach, .takes = ASK_NET, .since = "4.19" },
	{ STEER, 0, .name = "pidfd_getfd", .why = "takes the workers' sockets",
	  .ask = ask_pidfd_getfd, .since = "5.6", .mend = SECCOMP_MEND },
	{ STEER, 0, HELPER(SK_REUSEPORT, 0, skb_load_bytes_relative),
	  .why = "reads the addresses of a datagram", .since = "4.19" },
	{ STEER, 0, .name = "bpf_spin_lock in sk_reuseport",
	  .why = "guards a set of the flow table", .ask = ask_steer_lock, .takes = ASK_NET,
	  .since = "5.1" },
	{ 0, STEER, HELPER(SK_REUSEPORT, 0, probe_read_kernel), .why = "reads how full a queue is",
	  .since = "5.8", .fallback = "new flows go to workers with full queues, too" },
	{ 0, STEER, .name = "bpf_rdonly_cast in sk_reuseport",
	  .why = "reads addresses and sockets without calls (kfunc)", .ask = ask_reuseport_casts,
	  .takes = ASK_TRACE, .since = "6.2", .fallback = "helpers, which are dearer" },
	{ 0, STEER, .name = "cgroup/post_bind4", .why = "tells of new sockets at once",
	  HOOK(CGROUP_SOCK, BPF_CGROUP_INET4_POST_BIND), .since = "4.17", .mend = CGROUP_MEND,
	  .fallback = SWEEP_FALLBACK },
	{ 0, STEER, .name = "cgroup/post_bind6", .why = "tells of new sockets at once",
	  HOOK(CGROUP_SOCK, BPF_CGROUP_INET6_POST_BIND), .since = "4.17", .mend = CGROUP_MEND,
	  .fallback = SWEEP_FALLBACK },
	{ 0, STEER, MAP(RINGBUF), .why = "brings the news of them", .since = "5.8",
	  .fallback = SWEEP_FALLBACK },
	{ 0, STEER, .name = "xdp", .why = "spreads flows over CPUs", HOOK(XDP, 0), .since = "4.8",
	  .fallback = QUEUE_FALLBACK },
	{ 0, STEER, MAP(CPUMAP), .why = "spreads flows over CPUs", .since = "4.15",
	  .fallback = QUEUE_FALLBACK },
	{ 0, STEER, .name = "generic XDP to CPUs", .why = "spreads where the driver has no XDP",
	  .ask = ask_function, .type = XDP_GENERIC_TO_CPUS, .since = "5.15",
	  .fallback = "--xdp only where the driver has XDP" },
	{ 0, STEER, .name = "cgroup/recvmsg4", .why = "tells who receives, for policy cpu",
	  HOOK(CGROUP_SOCK_ADDR, BPF_CGROUP_UDP4_RECVMSG), .since = "5.2", .mend = CGROUP_MEND,
	  .fallback = CONSUMER_FALLBACK },
	{ 0, STEER, .name = "cgroup/recvmsg6", .why = "tells who receives, for policy cpu",
	  HOOK(CGROUP_SOCK_ADDR, BPF_CGROUP_UDP6_RECVMSG), .since = "5.2", .mend = CGROUP_MEND,
	  .fallback = CONSUMER_FALLBACK },

	{ 0, MEET, .name = "xdp", .why = "answers STUN", HOOK(XDP, 0), .since = "4.8",
	  .fallback = STUN_FALLBACK },
	{ 0, MEET, HELPER(XDP, 0, xdp_adjust_head), .why = "grows an answer", .since = "4.10",
	  .fallback = STUN_FALLBACK },
	{ MEET, 0, .name = "IPv4", .why = "UDP sockets", .ask = ask_udp, .number = AF_INET,
	  .mend = "a kernel built with CONFIG_INET" },
	{ 0, MEET, .name = "IPv6", .why = "UDP sockets", .ask = ask_udp, .number = AF_INET6,
	  .mend = "a kernel built with CONFIG_IPV6", .fallback = "IPv4 alone" },
};
_Static_assert(sizeof(needs) / sizeof(*needs) <= PROBE_FINDINGS_MAX, "room for all findings");

/* --- putting it to the test */

const char *probe_plane_name(enum probe_plane plane)
{
	static const char *const names[] = {
		[PROBE_REPLY] = "reply",
		[PROBE_STEER] = "steer",
		[PROBE_MEET] = "meet",
	};

	return names[plane];
}

static const char *plane_of(const struct need *need)
{
	unsigned int planes = need->needed | need->optional;
	enum probe_plane plane;

	for (plane = 0; plane < PROBE_PLANES; plane++)
		if (planes == 1U << plane)
			return probe_plane_name(plane);
	return "host";
}

/* Missing one of these, the question would get a wrong answer; the first bpf(2) tells of all. */
static bool may_ask(const struct need *need, struct asking *asking)
{
	static const int order[] = { CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN };
	char list[sizeof(asking->note)] = "", name[CAPS_NAME_MAX];
	size_t i, used = 0, count = 0;

	for (i = 0; i < sizeof(order) / sizeof(*order); i++)
		if (need->takes & 1 << i && !caps_have(order[i]))
			used += snprintf(list + used, sizeof(list) - used, "%s%s",
					 count++ ? " and " : "", caps_name(order[i], name));
	if (!count && !(need->takes && asking->bpf_refused))
		return true;
	note(asking, "not known without %s", count ? list : "bpf(2)");
	mend(asking, "%s", !count ? SECCOMP_MEND : count > 1 ? "grant them" : "grant it");
	return false;
}

/* Why the finding is what it is, in the question's own words if it has any. */
static void reason_of(const struct need *need, enum answer answer, const struct asking *asking,
		      char *text, size_t size)
{
	if (asking->note[0])
		snprintf(text, size, "%s", asking->note);
	else if (answer == ANSWER_REFUSED)
		snprintf(text, size, "refused by a seccomp filter, an LSM or lockdown");
	else if (answer == ANSWER_NO && need->since)
		snprintf(text, size, "not in this kernel (Linux has it since %s)", need->since);
	else
		snprintf(text, size, "%s", answer == ANSWER_NO ? "not in this kernel" : need->why);
}

static void mend_of(const struct need *need, enum answer answer, const struct asking *asking,
		    char *text, size_t size)
{
	if (answer == ANSWER_YES)
		return;
	if (asking->mend[0])
		snprintf(text, size, "%s", asking->mend);
	else if (answer == ANSWER_REFUSED)
		snprintf(text, size, "%s", SECCOMP_MEND);
	else if (need->mend)
		snprintf(text, size, "%s", need->mend);
	else if (need->since)
		snprintf(text, size, "a kernel from %s on, built with it", need->since);
}

static void say(struct probe_finding *finding, const struct need *need, enum answer answer,
		const struct asking *asking)
{
	size_t used;

	reason_of(need, answer, asking, finding->reason, sizeof(finding->reason));
	mend_of(need, answer, asking, finding->mend, sizeof(finding->mend));
	used = strlen(finding->reason);
	if (finding->result == PROBE_WARN && answer != ANSWER_LIMITED && need->fallback)
		snprintf(finding->reason + used, sizeof(finding->reason) - used, "; instead: %s",
			 need->fallback);
}

static void ask(const struct need *need, struct asking *asking, struct probe_finding *finding)
{
	unsigned int planes = asking->settings->planes;
	enum answer answer = ANSWER_REFUSED;

	*finding = (struct probe_finding){ .plane = plane_of(need), .name = need->name };
	asking->note[0] = asking->mend[0] = '\0';
	finding->unknown = !may_ask(need, asking);
	if (!finding->unknown)
		answer = need->ask(need, asking);
	finding->permission = answer == ANSWER_REFUSED;
	if (answer == ANSWER_LIMITED || (answer != ANSWER_YES && !(need->needed & planes)))
		finding->result = PROBE_WARN;
	else if (answer != ANSWER_YES)
		finding->result = PROBE_FAIL;
	say(finding, need, answer, asking);
}

/* What is merely not known is left out: the permission that is missing to find out is named. */
static void missing_add(struct probe_verdict *verdict, const struct probe_finding *finding)
{
	size_t used = strlen(verdict->missing);

	if (!finding->unknown)
		snprintf(verdict->missing + used, sizeof(verdict->missing) - used, "%s%s",
			 used ? ", " : "", finding->name);
}

static void fallback_add(struct probe_verdict *verdict, const struct need *need)
{
	int i;

	for (i = 0; i < verdict->fallbacks; i++)
		if (need->fallback && verdict->fallback[i] &&
		    !strcmp(need->fallback, verdict->fallback[i]))
			return;
	verdict->fallback[verdict->fallbacks++] = need->fallback;
}

static void judge(struct probe_verdict *verdict, unsigned int plane, const struct need *need,
		  const struct probe_finding *finding)
{
	bool first = verdict->state != PROBE_MISSING;

	if (finding->result == PROBE_OK || !((need->needed | need->optional) & plane))
		return;
	if (need->needed & plane && finding->result == PROBE_FAIL) {
		verdict->permission = finding->permission && (first || verdict->permission);
		verdict->state = PROBE_MISSING;
		missing_add(verdict, finding);
		return;
	}
	fallback_add(verdict, need);
	if (first)
		verdict->state = PROBE_FALLBACK;
}

static void run(struct asking *asking, struct probe_report *report)
{
	unsigned int planes = asking->settings->planes;
	enum probe_plane plane;
	size_t i;

	for (plane = 0; plane < PROBE_PLANES; plane++)
		report->verdict[plane].asked = planes & 1U << plane;
	for (i = 0; i < sizeof(needs) / sizeof(*needs); i++) {
		struct probe_finding *finding = &report->finding[report->count];

		if (!((needs[i].needed | needs[i].optional) & planes))
			continue;
		ask(&needs[i], asking, finding);
		for (plane = 0; plane < PROBE_PLANES; plane++)
			if (report->verdict[plane].asked)
				judge(&report->verdict[plane], 1U << plane, &needs[i], finding);
		report->count++;
	}
}

void probe_run(const struct probe_settings *settings, struct probe_report *report)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	struct asking asking = { .settings = settings, .vmlinux = btf__load_vmlinux_btf() };

	memset(report, 0, sizeof(*report));
	if (asking.vmlinux && !access("/sys/kernel/btf/nf_conntrack", R_OK))
		asking.conntrack = btf__load_module_btf("nf_conntrack", asking.vmlinux);
	run(&asking, report);
	btf__free(asking.conntrack);
	btf__free(asking.vmlinux);
	libbpf_set_print(print);
}
