// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the state of mode wire from its pins. */
#include "wire/wire.h"

#include "kernel/meta.h"
#include "net/netdev.h"
#include "wire/attach.h"
#include "wire/pins.h"

#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct flow_visit {
	wire_flow_fn fn;
	void *arg;
	struct flow_table_clock clock;
};

static int set_visit(const void *copy, void *arg)
{
	const struct sluice_wire_set *set = copy;
	const struct flow_visit *visit = arg;
	int way;

	for (way = 0; way < SLUICE_FLOW_WAYS; way++)
		if (set->tag[way])
			visit->fn(&set->flow[way],
				  flow_table_idle_ns(&visit->clock, set->seen[way]), visit->arg);
	return 0;
}

int wire_table(const char *bpffs, struct err *err)
{
	return state_dir_map_open(&wire_state_dir, bpffs, "sluice_w_flows", BPF_MAP_TYPE_ARRAY,
				  sizeof(__u32), sizeof(struct sluice_wire_set), err);
}

int wire_flows(const char *bpffs, wire_flow_fn fn, void *arg, struct err *err)
{
	struct flow_visit visit = { .fn = fn, .arg = arg };
	int result, fd = wire_table(bpffs, err);

	if (fd < 0)
		return fd;
	result = flow_table_clock_read(&visit.clock);
	if (!result)
		result = flow_table_walk(fd, sizeof(struct sluice_wire_set), BPF_F_LOCK, set_visit,
					 &visit);
	close(fd);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "flow table: %s", strerror(-result));
	return 0;
}

static void fill_count(const struct sluice_wire_flow *flow, __u64 age_ns, void *arg)
{
	struct wire_state *state = arg;

	if (age_ns <= state->meta.age_ns)
		state->usage.live++;
	else
		state->usage.expired++;
}

__u64 wire_table_bytes(__u32 flows)
{
	return flow_table_bytes(flows, SLUICE_FLOW_WAYS, sizeof(struct sluice_wire_set));
}

int wire_meta(const char *bpffs, struct sluice_wire_meta *meta, struct err *err)
{
	int result = meta_read(&wire_state_dir, bpffs, meta, err);

	return result ? meta_not_loaded(&wire_state_dir, bpffs, result, err) : 0;
}

int wire_read_counters(const char *bpffs, struct sluice_wire_counters *counters, struct err *err)
{
	return state_dir_counters(&wire_state_dir, bpffs, "sluice_w_counts", counters->value,
				  SLUICE_WIRE_COUNTERS_MAX, err);
}

int wire_ifaces(const char *bpffs, struct wire_iface **ifaces, int *count, struct err *err)
{
	struct sluice_wire_meta meta;
	int i, result = wire_meta(bpffs, &meta, err);

	*ifaces = NULL;
	*count = 0;
	if (result)
		return result;
	result = wire_iface_table_read(bpffs, ifaces, count, err);
	for (i = 0; i < *count; i++)
		wire_iface_inspect(bpffs, &(*ifaces)[i]);
	return result;
}

int wire_read(const char *bpffs, struct wire_state *state, struct err *err)
{
	int i, result;

	*state = (struct wire_state){ 0 };
	result = wire_meta(bpffs, &state->meta, err);
	if (result)
		return result;
	state->elsewhere = state->meta.netns != netdev_netns();
	state->usage.size = state->meta.sets * SLUICE_FLOW_WAYS;
	state->usage.bytes = (__u64)state->meta.sets * sizeof(struct sluice_wire_set);
	result = wire_read_counters(bpffs, &state->counters, err);
	if (!result)
		result = wire_flows(bpffs, fill_count, state, err);
	if (!result)
		result = wire_ifaces(bpffs, &state->ifaces, &state->count, err);
	/*
	 * an interface may have been renamed, or moved to another namespace together with its tcx
	 * links; a deleted interface keeps the name from the load
	 */
	for (i = 0; i < state->count && !state->elsewhere; i++) {
		struct wire_iface *iface = &state->ifaces[i];

		iface->gone = iface->gone || !if_indextoname(iface->ifindex, iface->entry.name);
	}
	if (result)
		wire_state_free(state);
	return result;
}

bool wire_is_gone(const struct wire_state *state, const struct wire_iface *iface)
{
	return iface->gone && !(state->elsewhere && iface->entry.attach_mode == SLUICE_WIRE_CLSACT);
}

void wire_state_free(struct wire_state *state)
{
	free(state->ifaces);
	state->ifaces = NULL;
	state->count = 0;
}
