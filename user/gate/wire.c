// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Order of a load: find the interfaces, verify the programs for each kind of them, fill the maps,
 * and only then touch what is attached; programs that are attached are replaced in place.  The meta
 * map says SLUICE_LOADING in between.  An interface stands in the book before anything is attached
 * to it, so that whatever is left by a loader that died is found again.
 */
#include "wire.h"

#include "array.h"
#include "caps.h"
#include "feature.h"
#include "hooks.h"
#include "log.h"
#include "netdev.h"
#include "pins.h"
#include "plane.h"
#include "routes.h"
#include "tc.h"
#include "wire.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLANE		  "wire"
#define VERIFIER_LOG_SIZE (8 << 20)
#define PIN_SIZE	  32

static const struct plane plane = {
	.name = PLANE,
	.meta = "sluice_w_meta",
	.meta_size = sizeof(struct sluice_wire_meta),
	.abi = SLUICE_WIRE_ABI,
	.load = "sluice reply load --mode wire",
};

static const int caps_needed[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON };

const char *wire_via_name(__u32 via)
{
	return via == SLUICE_WIRE_TCX ? "tcx" : via == SLUICE_WIRE_CLSACT ? "clsact" : "?";
}

static __u64 netns_here(void)
{
	struct stat st = { 0 };

	stat("/proc/thread-self/ns/net", &st);
	return st.st_ino;
}

static const char *direction(bool out)
{
	return out ? "out" : "in";
}

static const char *link_pin(__u32 ifindex, bool out, char name[PIN_SIZE])
{
	snprintf(name, PIN_SIZE, "link_%u_%s", ifindex, direction(out));
	return name;
}

static const char *prog_pin(__u32 roles, bool out, char name[PIN_SIZE])
{
	snprintf(name, PIN_SIZE, "prog_%x_%s", roles, direction(out));
	return name;
}

/* --- the programs: one pair for each kind of interface */

struct pair {
	__u32 roles;
	struct wire_bpf *skel;
	int fd[2]; /* ingress, egress */
};

static void pairs_free(struct pair *pairs)
{
	__u32 roles;

	for (roles = 0; roles < SLUICE_WIRE_ROLES; roles++)
		wire_bpf__destroy(pairs[roles].skel);
}

static void pair_configure(struct wire_bpf *skel, const struct sluice_wire_meta *meta, __u32 roles)
{
	skel->rodata->role = roles;
	skel->rodata->seed = meta->seed;
	skel->rodata->age = sluice_flow_clock(meta->age_ns);
	skel->rodata->sets = meta->sets;
	skel->rodata->any_port = meta->any_port;
	memcpy((void *)skel->rodata->ports, meta->ports, sizeof(meta->ports));
	bpf_map__set_max_entries(skel->maps.sluice_w_flows, meta->sets);
}

/* The maps of the pair that was loaded first, else those that are pinned, but for `fresh_flows`. */
static int pair_share(struct wire_bpf *skel, const struct wire_bpf *first, const char *bpffs,
		      bool fresh_flows, struct err *err)
{
	struct bpf_map *map;

	bpf_object__for_each_map(map, skel->obj) {
		const char *name = bpf_map__name(map);
		int result = 0, fd;

		if (bpf_map__is_internal(map))
			continue;
		if (first) {
			fd = dup(bpf_map__fd(bpf_object__find_map_by_name(first->obj, name)));
		} else {
			if (!bpffs || (fresh_flows && map == skel->maps.sluice_w_flows))
				continue;
			fd = pins_get(bpffs, PLANE, name);
		}
		if (fd >= 0)
			result = bpf_map__reuse_fd(map, fd);
		if (fd >= 0)
			close(fd);
		if (result)
			return err_set(err, EXIT_ERROR, -result, "%s/" PLANE "/%s: %s", bpffs, name,
				       strerror(-result));
	}
	return 0;
}

/* Loads, and so verifies. */
static int pair_load(struct pair *pair, const struct sluice_wire_meta *meta, __u32 roles,
		     const struct wire_bpf *first, const char *bpffs, bool fresh_flows,
		     struct err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_size = VERIFIER_LOG_SIZE);
	char *log = calloc(1, VERIFIER_LOG_SIZE);
	int result;

	opts.kernel_log_buf = log;
	pair->skel = log ? wire_bpf__open_opts(&opts) : NULL;
	if (!pair->skel) {
		free(log);
		return err_set(err, EXIT_ERROR, ENOMEM, "wire programs: %s", strerror(errno));
	}
	pair->roles = roles;
	pair_configure(pair->skel, meta, roles);
	result = pair_share(pair->skel, first, bpffs, fresh_flows, err);
	if (!result) {
		result = wire_bpf__load(pair->skel);
		if (result)
			hooks_load_error("wire programs", -result, log, err);
	}
	pair->fd[0] = bpf_program__fd(pair->skel->progs.sluice_wire_in);
	pair->fd[1] = bpf_program__fd(pair->skel->progs.sluice_wire_out);
	free(log);
	return result;
}

