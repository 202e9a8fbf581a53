// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/cpu/spread_links.h"

#include "base/log.h"
#include "bpf/steer/spread.skel.h"
#include "kernel/pins.h"
#include "kernel/unload.h"
#include "kernel/xdp.h"
#include "net/netdev.h"
#include "steer/group/groups.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *link_pin(const struct sluice_spread_link *link, char name[NAME_MAX])
{
	snprintf(name, NAME_MAX, SPREAD_PIN_LINK "%u_%u", link->netns, link->ifindex);
	return name;
}

static const char *link_path(const struct spread_load *load, const struct spread_link *at,
			     char path[PATH_MAX])
{
	char name[NAME_MAX];

	return pins_path(load->options->bpffs, STEER_OBJECT, link_pin(&at->to, name), path);
}

const struct sluice_spread_link *spread_link_recorded(const struct sluice_spread_meta *meta,
						      __u32 ifindex, __u32 netns)
{
	__u32 i;

	for (i = 0; i < meta->link_count && i < SLUICE_SPREAD_LINKS; i++)
		if (meta->links[i].ifindex == ifindex && meta->links[i].netns == netns)
			return &meta->links[i];
	return NULL;
}

int spread_link_open(const char *bpffs, const struct sluice_spread_link *to, struct hook_link *link)
{
	char name[NAME_MAX];
	int fd = pins_get(bpffs, STEER_OBJECT, link_pin(to, name), PINS_LINK);

	if (fd < 0 || (!hook_link_read(fd, link) && link->ifindex == to->ifindex))
		return fd;
	close(fd);
	return -ENOENT;
}

/* Finds the interface and its pinned link. Unpins a link that is detached or not in the record. */
static int link_resolve(struct spread_load *load, const struct netdev *list, size_t count,
			const char *name, struct spread_link *at, struct err *err)
{
	const struct sluice_spread_link *before;
	const struct netdev *dev;
	struct hook_link link;
	char path[PATH_MAX];
	int result = netdev_find_ethernet(list, count, name, &dev, err);

	if (result)
		return result;
	*at = (struct spread_link){ .to = { .ifindex = dev->ifindex,
					    .netns = (__u32)netdev_netns() },
				    .fd = -1,
				    .old_prog_fd = -1 };
	snprintf(at->to.name, sizeof(at->to.name), "%s", name);
	before = spread_link_recorded(&load->before, at->to.ifindex, at->to.netns);
	if (before || load->replaces)
		at->fd = spread_link_open(load->options->bpffs, &at->to, &link);
	if (at->fd < 0) {
		if (!load->options->dry_run)
			unload_pin(link_path(load, at, path));
		return xdp_require_free(at->to.name, at->to.ifindex, err);
	}
	at->to.mode = before			      ? before->mode
		      : xdp_is_native(at->to.ifindex) ? SLUICE_SPREAD_NATIVE
						      : SLUICE_SPREAD_GENERIC;
	if (before)
		memcpy(at->to.why, before->why, sizeof(at->to.why));
	at->old_prog_fd = bpf_prog_get_fd_by_id(link.prog_id);
	at->was_there = true;
	return 0;
}

/* Skips an interface if the options allow it. Returns false if the load must fail instead. */
static bool is_left_out(const struct spread_load *load, const char *name, bool asked,
			const struct err *err)
{
	if (!load->options->left_out)
		return false;
	load->options->left_out(name, asked, err, load->options->arg);
	return true;
}

int spread_links_resolve(struct spread_load *load, struct err *err)
{
	struct netdev *list;
	size_t count;
	int result = netdev_list(&list, &count, err);
	__u32 i;

	if (result)
		return result;
	for (i = 0; i < load->options->ifcount && !result; i++) {
		const char *name = load->options->ifname[i];

		result = link_resolve(load, list, count, name, &load->links[load->count], err);
		if (!result)
			load->count++;
		else if (is_left_out(load, name, false, err))
			result = 0;
	}
	free(list);
	return result;
}

static int prog_of(const struct spread_load *load, __u32 mode)
{
	return bpf_program__fd(mode == SLUICE_SPREAD_NATIVE ? load->skel->progs.sluice_spread
							    : load->skel->progs.sluice_spread_g);
}

