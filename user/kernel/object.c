// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/object.h"

#include "base/clock.h"
#include "kernel/caps.h"
#include "kernel/feature.h"
#include "kernel/load_outcome.h"
#include "kernel/maps.h"
#include "kernel/meta.h"
#include "kernel/pins.h"
#include "kernel/pins_lock.h"
#include "kernel/unload.h"
#include "kernel/verifier_log.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#define VERIFIER_LOG_SIZE (8 << 20)
/*
 * The descriptors of the largest object: its maps and programs, and those that libbpf opens while
 * loading.
 */
#define FILES_OF_LOAD 40

static const struct sluice_meta *record(const void *meta)
{
	return meta;
}

/* Returns true if nothing is loaded, by any version of sluice. */
static bool is_first(const struct object *object)
{
	return !record(object->before)->magic && !object->replaces;
}

int object_inspect(struct object *object, struct err *err)
{
	const struct state_dir *sd = object->state_dir;
	int result = meta_read(sd, object->dir, object->before, err);

	object->outcome = LOAD_FRESH;
	if (result == -EPROTO)
		object->replaces = meta_other_abi(sd, object->dir);
	if (object->replaces) {
		object->outcome = LOAD_REPLACED;
		meta_warn_replaced(sd, object->replaces, object->dry_run);
		return 0;
	}
	if (!result) {
		object->outcome = record(object->before)->state == SLUICE_LOADED ? LOAD_UPDATED
										 : LOAD_RECOVERED;
		return 0;
	}
	if (result != -ENOENT && result != -EUCLEAN)
		return result;
	memset(object->before, 0, sd->meta_size);
	if (result == -ENOENT)
		return 0;
	object->outcome = LOAD_RECOVERED;
	if (object->dry_run)
		return 0;
	result = object->clear ? object->clear(object->dir, err)
			       : unload_state(sd, object->dir, err);
	return result < 0 ? result : 0;
}

__u64 object_seed(__u64 before)
{
	__u64 seed = before;

	while (!seed)
		if (getrandom(&seed, sizeof(seed), 0) < 0)
			seed = clock_now_ns(CLOCK_MONOTONIC);
	return seed;
}

/*
 * Maps the buffer for the verifier's log. Its pages use memory only if a load fails, since libbpf
 * does not write to them otherwise. malloc() could leave 8 MB of heap in a daemon.
 */