static int pair_pin(const struct pair *pair, const char *bpffs, struct err *err)
{
	char name[PIN_SIZE], staged[PIN_SIZE + 8], from[PATH_MAX], to[PATH_MAX];
	int out;

	for (out = 0; out < 2; out++) {
		pins_path(bpffs, PLANE, prog_pin(pair->roles, out, name), to);
		snprintf(staged, sizeof(staged), "%s_new", name);
		pins_path(bpffs, PLANE, staged, from);
		unlink(from);
		if (bpf_obj_pin(pair->fd[out], from) || rename(from, to))
			return err_set(err, EXIT_ERROR, errno, "pin %s: %s", to, strerror(errno));
	}
	return 0;
}

/* --- one interface */

static int attach_error(const struct wire_iface *iface, bool out, int error, struct err *err)
{
	if (error == EEXIST)
		return err_mend(err,
				err_set(err, EXIT_CONFLICT, EEXIST,
					"%s: another tc filter has our place on %s",
					iface->book.name, out ? "egress" : "ingress"),
				"see 'tc filter show dev %s %s'", iface->book.name,
				out ? "egress" : "ingress");
	return err_mend(err,
			err_set(err, error == EPERM ? EXIT_PERMISSION : EXIT_LACKING, error,
				"%s: attaching by %s failed: %s", iface->book.name,
				wire_via_name(iface->book.via), strerror(error)),
			"'sluice check' says what this kernel lacks");
}

/* The pinned link of one direction, if it still holds on to the interface; -ENOENT else. */
static int link_open(const char *bpffs, __u32 ifindex, bool out, struct tc_link *link)
{
	char name[PIN_SIZE], path[PATH_MAX];
	int fd = pins_get(bpffs, PLANE, link_pin(ifindex, out, name));

	if (fd < 0)
		return fd;
	if (!tc_link_read(fd, link) && link->ifindex == ifindex)
		return fd;
	close(fd);
	unlink(pins_path(bpffs, PLANE, name, path));
	return -ENOENT;
}

/* Gives one direction its program; *old_prog is the descriptor of the one before, or -1. */
static int link_set(const char *bpffs, const struct wire_iface *iface, bool out, int prog_fd,
		    int *old_prog)
{
	char name[PIN_SIZE], path[PATH_MAX];
	struct tc_link link;
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
	if (bpf_obj_pin(fd, pins_path(bpffs, PLANE, name, path)))
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
	if (iface->book.via == SLUICE_WIRE_TCX)
		return link_set(bpffs, iface, out, prog_fd, old_prog);
	return filter_set(iface, out, prog_fd, old_prog);
}

static void hook_clear(const char *bpffs, const struct wire_iface *iface, bool out)
{
	char name[PIN_SIZE], path[PATH_MAX];

	if (iface->book.via == SLUICE_WIRE_TCX)
		pins_drop(pins_path(bpffs, PLANE, link_pin(iface->ifindex, out, name), path));
	else
		tc_filter_remove(iface->ifindex, out);
}

static int book_write(int ifaces_fd, struct wire_iface *iface, struct err *err)
{
	if (bpf_map_update_elem(ifaces_fd, &iface->ifindex, &iface->book, BPF_ANY))
		return err_set(err, EXIT_ERROR, errno, "%s: %s", iface->book.name, strerror(errno));
	return 0;
}

/* Both directions; what ingress rewrites must find egress at work, so egress comes first. */
static int iface_attach(const char *bpffs, int ifaces_fd, struct wire_iface *iface,
			const int prog_fd[2], int old_prog[2], struct err *err)
{
	bool made = false;
	int out, result;

	if (iface->book.via == SLUICE_WIRE_CLSACT) {
		result = tc_clsact_make(iface->ifindex, &made);
		if (result == -EBUSY)
			return err_mend(
				err,
				err_set(err, EXIT_CONFLICT, EBUSY,
					"%s: it has an 'ingress' qdisc, in the place of clsact",
					iface->book.name),
				"replace that one by clsact, which does the same and more");
		if (result)
			return attach_error(iface, true, -result, err);
		iface->book.clsact_made |= made;
	}
	result = book_write(ifaces_fd, iface, err);
	for (out = 1; !result && out >= 0; out--) {
		result = hook_set(bpffs, iface, out, prog_fd[out], &old_prog[out]);
		if (result)
			attach_error(iface, out, -result, err);
	}
	return result;
}

/* Ingress first, so that nothing is rewritten that egress would not put right. */
static void iface_detach(const char *bpffs, int ifaces_fd, const struct wire_iface *iface)
{
	hook_clear(bpffs, iface, false);
	hook_clear(bpffs, iface, true);
	if (iface->book.via == SLUICE_WIRE_CLSACT && iface->book.clsact_made)
		tc_clsact_remove_unused(iface->ifindex);
	if (ifaces_fd >= 0)
		bpf_map_delete_elem(ifaces_fd, &iface->ifindex);
}

/* After a failure: the programs of before, or none. */
static void iface_restore(const char *bpffs, int ifaces_fd, const struct wire_iface *iface,
			  const struct wire_iface *before, const int old_prog[2])
{
	int out;

	if (!before) {
		iface_detach(bpffs, ifaces_fd, iface);
		return;
	}
	for (out = 0; out < 2; out++) {
		int replaced = -1;

		if (old_prog[out] >= 0 && hook_set(bpffs, iface, out, old_prog[out], &replaced))
			log_warning("%s keeps its new program", iface->book.name);
		if (replaced >= 0)
			close(replaced);
	}
	bpf_map_update_elem(ifaces_fd, &before->ifindex, &before->book, BPF_ANY);
}

