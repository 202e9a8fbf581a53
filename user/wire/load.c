// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A load plans the interfaces, verifies the programs for each kind of interface, fills the maps,
 * and only then changes what is attached; it replaces attached programs in place (kernel/object.h).
 * It lists an interface in sluice_w_ifaces before it attaches anything, so that the next load finds
 * what a killed loader has left.
 */
#include "kernel/pins_lock.h"
#include "wire/wire.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/progress.h"
#include "bpf/wire/wire.skel.h"
#include "kernel/load_outcome.h"
#include "kernel/meta.h"
#include "kernel/object.h"
#include "kernel/state_dir.h"
#include "kernel/tc.h"
#include "kernel/unload.h"
#include "net/netdev.h"
#include "wire/attach.h"
#include "wire/interfaces.h"
#include "wire/needs.h"
#include "wire/pins.h"
#include "wire/programs.h"
#include "wire/servers.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct load {
	const struct wire_options *options;
	struct sluice_wire_meta before; /* magic 0: nothing was loaded */
	struct sluice_wire_meta after;
	struct object object;
	struct wire_plan plan;
	struct wire_pair pairs[SLUICE_WIRE_ROLES];
	struct wire_bpf *first; /* the skeleton that owns the maps */
	struct wire_iface *old; /* attached before */
	int old_count;
	int done; /* interfaces of the plan for which wire_iface_attach() was called */
	struct wire_addrs servers_before;
};

static void servers_read(const struct load *load, struct wire_addrs *servers)
{
	int fd = bpf_map__fd(load->first->maps.sluice_w_server);
	struct sluice_addr addr, *last = NULL;

	servers->count = 0;
	for (; servers->count < WIRE_ADDRS_MAX && !bpf_map_get_next_key(fd, last, &addr);
	     last = &addr)
		servers->addr[servers->count++] = addr;
}

static bool has_addr(const struct wire_addrs *addrs, const struct sluice_addr *addr)
{
	int i;

	for (i = 0; i < addrs->count; i++)
		if (!memcmp(&addrs->addr[i], addr, sizeof(*addr)))
			return true;
	return false;
}

/* Removes the addresses in @from from the map, except the addresses in @except. */
static void servers_remove(const struct load *load, const struct wire_addrs *from,
			   const struct wire_addrs *except)
{
	int i;

	for (i = 0; i < from->count; i++)
		if (!has_addr(except, &from->addr[i]))
			bpf_map_delete_elem(bpf_map__fd(load->first->maps.sluice_w_server),
					    &from->addr[i]);
}

static int attach(void *arg, struct err *err)
{
	struct load *load = arg;
	const struct wire_options *options = load->options;
	int servers_fd = bpf_map__fd(load->first->maps.sluice_w_server);
	int ifaces_fd = bpf_map__fd(load->first->maps.sluice_w_ifaces);
	struct progress progress = progress_begin("wire: interfaces attached");
	__u32 roles, one = 1;
	int i, result = 0;

	/* a table of a new ABI version does not list the attached interfaces */
	for (i = 0; load->object.replaces && i < load->old_count; i++)
		if (bpf_map_update_elem(ifaces_fd, &load->old[i].ifindex, &load->old[i].entry,
					BPF_ANY))
			return err_set(err, EXIT_ERROR, errno, "interfaces: %s", strerror(errno));
	for (i = 0; i < options->servers.count; i++)
		if (bpf_map_update_elem(servers_fd, &options->servers.addr[i], &one, BPF_ANY))
			return err_set(err, EXIT_ERROR, errno, "servers: %s", strerror(errno));
	while (!result && load->done < load->plan.count) {
		struct wire_iface *iface = &load->plan.wanted[load->done++];

		result = wire_iface_attach(options->bpffs, ifaces_fd, iface,
					   load->pairs[iface->entry.roles].fd, err);
		progress_report(&progress, load->done, load->plan.count);
		if (!result)
			result = object_yield(&load->object, err);
	}
	/* wire_attach_iface() uses the pinned programs */
	for (roles = 0; !result && roles < SLUICE_WIRE_ROLES; roles++)
		if (load->pairs[roles].skel)
			result = wire_pair_pin(&load->pairs[roles], &load->object, err);
		else
			wire_pair_unpin(roles, options->bpffs);
	return result;
}

static void undo(void *arg)
{
	struct load *load = arg;

	while (load->done--)
		wire_iface_restore(load->options->bpffs,
				   bpf_map__fd(load->first->maps.sluice_w_ifaces),
				   &load->plan.wanted[load->done]);
	load->done = 0;
	servers_remove(load, &load->options->servers, &load->servers_before);
}

