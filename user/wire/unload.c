// SPDX-License-Identifier: GPL-2.0-or-later
/* Unloads mode wire of any ABI version, and removes what an interrupted load has left. */
#include "kernel/pins_lock.h"
#include "wire/wire.h"

#include "kernel/meta.h"
#include "kernel/object.h"
#include "kernel/pins.h"
#include "kernel/tc.h"
#include "kernel/unload.h"
#include "net/netdev.h"
#include "net/netns.h"
#include "wire/attach.h"
#include "wire/pins.h"
#include "wire/programs.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Returns true if the network namespace has neither a name nor a process. */
static bool is_hidden(__u32 netns)
{
	int fd = netns_open_number(netns);

	if (fd >= 0)
		close(fd);
	return fd == -ENOENT;
}

int wire_remove_filters(const char *bpffs, struct err *err)
{
	struct sluice_wire_meta meta = { 0 };
	struct wire_iface *iface = NULL;
	struct netdev *devs = NULL;
	int i, known = 0, removed = 0, found, result = pins_exist(bpffs, WIRE_OBJECT, err);
	bool filters = false, listed_only;
	size_t dev, count;

	if (result <= 0)
		return result;
	/* without the list, any interface may have a filter */
	listed_only = !wire_iface_table_read(bpffs, &iface, &known, &(struct err){ 0 });
	/*
	 * links can be removed from any namespace, with their pins, but filters only from within
	 * theirs
	 */
	if (!meta_read(&wire_state_dir, bpffs, &meta, &(struct err){ 0 }) &&
	    meta.netns != netdev_netns()) {
		for (i = 0; i < known; i++)
			filters |= iface[i].entry.attach_mode == SLUICE_WIRE_CLSACT;
		/* the kernel has deleted the filters together with their namespace */
		result = !filters || (is_hidden((__u32)meta.netns) && wire_pairs_are_unused(bpffs))
				 ? 0
				 : wire_refuse_netns(bpffs, err);
		goto out;
	}
	result = netdev_list(&devs, &count, err);
	for (dev = 0; !result && dev < count; dev++) {
		const struct wire_iface *listed = wire_iface_numbered(iface, known,
								      devs[dev].ifindex);
		/* the other filters may belong to a sluice with another pin directory */
		if (listed_only && !listed)
			continue;
		found = !tc_filter_remove(devs[dev].ifindex, false);
		found += !tc_filter_remove(devs[dev].ifindex, true);
		if (listed)
			wire_iface_drop_clsact(listed, found);
		removed += found;
	}
	free(devs);
out:
	free(iface);
	return result ? result : removed;
}

bool wire_netns_is_gone(const char *bpffs, const struct sluice_wire_meta *meta)
{
	bool gone = is_hidden((__u32)meta->netns);
	struct wire_iface *ifaces = NULL;
	int i, count = 0;

	if (gone && wire_iface_table_read(bpffs, &ifaces, &count, &(struct err){ 0 }))
		gone = false;
	for (i = 0; gone && i < count; i++) {
		wire_iface_inspect(bpffs, &ifaces[i]);
		/*
		 * a filter has no program id here: wire_remove_filters() checks whether its program
		 * is in use
		 */
		gone = !ifaces[i].prog_id[0] && !ifaces[i].prog_id[1];
	}
	free(ifaces);
	return gone;
}

/* Yields the lock to the processes that wait for it. One of them may load the object again. */
static int yield(struct pins *pins, struct err *err)
{
	char path[PATH_MAX];
	int result;

	if (!pins_wanted(pins))
		return 0;
	result = pins_yield(pins, err);
	if (result || access(pins_path(pins->dir, WIRE_OBJECT, wire_state_dir.meta, path), F_OK))
		return result;
	return err_set(err, EXIT_CONFLICT, EBUSY,
		       "%s/" WIRE_OBJECT ": another process has loaded it again meanwhile",
		       pins->dir);
}

static int remove_all(struct pins *pins, void *arg, struct err *err)
{
	int i, out, count = 0, removed, filters = wire_remove_filters(pins->dir, err), result = 0;
	struct wire_iface *iface = NULL;
	char path[PATH_MAX];

	if (filters < 0)
		return filters;
	wire_iface_table_read(pins->dir, &iface, &count, &(struct err){ 0 });
	/* without the record of the load, only remains exist, which no daemon attaches again */
	state_dir_set_owner(&wire_state_dir, pins->dir, false, &(struct err){ 0 });
	unlink(pins_path(pins->dir, WIRE_OBJECT, wire_state_dir.meta, path));
	/*
	 * detach all ingress programs before any egress program: the reply to a rewritten request
	 * needs the egress program
	 */
	for (out = 0; out < 2; out++)
		for (i = 0; !result && i < count; i++) {
			if (iface[i].entry.attach_mode != SLUICE_WIRE_TCX)
				continue;
			wire_iface_drop_link(pins->dir, iface[i].ifindex, out);
			result = yield(pins, err);
		}
	free(iface);
	/* -ENOENT: another unload or cleanup has removed the rest */
	if (result == -ENOENT)
		return filters + 1;
	removed = result ? result : unload_pins(pins->dir, WIRE_OBJECT, err);
	return removed < 0 ? removed : removed + 1 + filters;
}

int wire_unload(const char *bpffs, struct err *err)
{
	return unload_object(&wire_state_dir, bpffs, false, remove_all, NULL, err);
}

int wire_unload_own(const char *bpffs, struct err *err)
{
	return unload_object(&wire_state_dir, bpffs, true, remove_all, NULL, err);
}
