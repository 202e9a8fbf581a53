// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/group.h"

#include "base/log.h"
#include "bpf/steer/steer.skel.h"
#include "kernel/feature.h"
#include "kernel/flow_table.h"
#include "kernel/links.h"
#include "kernel/pins.h"
#include "kernel/state_dir.h"
#include "steer/group/udp_stats.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <sluice/reply.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define PIN_PROGRAM	  "sluice_steer"
#define PIN_STAGED	  "sluice_steer_new"
#define VERIFIER_LOG_SIZE (4 << 20)

/* 12 MiB of table; what is larger is not worth keeping ready. */
#define SPARE_FLOWS_MAX 262144

#ifndef SO_DETACH_REUSEPORT_BPF /* linux 5.3 */
#define SO_DETACH_REUSEPORT_BPF 68
#endif

static struct plane group_plane(const char *name)
{
	return (struct plane){
		.name = name,
		.meta = "sluice_group",
		.meta_size = sizeof(struct sluice_steer_group),
		.abi = SLUICE_STEER_ABI,
		.load = "sluice steer load",
	};
}

/* --- open */

struct group_map {
	const char *name;
	size_t fd; /* its place in struct steer_group */
	__u32 value_size;
};

#define FD(field) offsetof(struct steer_group, field)
static const struct group_map group_maps[] = {
	{ "sluice_group", FD(group_fd), sizeof(struct sluice_steer_group) },
	{ "sluice_sockets", FD(sockets_fd), sizeof(__u64) },
	{ "sluice_slots", FD(slots_fd), sizeof(struct sluice_steer_slot) },
	{ "sluice_choices", FD(choices_fd), sizeof(struct sluice_steer_choice) },
	{ "sluice_current", FD(current_fd), sizeof(__u32) },
	{ "sluice_cpus", FD(cpus_fd), sizeof(struct sluice_steer_cpu) },
	{ "sluice_placed", FD(placed_fd), sizeof(struct sluice_steer_reader) },
	{ "sluice_table", FD(table_fd), sizeof(struct sluice_steer_set) },
	{ "sluice_stats", FD(stats_fd), sizeof(struct sluice_steer_stats) },
	{ "sluice_counters", FD(counters_fd), sizeof(struct sluice_steer_counters) },
};
#define GROUP_MAPS (sizeof(group_maps) / sizeof(*group_maps))

static int *map_fd(struct steer_group *group, size_t i)
{
	return (int *)((char *)group + group_maps[i].fd);
}

static struct steer_group *group_new(const char *dir, const char *name)
{
	struct steer_group *group = calloc(1, sizeof(*group));
	size_t i;

	if (!group)
		return NULL;
	snprintf(group->dir, sizeof(group->dir), "%s", dir);
	snprintf(group->name, sizeof(group->name), "%s", name);
	group->drainer_fd = -1;
	for (i = 0; i < GROUP_MAPS; i++)
		*map_fd(group, i) = -1;
	return group;
}

void steer_group_close(struct steer_group *group)
{
	size_t i;

	if (!group)
		return;
	for (i = 0; i < GROUP_MAPS; i++)
		if (*map_fd(group, i) >= 0)
			close(*map_fd(group, i));
	if (group->drainer_fd >= 0)
		close(group->drainer_fd);
	free(group);
}

int steer_group_reload(struct steer_group *group)
{
	static __u32 keys[SLUICE_STEER_SLOTS];
	__u32 cursor, count = SLUICE_STEER_SLOTS;

	/* all in one call, since sweeps read them often */
	if (bpf_map_lookup_batch(group->slots_fd, NULL, &cursor, keys, group->slots, &count,
				 NULL) &&
	    errno != ENOENT)
		return -errno;
	return count == SLUICE_STEER_SLOTS ? 0 : -EIO;
}

static int maps_open(struct steer_group *group, struct err *err)
{
	struct plane plane = group_plane(group->name);
	size_t i;

	for (i = 0; i < GROUP_MAPS; i++) {
		int fd = plane_map_open(&plane, group->dir, group_maps[i].name, sizeof(__u32),
					group_maps[i].value_size, err);

		if (fd < 0)
			return fd;
		*map_fd(group, i) = fd;
	}
	return 0;
}

/* All zero if it can't be had. */
static struct bpf_prog_info prog_info(int fd)
{
	struct bpf_prog_info info = { 0 };
	__u32 length = sizeof(info);

	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		memset(&info, 0, sizeof(info));
	return info;
}

