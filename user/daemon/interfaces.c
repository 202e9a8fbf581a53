// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/interfaces.h"

#include "base/clock.h"
#include "base/log.h"
#include "kernel/netdev.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define WANTED (SLUICE_WIRE_HOST | SLUICE_WIRE_GATEWAY)

struct attached {
	__u32 ifindex;
	__u32 roles;  /* within WANTED */
	__u32 master; /* whatever it is a port of: that may change its place in conntrack's way */
	char name[IFNAMSIZ];
	UT_hash_handle hh;
};

struct follow {
	const struct wire_options *options;  /* NULL: nothing is wanted */
	unsigned int bridge[WIRE_NAMES_MAX]; /* ifindex of options->follow.name[i], or 0 */
	struct attached *attached;
	bool wants_sync;
};

struct follow *follow_new(void)
{
	return calloc(1, sizeof(struct follow));
}

static void forget_all(struct follow *follow)
{
	struct attached *there, *next;

	HASH_ITER(hh, follow->attached, there, next) {
		HASH_DEL(follow->attached, there);
		free(there);
	}
}

void follow_free(struct follow *follow)
{
	if (!follow)
		return;
	forget_all(follow);
	free(follow);
}

void follow_options(struct follow *follow, const struct wire_options *options)
{
	follow->options = options;
	memset(follow->bridge, 0, sizeof(follow->bridge));
	forget_all(follow);
}

bool follow_wants_sync(struct follow *follow)
{
	bool wants = follow->wants_sync;

	follow->wants_sync = false;
	return wants && follow->options;
}

unsigned int follow_count(const struct follow *follow)
{
	return HASH_COUNT(follow->attached);
}

/* --- what is wanted of an interface */

static bool is_named(const struct wire_names *names, const char *name)
{
	int i;

	for (i = 0; i < names->count; i++)
		if (!strcmp(names->name[i], name))
			return true;
	return false;
}

/* The followed bridge that the interface is a port of, or 0. */
static __u32 bridge_of(const struct follow *follow, const struct rtnl_link *link)
{
	int i;

	for (i = 0; link->master && i < follow->options->follow.count; i++)
		if (follow->bridge[i] == link->master)
			return link->master;
	return 0;
}

static __u32 roles_of(const struct follow *follow, const struct rtnl_link *link)
{
	__u32 roles = 0;

	if (is_named(&follow->options->ifaces, link->name) || bridge_of(follow, link))
		roles |= SLUICE_WIRE_HOST;
	if (is_named(&follow->options->gateways, link->name))
		roles |= SLUICE_WIRE_GATEWAY;
	return roles;
}

/* A followed bridge that came, went or has another name: then its ports are to be looked at. */
static void learn_bridge(struct follow *follow, const struct rtnl_link *link, bool gone)
{
	int i;

	for (i = 0; i < follow->options->follow.count; i++) {
		bool named = !gone && !strcmp(follow->options->follow.name[i], link->name);

		if (named == (follow->bridge[i] == link->index))
			continue;
		if (!named && follow->bridge[i] != link->index)
			continue;
		follow->bridge[i] = named ? link->index : 0;
		follow->wants_sync = true;
	}
}

/* --- attach and detach */

static struct attached *find(const struct follow *follow, __u32 ifindex)
{
	struct attached *there;

	HASH_FIND(hh, follow->attached, &ifindex, sizeof(ifindex), there);
	return there;
}

static void remember(struct follow *follow, const struct rtnl_link *link, __u32 roles)
{
	struct attached *there = find(follow, link->index);

	if (!there) {
		there = calloc(1, sizeof(*there));
		if (!there)
			return;
		there->ifindex = link->index;
		HASH_ADD(hh, follow->attached, ifindex, sizeof(there->ifindex), there);
	}
	there->roles = roles;
	there->master = link->master;
	memcpy(there->name, link->name, sizeof(there->name));
}

static bool is_current(const struct follow *follow, const struct rtnl_link *link, __u32 roles)
{
	const struct attached *there = find(follow, link->index);

	return there && there->roles == roles && there->master == link->master &&
	       !strcmp(there->name, link->name);
}

static void log_iface(enum log_level level, const char *message, const struct rtnl_link *link,
		      const char *reason)
{
	struct log_line line;

	log_begin(&line, level, message);
	log_field(&line, "iface", "%s", link->name);
	log_field(&line, "ifindex", "%u", link->index);
	if (reason)
		log_field(&line, "reason", "%s", reason);
	log_end(&line);
}

/* An interface that has gone meanwhile is no failure: its end is among the events to come. */
static void failed(struct follow *follow, const char *what, const struct rtnl_link *link,
		   int result, const struct err *err)
{
	if (result == -ENODEV || result == -ENXIO)
		return;
	follow->wants_sync = true;
	log_iface(LOG_LEVEL_WARNING, what, link, err->what);
}

