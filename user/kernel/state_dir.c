// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/state_dir.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

const char *load_outcome_name(enum load_outcome outcome, bool as_before)
{
	static const char *const names[] = {
		[LOAD_VERIFIED] = "verified",	[LOAD_FRESH] = "loaded", [LOAD_UPDATED] = "updated",
		[LOAD_RECOVERED] = "recovered", [LOAD_LEFT] = "left",
	};

	return outcome == LOAD_UPDATED && as_before ? "unchanged" : names[outcome];
}

bool state_dir_map_is(int fd, enum bpf_map_type type, __u32 key_size, __u32 value_size)
{
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);

	return !bpf_obj_get_info_by_fd(fd, &info, &length) && info.type == type &&
	       info.key_size == key_size && info.value_size == value_size;
}

__u32 state_dir_map_entries(int fd)
{
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info);

	return bpf_obj_get_info_by_fd(fd, &info, &length) ? 0 : info.max_entries;
}

/* Returns the ABI version of a record of any size: all versions have the same head. 0: unknown. */
static __u32 record_abi(const struct state_dir *sd, const char *bpffs)
{
	int fd = pins_get(bpffs, sd->name, sd->meta, PINS_MAP);
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info), zero = 0, abi = 0;
	struct sluice_meta *head;

	if (fd < 0)
		return 0;
	if (!bpf_obj_get_info_by_fd(fd, &info, &length) && info.type == BPF_MAP_TYPE_ARRAY &&
	    info.key_size == sizeof(zero) && info.value_size >= sizeof(*head)) {
		head = malloc(info.value_size);
		if (head && !bpf_map_lookup_elem(fd, &zero, head) && head->magic == SLUICE_MAGIC)
			abi = head->abi;
		free(head);
	}
	close(fd);
	return abi;
}

int state_dir_refuse_abi(const struct state_dir *sd, const char *bpffs, struct err *err)
{
	__u32 abi = record_abi(sd, bpffs);
	char known[48] = "";

	if (abi)
		snprintf(known, sizeof(known), " (ABI %u, this is ABI %u)", abi, sd->abi);
	err_set(err, EXIT_CONFLICT, EPROTO, "%s/%s: pinned by another version of sluice%s", bpffs,
		sd->name, known);
	return err_hint(err, -EPROTO,
			"'sluice cleanup' removes it, whatever its version; then load again");
}

/* Sets *err for a pin that cannot be opened. */
static int pin_error(const struct state_dir *sd, const char *bpffs, const char *name, int error,
		     struct err *err)
{
	if (error == -EMEDIUMTYPE)
		return state_dir_refuse_abi(sd, bpffs, err);
	err_set(err, EXIT_ERROR, -error, "%s/%s/%s: %s", bpffs, sd->name, name, strerror(-error));
	return error == -ENOENT ? err_hint(err, error, "'%s …' pins it again", sd->load) : error;
}

static bool lacks_vital(const struct state_dir *sd, const char *bpffs)
{
	const char *const *name = sd->vital;
	char path[PATH_MAX];

	for (; name && *name; name++)
		if (access(pins_path(bpffs, sd->name, *name, path), F_OK) && errno == ENOENT)
			return true;
	return false;
}

int state_dir_meta_read(const struct state_dir *sd, const char *bpffs, void *meta, struct err *err)
{
	const struct sluice_meta *head = meta;
	__u32 zero = 0;
	int fd, result = pins_exist(bpffs, sd->name, err);

	if (result <= 0)
		return result ? result : -ENOENT;
	fd = pins_get(bpffs, sd->name, sd->meta, PINS_MAP);
	if (fd == -ENOENT)
		return -EUCLEAN;
	if (fd < 0)
		return pin_error(sd, bpffs, sd->meta, fd, err);
	if (!state_dir_map_is(fd, BPF_MAP_TYPE_ARRAY, sizeof(zero), sd->meta_size))
		result = state_dir_refuse_abi(sd, bpffs, err);
	else if (bpf_map_lookup_elem(fd, &zero, meta))
		result = err_set(err, EXIT_ERROR, errno, "%s/%s/%s: %s", bpffs, sd->name, sd->meta,
				 strerror(errno));
	else if (!head->magic || lacks_vital(sd, bpffs))
		result = -EUCLEAN;
	else if (head->magic != SLUICE_MAGIC || head->abi != sd->abi)
		result = state_dir_refuse_abi(sd, bpffs, err);
	else
		result = 0;
	close(fd);
	return result;
}

int state_dir_not_loaded(const struct state_dir *sd, const char *bpffs, int why, struct err *err)
{
	if (why == -EUCLEAN)
		return err_hint(err,
				err_set(err, EXIT_ERROR, EUCLEAN,
					"%s/%s: remains of an interrupted load", bpffs, sd->name),
				"'%s …' replaces them, 'sluice cleanup' removes them", sd->load);
	if (why == -ENOENT)
		return err_hint(err,
				err_set(err, EXIT_ERROR, ENOENT, "%s is not loaded (no %s/%s)",
					sd->name, bpffs, sd->name),
				"load it with '%s'", sd->load);
	return why;
}