static void pinned_look(struct steer_group *group)
{
	int fd = pins_get(group->dir, group->name, PIN_PROGRAM);
	struct bpf_prog_info info = { 0 };

	if (fd >= 0) {
		info = prog_info(fd);
		close(fd);
	}
	group->pinned_id = info.id;
	memcpy(group->pinned_tag, info.tag, sizeof(group->pinned_tag));
}

int steer_group_open(const char *dir, const char *name, struct steer_group **group, struct err *err)
{
	struct plane plane = group_plane(name);
	struct steer_group *fresh = group_new(dir, name);
	int result = fresh ? plane_meta_read(&plane, dir, &fresh->info, err) : -ENOMEM;

	if (!result && fresh->info.state != SLUICE_LOADED)
		result = -EUCLEAN;
	if (!result)
		result = maps_open(fresh, err);
	if (!result)
		result = steer_group_reload(fresh);
	if (result) {
		steer_group_close(fresh);
		return result;
	}
	pinned_look(fresh);
	*group = fresh;
	return 0;
}

/* --- programs */

struct loading {
	struct steer_bpf *skel;
	char *log;
};

/* What is to be loaded. */
struct wanted {
	const struct steer_setting *setting;
	__u64 seed;
	__u32 sets;
	__u32 table_sets;		 /* made of them; 1 where the table is not what matters */
	const struct steer_group *group; /* whose maps it takes; NULL: new ones */
};

static void loading_end(struct loading *loading)
{
	steer_bpf__destroy(loading->skel);
	free(loading->log);
	*loading = (struct loading){ 0 };
}

/* Which of the two programs; asked once, since it takes a while. */
static enum {
	CASTS_UNKNOWN,
	CASTS,
	NO_CASTS
} casts;

static bool kernel_casts(void)
{
	if (casts == CASTS_UNKNOWN) {
		struct btf *vmlinux = btf__load_vmlinux_btf();

		casts = vmlinux && feature_reuseport_casts(vmlinux) == FEATURE_YES ? CASTS
										   : NO_CASTS;
		btf__free(vmlinux);
	}
	return casts == CASTS;
}

/* The kernel's digest of the program that was loaded last: another build's has another. */
static __u8 current_tag[BPF_TAG_SIZE];

static int loading_program(const struct loading *loading)
{
	return bpf_program__fd(kernel_casts() ? loading->skel->progs.sluice_steer
					      : loading->skel->progs.sluice_steer_h);
}

static bool queues_readable(void)
{
	return feature_helper(BPF_PROG_TYPE_SK_REUSEPORT, 0, BPF_FUNC_probe_read_kernel) ==
	       FEATURE_YES;
}

static __u32 sets_of(const struct steer_setting *setting)
{
	return (setting->flows + SLUICE_STEER_WAYS - 1) / SLUICE_STEER_WAYS;
}

static int loading_open(struct loading *loading, const struct wanted *wanted)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_size = VERIFIER_LOG_SIZE);

	loading->log = calloc(1, VERIFIER_LOG_SIZE);
	opts.kernel_log_buf = loading->log;
	loading->skel = loading->log ? steer_bpf__open_opts(&opts) : NULL;
	if (!loading->skel)
		return -ENOMEM;
	loading->skel->rodata->seed = wanted->seed;
	loading->skel->rodata->sets = wanted->sets;
	loading->skel->rodata->policy = wanted->setting->policy;
	loading->skel->rodata->settled_ns = wanted->setting->settled_ns;
	loading->skel->rodata->idle_limit = sluice_flow_clock(wanted->setting->idle_ns);
	loading->skel->rodata->queues_readable = queues_readable();
	bpf_map__set_max_entries(loading->skel->maps.sluice_table, wanted->table_sets);
	bpf_program__set_autoload(loading->skel->progs.sluice_steer, kernel_casts());
	bpf_program__set_autoload(loading->skel->progs.sluice_steer_h, !kernel_casts());
	return 0;
}

/* The maps that are pinned, each for the one of its name. */
static int maps_share(const struct steer_group *group, struct steer_bpf *skel, struct err *err)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, skel->obj) {
		int result, fd;

		if (bpf_map__is_internal(map))
			continue;
		fd = pins_get(group->dir, group->name, bpf_map__name(map));
		result = fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
		if (fd >= 0)
			close(fd);
		if (result)
			return err_set(err, EXIT_ERROR, -result, "%s/%s/%s: %s", group->dir,
				       group->name, bpf_map__name(map), strerror(-result));
	}
	return 0;
}

