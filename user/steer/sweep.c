// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/sweep.h"

#include "steer/group/slots.h"

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

/* Any of the sockets serves for what concerns their group. */
static int group_change(struct steer_sweep *sweep, struct steer_group *group,
			const struct sluice_socket_record *const *members, int count,
			struct err *err)
{
	int i, fd = -ESTALE, result;
	__u64 cookie;

	for (i = 0; i < count && fd < 0; i++)
		fd = sockets_take(members[i], &cookie);
	if (fd < 0)
		return err_set(err, EXIT_ERROR, -fd, "%s", sweep_join_reason(-fd));
	result = steer_group_change(sweep->loader, group, &sweep->setting, fd, err);
	close(fd);
	return result;
}

static void group_update(struct steer_sweep *sweep, struct steer_group *group,
			 const struct sluice_socket_record *const *members, int count)
{
	struct err err = { 0 };
	bool differs;

	sweep->groups++;
	if (sweep->dry_run) {
		sweep_tell_group(sweep, STEER_GROUP_FOUND, group, NULL, count, NULL);
		return;
	}
	differs = !steer_group_is_current(sweep->loader, group, &sweep->setting);
	sweep_sockets_leave(sweep, group, members, count);
	sweep_sockets_join(sweep, group, members, count, NULL);
	sweep_slots_assign(sweep, group, members, count);
	if (differs && group_change(sweep, group, members, count, &err)) {
		sweep_tell_group(sweep, STEER_GROUP_FAILED, group, NULL, 0, err.what);
		return;
	}
	sweep_tell_group(sweep, differs ? STEER_GROUP_CHANGED : STEER_GROUP_KEPT, group, NULL,
			 sweep_slots_used(group), NULL);
}

struct filling {
	struct steer_sweep *sweep;
	const struct sluice_socket_record *const *members;
	int count;
};

/* All is in place before the program is attached. */
static int group_fill(struct steer_group *group, void *arg, int *fd, struct err *err)
{
	const struct filling *filling = arg;
	struct steer_sweep *sweep = filling->sweep;
	int refused = sweep->refused;

	sweep_sockets_join(sweep, group, filling->members, filling->count, fd);
	/* what could not be taken has been told, and what has gone since is no failure */
	if (*fd < 0)
		return -ESTALE;
	if (sweep->refused > refused)
		return err_set(err, EXIT_ERROR, EBUSY,
			       "left to the kernel: %d of its %d sockets could not be taken, and"
			       " would get nothing",
			       sweep->refused - refused, filling->count);
	sweep_slots_assign(sweep, group, filling->members, filling->count);
	return 0;
}

/* All of a namespace that has its share are told together: there may be any number of them. */
static void group_left_out(struct steer_sweep *sweep, const struct sluice_socket_record *of,
			   int count)
{
	struct quota *share = quota_of(&sweep->shares, of->netns);

	if (sweep->shares.host == of->netns)
		sweep_tell_found(sweep, STEER_GROUP_FAILED, of, count,
				 "there are 256 groups already");
	else if (share && !share->example)
		share->example = of;
}

static void tell_left_out(const struct steer_sweep *sweep)
{
	char why[96];
	size_t i;

	for (i = 0; i < sweep->shares.count; i++) {
		const struct quota *share = &sweep->shares.each[i];

		if (!share->example)
			continue;
		snprintf(why, sizeof(why), "it has %d groups, and no more than that are free",
			 share->groups);
		sweep_tell_found(sweep, STEER_GROUPS_LEFT_OUT, share->example, share->left_out,
				 why);
	}
}

