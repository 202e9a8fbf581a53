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
#include "kernel.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <sluice/readers.h>

/* include/linux/pid_namespace.h: PID namespaces are nested no deeper. */
#define PID_LEVELS 33

#define core __attribute__((preserve_access_index))

struct pid_namespace {
	struct ns_common ns;
} core;

struct upid {
	int nr;
	struct pid_namespace *ns;
} core;

struct pid {
	unsigned int level;
	struct upid numbers[];
} core;

struct task_struct {
	struct pid *thread_pid;
} core;

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
static __always_inline __u32 reader_tid(void)
{
	struct task_struct *task = (void *)bpf_get_current_task();
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

static __always_inline void note(__u64 cookie)
{
	struct sluice_reader *reader = bpf_map_lookup_elem(&sluice_readers, &cookie);
	__u32 tid;

	if (!reader)
		return;
	tid = reader_tid();
	if (reader->reads && reader->tid != tid)
		reader->shared = 1;
	reader->tid = tid;
	reader->cpu = bpf_get_smp_processor_id();
	reader->reads++;
}

/* Its arguments are the socket, the result and the flags. */
SEC("raw_tp/sock_recv_length")
int sluice_read(struct bpf_raw_tracepoint_args *ctx)
{
	struct sock *sk = (struct sock *)ctx->args[0];

	if ((__s64)ctx->args[1] >= 0)
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

char LICENSE[] SEC("license") = "Dual BSD/GPL";
