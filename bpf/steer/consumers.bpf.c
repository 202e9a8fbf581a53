// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Which thread reads from a socket, and on which CPU.  /proc tells of a socket only the process:
 * where each thread of a server has a socket of its own, which one is whose shows in the reading.
 *
 * The programs are attached for a moment only, and look at the sockets that the loader has entered
 * in sluice_readers.  sluice_read sees all reads (the tracepoint came with 6.3); on older kernels
 * sluice_read4 and sluice_read6 see those of unconnected sockets that ask for the sender. Rejected:
 * kprobes, as they name functions of the kernel and registers of the CPU.
 */
#include "common/kernel.h"
#include "common/task_files.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <sluice/consumers.h>
#include <stdbool.h>

/* include/linux/pid_namespace.h: PID namespaces are nested no deeper. */
#define PID_LEVELS 33

/* What waits for a socket, and for an epoll: more of them than these are not looked at. */
#define WAITERS_MAX 4

#define core __attribute__((preserve_access_index))

struct wait_queue_head {
	struct list_head head;
} core;

struct wait_queue_entry {
	void *private;
	void *func;
	struct list_head entry;
} core;

struct socket_wq {
	struct wait_queue_head wait;
} core;

/* beside the fields of common/kernel.h */
struct sock___wait {
	struct socket_wq *sk_wq;
} core;

struct eventpoll {
	struct wait_queue_head wq;
} core;

struct epitem {
	struct eventpoll *ep;
} core;

struct eppoll_entry {
	struct epitem *base;
	struct wait_queue_entry wait;
} core;

struct poll_wqueues {
	struct task_struct *polling_task;
} core;

/* Addresses, of /proc/kallsyms; 0 where they are hidden: then no waiter is recognized. */
extern const void receiver_wake_function __ksym __weak;
extern const void pollwake __ksym __weak;
extern const void ep_poll_callback __ksym __weak;

/* The loader's PID namespace, by its inode number. */
const volatile __u32 pid_ns;

/* The keys are the loader's, socket cookies; the values are written by the programs. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, __u64);
	__type(value, struct sluice_reader);
} sluice_readers SEC(".maps");

/* The thread's id as the loader has it; 0 if that does not see it. */
static __always_inline __u32 task_tid(struct task_struct *task)
{
	struct pid *pid = BPF_CORE_READ(task, thread_pid);
	const char *numbers = (const char *)pid + bpf_core_field_offset(pid->numbers);
	__u64 levels = BPF_CORE_READ(pid, level), level;

	for (level = 0; level < PID_LEVELS && level <= levels; level++) {
		const struct upid *upid;

		asm volatile("" : "+r"(level));
		upid = (const void *)(numbers + level * bpf_core_type_size(struct upid));
		if (BPF_CORE_READ(upid, ns, ns.inum) == pid_ns)
			return BPF_CORE_READ(upid, nr);
	}
	return 0;
}

/* --- those that read */

static __always_inline void note(__u64 cookie)
{
	struct sluice_reader *reader = bpf_map_lookup_elem(&sluice_readers, &cookie);
	__u32 tid;

	if (!reader)
		return;
	tid = task_tid((void *)bpf_get_current_task());
	reader->shared = reader->reads && (reader->shared || reader->tid != tid);
	reader->tid = tid;
	reader->cpu = bpf_get_smp_processor_id();
	reader->reads++;
}

/* Its arguments are the socket, the result, an int that is not extended, and the flags. */
SEC("raw_tp/sock_recv_length")
int sluice_read(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = (struct sock *)ctx->args[0];

	if ((__s32)ctx->args[1] >= 0)
		note(BPF_CORE_READ(sk, __sk_common.skc_cookie.counter));
	return 0;
}

SEC("cgroup/recvmsg4")
int sluice_read4(struct bpf_sock_addr *ctx)
{
	note(bpf_get_socket_cookie(ctx));
	return 1;
}

SEC("cgroup/recvmsg6")
int sluice_read6(struct bpf_sock_addr *ctx)
{
	note(bpf_get_socket_cookie(ctx));
	return 1;
}

/* --- those that wait */

static __always_inline void note_waiter(struct sluice_reader *reader, struct task_struct *task)
{
	__u32 tid = task_tid(task);

	if (reader->reads || !tid)
		return;
	if (reader->tid && reader->tid != tid)
		reader->shared = 1;
	reader->tid = tid;
}

static __always_inline struct list_head *next_of(struct list_head *at)
{
	struct list_head *next = NULL;

	bpf_probe_read_kernel(&next, sizeof(next), at);
	return next;
}

static __always_inline struct wait_queue_entry *entry_of(struct list_head *at)
{
	return (void *)((char *)at - bpf_core_field_offset(struct wait_queue_entry, entry));
}

static __always_inline struct list_head *head_of(struct wait_queue_head *queue)
{
	return (void *)((char *)queue + bpf_core_field_offset(struct wait_queue_head, head));
}

/* All that wait for an epoll are threads. */
static __always_inline void note_epoll(struct sluice_reader *reader, struct wait_queue_entry *entry)
{
	const char *poll = (const char *)entry - bpf_core_field_offset(struct eppoll_entry, wait);
	struct eventpoll *ep = BPF_CORE_READ((struct eppoll_entry *)poll, base, ep);
	char *queue = (char *)ep + bpf_core_field_offset(struct eventpoll, wq);
	struct list_head *head = head_of((void *)queue), *at = next_of(head);
	__u64 nth;

	for (nth = 0; nth < WAITERS_MAX && at && at != head; nth++, at = next_of(at)) {
		asm volatile("" : "+r"(nth));
		note_waiter(reader, BPF_CORE_READ(entry_of(at), private));
	}
}

static __always_inline void note_entry(struct sluice_reader *reader, struct wait_queue_entry *entry)
{
	const void *func = BPF_CORE_READ(entry, func);
	void *private = BPF_CORE_READ(entry, private);
	struct poll_wqueues *poll = private;

	if (!func)
		return;
	if (func == &receiver_wake_function)
		note_waiter(reader, private);
	else if (func == &pollwake)
		note_waiter(reader, BPF_CORE_READ(poll, polling_task));
	else if (func == &ep_poll_callback)
		note_epoll(reader, entry);
}

/* Meets a socket once for each descriptor of it: the same waiters again change nothing. */
SEC("iter/task_file")
int sluice_waiting(struct bpf_iter__task_file *ctx)
{
	struct file *file = ctx->file;
	struct sluice_reader *reader;
	struct list_head *head, *at;
	struct socket_wq *wq;
	struct sock *sk;
	__u64 cookie, nth;

	if (!ctx->task || !file)
		return 0;
	sk = file_sock(file);
	cookie = sk ? (__u64)BPF_CORE_READ(sk, __sk_common.skc_cookie.counter) : 0;
	reader = bpf_map_lookup_elem(&sluice_readers, &cookie);
	if (!sk || !reader)
		return 0;
	wq = BPF_CORE_READ((struct sock___wait *)sk, sk_wq);
	head = head_of((void *)((char *)wq + bpf_core_field_offset(struct socket_wq, wait)));
	at = next_of(head);
	for (nth = 0; nth < WAITERS_MAX && at && at != head; nth++, at = next_of(at)) {
		asm volatile("" : "+r"(nth));
		note_entry(reader, entry_of(at));
	}
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