static void attach(struct follow *follow, const struct rtnl_link *link, __u32 roles, __u64 event_us)
{
	__u32 bridge = bridge_of(follow, link);
	struct log_line line;
	struct err err;
	int result = wire_attach_iface(follow->options->bpffs, link->name, roles, bridge, &err);

	if (result) {
		failed(follow, "not attached", link, result, &err);
		return;
	}
	remember(follow, link, roles);
	log_begin(&line, LOG_LEVEL_INFO, "attached");
	log_field(&line, "iface", "%s", link->name);
	log_field(&line, "ifindex", "%u", link->index);
	if (bridge)
		log_field(&line, "bridge", "%u", bridge);
	if (event_us)
		log_field(&line, "delay_us", "%llu", clock_now_us() - event_us);
	log_end(&line);
}

static void detach(struct follow *follow, const struct rtnl_link *link)
{
	struct attached *there = find(follow, link->index);
	struct err err;
	int result;

	if (!there)
		return;
	result = wire_detach_iface(follow->options->bpffs, link->index, &err);
	if (result) {
		failed(follow, "not detached", link, result, &err);
		return;
	}
	HASH_DEL(follow->attached, there);
	free(there);
	log_iface(LOG_LEVEL_INFO, "detached", link, NULL);
}

static void look_at(struct follow *follow, const struct rtnl_link *link, __u64 event_us)
{
	__u32 roles = roles_of(follow, link);

	if (!roles)
		detach(follow, link);
	else if (!is_current(follow, link, roles))
		attach(follow, link, roles, event_us);
}

void follow_link(struct follow *follow, const struct rtnl_link *link, __u64 event_us)
{
	if (!follow->options)
		return;
	learn_bridge(follow, link, false);
	look_at(follow, link, event_us);
}

void follow_gone(struct follow *follow, const struct rtnl_link *link)
{
	if (!follow->options)
		return;
	learn_bridge(follow, link, true);
	detach(follow, link);
}

/* --- all at once */

static struct rtnl_link link_of(const struct netdev *dev)
{
	struct rtnl_link link = { .index = dev->ifindex, .master = dev->master };

	memcpy(link.name, dev->name, sizeof(link.name));
	return link;
}

/* What is not as it should be has no roles here, and so is attached once more. */
static __u32 roles_in_force(const struct follow *follow, const struct wire_iface *iface,
			    const struct rtnl_link *link)
{
	if (iface->gone || iface->entry.master != bridge_of(follow, link) ||
	    strncmp(iface->entry.name, link->name, sizeof(iface->entry.name)))
		return 0;
	return iface->entry.roles & WANTED;
}

static void adopt_one(struct follow *follow, const struct wire_iface *iface,
		      const struct netdev *dev)
{
	struct rtnl_link link = { .index = iface->ifindex };

	if (dev)
		link = link_of(dev);
	else
		memcpy(link.name, iface->entry.name, sizeof(link.name));
	if (dev && iface->gone)
		log_iface(LOG_LEVEL_WARNING, "found detached, and not by this daemon", &link, NULL);
	remember(follow, &link, roles_in_force(follow, iface, &link));
	if (!dev)
		detach(follow, &link);
}

/* Takes over what the kernel has; those that are gone are detached. */
static int adopt(struct follow *follow, const struct netdev *devs, size_t count, struct err *err)
{
	struct wire_iface *ifaces;
	int i, known, result = wire_ifaces(follow->options->bpffs, &ifaces, &known, err);

	if (!result)
		forget_all(follow);
	for (i = 0; !result && i < known; i++)
		adopt_one(follow, &ifaces[i], netdev_numbered(devs, count, ifaces[i].ifindex));
	free(ifaces);
	return result;
}

/*
 * There are no news of links that somebody detaches, nor of those to filters that would tell ours:
 * they have to be looked for.
 */
bool follow_has_lost(const struct follow *follow)
{
	struct wire_iface *ifaces;
	bool lost = false;
	int i, count;
	struct err err;

	if (!follow->options)
		return false;
	if (!wire_ifaces(follow->options->bpffs, &ifaces, &count, &err))
		for (i = 0; i < count; i++)
			lost |= ifaces[i].gone;
	free(ifaces);
	return lost;
}

static void find_bridges(struct follow *follow, const struct netdev *devs, size_t count)
{
	int i;

	for (i = 0; i < follow->options->follow.count; i++) {
		const struct netdev *dev = netdev_named(devs, count,
							follow->options->follow.name[i]);

		follow->bridge[i] = dev ? dev->ifindex : 0;
	}
}

int follow_sync(struct follow *follow, struct err *err)
{
	struct netdev *devs;
	size_t i, count;
	int result;

	if (!follow->options)
		return 0;
	result = netdev_list(&devs, &count, err);
	if (result)
		return result;
	find_bridges(follow, devs, count);
	result = adopt(follow, devs, count, err);
	for (i = 0; !result && i < count; i++) {
		struct rtnl_link link = link_of(&devs[i]);

		look_at(follow, &link, 0);
	}
	free(devs);
	return result;
}
