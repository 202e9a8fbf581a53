// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The maps outlive the programs: loading again makes new programs on the same maps, puts them on
 * the links that are there, and makes what links are missing.  Whatever fails, the programs from
 * before go back on.
 */
#include "steer/cpu/spread.h"

#include "base/log.h"
#include "bpf/steer/spread.skel.h"
#include "kernel/caps.h"
#include "kernel/links.h"
#include "kernel/netdev.h"
#include "kernel/pins.h"
#include "kernel/state_dir.h"
#include "kernel/xdp.h"

#include <bpf/bpf.h>
#include <dirent.h>
#include <errno.h>
#include <sluice/reply.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLANE		  "steer"
#define PIN_LINK	  "sluice_x_link_"
#define PIN_LOST	  "sluice_x_lost"
#define PINS		  "sluice_x_"
#define VERIFIER_LOG_SIZE (4 << 20)

static const struct plane plane = {
	.name = PLANE,
	.meta = "sluice_x_meta",
	.meta_size = sizeof(struct sluice_spread_meta),
	.abi = SLUICE_SPREAD_ABI,
	.load = "sluice steer load",
};

const char *steer_xdp_mode_name(__u32 mode)
{
	return mode == SLUICE_SPREAD_NATIVE    ? "native"
	       : mode == SLUICE_SPREAD_GENERIC ? "generic"
					       : "?";
}

/* --- links */

struct place {
	struct sluice_spread_link to;
	int fd;		 /* of the link; -1: none yet */
	bool was_there;	 /* before this load */
	int old_prog_fd; /* what it had then; -1 without CAP_SYS_ADMIN, too */
};

struct load {
	const struct steer_xdp_options *options;
	struct spread_bpf *skel;
	struct place places[SLUICE_SPREAD_LINKS];
	__u32 count;
	struct sluice_spread_meta before; /* all 0 if nothing was loaded */
	__u64 seed;
	char *log;
};

static const char *link_pin(const struct sluice_spread_link *link, char name[NAME_MAX])
{
	snprintf(name, NAME_MAX, PIN_LINK "%u_%u", link->netns, link->ifindex);
	return name;
}

static int refuse_foreign(const struct place *place, struct err *err)
{
	struct hook_prog prog;
	int result = xdp_prog(place->to.ifindex, &prog);

	if (result == -ENOENT)
		return 0;
	if (result)
		return err_set(err, EXIT_ERROR, -result, "%s: its XDP program can't be seen: %s",
			       place->to.name, strerror(-result));
	return err_mend(err,
			err_set(err, EXIT_CONFLICT, EBUSY,
				"%s: has XDP program '%s' (id %u) already", place->to.name,
				prog.name, prog.id),
			"an interface takes one XDP program, and that of another owner is never"
			" replaced: let its owner detach it, or spread on another interface");
}

static const struct sluice_spread_link *link_recorded(const struct sluice_spread_meta *meta,
						      __u32 ifindex, __u32 netns)
{
	__u32 i;

	for (i = 0; i < meta->link_count && i < SLUICE_SPREAD_LINKS; i++)
		if (meta->links[i].ifindex == ifindex && meta->links[i].netns == netns)
			return &meta->links[i];
	return NULL;
}

/* The descriptor of its link; -ENOENT if that is not pinned, or not on the interface any more. */
static int link_open(const char *bpffs, const struct sluice_spread_link *to, struct hook_link *link)
{
	char name[NAME_MAX];
	int fd = pins_get(bpffs, PLANE, link_pin(to, name));

	if (fd < 0 || (!hook_link_read(fd, link) && link->ifindex == to->ifindex))
		return fd;
	close(fd);
	return -ENOENT;
}

/* A link of ours that is on the interface still; a dead one, or one without a record, goes. */
static void place_find(struct load *load, struct place *place)
{
	const struct sluice_spread_link *before = link_recorded(&load->before, place->to.ifindex,
								place->to.netns);
	char name[NAME_MAX], path[PATH_MAX];
	struct hook_link link;

	place->fd = before ? link_open(load->options->bpffs, &place->to, &link) : -1;
	if (place->fd >= 0) {
		place->to.mode = before->mode;
		memcpy(place->to.why, before->why, sizeof(place->to.why));
		place->old_prog_fd = bpf_prog_get_fd_by_id(link.prog_id);
		place->was_there = true;
	} else if (!load->options->dry_run) {
		pins_drop(pins_path(load->options->bpffs, PLANE, link_pin(&place->to, name), path));
	}
}

