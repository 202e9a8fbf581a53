// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/xdp.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "bpf/meet/meet.skel.h"
#include "kernel/caps.h"
#include "kernel/links.h"
#include "kernel/maps.h"
#include "kernel/meta.h"
#include "kernel/object.h"
#include "kernel/xdp.h"
#include "meet/rendezvous/endpoints.h"
#include "meet/rendezvous/rendezvous.h"
#include "net/netdev.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND_NS      1000000000ULL
#define BUDGET_BURST_S 2 /* burst, in seconds of the rate */

struct meet_xdp {
	struct meet_bpf *skel;
	const struct sluice_meet_counters *counters; /* by CPU */
	struct sluice_meet_peer *peers;		     /* by slot */
	unsigned int cpus;
	uint32_t slots;
	struct meet_xdp_iface iface[MEET_XDP_IFACES_MAX];
	int link_fd[MEET_XDP_IFACES_MAX];
	unsigned int count;
};

/* --- interfaces */

/* Returns the reason why native XDP cannot be used on this interface, or NULL. */
static const char *needs_generic(const struct netdev *list, size_t count, const struct netdev *dev)
{
	size_t i;

	/* a veth drops XDP_TX packets unless its peer has XDP or GRO */
	if (dev->veth)
		return "the other end of a veth may not take answers of native XDP";
	/* an answer would lose its VLAN tag; with generic XDP, the tag stays in the skb */
	for (i = 0; i < count; i++)
		if (list[i].vlan && list[i].lower == dev->ifindex && netdev_strips_vlan(dev->name))
			return "the driver removes VLAN tags before (ethtool: rxvlan)";
	return NULL;
}

/* Finds the interfaces, before anything is changed. */
static int resolve(struct meet_xdp *xdp, const struct meet_xdp_options *options, struct err *err)
{
	struct netdev *list;
	size_t count;
	unsigned int i;
	int result = netdev_list(&list, &count, err);

	if (result)
		return result;
	for (i = 0; i < options->ifcount && !result; i++) {
		struct meet_xdp_iface *iface = &xdp->iface[i];
		const struct netdev *dev;
		const char *generic;

		result = netdev_find_ethernet(list, count, options->ifname[i], &dev, err);
		if (result)
			break;
		generic = needs_generic(list, count, dev);
		*iface = (struct meet_xdp_iface){ .ifindex = dev->ifindex, .native = !generic };
		memcpy(iface->name, dev->name, sizeof(iface->name));
		if (generic)
			snprintf(iface->why, sizeof(iface->why), "%s", generic);
		result = xdp_require_free(iface->name, iface->ifindex, err);
	}
	free(list);
	return result;
}

static int attach(struct meet_xdp *xdp, struct meet_xdp_iface *iface, struct err *err)
{
	int native = bpf_program__fd(xdp->skel->progs.sluice_meet);
	int generic = bpf_program__fd(xdp->skel->progs.sluice_meet_g);
	int fd = -EOPNOTSUPP;

	if (iface->native)
		fd = xdp_link_create(iface->ifindex, true, native);
	if (fd == -EPERM || fd == -EBUSY || fd == -EEXIST)
		return xdp_attach_error(iface->name, iface->ifindex, -fd, err);
	if (fd < 0 && iface->native) {
		xdp_refusal(iface->ifindex, native, -fd, iface->why, sizeof(iface->why));
		iface->native = false;
	}
	if (fd < 0)
		fd = xdp_link_create(iface->ifindex, false, generic);
	if (fd < 0)
		return xdp_attach_error(iface->name, iface->ifindex, -fd, err);
	xdp->link_fd[xdp->count++] = fd;
	return 0;
}

/* --- load */

