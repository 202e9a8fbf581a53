// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/sweep.h"

#include "kernel/state_dir.h"
#include "steer/cpu/placement.h"
#include "steer/group/drain_lock.h"
#include "steer/group/generation.h"
#include "steer/group/instance.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* --- the sockets of a group, in the kernel's order */

struct members {
	const struct sluice_socket_record **all;
	size_t room;
	size_t count;
};

static bool is_managed(const struct sluice_steer_meta *meta,
		       const struct sluice_socket_record *record)
{
	if (!record->group || !record->port || (meta->netns && record->netns != meta->netns))
		return false;
	return meta->any_port || meta->ports[record->port >> 6] & 1ULL << (record->port & 63);
}

static int by_group(const void *a, const void *b)
{
	const struct sluice_socket_record *left = *(const struct sluice_socket_record *const *)a;
	const struct sluice_socket_record *right = *(const struct sluice_socket_record *const *)b;

	if (left->group != right->group)
		return left->group < right->group ? -1 : 1;
	return (left->group_index > right->group_index) - (left->group_index < right->group_index);
}

static int members_read(const struct sluice_steer_meta *meta, const struct sockets *sockets,
			struct members *members)
{
	const struct sluice_socket_record *record;
	size_t i;

	*members = (struct members){ 0 };
	for (i = 0; (record = sockets_at(sockets, i)); i++)
		members->room += is_managed(meta, record);
	members->all = calloc(members->room + 1, sizeof(*members->all));
	if (!members->all)
		return -ENOMEM;
	for (i = 0; (record = sockets_at(sockets, i)); i++)
		if (is_managed(meta, record))
			members->all[members->count++] = record;
	qsort(members->all, members->count, sizeof(*members->all), by_group);
	return 0;
}

/* --- news */

static void tell(const struct steer_sweep *sweep, const struct steer_news *news)
{
	if (sweep->fn)
		sweep->fn(news, sweep->arg);
}

static void tell_group(const struct steer_sweep *sweep, enum steer_event event,
		       const struct steer_group *group, const struct sluice_steer_slot *slot,
		       int count, const char *why)
{
	const struct steer_news news = { event, group->name, &group->info, slot, count, 0, why };

	tell(sweep, &news);
}

/* Of a group that has no pins. */
static void tell_found(const struct steer_sweep *sweep, enum steer_event event,
		       const struct sluice_socket_record *of, int count, const char *why)
{
	const struct sluice_steer_group group = { .netns = of->netns,
						  .local = of->local,
						  .ifindex = of->ifindex,
						  .port = of->port,
						  .family = of->family };
	struct sluice_steer_slot slot = { .pid = of->pid };
	const struct steer_news news = { event, NULL, &group, &slot, count, of->group_prog, why };

	memcpy(slot.comm, of->comm, sizeof(slot.comm));
	tell(sweep, &news);
}

/* --- sockets that come and go */

static const char *join_reason(int error)
{
	switch (error) {
	case EPERM:
		return "pidfd_getfd: not permitted (needs CAP_SYS_PTRACE)";
	case EBUSY:
		return "the server has it in a map of its own";
	case ENOSPC:
		return "no slot is free: a group has at most 1024";
	default:
		return strerror(error);
	}
}

/* A connected socket hears one peer alone, and is not to be chosen for others. */
static bool may_join(const struct sluice_socket_record *record)
{
	return !record->connected;
}

/* A socket that has gone since it was seen is no failure. */
static void socket_join(struct steer_sweep *sweep, struct steer_group *group,
			const struct sluice_socket_record *record, int *keep_fd)
{
	__u64 instance = instance_of(record->pid, sweep->meta.generations), cookie;
	int fd = sockets_take(record, &cookie), slot = fd;

	if (fd >= 0)
		slot = steer_group_slot(group, cookie);
	if (fd >= 0 && slot < 0) {
		slot = steer_group_join(group, fd, cookie, record, instance);
		if (slot >= 0)
			tell_group(sweep, STEER_SOCKET_JOINED, group, &group->slots[slot], 0, NULL);
	}
	if (slot < 0 && slot != -ESTALE) {
		struct sluice_steer_slot nobody = { .pid = record->pid };

		memcpy(nobody.comm, record->comm, sizeof(nobody.comm));
		sweep->refused++;
		tell_group(sweep, STEER_SOCKET_FAILED, group, &nobody, 0, join_reason(-slot));
	}
	if (slot >= 0 && keep_fd && *keep_fd < 0)
		*keep_fd = fd;
	else if (fd >= 0)
		close(fd);
}

