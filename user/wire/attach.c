// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/attach.h"

#include "base/log.h"
#include "kernel/pins.h"
#include "kernel/tc.h"
#include "wire/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <net/if.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PIN_SIZE 32

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

static int blocked(const struct wire_iface *iface, bool out, const struct tc_blocker *blocker,
		   int error, struct err *err)
{
	const char *where = out ? "egress" : "ingress";

	return err_hint(err,
			err_set(err, EXIT_CONFLICT, error,
				"%s: another tc filter has our place on %s: %s%s%s, priority %u,"
				" handle 0x%x",
				iface->entry.name, where, blocker->kind,
				blocker->name[0] ? " " : "", blocker->name, blocker->priority,
				blocker->handle),
			"give it another priority; see 'tc filter show dev %s %s'",
			iface->entry.name, where);
}

static int attach_error(const struct wire_iface *iface, bool out, int error, struct err *err)
{
	struct tc_blocker blocker;

	/* a priority is for one kind of filter and one protocol: any other is refused as invalid */
	if (iface->entry.attach_mode == SLUICE_WIRE_CLSACT &&
	    (error == EEXIST || error == EINVAL) &&
	    !tc_filter_blocker(iface->ifindex, out, &blocker))
		return blocked(iface, out, &blocker, error, err);
	return err_hint(err,
			err_set(err, error == EPERM ? EXIT_PERMISSION : EXIT_LACKING, error,
				"%s: attaching by %s failed: %s", iface->entry.name,
				wire_attach_mode_name(iface->entry.attach_mode), strerror(error)),
			"'sluice check' says what this kernel lacks");
}

/* Opens the link of one direction; the pin of a dead one goes. */
static int link_open(const char *bpffs, __u32 ifindex, bool out, struct hook_link *link)
{
	char name[PIN_SIZE], path[PATH_MAX];
	int fd = hook_link_open(bpffs, WIRE_OBJECT, link_pin(ifindex, out, name), ifindex, link);

	if (fd == -ENOENT)
		unlink(pins_path(bpffs, WIRE_OBJECT, name, path));
	return fd;
}

/* Gives one direction its program; *old_prog is the descriptor of the one before, or -1. */
static int link_set(const char *bpffs, const struct wire_iface *iface, bool out, int prog_fd,
		    int *old_prog)
{
	char name[PIN_SIZE], path[PATH_MAX];
	struct hook_link link;
	int fd = link_open(bpffs, iface->ifindex, out, &link), result = 0;

	if (fd >= 0) {
		*old_prog = bpf_prog_get_fd_by_id(link.prog_id);
		result = bpf_link_update(fd, prog_fd, NULL) ? -errno : 0;
		close(fd);
		return result;
	}
	fd = tc_link_create(iface->ifindex, out, prog_fd);
	if (fd < 0)
		return fd;
	link_pin(iface->ifindex, out, name);
	if (bpf_obj_pin(fd, pins_path(bpffs, WIRE_OBJECT, name, path)))
		result = -errno;
	close(fd);
	return result;
}

static int filter_set(const struct wire_iface *iface, bool out, int prog_fd, int *old_prog)
{
	__u32 id;

	if (!tc_filter_read(iface->ifindex, out, &id))
		*old_prog = bpf_prog_get_fd_by_id(id);
	return tc_filter_set(iface->ifindex, out, prog_fd);
}

static int hook_set(const char *bpffs, const struct wire_iface *iface, bool out, int prog_fd,
		    int *old_prog)
{
	if (iface->entry.attach_mode == SLUICE_WIRE_TCX)
		return link_set(bpffs, iface, out, prog_fd, old_prog);
	return filter_set(iface, out, prog_fd, old_prog);
}

void wire_iface_drop_link(const char *bpffs, __u32 ifindex, bool out)
{
	char name[PIN_SIZE], path[PATH_MAX];

	pins_drop(pins_path(bpffs, WIRE_OBJECT, link_pin(ifindex, out, name), path));
}

/* Was there a filter of ours, which is removed now? */
static bool hook_clear(const char *bpffs, const struct wire_iface *iface, bool out)
{
	if (iface->entry.attach_mode == SLUICE_WIRE_CLSACT)
		return !tc_filter_remove(iface->ifindex, out);
	wire_iface_drop_link(bpffs, iface->ifindex, out);
	return false;
}