static int loading_try(struct loading *loading, const struct wanted *wanted, struct err *err)
{
	int result = loading_open(loading, wanted);

	if (result)
		return err_set(err, EXIT_ERROR, -result, "steering program: %s", strerror(-result));
	if (wanted->group)
		result = maps_share(wanted->group, loading->skel, err);
	if (result)
		return result;
	result = steer_bpf__load(loading->skel);
	return result ? hooks_load_error("steering program", -result, loading->log, err) : 0;
}

/*
 * A kernel that has the functions may yet refuse the program that calls them, which has met few of
 * all kernels; the one that does without is right for any.
 */
static int loading_make(struct loading *loading, const struct wanted *wanted, struct err *err)
{
	int result = loading_try(loading, wanted, err);

	if (result && casts == CASTS && result != -EPERM && result != -ENOMEM) {
		loading_end(loading);
		casts = NO_CASTS;
		result = loading_try(loading, wanted, err);
		if (!result)
			log_info("steering: the kernel has refused the faster program");
	}
	if (!result)
		memcpy(current_tag, prog_info(loading_program(loading)).tag, sizeof(current_tag));
	return result;
}

bool steer_group_is_current(const struct steer_group *group)
{
	static const __u8 unknown[BPF_TAG_SIZE];

	return !memcmp(current_tag, unknown, sizeof(unknown)) ||
	       !memcmp(current_tag, group->pinned_tag, sizeof(current_tag));
}

static __u64 seed_draw(void)
{
	__u64 seed = 0;

	while (!seed)
		if (getrandom(&seed, sizeof(seed), 0) < 0)
			seed = plane_now_ns(CLOCK_MONOTONIC);
	return seed;
}

/* --- a program and maps that are ready before their group is there */

static struct {
	struct loading loading;
	struct steer_setting setting;
} spare;

/* But for when it was made. */
static bool same_setting(const struct steer_setting *one, const struct steer_setting *other)
{
	return one->policy == other->policy && one->flows == other->flows &&
	       one->idle_ns == other->idle_ns;
}

static bool spare_fits(const struct steer_setting *setting)
{
	return spare.loading.skel && same_setting(&spare.setting, setting) &&
	       spare.setting.settled_ns == setting->settled_ns;
}

static void spare_drop(void)
{
	loading_end(&spare.loading);
}

static int loading_take(struct loading *loading, const struct steer_setting *setting,
			struct err *err)
{
	const struct wanted wanted = { setting, seed_draw(), sets_of(setting), sets_of(setting),
				       NULL };

	if (!spare_fits(setting))
		return loading_make(loading, &wanted, err);
	*loading = spare.loading;
	spare.loading = (struct loading){ 0 };
	return 0;
}

int steer_group_prepare(const struct steer_setting *setting, struct err *err)
{
	struct loading loading = { 0 };
	int result;

	if (!setting || setting->flows > SPARE_FLOWS_MAX) {
		spare_drop();
		return 0;
	}
	if (spare_fits(setting))
		return 0;
	spare_drop();
	result = loading_take(&loading, setting, err);
	if (result) {
		loading_end(&loading);
		return result;
	}
	free(loading.log);
	loading.log = NULL;
	spare.loading = loading;
	spare.setting = *setting;
	return 0;
}

/* --- groups */

/* The name says port and namespace; a number keeps groups on different addresses apart. */
static int folder_make(const char *dir, const struct sluice_socket_record *of, char name[NAME_MAX],
		       struct err *err)
{
	char path[PATH_MAX];
	int number;

	if (mkdir(dir, 0700) && errno != EEXIST)
		return err_set(err, EXIT_ERROR, errno, "%s: %s", dir, strerror(errno));
	for (number = 0;; number++) {
		snprintf(name, NAME_MAX, "%u_%u_%d", of->port, of->netns, number);
		if (!mkdir(pins_path(dir, name, NULL, path), 0700))
			return 0;
		if (errno != EEXIST)
			return err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	}
}

static int prog_pin(const struct steer_group *group, int fd, const char *pin, struct err *err)
{
	char path[PATH_MAX];

	if (bpf_obj_pin(fd, pins_path(group->dir, group->name, pin, path)))
		return err_set(err, EXIT_ERROR, errno, "pin %s: %s", path, strerror(errno));
	return 0;
}

