// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The order of the reads keeps the balance of a namespace valid under traffic: first the counters
 * of the programs, then the counters of the namespace, then the drops of the sockets. So a counter
 * that is read later can only be ahead of a counter that was read earlier.
 */
#include "steer/view.h"

#include "base/array.h"
#include "base/clock.h"
#include "net/netns.h"
#include "steer/group/drain_lock.h"
#include "steer/group/udp_stats.h"
#include "steer/sweep.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/* --- counters */

__u64 steer_left_to_kernel(const __u64 counters[SLUICE_STEER_COUNTERS_MAX])
{
	return counters[SLUICE_STEER_kernel_no_worker] + counters[SLUICE_STEER_kernel_header] +
	       counters[SLUICE_STEER_kernel_refused];
}

/* The program counts each datagram in exactly one of these counters. */
__u64 steer_datagrams(const __u64 counters[SLUICE_STEER_COUNTERS_MAX])
{
	return counters[SLUICE_STEER_known] + counters[SLUICE_STEER_started] +
	       counters[SLUICE_STEER_moved_gone] + counters[SLUICE_STEER_moved_drained] +
	       counters[SLUICE_STEER_moved_idle] + counters[SLUICE_STEER_cpu_other] +
	       steer_left_to_kernel(counters);
}

/* --- groups */

static bool takes_new(const struct steer_slot_view *slot)
{
	return slot->record.state == SLUICE_STEER_ACTIVE && !slot->status.closed;
}

const char *steer_slot_state(const struct steer_slot_view *slot)
{
	static const char *const names[] = {
		[SLUICE_STEER_FREE] = "free",	    [SLUICE_STEER_ACTIVE] = "active",
		[SLUICE_STEER_RETIRED] = "retired", [SLUICE_STEER_DRAINING] = "draining",
		[SLUICE_STEER_DRAINED] = "drained",
	};

	if (slot->status.closed)
		return "closed";
	if (slot->stalled)
		return "stalled";
	return slot->record.state < sizeof(names) / sizeof(*names) ? names[slot->record.state]
								   : "?";
}

static int slots_read(const struct steer_group *group, const struct steer_usage *usage,
		      struct steer_group_view *view)
{
	struct sluice_steer_stats *stats = calloc(SLUICE_STEER_SLOTS, sizeof(*stats));
	int slot, result = stats ? steer_group_stats(group, stats) : -ENOMEM;

	view->slots = calloc((size_t)sweep_slots_used(group) + 1, sizeof(*view->slots));
	if (!view->slots)
		result = -ENOMEM;
	for (slot = 0; !result && slot < SLUICE_STEER_SLOTS; slot++) {
		struct steer_slot_view *to = &view->slots[view->count];

		if (group->slots[slot].state == SLUICE_STEER_FREE)
			continue;
		view->count++;
		*to = (struct steer_slot_view){ .slot = slot,
						.record = group->slots[slot],
						.stats = stats[slot],
						.flows = usage->of_slot[slot] };
		slot_status_read(group, slot, &to->status);
	}
	free(stats);
	return result;
}

static int group_read(const struct steer_group *group, struct steer_group_view *view)
{
	struct sluice_steer_counters counters = { 0 };
	struct steer_usage *usage = calloc(1, sizeof(*usage));
	int i, j, result = usage ? steer_group_counters(group, &counters) : -ENOMEM;

	if (!result)
		result = steer_group_usage(group, 0, usage);
	if (!result)
		result = slots_read(group, usage, view);
	if (result)
		goto free;
	memcpy(view->counters, counters.value, sizeof(counters.value));
	view->counters[STEER_DRAIN_UNREAD] = group->info.drain_unread;
	memcpy(view->name, group->name, sizeof(view->name));
	view->info = group->info;
	view->live = usage->live;
	view->half_open = usage->half_open;
	view->expired = usage->expired;
	view->size = usage->size;
	view->table_bytes = (__u64)group->info.sets * sizeof(struct sluice_steer_set);
	view->datagrams = steer_datagrams(view->counters);
	for (i = 0; i < view->count; i++) {
		view->active += takes_new(&view->slots[i]);
		view->closed += view->slots[i].status.closed;
		for (j = 0; j < i; j++)
			if (view->slots[j].record.generation == view->slots[i].record.generation)
				break;
		view->generations += j == i;
	}
free:
	free(usage);
	return result;
}

static int group_add(struct steer_group *group, void *arg)
{
	struct steer_view *view = arg;
	void *groups = view->groups;
	struct steer_group_view *to;
	int result;

	if (array_grow(&groups, &view->room, view->count, sizeof(*view->groups)))
		return -ENOMEM;
	view->groups = groups;
	to = &view->groups[view->count++];
	*to = (struct steer_group_view){ 0 };
	result = group_read(group, to);
	view->lapsed |= drain_lock_any_stale(group);
	if (result != -ENOENT)
		return result;
	/* the group was released after this process opened it */
	free(to->slots);
	view->count--;
	return 0;
}

