// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/ticks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/if_ether.h>
#include <sluice/flow.h>
#include <time.h>
#include <unistd.h>

/*
 * The resolution of the coarse clocks is a tick (kernel/time/posix-timers.c,
 * posix_get_coarse_res()). CONFIG_HZ was rejected: not every host has the kernel's configuration.
 */
__u64 ticks_length_ns(void)
{
	struct timespec tick = { 0 };

	clock_getres(CLOCK_MONOTONIC_COARSE, &tick);
	return (__u64)tick.tv_sec * 1000000000 + (__u64)tick.tv_nsec;
}

/* CLOCK_MONOTONIC with an offset was rejected: a host with a periodic tick can lose ticks. */
int ticks_clock(__u32 *now)
{
	const struct bpf_insn program[] = {
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_jiffies64 },
		{ .code = BPF_ALU64 | BPF_MUL | BPF_K, .imm = (__s32)ticks_length_ns() },
		{ .code = BPF_ALU64 | BPF_RSH | BPF_K, .imm = SLUICE_FLOW_CLOCK_SHIFT },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	/*
	 * longer than an Ethernet header: the kernel strips the header, and 5.15.65 refuses an
	 * empty packet
	 */
	char packet[ETH_ZLEN] = { 0 };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = packet, .data_size_in = sizeof(packet));
	int fd = bpf_prog_load(BPF_PROG_TYPE_SOCKET_FILTER, "sluice_ticks", "GPL", program,
			       sizeof(program) / sizeof(*program), NULL);
	int result = fd < 0 ? -errno : 0;

	if (!result && bpf_prog_test_run_opts(fd, &opts))
		result = -errno;
	if (fd >= 0)
		close(fd);
	if (!result)
		*now = opts.retval;
	return result;
}