static int place_resolve(struct load *load, const struct netdev *list, size_t count,
			 const char *name, struct place *place, struct err *err)
{
	const struct netdev *dev = netdev_named(list, count, name);

	if (!dev)
		return err_set(err, EXIT_ERROR, ENODEV, "there is no interface '%s'", name);
	if (netdev_has_ethernet(dev) != 1)
		return err_set(err, EXIT_ERROR, EOPNOTSUPP,
			       "%s: its packets have no Ethernet header", name);
	*place = (struct place){ .to = { .ifindex = dev->ifindex, .netns = (__u32)netdev_netns() },
				 .fd = -1,
				 .old_prog_fd = -1 };
	snprintf(place->to.name, sizeof(place->to.name), "%s", name);
	place_find(load, place);
	return place->fd < 0 ? refuse_foreign(place, err) : 0;
}

/* Is its trouble not that of the whole load? */
static bool place_is_left_out(const struct load *load, const char *name, bool asked,
			      const struct err *err)
{
	if (!load->options->left_out)
		return false;
	load->options->left_out(name, asked, err, load->options->arg);
	return true;
}

static int places_resolve(struct load *load, struct err *err)
{
	struct netdev *list;
	size_t count;
	int result = netdev_list(&list, &count, err);
	__u32 i;

	if (result)
		return result;
	for (i = 0; i < load->options->ifcount && !result; i++) {
		const char *name = load->options->ifname[i];

		result = place_resolve(load, list, count, name, &load->places[load->count], err);
		if (!result)
			load->count++;
		else if (place_is_left_out(load, name, false, err))
			result = 0;
	}
	free(list);
	return result;
}

static int prog_of(const struct load *load, __u32 mode)
{
	return bpf_program__fd(mode == SLUICE_SPREAD_NATIVE ? load->skel->progs.sluice_spread
							    : load->skel->progs.sluice_spread_g);
}

/* A packet meets the program of one of the two only: the kernel refuses a second one below. */
static int refuse_below(const struct place *place, struct err *err)
{
	const struct netdev *dev, *above = NULL;
	struct hook_prog prog;
	struct netdev *list;
	size_t count;
	bool taken;

	if (netdev_list(&list, &count, &(struct err){ 0 }))
		return 0;
	dev = netdev_numbered(list, count, place->to.ifindex);
	if (dev && dev->master)
		above = netdev_numbered(list, count, dev->master);
	taken = above && !xdp_prog(above->ifindex, &prog);
	if (taken)
		err_mend(err,
			 err_set(err, EXIT_CONFLICT, EBUSY,
				 "%s: %s, which is above it, has XDP program '%s' (id %u)",
				 place->to.name, above->name, prog.name, prog.id),
			 "spread on that one or on its ports, not both");
	free(list);
	return taken ? -EBUSY : 0;
}

static int attach_error(const struct place *place, int error, struct err *err)
{
	/* somebody may have come since we looked */
	if ((error == EBUSY || error == EEXIST) &&
	    (refuse_foreign(place, err) || refuse_below(place, err)))
		return -EBUSY;
	return err_set(err,
		       error == EPERM			   ? EXIT_PERMISSION
		       : error == EBUSY || error == EEXIST ? EXIT_CONFLICT
							   : EXIT_LACKING,
		       error, "%s: attaching XDP failed: %s", place->to.name, strerror(error));
}

static int place_attach_generic(const struct load *load, struct place *place, struct err *err)
{
	if (!xdp_generic_reaches_cpus())
		return err_mend(err,
				err_set(err, EXIT_LACKING, EOPNOTSUPP,
					"%s: not natively: %s; and generic XDP can't redirect to"
					" CPUs before Linux 5.15",
					place->to.name, place->to.why),
				"leave --xdp out: Receive Packet Steering (rps_cpus) spreads, too");
	place->to.mode = SLUICE_SPREAD_GENERIC;
	place->fd = xdp_link_create(place->to.ifindex, false, prog_of(load, SLUICE_SPREAD_GENERIC));
	return place->fd < 0 ? attach_error(place, -place->fd, err) : 0;
}