/*
 * A number may belong to another interface by now, with a clsact that somebody else made: it is the
 * one in the book if a filter of ours was on it, or after a load that died early if it has the
 * name.
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

static int iface_table_write(int ifaces_fd, struct wire_iface *iface, struct err *err)
{
	if (bpf_map_update_elem(ifaces_fd, &iface->ifindex, &iface->entry, BPF_ANY))
		return err_set(err, EXIT_ERROR, errno, "%s: %s", iface->entry.name,
			       strerror(errno));
	return 0;
}

/*
 * Both directions.  What ingress rewrites must find egress at work, so that egress is attached
 * first; but it is replaced last, since a table of another size is filled by ingress.
 */
int wire_iface_attach(const char *bpffs, int ifaces_fd, struct wire_iface *iface,
		      const int prog_fd[2], int old_prog[2], struct err *err)
{
	struct sluice_wire_iface before;
	bool made = false, known = !bpf_map_lookup_elem(ifaces_fd, &iface->ifindex, &before);
	int i, result;

	if (iface->entry.attach_mode == SLUICE_WIRE_CLSACT) {
		result = tc_clsact_make(iface->ifindex, &made);
		if (result == -EBUSY)
			return err_hint(
				err,
				err_set(err, EXIT_CONFLICT, EBUSY,
					"%s: it has an 'ingress' qdisc, in the place of clsact",
					iface->entry.name),
				"replace that one by clsact, which does the same and more");
		if (result)
			return attach_error(iface, true, -result, err);
		iface->entry.clsact_made |= made;
	}
	result = iface_table_write(ifaces_fd, iface, err);
	for (i = 0; !result && i < 2; i++) {
		bool out = known ? i : !i;

		result = hook_set(bpffs, iface, out, prog_fd[out], &old_prog[out]);
		if (result)
			attach_error(iface, out, -result, err);
	}
	return result;
}

/* Ingress first, so that nothing is rewritten that egress would not put right. */
void wire_iface_detach(const char *bpffs, int ifaces_fd, const struct wire_iface *iface)
{
	bool had_filter = hook_clear(bpffs, iface, false);

	had_filter |= hook_clear(bpffs, iface, true);
	wire_iface_drop_clsact(iface, had_filter);
	if (ifaces_fd >= 0)
		bpf_map_delete_elem(ifaces_fd, &iface->ifindex);
}

/* After a failure: the programs of before, or none. */
void wire_iface_restore(const char *bpffs, int ifaces_fd, const struct wire_iface *iface,
			const struct wire_iface *before, const int old_prog[2])
{
	int out;

	if (!before) {
		wire_iface_detach(bpffs, ifaces_fd, iface);
		return;
	}
	for (out = 0; out < 2; out++) {
		int replaced = -1;

		if (old_prog[out] >= 0 && hook_set(bpffs, iface, out, old_prog[out], &replaced))
			log_warning("%s keeps its new program", iface->entry.name);
		if (replaced >= 0)
			close(replaced);
	}
	bpf_map_update_elem(ifaces_fd, &before->ifindex, &before->entry, BPF_ANY);
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
	return state_dir_map_open(&wire_state_dir, bpffs, "sluice_w_ifaces", sizeof(__u32),
				  sizeof(struct sluice_wire_iface), err);
}

int wire_iface_table_read(int ifaces_fd, struct wire_iface **list, int *count)
{
	struct wire_iface iface = { 0 };
	__u32 *last = NULL;
	int result = 0;

	while (!result && !bpf_map_get_next_key(ifaces_fd, last, &iface.ifindex)) {
		if (!bpf_map_lookup_elem(ifaces_fd, &iface.ifindex, &iface.entry))
			result = wire_iface_add(list, count, &iface);
		last = &iface.ifindex;
	}
	return result;
}

void wire_iface_inspect(const char *bpffs, struct wire_iface *iface)
{
	char name[PIN_SIZE];
	int out;

	for (out = 0; out < 2; out++) {
		struct hook_link link = { 0 };

		if (iface->entry.attach_mode == SLUICE_WIRE_CLSACT) {
			tc_filter_read(iface->ifindex, out, &iface->prog_id[out]);
		} else {
			int fd = hook_link_open(bpffs, WIRE_OBJECT,
						link_pin(iface->ifindex, out, name), iface->ifindex,
						&link);

			if (fd < 0)
				continue;
			iface->prog_id[out] = link.prog_id;
			close(fd);
		}
	}
	iface->gone = !iface->prog_id[0] || !iface->prog_id[1];
}