static int load(struct meet_xdp *xdp, const struct meet_xdp_options *options, struct err *err)
{
	struct sluice_meta nothing_loaded = { .magic = 0 };
	struct object object = { .what = "XDP program", .before = &nothing_loaded };
	struct meet_bpf *skel = meet_bpf__open_opts(object_open_opts(&object));
	int result, cpus = libbpf_num_possible_cpus();

	xdp->skel = skel;
	xdp->cpus = cpus > 0 ? (unsigned int)cpus : 1;
	xdp->slots = options->peers ? options->peers : 1;
	if (skel) {
		skel->rodata->seed = object_seed(0);
		skel->bss->budget_interval_ns = options->rate ? SECOND_NS / options->rate : 0;
		skel->bss->budget_burst_ns = BUDGET_BURST_S * SECOND_NS;
		bpf_map__set_max_entries(skel->maps.sluice_m_counters, xdp->cpus);
		bpf_map__set_max_entries(skel->maps.sluice_m_peers, xdp->slots);
	}
	result = object_verify(&object, skel ? skel->skeleton : NULL, err);
	object_end(&object);
	if (result)
		return result;
	xdp->counters = map_open_array(bpf_map__fd(skel->maps.sluice_m_counters), xdp->cpus,
				       sizeof(*xdp->counters), false);
	if (xdp->counters)
		xdp->peers = map_open_array(bpf_map__fd(skel->maps.sluice_m_peers), xdp->slots,
					    sizeof(*xdp->peers), true);
	return xdp->peers ? 0 : err_set(err, EXIT_ERROR, errno, "--xdp: mmap: %s", strerror(errno));
}

int meet_xdp_open(struct meet_xdp **out, const struct meet_xdp_options *options, struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON };
	struct meet_xdp *xdp;
	unsigned int i;
	int result = caps_require("--xdp", caps, sizeof(caps) / sizeof(*caps), err);

	if (result)
		return result;
	xdp = calloc(1, sizeof(*xdp));
	if (!xdp)
		return err_set(err, EXIT_ERROR, ENOMEM, "--xdp: %s", strerror(ENOMEM));
	result = resolve(xdp, options, err);
	if (!result)
		result = load(xdp, options, err);
	for (i = 0; !result && i < options->ifcount; i++)
		result = attach(xdp, &xdp->iface[i], err);
	if (result) {
		meet_xdp_close(xdp);
		return result;
	}
	*out = xdp;
	return 0;
}

void meet_xdp_close(struct meet_xdp *xdp)
{
	unsigned int i;

	if (!xdp)
		return;
	for (i = 0; i < xdp->count; i++)
		close(xdp->link_fd[i]);
	map_close_array(xdp->counters, xdp->cpus, sizeof(*xdp->counters));
	map_close_array(xdp->peers, xdp->slots, sizeof(*xdp->peers));
	meet_bpf__destroy(xdp->skel);
	free(xdp);
}

/* --- use */

int meet_xdp_listen(struct meet_xdp *xdp, const struct stun_endpoint *at, __u32 services,
		    struct err *err)
{
	struct sluice_meet_listen listen = { .port_be = at->port_be };
	char text[ADDR_TEXT_MAX];

	if (IN6_IS_ADDR_UNSPECIFIED(&at->addr) ||
	    (addr_is_ip4(&at->addr) && !at->addr.s6_addr32[3]))
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"--xdp: %s is the wildcard address",
					addr_format_port(&at->addr, at->port_be, text)),
				"give the addresses of this host to --listen: XDP also sees packets"
				" that are for others");
	memcpy(&listen.addr, &at->addr, sizeof(listen.addr));
	if (bpf_map__update_elem(xdp->skel->maps.sluice_m_listen, &listen, sizeof(listen),
				 &services, sizeof(services), BPF_ANY))
		return err_set(err, EXIT_ERROR, errno, "--xdp: %s: %s",
			       addr_format_port(&at->addr, at->port_be, text), strerror(errno));
	return 0;
}

void meet_xdp_renew(struct meet_xdp *xdp)
{
	xdp->skel->bss->lease_until_ns = clock_now_ns(CLOCK_MONOTONIC) +
					 MEET_XDP_LEASE_S * SECOND_NS;
}

void meet_xdp_put_peer(struct meet_xdp *xdp, __u32 slot, const struct sluice_meet_peer *peer)
{
	struct sluice_meet_peer *to;

	if (slot >= xdp->slots)
		return;
	to = &xdp->peers[slot];
	/* the program ignores registrations until their epoch is set */
	__atomic_store_n(&to->epoch, 0, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE);
	to->key = peer->key;
	to->addr = peer->addr;
	to->port_be = peer->port_be;
	to->seen_ns = 0;
	__atomic_store_n(&to->epoch, peer->epoch, __ATOMIC_RELEASE);
}

