// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Policy cpu: records which thread receives from a managed socket, and on which CPU.
 *
 * The hooks run in the receiving task for recvmsg(2), recvmmsg(2) and recvfrom(2) calls that return
 * the sender's address, which a server needs to reply on an unconnected socket. recv(2) and read(2)
 * do not run the hooks.
 *
 * Rejected: the tracepoint sock_recv_length, which runs for reads of all protocols and needs Linux
 * 6.3; walks over the kernel's wait queues, which need kernel addresses (CAP_SYSLOG).
 */
#include "common/kernel.h"
#include "common/task_files.h"

#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <sluice/consumers.h>
#include <sluice/steer.h>

/* The kernel's MAX_PID_NS_LEVEL: the deepest nesting of PID namespaces. */
#define PID_LEVELS 33

/* Inode number of the loader's PID namespace. */
const volatile __u32 pid_ns;

/* Keyed by socket cookie. The loader adds the sockets, the programs write the values. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 256 * SLUICE_STEER_SLOTS);
	__type(key, __u64);
	__type(value, struct sluice_consumer);
} sluice_consumers SEC(".maps");

/* Returns the thread id in the loader's PID namespace, or 0 if the thread is not visible there. */
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

static __always_inline int consumer_record(struct bpf_sock_addr *ctx)
{
	__u64 cookie = bpf_get_socket_cookie(ctx);
	struct sluice_consumer *consumer = bpf_map_lookup_elem(&sluice_consumers, &cookie);
	__u16 cpu = bpf_get_smp_processor_id();
	struct task_struct *task;
	__u32 thread;

	if (!consumer)
		return 1;
	task = (void *)bpf_get_current_task();
	thread = BPF_CORE_READ(task, pid);
	/* write only changes, so that the cache line stays shared between CPUs */
	if (consumer->thread == thread && consumer->cpu == cpu)
		return 1;
	if (consumer->thread != thread) {
		consumer->shared |= consumer->thread != 0;
		consumer->tid = task_tid(task);
		consumer->pid_ns = pid_ns;
		consumer->thread = thread;
	}
	consumer->cpu = cpu;
	return 1;
}

SEC("cgroup/recvmsg4")
int sluice_recv4(struct bpf_sock_addr *ctx)
{
	return consumer_record(ctx);
}

SEC("cgroup/recvmsg6")
int sluice_recv6(struct bpf_sock_addr *ctx)
{
	return consumer_record(ctx);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