static int info_write(const struct steer_group *group, __u32 state, struct err *err)
{
	struct plane plane = group_plane(group->name);

	return plane_meta_write(&plane, group->group_fd, &group->info, state, err);
}

int steer_group_write_info(const struct steer_group *group, struct err *err)
{
	return info_write(group, group->info.state, err);
}

static int group_fill(struct steer_group *group, struct loading *loading, struct err *err)
{
	struct plane plane = group_plane(group->name);
	int result = plane_pin_maps(&plane, group->dir, loading->skel->obj, err);

	group->info.prog_id = prog_info(loading_program(loading)).id;
	if (!result)
		result = prog_pin(group, loading_program(loading), PIN_PROGRAM, err);
	if (!result)
		result = maps_open(group, err);
	return result ? result : info_write(group, SLUICE_LOADING, err);
}

int steer_group_create(const char *dir, const struct steer_setting *setting,
		       const struct sluice_socket_record *of, struct steer_group **group,
		       struct err *err)
{
	struct sluice_steer_group info = {
		.magic = SLUICE_MAGIC,
		.abi = SLUICE_STEER_ABI,
		.policy = setting->policy,
		.idle_ns = setting->idle_ns,
		.loaded_ns = plane_now_ns(CLOCK_REALTIME),
		.sets = sets_of(setting),
		.netns = of->netns,
		.local = of->local,
		.ifindex = of->ifindex,
		.port = of->port,
		.family = of->family,
	};
	struct loading loading = { 0 };
	struct steer_group *fresh = NULL;
	char name[NAME_MAX];
	int result = loading_take(&loading, setting, err);

	if (!result)
		result = folder_make(dir, of, name, err);
	if (!result) {
		info.seed = loading.skel->rodata->seed;
		fresh = group_new(dir, name);
		info.udp_before[SLUICE_STEER_UDP_KNOWN] = !udp_stats_read(of->netns, of->pid,
									  info.udp_before);
		result = fresh ? 0 : err_set(err, EXIT_ERROR, ENOMEM, "%s: no memory", name);
		if (fresh) {
			fresh->info = info;
			result = group_fill(fresh, &loading, err);
		}
		if (result)
			steer_group_remove(dir, name, &(struct err){ 0 });
	}
	loading_end(&loading);
	if (result)
		steer_group_close(fresh);
	else
		*group = fresh;
	return result;
}

int steer_group_verify_first(const struct steer_setting *setting, struct err *err)
{
	const struct wanted wanted = { setting, 1, sets_of(setting), sets_of(setting), NULL };
	struct loading loading = { 0 };
	int result;

	if (setting->flows <= SPARE_FLOWS_MAX)
		return steer_group_prepare(setting, err);
	result = loading_make(&loading, &wanted, err);
	loading_end(&loading);
	return result;
}

int steer_group_verify(const struct steer_setting *setting, struct err *err)
{
	static struct steer_setting verified;
	const struct wanted wanted = { setting, 1, sets_of(setting), 1, NULL };
	struct loading loading = { 0 };
	int result;

	if (verified.policy && same_setting(&verified, setting))
		return 0;
	result = loading_make(&loading, &wanted, err);
	if (!result)
		verified = *setting;
	loading_end(&loading);
	return result;
}

int steer_group_change(struct steer_group *group, const struct steer_setting *setting,
		       struct err *err)
{
	const struct wanted wanted = { setting, group->info.seed, group->info.sets,
				       group->info.sets, group };
	struct loading loading = { 0 };
	char from[PATH_MAX], to[PATH_MAX];
	int fd, result = loading_make(&loading, &wanted, err);

	if (!result) {
		fd = loading_program(&loading);
		unlink(pins_path(group->dir, group->name, PIN_STAGED, from));
		result = prog_pin(group, fd, PIN_STAGED, err);
		pins_path(group->dir, group->name, PIN_PROGRAM, to);
		if (!result && rename(from, to))
			result = err_set(err, EXIT_ERROR, errno, "pin %s: %s", to, strerror(errno));
		group->info.prog_id = result ? group->info.prog_id : prog_info(fd).id;
	}
	if (!result) {
		group->info.policy = setting->policy;
		group->info.idle_ns = setting->idle_ns;
	}
	loading_end(&loading);
	return result;
}

