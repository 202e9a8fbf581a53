// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/sweep.h"

#include "base/progress.h"
#include "kernel/meta.h"
#include "kernel/pins_lock.h"
#include "kernel/state_dir.h"
#include "kernel/unload.h"
#include "process/take_socket.h"
#include "steer/cleanup.h"
#include "steer/cpu/consumers.h"
#include "steer/group/ended.h"
#include "steer/group/remains.h"
#include "steer/group/slots.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- sockets, by group and in the kernel's order */

static int by_group(const void *a, const void *b)
{
	const struct sluice_socket_record *left = *(const struct sluice_socket_record *const *)a;
	const struct sluice_socket_record *right = *(const struct sluice_socket_record *const *)b;

	if (left->group != right->group)
		return left->group < right->group ? -1 : 1;
	return (left->group_index > right->group_index) - (left->group_index < right->group_index);
}

/* Selects the sockets on the managed ports, and sorts them by group. */
static int managed_select(struct steer_sweep *sweep, struct err *err)
{
	const struct sluice_steer_meta *meta = &sweep->meta;
	const struct sluice_socket_record *record;
	size_t i, room = 1;

	while (sockets_at(sweep->sockets, room - 1))
		room++;
	sweep->managed_count = 0;
	sweep->managed = calloc(room, sizeof(*sweep->managed));
	if (!sweep->managed)
		return err_set(err, EXIT_ERROR, ENOMEM, "sockets: out of memory");
	for (i = 0; (record = sockets_at(sweep->sockets, i)); i++)
		if (record->group && record->port &&
		    (!meta->netns || record->netns == meta->netns) &&
		    (meta->any_port ||
		     meta->ports[record->port >> 6] & 1ULL << (record->port & 63)))
			sweep->managed[sweep->managed_count++] = record;
	qsort(sweep->managed, sweep->managed_count, sizeof(*sweep->managed), by_group);
	return 0;
}

/* Returns the index of the next group's first socket. */
static size_t group_end(const struct steer_sweep *sweep, size_t from)
{
	size_t to = from;

	while (to < sweep->managed_count &&
	       sweep->managed[to]->group == sweep->managed[from]->group)
		to++;
	return to;
}

/* --- groups */

static struct steer_group *pinned_find(struct steer_sweep *sweep, __u32 prog_id)
{
	int i;

	for (i = 0; prog_id && i < sweep->pinned.count; i++)
		if (sweep->pinned.group[i]->info.prog_id == prog_id ||
		    sweep->pinned.group[i]->pinned_id == prog_id) {
			sweep->pinned.seen[i] = true;
			return sweep->pinned.group[i];
		}
	return NULL;
}

/* --- the state of sockets and groups, read under the lock */

static void snapshot_drop(struct steer_sweep *sweep)
{
	free(sweep->managed);
	sweep->managed = NULL;
	steer_groups_close(&sweep->pinned);
	sockets_free(sweep->sockets);
	sweep->sockets = NULL;
}

static int snapshot_take(struct steer_sweep *sweep, struct err *err)
{
	struct sockets_filter filter = { .groups = true, .netns = sweep->meta.netns };
	size_t from;
	/* read the sockets afterwards, since this may remove remains and detach their programs */
	int result = steer_groups_read(sweep->bpffs, &sweep->pinned, !sweep->dry_run, err);

	steer_ports(&sweep->meta, &filter.ports);
	steer_groups_filter(&sweep->pinned, &filter);
	if (!result)
		result = sockets_read(&sweep->sockets, &filter, err);
	if (!result)
		result = managed_select(sweep, err);
	if (result) {
		snapshot_drop(sweep);
		return result;
	}
	for (from = 0; from < sweep->managed_count; from = group_end(sweep, from))
		pinned_find(sweep, sweep->managed[from]->group_prog);
	return 0;
}

/*
 * Yields the lock to waiting processes, then reads the state again. groups_visit() passes its
 * @pinned, and @done, the number of the last visited group. Returns 0, or -errno with *err set;
 * -ECANCELED if a process has loaded or unloaded steering.
 */
