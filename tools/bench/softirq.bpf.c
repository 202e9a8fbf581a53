// SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause)
/*
 * Measures the time that each CPU spends in NET_RX softirqs, except during the threads of one
 * process: the run time of these threads already includes softirqs that interrupt them.
 */
#include <linux/bpf.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define NET_RX 3 /* NET_RX_SOFTIRQ of linux/interrupt.h */

char LICENSE[] SEC("license") = "Dual BSD/GPL";

struct times {
	__u64 entered_ns;
	__u64 outside_ns;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct times);
} softirq_times SEC(".maps");

/* The process id, set by the benchmark. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} softirq_server SEC(".maps");

SEC("tp_btf/softirq_entry")
int BPF_PROG(softirq_entry, unsigned int vector)
{
	__u32 zero = 0;
	struct times *times = bpf_map_lookup_elem(&softirq_times, &zero);

	if (times && vector == NET_RX)
		times->entered_ns = bpf_ktime_get_ns();
	return 0;
}

SEC("tp_btf/softirq_exit")
int BPF_PROG(softirq_exit, unsigned int vector)
{
	__u32 zero = 0, *server = bpf_map_lookup_elem(&softirq_server, &zero);
	struct times *times = bpf_map_lookup_elem(&softirq_times, &zero);

	if (!times || !server || vector != NET_RX || !times->entered_ns)
		return 0;
	if (bpf_get_current_pid_tgid() >> 32 != *server)
		times->outside_ns += bpf_ktime_get_ns() - times->entered_ns;
	times->entered_ns = 0;
	return 0;
}