static char *log_map(void)
{
	void *log = mmap(NULL, VERIFIER_LOG_SIZE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return log == MAP_FAILED ? NULL : log;
}

const struct bpf_object_open_opts *object_open_opts(struct object *object)
{
	if (!object->log)
		object->log = log_map();
	else
		object->log[0] = '\0';
	object->opts = (struct bpf_object_open_opts){
		.sz = sizeof(object->opts),
		.kernel_log_buf = object->log,
		.kernel_log_size = object->log ? VERIFIER_LOG_SIZE : 0,
	};
	return &object->opts;
}

/* Returns true if a killed loader has left a staged map: the pinned map may then be out of date. */
static bool is_outdated(const struct object *object, const char *name)
{
	char path[PATH_MAX];

	return !access(pins_staged_path(object->dir, object->state_dir->name, name, path), F_OK);
}

bool object_reuses(const struct object *object, const char *name, __u32 entries)
{
	int fd = pins_get(object->dir, object->state_dir->name, name, PINS_MAP);
	bool reuses = fd >= 0 && map_entries(fd) == entries && !is_outdated(object, name);

	if (fd >= 0)
		close(fd);
	return reuses && record(object->before)->magic;
}

static bool is_fresh(const struct object *object, const char *name)
{
	const char *const *fresh = object->fresh;

	while (fresh && *fresh && strcmp(*fresh, name))
		fresh++;
	return fresh && *fresh;
}

/*
 * Reuses the pinned map of the same name, or marks @map as staged if the load starts with an empty
 * map.
 */
static int reuse_pinned(struct object *object, struct bpf_map *map, __u64 bit, struct err *err)
{
	const char *name = bpf_map__name(map);
	int result = 0, fd = pins_get(object->dir, object->state_dir->name, name, PINS_MAP);

	object->lost |= fd == -ENOENT;
	if (fd == -ENOENT)
		return 0;
	if (fd < 0)
		return err_set(err, EXIT_ERROR, -fd, "%s/%s/%s: %s", object->dir,
			       object->state_dir->name, name, strerror(-fd));
	if (!map_is(fd, bpf_map__type(map), bpf_map__key_size(map), bpf_map__value_size(map)))
		result = meta_refuse_abi(object->state_dir, object->dir, err);
	else if (map_entries(fd) != bpf_map__max_entries(map) || is_outdated(object, name) ||
		 is_fresh(object, name))
		object->staged |= bit;
	else if (bpf_map__reuse_fd(map, fd))
		result = err_set(err, EXIT_ERROR, errno, "%s/%s/%s: %s", object->dir,
				 object->state_dir->name, name, strerror(errno));
	close(fd);
	return result;
}

int object_reserve_files(const char *what, struct err *err)
{
	struct rlimit files;
	int next = open("/", O_PATH | O_CLOEXEC), error = errno;

	if (next < 0)
		return err_set(err, EXIT_ERROR, error, "%s: %s", what, strerror(error));
	close(next);
	if (getrlimit(RLIMIT_NOFILE, &files) || files.rlim_cur >= (rlim_t)next + FILES_OF_LOAD)
		return 0;
	files.rlim_cur = files.rlim_max;
	if (!setrlimit(RLIMIT_NOFILE, &files) && files.rlim_cur >= (rlim_t)next + FILES_OF_LOAD)
		return 0;
	return err_set(err, EXIT_ERROR, EMFILE, "%s: it needs %d more descriptors: %s", what,
		       FILES_OF_LOAD, strerror(EMFILE));
}

/*
 * Returns the kfunc for which libbpf has looked in the BTF of modules, or NULL. The kernel permits
 * that only with CAP_SYS_ADMIN (kernel/bpf/syscall.c, bpf_btf_get_fd_by_id()).
 */
static const char *kfunc_of_module(const struct bpf_object *object)
{
	static const char *const kfuncs[] = { "bpf_cast_to_kern_ctx", "bpf_rdonly_cast",
					      "bpf_skb_ct_lookup", "bpf_ct_change_timeout",
					      "bpf_ct_release" };
	const struct btf *own = bpf_object__btf(object);
	struct btf *vmlinux;
	const char *found = NULL;
	size_t i;

	if (caps_have(CAP_SYS_ADMIN))
		return NULL;
	vmlinux = btf__load_vmlinux_btf();
	if (libbpf_get_error(vmlinux))
		return NULL;
	for (i = 0; own && i < sizeof(kfuncs) / sizeof(*kfuncs); i++)
		if (feature_function(own, kfuncs[i]) == FEATURE_YES &&
		    feature_function(vmlinux, kfuncs[i]) != FEATURE_YES)
			found = kfuncs[i];
	btf__free(vmlinux);
	return found;
}

int object_verify(struct object *object, struct bpf_object_skeleton *skeleton, struct err *err)
{
	const char *kfunc;
	struct bpf_map *map, *first;
	int result = 0;
	__u64 bit = 1;

	if (!skeleton || !object->log) {
		result = errno && object->log ? errno : ENOMEM;
		return err_set(err, EXIT_ERROR, result, "%s: %s", object->what, strerror(result));
	}
	result = object_reserve_files(object->what, err);
	if (result)
		return result;
	bpf_object__for_each_map(map, *skeleton->obj) {
		if (!bpf_map__is_internal(map) && object->maps) {
			first = bpf_object__find_map_by_name(object->maps, bpf_map__name(map));
			if (bpf_map__reuse_fd(map, bpf_map__fd(first)))
				result = err_set(err, EXIT_ERROR, errno, "map %s: %s",
						 bpf_map__name(map), strerror(errno));
		} else if (!bpf_map__is_internal(map) && record(object->before)->magic) {
			result = reuse_pinned(object, map, bit, err);
		} else if (!bpf_map__is_internal(map) && object->replaces) {
			object->staged |= bit;
		}
		if (result)
			return result;
		bit <<= 1;
	}
	result = bpf_object__load_skeleton(skeleton);
	kfunc = result && !*object->log ? kfunc_of_module(*skeleton->obj) : NULL;
	if (kfunc)
		return err_hint(err,
				err_set(err, EXIT_PERMISSION, EPERM,
					"%s: %s is not in the kernel itself, and only"
					" CAP_SYS_ADMIN permits a search of its modules",
					object->what, kfunc),
				"grant CAP_SYS_ADMIN");
	if (result)
		return verifier_log_error(object->what, -result, object->log, err);
	if (!object->maps)
		object->maps = *skeleton->obj;
	return 0;
}

static const char *staged_path(const struct object *object, const char *pin, char path[PATH_MAX])
{
	return pins_staged_path(object->dir, object->state_dir->name, pin, path);
}

int object_pin_maps(const struct object *object, struct err *err)
{
	char path[PATH_MAX];
	struct bpf_map *map;
	__u64 bit = 1;

	pins_path(object->dir, object->state_dir->name, NULL, path);
	if (mkdir(path, 0700) && errno != EEXIST)
		return err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	bpf_object__for_each_map(map, object->maps) {
		const char *name = bpf_map__name(map);
		bool staged = object->staged & bit;

		bit <<= 1;
		if (bpf_map__is_internal(map))
			continue;
		/* a killed loader may have left a staged map */
		unlink(staged_path(object, name, path));
		if (!staged &&
		    !access(pins_path(object->dir, object->state_dir->name, name, path), F_OK))
			continue;
		if (bpf_obj_pin(bpf_map__fd(map), path))
			return err_set(err, EXIT_ERROR, errno, "pin %s: %s", path, strerror(errno));
	}
	return 0;
}

static int record_write(const struct object *object, const void *meta, __u32 state, struct err *err)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object->maps, object->state_dir->meta);

	return meta_write(object->state_dir, bpf_map__fd(map), meta, state, err);
}

