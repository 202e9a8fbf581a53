// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/metrics.h"

#include "kernel/flow_table.h"
#include "kernel/links.h"
#include "net/netdev.h"
#include "wire/pins.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const struct counter counters[] = { SLUICE_WIRE_COUNTERS(COUNTER) };

/* Indexed by direction, then by use of the conntrack kfuncs. */
static const char *const programs[2][2] = { { "sluice_wire_in", "sluice_ct_in" },
					    { "sluice_wire_out", "sluice_ct_out" } };

int wire_live_flows(const char *bpffs, const struct sluice_wire_meta *meta, __u64 *live)
{
	static const struct flow_table_layout layout = FLOW_TABLE_LAYOUT(struct sluice_wire_set);
	int fd = wire_table(bpffs, &(struct err){ 0 }), result;

	if (fd < 0)
		return fd;
	result = flow_table_live(fd, &layout, meta->sets, meta->age_ns, live);
	close(fd);
	return result;
}

/* Adds each program only once: all interfaces of a role share it. */
static void add_programs(struct metrics_objects *objects, const struct wire_iface *ifaces,
			 int count)
{
	struct bpf_prog_info info;
	int i, k, out, kind;

	for (out = 0; out < 2; out++)
		for (kind = 0; kind < 2; kind++)
			objects_add_program(objects, WIRE_OBJECT, programs[out][kind], 0, 0);
	for (out = 0; out < 2; out++)
		for (i = 0; i < count; i++) {
			for (k = 0; k < i && ifaces[k].prog_id[out] != ifaces[i].prog_id[out];)
				k++;
			if (k < i || !ifaces[i].prog_id[out] ||
			    prog_info_by_id(ifaces[i].prog_id[out], &info))
				continue;
			for (kind = 0; kind < 2; kind++)
				if (!strcmp(info.name, programs[out][kind]))
					objects_add_program(objects, WIRE_OBJECT,
							    programs[out][kind], info.run_time_ns,
							    info.run_cnt);
		}
}

void wire_metrics(struct metrics *metrics, struct metrics_objects *objects, const char *bpffs)
{
	struct sluice_wire_counters counted = { 0 };
	struct wire_iface *ifaces = NULL;
	struct sluice_wire_meta meta = { 0 };
	struct err err = { 0 };
	int result = wire_meta(bpffs, &meta, &err), count = 0, attached = 0, i;
	struct wire_state state = { .elsewhere = meta.netns != netdev_netns() };
	bool loaded = result != -ENOENT;
	__u64 live = 0;

	if (!result)
		result = wire_read_counters(bpffs, &counted, &err);
	if (!result)
		result = wire_live_flows(bpffs, &meta, &live);
	if (!result)
		result = wire_ifaces(bpffs, &ifaces, &count, &err);
	for (i = 0; i < count; i++)
		attached += !wire_is_gone(&state, &ifaces[i]);
	objects_add(objects, WIRE_OBJECT, loaded, !loaded || !result);
	objects_add_table(objects, WIRE_OBJECT, "flows", live, (__u64)meta.sets * SLUICE_FLOW_WAYS,
			  (__u64)meta.sets * sizeof(struct sluice_wire_set));
	add_programs(objects, ifaces, count);
	free(ifaces);
	metrics_gauge(metrics, "sluice_wire_interfaces", NULL,
		      "interfaces that mode wire is attached to", (uint64_t)attached);
	metrics_counters(metrics, "sluice_wire", counters, counted.value, SLUICE_WIRE_COUNTERS_MAX);
}