static int place_attach(const struct load *load, struct place *place, struct err *err)
{
	int error;

	if (place->fd >= 0 && load->options->in_force)
		return 0;
	if (place->fd >= 0) {
		if (bpf_link_update(place->fd, prog_of(load, place->to.mode), NULL))
			return err_set(err, EXIT_ERROR, errno, "%s: update of the XDP link: %s",
				       place->to.name, strerror(errno));
		return 0;
	}
	place->to.mode = SLUICE_SPREAD_NATIVE;
	place->fd = xdp_link_create(place->to.ifindex, true, prog_of(load, SLUICE_SPREAD_NATIVE));
	error = -place->fd;
	if (place->fd >= 0)
		return 0;
	if (error == EPERM || error == EBUSY || error == EEXIST)
		return attach_error(place, error, err);
	xdp_refusal(place->to.ifindex, prog_of(load, SLUICE_SPREAD_NATIVE), error, place->to.why,
		    sizeof(place->to.why));
	return place_attach_generic(load, place, err);
}

static int places_attach(struct load *load, struct err *err)
{
	__u32 i = 0;

	while (i < load->count) {
		struct place *place = &load->places[i];
		int result = place_attach(load, place, err);

		if (!result) {
			i++;
			continue;
		}
		/* one that has our program has trouble with the new one: that is to be undone */
		if (place->was_there || !place_is_left_out(load, place->to.name, true, err))
			return result;
		load->count--;
		memmove(place, place + 1, (load->count - i) * sizeof(*place));
	}
	return 0;
}

static void places_undo(struct load *load)
{
	__u32 i;

	for (i = 0; i < load->count; i++) {
		const struct place *place = &load->places[i];

		if (place->was_there && !load->options->in_force &&
		    (place->old_prog_fd < 0 ||
		     bpf_link_update(place->fd, place->old_prog_fd, NULL)))
			log_warning("%s keeps its new program", place->to.name);
	}
}

/* A new link that is not pinned detaches. */
static void places_close(struct load *load)
{
	__u32 i;

	for (i = 0; i < load->count; i++) {
		if (load->places[i].fd >= 0)
			close(load->places[i].fd);
		if (load->places[i].old_prog_fd >= 0)
			close(load->places[i].old_prog_fd);
	}
}

/* --- pins */

static bool is_wanted(const struct load *load, const char *pin)
{
	char name[NAME_MAX];
	__u32 i;

	for (i = 0; i < load->count; i++)
		if (!strcmp(pin, link_pin(&load->places[i].to, name)))
			return true;
	return false;
}

/* Drops the links that are not wanted, or without `load` all that this file has pinned. */
static int pins_sweep(const char *bpffs, const struct load *load)
{
	const char *prefix = load ? PIN_LINK : PINS;
	char path[PATH_MAX], pin[PATH_MAX];
	DIR *folder = opendir(pins_path(bpffs, PLANE, NULL, path));
	struct dirent *entry;
	int links = 0;

	if (!folder)
		return 0;
	while ((entry = readdir(folder))) {
		if (strncmp(entry->d_name, prefix, strlen(prefix)) ||
		    (load && is_wanted(load, entry->d_name)))
			continue;
		pins_drop(pins_path(bpffs, PLANE, entry->d_name, pin));
		links += !strncmp(entry->d_name, PIN_LINK, strlen(PIN_LINK));
	}
	closedir(folder);
	return links;
}

static int places_pin(const struct load *load, struct err *err)
{
	char name[NAME_MAX], path[PATH_MAX];
	__u32 i;

	for (i = 0; i < load->count; i++) {
		const struct place *place = &load->places[i];

		pins_path(load->options->bpffs, PLANE, link_pin(&place->to, name), path);
		/* one that was there already is pinned */
		if (bpf_obj_pin(place->fd, path) && errno != EEXIST)
			return err_set(err, EXIT_ERROR, errno, "pin %s: %s", path, strerror(errno));
	}
	return 0;
}