static int snapshot_yield(struct steer_sweep *sweep, bool pinned, __u64 done, struct err *err)
{
	size_t from;
	int i, result;

	snapshot_drop(sweep);
	if (sweep->consumers_fd >= 0)
		close(sweep->consumers_fd);
	sweep->consumers_fd = -1;
	sweep->consumers_tried = false;
	result = state_dir_yield(&steer_state_dir, sweep->pins, &sweep->meta, SLUICE_LOADED, err);
	if (!result)
		result = snapshot_take(sweep, err);
	if (result)
		return result;
	/* count again, since other processes may have attached to groups */
	sweep->groups = 0;
	for (from = 0; from < sweep->managed_count; from = group_end(sweep, from))
		if (pinned_find(sweep, sweep->managed[from]->group_prog) &&
		    (!pinned || sweep->managed[from]->group <= done))
			sweep->groups++;
	quota_recount(&sweep->quotas);
	for (i = 0; !pinned && i < sweep->pinned.count; i++)
		quota_add(&sweep->quotas, sweep->pinned.group[i]->info.netns);
	return 0;
}

static int group_change(struct steer_sweep *sweep, struct steer_group *group, struct err *err)
{
	struct steer_member member = { .fd = -ESTALE };
	int i, result;

	/* the options of the group can be set through any of its sockets */
	for (i = 0; i < sweep->count && member.fd < 0; i++) {
		member.record = sweep->members[i];
		member.fd = process_socket_take(member.record, &member.cookie);
	}
	if (member.fd < 0)
		return err_set(err, EXIT_ERROR, -member.fd, "%s", sweep_join_reason(-member.fd));
	result = steer_group_change(sweep->loader, group, &sweep->setting, &member, err);
	close(member.fd);
	return result;
}

static void group_update(struct steer_sweep *sweep, struct steer_group *group)
{
	struct steer_event event = { .name = group->name, .group = &group->info };
	int joined = sweep->joined;
	struct err err = { 0 };
	bool differs;

	sweep->groups++;
	if (sweep->dry_run) {
		sweep_report_group(sweep, STEER_GROUP_FOUND, group, NULL, sweep->count, NULL);
		return;
	}
	differs = !steer_group_is_current(sweep->loader, group, &sweep->setting);
	sweep_sockets_leave(sweep, group);
	sweep_sockets_join(sweep, group, NULL);
	sweep_slots_assign(sweep, group);
	if (differs && group_change(sweep, group, &err)) {
		sweep_report_group(sweep, STEER_GROUP_FAILED, group, NULL, 0, err.what);
		return;
	}
	event.type = differs ? STEER_GROUP_CHANGED : STEER_GROUP_KEPT;
	event.count = sweep_slots_used(group);
	event.added = sweep->joined - joined;
	if (sweep->fn)
		sweep->fn(&event, sweep->arg);
}

/* Fills the maps of a new group before its program is attached. */
static int group_join(struct steer_group *group, void *arg, struct steer_member *member,
		      struct err *err)
{
	struct steer_sweep *sweep = arg;
	int refused = sweep->refused;

	sweep_sockets_join(sweep, group, member);
	/* no socket is left: failures were reported, and a closed socket is not a failure */
	if (member->fd < 0)
		return -ESTALE;
	if (sweep->refused > refused)
		return err_set(err, EXIT_ERROR, EBUSY,
			       "left to the kernel: %d of its %d sockets could not be taken,"
			       " and would receive nothing",
			       sweep->refused - refused, sweep->count);
	sweep_slots_assign(sweep, group);
	return 0;
}

/*
 * Returns a description of a sluice program that does not belong to these pins, or NULL if the
 * program is not of sluice.
 */
static const char *other_sluice(const struct sluice_socket_record *record)
{
	if (!record->group_prog || !steer_is_program(record->group_prog))
		return NULL;
	return record->group_prog_refs == STEER_REFS_OF_ORPHAN
		       ? "it still has the program of a sluice whose pins are gone"
		       : "another sluice steers it, with pins in another directory";
}

