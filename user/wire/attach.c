// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/attach.h"

#include "base/log.h"
#include "kernel/feature.h"
#include "kernel/pins.h"
#include "kernel/tc.h"
#include "kernel/unload.h"
#include "wire/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIN_SIZE 32

__u32 wire_attach_mode(void)
{
	return feature_tcx() == FEATURE_YES ? SLUICE_WIRE_TCX : SLUICE_WIRE_CLSACT;
}

const char *wire_attach_mode_name(__u32 attach_mode)
{
	return attach_mode == SLUICE_WIRE_TCX	   ? "tcx"
	       : attach_mode == SLUICE_WIRE_CLSACT ? "clsact"
						   : "?";
}

static const char *link_pin(__u32 ifindex, bool out, char name[PIN_SIZE])
{
	snprintf(name, PIN_SIZE, "link_%u_%s", ifindex, out ? "out" : "in");
	return name;
}

static int attach_error(const struct wire_iface *iface, bool out, int error, struct err *err)
{
	const char *where = out ? "egress" : "ingress";
	struct tc_blocker blocker;

	/*
	 * a tc priority holds one kind of filter and one protocol; the kernel rejects any other
	 * with EINVAL
	 */
	if (iface->entry.attach_mode == SLUICE_WIRE_CLSACT &&
	    (error == EEXIST || error == EINVAL) &&
	    !tc_filter_blocker(iface->ifindex, out, &blocker))
		return err_hint(err,
				err_set(err, EXIT_CONFLICT, error,
					"%s: tc filter slot already in use on %s: %s%s%s,"
					" priority %u, handle 0x%x",
					iface->entry.name, where, blocker.kind,
					blocker.name[0] ? " " : "", blocker.name, blocker.priority,
					blocker.handle),
				"give it another priority; see 'tc filter show dev %s %s'",
				iface->entry.name, where);
	return err_kernel(err, error, "'sluice check' shows what this kernel lacks",
			  "%s: attaching by %s failed: %s", iface->entry.name,
			  wire_attach_mode_name(iface->entry.attach_mode), strerror(error));
}

/*
 * Sets the program of one direction. *before, unless NULL, receives a descriptor of the old
 * program.
 */
static int hook_set(const char *bpffs, const struct wire_iface *iface, bool out, int prog_fd,
		    int *before)
{
	char name[PIN_SIZE], path[PATH_MAX];
	struct hook_link link;
	int fd, result = 0;
	__u32 id;

	if (iface->entry.attach_mode != SLUICE_WIRE_TCX) {
		if (before && !tc_filter_read(iface->ifindex, out, &id))
			*before = bpf_prog_get_fd_by_id(id);
		return tc_filter_set(iface->ifindex, out, prog_fd);
	}
	link_pin(iface->ifindex, out, name);
	pins_path(bpffs, WIRE_OBJECT, name, path);
	fd = hook_link_open(bpffs, WIRE_OBJECT, name, iface->ifindex, &link);
	if (fd >= 0) {
		if (before)
			*before = bpf_prog_get_fd_by_id(link.prog_id);
		if (bpf_link_update(fd, prog_fd, NULL))
			result = -errno;
		close(fd);
		return result;
	}
	if (fd == -ENOENT)
		unlink(path); /* the pin of a dead link */
	fd = tc_link_create(iface->ifindex, out, prog_fd);
	if (fd < 0)
		return fd;
	if (bpf_obj_pin(fd, path))
		result = -errno;
	close(fd);
	return result;
}

void wire_iface_drop_link(const char *bpffs, __u32 ifindex, bool out)
{
	char name[PIN_SIZE], path[PATH_MAX];

	unload_pin(pins_path(bpffs, WIRE_OBJECT, link_pin(ifindex, out, name), path));
}

/* Detaches one direction. Returns true if it removed a tc filter. */
static bool hook_clear(const char *bpffs, const struct wire_iface *iface, bool out)
{
	if (iface->entry.attach_mode == SLUICE_WIRE_CLSACT)
		return !tc_filter_remove(iface->ifindex, out);
	wire_iface_drop_link(bpffs, iface->ifindex, out);
	return false;
}

/*
 * The kernel may have reused the ifindex for another interface, whose clsact belongs to another
 * program. The interface is still the listed one if it had sluice's filter, or, after a load was
 * killed early, if the name matches.
 */
void wire_iface_drop_clsact(const struct wire_iface *iface, bool had_filter)
{
	char name[IF_NAMESIZE];

	if (iface->entry.attach_mode != SLUICE_WIRE_CLSACT || !iface->entry.clsact_made)
		return;
	if (!had_filter && (!if_indextoname(iface->ifindex, name) ||
			    strncmp(name, iface->entry.name, sizeof(iface->entry.name))))
		return;
	tc_clsact_remove_unused(iface->ifindex);
}

/*
 * Attaches egress first, since the egress program must run when ingress rewrites its first request.
 * Replaces egress last, since only the new ingress program fills a table of a new size.
 */