static const struct sluice_socket_record *member_of_cookie(
	const struct sluice_socket_record *const *members, int count, __u64 cookie)
{
	int i;

	for (i = 0; i < count; i++)
		if (members[i]->cookie == cookie)
			return members[i];
	return NULL;
}

/*
 * Is the socket open, though no process has it?  It is on its way from one to another (SCM_RIGHTS),
 * was so while the walk passed both, or is known to an io_uring alone.
 */
static bool is_out_of_sight(const struct steer_sweep *sweep, const struct steer_group *group,
			    int slot)
{
	return group->slots[slot].state != SLUICE_STEER_FREE &&
	       !sockets_find(sweep->sockets, group->slots[slot].cookie) &&
	       steer_group_holds(group, slot);
}

static void sockets_leave(const struct steer_sweep *sweep, struct steer_group *group,
			  const struct sluice_socket_record *const *members, int count)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		const struct sluice_steer_slot *at = &group->slots[slot];
		const struct sluice_socket_record *record;

		if (at->state == SLUICE_STEER_FREE)
			continue;
		record = member_of_cookie(members, count, at->cookie);
		if (record ? may_join(record) : is_out_of_sight(sweep, group, slot))
			continue;
		tell_group(sweep, STEER_SOCKET_LEFT, group, at, 0,
			   record ? "it has been connected to a peer" : NULL);
		steer_group_leave(group, slot);
	}
}

static void sockets_join(struct steer_sweep *sweep, struct steer_group *group,
			 const struct sluice_socket_record *const *members, int count, int *keep_fd)
{
	int i;

	for (i = 0; i < count; i++)
		if (may_join(members[i]) &&
		    (!members[i]->cookie || steer_group_slot(group, members[i]->cookie) < 0))
			socket_join(sweep, group, members[i], keep_fd);
}

/* --- generations */

/* Of a group whose active slots are all the new generation's. */
static void tell_generation(const struct steer_sweep *sweep, const struct steer_group *group)
{
	const struct sluice_steer_slot *first = NULL;
	int slot, count = 0;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		if (group->slots[slot].state != SLUICE_STEER_ACTIVE)
			continue;
		first = first ? first : &group->slots[slot];
		count++;
	}
	tell_group(sweep, STEER_GENERATION, group, first, count, NULL);
}

/* Another rule tells instances apart from now on: all that there are begin anew. */
static void generations_forget(const struct steer_sweep *sweep, struct steer_group *group)
{
	int slot;

	group->info.peak = 0;
	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		struct sluice_steer_slot *at = &group->slots[slot];

		if (at->state != SLUICE_STEER_ACTIVE && at->state != SLUICE_STEER_RETIRED)
			continue;
		at->instance = instance_of(at->pid, sweep->meta.generations);
		at->generation = 0;
	}
}

/* Has another slot of the process told of it already? */
static bool is_told(const struct steer_group *group, const bool ended[SLUICE_STEER_SLOTS], int slot)
{
	int before;

	for (before = 0; before < slot; before++)
		if (ended[before] && group->slots[before].pid == group->slots[slot].pid)
			return true;
	return false;
}

/* What a drain has left that was killed takes new flows again, as far as its generation may. */
static void drains_end(const struct steer_sweep *sweep, struct steer_group *group)
{
	bool ended[SLUICE_STEER_SLOTS] = { false };
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		ended[slot] = steer_drainer_gone(group, slot);
		if (!ended[slot])
			continue;
		group->slots[slot].state = SLUICE_STEER_RETIRED;
		if (!is_told(group, ended, slot))
			tell_group(sweep, STEER_DRAIN_LAPSED, group, &group->slots[slot], 0, NULL);
	}
}