static int iface_add(struct wire_iface **list, int *count, const struct wire_iface *iface)
{
	struct wire_iface *grown = reallocarray(*list, (size_t)*count + 1, sizeof(**list));

	if (!grown)
		return -ENOMEM;
	grown[(*count)++] = *iface;
	*list = grown;
	return 0;
}

static struct wire_iface *iface_numbered(struct wire_iface *list, int count, __u32 ifindex)
{
	int i;

	for (i = 0; i < count; i++)
		if (list[i].ifindex == ifindex)
			return &list[i];
	return NULL;
}

static int book_read(int ifaces_fd, struct wire_iface **list, int *count)
{
	struct wire_iface iface = { 0 };
	__u32 *last = NULL;
	int result = 0;

	while (!result && !bpf_map_get_next_key(ifaces_fd, last, &iface.ifindex)) {
		if (!bpf_map_lookup_elem(ifaces_fd, &iface.ifindex, &iface.book))
			result = iface_add(list, count, &iface);
		last = &iface.ifindex;
	}
	return result;
}

/* --- which interfaces */

/* What the programs need to know of an interface beside what it is wanted for. */
static int roles_complete(const struct netdev *dev, const struct netdev *list, size_t count,
			  __u32 *roles, struct err *err)
{
	const struct netdev *master = netdev_numbered(list, count, dev->master);
	int ethernet = netdev_has_ethernet(dev);

	if (ethernet < 0)
		return err_set(err, EXIT_ERROR, EOPNOTSUPP,
			       "%s: packets on an interface of type %u are not understood",
			       dev->name, dev->type);
	if (ethernet)
		*roles |= SLUICE_WIRE_ETHERNET;
	if (master && master->bridge)
		*roles |= SLUICE_WIRE_PORT;
	return 0;
}

struct plan {
	const struct netdev *devs;
	size_t dev_count;
	enum sluice_wire_via via;
	struct wire_iface *wanted;
	int count;
	__u32 kinds; /* bit n: programs for roles n are needed */
	bool absent_ok;
};

static int plan_add(struct plan *plan, const struct netdev *dev, __u32 role, __u32 master,
		    struct err *err)
{
	struct wire_iface *there = iface_numbered(plan->wanted, plan->count, dev->ifindex);
	struct wire_iface iface = { .ifindex = dev->ifindex };
	int result = roles_complete(dev, plan->devs, plan->dev_count, &role, err);

	if (result)
		return result;
	if (there) {
		there->book.roles |= role;
		if (!there->book.master)
			there->book.master = master;
		return 0;
	}
	memcpy(iface.book.name, dev->name, sizeof(iface.book.name));
	iface.book.roles = role;
	iface.book.master = master;
	iface.book.via = plan->via;
	if (iface_add(&plan->wanted, &plan->count, &iface))
		return err_set(err, EXIT_ERROR, ENOMEM, "interfaces: no memory");
	return 0;
}

static const struct netdev *dev_named(const struct plan *plan, const char *name, struct err *err)
{
	const struct netdev *dev = netdev_named(plan->devs, plan->dev_count, name);

	if (!dev)
		err_mend(err, err_set(err, EXIT_ERROR, ENODEV, "no interface '%s'", name),
			 "'ip link' lists those of this network namespace; --netns enters another");
	return dev;
}

/* Programs for an interface to come, which will most likely have Ethernet headers. */
static int plan_absent(struct plan *plan, __u32 role)
{
	if (!plan->absent_ok)
		return -ENODEV;
	plan->kinds |= 1U << (role | SLUICE_WIRE_ETHERNET);
	return 0;
}

static int plan_names(struct plan *plan, const struct wire_names *names, __u32 role,
		      struct err *err)
{
	int i, result = 0;

	for (i = 0; !result && i < names->count; i++) {
		const struct netdev *dev = dev_named(plan, names->name[i], err);

		result = dev ? plan_add(plan, dev, role, 0, err) : plan_absent(plan, role);
	}
	return result;
}

static int plan_bridge(struct plan *plan, const struct netdev *bridge, struct err *err)
{
	int result = 0;
	size_t i;

	for (i = 0; !result && i < plan->dev_count; i++)
		if (plan->devs[i].master == bridge->ifindex)
			result = plan_add(plan, &plan->devs[i], SLUICE_WIRE_HOST, bridge->ifindex,
					  err);
	/* for the ports to come, too */
	plan->kinds |= 1U << (SLUICE_WIRE_HOST | SLUICE_WIRE_PORT | SLUICE_WIRE_ETHERNET);
	return result;
}

static int plan_follow(struct plan *plan, const struct wire_names *names, struct err *err)
{
	int i, result = 0;

	for (i = 0; !result && i < names->count; i++) {
		const struct netdev *dev = dev_named(plan, names->name[i], err);

		if (!dev) {
			result = plan_absent(plan, SLUICE_WIRE_HOST | SLUICE_WIRE_PORT);
			continue;
		}
		if (!dev->bridge)
			return err_mend(
				err, err_set(err, EXIT_ERROR, EINVAL, "%s is no bridge", dev->name),
				"give it with --iface instead of --follow");
		result = plan_bridge(plan, dev, err);
	}
	return result;
}