int steer_group_attach(struct steer_group *group, int socket_fd, struct err *err)
{
	int fd = pins_get(group->dir, group->name, PIN_PROGRAM), result = fd < 0 ? fd : 0;

	/* a group that is described and not attached is known for gone, the reverse for foreign */
	if (!result && group->info.state != SLUICE_LOADED)
		result = info_write(group, SLUICE_LOADED, err);
	if (!result && setsockopt(socket_fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &fd, sizeof(fd)))
		result = -errno;
	if (fd >= 0)
		close(fd);
	if (result == -EPERM)
		return err_mend(err,
				err_set(err, EXIT_CONFLICT, EPERM,
					"port %u: the server has locked its filters"
					" (SO_LOCK_FILTER)",
					group->info.port),
				"only the server itself can lift that, by not setting it");
	if (result)
		return err_set(err, EXIT_ERROR, -result, "port %u: SO_ATTACH_REUSEPORT_EBPF: %s",
			       group->info.port, strerror(-result));
	return info_write(group, SLUICE_LOADED, err);
}

int steer_group_detach(int socket_fd)
{
	int none = 0;

	return setsockopt(socket_fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &none, sizeof(none))
		       ? -errno
		       : 0;
}

int steer_group_remove(const char *dir, const char *name, struct err *err)
{
	return pins_remove(dir, name, err);
}

/* --- slots */

int steer_group_slot(const struct steer_group *group, __u64 cookie)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (group->slots[slot].state != SLUICE_STEER_FREE &&
		    group->slots[slot].cookie == cookie)
			return slot;
	return -1;
}

int steer_group_write(const struct steer_group *group, int slot)
{
	__u32 key = (__u32)slot;

	return bpf_map_update_elem(group->slots_fd, &key, &group->slots[slot], BPF_EXIST) ? -errno
											  : 0;
}

static void incarnation_raise(struct sluice_steer_slot *slot)
{
	if (!++slot->incarnation)
		slot->incarnation = 1;
}

static int slot_free(const struct steer_group *group)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (group->slots[slot].state == SLUICE_STEER_FREE)
			return slot;
	return -ENOSPC;
}

static int stats_clear(const struct steer_group *group, __u32 slot)
{
	void *zero = calloc((size_t)libbpf_num_possible_cpus(), sizeof(struct sluice_steer_stats));
	int result = zero ? 0 : -ENOMEM;

	if (zero && bpf_map_update_elem(group->stats_fd, &slot, zero, BPF_EXIST))
		result = -errno;
	free(zero);
	return result;
}

int steer_group_join(struct steer_group *group, int socket_fd, __u64 cookie,
		     const struct sluice_socket_record *record, __u64 instance)
{
	int slot = slot_free(group), result;
	struct sluice_steer_slot *to;
	__u64 value = (__u64)socket_fd;
	struct socket_memory memory = { 0 };
	__u32 key = (__u32)slot;

	if (slot < 0)
		return slot;
	to = &group->slots[slot];
	incarnation_raise(to);
	sockets_memory(socket_fd, &memory);
	*to = (struct sluice_steer_slot){ .cookie = cookie,
					  .sock = record->sock,
					  .joined_ns = plane_now_ns(CLOCK_BOOTTIME),
					  .instance = instance,
					  .pid = record->pid,
					  .incarnation = to->incarnation,
					  .state = SLUICE_STEER_ACTIVE,
					  .drops_before = memory.drops };
	memcpy(to->comm, record->comm, sizeof(to->comm));
	result = stats_clear(group, key);
	if (!result)
		result = steer_group_write(group, slot);
	/* last, so that no datagram meets a slot that is not described */
	if (!result && bpf_map_update_elem(group->sockets_fd, &key, &value, BPF_ANY))
		result = -errno;
	if (result)
		steer_group_leave(group, slot);
	return result ? result : slot;
}

int steer_group_leave(struct steer_group *group, int slot)
{
	struct sluice_steer_slot *from = &group->slots[slot];
	__u32 key = (__u32)slot;

	bpf_map_delete_elem(group->sockets_fd, &key);
	*from = (struct sluice_steer_slot){ .incarnation = from->incarnation };
	return steer_group_write(group, slot);
}

void steer_group_forget(const struct steer_group *group)
{
	__u32 slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (group->slots[slot].state != SLUICE_STEER_FREE)
			bpf_map_delete_elem(group->sockets_fd, &slot);
}

