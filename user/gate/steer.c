// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A sweep compares three things: the sockets of the processes, the groups that are pinned, and the
 * program that each kernel group has.  The program's id ties the second to the third, since the
 * kernel's own record of a group moves in memory when it grows.
 */
#include "steer.h"

#include "caps.h"
#include "generation.h"
#include "instance.h"
#include "log.h"
#include "pins.h"
#include "plane.h"
#include "steer_drainer.h"
#include "steer_place.h"
#include "steer_share.h"

#include <bpf/bpf.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sluice/reply.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLANE	 "steer"
#define PIN_META "sluice_steering"

static const struct plane plane = {
	.name = PLANE,
	.meta = PIN_META,
	.meta_size = sizeof(struct sluice_steer_meta),
	.abi = SLUICE_STEER_ABI,
	.load = "sluice steer load",
};

static const char *const policy_names[] = {
	[SLUICE_STEER_FLOW] = "flow",
	[SLUICE_STEER_LOAD] = "load",
	[SLUICE_STEER_SOURCE] = "source",
	[SLUICE_STEER_CPU] = "cpu",
};

const char *steer_policy_name(__u32 policy)
{
	return policy && policy < sizeof(policy_names) / sizeof(*policy_names)
		       ? policy_names[policy]
		       : "?";
}

const char *steer_generations_name(__u32 by)
{
	return by == SLUICE_STEER_BY_PROCESS  ? "process"
	       : by == SLUICE_STEER_BY_CGROUP ? "cgroup"
	       : by == SLUICE_STEER_BY_NONE   ? "none"
					      : "?";
}

void steer_ports(const struct sluice_steer_meta *meta, struct ports *ports)
{
	ports->any = meta->any_port;
	memcpy(ports->bit, meta->ports, sizeof(ports->bit));
}

/* --- the groups that are pinned */

struct pinned {
	struct steer_group *group[STEER_GROUPS_MAX];
	bool seen[STEER_GROUPS_MAX]; /* by this sweep, among the sockets */
	int count;
};

static void pinned_close(struct pinned *pinned)
{
	while (pinned->count)
		steer_group_close(pinned->group[--pinned->count]);
}

static const char *plane_dir(const char *bpffs, char path[PATH_MAX])
{
	return pins_path(bpffs, PLANE, NULL, path);
}

/* Calls fn with the name of each group's folder, which begins with its port. */
static int folders_each(const char *dir, int (*fn)(const char *name, void *arg), void *arg)
{
	DIR *folder = opendir(dir);
	struct dirent *entry;
	int result = 0;

	if (!folder)
		return errno == ENOENT ? 0 : -errno;
	while (!result && (entry = readdir(folder)))
		if (isdigit((unsigned char)entry->d_name[0]))
			result = fn(entry->d_name, arg);
	closedir(folder);
	return result;
}

struct opening {
	const char *dir;
	struct pinned *pinned;
	bool mend; /* remove what a loader has left that died */
	struct err *err;
};

static int pinned_open(const char *name, void *arg)
{
	struct opening *opening = arg;
	struct pinned *pinned = opening->pinned;
	int result;

	if (pinned->count == STEER_GROUPS_MAX)
		return 0;
	result = steer_group_open(opening->dir, name, &pinned->group[pinned->count], opening->err);
	if (!result) {
		pinned->seen[pinned->count++] = false;
		return 0;
	}
	if (result != -EUCLEAN && result != -ENOENT)
		return result;
	if (opening->mend)
		steer_group_remove(opening->dir, name, &(struct err){ 0 });
	return 0;
}

/* A group takes ten descriptors, and 1024 is what a process may usually have unless it asks. */
static void files_allow(void)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur == files.rlim_max)
		return;
	files.rlim_cur = files.rlim_max;
	setrlimit(RLIMIT_NOFILE, &files);
}

static int pinned_read(const char *bpffs, struct pinned *pinned, bool mend, struct err *err)
{
	char dir[PATH_MAX];
	struct opening opening = { plane_dir(bpffs, dir), pinned, mend, err };
	int result;

	files_allow();
	pinned->count = 0;
	err->code = EXIT_OK; /* so that it tells who has set it */
	result = folders_each(dir, pinned_open, &opening);
	if (!result)
		return 0;
	pinned_close(pinned);
	return err->code ? result
			 : err_set(err, EXIT_ERROR, -result, "%s: %s", dir, strerror(-result));
}

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

/* --- the sweep */

struct sweep {
	const char *bpffs;
	char dir[PATH_MAX];
	struct sluice_steer_meta meta;
	struct steer_setting setting;
	struct sockets *sockets;
	struct pinned pinned;
	steer_news_fn fn;
	void *arg;
	int groups;  /* steered, at the end */
	int refused; /* sockets that could not be taken, though they are there */
	struct steer_shares shares;
	bool dry_run;
	bool regroup; /* instances are told by another rule than before */
};

