// SPDX-License-Identifier: GPL-2.0-or-later
#include "reply/metrics.h"

#include "reply/pins.h"
#include "reply/reply.h"

#include <errno.h>
#include <linux/bpf.h>
#include <string.h>
#include <unistd.h>

/* Sets of the table that a read visits, a millisecond's work. */
#define SETS_READ 4096

static const struct counter counters[] = { SLUICE_REPLY_COUNTERS(COUNTER) };

static const char *const programs[] = { "sluice_learn", "sluice_fix4",	   "sluice_fix6",
					"sluice_audit", "sluice_connect4", "sluice_connect6" };
#define PROGRAMS (sizeof(programs) / sizeof(*programs))

struct count {
	struct flow_table_clock clock;
	__u64 age_ns;
	__u64 live;
};

static int count_set(const void *copy, void *arg)
{
	const struct sluice_flow_set *set = copy;
	struct count *count = arg;
	int way;

	for (way = 0; way < SLUICE_FLOW_WAYS; way++)
		count->live += set->tag[way] &&
			       flow_table_idle_ns(&count->clock, set->seen[way]) <= count->age_ns;
	return 0;
}

int reply_live_flows(const char *bpffs, const struct sluice_reply_meta *meta, __u64 *live)
{
	struct flow_table_part part = { .sets = meta->sets };
	struct count count = { .age_ns = meta->age_ns };
	int fd = reply_table(bpffs, &(struct err){ 0 }), result;

	if (fd < 0)
		return fd;
	result = flow_table_clock_read(&count.clock);
	if (!result)
		result = flow_table_walk_part(fd, sizeof(struct sluice_flow_set), BPF_F_LOCK, &part,
					      SETS_READ, count_set, &count);
	close(fd);
	*live = flow_table_estimate(&part, count.live);
	return result;
}

void reply_metrics(struct metrics *metrics, struct metrics_objects *objects, const char *bpffs)
{
	struct reply_state state = { 0 };
	struct err err = { 0 };
	int result = reply_read(bpffs, &state, &err), i;
	bool loaded = result != -ENOENT;
	__u64 live = 0;
	size_t k;

	if (!result)
		result = reply_live_flows(bpffs, &state.meta, &live);
	objects_add(objects, REPLY_OBJECT, loaded, !loaded || !result);
	objects_add_table(objects, REPLY_OBJECT, "flows", live,
			  (__u64)state.meta.sets * SLUICE_FLOW_WAYS,
			  (__u64)state.meta.sets * sizeof(struct sluice_flow_set));
	for (k = 0; k < PROGRAMS; k++) {
		objects_add_program(objects, REPLY_OBJECT, programs[k], 0, 0);
		for (i = 0; i < state.hook_count; i++)
			if (!strcmp(state.hooks[i].prog_name, programs[k]))
				objects_add_program(objects, REPLY_OBJECT, programs[k],
						    state.hooks[i].run_ns,
						    state.hooks[i].run_count);
	}
	metrics_counters(metrics, "sluice_reply", counters, state.counters.value,
			 SLUICE_REPLY_COUNTERS_MAX);
}
