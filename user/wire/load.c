// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Order of a load: find the interfaces, verify the programs for each kind of them, fill the maps,
 * and only then touch what is attached; programs that are attached are replaced in place
 * (kernel/object.h).  An interface stands in the book before anything is attached to it, so that
 * whatever is left by a loader that died is found again.
 */
#include "base/clock.h"
#include "wire/wire.h"

#include "base/log.h"
#include "bpf/wire/wire.skel.h"
#include "kernel/caps.h"
#include "kernel/netdev.h"
#include "kernel/object.h"
#include "kernel/pins.h"
#include "kernel/state_dir.h"
#include "kernel/tc.h"
#include "wire/attach.h"
#include "wire/pins.h"
#include "wire/plan.h"
#include "wire/programs.h"
#include "wire/routes_sync.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const int caps_needed[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON };

struct load {
	const struct wire_options *options;
	struct sluice_wire_meta before; /* magic 0: nothing was loaded */
	struct sluice_wire_meta after;
	struct object object;
	struct wire_plan plan;
	struct wire_pair pairs[SLUICE_WIRE_ROLES];
	struct wire_bpf *first; /* the skeleton that has the maps */
	struct wire_iface *old; /* what the book had */
	int old_count;
	int (*old_prog)[2]; /* of each interface wanted, for the way back */
	int done;	    /* interfaces of the plan that have been touched */
	struct wire_routes routes;
	size_t routes_left_out;
	struct wire_except except_before;
	struct wire_except except;
};

static void meta_fill(struct load *load)
{
	const struct wire_options *options = load->options;
	struct sluice_wire_meta *meta = &load->after;

	*meta = (struct sluice_wire_meta){
		.magic = SLUICE_MAGIC,
		.abi = SLUICE_WIRE_ABI,
		.state = SLUICE_LOADED,
		.attach_mode = load->plan.attach_mode,
		.seed = object_seed(load->before.seed),
		.age_ns = options->age_s * 1000000000ULL,
		.loaded_ns = clock_now_ns(CLOCK_REALTIME),
		.netns = netdev_netns(),
		.sets = (options->table + SLUICE_FLOW_WAYS - 1) / SLUICE_FLOW_WAYS,
		.any_port = options->ports.any,
	};
	memcpy(meta->ports, options->ports.bit, sizeof(meta->ports));
}

static int verify(struct load *load, struct err *err)
{
	int result = 0;
	__u32 roles;

	for (roles = 0; !result && roles < SLUICE_WIRE_ROLES; roles++) {
		if (!(load->plan.kinds & 1U << roles))
			continue;
		result = wire_pair_load(&load->pairs[roles], &load->object, &load->after, roles,
					err);
		if (!load->first)
			load->first = load->pairs[roles].skel;
	}
	return result;
}

static int servers_write(const struct load *load, struct err *err)
{
	int fd = bpf_map__fd(load->first->maps.sluice_w_server), i;
	__u32 one = 1;

	for (i = 0; i < load->options->servers; i++)
		if (bpf_map_update_elem(fd, &load->options->server[i], &one, BPF_ANY))
			return err_set(err, EXIT_ERROR, errno, "servers: %s", strerror(errno));
	return 0;
}

static bool server_wanted(const struct wire_options *options, const struct sluice_addr *addr)
{
	int i;

	for (i = 0; i < options->servers; i++)
		if (!memcmp(&options->server[i], addr, sizeof(*addr)))
			return true;
	return false;
}

/* Has the map those that are wanted, and no other? */
static bool servers_same(const struct load *load)
{
	int fd = bpf_map__fd(load->first->maps.sluice_w_server), i;
	struct sluice_addr addr, *last = NULL;
	__u32 one;

	for (; !bpf_map_get_next_key(fd, last, &addr); last = &addr)
		if (!server_wanted(load->options, &addr))
			return false;
	for (i = 0; i < load->options->servers; i++)
		if (bpf_map_lookup_elem(fd, &load->options->server[i], &one))
			return false;
	return true;
}

static void servers_sweep(const struct load *load)
{
	int fd = bpf_map__fd(load->first->maps.sluice_w_server), i, count = 0;
	struct sluice_addr addr, *last = NULL, unwanted[WIRE_SERVERS_MAX];

	while (count < WIRE_SERVERS_MAX && !bpf_map_get_next_key(fd, last, &addr)) {
		if (!server_wanted(load->options, &addr))
			unwanted[count++] = addr;
		last = &addr;
	}
	for (i = 0; i < count; i++)
		bpf_map_delete_elem(fd, &unwanted[i]);
}

static int attach_all(struct load *load, struct err *err)
{
	int ifaces_fd = bpf_map__fd(load->first->maps.sluice_w_ifaces), result = 0;

	while (!result && load->done < load->plan.count) {
		struct wire_iface *iface = &load->plan.wanted[load->done];
		const struct wire_iface *before = wire_iface_numbered(load->old, load->old_count,
								      iface->ifindex);

		/* an interface stays with what it is attached by */
		if (before) {
			iface->entry.attach_mode = before->entry.attach_mode;
			iface->entry.clsact_made = before->entry.clsact_made;
		}
		result = wire_iface_attach(load->options->bpffs, ifaces_fd, iface,
					   load->pairs[iface->entry.roles].fd,
					   load->old_prog[load->done], err);
		load->done++;
	}
	return result;
}