bool steer_group_holds(const struct steer_group *group, int slot)
{
	__u32 key = (__u32)slot;
	__u64 cookie;

	return !bpf_map_lookup_elem(group->sockets_fd, &key, &cookie) &&
	       cookie == group->slots[slot].cookie;
}

int steer_group_expel(struct steer_group *group, int slot)
{
	incarnation_raise(&group->slots[slot]);
	return steer_group_write(group, slot);
}

/* --- the choice */

struct ranked {
	__u32 rank;
	__u16 slot;
};

static int by_rank(const void *a, const void *b)
{
	const struct ranked *left = a, *right = b;

	return left->rank != right->rank ? (left->rank > right->rank) - (left->rank < right->rank)
					 : left->slot - right->slot;
}

static void choice_make(const struct steer_group *group, const __u32 rank[SLUICE_STEER_SLOTS],
			struct sluice_steer_choice *choice)
{
	struct ranked ranked[SLUICE_STEER_SLOTS];
	__u32 i, count = 0;

	for (i = 0; i < SLUICE_STEER_SLOTS; i++)
		if (group->slots[i].state == SLUICE_STEER_ACTIVE)
			ranked[count++] = (struct ranked){ rank[i], (__u16)i };
	qsort(ranked, count, sizeof(*ranked), by_rank);
	memset(choice, 0, sizeof(*choice));
	choice->count = count;
	for (i = 0; i < count; i++)
		choice->slot[i] = ranked[i].slot;
}

int steer_group_choose(struct steer_group *group, const __u32 rank[SLUICE_STEER_SLOTS])
{
	struct sluice_steer_choice fresh, current;
	__u32 zero = 0, index = 0;

	choice_make(group, rank, &fresh);
	if (bpf_map_lookup_elem(group->current_fd, &zero, &index) ||
	    bpf_map_lookup_elem(group->choices_fd, &index, &current))
		return -errno;
	if (!memcmp(&fresh, &current, sizeof(fresh)))
		return 0;
	index = !index;
	if (bpf_map_update_elem(group->choices_fd, &index, &fresh, BPF_EXIST) ||
	    bpf_map_update_elem(group->current_fd, &zero, &index, BPF_EXIST))
		return -errno;
	return 0;
}

/* --- the CPUs of the readers */

int steer_group_place(const struct steer_group *group, int slot,
		      const struct sluice_steer_reader *reader)
{
	__u32 key = (__u32)slot;

	return bpf_map_update_elem(group->placed_fd, &key, reader, BPF_EXIST) ? -errno : 0;
}

int steer_group_reader(const struct steer_group *group, int slot,
		       struct sluice_steer_reader *reader)
{
	const __u64 cookie = group->slots[slot].cookie;
	__u32 key = (__u32)slot;

	if (bpf_map_lookup_elem(group->placed_fd, &key, reader))
		return -errno;
	if (reader->cookie != cookie)
		*reader = (struct sluice_steer_reader){ .cookie = cookie };
	return 0;
}

int steer_group_readers(const struct steer_group *group,
			struct sluice_steer_reader readers[SLUICE_STEER_SLOTS])
{
	int slot, result = 0;

	memset(readers, 0, SLUICE_STEER_SLOTS * sizeof(*readers));
	for (slot = 0; slot < SLUICE_STEER_SLOTS && !result; slot++)
		if (group->slots[slot].state != SLUICE_STEER_FREE)
			result = steer_group_reader(group, slot, &readers[slot]);
	return result;
}

/* A reader that may move is given a CPU's datagrams only where none is pinned. */
static void cpus_make(const struct steer_group *group, const struct sluice_steer_reader *readers,
		      struct sluice_steer_cpu cpus[SLUICE_STEER_CPUS])
{
	bool pinned[SLUICE_STEER_CPUS] = { false };
	int known, slot;

	for (known = SLUICE_STEER_CPU_PINNED; known > SLUICE_STEER_CPU_UNKNOWN; known--)
		for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
			struct sluice_steer_cpu *cpu = &cpus[readers[slot].cpu % SLUICE_STEER_CPUS];

			if (group->slots[slot].state != SLUICE_STEER_ACTIVE ||
			    readers[slot].known != known || cpu->count == SLUICE_STEER_CPU_SLOTS ||
			    (known == SLUICE_STEER_CPU_SEEN && pinned[cpu - cpus]))
				continue;
			pinned[cpu - cpus] = known == SLUICE_STEER_CPU_PINNED;
			cpu->slot[cpu->count++] = (__u16)slot;
		}
}