static int unstage(const struct object *object, const char *name, struct err *err)
{
	char from[PATH_MAX], to[PATH_MAX];

	if (!rename(staged_path(object, name, from),
		    pins_path(object->dir, object->state_dir->name, name, to)))
		return 0;
	return err_set(err, EXIT_ERROR, errno, "pin %s: %s", to, strerror(errno));
}

/*
 * Renames the staged maps over the pinned maps; the kernel frees an old map with its programs. Sets
 * *final when a map has been replaced. Replaces the record of another ABI version first: if this
 * process dies in between, neither version reuses maps of the other version.
 */
static int take_over(const struct object *object, bool *final, struct err *err)
{
	const char *meta = object->state_dir->meta;
	int result = object->replaces ? unstage(object, meta, err) : 0;
	struct bpf_map *map;
	__u64 bit = 1;

	*final |= object->replaces && !result;
	bpf_object__for_each_map(map, object->maps) {
		const char *name = bpf_map__name(map);

		if (!result && object->staged & bit && !(object->replaces && !strcmp(name, meta))) {
			result = unstage(object, name, err);
			*final |= !result;
		}
		bit <<= 1;
	}
	return result;
}

/* Removes the pins of maps that only another version of sluice has, whatever its ABI version. */
static void maps_trim(const struct object *object)
{
	char *pins = pins_list(object->dir, object->state_dir->name, "sluice_", NULL), *name;
	char path[PATH_MAX];

	for (name = pins; name && *name && !object->is_part; name += strlen(name) + 1)
		if (!bpf_object__find_map_by_name(object->maps, name))
			unlink(pins_path(object->dir, object->state_dir->name, name, path));
	free(pins);
}