static void group_add(struct steer_sweep *sweep, const struct sluice_socket_record *const *members,
		      int count)
{
	struct filling filling = { sweep, members, count };
	struct steer_group *group = NULL;
	struct err err = { 0 };
	int result;

	if (!quota_allow(&sweep->shares, members[0]->netns)) {
		group_left_out(sweep, members[0], count);
		return;
	}
	if (sweep->dry_run) {
		sweep->groups++;
		quota_add(&sweep->shares, members[0]->netns);
		sweep_tell_found(sweep, STEER_GROUP_FOUND, members[0], count, NULL);
		return;
	}
	result = steer_group_create(sweep->loader, sweep->dir, &sweep->setting, members[0],
				    group_fill, &filling, &group, &err);
	if (result && result != -ESTALE) {
		sweep_tell_found(sweep, STEER_GROUP_FAILED, members[0], count, err.what);
	} else if (!result) {
		sweep->groups++;
		quota_add(&sweep->shares, members[0]->netns);
		sweep_tell_group(sweep, STEER_GROUP_ATTACHED, group, NULL, sweep_slots_used(group),
				 NULL);
	}
	steer_group_close(group);
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
	int i;

	if (pinned_find(sweep, members[0]->group_prog))
		return;
	if (members[0]->group_filters) {
		sweep_tell_found(sweep, STEER_GROUP_FOREIGN, members[0], count, NULL);
		return;
	}
	for (i = 0; i < count; i++)
		if (sweep_may_join(members[i])) {
			group_add(sweep, members, count);
			return;
		}
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

/* Detaches where there is a socket left to do it by: 1 if there was, 0 if not, or -errno. */
static int group_detach(const struct steer_sweep *sweep, const struct steer_group *group)
{
	const struct sluice_socket_record *record;
	int result = 0;
	size_t i;

	for (i = 0; (record = sockets_at(sweep->sockets, i)); i++) {
		__u64 cookie;
		int fd;

		if (!record->group_prog || (record->group_prog != group->info.prog_id &&
					    record->group_prog != group->pinned_id))
			continue;
		fd = sockets_take(record, &cookie);
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
			       "port %u: %s", group->info.port, sweep_join_reason(-detached));
	sweep_tell_group(sweep, detached ? STEER_GROUP_RELEASED : STEER_GROUP_GONE, group, NULL,
			 sweep_slots_used(group), why);
	steer_group_forget(group);
	if (sweep->loader)
		sweep_consumers_forget(sweep, group);
	return steer_group_remove(sweep->dir, group->name, err);
}

/* --- all of them */

/* Gives back groups whose sockets are all closed, and such that are managed no longer. */
static void pinned_sweep(struct steer_sweep *sweep)
{
	int i;

	for (i = 0; i < sweep->pinned.count; i++) {
		struct steer_group *group = sweep->pinned.group[i];
		bool stays = sweep->pinned.seen[i];
		struct err err = { 0 };
		int slot;

		for (slot = 0; slot < SLUICE_STEER_SLOTS && !stays; slot++)
			stays = sweep_out_of_sight(sweep, group, slot);
		if (!stays && !sweep->dry_run && group_release(sweep, group, NULL, &err) < 0) {
			sweep_tell_group(sweep, STEER_GROUP_FAILED, group, NULL, 0, err.what);
			stays = true;
		}
		if (stays)
			quota_add(&sweep->shares, group->info.netns);
	}
}

int steer_sweep_run(struct steer_sweep *sweep, struct err *err)
{
	struct members members = { 0 };
	int result;

	steer_dir(sweep->bpffs, sweep->dir);
	sweep->consumers_fd = -1;
	result = sockets_read(&sweep->sockets, err);
	if (result)
		return result;
	result = steer_groups_read(sweep->bpffs, &sweep->pinned, !sweep->dry_run, err);
	if (result)
		goto free_sockets;
	result = members_read(&sweep->meta, sweep->sockets, &members);
	if (result) {
		err_set(err, EXIT_ERROR, -result, "sockets: %s", strerror(-result));
		goto close_pinned;
	}
	/* who steers one namespace alone has nobody to share with */
	sweep->shares.host = sweep->meta.netns ? sweep->meta.netns : quota_host();
	groups_each(sweep, &members, group_known);
	/* what is gone makes room, and lets go of its sockets, before others come */
	pinned_sweep(sweep);
	groups_each(sweep, &members, group_other);
	tell_left_out(sweep);
	sweep_consumers_end(sweep);
	free(members.all);
	quota_free(&sweep->shares);
close_pinned:
	steer_groups_close(&sweep->pinned);
free_sockets:
	sockets_free(sweep->sockets);
	return result;
}

int steer_sweep_release(struct steer_sweep *sweep, struct err *err)
{
	int i, removed = 0, result = sockets_read(&sweep->sockets, err);

	if (result)
		return result;
	steer_dir(sweep->bpffs, sweep->dir);
	result = steer_groups_read(sweep->bpffs, &sweep->pinned, true, err);
	for (i = 0; result >= 0 && i < sweep->pinned.count; i++) {
		result = group_release(sweep, sweep->pinned.group[i], NULL, err);
		removed += result < 0 ? 0 : result;
	}
	steer_groups_close(&sweep->pinned);
	sockets_free(sweep->sockets);
	return result < 0 ? result : removed;
}
