// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/cpu/sampling.h"

#include "base/array.h"
#include "kernel/pins.h"
#include "steer/cpu/placement.h"
#include "steer/group/groups.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_MS 20

struct steer_readers {
	struct readers *watched;
};

struct cookies {
	__u64 *all;
	size_t room;
	size_t count;
};

static int cookies_add(struct steer_group *group, void *arg)
{
	struct cookies *cookies = arg;
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		void *all = cookies->all;

		if (group->info.policy != SLUICE_STEER_CPU ||
		    group->slots[slot].state == SLUICE_STEER_FREE)
			continue;
		if (array_grow(&all, &cookies->room, cookies->count, sizeof(*cookies->all)))
			return -ENOMEM;
		cookies->all = all;
		cookies->all[cookies->count++] = group->slots[slot].cookie;
	}
	return 0;
}

int steer_readers_begin(const char *bpffs, struct steer_readers **sampling, struct err *err)
{
	static struct sluice_steer_meta meta;
	struct steer_readers *fresh;
	struct cookies cookies = { 0 };
	int result = steer_read(bpffs, &meta, err);

	*sampling = NULL;
	if (result || meta.policy != SLUICE_STEER_CPU)
		return result == -ENOENT ? 0 : result;
	fresh = calloc(1, sizeof(*fresh));
	result = fresh ? steer_groups(bpffs, cookies_add, &cookies, err) : -ENOMEM;
	if (result == -ENOMEM)
		err_set(err, EXIT_ERROR, ENOMEM, "readers of the sockets: no memory");
	if (!result && cookies.count)
		result = readers_watch(cookies.all, cookies.count, &fresh->watched, err);
	if (!result && cookies.count)
		*sampling = fresh;
	else
		free(fresh);
	free(cookies.all);
	return result;
}

bool steer_readers_complete(const struct steer_readers *sampling)
{
	return readers_complete(sampling->watched);
}

static int group_place(struct steer_group *group, void *arg)
{
	return group->info.policy == SLUICE_STEER_CPU ? steer_place(group, arg) : 0;
}

int steer_readers_end(const char *bpffs, struct steer_readers *sampling, struct err *err)
{
	struct pins pins;
	int result;

	if (!sampling)
		return 0;
	result = pins_lock(&pins, bpffs, false, err);
	if (!result) {
		result = steer_groups(bpffs, group_place, sampling->watched, err);
		if (result && !err->code)
			err_set(err, EXIT_ERROR, -result, "readers of the sockets: %s",
				strerror(-result));
		pins_unlock(&pins);
	}
	readers_free(sampling->watched);
	free(sampling);
	return result;
}

int steer_readers_sample(const char *bpffs, unsigned int limit_ms, struct err *err)
{
	const struct timespec look = { .tv_nsec = LOOK_MS * 1000000L };
	struct steer_readers *sampling;
	unsigned int waited;
	int result = steer_readers_begin(bpffs, &sampling, err);

	if (result || !sampling)
		return result;
	for (waited = 0; waited < limit_ms && !steer_readers_complete(sampling); waited += LOOK_MS)
		nanosleep(&look, NULL);
	return steer_readers_end(bpffs, sampling, err);
}

static int group_known(struct steer_group *group, void *arg)
{
	static struct sluice_steer_reader readers[SLUICE_STEER_SLOTS];
	struct steer_readers_known *known = arg;
	int slot, result = 0;

	if (group->info.policy == SLUICE_STEER_CPU)
		result = steer_group_readers(group, readers);
	for (slot = 0; slot < SLUICE_STEER_SLOTS && !result; slot++) {
		if (group->info.policy != SLUICE_STEER_CPU ||
		    group->slots[slot].state != SLUICE_STEER_ACTIVE)
			continue;
		known->pinned += readers[slot].known == SLUICE_STEER_CPU_PINNED;
		known->seen += readers[slot].known == SLUICE_STEER_CPU_SEEN;
		known->unknown += readers[slot].known == SLUICE_STEER_CPU_UNKNOWN;
	}
	return result;
}

int steer_readers_known(const char *bpffs, struct steer_readers_known *known, struct err *err)
{
	int result;

	*known = (struct steer_readers_known){ 0 };
	result = steer_groups(bpffs, group_known, known, err);
	if (result && !err->code)
		err_set(err, EXIT_ERROR, -result, "readers of the sockets: %s", strerror(-result));
	return result;
}
