// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/monitor/diff_groups.h"

#include <string.h>

void diff_emit(const struct diff *diff, const struct monitor_event *event)
{
	diff->fn(event, diff->arg);
}

/* The worker of a slot in both states; NULL: none. */
struct slot_pair {
	const struct monitor_worker *was, *is;
};

static bool is_draining(const struct monitor_worker *worker)
{
	return worker->state == SLUICE_STEER_DRAINING || worker->state == SLUICE_STEER_DRAINED;
}

static bool is_open(const struct monitor_worker *worker)
{
	return worker && !worker->closed;
}

/* Returns true if both states show the same open socket. */
static bool is_same(const struct slot_pair *pair)
{
	return is_open(pair->was) && is_open(pair->is) && pair->was->cookie == pair->is->cookie;
}

/* Returns true if the slot has made this step of a drain. */
static bool has_step(const struct slot_pair *pair, enum monitor_event_type step)
{
	bool same = is_same(pair);

	switch (step) {
	case MONITOR_DRAIN_STARTED:
		return same && !is_draining(pair->was) && is_draining(pair->is);
	case MONITOR_DRAIN_FINISHED:
		/* a server may close its sockets as soon as they are idle */
		if (!same)
			return is_open(pair->was) && pair->was->state == SLUICE_STEER_DRAINING;
		return pair->was->state != SLUICE_STEER_DRAINED &&
		       pair->is->state == SLUICE_STEER_DRAINED;
	default:
		return same && is_draining(pair->was) && !is_draining(pair->is);
	}
}

static const struct monitor_worker *worker_of(const struct slot_pair *pair)
{
	return pair->was ? pair->was : pair->is;
}

/* Reports each step of a drain once per process, with the number of its sockets. */
static void drains_diff(const struct diff *diff, const struct monitor_group *group,
			const struct slot_pair *pairs, enum monitor_event_type step)
{
	int i, j;

	for (i = 0; i < SLUICE_STEER_SLOTS; i++) {
		struct monitor_event event = { .type = step,
					       .object = MONITOR_STEER,
					       .group = group };

		if (!has_step(&pairs[i], step))
			continue;
		event.worker = worker_of(&pairs[i]);
		for (j = 0; j < SLUICE_STEER_SLOTS; j++) {
			if (!has_step(&pairs[j], step) ||
			    worker_of(&pairs[j])->pid != event.worker->pid)
				continue;
			if (j < i)
				break;
			event.count++;
		}
		if (j == SLUICE_STEER_SLOTS)
			diff_emit(diff, &event);
	}
}

/*
 * Returns the number of uses of a slot that neither state shows. The incarnation number of a slot
 * is incremented when a socket joins, and when a drain expels its flows.
 */
static unsigned int uses_unseen(const struct slot_pair *pair, __u16 before, __u16 after)
{
	unsigned int rises = (__u16)(after - before), seen = 0;

	/* incarnation 0 does not exist */
	if (before && after < before)
		rises--;
	if (pair->is && (!pair->was || pair->was->cookie != pair->is->cookie))
		seen = 1;
	/* a drain that was not undone increments it once */
	if ((pair->was && pair->was->state == SLUICE_STEER_DRAINING) ||
	    (pair->is && is_draining(pair->is)))
		seen++;
	return rises > seen ? rises - seen : 0;
}

static __u32 generation_of(const struct monitor_group *group)
{
	__u32 newest = 0;
	int i;

	for (i = 0; i < group->count; i++)
		if (!group->workers[i].closed && group->workers[i].state == SLUICE_STEER_ACTIVE &&
		    group->workers[i].generation > newest)
			newest = group->workers[i].generation;
	return newest;
}

static void slots_pair(const struct monitor_group *was, const struct monitor_group *is,
		       struct slot_pair *pairs)
{
	int i;

	memset(pairs, 0, SLUICE_STEER_SLOTS * sizeof(*pairs));
	for (i = 0; i < was->count; i++)
		pairs[was->workers[i].slot].was = &was->workers[i];
	for (i = 0; i < is->count; i++)
		pairs[is->workers[i].slot].is = &is->workers[i];
}