static void ifaces_restore(struct load *load)
{
	int ifaces_fd = bpf_map__fd(load->first->maps.sluice_w_ifaces);

	while (load->done--) {
		struct wire_iface *iface = &load->plan.wanted[load->done];

		wire_iface_restore(load->options->bpffs, ifaces_fd, iface,
				   wire_iface_numbered(load->old, load->old_count, iface->ifindex),
				   load->old_prog[load->done]);
	}
}

static void detach_unwanted(struct load *load)
{
	int ifaces_fd = bpf_map__fd(load->first->maps.sluice_w_ifaces), i;

	for (i = 0; i < load->old_count; i++)
		if (!wire_iface_numbered(load->plan.wanted, load->plan.count, load->old[i].ifindex))
			wire_iface_detach(load->options->bpffs, ifaces_fd, &load->old[i]);
}

/* Pinned so that wire_attach_iface() finds them; those of kinds that are not wanted go. */
static int pin_pairs(const struct load *load, struct err *err)
{
	int result = 0;
	__u32 roles;

	for (roles = 0; !result && roles < SLUICE_WIRE_ROLES; roles++) {
		if (load->pairs[roles].skel) {
			result = wire_pair_pin(&load->pairs[roles], &load->object, err);
			continue;
		}
		wire_pair_unpin(roles, load->options->bpffs);
	}
	return result;
}

static int routes_fill(struct load *load, const struct wire_except *except, struct err *err)
{
	return wire_routes_write(&load->routes, bpf_map__fd(load->first->maps.sluice_w_routes),
				 except, &load->routes_left_out, err);
}

static int attach(void *arg, struct err *err)
{
	struct load *load = arg;
	int result = routes_fill(load, &load->except, err);

	if (!result)
		result = servers_write(load, err);
	if (!result)
		result = attach_all(load, err);
	if (!result)
		result = wire_except_write(load->options->bpffs, &load->except, err);
	return result ? result : pin_pairs(load, err);
}

static void undo(void *arg)
{
	struct load *load = arg;
	struct err ignored;

	ifaces_restore(load);
	if (!load->before.magic)
		return;
	routes_fill(load, &load->except_before, &ignored);
	wire_except_write(load->options->bpffs, &load->except_before, &ignored);
}

static void finish(void *arg)
{
	detach_unwanted(arg);
	servers_sweep(arg);
}

/* Removes remains that cannot be told from a foreign folder but by their place. */
static int remains_clear(const char *bpffs, struct err *err)
{
	int result = wire_remove_filters(bpffs, err);

	if (result >= 0)
		result = pins_remove(bpffs, WIRE_OBJECT, err);
	return result < 0 ? result : 0;
}

/* Reads what is loaded, of which only a load in this network namespace can be changed. */
static int inspect(struct load *load, struct err *err)
{
	const char *bpffs = load->options->bpffs;
	int fd, result = object_inspect(&load->object, err);

	if (result || !load->before.magic)
		return result;
	if (load->before.netns != netdev_netns())
		return wire_refuse_netns(bpffs, err);
	wire_except_read(bpffs, &load->except_before);
	fd = wire_iface_table_open(bpffs, err);
	if (fd < 0)
		return fd;
	result = wire_iface_table_read(fd, &load->old, &load->old_count);
	close(fd);
	return result ? err_set(err, EXIT_ERROR, -result, "interfaces: %s", strerror(-result)) : 0;
}

/* Is another sluice on the interface, of another folder of pins? */
static bool has_twin(const struct load *load, const struct wire_iface *iface)
{
	struct hook_prog progs[HOOK_PROGS_MAX];
	struct wire_iface ours = *iface;
	const struct wire_iface *old = wire_iface_numbered(load->old, load->old_count,
							   iface->ifindex);
	int i, count = tc_order(iface->ifindex, false, progs);

	if (old) {
		ours.entry.attach_mode = old->entry.attach_mode;
		wire_iface_inspect(load->options->bpffs, &ours);
	}
	for (i = 0; i < count; i++)
		if (!strcmp(progs[i].name, "sluice_wire_in") && progs[i].id != ours.prog_id[0])
			return true;
	return false;
}

static void warn_of_twins(const struct load *load)
{
	int i;

	for (i = 0; i < load->plan.count; i++)
		if (has_twin(load, &load->plan.wanted[i]))
			log_warning("%s: a sluice of another folder of pins is on it, too: unload"
				    " one of the two, with its --bpffs",
				    load->plan.wanted[i].entry.name);
}

static bool iface_same(const struct wire_iface *iface, const struct wire_iface *old)
{
	return old && !strncmp(iface->entry.name, old->entry.name, sizeof(iface->entry.name)) &&
	       iface->entry.roles == old->entry.roles && iface->entry.master == old->entry.master;
}