static int finish(void *arg, struct err *err)
{
	struct load *load = arg;
	int ifaces_fd = bpf_map__fd(load->first->maps.sluice_w_ifaces), i, result;

	for (i = 0; i < load->old_count; i++) {
		if (wire_iface_numbered(load->plan.wanted, load->plan.count, load->old[i].ifindex))
			continue;
		wire_iface_detach(load->options->bpffs, ifaces_fd, &load->old[i]);
		result = object_yield(&load->object, err);
		if (result)
			return result;
	}
	servers_remove(load, &load->servers_before, &load->options->servers);
	return 0;
}

/* Removes what a killed load has left. Only the path distinguishes it from a foreign directory. */
static int remains_clear(const char *bpffs, struct err *err)
{
	int result = wire_remove_filters(bpffs, err);

	if (result >= 0)
		result = unload_pins(bpffs, WIRE_OBJECT, err);
	return result < 0 ? result : 0;
}

/*
 * Reads what is loaded. Refuses to replace a load in another network namespace, unless the
 * namespace was deleted.
 */
static int inspect(struct load *load, struct err *err)
{
	const char *bpffs = load->options->bpffs;
	int i, result = object_inspect(&load->object, err);
	struct sluice_wire_meta present = load->before;

	if (load->object.replaces &&
	    !meta_head(&wire_state_dir, bpffs, &present, offsetof(struct sluice_wire_meta, sets)))
		return meta_refuse_abi(&wire_state_dir, bpffs, err);
	if (result || !present.magic)
		return result;
	if (present.netns != netdev_netns()) {
		if (load->options->dry_run || !wire_netns_is_gone(bpffs, &present))
			return wire_refuse_netns(bpffs, err);
		load->object.replaces = 0;
		memset(&load->before, 0, sizeof(load->before));
		load->object.outcome = LOAD_RECOVERED;
		return remains_clear(bpffs, err);
	}
	result = wire_iface_table_read(bpffs, &load->old, &load->old_count, err);
	for (i = 0; i < load->old_count; i++)
		wire_iface_inspect(bpffs, &load->old[i]);
	return result;
}

/* Warns if sluice is also attached from another pin directory. */
static void warn_if_doubled(const struct load *load, const struct wire_iface *wanted)
{
	const struct wire_iface *old = wire_iface_numbered(load->old, load->old_count,
							   wanted->ifindex);
	struct hook_prog progs[HOOK_PROGS_MAX];
	__u32 own = old ? old->prog_id[0] : 0;
	int i, count = tc_order(wanted->ifindex, false, progs);

	for (i = 0; i < count; i++)
		if ((!strcmp(progs[i].name, "sluice_wire_in") ||
		     !strcmp(progs[i].name, "sluice_ct_in")) &&
		    progs[i].id != own) {
			log_warning("%s: a sluice of another pin directory is attached, too: unload"
				    " one of the two, with its --bpffs",
				    wanted->entry.name);
			return;
		}
}

/* Returns true if the load would change nothing; valid only before the commit. */
static bool is_as_before(const struct load *load)
{
	const struct sluice_wire_meta *before = &load->before, *after = &load->after;
	const struct wire_addrs *servers = &load->options->servers;
	__u32 roles;
	int i;

	for (roles = 0; roles < SLUICE_WIRE_ROLES; roles++)
		if (load->pairs[roles].skel && !wire_pair_is_pinned(roles, load->options->bpffs))
			return false;
	if (!before->magic || load->object.lost || before->age_ns != after->age_ns ||
	    before->sets != after->sets || before->any_port != after->any_port ||
	    before->attach_mode != after->attach_mode ||
	    memcmp(before->ports, after->ports, sizeof(after->ports)) ||
	    load->old_count != load->plan.count)
		return false;
	for (i = 0; i < servers->count; i++)
		if (!has_addr(&load->servers_before, &servers->addr[i]))
			return false;
	for (i = 0; i < load->servers_before.count; i++)
		if (!has_addr(servers, &load->servers_before.addr[i]))
			return false;
	for (i = 0; i < load->plan.count; i++) {
		const struct wire_iface *wanted = &load->plan.wanted[i];
		const struct wire_iface *old = wire_iface_numbered(load->old, load->old_count,
								   wanted->ifindex);

		if (!old || old->gone || strncmp(wanted->entry.name, old->entry.name, IFNAMSIZ) ||
		    wanted->entry.roles != old->entry.roles ||
		    wanted->entry.master != old->entry.master)
			return false;
	}
	return true;
}

/* Joins names by commas; a list that does not fit ends with an ellipsis. */
static void names_join(const struct wire_iface *ifaces, int count, char *text, size_t size)
{
	size_t used = 0;
	int i;

	text[0] = '\0';
	for (i = 0; i < count; i++) {
		if (used + 2 * IFNAMSIZ > size) {
			snprintf(text + used, size - used, ",...");
			return;
		}
		used += (size_t)snprintf(text + used, size - used, "%s%.*s", i ? "," : "",
					 IFNAMSIZ - 1, ifaces[i].entry.name);
	}
}

