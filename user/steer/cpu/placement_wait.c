// SPDX-License-Identifier: GPL-2.0-or-later
/* Policy cpu: lets 'steer load' wait until all consumers are known. */
#include "kernel/pins_lock.h"
#include "steer/cpu/consumers.h"
#include "steer/cpu/placement.h"
#include "steer/group/choice.h"
#include "steer/group/groups.h"

#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 50

static int group_place(struct steer_group *group, void *arg)
{
	return group->info.policy == SLUICE_STEER_CPU ? steer_placement(group, *(int *)arg) : 0;
}

static int place_all(const char *bpffs, struct err *err)
{
	struct pins pins;
	int fd, result = pins_lock(&pins, bpffs, false, err);

	if (result)
		return result;
	fd = consumers_open(bpffs);
	result = steer_groups(bpffs, group_place, &fd, err);
	if (fd >= 0)
		close(fd);
	pins_unlock(&pins);
	return result;
}

int steer_placement_wait(const char *bpffs, unsigned int limit_ms, struct err *err)
{
	const struct timespec pause = { .tv_nsec = POLL_MS * 1000000L };
	struct steer_consumers_known known;
	unsigned int waited;
	int result = steer_consumers_known(bpffs, &known, err);

	for (waited = 0; !result && known.unknown && waited < limit_ms; waited += POLL_MS) {
		nanosleep(&pause, NULL);
		result = place_all(bpffs, err);
		if (!result)
			result = steer_consumers_known(bpffs, &known, err);
	}
	if (result && !err->code)
		err_set(err, EXIT_ERROR, -result, "consumers of the sockets: %s",
			strerror(-result));
	return result;
}

static int group_known(struct steer_group *group, void *arg)
{
	struct sluice_steer_consumer consumers[SLUICE_STEER_SLOTS];
	struct steer_consumers_known *known = arg;
	int slot, result;

	if (group->info.policy != SLUICE_STEER_CPU)
		return 0;
	result = steer_group_consumers(group, consumers);
	for (slot = 0; slot < SLUICE_STEER_SLOTS && !result; slot++) {
		if (group->slots[slot].state != SLUICE_STEER_ACTIVE)
			continue;
		known->pinned += consumers[slot].known == SLUICE_STEER_CPU_PINNED;
		known->seen += consumers[slot].known == SLUICE_STEER_CPU_SEEN;
		known->unknown += consumers[slot].known == SLUICE_STEER_CPU_UNKNOWN;
	}
	return result;
}

int steer_consumers_known(const char *bpffs, struct steer_consumers_known *known, struct err *err)
{
	*known = (struct steer_consumers_known){ 0 };
	return steer_groups(bpffs, group_known, known, err);
}