/* To be asked before anything is changed. */
static bool is_as_before(const struct load *load)
{
	const struct sluice_wire_meta *before = &load->before, *after = &load->after;
	int i;

	if (!before->magic || before->age_ns != after->age_ns || before->sets != after->sets ||
	    before->any_port != after->any_port || before->attach_mode != after->attach_mode ||
	    memcmp(before->ports, after->ports, sizeof(after->ports)) ||
	    load->old_count != load->plan.count || !servers_same(load) ||
	    !wire_except_same(&load->except_before, &load->except))
		return false;
	for (i = 0; i < load->plan.count; i++)
		if (!iface_same(&load->plan.wanted[i],
				wire_iface_numbered(load->old, load->old_count,
						    load->plan.wanted[i].ifindex)))
			return false;
	return true;
}

static void report(struct load *load, struct wire_result *result)
{
	__u32 roles;
	int out;

	result->attach_mode = load->plan.attach_mode;
	result->verified_insns = 0;
	for (roles = 0; roles < SLUICE_WIRE_ROLES; roles++)
		for (out = 0; load->pairs[roles].skel && out < 2; out++) {
			struct bpf_prog_info info;

			prog_info_by_fd(load->pairs[roles].fd[out], &info);
			if (info.verified_insns > result->verified_insns)
				result->verified_insns = info.verified_insns;
		}
	result->routes_left_out = load->routes_left_out;
	result->ifaces = load->plan.wanted;
	result->count = load->plan.count;
	load->plan.wanted = NULL;
}

static int old_progs_make(struct load *load, struct err *err)
{
	int i;

	load->old_prog = calloc((size_t)load->plan.count + 1, sizeof(*load->old_prog));
	if (!load->old_prog)
		return err_set(err, EXIT_ERROR, ENOMEM, "interfaces: no memory");
	for (i = 0; i < load->plan.count; i++)
		load->old_prog[i][0] = load->old_prog[i][1] = -1;
	return 0;
}

static void old_progs_free(struct load *load)
{
	int i, out;

	for (i = 0; load->old_prog && i < load->plan.count; i++)
		for (out = 0; out < 2; out++)
			if (load->old_prog[i][out] >= 0)
				close(load->old_prog[i][out]);
	free(load->old_prog);
}

/* What takes long and needs no lock. */
static int prepare(struct load *load, struct netdev **devs, struct err *err)
{
	const struct wire_options *options = load->options;
	int failed = netdev_list(devs, &load->plan.dev_count, err);

	if (failed)
		return failed;
	load->plan.devs = *devs;
	load->plan.attach_mode = wire_plan_attach_mode(options->attach_mode);
	load->plan.absent_ok = options->absent_ok;
	load->except.count = options->excepts;
	memcpy(load->except.addr, options->except, sizeof(load->except.addr));
	return options->dry_run ? 0 : wire_routes_read(options->bpffs, &load->routes, err);
}

static void release(struct load *load)
{
	__u32 roles;

	old_progs_free(load);
	for (roles = 0; roles < SLUICE_WIRE_ROLES; roles++)
		if (load->pairs[roles].skel)
			wire_pair_put(&load->pairs[roles]);
	object_end(&load->object);
	wire_routes_free(&load->routes);
	free(load->plan.wanted);
	free(load->old);
}

static int load_locked(struct load *load, struct wire_result *result, struct err *err)
{
	const struct object_steps steps = { attach, undo, finish, load };
	int failed = inspect(load, err);

	if (failed)
		return failed;
	failed = wire_plan_make(&load->plan, load->options, err);
	if (failed)
		return failed;
	wire_plan_warn(&load->plan);
	warn_of_twins(load);
	meta_fill(load);
	failed = verify(load, err);
	if (failed)
		return failed;
	failed = old_progs_make(load, err);
	if (failed)
		return failed;
	result->outcome = load->options->dry_run ? LOAD_VERIFIED : load->object.outcome;
	result->sets_before = load->before.sets;
	result->as_before = is_as_before(load);
	if (!load->options->dry_run)
		failed = object_commit(&load->object, &steps, err);
	if (!failed)
		report(load, result);
	return failed;
}

int wire_load(const struct wire_options *options, struct wire_result *result, struct err *err)
{
	struct load load = { .options = options };
	struct netdev *devs = NULL;
	struct pins pins;
	int failed;

	load.object = (struct object){
		.state_dir = &wire_state_dir,
		.dir = options->bpffs,
		.what = "wire programs",
		.before = &load.before,
		.after = &load.after,
		.dry_run = options->dry_run,
		.by_daemon = options->by_daemon,
		.clear = remains_clear,
	};
	*result = (struct wire_result){ 0 };
	failed = caps_require("reply load", caps_needed, sizeof(caps_needed) / sizeof(*caps_needed),
			      err);
	if (failed)
		return failed;
	failed = prepare(&load, &devs, err);
	if (!failed)
		failed = pins_lock(&pins, options->bpffs, true, err);
	if (failed)
		goto out;
	failed = load_locked(&load, result, err);
	pins_unlock(&pins);
out:
	release(&load);
	free(devs);
	return failed;
}
