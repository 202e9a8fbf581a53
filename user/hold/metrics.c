// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold/metrics.h"

#include "hold/hold.h"
#include "hold/maps.h"
#include "hold/pins.h"

#include <errno.h>
#include <string.h>

/* Maximum number of slots that a read samples; this takes about a millisecond. */
#define SLOTS_READ 8192

static const struct counter tracked[] = { SLUICE_HOLD_COUNTERS(COUNTER) };
static const struct counter sent[] = { SLUICE_HOLD_SEND_COUNTERS(COUNTER) };

static const char *const programs[] = { "sluice_closed", "sluice_hold_out", "sluice_hold_in" };
#define PROGRAMS (sizeof(programs) / sizeof(*programs))

/* Samples slots at equal distances, since adjacent slots have flows of similar age. */
int hold_usage_read(const char *bpffs, struct hold_usage *usage)
{
	struct sluice_hold_flow flow;
	struct hold_maps maps;
	__u32 slot, used, step;
	int i, result = hold_maps_open(&maps, bpffs, false, &(struct err){ 0 });

	*usage = (struct hold_usage){ 0 };
	if (result)
		return result;
	used = hold_maps_used(&maps);
	step = used / SLOTS_READ + 1;
	for (slot = 1; slot <= used; slot += step) {
		const struct sluice_hold_kept *kept = &maps.kept[slot];
		unsigned int state;

		if (!hold_flow_read(&maps, slot, &flow))
			continue;
		state = kept->serial == flow.serial ? kept->state : SLUICE_HOLD_NEW;
		if (state < SLUICE_HOLD_STATES)
			usage->flows[state]++;
	}
	for (i = 0; i < SLUICE_HOLD_STATES; i++) {
		usage->flows[i] *= step;
		usage->used += usage->flows[i];
	}
	usage->table = maps.table;
	hold_maps_close(&maps);
	return 0;
}

static void add_programs(struct metrics_objects *objects, const struct hold_state *state)
{
	size_t k;
	int i;

	for (k = 0; k < PROGRAMS; k++) {
		objects_add_program(objects, HOLD_OBJECT, programs[k], 0, 0);
		for (i = 0; i < state->hook_count; i++)
			if (!strcmp(state->hooks[i].prog_name, programs[k]))
				objects_add_program(objects, HOLD_OBJECT, programs[k],
						    state->hooks[i].run_ns,
						    state->hooks[i].run_count);
	}
}

void hold_metrics(struct metrics *metrics, struct metrics_objects *objects, const char *bpffs)
{
	struct hold_state state = { 0 };
	struct hold_usage usage = { 0 };
	struct err err = { 0 };
	int result = hold_read(bpffs, &state, &err), i;
	bool loaded = result != -ENOENT;

	if (!result)
		result = hold_usage_read(bpffs, &usage);
	objects_add(objects, HOLD_OBJECT, loaded, !loaded || !result);
	objects_add_table(objects, HOLD_OBJECT, "flows", usage.used, usage.table,
			  usage.table ? hold_table_bytes((__u32)usage.table) : 0);
	add_programs(objects, &state);
	metrics_gauge(metrics, "sluice_hold_sending", NULL,
		      "1 if a daemon sends the keepalives of the loaded object", state.sending);
	metrics_gauge_real(metrics, "sluice_hold_interval_seconds", "seconds",
			   "the longest time between two datagrams of a kept flow",
			   (double)state.status.interval_ns / 1e9);
	metrics_family(metrics, METRICS_GAUGE, "sluice_hold_flows_tracked", NULL,
		       "tracked flows by state; for a large table, an estimate");
	for (i = 0; i < SLUICE_HOLD_STATES; i++)
		metrics_add(metrics, usage.flows[i], "state", hold_state_name((unsigned int)i),
			    NULL);
	metrics_counters(metrics, "sluice_hold", tracked, state.counters.value,
			 SLUICE_HOLD_COUNTERS_MAX);
	metrics_counters(metrics, "sluice_hold", sent, state.status.counters.value,
			 SLUICE_HOLD_SEND_COUNTERS_MAX);
}
