// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/state_dir.h"

#include "kernel/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* A map of another layout must not even be read: the kernel would copy more than there is room. */
bool state_dir_map_has_size(int fd, __u32 key_size, __u32 value_size)
{
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &length) && info.key_size == key_size &&
	       info.value_size == value_size;
}

__u32 state_dir_map_entries(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &length) ? 0 : info.max_entries;
}

int state_dir_refuse_abi(const struct state_dir *plane, const char *bpffs, __u32 abi,
			 struct err *err)
{
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, EPROTO,
				"%s/%s: pinned by another version of sluice (ABI %u, this is"
				" ABI %d)",
				bpffs, plane->name, abi, plane->abi),
			"'sluice cleanup' removes it, whatever its version; then load again");
}

static int meta_check(const struct state_dir *plane, const char *bpffs, const void *meta,
		      struct err *err)
{
	const struct sluice_meta *head = meta;

	if (head->magic && (head->magic != SLUICE_MAGIC || head->abi != plane->abi))
		return state_dir_refuse_abi(plane, bpffs, head->abi, err);
	return head->magic ? 0 : -EUCLEAN;
}

int state_dir_meta_read(const struct state_dir *plane, const char *bpffs, void *meta,
			struct err *err)
{
	__u32 zero = 0;
	int fd, result = pins_exist(bpffs, plane->name, err);

	if (result <= 0)
		return result ? result : -ENOENT;
	fd = pins_get(bpffs, plane->name, plane->meta);
	if (fd == -ENOENT)
		return -EUCLEAN;
	if (fd < 0)
		return err_set(err, fd == -EPERM || fd == -EACCES ? EXIT_PERMISSION : EXIT_ERROR,
			       -fd, "%s/%s: %s", bpffs, plane->name, strerror(-fd));
	if (!state_dir_map_has_size(fd, sizeof(zero), plane->meta_size))
		result = state_dir_refuse_abi(plane, bpffs, 0, err);
	else if (bpf_map_lookup_elem(fd, &zero, meta))
		result = err_set(err, EXIT_ERROR, errno, "%s/%s/%s: %s", bpffs, plane->name,
				 plane->meta, strerror(errno));
	else
		result = meta_check(plane, bpffs, meta, err);
	close(fd);
	return result;
}

int state_dir_not_loaded(const struct state_dir *plane, const char *bpffs, int why, struct err *err)
{
	if (why == -EUCLEAN)
		return err_hint(err,
				err_set(err, EXIT_ERROR, EUCLEAN,
					"%s/%s: remains of an interrupted load", bpffs,
					plane->name),
				"'%s …' replaces them, 'sluice cleanup' removes them", plane->load);
	if (why == -ENOENT)
		return err_hint(err,
				err_set(err, EXIT_ERROR, ENOENT, "%s is not loaded (no %s/%s)",
					plane->name, bpffs, plane->name),
				"load it with '%s'", plane->load);
	return why;
}

int state_dir_meta_write(const struct state_dir *plane, int fd, const void *meta, __u32 state,
			 struct err *err)
{
	struct sluice_meta *copy = malloc(plane->meta_size);
	__u32 zero = 0;
	int result = copy ? 0 : -ENOMEM;

	if (!result) {
		memcpy(copy, meta, plane->meta_size);
		copy->state = state;
		result = bpf_map_update_elem(fd, &zero, copy, BPF_ANY) ? -errno : 0;
	}
	free(copy);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "%s: %s", plane->meta, strerror(-result));
	return 0;
}

int state_dir_map_open(const struct state_dir *plane, const char *bpffs, const char *name,
		       __u32 key_size, __u32 value_size, struct err *err)
{
	int fd = pins_get(bpffs, plane->name, name);

	if (fd < 0)
		return err_set(err, EXIT_ERROR, -fd, "%s/%s/%s: %s", bpffs, plane->name, name,
			       strerror(-fd));
	if (state_dir_map_has_size(fd, key_size, value_size))
		return fd;
	close(fd);
	return state_dir_refuse_abi(plane, bpffs, 0, err);
}

int state_dir_counters(const struct state_dir *plane, const char *bpffs, const char *name,
		       __u64 *sum, int count, struct err *err)
{
	int cpus = libbpf_num_possible_cpus(), cpu, i, result = 0;
	__u64 *each = calloc((size_t)cpus * (size_t)count, sizeof(*each));
	__u32 zero = 0;
	int fd = state_dir_map_open(plane, bpffs, name, sizeof(zero), (__u32)count * sizeof(*each),
				    err);

	memset(sum, 0, (size_t)count * sizeof(*sum));
	if (fd < 0 || !each) {
		result = fd < 0 ? fd : err_set(err, EXIT_ERROR, ENOMEM, "counters: no memory");
	} else if (bpf_map_lookup_elem(fd, &zero, each)) {
		result = err_set(err, EXIT_ERROR, errno, "counters: %s", strerror(errno));
	} else {
		for (cpu = 0; cpu < cpus; cpu++)
			for (i = 0; i < count; i++)
				sum[i] += each[cpu * count + i];
	}
	if (fd >= 0)
		close(fd);
	free(each);
	return result;
}

int state_dir_pin_maps(const struct state_dir *plane, const char *bpffs,
		       const struct bpf_object *obj, struct err *err)
{
	struct bpf_map *map;
	char path[PATH_MAX];

	pins_path(bpffs, plane->name, NULL, path);
	if (mkdir(path, 0700) && errno != EEXIST)
		return err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	bpf_object__for_each_map(map, obj) {
		if (bpf_map__is_internal(map) ||
		    !access(pins_path(bpffs, plane->name, bpf_map__name(map), path), F_OK))
			continue;
		if (bpf_obj_pin(bpf_map__fd(map), path))
			return err_set(err, EXIT_ERROR, errno, "pin %s: %s", path, strerror(errno));
	}
	return 0;
}

int state_dir_remove(const struct state_dir *plane, const char *bpffs, struct err *err)
{
	return pins_remove_prefixed(bpffs, plane->name, plane->prefix, err);
}

#define OWNER_TARGET "sluice run"

int state_dir_set_owner(const struct state_dir *plane, const char *bpffs, bool by_daemon,
			struct err *err)
{
	char path[PATH_MAX];
	int error = 0;

	pins_path(bpffs, plane->name, PINS_OWNER, path);
	if (by_daemon && symlink(OWNER_TARGET, path) && errno != EEXIST)
		error = errno;
	if (!by_daemon && unlink(path) && errno != ENOENT)
		error = errno;
	return error ? err_set(err, EXIT_ERROR, error, "%s: %s", path, strerror(error)) : 0;
}

bool state_dir_is_daemons(const struct state_dir *plane, const char *bpffs)
{
	char path[PATH_MAX];
	struct stat st;

	return !lstat(pins_path(bpffs, plane->name, PINS_OWNER, path), &st);
}