static int link_attach(const struct spread_load *load, struct spread_link *at, struct err *err)
{
	int native = prog_of(load, SLUICE_SPREAD_NATIVE), error;

	if (at->fd >= 0) {
		if (!load->keep_programs &&
		    bpf_link_update(at->fd, prog_of(load, at->to.mode), NULL))
			return err_set(err, EXIT_ERROR, errno, "%s: cannot update the XDP link: %s",
				       at->to.name, strerror(errno));
		return 0;
	}
	at->to.mode = SLUICE_SPREAD_NATIVE;
	at->fd = xdp_link_create(at->to.ifindex, true, native);
	error = -at->fd;
	if (at->fd >= 0)
		return 0;
	if (error == EPERM || error == EBUSY || error == EEXIST)
		return xdp_attach_error(at->to.name, at->to.ifindex, error, err);
	xdp_refusal(at->to.ifindex, native, error, at->to.why, sizeof(at->to.why));
	if (!xdp_generic_reaches_cpus())
		return err_hint(err,
				err_set(err, EXIT_LACKING, EOPNOTSUPP,
					"%s: native XDP: %s; generic XDP cannot redirect to"
					" CPUs before Linux 5.15",
					at->to.name, at->to.why),
				"omit --xdp: Receive Packet Steering (rps_cpus) spreads flows too");
	at->to.mode = SLUICE_SPREAD_GENERIC;
	at->fd = xdp_link_create(at->to.ifindex, false, prog_of(load, SLUICE_SPREAD_GENERIC));
	return at->fd < 0 ? xdp_attach_error(at->to.name, at->to.ifindex, -at->fd, err) : 0;
}

int spread_links_attach(struct spread_load *load, struct err *err)
{
	__u32 i = 0;

	while (i < load->count) {
		struct spread_link *at = &load->links[i];
		int result = link_attach(load, at, err);

		if (!result) {
			i++;
			continue;
		}
		/* if an update fails, the whole load fails and restores the old program */
		if (at->was_there || !is_left_out(load, at->to.name, true, err))
			return result;
		load->count--;
		memmove(at, at + 1, (load->count - i) * sizeof(*at));
	}
	return 0;
}

void spread_links_undo(void *arg)
{
	const struct spread_load *load = arg;
	char path[PATH_MAX];
	__u32 i;

	for (i = 0; i < load->count; i++) {
		const struct spread_link *at = &load->links[i];

		if (!at->was_there)
			unload_pin(link_path(load, at, path));
		else if (!load->keep_programs &&
			 (at->old_prog_fd < 0 || bpf_link_update(at->fd, at->old_prog_fd, NULL)))
			log_warning("%s keeps its new program", at->to.name);
	}
}

void spread_links_close(struct spread_load *load)
{
	__u32 i;

	for (i = 0; i < load->count; i++) {
		if (load->links[i].fd >= 0)
			close(load->links[i].fd);
		if (load->links[i].old_prog_fd >= 0)
			close(load->links[i].old_prog_fd);
	}
}

int spread_links_pin(const struct spread_load *load, struct err *err)
{
	char path[PATH_MAX];
	__u32 i;

	/* links of the previous load are already pinned */
	for (i = 0; i < load->count; i++)
		if (bpf_obj_pin(load->links[i].fd, link_path(load, &load->links[i], path)) &&
		    errno != EEXIST)
			return err_set(err, EXIT_ERROR, errno, "pin %s: %s", path, strerror(errno));
	return 0;
}

void spread_links_trim(const struct spread_load *load)
{
	char path[PATH_MAX], name[NAME_MAX];
	DIR *folder = opendir(pins_path(load->options->bpffs, STEER_OBJECT, NULL, path));
	struct dirent *entry;
	__u32 i;

	if (!folder)
		return;
	while ((entry = readdir(folder))) {
		if (strncmp(entry->d_name, SPREAD_PIN_LINK, strlen(SPREAD_PIN_LINK)) != 0)
			continue;
		for (i = 0; i < load->count; i++)
			if (!strcmp(entry->d_name, link_pin(&load->links[i].to, name)))
				break;
		if (i == load->count)
			unload_pin(
				pins_path(load->options->bpffs, STEER_OBJECT, entry->d_name, path));
	}
	closedir(folder);
}

void spread_links_read(const char *bpffs, struct spread *xdp)
{
	char name[IFNAMSIZ];
	__u32 i;

	for (i = 0; i < xdp->meta.link_count && i < SLUICE_SPREAD_LINKS; i++) {
		const struct sluice_spread_link *to = &xdp->meta.links[i];
		struct hook_link link;
		int fd = spread_link_open(bpffs, to, &link);

		xdp->gone[i] = fd < 0;
		if (fd < 0)
			continue;
		xdp->prog_id[i] = link.prog_id;
		xdp->loses_vlan[i] = to->mode == SLUICE_SPREAD_NATIVE &&
				     to->netns == netdev_netns() &&
				     if_indextoname(to->ifindex, name) && netdev_strips_vlan(name);
		close(fd);
	}
}
