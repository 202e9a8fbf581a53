/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reply programs in the running kernel with the settings of a test, and their counters. */
#ifndef SLUICE_TESTS_PROG_PROGRAMS_H
#define SLUICE_TESTS_PROG_PROGRAMS_H

#include "bpf/reply/reply.skel.h"
#include "kernel/links.h"
#include "kernel/ticks.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <sluice/counters.h>
#include <sluice/reply.h>
#include <stdbool.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#define PROGRAMS_SEED 0x9e3779b97f4a7c15ULL
#define PROGRAMS_CPUS 4096

struct settings {
	__u16 port; /* the only managed port, unless any_port is set */
	bool any_port;
	bool audit; /* load sluice_audit instead of the fixing programs */
	bool any_peer_port;
	__u32 sets; /* number of sets; 0: 64 */
	__u32 age;  /* units of sluice_flow_clock(); 0: two minutes */
};

struct programs {
	struct reply_bpf *skel;
	struct bpf_link *links[HOOKS_MAX];
	int count;
	struct sluice_reply_counters seen; /* counters at the last assert_counted() */
};

static inline void programs_load(struct programs *programs, const struct settings *settings)
{
	struct reply_bpf *skel = reply_bpf__open();

	assert_non_null(skel);
	*programs = (struct programs){ .skel = skel };
	skel->rodata->seed = PROGRAMS_SEED;
	skel->rodata->tick_ns = ticks_length_ns();
	skel->rodata->age = settings->age ? settings->age : sluice_flow_clock(120000000000ULL);
	skel->rodata->sets = settings->sets ? settings->sets : 64;
	skel->rodata->any_port = settings->any_port;
	((__u64 *)skel->rodata->ports)[settings->port >> 6] |= 1ULL << (settings->port & 63);
	bpf_program__set_autoload(skel->progs.sluice_fix4, !settings->audit);
	bpf_program__set_autoload(skel->progs.sluice_fix6, !settings->audit);
	bpf_program__set_autoload(skel->progs.sluice_audit, settings->audit);
	skel->rodata->any_peer_port = settings->any_peer_port || settings->audit;
	bpf_map__set_max_entries(skel->maps.sluice_flows, skel->rodata->sets);
	assert_int_equal(reply_bpf__load(skel), 0);
}

static inline void programs_attach(struct programs *programs, const char *cgroup)
{
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	struct bpf_program *prog;

	assert_return_code(fd, errno);
	bpf_object__for_each_program(prog, programs->skel->obj) {
		struct bpf_link *link;

		if (!bpf_program__autoload(prog))
			continue;
		link = bpf_program__attach_cgroup(prog, fd);
		assert_non_null(link);
		programs->links[programs->count++] = link;
	}
	close(fd);
}

static inline void programs_unload(struct programs *programs)
{
	while (programs->count)
		bpf_link__destroy(programs->links[--programs->count]);
	reply_bpf__destroy(programs->skel);
	programs->skel = NULL;
}

static inline struct sluice_reply_counters programs_counters(const struct programs *programs)
{
	static struct sluice_reply_counters each[PROGRAMS_CPUS];
	struct sluice_reply_counters sum = { 0 };
	int cpus = libbpf_num_possible_cpus(), cpu, i;
	__u32 zero = 0;

	assert_in_range(cpus, 1, PROGRAMS_CPUS);
	assert_return_code(
		bpf_map_lookup_elem(bpf_map__fd(programs->skel->maps.sluice_counters), &zero, each),
		errno);
	for (cpu = 0; cpu < cpus; cpu++)
		for (i = 0; i < SLUICE_REPLY_COUNTERS_MAX; i++)
			sum.value[i] += each[cpu].value[i];
	return sum;
}

/*
 * Checks the exact counter changes since the last call: assert_counted(programs, COUNTED(fixed,
 * 1)).
 */
#define assert_counted(programs, ...)                                                            \
	programs_counted(programs, &(struct sluice_reply_counters){ { __VA_ARGS__ } }, __FILE__, \
			 __LINE__)
#define COUNTED(name, value) [SLUICE_REPLY_##name] = (value)

static inline void programs_counted(struct programs *programs,
				    const struct sluice_reply_counters *wanted, const char *file,
				    int line)
{
	static const char *const names[] = {
#define X(name, help) #name,
		SLUICE_REPLY_COUNTERS(X)
#undef X
	};
	struct sluice_reply_counters now = programs_counters(programs);
	bool same = true;
	int i;

	for (i = 0; i < SLUICE_REPLY_COUNTERS_MAX; i++) {
		__u64 value = now.value[i] - programs->seen.value[i];

		if (value == wanted->value[i])
			continue;
		print_error("%s: counted %llu, wanted %llu\n", names[i], (unsigned long long)value,
			    (unsigned long long)wanted->value[i]);
		same = false;
	}
	programs->seen = now;
	_assert_true(same, "other counters unchanged", file, line);
}

#endif