int steer_group_place_all(const struct steer_group *group)
{
	static struct sluice_steer_reader readers[SLUICE_STEER_SLOTS];
	struct sluice_steer_cpu fresh[SLUICE_STEER_CPUS] = { 0 }, current;
	int result = steer_group_readers(group, readers), possible = libbpf_num_possible_cpus();
	__u32 cpu;

	if (result || possible < 0)
		return result ? result : possible;
	cpus_make(group, readers, fresh);
	for (cpu = 0; cpu < (__u32)possible && cpu < SLUICE_STEER_CPUS; cpu++) {
		if (bpf_map_lookup_elem(group->cpus_fd, &cpu, &current))
			return -errno;
		if (memcmp(&fresh[cpu], &current, sizeof(current)) &&
		    bpf_map_update_elem(group->cpus_fd, &cpu, &fresh[cpu], BPF_EXIST))
			return -errno;
	}
	return 0;
}

/* --- what there is to see */

struct fill_walk {
	const struct steer_group *group;
	struct steer_fill *fill;
	__u32 now;
	__u32 limit;
	__u32 busy;
};

static void fill_flow(const struct sluice_steer_set *set, __u32 way, struct fill_walk *walk)
{
	__u32 idle = sluice_flow_idle(walk->now, set->seen[way]);
	const union sluice_steer_owner *owner = &set->flow[way].owner;
	__u32 slot = owner->slot % SLUICE_STEER_SLOTS;

	if (idle > walk->limit || walk->group->slots[slot].incarnation != owner->incarnation ||
	    walk->group->slots[slot].state == SLUICE_STEER_FREE) {
		walk->fill->expired++;
		return;
	}
	if (set->established & 1U << way)
		walk->fill->live++;
	else
		walk->fill->half_open++;
	walk->fill->of_slot[slot]++;
	walk->fill->busy[slot] += idle <= walk->busy;
}

static int fill_set(const void *copy, void *arg)
{
	const struct sluice_steer_set *set = copy;
	__u32 way;

	for (way = 0; way < SLUICE_STEER_WAYS; way++)
		if (set->tag[way])
			fill_flow(set, way, arg);
	return 0;
}

int steer_group_fill(const struct steer_group *group, __u32 busy_ms, struct steer_fill *fill)
{
	struct fill_walk walk = { group, fill,
				  sluice_flow_clock(plane_now_ns(CLOCK_MONOTONIC_COARSE)),
				  sluice_flow_clock(group->info.idle_ns),
				  sluice_flow_clock(busy_ms * 1000000ULL) };

	memset(fill, 0, sizeof(*fill));
	fill->size = group->info.sets * SLUICE_STEER_WAYS;
	return flow_table_walk(group->table_fd, sizeof(struct sluice_steer_set), fill_set, &walk);
}

int steer_group_counters(const struct steer_group *group, struct sluice_steer_counters *sum)
{
	struct plane plane = group_plane(group->name);

	return plane_counters(&plane, group->dir, "sluice_counters", sum->value,
			      SLUICE_STEER_COUNTERS_MAX, &(struct err){ 0 });
}

int steer_group_stats(const struct steer_group *group,
		      struct sluice_steer_stats sum[SLUICE_STEER_SLOTS])
{
	int cpus = libbpf_num_possible_cpus(), cpu, result = 0;
	struct sluice_steer_stats *each = calloc((size_t)cpus, sizeof(*each));
	__u32 slot;

	memset(sum, 0, SLUICE_STEER_SLOTS * sizeof(*sum));
	if (!each)
		return -ENOMEM;
	for (slot = 0; slot < SLUICE_STEER_SLOTS && !result; slot++) {
		if (group->slots[slot].state == SLUICE_STEER_FREE)
			continue;
		if (bpf_map_lookup_elem(group->stats_fd, &slot, each))
			result = -errno;
		for (cpu = 0; !result && cpu < cpus; cpu++) {
			sum[slot].datagrams += each[cpu].datagrams;
			sum[slot].bytes += each[cpu].bytes;
			sum[slot].flows += each[cpu].flows;
			sum[slot].moved += each[cpu].moved;
		}
	}
	free(each);
	return result;
}
