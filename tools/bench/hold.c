// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * hold [FLOWS]: measures the cost of a million idle flows of hold: memory in user space and in the
 * kernel, and CPU time for their timers. Prints one figure per line. Loads no program and attaches
 * nothing.
 *
 * The timers work like those of the daemon (user/hold/sender.c): a timer reads its flow in the
 * mapped array, and is set again for 15 to 18 s later. The clock is simulated, so that only work
 * counts.
 */
#include "hold/sender_state.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <sluice/hold.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#define SECOND	  1000000000ULL
#define SCAN_NS	  (5 * SECOND)
#define INTERVAL  (18 * SECOND)
#define SIMULATED (180 * SECOND)

struct run {
	struct timer_wheel wheel;
	struct sluice_hold_flow *flows;
	struct sluice_hold_kept *kept;
	struct hold_slot *slots;
	uint64_t now_ns;
	unsigned int random;
	size_t expired;
	__u64 *closes;
};

static void fail(const char *what)
{
	fprintf(stderr, "hold: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double cpu_s(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return (double)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
	       (double)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static uint64_t due(struct run *run)
{
	run->random = run->random * 1664525U + 1013904223U;
	return run->now_ns + INTERVAL - (INTERVAL / 6 * (run->random >> 16) >> 16);
}

static void on_due(struct timer *timer, void *arg)
{
	struct hold_slot *slot = (struct hold_slot *)timer;
	struct run *run = arg;
	size_t i = (size_t)(slot - run->slots);
	__u64 closes = run->closes[run->flows[i].cookie % SLUICE_HOLD_CLOSES];

	run->expired++;
	if (slot->closes != closes)
		fail("closes");
	run->kept[i].kept_ns = run->now_ns;
	run->kept[i].due_ns = due(run);
	timer_wheel_set(&run->wheel, timer, run->kept[i].due_ns);
}

static size_t scan(const struct run *run, size_t count)
{
	size_t i, known = 0;

	for (i = 0; i < count; i++)
		known += run->flows[i].cookie && run->slots[i].serial == run->flows[i].serial &&
			 run->kept[i].state == SLUICE_HOLD_KEPT;
	return known;
}

/* Returns the kernel memory of a map in bytes. */
static size_t map_memory(int fd)
{
	char path[64], line[128];
	size_t bytes = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "memlock: %zu", &bytes);
	if (file)
		fclose(file);
	return bytes;
}

static int map_make(enum bpf_map_type type, __u32 key, __u32 value, __u32 entries, __u32 flags,
		    size_t *bytes)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = flags);
	int fd = bpf_map_create(type, "sluice_bench", key, value, entries, &opts);

	if (fd < 0)
		fail("map");
	*bytes += map_memory(fd);
	return fd;
}

int main(int argc, char **argv)
{
	__u32 count = argc > 1 ? (__u32)strtoul(argv[1], NULL, 10) : 1000000, i;
	struct run run = { .random = 1 };
	size_t kernel = 0, wakeups = 0;
	double began, timers, scans;
	uint64_t at, next_scan;
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int fd;

	if (!count) {
		fprintf(stderr, "usage: hold [FLOWS]\n");
		return 2;
	}
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	fd = map_make(BPF_MAP_TYPE_ARRAY, 4, sizeof(*run.flows), count, BPF_F_MMAPABLE, &kernel);
	run.flows = mmap(NULL, count * sizeof(*run.flows), PROT_READ | PROT_WRITE, MAP_SHARED, fd,
			 0);
	fd = map_make(BPF_MAP_TYPE_ARRAY, 4, sizeof(*run.kept), count, BPF_F_MMAPABLE, &kernel);
	run.kept = mmap(NULL, count * sizeof(*run.kept), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	map_make(BPF_MAP_TYPE_HASH, sizeof(struct sluice_hold_key), 4, count, 0, &kernel);
	map_make(BPF_MAP_TYPE_HASH, 8, sizeof(struct sluice_hold_socket), count, 0, &kernel);
	fd = map_make(BPF_MAP_TYPE_ARRAY, 4, 8, SLUICE_HOLD_CLOSES, BPF_F_MMAPABLE, &kernel);
	run.closes = mmap(NULL, SLUICE_HOLD_CLOSES * 8UL, PROT_READ, MAP_SHARED, fd, 0);
	run.slots = calloc(count, sizeof(*run.slots));
	if (run.flows == MAP_FAILED || run.kept == MAP_FAILED || run.closes == MAP_FAILED ||
	    !run.slots)
		fail("memory");
	timer_wheel_init(&run.wheel, 0, HOLD_TICK_NS);
	for (i = 0; i < count; i++) {
		run.flows[i].cookie = i + 1;
		run.flows[i].serial = run.slots[i].serial = 2;
		run.kept[i].state = SLUICE_HOLD_KEPT;
		timer_wheel_set(&run.wheel, &run.slots[i].timer, due(&run) * (i + 1ULL) / count);
	}
	began = cpu_s();
	while (timer_wheel_next(&run.wheel, &at) && at <= SIMULATED) {
		run.now_ns = at;
		timer_wheel_expire(&run.wheel, at, on_due, &run);
		wakeups++;
	}
	timers = cpu_s() - began;
	began = cpu_s();
	for (next_scan = 0; next_scan < SIMULATED; next_scan += SCAN_NS)
		if (scan(&run, count) != count)
			fail("scan");
	scans = cpu_s() - began;
	printf("%u flows\n", count);
	printf("user space, bytes a flow       %zu\n", sizeof(*run.slots));
	printf("kernel maps, bytes a flow      %zu\n", kernel / count);
	printf("a timer, ns                    %.0f\n", timers * 1e9 / (double)run.expired);
	printf("timers, %% of a core            %.2f\n", timers * 1e11 / (double)SIMULATED);
	printf("scans for new flows, %% of a core  %.2f\n", scans * 1e11 / (double)SIMULATED);
	printf("wake-ups a second              %.1f\n", (double)wakeups * 1e9 / (double)SIMULATED);
	return 0;
}
