// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Finds the processes that hold UDP sockets. The iterator visits the open files of all tasks in the
 * calling process's PID namespace. It writes a record for each UDP socket that passes the filter,
 * and the members of the socket's reuseport group. Unlike sock_diag plus /proc, it need not enter
 * each network namespace, and it reports the socket cookies that the other programs use as keys.
 */
#include "common/kernel.h"
#include "common/queue.h"
#include "common/task_files.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_endian.h>
#include <bpf/bpf_helpers.h>
#include <linux/in.h>
#include <sluice/sockets.h>

#define core __attribute__((preserve_access_index))

/* Slots for the groups whose members have been written. */
#define GROUPS_SEEN 1024
/* The kernel's limit on nested user namespaces (kernel/user_namespace.c). */
#define USER_NS_LEVELS 33

/* Set by the loader before each walk. */
struct sluice_sockets_filter filter;
/* Cleared by the loader before each walk. */
__u32 seen[GROUPS_SEEN];
/* The members of one group, which are too large for the stack. Only one walk runs at a time. */
struct sluice_socket_members members;

/* forward_deficit: bytes read but not yet released (net/ipv4/udp.c, udp_rmem_release()) */
struct udp_sock {
	int forward_deficit;
} core;

/*
 * Records the addresses and the peer's port. An IPv6 wildcard socket is recorded with ::, even if
 * it also receives IPv4.
 */
static __always_inline void record_ends(struct sluice_socket_record *record, struct sock *sk)
{
	record->peer_port_be = BPF_CORE_READ(sk, __sk_common.skc_dport);
	if (record->family == AF_INET6) {
		BPF_CORE_READ_INTO(&record->local, sk, __sk_common.skc_v6_rcv_saddr);
		BPF_CORE_READ_INTO(&record->peer, sk, __sk_common.skc_v6_daddr);
		return;
	}
	record->local.word_be[2] = record->peer.word_be[2] = bpf_htonl(0xffff);
	record->local.word_be[3] = BPF_CORE_READ(sk, __sk_common.skc_rcv_saddr);
	record->peer.word_be[3] = BPF_CORE_READ(sk, __sk_common.skc_daddr);
}

/*
 * Returns the slot of a group, which holds the last group of this hash whose members have been
 * written. A collision only causes the members to be written again.
 */
static __always_inline __u32 *group_seen(__u64 number)
{
	return &seen[number % GROUPS_SEEN];
}

/*
 * Writes all members of a group, once per walk: a search of the group for each of its sockets would
 * take quadratic time. Returns 0, or -1 if the buffer is full. The kernel then discards the output
 * for this file and runs the program again.
 */
static __always_inline int members_write(struct seq_file *seq, struct sock_reuseport *group,
					 __u64 number)
{
	const char *socks = (const char *)group + bpf_core_field_offset(group->socks);
	__u64 count = BPF_CORE_READ(group, num_socks), size;

	if (*group_seen(number) == number)
		return 0;
	if (count > SLUICE_GROUP_MAX)
		count = SLUICE_GROUP_MAX;
	members.group = number;
	members.count = count;
	bpf_probe_read_kernel(members.sock, count * sizeof(*members.sock), socks);
	size = sluice_members_items(count) * sizeof(struct sluice_socket_record);
	/* the verifier does not know the result of a division */
	asm volatile("" : "+r"(size));
	if (size > sizeof(members))
		return 0;
	return bpf_seq_write(seq, &members, size) ? -1 : 0;
}

static __always_inline void record_group(struct sluice_socket_record *record,
					 struct sock_reuseport *group, struct bpf_prog *prog)
{
	record->group_index = SLUICE_NO_INDEX;
	if (!group)
		return;
	/*
	 * reuseport ids start at 0; the group's address is not a key, since the kernel reallocates
	 * a growing group, even during a walk
	 */
	record->group = 1 + (__u64)BPF_CORE_READ(group, reuseport_id);
	record->group_filters = !!prog;
	if (!prog)
		return;
	record->group_prog = BPF_CORE_READ(prog, aux, id);
	record->group_prog_refs = BPF_CORE_READ(prog, aux, refcnt.counter);
}