/* The slots' states, and the order of the kernel for those that take new flows. */
static void slots_assign(const struct steer_sweep *sweep, struct steer_group *group,
			 const struct sluice_socket_record *const *members, int count)
{
	static struct sluice_steer_slot before[SLUICE_STEER_SLOTS];
	static __u32 rank[SLUICE_STEER_SLOTS];
	__u32 peak = group->info.peak;
	struct err err = { 0 };
	int slot, result;

	memcpy(before, group->slots, sizeof(before));
	drains_end(sweep, group);
	if (sweep->regroup)
		generations_forget(sweep, group);
	if (generation_assign(group->slots, SLUICE_STEER_SLOTS, plane_now_ns(CLOCK_BOOTTIME),
			      &group->info.peak))
		tell_generation(sweep, group);
	if (peak != group->info.peak && steer_group_write_info(group, &err))
		tell_group(sweep, STEER_GROUP_FAILED, group, NULL, 0, err.what);
	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		const struct sluice_steer_slot *at = &group->slots[slot];
		const struct sluice_socket_record *record;

		if (at->state == SLUICE_STEER_FREE)
			continue;
		record = member_of_cookie(members, count, at->cookie);
		rank[slot] = record ? record->group_index : SLUICE_NO_INDEX;
		if (memcmp(at, &before[slot], sizeof(*at)))
			steer_group_write(group, slot);
	}
	result = steer_group_choose(group, rank);
	if (!result && sweep->setting.policy == SLUICE_STEER_CPU)
		result = steer_place(group, NULL);
	if (result)
		tell_group(sweep, STEER_GROUP_FAILED, group, NULL, 0, strerror(-result));
}

static int slots_used(const struct steer_group *group)
{
	int slot, used = 0;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		used += group->slots[slot].state != SLUICE_STEER_FREE;
	return used;
}

/* --- groups that are steered, and such that are to be */

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

static bool setting_differs(const struct steer_sweep *sweep, const struct steer_group *group)
{
	return group->info.policy != sweep->setting.policy ||
	       group->info.idle_ns != sweep->setting.idle_ns || !steer_group_is_current(group);
}

/* A descriptor of any of the sockets, for calls that concern their group. */
static int any_member(const struct sluice_socket_record *const *members, int count)
{
	int i, fd = -ESTALE;
	__u64 cookie;

	for (i = 0; i < count && fd < 0; i++)
		fd = sockets_take(members[i], &cookie);
	return fd;
}

static int group_change(struct steer_sweep *sweep, struct steer_group *group,
			const struct sluice_socket_record *const *members, int count,
			struct err *err)
{
	int fd = any_member(members, count), result;

	if (fd < 0)
		return err_set(err, EXIT_ERROR, -fd, "%s", join_reason(-fd));
	result = steer_group_change(group, &sweep->setting, err);
	if (!result)
		result = steer_group_attach(group, fd, err);
	close(fd);
	return result;
}

static void group_update(struct steer_sweep *sweep, struct steer_group *group,
			 const struct sluice_socket_record *const *members, int count)
{
	bool differs = setting_differs(sweep, group);
	struct err err = { 0 };

	sweep->groups++;
	if (sweep->dry_run) {
		tell_group(sweep, STEER_GROUP_FOUND, group, NULL, count, NULL);
		return;
	}
	sockets_leave(sweep, group, members, count);
	sockets_join(sweep, group, members, count, NULL);
	slots_assign(sweep, group, members, count);
	if (differs && group_change(sweep, group, members, count, &err)) {
		tell_group(sweep, STEER_GROUP_FAILED, group, NULL, 0, err.what);
		return;
	}
	tell_group(sweep, differs ? STEER_GROUP_CHANGED : STEER_GROUP_KEPT, group, NULL,
		   slots_used(group), NULL);
}

