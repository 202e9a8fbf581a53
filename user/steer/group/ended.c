// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/group/ended.h"

#include "kernel/maps.h"
#include "kernel/object.h"
#include "kernel/pins.h"
#include "net/netdev.h"
#include "net/netns.h"
#include "steer/group/groups.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIN "sluice_ended"

/* The head of struct steer_ended is the key, and its tail the value. */
#define KEY_SIZE   offsetof(struct steer_ended, counters)
#define VALUE_SIZE sizeof(((struct steer_ended *)0)->counters)
_Static_assert(KEY_SIZE == NAME_MAX + 1 + 2 * sizeof(__u32), "padding in the key");
_Static_assert(KEY_SIZE + VALUE_SIZE == sizeof(struct steer_ended), "padding behind the value");

static const struct steer_ended other = { .netns = STEER_ENDED_OTHER };

/* Returns a descriptor, or -1. */
static int map_open(const char *bpffs)
{
	int fd = pins_get(bpffs, STEER_OBJECT, PIN, PINS_MAP);

	if (fd < 0 || map_is(fd, BPF_MAP_TYPE_HASH, KEY_SIZE, VALUE_SIZE))
		return fd < 0 ? -1 : fd;
	close(fd);
	return -1;
}

void steer_netns_name(__u32 netns, char name[NAME_MAX + 1])
{
	if (!netns_name(netns, name))
		strcpy(name, netns == netdev_netns() ? "host" : "unnamed");
}

int steer_ended_create(const char *bpffs, struct err *err)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	struct object object = { .state_dir = &steer_state_dir, .dir = bpffs };
	int fd = map_open(bpffs), result;

	if (fd >= 0) {
		close(fd);
		return 0;
	}
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, PIN, KEY_SIZE, VALUE_SIZE, STEER_ENDED_MAX + 1,
			    &opts);
	/* the sum of the others exists, whether the map is full or not */
	if (fd < 0 || bpf_map_update_elem(fd, &other, other.counters, BPF_NOEXIST))
		result = err_set(err, EXIT_ERROR, errno, PIN ": %s", strerror(errno));
	else
		result = object_pin(&object, fd, PIN, err);
	if (fd >= 0)
		close(fd);
	return result;
}

void steer_ended_add(const char *bpffs, const struct steer_group *group)
{
	struct steer_ended ended = { .port = group->info.port };
	__u64 counters[STEER_COUNTERS] = { [STEER_DRAIN_UNREAD] = group->info.drain_unread };
	struct sluice_steer_counters counted;
	int fd = map_open(bpffs), i;

	if (fd < 0)
		return;
	if (!steer_group_counters(group, &counted))
		memcpy(counters, counted.value, sizeof(counted.value));
	steer_netns_name(group->info.netns, ended.netns);
	bpf_map_lookup_elem(fd, &ended, ended.counters);
	for (i = 0; i < STEER_COUNTERS; i++)
		ended.counters[i] += counters[i];
	if (bpf_map_update_elem(fd, &ended, ended.counters, BPF_ANY)) {
		ended = other;
		bpf_map_lookup_elem(fd, &ended, ended.counters);
		for (i = 0; i < STEER_COUNTERS; i++)
			ended.counters[i] += counters[i];
		bpf_map_update_elem(fd, &ended, ended.counters, BPF_EXIST);
	}
	close(fd);
}

size_t steer_ended_read(const char *bpffs, struct steer_ended **ended)
{
	char(*keys)[KEY_SIZE] = calloc(STEER_ENDED_MAX + 1, sizeof(*keys));
	__u64(*values)[STEER_COUNTERS] = calloc(STEER_ENDED_MAX + 1, sizeof(*values));
	__u32 token, count = STEER_ENDED_MAX + 1, i;
	int fd = map_open(bpffs);

	*ended = calloc(STEER_ENDED_MAX + 1, sizeof(**ended));
	/* ENOENT: all were read */
	if (fd < 0 || !keys || !values || !*ended ||
	    (bpf_map_lookup_batch(fd, NULL, &token, keys, values, &count, NULL) && errno != ENOENT))
		count = 0;
	for (i = 0; i < count; i++) {
		memcpy(&(*ended)[i], keys[i], KEY_SIZE);
		memcpy((*ended)[i].counters, values[i], VALUE_SIZE);
	}
	if (fd >= 0)
		close(fd);
	free(keys);
	free(values);
	if (!count) {
		free(*ended);
		*ended = NULL;
	}
	return count;
}