int wire_iface_attach(const char *bpffs, int ifaces_fd, struct wire_iface *iface,
		      const int prog_fd[2], struct err *err)
{
	bool made = false;
	int i, result;

	iface->prog_before[0] = iface->prog_before[1] = -1;
	iface->was_attached = !bpf_map_lookup_elem(ifaces_fd, &iface->ifindex,
						   &iface->entry_before);
	if (iface->was_attached) {
		iface->entry.attach_mode = iface->entry_before.attach_mode;
		iface->entry.clsact_made = iface->entry_before.clsact_made;
	}
	if (iface->entry.attach_mode == SLUICE_WIRE_CLSACT) {
		result = tc_clsact_make(iface->ifindex, &made);
		if (result == -EBUSY)
			return err_hint(
				err,
				err_set(err, EXIT_CONFLICT, EBUSY,
					"%s: it has an 'ingress' qdisc instead of clsact",
					iface->entry.name),
				"replace the qdisc with clsact, which does the same and more");
		if (result)
			return attach_error(iface, true, -result, err);
		iface->entry.clsact_made |= made;
	}
	if (bpf_map_update_elem(ifaces_fd, &iface->ifindex, &iface->entry, BPF_ANY))
		return err_set(err, EXIT_ERROR, errno, "%s: %s", iface->entry.name,
			       strerror(errno));
	for (i = 0; i < 2; i++) {
		bool out = iface->was_attached ? i : !i;

		result = hook_set(bpffs, iface, out, prog_fd[out], &iface->prog_before[out]);
		if (result)
			return attach_error(iface, out, -result, err);
	}
	return 0;
}

void wire_iface_keep(struct wire_iface *iface)
{
	int out;

	for (out = 0; out < 2; out++)
		if (iface->prog_before[out] >= 0)
			close(iface->prog_before[out]);
	iface->prog_before[0] = iface->prog_before[1] = -1;
}

/* Detaches ingress first: egress must still reverse what ingress has rewritten. */
void wire_iface_detach(const char *bpffs, int ifaces_fd, const struct wire_iface *iface)
{
	bool had_filter = hook_clear(bpffs, iface, false);

	had_filter |= hook_clear(bpffs, iface, true);
	wire_iface_drop_clsact(iface, had_filter);
	if (ifaces_fd >= 0)
		bpf_map_delete_elem(ifaces_fd, &iface->ifindex);
}

void wire_iface_restore(const char *bpffs, int ifaces_fd, struct wire_iface *iface)
{
	int out;

	for (out = 0; iface->was_attached && out < 2; out++)
		if (iface->prog_before[out] >= 0 &&
		    hook_set(bpffs, iface, out, iface->prog_before[out], NULL))
			log_warning("%s keeps its new program", iface->entry.name);
	if (iface->was_attached)
		bpf_map_update_elem(ifaces_fd, &iface->ifindex, &iface->entry_before, BPF_ANY);
	else
		wire_iface_detach(bpffs, ifaces_fd, iface);
	wire_iface_keep(iface);
}

int wire_iface_add(struct wire_iface **list, int *count, const struct wire_iface *iface)
{
	struct wire_iface *grown = reallocarray(*list, (size_t)*count + 1, sizeof(**list));

	if (!grown)
		return -ENOMEM;
	grown[(*count)++] = *iface;
	*list = grown;
	return 0;
}

struct wire_iface *wire_iface_numbered(struct wire_iface *list, int count, __u32 ifindex)
{
	int i;

	for (i = 0; i < count; i++)
		if (list[i].ifindex == ifindex)
			return &list[i];
	return NULL;
}

int wire_iface_table_open(const char *bpffs, struct err *err)
{
	return state_dir_map_open(&wire_state_dir, bpffs, "sluice_w_ifaces", BPF_MAP_TYPE_HASH,
				  sizeof(__u32), sizeof(struct sluice_wire_iface), err);
}

int wire_iface_table_read(const char *bpffs, struct wire_iface **list, int *count, struct err *err)
{
	int fd = wire_iface_table_open(bpffs, err), result = 0;
	struct wire_iface iface = { 0 };
	__u32 *last = NULL;

	if (fd < 0)
		return fd;
	while (!result && !bpf_map_get_next_key(fd, last, &iface.ifindex)) {
		if (!bpf_map_lookup_elem(fd, &iface.ifindex, &iface.entry))
			result = wire_iface_add(list, count, &iface);
		last = &iface.ifindex;
	}
	close(fd);
	return result ? err_set(err, EXIT_ERROR, -result, "interfaces: out of memory") : 0;
}

void wire_iface_inspect(const char *bpffs, struct wire_iface *iface)
{
	char name[PIN_SIZE];
	int fd, out;

	for (out = 0; out < 2; out++) {
		struct hook_link link;

		if (iface->entry.attach_mode == SLUICE_WIRE_CLSACT) {
			tc_filter_read(iface->ifindex, out, &iface->prog_id[out]);
			continue;
		}
		fd = hook_link_open(bpffs, WIRE_OBJECT, link_pin(iface->ifindex, out, name),
				    iface->ifindex, &link);
		if (fd < 0)
			continue;
		iface->prog_id[out] = link.prog_id;
		close(fd);
	}
	iface->gone = !iface->prog_id[0] || !iface->prog_id[1];
}