/* Counting what is lost is not worth failing for: the tracepoint is no promise of the kernel's. */
static void lost_attach(const struct load *load)
{
	char path[PATH_MAX];
	struct bpf_link *link;

	if (!access(pins_path(load->options->bpffs, PLANE, PIN_LOST, path), F_OK))
		return;
	link = bpf_program__attach_raw_tracepoint(load->skel->progs.sluice_lost,
						  "xdp_cpumap_enqueue");
	if (link)
		bpf_obj_pin(bpf_link__fd(link), path);
	bpf_link__destroy(link);
}

/* --- load */

/* The maps that are pinned, each for the one of its name. */
static int maps_share(const struct load *load, struct err *err)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, load->skel->obj) {
		int result, fd;

		if (bpf_map__is_internal(map))
			continue;
		fd = pins_get(load->options->bpffs, PLANE, bpf_map__name(map));
		if (fd == -ENOENT)
			continue;
		result = fd < 0 ? fd : bpf_map__reuse_fd(map, fd);
		if (fd >= 0)
			close(fd);
		if (result)
			return err_set(err, EXIT_ERROR, -result, "pin %s: %s", bpf_map__name(map),
				       strerror(-result));
	}
	return 0;
}

static __u64 seed_draw(void)
{
	__u64 seed = 0;

	if (getrandom(&seed, sizeof(seed), 0) < 0)
		seed = plane_now_ns(CLOCK_MONOTONIC);
	return seed;
}

static int load_open(struct load *load, struct err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_size = VERIFIER_LOG_SIZE);
	const struct steer_xdp_options *options = load->options;
	struct spread_bpf *skel;
	int result;

	load->log = calloc(1, VERIFIER_LOG_SIZE);
	opts.kernel_log_buf = load->log;
	skel = load->skel = load->log ? spread_bpf__open_opts(&opts) : NULL;
	if (!skel)
		return err_set(err, EXIT_ERROR, ENOMEM, "XDP program: no memory");
	load->seed = load->before.seed ? load->before.seed : seed_draw();
	skel->rodata->seed = load->seed;
	skel->rodata->any_port = options->ports->any;
	memcpy((void *)skel->rodata->ports, options->ports->bit, sizeof(options->ports->bit));
	skel->rodata->cpu_count = options->cpu_count;
	memcpy((void *)skel->rodata->cpus, options->cpus, sizeof(options->cpus));
	bpf_map__set_max_entries(skel->maps.sluice_x_cpus, (__u32)libbpf_num_possible_cpus());
	result = options->dry_run ? 0 : maps_share(load, err);
	if (result)
		return result;
	result = spread_bpf__load(skel);
	return result ? hooks_load_error("XDP program", -result, load->log, err) : 0;
}

/* Queues of CPUs that are no longer wanted stay while the old programs may run. */
static int queues_make(const struct load *load, struct err *err)
{
	int fd = bpf_map__fd(load->skel->maps.sluice_x_cpus);
	__u32 i;

	for (i = 0; i < load->options->cpu_count; i++) {
		__u32 cpu = load->options->cpus[i], size = SLUICE_SPREAD_QUEUE, there = 0;

		if (!bpf_map_lookup_elem(fd, &cpu, &there) && there == size)
			continue;
		if (bpf_map_update_elem(fd, &cpu, &size, BPF_ANY))
			return err_set(err, EXIT_ERROR, errno, "queue for CPU %u: %s", cpu,
				       strerror(errno));
	}
	return 0;
}

static void queues_trim(const struct load *load)
{
	int fd = bpf_map__fd(load->skel->maps.sluice_x_cpus), possible = libbpf_num_possible_cpus();
	__u32 cpu, next = 0;

	for (cpu = 0; (int)cpu < possible; cpu++) {
		if (next < load->options->cpu_count && load->options->cpus[next] == cpu)
			next++;
		else
			bpf_map_delete_elem(fd, &cpu);
	}
}

static int meta_write(const struct load *load, __u32 state, struct err *err)
{
	struct sluice_spread_meta meta = { .magic = SLUICE_MAGIC,
					   .abi = SLUICE_SPREAD_ABI,
					   .cpu_count = load->options->cpu_count,
					   .link_count = load->count,
					   .seed = load->seed };
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info), i;

	if (bpf_obj_get_info_by_fd(bpf_map__fd(load->skel->maps.sluice_x_cpus), &info, &length))
		return err_set(err, EXIT_ERROR, errno, "queues: %s", strerror(errno));
	meta.map_id = info.id;
	memcpy(meta.cpus, load->options->cpus, sizeof(meta.cpus));
	for (i = 0; i < load->count; i++)
		meta.links[i] = load->places[i].to;
	return plane_meta_write(&plane, bpf_map__fd(load->skel->maps.sluice_x_meta), &meta, state,
				err);
}

