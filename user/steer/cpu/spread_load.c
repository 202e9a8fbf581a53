// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The maps outlive the programs: a reload loads new programs that use the same maps, updates the
 * existing links, and adds the missing ones. A failure restores the previous programs.
 */
#include "bpf/steer/spread.skel.h"
#include "kernel/caps.h"
#include "kernel/meta.h"
#include "kernel/object.h"
#include "kernel/pins.h"
#include "kernel/pins_lock.h"
#include "kernel/unload.h"
#include "kernel/xdp.h"
#include "net/netdev.h"
#include "steer/cpu/spread.h"
#include "steer/cpu/spread_links.h"
#include "steer/group/groups.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const struct state_dir spread_state_dir = {
	.name = STEER_OBJECT,
	.meta = "sluice_x_meta",
	.meta_size = sizeof(struct sluice_spread_meta),
	.abi = SLUICE_SPREAD_ABI,
	.load = "sluice steer load",
	.lost = "counters start empty, and a flow may move to another CPU",
	.prefix = "sluice_x_",
};

static int attach(void *arg, struct err *err)
{
	struct spread_load *load = arg;
	struct bpf_map_info info = { 0 };
	int fd = bpf_map__fd(load->skel->maps.sluice_x_cpus), result;
	__u32 length = sizeof(info), i;

	for (i = 0; i < load->options->cpu_count; i++) {
		__u32 cpu = load->options->cpus[i], size = SLUICE_SPREAD_QUEUE, current = 0;

		if (!bpf_map_lookup_elem(fd, &cpu, &current) && current == size)
			continue;
		if (bpf_map_update_elem(fd, &cpu, &size, BPF_ANY))
			return err_set(err, EXIT_ERROR, errno, "queue for CPU %u: %s", cpu,
				       strerror(errno));
	}
	if (bpf_obj_get_info_by_fd(fd, &info, &length))
		return err_set(err, EXIT_ERROR, errno, "queues: %s", strerror(errno));
	result = spread_links_attach(load, err);
	if (!result)
		result = spread_links_pin(load, err);
	if (result)
		return result;
	load->after.map_id = info.id;
	load->after.link_count = load->count;
	for (i = 0; i < load->count; i++)
		load->after.links[i] = load->links[i].to;
	return 0;
}

/*
 * Attaches the counter of lost datagrams if the kernel has the tracepoint, which is not a stable
 * interface.
 */
static void lost_attach(const struct spread_load *load)
{
	char path[PATH_MAX];
	struct bpf_link *link;

	pins_path(load->options->bpffs, STEER_OBJECT, SPREAD_PIN_LOST, path);
	if (load->replaces)
		unload_pin(path);
	if (!access(path, F_OK))
		return;
	link = bpf_program__attach_raw_tracepoint(load->skel->progs.sluice_lost,
						  "xdp_cpumap_enqueue");
	if (link)
		bpf_obj_pin(bpf_link__fd(link), path);
	bpf_link__destroy(link);
}

static int finish(void *arg, struct err *err)
{
	struct spread_load *load = arg;
	int fd = bpf_map__fd(load->skel->maps.sluice_x_cpus), possible = libbpf_num_possible_cpus();
	__u32 cpu, next = 0;

	/* a command takes over from the daemon before it loads the groups */
	if (load->before.magic && !load->options->by_daemon)
		state_dir_set_owner(&spread_state_dir, load->options->bpffs, false,
				    &(struct err){ 0 });
	lost_attach(load);
	spread_links_trim(load);
	/* the old programs, which may use other queues, have now been replaced */
	for (cpu = 0; (int)cpu < possible; cpu++) {
		if (next < load->options->cpu_count && load->options->cpus[next] == cpu)
			next++;
		else
			bpf_map_delete_elem(fd, &cpu);
	}
	return 0;
}