static __always_inline void record_queue(struct sluice_socket_record *record, struct sock *sk)
{
	struct udp_sock *udp = (void *)sk;

	record->queue_used = BPF_CORE_READ(sk, sk_backlog.rmem_alloc.counter);
	record->queue_room = BPF_CORE_READ(sk, sk_rcvbuf);
	record->drops = sock_drops(sk);
	if (bpf_core_field_exists(udp->forward_deficit))
		record->queue_read = BPF_CORE_READ(udp, forward_deficit);
}

/* Returns the task's id in the calling process's PID namespace, which may be a container's. */
static __always_inline __u32 task_number(struct task_struct *task)
{
	struct task_struct *current = (void *)bpf_get_current_task();
	__u64 level = BPF_CORE_READ(current, thread_pid, level);
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	const char *numbers;
	__u32 number = 0;

	if (level > BPF_CORE_READ(pid, level))
		return 0;
	numbers = (const char *)pid + bpf_core_field_offset(pid->numbers);
	numbers += level * bpf_core_type_size(struct upid) + bpf_core_field_offset(struct upid, nr);
	bpf_probe_read_kernel(&number, sizeof(number), numbers);
	return number;
}

/*
 * Returns the uid of the task. In a user namespace, returns the uid of the creator of the outermost
 * user namespace, who may have thousands of uids in it. If root created that namespace, returns the
 * uid of the task, since root's containers do not belong to one user.
 */
__noinline __u32 task_user(__u64 real_cred)
{
	const struct cred *cred = (void *)real_cred;
	const struct user_namespace *in = BPF_CORE_READ(cred, user_ns);
	__u32 creator = 0, level;

	for (level = 0; level < USER_NS_LEVELS && BPF_CORE_READ(in, level) > 0; level++) {
		creator = BPF_CORE_READ(in, owner.val);
		in = BPF_CORE_READ(in, parent);
	}
	return creator ? creator : BPF_CORE_READ(cred, uid.val);
}

static __always_inline bool is_wanted(struct sock *sk, const struct sock_reuseport *group,
				      const struct bpf_prog *prog)
{
	__u16 port = BPF_CORE_READ(sk, __sk_common.skc_num);

	if (!filter.any_port && !(filter.ports[port >> 6] & 1ULL << (port & 63)))
		return false;
	if ((filter.groups && !group) || (filter.programs && !prog))
		return false;
	return !filter.netns || BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum) == filter.netns;
}

SEC("iter/task_file")
int sluice_sockets(struct bpf_iter__task_file *ctx)
{
	struct sluice_socket_record record = {};
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct sock_reuseport *group;
	struct bpf_prog *prog = NULL;
	struct sock *sk;

	if (!task || !file)
		return 0;
	sk = file_sock(file);
	if (!sk || BPF_CORE_READ(sk, sk_protocol) != IPPROTO_UDP)
		return 0;
	group = BPF_CORE_READ(sk, sk_reuseport_cb);
	if (group)
		prog = BPF_CORE_READ(group, prog);
	if (!is_wanted(sk, group, prog))
		return 0;
	record.cookie = BPF_CORE_READ(sk, __sk_common.skc_cookie.counter);
	record.sock = (__u64)sk;
	record.netns = BPF_CORE_READ(sk, __sk_common.skc_net.net, ns.inum);
	record.family = BPF_CORE_READ(sk, __sk_common.skc_family);
	record.port = BPF_CORE_READ(sk, __sk_common.skc_num);
	record.ifindex = BPF_CORE_READ(sk, __sk_common.skc_bound_dev_if);
	record.connected = BPF_CORE_READ(sk, __sk_common.skc_state) == TCP_ESTABLISHED;
	record_ends(&record, sk);
	record_group(&record, group, prog);
	record_queue(&record, sk);
	record.pid = task_number(BPF_CORE_READ(task, group_leader));
	/* the walk skips a thread that shares the leader's files; an exited leader has no files */
	record.tid = task_number(task);
	record.uid = task_user((__u64)BPF_CORE_READ(task, real_cred));
	record.fd = ctx->fd;
	bpf_probe_read_kernel_str(record.comm, sizeof(record.comm), task->comm);
	if (!bpf_seq_write(ctx->meta->seq, &record, sizeof(record)) && group && filter.members &&
	    !members_write(ctx->meta->seq, group, record.group))
		*group_seen(record.group) = record.group;
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