int state_dir_meta_write(const struct state_dir *sd, int fd, const void *meta, __u32 state,
			 struct err *err)
{
	struct sluice_meta *copy = malloc(sd->meta_size);
	__u32 zero = 0;
	int result = -ENOMEM;

	if (copy) {
		memcpy(copy, meta, sd->meta_size);
		copy->state = state;
		result = bpf_map_update_elem(fd, &zero, copy, BPF_ANY) ? -errno : 0;
		free(copy);
	}
	return result ? err_set(err, EXIT_ERROR, -result, "%s: %s", sd->meta, strerror(-result))
		      : 0;
}

int state_dir_map_open(const struct state_dir *sd, const char *bpffs, const char *name,
		       enum bpf_map_type type, __u32 key_size, __u32 value_size, struct err *err)
{
	int fd = pins_get(bpffs, sd->name, name, PINS_MAP);

	if (fd < 0)
		return pin_error(sd, bpffs, name, fd, err);
	if (state_dir_map_is(fd, type, key_size, value_size))
		return fd;
	close(fd);
	return state_dir_refuse_abi(sd, bpffs, err);
}

int state_dir_counters(const struct state_dir *sd, const char *bpffs, const char *name, __u64 *sum,
		       int count, struct err *err)
{
	int cpus = libbpf_num_possible_cpus(), cpu, i, fd, result = 0;
	__u64 *values;
	__u32 zero = 0;

	memset(sum, 0, (size_t)count * sizeof(*sum));
	fd = state_dir_map_open(sd, bpffs, name, BPF_MAP_TYPE_PERCPU_ARRAY, sizeof(zero),
				(__u32)count * sizeof(*sum), err);
	if (fd < 0)
		return fd;
	values = calloc((size_t)cpus * (size_t)count, sizeof(*values));
	if (!values || bpf_map_lookup_elem(fd, &zero, values))
		result = err_set(err, EXIT_ERROR, errno, "counters: %s", strerror(errno));
	for (cpu = 0; !result && cpu < cpus; cpu++)
		for (i = 0; i < count; i++)
			sum[i] += values[cpu * count + i];
	close(fd);
	free(values);
	return result;
}

int state_dir_remove(const struct state_dir *sd, const char *bpffs, struct err *err)
{
	return pins_remove_prefixed(bpffs, sd->name, sd->prefix, err);
}

int state_dir_set_owner(const struct state_dir *sd, const char *bpffs, bool by_daemon,
			struct err *err)
{
	char path[PATH_MAX];

	pins_path(bpffs, sd->name, PINS_OWNER, path);
	if (by_daemon ? symlink("sluice run", path) && errno != EEXIST
		      : unlink(path) && errno != ENOENT)
		return err_set(err, EXIT_ERROR, errno, "%s: %s", path, strerror(errno));
	return 0;
}

bool state_dir_is_daemons(const struct state_dir *sd, const char *bpffs)
{
	char path[PATH_MAX];
	struct stat st;

	return !lstat(pins_path(bpffs, sd->name, PINS_OWNER, path), &st);
}

static int dir_open(const struct state_dir *sd, const char *bpffs)
{
	char path[PATH_MAX];

	return open(pins_path(bpffs, sd->name, NULL, path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

int state_dir_mark_loader(const struct state_dir *sd, const char *bpffs)
{
	int fd = dir_open(sd, bpffs);

	/* waits for state_dir_is_abandoned(), which holds the lock for a moment */
	if (fd >= 0)
		flock(fd, LOCK_SH);
	return fd;
}

bool state_dir_is_abandoned(const struct state_dir *sd, const char *bpffs,
			    const struct sluice_meta *meta)
{
	int fd = meta->state != SLUICE_LOADED ? dir_open(sd, bpffs) : -1;
	bool abandoned = fd >= 0 && !flock(fd, LOCK_EX | LOCK_NB);

	if (fd >= 0)
		close(fd);
	return abandoned;
}

int state_dir_yield(const struct state_dir *sd, struct pins *pins, const void *meta, __u32 state,
		    struct err *err)
{
	struct sluice_meta *expected = malloc(sd->meta_size), *now = malloc(sd->meta_size);
	bool same = false;

	if (expected && now && !pins_yield(pins, err)) {
		memcpy(expected, meta, sd->meta_size);
		expected->state = state;
		same = !state_dir_meta_read(sd, pins->dir, now, err) &&
		       !memcmp(expected, now, sd->meta_size);
	}
	free(expected);
	free(now);
	if (same)
		return 0;
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, ECANCELED,
				"%s/%s: another process has loaded or unloaded it meanwhile",
				pins->dir, sd->name),
			"'sluice status' shows what is loaded");
}