/* All is in place before the program is attached. */
static int group_fill(struct steer_sweep *sweep, struct steer_group *group,
		      const struct sluice_socket_record *const *members, int count, struct err *err)
{
	int fd = -1, result = 0, refused = sweep->refused;

	sockets_join(sweep, group, members, count, &fd);
	/* what could not be taken has been told, and what has gone since is no failure */
	if (fd < 0)
		return -ESTALE;
	if (sweep->refused > refused)
		result = err_set(err, EXIT_ERROR, EBUSY,
				 "left to the kernel: %d of its %d sockets could not be taken, and"
				 " would get nothing",
				 sweep->refused - refused, count);
	if (!result) {
		slots_assign(sweep, group, members, count);
		result = steer_group_attach(group, fd, err);
	}
	close(fd);
	return result;
}

/* All of a namespace that has its share are told together: there may be any number of them. */
static void group_left_out(struct steer_sweep *sweep, const struct sluice_socket_record *of,
			   int count)
{
	struct steer_share *share = steer_share_of(&sweep->shares, of->netns);

	if (sweep->shares.host == of->netns)
		tell_found(sweep, STEER_GROUP_FAILED, of, count, "there are 256 groups already");
	else if (share && !share->example)
		share->example = of;
}

static void tell_left_out(const struct steer_sweep *sweep)
{
	char why[96];
	size_t i;

	for (i = 0; i < sweep->shares.count; i++) {
		const struct steer_share *share = &sweep->shares.each[i];

		if (!share->example)
			continue;
		snprintf(why, sizeof(why), "it has %d groups, and no more than that are free",
			 share->groups);
		tell_found(sweep, STEER_GROUPS_LEFT_OUT, share->example, share->left_out, why);
	}
}

static void group_add(struct steer_sweep *sweep, const struct sluice_socket_record *const *members,
		      int count)
{
	struct steer_group *group = NULL;
	struct err err = { 0 };
	int result;

	if (!steer_share_allow(&sweep->shares, members[0]->netns)) {
		group_left_out(sweep, members[0], count);
		return;
	}
	if (sweep->dry_run) {
		sweep->groups++;
		steer_share_add(&sweep->shares, members[0]->netns);
		tell_found(sweep, STEER_GROUP_FOUND, members[0], count, NULL);
		return;
	}
	result = steer_group_create(sweep->dir, &sweep->setting, members[0], &group, &err);
	if (!result) {
		result = group_fill(sweep, group, members, count, &err);
		if (result)
			steer_group_remove(sweep->dir, group->name, &(struct err){ 0 });
	}
	if (result && result != -ESTALE) {
		tell_found(sweep, STEER_GROUP_FAILED, members[0], count, err.what);
	} else if (!result) {
		sweep->groups++;
		steer_share_add(&sweep->shares, members[0]->netns);
		tell_group(sweep, STEER_GROUP_ATTACHED, group, NULL, slots_used(group), NULL);
	}
	steer_group_close(group);
}

static bool any_may_join(const struct sluice_socket_record *const *members, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (may_join(members[i]))
			return true;
	return false;
}

static void group_known(struct steer_sweep *sweep,
			const struct sluice_socket_record *const *members, int count)
{
	struct steer_group *group = pinned_find(sweep, members[0]->group_prog);

	if (group)
		group_update(sweep, group, members, count);
}

static void group_other(struct steer_sweep *sweep,
			const struct sluice_socket_record *const *members, int count)
{
	if (pinned_find(sweep, members[0]->group_prog))
		return;
	if (members[0]->group_filters)
		tell_found(sweep, STEER_GROUP_FOREIGN, members[0], count, NULL);
	else if (any_may_join(members, count))
		group_add(sweep, members, count);
}

static void groups_each(struct steer_sweep *sweep, const struct members *members,
			void (*fn)(struct steer_sweep *sweep,
				   const struct sluice_socket_record *const *members, int count))
{
	size_t from = 0, to;

	for (; from < members->count; from = to) {
		for (to = from + 1; to < members->count; to++)
			if (members->all[to]->group != members->all[from]->group)
				break;
		fn(sweep, members->all + from, (int)(to - from));
	}
}

/* --- giving groups back */

static const struct sluice_socket_record *member_any(const struct sockets *sockets,
						     const struct steer_group *group, size_t *from)
{
	const struct sluice_socket_record *record;

	for (; (record = sockets_at(sockets, *from)); (*from)++)
		if (record->group_prog && (record->group_prog == group->info.prog_id ||
					   record->group_prog == group->pinned_id))
			return record;
	return NULL;
}