/* With bridge netfilter, conntrack has seen a packet before it comes to tc on the bridge itself. */
static void plan_warn(const struct plan *plan)
{
	int i;

	for (i = 0; i < plan->count; i++) {
		const struct netdev *dev = netdev_numbered(plan->devs, plan->dev_count,
							   plan->wanted[i].ifindex);

		if (dev && dev->bridge)
			log_warning("%s is a bridge: with bridge netfilter conntrack comes first;"
				    " take its ports with --follow %s",
				    dev->name, dev->name);
	}
}

static int plan_make(struct plan *plan, const struct wire_options *options, struct err *err)
{
	int i, result = plan_names(plan, &options->ifaces, SLUICE_WIRE_HOST, err);

	if (!result)
		result = plan_follow(plan, &options->follow, err);
	if (!result)
		result = plan_names(plan, &options->gateways, SLUICE_WIRE_GATEWAY, err);
	for (i = 0; i < plan->count; i++)
		plan->kinds |= 1U << plan->wanted[i].book.roles;
	return result;
}

static enum sluice_wire_via via_choose(enum sluice_wire_via wanted)
{
	if (wanted)
		return wanted;
	return feature_tcx() == FEATURE_YES ? SLUICE_WIRE_TCX : SLUICE_WIRE_CLSACT;
}

/* --- load */

struct load {
	const struct wire_options *options;
	struct sluice_wire_meta before; /* magic 0: nothing was loaded */
	struct sluice_wire_meta after;
	struct plan plan;
	struct pair pairs[SLUICE_WIRE_ROLES];
	struct wire_bpf *first; /* the skeleton that has the maps */
	struct wire_iface *old; /* what the book had */
	int old_count;
	int (*old_prog)[2]; /* of each interface wanted, for the way back */
	int done;	    /* interfaces of the plan that have been touched */
};

static void meta_fill(struct load *load)
{
	const struct wire_options *options = load->options;
	struct sluice_wire_meta *meta = &load->after;

	*meta = (struct sluice_wire_meta){
		.magic = SLUICE_MAGIC,
		.abi = SLUICE_WIRE_ABI,
		.state = SLUICE_LOADED,
		.via = load->plan.via,
		.seed = load->before.seed,
		.age_ns = options->age_s * 1000000000ULL,
		.loaded_ns = plane_now_ns(CLOCK_REALTIME),
		.netns = netns_here(),
		.sets = (options->table + SLUICE_FLOW_WAYS - 1) / SLUICE_FLOW_WAYS,
		.any_port = options->ports.any,
	};
	memcpy(meta->ports, options->ports.bit, sizeof(meta->ports));
	while (!meta->seed)
		if (getrandom(&meta->seed, sizeof(meta->seed), 0) < 0)
			meta->seed = plane_now_ns(CLOCK_MONOTONIC);
}

static bool table_changes(const struct load *load)
{
	return load->before.magic && load->before.sets != load->after.sets;
}