static int by_port(const void *a, const void *b)
{
	const struct steer_group_view *left = a, *right = b;

	if (left->info.port != right->info.port)
		return left->info.port < right->info.port ? -1 : 1;
	return strcmp(left->name, right->name);
}

/* --- namespaces */

static struct steer_netns_view *netns_find(const struct steer_view *view, __u32 netns)
{
	size_t i;

	for (i = 0; i < view->netns_count; i++)
		if (view->netns[i].netns == netns)
			return &view->netns[i];
	return NULL;
}

static struct steer_netns_view *netns_of(struct steer_view *view, __u32 netns)
{
	struct steer_netns_view *found = netns_find(view, netns);
	void *all = view->netns;

	if (found)
		return found;
	if (array_grow(&all, &view->netns_room, view->netns_count, sizeof(*view->netns)))
		return NULL;
	view->netns = all;
	found = &view->netns[view->netns_count++];
	*found = (struct steer_netns_view){ .netns = netns, .since_ns = ~0ULL };
	if (!netns_name(netns, found->name))
		found->name[0] = '\0';
	return found;
}

/* Reads the UDP counters of a namespace, less their values when the first group was loaded. */
static void netns_count(struct steer_view *view, struct steer_netns_view *netns)
{
	const struct sluice_steer_group *first = NULL;
	__u32 pid = 0;
	int counter;
	size_t i;

	for (i = 0; i < view->count; i++) {
		const struct steer_group_view *group = &view->groups[i];

		if (group->info.netns != netns->netns)
			continue;
		if (group->info.loaded_ns == netns->since_ns)
			first = &group->info;
		if (!pid && group->count)
			pid = group->slots[0].record.pid;
	}
	if (!first || !first->udp_before[SLUICE_STEER_UDP_KNOWN] ||
	    udp_stats_read(netns->netns, pid, netns->udp))
		return;
	netns->counted = true;
	for (counter = 0; counter < SLUICE_STEER_UDP_COUNTERS; counter++)
		netns->udp[counter] -= first->udp_before[counter];
	netns->balance.read = netns->udp[SLUICE_STEER_UDP_IN_DATAGRAMS];
	netns->balance.errors = netns->udp[SLUICE_STEER_UDP_IN_ERRORS];
	netns->balance.checksum = netns->udp[SLUICE_STEER_UDP_IN_CSUM_ERRORS];
}

static int netns_read(struct steer_view *view)
{
	size_t i;

	for (i = 0; i < view->count; i++) {
		const struct steer_group_view *group = &view->groups[i];
		struct steer_netns_view *netns = netns_of(view, group->info.netns);

		if (!netns)
			return -ENOMEM;
		if (group->info.loaded_ns < netns->since_ns)
			netns->since_ns = group->info.loaded_ns;
		netns->balance.seen += group->datagrams;
		netns->kernel += steer_left_to_kernel(group->counters);
		netns->stale += group->counters[SLUICE_STEER_stale_slot];
	}
	for (i = 0; i < view->netns_count; i++)
		netns_count(view, &view->netns[i]);
	return 0;
}

/* --- groups that are not steered */

/* Counts the groups that a dry run finds without pins, which are not steered yet. */
static void outside_add(const struct steer_event *event, void *arg)
{
	struct steer_outside *outside = arg;

	outside->groups += event->type == STEER_GROUP_FOUND && !event->name;
}

static int outside_count(const char *bpffs, struct steer_outside *outside, struct err *err)
{
	struct steer_sweep sweep = {
		.bpffs = bpffs, .dry_run = true, .fn = outside_add, .arg = outside
	};
	int result;

	*outside = (struct steer_outside){ 0 };
	result = steer_read(bpffs, &sweep.meta, err);
	if (!result)
		result = steer_sweep_run(&sweep, err);
	if (result)
		return result;
	outside->left_out = sweep.left_out;
	outside->left_out_netns = sweep.left_out_netns;
	return 0;
}

/* --- sockets */

/* Counts the open sockets that have no slot, so that the programs cannot select them. */
static void not_joined_count(struct steer_view *view, const struct sockets *sockets)
{
	const struct sluice_socket_record *record;
	struct steer_group_view *group;
	size_t i, j;
	int slot;

	for (i = 0; sockets && (record = sockets_at(sockets, i)); i++) {
		/* skip connected sockets, which receive only from their peer */
		if (!record->group_prog || record->connected)
			continue;
		for (j = 0; j < view->count; j++)
			if (view->groups[j].info.prog_id == record->group_prog)
				break;
		if (j == view->count)
			continue;
		group = &view->groups[j];
		for (slot = 0; slot < group->count; slot++)
			if (group->slots[slot].record.cookie == record->cookie)
				break;
		group->not_joined += slot == group->count;
	}
}

/*
 * Measures the queues. Leaves sockets unmeasured if they cannot be listed (no permission, or no
 * socket iterator).
 */