/* Detaches where there is a socket left to do it by: 1 if there was, 0 if not, or -errno. */
static int group_detach(const struct steer_sweep *sweep, const struct steer_group *group)
{
	const struct sluice_socket_record *record;
	size_t from = 0;
	int result = 0;

	while ((record = member_any(sweep->sockets, group, &from))) {
		__u64 cookie;
		int fd = sockets_take(record, &cookie);

		from++;
		result = fd < 0 ? fd : steer_group_detach(fd);
		if (fd >= 0)
			close(fd);
		if (!result)
			return 1;
	}
	return result == -ESTALE || result == -ENOENT ? 0 : result;
}

static int group_release(struct steer_sweep *sweep, struct steer_group *group, const char *why,
			 struct err *err)
{
	int detached = group_detach(sweep, group);

	if (detached < 0)
		return err_set(err, detached == -EPERM ? EXIT_PERMISSION : EXIT_ERROR, -detached,
			       "port %u: %s", group->info.port, join_reason(-detached));
	tell_group(sweep, detached ? STEER_GROUP_RELEASED : STEER_GROUP_GONE, group, NULL,
		   slots_used(group), why);
	steer_group_forget(group);
	return steer_group_remove(sweep->dir, group->name, err);
}

/* --- all of them */

static bool any_out_of_sight(const struct steer_sweep *sweep, const struct steer_group *group)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (is_out_of_sight(sweep, group, slot))
			return true;
	return false;
}

/* Gives back groups whose sockets are all closed, and such that are managed no longer. */
static void pinned_sweep(struct steer_sweep *sweep)
{
	int i;

	for (i = 0; i < sweep->pinned.count; i++) {
		struct steer_group *group = sweep->pinned.group[i];
		bool stays = sweep->pinned.seen[i] || any_out_of_sight(sweep, group);
		struct err err = { 0 };

		if (!stays && !sweep->dry_run && group_release(sweep, group, NULL, &err) < 0) {
			tell_group(sweep, STEER_GROUP_FAILED, group, NULL, 0, err.what);
			stays = true;
		}
		if (stays)
			steer_share_add(&sweep->shares, group->info.netns);
	}
}

int steer_sweep_run(struct steer_sweep *sweep, struct err *err)
{
	struct members members = { 0 };
	int result = sockets_read(&sweep->sockets, err);

	steer_dir(sweep->bpffs, sweep->dir);
	if (!result)
		result = steer_pinned_read(sweep->bpffs, &sweep->pinned, !sweep->dry_run, err);
	if (!result) {
		result = members_read(&sweep->meta, sweep->sockets, &members);
		if (result)
			err_set(err, EXIT_ERROR, -result, "sockets: %s", strerror(-result));
	}
	if (!result) {
		/* who steers one namespace alone has nobody to share with */
		sweep->shares.host = sweep->meta.netns ? sweep->meta.netns : steer_share_host();
		groups_each(sweep, &members, group_known);
		/* what is gone makes room, and lets go of its sockets, before others come */
		pinned_sweep(sweep);
		groups_each(sweep, &members, group_other);
		tell_left_out(sweep);
	}
	free(members.all);
	steer_share_free(&sweep->shares);
	steer_pinned_close(&sweep->pinned);
	sockets_free(sweep->sockets);
	return result;
}

int steer_sweep_release(struct steer_sweep *sweep, struct err *err)
{
	int i, removed = 0, result = sockets_read(&sweep->sockets, err);

	steer_dir(sweep->bpffs, sweep->dir);
	if (!result)
		result = steer_pinned_read(sweep->bpffs, &sweep->pinned, true, err);
	for (i = 0; !result && i < sweep->pinned.count; i++) {
		int count = group_release(sweep, sweep->pinned.group[i], NULL, err);

		result = count < 0 ? count : 0;
		removed += count < 0 ? 0 : count;
	}
	steer_pinned_close(&sweep->pinned);
	sockets_free(sweep->sockets);
	return result < 0 ? result : removed;
}