static int verify(struct load *load, struct err *err)
{
	const char *bpffs = load->before.magic ? load->options->bpffs : NULL;
	int result = 0;
	__u32 roles;

	for (roles = 0; !result && roles < SLUICE_WIRE_ROLES; roles++) {
		if (!(load->plan.kinds & 1U << roles))
			continue;
		result = pair_load(&load->pairs[roles], &load->after, roles, load->first, bpffs,
				   table_changes(load), err);
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

/* Heard while the table is being read is heard just now. */
static __u32 idle_since(__u32 seen, __u32 now)
{
	return (__s32)(now - seen) < 0 ? 0 : now - seen;
}

struct move {
	const struct load *load;
	__u32 now;
};

static bool same_flow(const struct sluice_wire_flow *a, const struct sluice_wire_flow *b)
{
	return a->zone == b->zone && a->client_port_be == b->client_port_be &&
	       a->server_port_be == b->server_port_be &&
	       !memcmp(&a->client, &b->client, sizeof(a->client));
}

/* The slot that the flow has or may take in its new set; -1 if there are newer ones only. */
static int slot_for(const struct sluice_wire_set *set, const struct sluice_wire_flow *flow,
		    __u32 idle, __u32 now)
{
	__u64 longest = idle;
	int way, slot = -1;

	for (way = 0; way < SLUICE_FLOW_WAYS; way++) {
		__u64 there = set->tag[way] ? idle_since(set->seen[way], now) : 1ULL << 32;

		if (set->tag[way] && same_flow(&set->flow[way], flow))
			return there > idle ? way : -1;
		if (there > longest) {
			longest = there;
			slot = way;
		}
	}
	return slot;
}

static int flow_move(const struct move *move, const struct sluice_wire_flow *flow, __u32 seen)
{
	int way, fd = bpf_map__fd(move->load->first->maps.sluice_w_flows);
	const struct sluice_wire_meta *meta = &move->load->after;
	struct sluice_wire_set set;
	__u64 hash = sluice_wire_hash(meta->seed, &flow->client, flow->client_port_be,
				      flow->server_port_be, flow->zone);
	__u32 index = sluice_flow_set_index(hash, meta->sets);

	if (bpf_map_lookup_elem_flags(fd, &index, &set, BPF_F_LOCK))
		return -errno;
	way = slot_for(&set, flow, idle_since(seen, move->now), move->now);
	if (way < 0)
		return 0;
	set.flow[way] = *flow;
	set.tag[way] = sluice_flow_tag(hash);
	set.seen[way] = seen;
	return bpf_map_update_elem(fd, &index, &set, BPF_EXIST | BPF_F_LOCK) ? -errno : 0;
}

static int set_move(const void *copy, void *arg)
{
	const struct sluice_wire_set *set = copy;
	int way, result = 0;

	for (way = 0; !result && way < SLUICE_FLOW_WAYS; way++)
		if (set->tag[way])
			result = flow_move(arg, &set->flow[way], set->seen[way]);
	return result;
}

/*
 * A table of another size takes over the flows of the old one, once before any program uses it and
 * once when all do.  A request that comes in in between may have its answer unmended, and is asked
 * again; tables change their size by hand, and seldom.
 */
static int table_fill(const struct load *load, int old_fd, struct err *err)
{
	struct move move = { load, sluice_flow_clock(plane_now_ns(CLOCK_MONOTONIC)) };
	int result = plane_sets_walk(old_fd, sizeof(struct sluice_wire_set), set_move, &move);

	if (result)
		return err_set(err, EXIT_ERROR, -result, "flow table: moving it: %s",
			       strerror(-result));
	return 0;
}

static int table_swap_pin(const struct load *load, struct err *err)
{
	const char *bpffs = load->options->bpffs;
	char fresh[PATH_MAX], path[PATH_MAX];

	pins_path(bpffs, PLANE, "sluice_w_flows_new", fresh);
	pins_path(bpffs, PLANE, "sluice_w_flows", path);
	unlink(fresh);
	if (bpf_obj_pin(bpf_map__fd(load->first->maps.sluice_w_flows), fresh) ||
	    rename(fresh, path))
		return err_set(err, EXIT_ERROR, errno, "pin %s: %s", path, strerror(errno));
	return 0;
}

static int attach_all(struct load *load, struct err *err)
{
	int ifaces_fd = bpf_map__fd(load->first->maps.sluice_w_ifaces), result = 0;

	while (!result && load->done < load->plan.count) {
		struct wire_iface *iface = &load->plan.wanted[load->done];
		const struct wire_iface *before = iface_numbered(load->old, load->old_count,
								 iface->ifindex);

		/* an interface stays with what it is attached by */
		if (before) {
			iface->book.via = before->book.via;
			iface->book.clsact_made = before->book.clsact_made;
		}
		result = iface_attach(load->options->bpffs, ifaces_fd, iface,
				      load->pairs[iface->book.roles].fd, load->old_prog[load->done],
				      err);
		load->done++;
	}
	return result;
}

static void attach_undo(struct load *load)
{
	int ifaces_fd = bpf_map__fd(load->first->maps.sluice_w_ifaces);

	while (load->done--) {
		struct wire_iface *iface = &load->plan.wanted[load->done];

		iface_restore(load->options->bpffs, ifaces_fd, iface,
			      iface_numbered(load->old, load->old_count, iface->ifindex),
			      load->old_prog[load->done]);
	}
}

static void detach_unwanted(struct load *load)
{
	int ifaces_fd = bpf_map__fd(load->first->maps.sluice_w_ifaces), i;

	for (i = 0; i < load->old_count; i++)
		if (!iface_numbered(load->plan.wanted, load->plan.count, load->old[i].ifindex))
			iface_detach(load->options->bpffs, ifaces_fd, &load->old[i]);
}

/* Pinned so that wire_attach_iface() finds them; those of kinds that are not wanted go. */
static int pin_pairs(const struct load *load, struct err *err)
{
	char name[PIN_SIZE], path[PATH_MAX];
	int out, result = 0;
	__u32 roles;

	for (roles = 0; !result && roles < SLUICE_WIRE_ROLES; roles++) {
		if (load->pairs[roles].skel) {
			result = pair_pin(&load->pairs[roles], load->options->bpffs, err);
			continue;
		}
		for (out = 0; out < 2; out++)
			unlink(pins_path(load->options->bpffs, PLANE, prog_pin(roles, out, name),
					 path));
	}
	return result;
}

static int meta_write(const struct load *load, const struct sluice_wire_meta *meta,
		      enum sluice_load_state state, struct err *err)
{
	return plane_meta_write(&plane, bpf_map__fd(load->first->maps.sluice_w_meta), meta, state,
				err);
}

static int commit(struct load *load, struct err *err)
{
	bool fresh = !load->before.magic;
	const char *bpffs = load->options->bpffs;
	int old_flows = table_changes(load) ? pins_get(bpffs, PLANE, "sluice_w_flows") : -1;
	int result = plane_pin_maps(&plane, bpffs, load->first->obj, err);

	if (!result)
		result = meta_write(load, fresh ? &load->after : &load->before, SLUICE_LOADING,
				    err);
	if (!result)
		result = routes_fill(bpf_map__fd(load->first->maps.sluice_w_routes), err);
	if (!result)
		result = servers_write(load, err);
	if (!result && old_flows >= 0)
		result = table_fill(load, old_flows, err);
	if (!result)
		result = attach_all(load, err);
	if (!result && old_flows >= 0)
		result = table_fill(load, old_flows, err);
	if (!result && old_flows >= 0)
		result = table_swap_pin(load, err);
	if (!result)
		result = pin_pairs(load, err);
	if (!result) {
		detach_unwanted(load);
		servers_sweep(load);
		result = meta_write(load, &load->after, SLUICE_LOADED, err);
	}
	if (result)
		attach_undo(load);
	if (result && fresh)
		pins_remove(bpffs, PLANE, &(struct err){ 0 });
	else if (result)
		meta_write(load, &load->before, load->before.state, &(struct err){ 0 });
	if (old_flows >= 0)
		close(old_flows);
	return result;
}

static int refuse_netns(const char *bpffs, struct err *err)
{
	return err_mend(err,
			err_set(err, EXIT_CONFLICT, EBUSY,
				"%s/" PLANE ": wire mode is loaded in another network namespace",
				bpffs),
			"enter that one with --netns, or give this one pins of its own with"
			" --bpffs");
}

/* Removes remains that cannot be told from a foreign folder but by their place. */
static int remains_clear(const char *bpffs, struct err *err)
{
	int result = wire_remove_filters(bpffs, err);

	if (result >= 0)
		result = pins_remove(bpffs, PLANE, err);
	return result < 0 ? result : 0;
}

/* What stands there: nothing, a load to update, or remains to clear. */
static int inspect(struct load *load, enum reply_outcome *outcome, struct err *err)
{
	const char *bpffs = load->options->bpffs;
	int fd, result = plane_meta_read(&plane, bpffs, &load->before, err);

	*outcome = REPLY_LOADED;
	if (result == -ENOENT || result == -EUCLEAN) {
		load->before = (struct sluice_wire_meta){ 0 };
		if (result == -ENOENT)
			return 0;
		*outcome = REPLY_RECOVERED;
		return load->options->dry_run ? 0 : remains_clear(bpffs, err);
	}
	if (result)
		return result;
	if (load->before.netns != netns_here())
		return refuse_netns(bpffs, err);
	*outcome = load->before.state == SLUICE_LOADED ? REPLY_UPDATED : REPLY_RECOVERED;
	fd = plane_map_open(&plane, bpffs, "sluice_w_ifaces", sizeof(__u32),
			    sizeof(struct sluice_wire_iface), err);
	if (fd < 0)
		return fd;
	result = book_read(fd, &load->old, &load->old_count);
	close(fd);
	return result ? err_set(err, EXIT_ERROR, -result, "interfaces: %s", strerror(-result)) : 0;
}

static void report(struct load *load, struct wire_result *result)
{
	__u32 roles, length = sizeof(struct bpf_prog_info);
	int out;

	result->via = load->plan.via;
	result->verified_insns = 0;
	for (roles = 0; roles < SLUICE_WIRE_ROLES; roles++)
		for (out = 0; load->pairs[roles].skel && out < 2; out++) {
			struct bpf_prog_info info = { 0 };

			bpf_obj_get_info_by_fd(load->pairs[roles].fd[out], &info, &length);
			if (info.verified_insns > result->verified_insns)
				result->verified_insns = info.verified_insns;
		}
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

static int load_locked(struct load *load, struct wire_result *result, struct err *err)
{
	int failed = inspect(load, &result->outcome, err);

	if (!failed)
		failed = plan_make(&load->plan, load->options, err);
	if (failed)
		return failed;
	plan_warn(&load->plan);
	meta_fill(load);
	failed = verify(load, err);
	if (!failed)
		failed = old_progs_make(load, err);
	if (!failed && load->options->dry_run)
		result->outcome = REPLY_VERIFIED;
	else if (!failed)
		failed = commit(load, err);
	return failed;
}

int wire_load(const struct wire_options *options, struct wire_result *result, struct err *err)
{
	struct load load = { .options = options };
	struct netdev *devs = NULL;
	struct pins pins;
	int failed;

	*result = (struct wire_result){ 0 };
	failed = caps_require("reply load", caps_needed, sizeof(caps_needed) / sizeof(*caps_needed),
			      err);
	if (!failed)
		failed = netdev_list(&devs, &load.plan.dev_count, err);
	if (!failed)
		failed = pins_lock(&pins, options->bpffs, true, err);
	if (failed) {
		free(devs);
		return failed;
	}
	load.plan.devs = devs;
	load.plan.via = via_choose(options->via);
	load.plan.absent_ok = options->absent_ok;
	failed = load_locked(&load, result, err);
	old_progs_free(&load);
	if (!failed)
		report(&load, result);
	pairs_free(load.pairs);
	free(load.plan.wanted);
	free(load.old);
	free(devs);
	pins_unlock(&pins);
	return failed;
}

/* --- interfaces that come and go */

struct session {
	struct pins pins;
	struct sluice_wire_meta meta;
	int ifaces_fd;
};

static int session_begin(struct session *session, const char *bpffs, struct err *err)
{
	int result = pins_lock(&session->pins, bpffs, false, err);

	if (result)
		return result;
	result = plane_meta_read(&plane, bpffs, &session->meta, err);
	if (result) {
		plane_not_loaded(&plane, bpffs, result, err);
	} else if (session->meta.netns != netns_here()) {
		result = refuse_netns(bpffs, err);
	} else {
		session->ifaces_fd = plane_map_open(&plane, bpffs, "sluice_w_ifaces", sizeof(__u32),
						    sizeof(struct sluice_wire_iface), err);
		if (session->ifaces_fd >= 0)
			return 0;
		result = session->ifaces_fd;
	}
	pins_unlock(&session->pins);
	return result;
}

static void session_end(struct session *session)
{
	close(session->ifaces_fd);
	pins_unlock(&session->pins);
}

/* The pair for that kind, pinned or loaded now. */
static int pair_get(struct session *session, const char *bpffs, struct pair *pair, __u32 roles,
		    struct err *err)
{
	char name[PIN_SIZE];
	int result;

	pair->roles = roles;
	pair->fd[0] = pins_get(bpffs, PLANE, prog_pin(roles, false, name));
	pair->fd[1] = pins_get(bpffs, PLANE, prog_pin(roles, true, name));
	if (pair->fd[0] >= 0 && pair->fd[1] >= 0)
		return 0;
	result = pair_load(pair, &session->meta, roles, NULL, bpffs, false, err);
	return result ? result : pair_pin(pair, bpffs, err);
}

static void pair_put(struct pair *pair)
{
	if (pair->skel) {
		wire_bpf__destroy(pair->skel);
		return;
	}
	if (pair->fd[0] >= 0)
		close(pair->fd[0]);
	if (pair->fd[1] >= 0)
		close(pair->fd[1]);
}

static int attach_one(struct session *session, const char *bpffs, struct wire_iface *iface,
		      struct err *err)
{
	int old_prog[2] = { -1, -1 }, result, out;
	struct pair pair = { .fd = { -1, -1 } };
	struct wire_iface before = *iface;
	bool known = !bpf_map_lookup_elem(session->ifaces_fd, &iface->ifindex, &before.book);

	if (known) {
		iface->book.via = before.book.via;
		iface->book.clsact_made = before.book.clsact_made;
	}
	result = pair_get(session, bpffs, &pair, iface->book.roles, err);
	if (!result) {
		result = iface_attach(bpffs, session->ifaces_fd, iface, pair.fd, old_prog, err);
		if (result)
			iface_restore(bpffs, session->ifaces_fd, iface, known ? &before : NULL,
				      old_prog);
	}
	for (out = 0; out < 2; out++)
		if (old_prog[out] >= 0)
			close(old_prog[out]);
	pair_put(&pair);
	return result;
}

int wire_attach_iface(const char *bpffs, const char *name, __u32 roles, __u32 master,
		      struct err *err)
{
	struct plan plan = { 0 };
	struct netdev *devs = NULL;
	const struct netdev *dev;
	struct session session;
	int result = netdev_list(&devs, &plan.dev_count, err);

	if (result)
		return result;
	plan.devs = devs;
	dev = dev_named(&plan, name, err);
	result = dev ? session_begin(&session, bpffs, err) : -ENODEV;
	if (!result) {
		plan.via = session.meta.via;
		result = plan_add(&plan, dev, roles, master, err);
		if (!result)
			result = attach_one(&session, bpffs, &plan.wanted[0], err);
		session_end(&session);
	}
	free(plan.wanted);
	free(devs);
	return result;
}

int wire_detach_iface(const char *bpffs, __u32 ifindex, struct err *err)
{
	struct wire_iface iface = { .ifindex = ifindex };
	struct session session;
	int result = session_begin(&session, bpffs, err);

	if (result)
		return result;
	if (!bpf_map_lookup_elem(session.ifaces_fd, &ifindex, &iface.book))
		iface_detach(bpffs, session.ifaces_fd, &iface);
	session_end(&session);
	return 0;
}

int wire_refresh_routes(const char *bpffs, struct err *err)
{
	struct session session;
	int fd, result = session_begin(&session, bpffs, err);

	if (result)
		return result;
	fd = plane_map_open(&plane, bpffs, "sluice_w_routes", sizeof(struct sluice_route_key),
			    sizeof(struct sluice_route), err);
	result = fd < 0 ? fd : routes_fill(fd, err);
	if (fd >= 0)
		close(fd);
	session_end(&session);
	return result;
}

/* --- unload */

/* What the book says, as far as it can be read: for what must work on remains, too. */
static void book_read_any(const char *bpffs, struct wire_iface **book, int *count)
{
	int fd = plane_map_open(&plane, bpffs, "sluice_w_ifaces", sizeof(__u32),
				sizeof(struct sluice_wire_iface), &(struct err){ 0 });

	if (fd < 0)
		return;
	book_read(fd, book, count);
	close(fd);
}

static bool has_filters(const struct wire_iface *book, int count)
{
	int i;

	for (i = 0; i < count; i++)
		if (book[i].book.via == SLUICE_WIRE_CLSACT)
			return true;
	return false;
}

static int iface_remove_filters(__u32 ifindex, bool clsact_made)
{
	int removed = !tc_filter_remove(ifindex, false);

	removed += !tc_filter_remove(ifindex, true);
	if (clsact_made)
		tc_clsact_remove_unused(ifindex);
	return removed;
}

int wire_remove_filters(const char *bpffs, struct err *err)
{
	struct sluice_wire_meta meta = { 0 };
	struct wire_iface *book = NULL;
	int known = 0, removed = 0, result;
	struct netdev *devs;
	size_t i, count;

	book_read_any(bpffs, &book, &known);
	/* links go with their pins from anywhere, filters only from within their namespace */
	if (!plane_meta_read(&plane, bpffs, &meta, &(struct err){ 0 }) &&
	    meta.netns != netns_here() && has_filters(book, known)) {
		free(book);
		return refuse_netns(bpffs, err);
	}
	result = netdev_list(&devs, &count, err);
	for (i = 0; !result && i < count; i++) {
		struct wire_iface *entry = iface_numbered(book, known, devs[i].ifindex);

		removed += iface_remove_filters(devs[i].ifindex, entry && entry->book.clsact_made);
	}
	free(book);
	if (result)
		return result;
	free(devs);
	return removed;
}

/* Ingress everywhere before egress anywhere, so that no answer is left without its address. */
static void detach_links(const char *bpffs)
{
	struct wire_iface *book = NULL;
	int i, out, count = 0;

	book_read_any(bpffs, &book, &count);
	for (out = 0; out < 2; out++)
		for (i = 0; i < count; i++)
			if (book[i].book.via == SLUICE_WIRE_TCX)
				hook_clear(bpffs, &book[i], out);
	free(book);
}

static int unload_locked(const char *bpffs, struct err *err)
{
	int filters = wire_remove_filters(bpffs, err), pins;

	if (filters >= 0)
		detach_links(bpffs);
	pins = filters < 0 ? filters : pins_remove(bpffs, PLANE, err);

	return pins < 0 ? pins : pins + filters;
}

int wire_unload(const char *bpffs, struct err *err)
{
	int result = pins_exist(bpffs, PLANE, err);
	struct pins pins;

	if (result <= 0)
		return result;
	result = pins_lock(&pins, bpffs, false, err);
	if (result)
		return result;
	result = unload_locked(bpffs, err);
	pins_unlock(&pins);
	return result;
}

/* --- what is loaded */

static void iface_look(const char *bpffs, struct wire_iface *iface)
{
	char name[PIN_SIZE];
	int out;

	for (out = 0; out < 2; out++) {
		struct tc_link link = { 0 };

		if (iface->book.via == SLUICE_WIRE_CLSACT) {
			tc_filter_read(iface->ifindex, out, &iface->prog_id[out]);
		} else {
			int fd = pins_get(bpffs, PLANE, link_pin(iface->ifindex, out, name));

			if (fd < 0)
				continue;
			if (!tc_link_read(fd, &link) && link.ifindex == iface->ifindex)
				iface->prog_id[out] = link.prog_id;
			close(fd);
		}
	}
	iface->gone = !iface->prog_id[0] || !iface->prog_id[1];
}

struct flow_visit {
	wire_flow_fn fn;
	void *arg;
	__u32 now;
};

static int set_visit(const void *copy, void *arg)
{
	const struct sluice_wire_set *set = copy;
	const struct flow_visit *visit = arg;
	int way;

	for (way = 0; way < SLUICE_FLOW_WAYS; way++)
		if (set->tag[way])
			visit->fn(&set->flow[way],
				  (__u64)idle_since(set->seen[way], visit->now)
					  << SLUICE_FLOW_CLOCK_SHIFT,
				  visit->arg);
	return 0;
}

int wire_flows(const char *bpffs, wire_flow_fn fn, void *arg, struct err *err)
{
	struct flow_visit visit = { fn, arg, sluice_flow_clock(plane_now_ns(CLOCK_MONOTONIC)) };
	int result, fd = plane_map_open(&plane, bpffs, "sluice_w_flows", sizeof(__u32),
					sizeof(struct sluice_wire_set), err);

	if (fd < 0)
		return fd;
	result = plane_sets_walk(fd, sizeof(struct sluice_wire_set), set_visit, &visit);
	close(fd);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "flow table: %s", strerror(-result));
	return 0;
}

static void fill_count(const struct sluice_wire_flow *flow, __u64 age_ns, void *arg)
{
	struct wire_state *state = arg;

	if (age_ns <= state->meta.age_ns)
		state->fill.live++;
	else
		state->fill.expired++;
}

static int ifaces_read(const char *bpffs, struct wire_state *state, struct err *err)
{
	int fd = plane_map_open(&plane, bpffs, "sluice_w_ifaces", sizeof(__u32),
				sizeof(struct sluice_wire_iface), err);
	int i, result;

	if (fd < 0)
		return fd;
	result = book_read(fd, &state->ifaces, &state->count);
	close(fd);
	for (i = 0; i < state->count; i++)
		iface_look(bpffs, &state->ifaces[i]);
	return result ? err_set(err, EXIT_ERROR, -result, "interfaces: %s", strerror(-result)) : 0;
}

int wire_read(const char *bpffs, struct wire_state *state, struct err *err)
{
	int result;

	*state = (struct wire_state){ 0 };
	result = plane_meta_read(&plane, bpffs, &state->meta, err);
	if (result)
		return plane_not_loaded(&plane, bpffs, result, err);
	state->elsewhere = state->meta.netns != netns_here();
	state->fill.size = state->meta.sets * SLUICE_FLOW_WAYS;
	result = plane_counters(&plane, bpffs, "sluice_w_counts", state->counters.value,
				SLUICE_WIRE_COUNTERS_MAX, err);
	if (!result)
		result = wire_flows(bpffs, fill_count, state, err);
	if (!result)
		result = ifaces_read(bpffs, state, err);
	if (result)
		wire_state_free(state);
	return result;
}

void wire_state_free(struct wire_state *state)
{
	free(state->ifaces);
	state->ifaces = NULL;
	state->count = 0;
}