static void generation_diff(const struct diff *diff, const struct monitor_group *was,
			    struct monitor_group *is)
{
	__u32 before = was->generation ? was->generation : generation_of(was);
	__u32 now = generation_of(is);

	is->generation = now ? now : before;
	if (now && before && now != before)
		diff_emit(diff, &(struct monitor_event){ .type = MONITOR_GENERATION,
							 .object = MONITOR_STEER,
							 .group = is,
							 .generation = now,
							 .generation_before = before });
}

static void workers_diff(const struct diff *diff, const struct monitor_group *was,
			 struct monitor_group *is)
{
	static struct slot_pair pairs[SLUICE_STEER_SLOTS];
	struct monitor_event event = { .object = MONITOR_STEER, .group = is };
	unsigned int unseen = 0;
	int i;

	slots_pair(was, is, pairs);
	for (i = 0; i < SLUICE_STEER_SLOTS; i++)
		unseen += uses_unseen(&pairs[i], was->incarnation[i], is->incarnation[i]);
	if (unseen)
		diff_emit(
			diff,
			&(struct monitor_event){
				.type = MONITOR_GAP,
				.object = MONITOR_STEER,
				.group = is,
				.count = unseen,
				.reason = "workers joined and left, or were drained, in between" });
	drains_diff(diff, is, pairs, MONITOR_DRAIN_STARTED);
	drains_diff(diff, is, pairs, MONITOR_DRAIN_FINISHED);
	drains_diff(diff, is, pairs, MONITOR_DRAIN_CANCELLED);
	for (i = 0; i < SLUICE_STEER_SLOTS; i++) {
		event.type = MONITOR_WORKER_LEFT;
		event.worker = pairs[i].was;
		if (is_open(pairs[i].was) && !is_same(&pairs[i]))
			diff_emit(diff, &event);
	}
	for (i = 0; i < SLUICE_STEER_SLOTS; i++) {
		event.type = MONITOR_WORKER_JOINED;
		event.worker = pairs[i].is;
		if (is_open(pairs[i].is) && !is_same(&pairs[i]))
			diff_emit(diff, &event);
	}
	generation_diff(diff, was, is);
}

static void group_came(const struct diff *diff, struct monitor_group *group)
{
	struct monitor_group none = { .count = 0 };

	diff_emit(diff, &(struct monitor_event){ .type = MONITOR_GROUP_ADDED,
						 .object = MONITOR_STEER,
						 .group = group });
	workers_diff(diff, &none, group);
}

static void group_went(const struct diff *diff, const struct monitor_group *group)
{
	struct monitor_group none = *group;

	/* keep the old incarnations: the new ones are unknown */
	none.count = 0;
	workers_diff(diff, group, &none);
	diff_emit(diff, &(struct monitor_event){ .type = MONITOR_GROUP_REMOVED,
						 .object = MONITOR_STEER,
						 .group = group });
}

void diff_groups(const struct diff *diff)
{
	const struct monitor_state *before = diff->before, *after = diff->after;
	size_t i = 0, j = 0;

	while (i < before->group_count || j < after->group_count) {
		const struct monitor_group *was = &before->groups[i];
		struct monitor_group *is = &after->groups[j];
		int order = i == before->group_count  ? 1
			    : j == after->group_count ? -1
						      : strcmp(was->name, is->name);

		if (!order && was->loaded_ns == is->loaded_ns) {
			workers_diff(diff, was, is);
		} else {
			if (order <= 0)
				group_went(diff, was);
			if (order >= 0)
				group_came(diff, is);
		}
		i += order <= 0;
		j += order >= 0;
	}
}

void diff_groups_keep(const struct diff *diff)
{
	struct monitor_state *before = diff->before, *after = diff->after;
	const struct monitor_state read = *after;

	after->groups = before->groups;
	after->group_count = before->group_count;
	after->group_room = before->group_room;
	/* freed with @before by the caller */
	before->groups = read.groups;
	before->group_count = read.group_count;
	before->group_room = read.group_room;
}