static int load_attach(struct load *load, struct err *err)
{
	int result = plane_pin_maps(&plane, load->options->bpffs, load->skel->obj, err);

	if (!result)
		result = queues_make(load, err);
	if (!result)
		result = places_attach(load, err);
	if (!result)
		result = places_pin(load, err);
	if (!result)
		result = meta_write(load, SLUICE_LOADED, err);
	if (result) {
		places_undo(load);
		return result;
	}
	/* what the daemon had loaded is another's now, though the groups are yet to be loaded */
	if (load->before.magic && !load->options->by_daemon)
		plane_mark(&plane, load->options->bpffs, false, &(struct err){ 0 });
	lost_attach(load);
	pins_sweep(load->options->bpffs, load);
	queues_trim(load);
	return 0;
}

/* What was not there before goes again. */
static void load_undo(const struct load *load)
{
	char path[PATH_MAX], name[NAME_MAX];
	__u32 i;

	if (!load->before.magic)
		pins_sweep(load->options->bpffs, NULL);
	for (i = 0; i < load->count; i++)
		if (!load->places[i].was_there)
			pins_drop(pins_path(load->options->bpffs, PLANE,
					    link_pin(&load->places[i].to, name), path));
	rmdir(pins_path(load->options->bpffs, PLANE, NULL, path));
}

static int load_locked(const struct steer_xdp_options *options, struct err *err)
{
	struct load load = { .options = options };
	int result = plane_meta_read(&plane, options->bpffs, &load.before, err);

	if (result && result != -ENOENT && result != -EUCLEAN)
		return result;
	if (result) {
		load.before = (struct sluice_spread_meta){ 0 };
		/* remains of a loader that died, if any */
		if (!options->dry_run)
			pins_sweep(options->bpffs, NULL);
	}
	result = places_resolve(&load, err);
	if (!result)
		result = load_open(&load, err);
	if (!result && !options->dry_run) {
		result = load_attach(&load, err);
		if (result)
			load_undo(&load);
	}
	places_close(&load);
	spread_bpf__destroy(load.skel);
	free(load.log);
	return result;
}

static int unload_locked(const char *bpffs)
{
	char path[PATH_MAX];
	int links = pins_sweep(bpffs, NULL);

	/* fails, as it should, while groups are steered */
	rmdir(pins_path(bpffs, PLANE, NULL, path));
	return links;
}

/* What the daemon had loaded may have become another's while it waited for the lock. */
static bool is_to_be_done(const struct steer_xdp_options *options)
{
	return !options->by_daemon || plane_is_by_daemon(&plane, options->bpffs);
}

int steer_xdp_load(const struct steer_xdp_options *options, struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON };
	bool follows = options->by_daemon || !options->ifcount;
	struct pins pins;
	int result = 0;

	if (follows) {
		result = options->dry_run ? 0 : pins_exist(options->bpffs, PLANE, err);
		if (result <= 0)
			return result;
	}
	result = options->ifcount ? caps_require("steer load --xdp", caps, 3, err) : 0;
	if (!result)
		result = pins_lock(&pins, options->bpffs, !follows, err);
	if (result)
		return follows && result == -ENOENT ? 0 : result;
	if (is_to_be_done(options))
		result = options->ifcount ? load_locked(options, err)
					  : unload_locked(options->bpffs);
	pins_unlock(&pins);
	return result;
}

/* --- following */