/*
 * Sets or removes the owner link. The daemon sets it before attaching, which may fail; a command
 * removes it after attaching.
 */
static int owner_set(const struct object *object, bool by_daemon, struct err *err)
{
	if (object->is_part || object->by_daemon != by_daemon)
		return 0;
	return state_dir_set_owner(object->state_dir, object->dir, by_daemon, err);
}

static int commit(struct object *object, const struct object_steps *steps, struct err *err)
{
	bool fresh = is_first(object), final = false;
	bool was_daemons = state_dir_is_daemons(object->state_dir, object->dir);
	int result = object_pin_maps(object, err);
	struct bpf_map *map;
	char path[PATH_MAX];

	if (!result)
		result = owner_set(object, true, err);
	if (!result)
		result = record_write(
			object, record(object->before)->magic ? object->before : object->after,
			object->loading, err);
	if (result)
		goto undo;
	if (!object->is_part)
		object->loader_fd = state_dir_mark_loader(object->state_dir, object->dir);
	result = steps->attach(steps->arg, err);
	/* attach() could not revert all changes: the next load repairs the object */
	if ((result == -EUCLEAN && !fresh) || result == -ECANCELED)
		return result;
	if (result)
		goto undo_attach;
	final = !fresh && !steps->undo;
	result = take_over(object, &final, err);
	if (!result) {
		final |= !fresh;
		maps_trim(object);
		result = owner_set(object, false, err);
	}
	if (!result && steps->finish)
		result = steps->finish(steps->arg, err);
	if (!result)
		result = record_write(object, object->after, SLUICE_LOADED, err);
	if (!result || final || result == -ECANCELED)
		return result;
undo_attach:
	if (steps->undo)
		steps->undo(steps->arg);
undo:
	bpf_object__for_each_map(map, object->maps) {
		unlink(staged_path(object, bpf_map__name(map), path));
	}
	if (fresh) {
		unload_state(object->state_dir, object->dir, &(struct err){ 0 });
		return result;
	}
	if (!was_daemons && !object->is_part)
		state_dir_set_owner(object->state_dir, object->dir, false, &(struct err){ 0 });
	if (record(object->before)->magic)
		record_write(object, object->before, record(object->before)->state,
			     &(struct err){ 0 });
	return result;
}

int object_commit(struct object *object, const struct object_steps *steps, struct err *err)
{
	int result;

	object->loader_fd = -1;
	object->loading = SLUICE_LOADING | (__u32)object_seed(0) << 8;
	result = commit(object, steps, err);
	if (object->loader_fd >= 0)
		close(object->loader_fd);
	return result;
}

int object_yield(struct object *object, struct err *err)
{
	const struct sluice_meta *before = object->before;
	const void *expected = before->magic ? object->before : object->after;

	/* until take_over(), the pinned record is that of another ABI version */
	if (!object->pins || object->replaces || !pins_wanted(object->pins))
		return 0;
	return state_dir_yield(object->state_dir, object->pins, expected, object->loading, err);
}

int object_pin(const struct object *object, int fd, const char *pin, struct err *err)
{
	char from[PATH_MAX], to[PATH_MAX];

	unlink(staged_path(object, pin, from));
	if (bpf_obj_pin(fd, from) ||
	    rename(from, pins_path(object->dir, object->state_dir->name, pin, to)))
		return err_set(err, EXIT_ERROR, errno, "pin %s/%s/%s: %s", object->dir,
			       object->state_dir->name, pin, strerror(errno));
	return 0;
}

void object_end(struct object *object)
{
	if (object->log)
		munmap(object->log, VERIFIER_LOG_SIZE);
	object->log = NULL;
}