static void sockets_measure(struct steer_view *view)
{
	struct sockets_filter filter = { 0 };
	struct sockets *sockets = NULL;
	size_t i;
	int j;

	for (i = 0; i < view->count; i++) {
		__u16 port = view->groups[i].info.port;

		filter.ports.bit[port >> 6] |= 1ULL << (port & 63);
	}
	if (sockets_read(&sockets, &filter, &(struct err){ 0 }))
		sockets = NULL;
	for (i = 0; i < view->count; i++) {
		struct steer_group_view *group = &view->groups[i];
		struct steer_netns_view *netns = netns_find(view, group->info.netns);

		for (j = 0; j < group->count; j++) {
			struct slot_status *status = &group->slots[j].status;

			slot_status_of_socket(sockets, &group->slots[j].record, status);
			if (status->closed)
				continue;
			netns->unmeasured += !status->held;
			group->shared += status->holders > 1;
			if (!status->held)
				continue;
			netns->balance.drops += status->drops;
			if (status->queue_used > status->queue_read)
				netns->waiting += status->queue_used - status->queue_read;
		}
	}
	not_joined_count(view, sockets);
	for (i = 0; i < view->netns_count; i++)
		view->netns[i].unexplained = steer_unexplained(&view->netns[i].balance);
	sockets_free(sockets);
}

/* --- comparison with the previous view */

static const struct steer_slot_view *slot_before(const struct steer_view *before, __u64 cookie)
{
	size_t i;
	int j;

	for (i = 0; before && i < before->count; i++)
		for (j = 0; j < before->groups[i].count; j++)
			if (before->groups[i].slots[j].record.cookie == cookie)
				return &before->groups[i].slots[j];
	return NULL;
}

static bool is_full(const struct slot_status *status)
{
	return status->held && steer_queue_is_full(status->queue_used, status->queue_room);
}

/*
 * Returns true if the worker has read nothing from its full queue. Also compares `queue_read`,
 * which changes with every read: the kernel frees the memory of read datagrams in batches, so
 * `queue_used` may not change after a few reads.
 */
static bool is_stalled(const struct slot_status *before, const struct slot_status *now)
{
	return is_full(before) && is_full(now) && before->queue_used == now->queue_used &&
	       before->queue_read == now->queue_read;
}

static void group_figures(const struct steer_view *before, double elapsed_s,
			  struct steer_group_view *group)
{
	__u64 amounts[SLUICE_STEER_SLOTS], lately[SLUICE_STEER_SLOTS];
	size_t count = 0;
	int i;

	for (i = 0; i < group->count; i++) {
		struct steer_slot_view *slot = &group->slots[i];
		const struct steer_slot_view *was = slot_before(before, slot->record.cookie);

		if (was && elapsed_s > 0) {
			slot->stalled = is_stalled(&was->status, &slot->status);
			slot->datagrams_per_s =
				(double)(slot->stats.datagrams - was->stats.datagrams) / elapsed_s;
			if (slot->status.held && was->status.held)
				slot->drops_per_s =
					(__u32)(slot->status.drops - was->status.drops) / elapsed_s;
		}
		group->datagrams_per_s += slot->datagrams_per_s;
		if (!takes_new(slot))
			continue;
		amounts[count] = slot->stats.datagrams;
		lately[count++] = slot->stats.datagrams - (was ? was->stats.datagrams : 0);
	}
	group->imbalance = steer_imbalance(amounts, count);
	group->imbalance_now = before ? steer_imbalance(lately, count) : 0;
}

bool steer_view_any_full(const struct steer_view *view)
{
	size_t i;
	int j;

	for (i = 0; i < view->count; i++)
		for (j = 0; j < view->groups[i].count; j++)
			if (is_full(&view->groups[i].slots[j].status))
				return true;
	return false;
}

/* --- the view */

int steer_view_read(const char *bpffs, const struct steer_view *before, struct steer_view *view,
		    struct err *err)
{
	int result;
	size_t i;

	*view = (struct steer_view){ .at_ns = clock_now_ns(CLOCK_MONOTONIC) };
	result = steer_read(bpffs, &view->meta, err);
	if (result)
		return result;
	err->code = EXIT_OK; /* stays EXIT_OK if an error sets no message */
	result = steer_groups(bpffs, group_add, view, err);
	if (!result)
		result = netns_read(view);
	if (result)
		return err->code
			       ? result
			       : err_set(err, EXIT_ERROR, -result, "steer: %s", strerror(-result));
	sockets_measure(view);
	/* ignore an error, which unmeasured sockets already report */
	outside_count(bpffs, &view->outside, &(struct err){ 0 });
	if (before)
		view->elapsed_s = (double)(view->at_ns - before->at_ns) / 1e9;
	for (i = 0; i < view->count; i++)
		group_figures(before, view->elapsed_s, &view->groups[i]);
	if (view->count)
		qsort(view->groups, view->count, sizeof(*view->groups), by_port);
	return 0;
}

void steer_view_free(struct steer_view *view)
{
	size_t i;

	for (i = 0; i < view->count; i++)
		free(view->groups[i].slots);
	free(view->groups);
	free(view->netns);
	*view = (struct steer_view){ 0 };
}
