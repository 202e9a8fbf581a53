// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/state_dir.h"

#include "kernel/maps.h"
#include "kernel/meta.h"
#include "kernel/pins.h"
#include "kernel/pins_lock.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

int state_dir_map_open(const struct state_dir *sd, const char *bpffs, const char *name,
		       enum bpf_map_type type, __u32 key_size, __u32 value_size, struct err *err)
{
	int fd = pins_get(bpffs, sd->name, name, PINS_MAP);

	if (fd < 0)
		return meta_pin_error(sd, bpffs, name, fd, err);
	if (map_is(fd, type, key_size, value_size))
		return fd;
	close(fd);
	return meta_refuse_abi(sd, bpffs, err);
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

	/* may block briefly, while state_dir_is_abandoned() holds the lock */
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
		same = !meta_read(sd, pins->dir, now, err) && !memcmp(expected, now, sd->meta_size);
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