static int load_locked(struct load *load, struct wire_result *result, struct err *err)
{
	const struct object_steps steps = { attach, undo, finish, load };
	const struct wire_options *options = load->options;
	struct sluice_wire_meta *meta = &load->after;
	struct wire_plan *plan = &load->plan;
	struct bpf_prog_info info;
	int i, failed = inspect(load, err);
	struct wire_kfuncs kfuncs;
	__u32 roles;

	if (!failed)
		failed = wire_plan_make(plan, options, err);
	if (failed)
		return failed;
	for (i = 0; i < plan->count; i++)
		warn_if_doubled(load, &plan->wanted[i]);
	*meta = (struct sluice_wire_meta){
		.magic = SLUICE_MAGIC,
		.abi = SLUICE_WIRE_ABI,
		.state = SLUICE_LOADED,
		.attach_mode = plan->attach_mode,
		.seed = object_seed(load->before.seed),
		.age_ns = options->age_s * 1000000000ULL,
		.loaded_ns = clock_now_ns(CLOCK_BOOTTIME),
		.netns = netdev_netns(),
		.sets = (options->table + SLUICE_FLOW_WAYS - 1) / SLUICE_FLOW_WAYS,
		.any_port = options->ports.any,
	};
	memcpy(meta->ports, options->ports.bit, sizeof(meta->ports));
	kfuncs = wire_kfuncs_probe();
	for (roles = 0; roles < SLUICE_WIRE_ROLES; roles++) {
		struct wire_pair *pair = &load->pairs[roles];

		if (!(plan->kinds & 1U << roles))
			continue;
		failed = wire_pair_load(pair, &load->object, meta, roles, &kfuncs, err);
		if (failed)
			return failed;
		if (!load->first)
			load->first = pair->skel;
		for (i = 0; i < 2; i++) {
			prog_info_by_fd(pair->fd[i], &info);
			if (info.verified_insns > result->verified_insns)
				result->verified_insns = info.verified_insns;
		}
	}
	result->outcome = options->dry_run ? LOAD_VERIFIED : load->object.outcome;
	servers_read(load, &load->servers_before);
	result->before = load->before;
	result->replaces = load->object.replaces;
	result->servers_before = load->servers_before;
	names_join(load->old, load->old_count, result->ifaces_before,
		   sizeof(result->ifaces_before));
	result->as_before = is_as_before(load);
	if (!options->dry_run)
		failed = object_commit(&load->object, &steps, err);
	for (i = 0; i < load->done; i++)
		wire_iface_keep(&plan->wanted[i]);
	if (failed)
		return failed;
	result->attach_mode = plan->attach_mode;
	result->ifaces = plan->wanted;
	result->count = plan->count;
	plan->wanted = NULL;
	return 0;
}

int wire_load(const struct wire_options *options, struct wire_result *result, struct err *err)
{
	struct load load = {
		.options = options,
		.plan = { .attach_mode = options->attach_mode, .absent_ok = options->absent_ok },
	};
	struct netdev *devs = NULL;
	struct pins pins = { .fd = -1 };
	__u32 roles;
	int failed;

	load.object = (struct object){
		.state_dir = &wire_state_dir,
		.dir = options->bpffs,
		.what = "wire programs",
		.before = &load.before,
		.after = &load.after,
		.dry_run = options->dry_run,
		.by_daemon = options->by_daemon,
		.pins = &pins,
		.clear = remains_clear,
	};
	*result = (struct wire_result){ .outcome = LOAD_LEFT };
	failed = wire_caps_require(err);
	if (!failed)
		failed = wire_servers_check(&options->servers, err);
	if (failed)
		return failed;
	if (!load.plan.attach_mode)
		load.plan.attach_mode = wire_attach_mode();
	/* reading the interfaces takes long and needs no lock */
	failed = netdev_list(&devs, &load.plan.dev_count, err);
	load.plan.devs = devs;
	if (!failed)
		failed = pins_lock(&pins, options->bpffs, !options->follows, err);
	if (failed == -ENOENT && options->follows)
		failed = 0;
	else if (!failed &&
		 (!options->follows || state_dir_is_daemons(&wire_state_dir, options->bpffs)))
		failed = load_locked(&load, result, err);
	pins_unlock(&pins);
	for (roles = 0; roles < SLUICE_WIRE_ROLES; roles++)
		if (load.pairs[roles].skel)
			wire_pair_put(&load.pairs[roles]);
	object_end(&load.object);
	free(load.plan.wanted);
	free(load.old);
	free(devs);
	return failed;
}
