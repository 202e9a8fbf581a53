// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/reply/flow_list.h"

#include "base/array.h"
#include "cmd/reply/loaded.h"
#include "kernel/pins.h"

#include <errno.h>
#include <stdlib.h>

struct reading {
	struct flow_list *list;
	bool all;
	bool no_memory;
};

static void socket_visit(const struct sluice_flow *flow, __u64 age_ns, void *arg)
{
	struct reading *reading = arg;
	struct socket_flows *flows = &reading->list->socket;
	void *all = flows->flow;

	if (!reading->all && age_ns > flows->meta.age_ns) {
		flows->older++;
		return;
	}
	if (array_grow(&all, &flows->room, flows->count, sizeof(*flows->flow))) {
		reading->no_memory = true;
		return;
	}
	flows->flow = all;
	flows->flow[flows->count++] = (struct socket_flow){ age_ns, *flow };
}

static void wire_visit(const struct sluice_wire_flow *flow, __u64 age_ns, void *arg)
{
	struct reading *reading = arg;
	struct wire_flows *flows = &reading->list->wire;
	void *all = flows->flow;

	if (!reading->all && age_ns > flows->meta.age_ns) {
		flows->older++;
		return;
	}
	if (array_grow(&all, &flows->room, flows->count, sizeof(*flows->flow))) {
		reading->no_memory = true;
		return;
	}
	flows->flow = all;
	flows->flow[flows->count++] = (struct wire_flow){ age_ns, *flow };
}

/* Of both kinds of flow, the age comes first. */
static int by_age(const void *a, const void *b)
{
	const __u64 *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

static int socket_read(const char *bpffs, struct reading *reading, struct err *err)
{
	struct socket_flows *flows = &reading->list->socket;
	struct reply_state state;
	struct flow_table_usage fill = { 0 };
	int result = reply_read(bpffs, &state, err);

	if (result)
		return result;
	flows->meta = state.meta;
	return reply_flows(bpffs, &fill, socket_visit, reading, err);
}

static int wire_list(const char *bpffs, struct reading *reading, struct err *err)
{
	struct wire_flows *flows = &reading->list->wire;
	int result = wire_meta(bpffs, &flows->meta, err);

	if (!result)
		result = wire_ifaces(bpffs, &flows->ifaces, &flows->iface_count, err);
	if (!result)
		result = wire_flows(bpffs, wire_visit, reading, err);
	return result;
}

static int loaded_read(const char *bpffs, struct flow_list *list, struct err *err)
{
	int reply = pins_exist(bpffs, "reply", err);
	int wire = reply < 0 ? reply : pins_exist(bpffs, "wire", err);

	if (wire < 0)
		return wire;
	list->socket.loaded = reply;
	list->wire.loaded = wire;
	return reply || wire ? 0 : reply_loaded_none(bpffs, err);
}

int flow_list_read(const char *bpffs, bool all, struct flow_list *list, struct err *err)
{
	struct reading reading = { .list = list, .all = all };
	int result;

	*list = (struct flow_list){ 0 };
	result = loaded_read(bpffs, list, err);
	if (!result && list->socket.loaded)
		result = socket_read(bpffs, &reading, err);
	if (!result && list->wire.loaded)
		result = wire_list(bpffs, &reading, err);
	if (!result && reading.no_memory)
		result = err_set(err, EXIT_ERROR, ENOMEM, "flows: no memory");
	if (result)
		return result;
	if (list->socket.count)
		qsort(list->socket.flow, list->socket.count, sizeof(*list->socket.flow), by_age);
	if (list->wire.count)
		qsort(list->wire.flow, list->wire.count, sizeof(*list->wire.flow), by_age);
	return 0;
}

void flow_list_free(struct flow_list *list)
{
	free(list->socket.flow);
	free(list->wire.flow);
	free(list->wire.ifaces);
	*list = (struct flow_list){ 0 };
}
