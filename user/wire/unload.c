// SPDX-License-Identifier: GPL-2.0-or-later
/* Takes wire mode out of the kernel, of any version, and also what an interrupted load has left. */
#include "wire/wire.h"

#include "kernel/netdev.h"
#include "kernel/object.h"
#include "kernel/pins.h"
#include "kernel/tc.h"
#include "wire/attach.h"
#include "wire/pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What the book says, as far as it can be read: for what must work on remains, too. */
static void iface_table_read_any(const char *bpffs, struct wire_iface **entry, int *count)
{
	int fd = wire_iface_table_open(bpffs, &(struct err){ 0 });

	if (fd < 0)
		return;
	wire_iface_table_read(fd, entry, count);
	close(fd);
}

static bool has_filters(const struct wire_iface *entry, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (entry[i].entry.attach_mode == SLUICE_WIRE_CLSACT)
			return true;
	return false;
}

static int iface_remove_filters(__u32 ifindex, const struct wire_iface *known)
{
	int removed = !tc_filter_remove(ifindex, false);

	removed += !tc_filter_remove(ifindex, true);
	if (known)
		wire_iface_drop_clsact(known, removed);
	return removed;
}

int wire_remove_filters(const char *bpffs, struct err *err)
{
	struct sluice_wire_meta meta = { 0 };
	struct wire_iface *entry = NULL;
	int known = 0, removed = 0, result;
	struct netdev *devs;
	size_t i, count;

	iface_table_read_any(bpffs, &entry, &known);
	/* links go with their pins from anywhere, filters only from within their namespace */
	if (!state_dir_meta_read(&wire_state_dir, bpffs, &meta, &(struct err){ 0 }) &&
	    meta.netns != netdev_netns() && has_filters(entry, known)) {
		free(entry);
		return wire_refuse_netns(bpffs, err);
	}
	result = netdev_list(&devs, &count, err);
	for (i = 0; !result && i < count; i++) {
		removed += iface_remove_filters(devs[i].ifindex,
						wire_iface_numbered(entry, known, devs[i].ifindex));
	}
	free(entry);
	if (result)
		return result;
	free(devs);
	return removed;
}

/* Ingress everywhere before egress anywhere, so that no answer is left without its address. */
static void detach_links(const char *bpffs)
{
	struct wire_iface *entry = NULL;
	int i, out, count = 0;

	iface_table_read_any(bpffs, &entry, &count);
	for (out = 0; out < 2; out++)
		for (i = 0; i < count; i++)
			if (entry[i].entry.attach_mode == SLUICE_WIRE_TCX)
				wire_iface_drop_link(bpffs, entry[i].ifindex, out);
	free(entry);
}

static int remove_all(const char *bpffs, void *arg, struct err *err)
{
	int filters = wire_remove_filters(bpffs, err), pins;

	if (filters >= 0)
		detach_links(bpffs);
	pins = filters < 0 ? filters : pins_remove(bpffs, WIRE_OBJECT, err);

	return pins < 0 ? pins : pins + filters;
}

int wire_unload(const char *bpffs, struct err *err)
{
	return object_unload(&wire_state_dir, bpffs, false, remove_all, NULL, err);
}

int wire_unload_own(const char *bpffs, struct err *err)
{
	return object_unload(&wire_state_dir, bpffs, true, remove_all, NULL, err);
}