void meet_xdp_remove_peer(struct meet_xdp *xdp, __u32 slot)
{
	static const struct sluice_meet_peer none;

	meet_xdp_put_peer(xdp, slot, &none);
}

uint64_t meet_xdp_idle_ns(const struct meet_xdp *xdp, __u32 slot)
{
	__u64 seen = slot < xdp->slots
			     ? __atomic_load_n(&xdp->peers[slot].seen_ns, __ATOMIC_RELAXED)
			     : 0;

	return seen ? clock_since_ns(CLOCK_MONOTONIC, seen) : UINT64_MAX;
}

void meet_xdp_counters(const struct meet_xdp *xdp, __u64 sum[SLUICE_MEET_COUNTERS_MAX])
{
	unsigned int cpu;
	int i;

	memset(sum, 0, SLUICE_MEET_COUNTERS_MAX * sizeof(*sum));
	for (cpu = 0; cpu < xdp->cpus; cpu++)
		for (i = 0; i < SLUICE_MEET_COUNTERS_MAX; i++)
			sum[i] += xdp->counters[cpu].value[i];
}

int meet_xdp_program(const struct meet_xdp *xdp, unsigned int i, struct bpf_prog_info *info)
{
	const struct bpf_program *progs[MEET_XDP_PROGRAMS] = { xdp->skel->progs.sluice_meet,
							       xdp->skel->progs.sluice_meet_g };

	return prog_info_by_fd(bpf_program__fd(progs[i]), info);
}

const struct meet_xdp_iface *meet_xdp_ifaces(const struct meet_xdp *xdp, unsigned int *count)
{
	*count = xdp->count;
	return xdp->iface;
}

/* --- the server's registrations */

static void on_put(void *arg, const struct registration *registration)
{
	struct sluice_meet_peer peer = { .key = registration->refresh_key,
					 .port_be = registration->path.client.port_be,
					 .epoch = registration->epoch };

	memcpy(&peer.addr, &registration->path.client.addr, sizeof(peer.addr));
	meet_xdp_put_peer(arg, registration->slot, &peer);
}

static void on_remove(void *arg, const struct registration *registration)
{
	meet_xdp_remove_peer(arg, registration->slot);
}

static uint64_t on_idle_ns(void *arg, const struct registration *registration)
{
	return meet_xdp_idle_ns(arg, registration->slot);
}

static void on_renew(void *arg)
{
	meet_xdp_renew(arg);
}

int meet_xdp_start(struct meet_xdp **xdp, const struct rendezvous_options *options,
		   struct server_config *config, const struct endpoints *endpoints,
		   struct loop *loop, struct err *err)
{
	const struct meet_xdp_options program = { .ifname = options->ifname,
						  .ifcount = (unsigned int)options->ifcount,
						  .peers = options->peers_file ? options->max_peers
									       : 0,
						  .rate = options->rate };
	struct loop_timer *timer;
	unsigned int i;
	int result;

	if (!options->ifcount)
		return 0;
	result = meet_xdp_open(xdp, &program, err);
	for (i = 0; !result && i < endpoints->count; i++) {
		const struct endpoint *at = &endpoints->endpoint[i];
		__u32 services = SLUICE_MEET_REFRESH;

		if (!config->listener[at->listener].has_alternate)
			services |= SLUICE_MEET_BINDING;
		result = meet_xdp_listen(*xdp, &at->at, services, err);
	}
	if (result)
		return result;
	timer = loop_timer(loop, true, on_renew, *xdp);
	result = timer ? loop_timer_start(timer, MEET_XDP_RENEW_S * 1000000ULL) : -ENOMEM;
	config->fast_path = (struct server_fast_path){ on_put, on_remove, on_idle_ns, *xdp };
	return result ? err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result)) : 0;
}

void meet_xdp_log(const struct meet_xdp *xdp)
{
	unsigned int i, count = 0;
	const struct meet_xdp_iface *iface = xdp ? meet_xdp_ifaces(xdp, &count) : NULL;
	struct log_line line;

	for (i = 0; i < count; i++) {
		log_begin(&line, LOG_LEVEL_INFO, "XDP attached");
		log_field(&line, "interface", "%s", iface[i].name);
		log_field(&line, "mode", "%s", iface[i].native ? "native" : "generic");
		if (*iface[i].why)
			log_field(&line, "reason", "%s", iface[i].why);
		log_end(&line);
	}
}