static bool link_is_there(const char *bpffs, const struct sluice_spread_link *to)
{
	struct hook_link link;
	int fd = link_open(bpffs, to, &link);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static bool could_be_had(const struct netdev *dev)
{
	struct hook_prog prog;

	return netdev_has_ethernet(dev) == 1 && xdp_prog(dev->ifindex, &prog) == -ENOENT;
}

static bool links_are_due(const struct steer_xdp_options *options, __u32 resting,
			  const struct sluice_spread_meta *meta, const struct netdev *list,
			  size_t count, __u32 *detached)
{
	__u32 i, netns = (__u32)netdev_netns(), recorded = 0;
	bool due = false;

	for (i = 0; i < options->ifcount; i++) {
		const struct netdev *dev = netdev_named(list, count, options->ifname[i]);
		const struct sluice_spread_link *link =
			dev ? link_recorded(meta, dev->ifindex, netns) : NULL;

		recorded += !!link;
		if (link && !link_is_there(options->bpffs, link))
			*detached |= 1U << i;
		due |= !link && dev && !(resting & 1U << i) && could_be_had(dev);
	}
	/* of those on record that are no more, or have another name, the record is to be rid */
	return due || *detached || recorded != meta->link_count;
}

static bool is_due(const struct steer_xdp_options *options, __u32 resting, __u32 *detached)
{
	struct sluice_spread_meta meta;
	struct netdev *list;
	struct err err;
	size_t count;
	int result;
	bool due;

	result = plane_meta_read(&plane, options->bpffs, &meta, &err);
	if (result)
		return result == -ENOENT || result == -EUCLEAN;
	if (netdev_list(&list, &count, &err))
		return false;
	due = links_are_due(options, resting, &meta, list, count, detached);
	free(list);
	return due;
}

bool steer_xdp_is_due(const struct steer_xdp_options *options, __u32 resting, __u32 *detached)
{
	*detached = 0;
	/* asked last, as it is the first to go */
	return is_due(options, resting, detached) && plane_is_by_daemon(&plane, options->bpffs);
}

/* --- reading */

static bool loses_vlan(const struct sluice_spread_link *to)
{
	char name[IFNAMSIZ];

	return to->mode == SLUICE_SPREAD_NATIVE && to->netns == netdev_netns() &&
	       if_indextoname(to->ifindex, name) && netdev_takes_vlan(name);
}

static void links_read(const char *bpffs, struct steer_xdp *xdp)
{
	__u32 i;

	for (i = 0; i < xdp->meta.link_count && i < SLUICE_SPREAD_LINKS; i++) {
		const struct sluice_spread_link *to = &xdp->meta.links[i];
		struct hook_link link;
		int fd = link_open(bpffs, to, &link);

		xdp->gone[i] = fd < 0;
		if (fd < 0)
			continue;
		xdp->prog_id[i] = link.prog_id;
		xdp->loses_vlan[i] = loses_vlan(to);
		close(fd);
	}
}

static int sent_read(const char *bpffs, struct steer_xdp *xdp, struct err *err)
{
	int possible = libbpf_num_possible_cpus(), cpu, fd;
	__u64 *each = calloc((size_t)possible, sizeof(*each));
	__u32 i;

	fd = plane_map_open(&plane, bpffs, "sluice_x_sent", sizeof(__u32), sizeof(__u64), err);
	for (i = 0; fd >= 0 && each && i < xdp->meta.cpu_count && i < SLUICE_SPREAD_CPUS; i++) {
		__u32 key = xdp->meta.cpus[i];

		if (bpf_map_lookup_elem(fd, &key, each))
			continue;
		for (cpu = 0; cpu < possible && key < SLUICE_SPREAD_CPUS; cpu++)
			xdp->sent[key] += each[cpu];
	}
	if (fd >= 0)
		close(fd);
	free(each);
	return fd < 0 ? fd : 0;
}

int steer_xdp_read(const char *bpffs, struct steer_xdp *xdp, struct err *err)
{
	int result;

	memset(xdp, 0, sizeof(*xdp));
	result = plane_meta_read(&plane, bpffs, &xdp->meta, err);
	/* the folder is the plane's, which may be loaded without us */
	if (result == -ENOENT || result == -EUCLEAN)
		return err_mend(err,
				err_set(err, EXIT_ERROR, ENOENT,
					"flows of no interface are spread over CPUs"),
				"load it with 'sluice steer load --policy cpu --xdp IF --cpus"
				" LIST'");
	if (result)
		return result;
	links_read(bpffs, xdp);
	result = plane_counters(&plane, bpffs, "sluice_x_counts", xdp->counters.value,
				SLUICE_SPREAD_COUNTERS_MAX, err);
	return result ? result : sent_read(bpffs, xdp, err);
}