static void group_add(struct steer_sweep *sweep)
{
	const struct sluice_socket_record *first = sweep->members[0];
	struct steer_group_other *other = steer_groups_other(&sweep->pinned, first->group_prog);
	struct steer_group *group = NULL;
	struct err err = { 0 };
	struct quota *quota;
	int i, result;

	if (first->group_filters && !other) {
		sweep_report_found(sweep, STEER_GROUP_FOREIGN, first, sweep->count,
				   other_sluice(first));
		return;
	}
	for (i = 0; i < sweep->count && sweep->members[i]->connected;)
		i++;
	if (i == sweep->count)
		return;
	if (!quota_allow(&sweep->quotas, first->netns)) {
		quota = quota_of(&sweep->quotas, first->netns);
		if (sweep->quotas.host == first->netns)
			sweep_report_found(sweep, STEER_GROUP_FAILED, first, sweep->count,
					   "there are 256 groups already");
		else if (quota && !quota->example.group)
			quota->example = *first;
		return;
	}
	if (sweep->dry_run) {
		sweep_report_found(sweep, STEER_GROUP_FOUND, first, sweep->count, NULL);
	} else {
		/* until the new program replaces the attached one, the kernel chooses */
		if (other)
			steer_group_remains_forget(sweep->dir, other->name);
		result = steer_group_create(sweep->loader, sweep->dir, &sweep->setting, first,
					    group_join, sweep, &group, &err);
		if (other) {
			steer_groups_remove_other(&sweep->pinned, sweep->bpffs, other);
			other->seen = true;
		}
		if (result && result != -ESTALE)
			sweep_report_found(sweep, STEER_GROUP_FAILED, first, sweep->count,
					   err.what);
		if (result)
			return;
		sweep_report_group(sweep, STEER_GROUP_ATTACHED, group, NULL,
				   sweep_slots_used(group), NULL);
		steer_group_close(group);
	}
	sweep->groups++;
	quota_add(&sweep->quotas, first->netns);
}

/*
 * Visits the groups in the order of their numbers: with @pinned, updates pinned groups, otherwise
 * adds new groups. Returns 0, or the error of snapshot_yield().
 */
static int groups_visit(struct steer_sweep *sweep, bool pinned, struct err *err)
{
	struct progress progress = progress_begin("steer: sockets visited");
	size_t from = 0, to;

	for (; from < sweep->managed_count; from = to) {
		__u64 number = sweep->managed[from]->group;
		struct steer_group *group = pinned_find(sweep, sweep->managed[from]->group_prog);
		int result;

		to = group_end(sweep, from);
		sweep->members = sweep->managed + from;
		sweep->count = (int)(to - from);
		if (group && pinned)
			group_update(sweep, group);
		else if (!group && !pinned)
			group_add(sweep);
		progress_report(&progress, (int)to, (int)sweep->managed_count);
		if (!sweep->pins || !pins_wanted(sweep->pins))
			continue;
		result = snapshot_yield(sweep, pinned, number, err);
		if (result)
			return result;
		for (to = 0; to < sweep->managed_count && sweep->managed[to]->group <= number;)
			to++;
	}
	return 0;
}

/* --- releasing groups */

/* Detaches the program through any open socket. Returns 1, 0 if no socket is left, or -errno. */
static int group_detach(const struct steer_sweep *sweep, const struct steer_group *group)
{
	const struct sluice_socket_record *record;
	int result = 0;
	size_t i;

	for (i = 0; (record = sockets_at(sweep->sockets, i)); i++) {
		if (!record->group_prog || (record->group_prog != group->info.prog_id &&
					    record->group_prog != group->pinned_id))
			continue;
		result = steer_detach(record, record->group_prog);
		if (!result)
			return 1;
	}
	return result == -ESTALE || result == -ENOENT ? 0 : result;
}

static int group_release(struct steer_sweep *sweep, struct steer_group *group, struct err *err)
{
	int detached = group_detach(sweep, group);

	if (detached < 0)
		return err_set(err, EXIT_ERROR, -detached, "port %u: %s", group->info.port,
			       sweep_join_reason(-detached));
	sweep_report_group(sweep, detached ? STEER_GROUP_RELEASED : STEER_GROUP_GONE, group, NULL,
			   sweep_slots_used(group), NULL);
	steer_ended_add(sweep->bpffs, group);
	steer_group_forget(group);
	if (sweep->loader)
		sweep_consumers_remove(sweep, group);
	return unload_pins(sweep->dir, group->name, err);
}

/* Removes the groups of another ABI version that the sweep has not replaced. */
static void others_prune(struct steer_sweep *sweep)
{
	int i;

	for (i = 0; i < sweep->pinned.other_count && !sweep->dry_run; i++)
		if (!sweep->pinned.other[i].seen)
			steer_groups_remove_other(&sweep->pinned, sweep->bpffs,
						  &sweep->pinned.other[i]);
}

/* Releases groups whose sockets are all closed or no longer on a managed port. */
static void groups_prune(struct steer_sweep *sweep)
{
	int i;

	for (i = 0; i < sweep->pinned.count; i++) {
		struct steer_group *group = sweep->pinned.group[i];
		bool stays = sweep->pinned.seen[i];
		struct err err = { 0 };
		int slot;

		for (slot = 0; slot < SLUICE_STEER_SLOTS && !stays; slot++)
			stays = sweep_out_of_sight(sweep, group, slot);
		if (!stays && !sweep->dry_run && group_release(sweep, group, &err) < 0) {
			sweep_report_group(sweep, STEER_GROUP_FAILED, group, NULL, 0, err.what);
			stays = true;
		}
		if (stays)
			quota_add(&sweep->quotas, group->info.netns);
	}
}

