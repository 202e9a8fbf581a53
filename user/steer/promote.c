// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/promote.h"

#include "kernel/pins_lock.h"
#include "steer/group/drain_lock.h"
#include "steer/group/generation.h"
#include "steer/group/instance.h"
#include "steer/group/slots.h"
#include "steer/needs.h"
#include "steer/server.h"
#include "steer/steer.h"

#include <errno.h>
#include <string.h>

static int refuse_draining(const struct steer_group *group, __u32 pid, struct err *err)
{
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, EBUSY, "port %u: process %u is being drained",
				group->info.port, pid),
			"interrupt the drain, which undoes it");
}

/*
 * Checks a group without changing it. Returns the number of the server's sockets in the group, or
 * -errno.
 */
static int group_check(struct steer_group *group, const struct steer_server *server,
		       struct err *err)
{
	bool own[SLUICE_STEER_SLOTS];
	int slot, count = server_select(server, group, own);

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (own[slot] && group->slots[slot].state == SLUICE_STEER_DRAINING)
			return refuse_draining(group, server->pid, err);
	return count;
}

static int group_promote(struct steer_group *group, const struct steer_server *server,
			 struct steer_promote_result *result, struct err *err)
{
	bool own[SLUICE_STEER_SLOTS], changed = false;
	int slot, count = server_select(server, group, own), failed = 0;

	if (!count)
		return 0;
	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		struct sluice_steer_slot *at = &group->slots[slot];

		/* the socket is still open, so a completed drain can be undone */
		if (own[slot] && at->state == SLUICE_STEER_DRAINED) {
			at->state = SLUICE_STEER_RETIRED;
			changed = true;
		}
	}
	changed |= generation_promote(group->slots, SLUICE_STEER_SLOTS, own, &group->info.past);
	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++) {
		if (group->slots[slot].state == SLUICE_STEER_FREE)
			continue;
		result->retired += group->slots[slot].state == SLUICE_STEER_RETIRED && !own[slot];
		if (changed && !failed)
			failed = steer_group_write(group, slot);
	}
	if (failed)
		return err_set(err, EXIT_ERROR, -failed, "port %u: slots: %s", group->info.port,
			       strerror(-failed));
	result->groups++;
	result->sockets += count;
	result->current &= !changed;
	return changed ? steer_group_write_info(group, err) : 0;
}

static int promote_locked(const struct steer_promote_options *options, struct steer_server *server,
			  struct steer_promote_result *result, struct err *err)
{
	struct steer_groups_open groups = { 0 };
	struct sockets_filter filter = { 0 };
	struct sockets *sockets = NULL;
	int i, found = 0, failed = steer_groups_read(options->bpffs, &groups, false, err);

	if (failed)
		return failed;
	steer_groups_filter(&groups, &filter);
	failed = sockets_read(&sockets, &filter, err);
	server->sockets = sockets;
	for (i = 0; !failed && i < groups.count; i++) {
		int count = group_check(groups.group[i], server, err);

		if (count < 0)
			failed = count;
		else
			found += count;
	}
	if (!failed && !found)
		failed = server_has_none(options->pid, err);
	for (i = 0; !failed && i < groups.count; i++)
		failed = group_promote(groups.group[i], server, result, err);
	steer_groups_close(&groups);
	sockets_free(sockets);
	return failed;
}

int steer_promote(const struct steer_promote_options *options, struct steer_promote_result *result,
		  struct err *err)
{
	struct steer_server server = { .pid = options->pid };
	struct steer_loader loader = { 0 };
	struct sluice_steer_meta meta;
	struct pins pins;
	int failed = steer_caps_require("steer promote", true, err);

	*result = (struct steer_promote_result){ .current = true };
	if (!failed)
		failed = steer_read(options->bpffs, &meta, err);
	if (!failed)
		failed = server_check(options->pid, err);
	if (failed)
		return failed;
	server.by = meta.generations;
	server.instance = instance_of(options->pid, SLUICE_STEER_BY_PROCESS);
	/* add sockets that were just opened, and undo killed drains */
	failed = steer_sweep(&loader, options->bpffs, options->fn, options->arg, err);
	if (!failed)
		failed = pins_lock(&pins, options->bpffs, false, err);
	if (!failed) {
		failed = promote_locked(options, &server, result, err);
		pins_unlock(&pins);
	}
	/* give the new flows to the promoted sockets */
	if (!failed)
		failed = steer_sweep(&loader, options->bpffs, NULL, NULL, err);
	steer_loader_close(&loader);
	return failed;
}
