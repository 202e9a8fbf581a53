// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/addr.h"
#include "base/clock.h"
#include "base/ports.h"
#include "net/netns_names.h"
#include "process/cgroup_names.h"
#include "steer/view.h"

#include <time.h>

static const char *const udp_keys[] = {
#define X(name, snmp, key, help) key,
	SLUICE_STEER_UDP(X)
#undef X
};

static json_t *age_json(__u64 since_ns)
{
	return json_real((double)clock_since_ns(CLOCK_BOOTTIME, since_ns) / 1e9);
}

/* --- slots */

static json_t *slot_json(const struct steer_slot_view *slot, __u64 all, bool rates,
			 struct cgroup_names *cgroups)
{
	const struct slot_status *status = &slot->status;
	json_t *cpus = json_array(), *consumer, *queue, *object;
	int cpu;

	for (cpu = 0; cpu < SLUICE_STEER_CPUS; cpu++)
		if (status->cpus[cpu / 64] & 1ULL << cpu % 64)
			json_array_append_new(cpus, json_integer(cpu));
	/* known under policy cpu only */
	consumer = status->consumer.known == SLUICE_STEER_CPU_UNKNOWN
			   ? json_null()
			   : json_pack("{s:I, s:i, s:b}", "thread",
				       (json_int_t)status->consumer.tid, "cpu",
				       status->consumer.cpu, "pinned",
				       status->consumer.known == SLUICE_STEER_CPU_PINNED);
	queue = !status->held
			? json_null()
			: json_pack("{s:I, s:I, s:i}", "used_bytes", (json_int_t)status->queue_used,
				    "room_bytes", (json_int_t)status->queue_room, "fill_percent",
				    steer_queue_usage(status->queue_used, status->queue_room));
	object = json_pack(
		"{s:i, s:s, s:i, s:o, s:I, s:i, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:f, s:o, s:o}",
		"slot", slot->slot, "process", status->comm, "pid", status->pid, "holders",
		status->held ? json_integer(status->holders) : json_null(), "socket_cookie",
		(json_int_t)slot->record.cookie, "generation", slot->record.generation, "state",
		steer_slot_state(slot), "flows", (json_int_t)slot->flows, "flows_begun",
		(json_int_t)slot->stats.flows, "flows_moved_here", (json_int_t)slot->stats.moved,
		"datagrams", (json_int_t)slot->stats.datagrams, "bytes",
		(json_int_t)slot->stats.bytes, "cpus", cpus, "consumer", consumer, "joined_for_s",
		age_json(slot->record.joined_ns), "share",
		all ? (double)slot->stats.datagrams / (double)all : 0.0, "queue", queue, "drops",
		status->held ? json_integer(status->drops) : json_null());
	cgroup_names_json(cgroups, (pid_t)status->pid, object);
	if (rates)
		json_object_update_new(object, json_pack("{s:f, s:f}", "datagrams_per_s",
							 slot->datagrams_per_s, "drops_per_s",
							 slot->drops_per_s));
	return object;
}

/* --- groups */

static json_t *imbalance_json(double imbalance)
{
	return imbalance > 0 ? json_real(imbalance) : json_null();
}

static json_t *group_json(const struct steer_group_view *group, bool rates,
			  struct cgroup_names *cgroups)
{
	json_t *slots = json_array(), *object;
	char addr[ADDR_TEXT_MAX];
	__u64 all = 0;
	int i;

