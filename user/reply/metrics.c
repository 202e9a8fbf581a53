// SPDX-License-Identifier: GPL-2.0-or-later
#include "reply/metrics.h"

#include "kernel/flow_table.h"
#include "reply/pins.h"
#include "reply/reply.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const struct counter counters[] = { SLUICE_REPLY_COUNTERS(COUNTER) };

static const char *const programs[] = { "sluice_learn", "sluice_fix4",	   "sluice_fix6",
					"sluice_audit", "sluice_connect4", "sluice_connect6" };
#define PROGRAMS (sizeof(programs) / sizeof(*programs))

int reply_live_flows(const char *bpffs, const struct sluice_reply_meta *meta, __u64 *live)
{
	static const struct flow_table_layout layout = FLOW_TABLE_LAYOUT(struct sluice_flow_set);
	int fd = reply_table(bpffs, &(struct err){ 0 }), result;

	if (fd < 0)
		return fd;
	result = flow_table_live(fd, &layout, meta->sets, meta->age_ns, live);
	close(fd);
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