static int load_locked(const struct spread_options *options, struct err *err)
{
	struct spread_load load = { .options = options };
	struct object object = {
		.state_dir = &spread_state_dir,
		.dir = options->bpffs,
		.what = "XDP program",
		.before = &load.before,
		.after = &load.after,
		.dry_run = options->dry_run,
		.is_part = true,
	};
	const struct object_steps steps = {
		.attach = attach, .undo = spread_links_undo, .finish = finish, .arg = &load
	};
	struct spread_bpf *skel;
	int result = object_inspect(&object, err);

	if (result)
		return result;
	load.replaces = object.replaces != 0;
	result = spread_links_resolve(&load, err);
	if (result)
		goto end;
	/* attach() adds the links to the record */
	load.after = (struct sluice_spread_meta){ .magic = SLUICE_MAGIC,
						  .abi = SLUICE_SPREAD_ABI,
						  .state = SLUICE_LOADED,
						  .cpu_count = options->cpu_count,
						  .seed = object_seed(load.before.seed) };
	memcpy(load.after.cpus, options->cpus, sizeof(load.after.cpus));
	skel = load.skel = spread_bpf__open_opts(object_open_opts(&object));
	if (skel) {
		skel->rodata->seed = load.after.seed;
		skel->rodata->any_port = options->ports->any;
		memcpy((void *)skel->rodata->ports, options->ports->bit,
		       sizeof(options->ports->bit));
		skel->rodata->cpu_count = options->cpu_count;
		memcpy((void *)skel->rodata->cpus, options->cpus, sizeof(options->cpus));
		bpf_map__set_max_entries(skel->maps.sluice_x_cpus,
					 (__u32)libbpf_num_possible_cpus());
	}
	result = object_verify(&object, skel ? skel->skeleton : NULL, err);
	load.keep_programs = options->keep_programs && !object.lost && !object.replaces;
	if (!result && !options->dry_run)
		result = object_commit(&object, &steps, err);
end:
	spread_links_close(&load);
	spread_bpf__destroy(load.skel);
	object_end(&object);
	return result;
}

int spread_load(const struct spread_options *options, struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON };
	bool follows = options->by_daemon || !options->ifcount;
	struct pins pins;
	int result = 0;

	if (follows) {
		result = options->dry_run ? 0 : pins_exist(options->bpffs, STEER_OBJECT, err);
		if (result <= 0)
			return result;
	}
	result = options->ifcount ? caps_require("steer load --xdp", caps, 3, err) : 0;
	if (!result)
		result = pins_lock(&pins, options->bpffs, !follows, err);
	if (result)
		return follows && result == -ENOENT ? 0 : result;
	/* a command may have taken over while the daemon waited for the lock */
	if (!options->by_daemon || state_dir_is_daemons(&spread_state_dir, options->bpffs))
		result = options->ifcount ? load_locked(options, err)
					  : unload_state(&spread_state_dir, options->bpffs, err);
	pins_unlock(&pins);
	return result;
}

/* --- checks by the daemon */

static bool links_are_due(const struct spread_options *options, __u32 resting,
			  const struct sluice_spread_meta *meta, const struct netdev *list,
			  size_t count, __u32 *detached)
{
	__u32 i, netns = (__u32)netdev_netns(), recorded = 0;
	bool due = false;

	for (i = 0; i < options->ifcount; i++) {
		const struct netdev *dev = netdev_named(list, count, options->ifname[i]);
		const struct sluice_spread_link *to =
			dev ? spread_link_recorded(meta, dev->ifindex, netns) : NULL;
		struct hook_link link;
		struct hook_prog prog;
		int fd;

		if (!dev)
			continue;
		if (!to) {
			due |= !(resting & 1U << i) && netdev_has_ethernet(dev) == 1 &&
			       xdp_prog(dev->ifindex, &prog) == -ENOENT;
			continue;
		}
		recorded++;
		fd = spread_link_open(options->bpffs, to, &link);
		if (fd < 0)
			*detached |= 1U << i;
		else
			close(fd);
	}
	/* due: an interface that was removed or renamed must be removed from the record */
	return due || *detached || recorded != meta->link_count;
}

bool spread_is_due(const struct spread_options *options, __u32 resting, __u32 *detached)
{
	struct err err = { 0 };
	struct sluice_spread_meta meta;
	struct netdev *list;
	size_t count;
	bool due;
	int result = meta_read(&spread_state_dir, options->bpffs, &meta, &err);

	*detached = 0;
	if (result) {
		due = result == -ENOENT || result == -EUCLEAN;
	} else {
		if (netdev_list(&list, &count, &err))
			return false;
		due = links_are_due(options, resting, &meta, list, count, detached);
		free(list);
	}
	/* check the owner last: a command that takes over clears the owner first */
	return due && state_dir_is_daemons(&spread_state_dir, options->bpffs);
}