/* --- the sweep */

/*
 * Reports groups above the quota once per namespace, since a namespace can have any number of
 * groups.
 */
static void left_out_report(struct steer_sweep *sweep)
{
	char why[96];
	size_t i;

	for (i = 0; i < sweep->quotas.count; i++) {
		const struct quota *quota = &sweep->quotas.each[i];

		if (!quota->example.group)
			continue;
		sweep->left_out += quota->left_out;
		sweep->left_out_netns++;
		snprintf(why, sizeof(why), "it has %d groups, and at most as many are free",
			 quota->groups);
		sweep_report_found(sweep, STEER_GROUPS_LEFT_OUT, &quota->example, quota->left_out,
				   why);
	}
}

int steer_sweep_run(struct steer_sweep *sweep, struct err *err)
{
	int result;

	steer_dir(sweep->bpffs, sweep->dir);
	sweep->consumers_fd = -1;
	sweep->consumers_tried = false;
	result = snapshot_take(sweep, err);
	if (result)
		return result;
	/* a single steered namespace does not need a quota */
	sweep->quotas.host = sweep->meta.netns ? sweep->meta.netns : quota_host();
	result = groups_visit(sweep, true, err);
	if (result)
		goto out;
	/* release groups without sockets first, since they count against the quota */
	groups_prune(sweep);
	result = groups_visit(sweep, false, err);
	if (result)
		goto out;
	others_prune(sweep);
	left_out_report(sweep);
	if (!sweep->dry_run &&
	    (sweep->setting.policy != SLUICE_STEER_CPU || !sweep->quotas.groups)) {
		consumers_detach(sweep->bpffs);
		sweep->loader->consumers_attached = false;
	}
out:
	if (sweep->consumers_fd >= 0)
		close(sweep->consumers_fd);
	quota_free(&sweep->quotas);
	snapshot_drop(sweep);
	return result;
}

int steer_sweep_release(struct steer_sweep *sweep, struct err *err)
{
	struct sockets_filter filter = { .programs = true };
	int i, removed = 0, result;

	steer_dir(sweep->bpffs, sweep->dir);
	result = steer_groups_read(sweep->bpffs, &sweep->pinned, true, err);
	if (result)
		return result;
	for (i = 0; i < sweep->pinned.other_count; i++)
		steer_groups_remove_other(&sweep->pinned, sweep->bpffs, &sweep->pinned.other[i]);
	removed = sweep->pinned.remains_pins;
	for (i = 0; i < sweep->pinned.remains_count; i++)
		sweep_report_found(sweep, STEER_GROUP_RELEASED, &sweep->pinned.remains[i], 0, NULL);
	steer_groups_filter(&sweep->pinned, &filter);
	result = sockets_read(&sweep->sockets, &filter, err);
	for (i = 0; result >= 0 && i < sweep->pinned.count; i++) {
		result = group_release(sweep, sweep->pinned.group[i], err);
		removed += result < 0 ? 0 : result;
	}
	steer_groups_close(&sweep->pinned);
	sockets_free(sweep->sockets);
	return result < 0 ? result : removed;
}

struct steer_setting steer_setting_of(const struct sluice_steer_meta *meta)
{
	return (struct steer_setting){ .policy = meta->policy,
				       .flows = meta->flows,
				       .idle_ns = meta->idle_ns };
}

int steer_sweep(struct steer_loader *loader, const char *bpffs, steer_event_fn fn, void *arg,
		struct err *err)
{
	struct pins pins = { .fd = -1 };
	struct steer_sweep sweep = {
		.loader = loader, .bpffs = bpffs, .pins = &pins, .fn = fn, .arg = arg
	};
	int result = pins_lock(&pins, bpffs, false, err);

	if (result)
		return meta_not_loaded(&steer_state_dir, bpffs, result, err);
	result = meta_read(&steer_state_dir, bpffs, &sweep.meta, err);
	sweep.setting = steer_setting_of(&sweep.meta);
	result = result ? meta_not_loaded(&steer_state_dir, bpffs, result, err)
			: steer_sweep_run(&sweep, err);
	pins_unlock(&pins);
	return result;
}