static void tell(const struct sweep *sweep, const struct steer_news *news)
{
	if (sweep->fn)
		sweep->fn(news, sweep->arg);
}

static void tell_group(const struct sweep *sweep, enum steer_event event,
		       const struct steer_group *group, const struct sluice_steer_slot *slot,
		       int count, const char *why)
{
	const struct steer_news news = { event, group->name, &group->info, slot, count, 0, why };

	tell(sweep, &news);
}

/* Of a group that has no pins. */
static void tell_found(const struct sweep *sweep, enum steer_event event,
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
static void socket_join(struct sweep *sweep, struct steer_group *group,
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
static bool is_out_of_sight(const struct sweep *sweep, const struct steer_group *group, int slot)
{
	return group->slots[slot].state != SLUICE_STEER_FREE &&
	       !sockets_find(sweep->sockets, group->slots[slot].cookie) &&
	       steer_group_holds(group, slot);
}

static void sockets_leave(const struct sweep *sweep, struct steer_group *group,
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

static void sockets_join(struct sweep *sweep, struct steer_group *group,
			 const struct sluice_socket_record *const *members, int count, int *keep_fd)
{
	int i;

	for (i = 0; i < count; i++)
		if (may_join(members[i]) &&
		    (!members[i]->cookie || steer_group_slot(group, members[i]->cookie) < 0))
			socket_join(sweep, group, members[i], keep_fd);
}

/* Of a group whose active slots are all the new generation's. */
static void tell_generation(const struct sweep *sweep, const struct steer_group *group)
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
static void generations_forget(const struct sweep *sweep, struct steer_group *group)
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
static void drains_end(const struct sweep *sweep, struct steer_group *group)
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
static void slots_assign(const struct sweep *sweep, struct steer_group *group,
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

static struct steer_group *pinned_find(struct sweep *sweep, __u32 prog_id)
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

static bool setting_differs(const struct sweep *sweep, const struct steer_group *group)
{
	return group->info.policy != sweep->setting.policy ||
	       group->info.idle_ns != sweep->setting.idle_ns;
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

static int group_change(struct sweep *sweep, struct steer_group *group,
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

static void group_update(struct sweep *sweep, struct steer_group *group,
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
static int group_fill(struct sweep *sweep, struct steer_group *group,
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
static void group_left_out(struct sweep *sweep, const struct sluice_socket_record *of, int count)
{
	struct steer_share *share = steer_share_of(&sweep->shares, of->netns);

	if (sweep->shares.host == of->netns)
		tell_found(sweep, STEER_GROUP_FAILED, of, count, "there are 256 groups already");
	else if (share && !share->example)
		share->example = of;
}

static void tell_left_out(const struct sweep *sweep)
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

static void group_add(struct sweep *sweep, const struct sluice_socket_record *const *members,
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

static void group_known(struct sweep *sweep, const struct sluice_socket_record *const *members,
			int count)
{
	struct steer_group *group = pinned_find(sweep, members[0]->group_prog);

	if (group)
		group_update(sweep, group, members, count);
}

static void group_other(struct sweep *sweep, const struct sluice_socket_record *const *members,
			int count)
{
	if (pinned_find(sweep, members[0]->group_prog))
		return;
	if (members[0]->group_filters)
		tell_found(sweep, STEER_GROUP_FOREIGN, members[0], count, NULL);
	else if (any_may_join(members, count))
		group_add(sweep, members, count);
}

static void groups_each(struct sweep *sweep, const struct members *members,
			void (*fn)(struct sweep *sweep,
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

static int group_release(struct sweep *sweep, struct steer_group *group, const char *why,
			 struct err *err);

static bool any_out_of_sight(const struct sweep *sweep, const struct steer_group *group)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (is_out_of_sight(sweep, group, slot))
			return true;
	return false;
}

/* Gives back groups whose sockets are all closed, and such that are managed no longer. */
static void pinned_sweep(struct sweep *sweep)
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

static int sweep_run(struct sweep *sweep, struct err *err)
{
	struct members members = { 0 };
	int result = sockets_read(&sweep->sockets, err);

	plane_dir(sweep->bpffs, sweep->dir);
	if (!result)
		result = pinned_read(sweep->bpffs, &sweep->pinned, !sweep->dry_run, err);
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
	pinned_close(&sweep->pinned);
	sockets_free(sweep->sockets);
	return result;
}

static void sweep_setting(struct sweep *sweep)
{
	sweep->setting = (struct steer_setting){ .policy = sweep->meta.policy,
						 .flows = sweep->meta.flows,
						 .idle_ns = sweep->meta.idle_ns };
}

int steer_sweep(const char *bpffs, steer_news_fn fn, void *arg, struct err *err)
{
	struct sweep sweep = { .bpffs = bpffs, .fn = fn, .arg = arg };
	struct pins pins;
	int result = pins_lock(&pins, bpffs, false, err);

	if (result)
		return result;
	result = plane_meta_read(&plane, bpffs, &sweep.meta, err);
	sweep_setting(&sweep);
	result = result ? plane_not_loaded(&plane, bpffs, result, err) : sweep_run(&sweep, err);
	pins_unlock(&pins);
	return result;
}

int steer_prepare(const char *bpffs, struct err *err)
{
	struct sweep sweep = { .bpffs = bpffs };
	int result = plane_meta_read(&plane, bpffs, &sweep.meta, err);

	if (result) {
		steer_group_prepare(NULL, err);
		return plane_not_loaded(&plane, bpffs, result, err);
	}
	sweep_setting(&sweep);
	return steer_group_prepare(&sweep.setting, err);
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
static int group_detach(const struct sweep *sweep, const struct steer_group *group)
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

static int group_release(struct sweep *sweep, struct steer_group *group, const char *why,
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

static int unload_locked(struct sweep *sweep, struct err *err)
{
	int i, removed = 0, result = sockets_read(&sweep->sockets, err);

	plane_dir(sweep->bpffs, sweep->dir);
	if (!result)
		result = pinned_read(sweep->bpffs, &sweep->pinned, true, err);
	for (i = 0; !result && i < sweep->pinned.count; i++) {
		int count = group_release(sweep, sweep->pinned.group[i], NULL, err);

		result = count < 0 ? count : 0;
		removed += count < 0 ? 0 : count;
	}
	if (!result) {
		result = pins_remove(sweep->bpffs, PLANE, err);
		removed += result > 0 ? result : 0;
	}
	pinned_close(&sweep->pinned);
	sockets_free(sweep->sockets);
	return result < 0 ? result : removed;
}

static int unload(const char *bpffs, bool own_only, steer_news_fn fn, void *arg, struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_PERFMON, CAP_SYS_PTRACE };
	struct sweep sweep = { .bpffs = bpffs, .fn = fn, .arg = arg };
	int result = pins_exist(bpffs, PLANE, err);
	struct pins pins;

	if (result <= 0 || (own_only && !plane_is_by_daemon(&plane, bpffs)))
		return result < 0 ? result : 0;
	result = caps_require("steer unload", caps, 3, err);
	if (!result)
		result = pins_lock(&pins, bpffs, false, err);
	if (result)
		return result;
	result = unload_locked(&sweep, err);
	pins_unlock(&pins);
	return result;
}

int steer_unload(const char *bpffs, steer_news_fn fn, void *arg, struct err *err)
{
	return unload(bpffs, false, fn, arg, err);
}

int steer_unload_own(const char *bpffs, steer_news_fn fn, void *arg, struct err *err)
{
	return unload(bpffs, true, fn, arg, err);
}

/* --- load */

static void meta_fill(const struct steer_options *options, struct sluice_steer_meta *meta)
{
	*meta = (struct sluice_steer_meta){
		.magic = SLUICE_MAGIC,
		.abi = SLUICE_STEER_ABI,
		.state = SLUICE_LOADED,
		.policy = options->policy,
		.idle_ns = options->idle_s * 1000000000ULL,
		.loaded_ns = plane_now_ns(CLOCK_REALTIME),
		.flows = options->flows,
		.netns = options->netns,
		.generations = options->generations,
		.any_port = options->ports.any,
	};
	memcpy(meta->ports, options->ports.bit, sizeof(meta->ports));
}

/* Made by hand, since no program reads it. */
static int meta_make(const char *bpffs, struct err *err)
{
	char path[PATH_MAX];
	int fd;

	if (mkdir(plane_dir(bpffs, path), 0700) && errno != EEXIST)
		return err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, PIN_META, sizeof(__u32),
			    sizeof(struct sluice_steer_meta), 1, NULL);
	if (fd >= 0 && !bpf_obj_pin(fd, pins_path(bpffs, PLANE, PIN_META, path)))
		return fd;
	err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	if (fd >= 0)
		close(fd);
	return -EIO;
}

static int meta_pin(const char *bpffs, const struct sluice_steer_meta *meta, struct err *err)
{
	int fd = pins_get(bpffs, PLANE, PIN_META), result;

	if (fd < 0)
		fd = meta_make(bpffs, err);
	if (fd < 0)
		return fd;
	result = plane_meta_write(&plane, fd, meta, SLUICE_LOADED, err);
	close(fd);
	return result;
}

static int refuse_flows(__u32 loaded, __u32 wanted, struct err *err)
{
	return err_mend(
		err,
		err_set(err, EXIT_CONFLICT, EBUSY,
			"steer: loaded with tables of %u flows; another size, %u, would lose"
			" them",
			loaded, wanted),
		"leave --flows as it is, or 'sluice steer unload' first");
}

/* Is there a group to steer?  A look that tells nobody, and changes nothing. */
static bool finds_any(const struct sweep *sweep)
{
	struct sweep look = *sweep;
	struct err ignored = { 0 };

	look.dry_run = true;
	look.fn = NULL;
	return !sweep_run(&look, &ignored) && look.groups;
}

/* Tells of groups that are not ours, and brings what is in force (NULL: nothing) up to date. */
static int stay(struct sweep *sweep, const struct sluice_steer_meta *before, struct err *err)
{
	struct sweep in_force = { .bpffs = sweep->bpffs };
	int result;

	sweep->dry_run = true;
	result = sweep_run(sweep, err);
	if (result || !before)
		return result;
	in_force.meta = *before;
	sweep_setting(&in_force);
	return sweep_run(&in_force, err);
}

static int load_locked(const struct steer_options *options, struct sweep *sweep, struct err *err)
{
	struct sluice_steer_meta before = { 0 };
	int result = plane_meta_read(&plane, options->bpffs, &before, err);

	if (result && result != -ENOENT && result != -EUCLEAN)
		return result;
	if (!result && before.flows != options->flows)
		return refuse_flows(before.flows, options->flows, err);
	sweep->regroup = !result && before.generations != options->generations;
	meta_fill(options, &sweep->meta);
	sweep_setting(sweep);
	/* a group that comes later begins with us: it has no flows from before */
	sweep->setting.settled_ns = plane_now_ns(CLOCK_MONOTONIC) + STEER_SETTLED_NS;
	result = before.magic || options->dry_run ? steer_group_verify(&sweep->setting, err)
						  : steer_group_verify_first(&sweep->setting, err);
	if (!result && options->must_find && !options->dry_run && !finds_any(sweep))
		return stay(sweep, before.magic ? &before : NULL, err);
	if (!result && !sweep->dry_run)
		result = meta_pin(options->bpffs, &sweep->meta, err);
	if (!result && !sweep->dry_run)
		result = plane_mark(&plane, options->bpffs, options->by_daemon, err);
	return result ? result : sweep_run(sweep, err);
}

int steer_load(const struct steer_options *options, steer_news_fn fn, void *arg, int *groups,
	       struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON, CAP_SYS_PTRACE };
	struct sweep sweep = {
		.bpffs = options->bpffs, .fn = fn, .arg = arg, .dry_run = options->dry_run
	};
	struct pins pins;
	int result = caps_require("steer load", caps, 4, err);

	if (!result)
		result = pins_lock(&pins, options->bpffs, true, err);
	if (result)
		return result;
	result = load_locked(options, &sweep, err);
	*groups = sweep.groups;
	pins_unlock(&pins);
	return result;
}

int steer_try(const struct steer_options *options, struct err *err)
{
	struct steer_options dry = *options;
	int groups;

	dry.dry_run = true;
	return steer_load(&dry, NULL, NULL, &groups, err);
}

/* --- reading */

struct left_out {
	int groups, namespaces;
};

static void left_out_add(const struct steer_news *news, void *arg)
{
	struct left_out *left_out = arg;

	if (news->event != STEER_GROUPS_LEFT_OUT)
		return;
	left_out->groups += news->count;
	left_out->namespaces++;
}

int steer_left_out(const char *bpffs, int *groups, int *namespaces, struct err *err)
{
	struct left_out left_out = { 0 };
	struct sweep look = {
		.bpffs = bpffs, .fn = left_out_add, .arg = &left_out, .dry_run = true
	};
	int result = steer_read(bpffs, &look.meta, err);

	/* one namespace alone is never left out, and the look can be saved */
	if (!result && !look.meta.netns)
		result = sweep_run(&look, err);
	if (result)
		return result;
	*groups = left_out.groups;
	*namespaces = left_out.namespaces;
	return 0;
}

int steer_read(const char *bpffs, struct sluice_steer_meta *meta, struct err *err)
{
	int result = plane_meta_read(&plane, bpffs, meta, err);

	return result ? plane_not_loaded(&plane, bpffs, result, err) : 0;
}

int steer_groups(const char *bpffs, int (*fn)(struct steer_group *group, void *arg), void *arg,
		 struct err *err)
{
	struct pinned pinned = { 0 };
	int i, result = pinned_read(bpffs, &pinned, false, err);

	for (i = 0; !result && i < pinned.count; i++)
		result = fn(pinned.group[i], arg);
	if (pinned.count)
		pinned_close(&pinned);
	return result;
}