	for (i = 0; i < group->count; i++)
		all += group->slots[i].stats.datagrams;
	for (i = 0; i < group->count; i++)
		json_array_append_new(slots, slot_json(&group->slots[i], all, rates, cgroups));
	object = json_pack(
		"{s:s, s:s, s:i, s:i, s:s, s:i, s:I, s:i, s:i, s:i, s:i, s:i, s:i, s:I,"
		" s:{s:i, s:i, s:i, s:i, s:I}, s:o, s:o}",
		"name", group->name, "address", addr_format(&group->info.local, addr), "port",
		group->info.port, "ifindex", group->info.ifindex, "policy",
		steer_policy_name(group->info.policy), "program_id", group->info.prog_id, "idle_s",
		(json_int_t)(group->info.idle_ns / 1000000000ULL), "generations",
		group->generations, "open", group->count - group->closed, "closed", group->closed,
		"not_joined", group->not_joined, "shared", group->shared, "active", group->active,
		"datagrams", (json_int_t)group->datagrams, "flows", "live", group->live,
		"half_open", group->half_open, "expired", group->expired, "size", group->size,
		"bytes", (json_int_t)group->table_bytes, "loaded_for_s",
		age_json(group->info.loaded_ns), "imbalance", imbalance_json(group->imbalance));
	netns_names_json(NULL, group->info.netns, object);
	if (rates)
		json_object_update_new(object,
				       json_pack("{s:o, s:f}", "imbalance_now",
						 imbalance_json(group->imbalance_now),
						 "datagrams_per_s", group->datagrams_per_s));
	json_object_update_new(
		object, json_pack("{s:o, s:o}", "counters",
				  counters_json(steer_counters, group->counters, STEER_COUNTERS),
				  "slots", slots));
	return object;
}

/* --- namespaces */

static json_t *netns_json(const struct steer_netns_view *netns)
{
	json_t *udp = json_null(), *rest = json_null();
	int i;

	if (netns->counted) {
		udp = json_object();
		for (i = 0; i < SLUICE_STEER_UDP_COUNTERS; i++)
			json_object_set_new(udp, udp_keys[i],
					    json_integer((json_int_t)netns->udp[i]));
		rest = json_pack(
			"{s:I, s:I, s:I}", "total",
			(json_int_t)(netns->unexplained.errors + netns->unexplained.vanished),
			"errors", (json_int_t)netns->unexplained.errors, "vanished",
			(json_int_t)netns->unexplained.vanished);
	}
	return json_pack("{s:I, s:o, s:o, s:{s:I, s:I, s:I, s:I, s:I, s:i}, s:o, s:o}", "netns",
			 (json_int_t)netns->netns, "name",
			 *netns->name ? output_name(netns->name) : json_null(), "loaded_for_s",
			 age_json(netns->since_ns), "steered", "datagrams",
			 (json_int_t)netns->balance.seen, "kernel_choice",
			 (json_int_t)netns->kernel, "stale_slot", (json_int_t)netns->stale, "drops",
			 (json_int_t)netns->balance.drops, "waiting_bytes",
			 (json_int_t)netns->waiting, "sockets_unmeasured", netns->unmeasured, "udp",
			 udp, "unexplained", rest);
}

json_t *steer_view_json(const struct steer_view *view, bool rates)
{
	json_t *groups = json_array(), *namespaces = json_array();
	struct cgroup_names cgroups = { 0 };
	char text[PORTS_TEXT_MAX];
	struct ports ports;
	size_t i;

	steer_ports(&view->meta, &ports);
	ports_format(&ports, text, sizeof(text));
	for (i = 0; i < view->count; i++)
		json_array_append_new(groups, group_json(&view->groups[i], rates, &cgroups));
	for (i = 0; i < view->netns_count; i++)
		json_array_append_new(namespaces, netns_json(&view->netns[i]));
	cgroup_names_free(&cgroups);
	return json_pack("{s:s, s:s, s:s, s:I, s:I, s:i, s:i, s:o, s:o, s:o, s:o*}", "policy",
			 steer_policy_name(view->meta.policy), "ports", text, "generations_by",
			 steer_generations_name(view->meta.generations), "idle_s",
			 (json_int_t)(view->meta.idle_ns / 1000000000ULL), "flows_per_group",
			 (json_int_t)view->meta.flows, "groups_left_out", view->outside.left_out,
			 "groups_not_steered", view->outside.groups, "groups", groups, "namespaces",
			 namespaces, "loaded_for_s", age_json(view->meta.loaded_ns), "elapsed_s",
			 rates ? json_real(view->elapsed_s) : NULL);
}
