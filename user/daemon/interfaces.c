// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/interfaces.h"

#include "base/clock.h"
#include "base/log.h"
#include "cli/suggest.h"
#include "net/netdev.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <uthash.h>

#define WANTED (SLUICE_WIRE_HOST | SLUICE_WIRE_GATEWAY)

struct attached {
	__u32 ifindex;
	__u32 roles;  /* subset of WANTED */
	__u32 master; /* after a change, conntrack may run on the other side of the hook */
	char name[IFNAMSIZ];
	UT_hash_handle hh;
};

struct followed {
	__u32 ifindex;
	UT_hash_handle hh;
};

static void forget_all(struct interfaces *interfaces)
{
	struct attached *entry, *next;
	struct followed *bridge, *after;

	HASH_ITER(hh, interfaces->bridges, bridge, after) {
		HASH_DEL(interfaces->bridges, bridge);
		free(bridge);
	}
	HASH_ITER(hh, interfaces->attached, entry, next) {
		HASH_DEL(interfaces->attached, entry);
		free(entry);
	}
}

void interfaces_set_options(struct interfaces *interfaces, const struct wire_options *options)
{
	interfaces->options = options;
	*interfaces->absent = '\0';
	forget_all(interfaces);
}

bool interfaces_need_sync(struct interfaces *interfaces)
{
	bool needed = interfaces->needs_sync;

	interfaces->needs_sync = false;
	return needed && interfaces->options;
}

unsigned int interfaces_count(const struct interfaces *interfaces)
{
	return HASH_COUNT(interfaces->attached);
}

/* --- the table */

static struct attached *find(const struct interfaces *interfaces, __u32 ifindex)
{
	struct attached *entry;

	HASH_FIND(hh, interfaces->attached, &ifindex, sizeof(ifindex), entry);
	return entry;
}

static void remember(struct interfaces *interfaces, const struct rtnl_link *link, __u32 roles)
{
	struct attached *entry = find(interfaces, link->index);

	if (!entry) {
		entry = calloc(1, sizeof(*entry));
		if (!entry)
			return;
		entry->ifindex = link->index;
		HASH_ADD(hh, interfaces->attached, ifindex, sizeof(entry->ifindex), entry);
	}
	entry->roles = roles;
	entry->master = link->master;
	memcpy(entry->name, link->name, sizeof(entry->name));
}

/* --- attach and detach */

static bool is_named(const struct wire_names *names, const char *name)
{
	int i;

	for (i = 0; i < names->count; i++)
		if (!strcmp(names->name[i], name))
			return true;
	return false;
}

/* Returns true if the interface is a followed bridge. */
static bool is_followed(const struct interfaces *interfaces, __u32 ifindex)
{
	struct followed *bridge;

	HASH_FIND(hh, interfaces->bridges, &ifindex, sizeof(ifindex), bridge);
	return bridge;
}

/* Records whether the interface is a followed bridge. Returns true if it has just become one. */
static bool note_bridge(struct interfaces *interfaces, const struct rtnl_link *link, bool gone)
{
	bool wanted = !gone && link->bridge &&
		      wire_follows(&interfaces->options->follow, link->name);
	__u32 ifindex = link->index;
	struct followed *bridge;

	HASH_FIND(hh, interfaces->bridges, &ifindex, sizeof(ifindex), bridge);
	if (wanted == !!bridge)
		return false;
	if (!wanted) {
		HASH_DEL(interfaces->bridges, bridge);
		free(bridge);
		return true;
	}
	bridge = calloc(1, sizeof(*bridge));
	if (bridge) {
		bridge->ifindex = ifindex;
		HASH_ADD(hh, interfaces->bridges, ifindex, sizeof(bridge->ifindex), bridge);
	}
	return true;
}

/* Returns the followed bridge of a port, or 0. */
static __u32 bridge_of(const struct interfaces *interfaces, const struct rtnl_link *link)
{
	return link->master && is_followed(interfaces, link->master) ? link->master : 0;
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

/* Logs a failure. Ignores missing interfaces: a pending event reports their removal. */
static void failed(struct interfaces *interfaces, const char *message, const struct rtnl_link *link,
		   int result, const struct err *err)
{
	if (result == -ENODEV || result == -ENXIO)
		return;
	interfaces->needs_sync = true;
	log_iface(LOG_LEVEL_WARNING, message, link, err->what);
}

static void detach(struct interfaces *interfaces, const struct rtnl_link *link)
{
	struct attached *entry = find(interfaces, link->index);
	struct err err;
	int result;

	if (!entry)
		return;
	result = wire_detach_iface(interfaces->options->bpffs, link->index, &err);
	if (result) {
		failed(interfaces, "detach failed", link, result, &err);
		return;
	}
	HASH_DEL(interfaces->attached, entry);
	free(entry);
	log_iface(LOG_LEVEL_INFO, "detached", link, NULL);
}

/* Attaches to or detaches from an interface as the options require. */
static void update(struct interfaces *interfaces, const struct rtnl_link *link, __u64 event_us)
{
	const struct wire_options *options = interfaces->options;
	const struct attached *entry = find(interfaces, link->index);
	__u32 bridge = bridge_of(interfaces, link), roles = 0;
	struct log_line line;
	struct err err;
	int result;

	if (bridge || is_named(&options->ifaces, link->name))
		roles |= SLUICE_WIRE_HOST;
	if (is_named(&options->gateways, link->name))
		roles |= SLUICE_WIRE_GATEWAY;
	if (!roles) {
		detach(interfaces, link);
		return;
	}
	if (entry && entry->roles == roles && entry->master == link->master &&
	    !strcmp(entry->name, link->name))
		return;
	result = wire_attach_iface(options->bpffs, link->name, roles, bridge, &err);
	if (result) {
		failed(interfaces, "attach failed", link, result, &err);
		return;
	}
	remember(interfaces, link, roles);
	log_begin(&line, LOG_LEVEL_INFO, "attached");
	log_field(&line, "iface", "%s", link->name);
	log_field(&line, "ifindex", "%u", link->index);
	if (bridge)
		log_field(&line, "bridge", "%u", bridge);
	if (event_us)
		log_field(&line, "delay_us", "%llu", clock_now_us() - event_us);
	log_end(&line);
}

/* --- absent names */

/* Returns true if the configuration waits for an interface with this name. */
static bool is_absent(const struct interfaces *interfaces, const char *name)
{
	const char *found = strstr(interfaces->absent, name);
	size_t length = strlen(name);

	for (; found; found = strstr(found + 1, name))
		if ((found == interfaces->absent || found[-1] == ' ') &&
		    (!found[length] || found[length] == ','))
			return true;
	return false;
}

/* Returns true if an attached interface loses a name that the configuration contains. */
static bool loses_name(const struct interfaces *interfaces, const struct rtnl_link *link, bool gone)
{
	const struct wire_options *options = interfaces->options;
	const struct attached *entry = find(interfaces, link->index);

	return entry && (gone || strcmp(entry->name, link->name)) &&
	       (is_named(&options->ifaces, entry->name) ||
		is_named(&options->gateways, entry->name));
}

/* Appends the names and patterns that match no interface. With @bridges, matches only bridges. */
static void list_absent(const struct wire_names *names, bool bridges, const struct netdev *devs,
			size_t count, char absent[INTERFACES_ABSENT_MAX])
{
	int i;

	for (i = 0; i < names->count; i++) {
		size_t j, used = strlen(absent);

		for (j = 0; j < count; j++)
			if (bridges ? devs[j].bridge && !fnmatch(names->name[i], devs[j].name, 0)
				    : !strcmp(names->name[i], devs[j].name))
				break;
		if (j == count)
			snprintf(absent + used, INTERFACES_ABSENT_MAX - used, "%s%s",
				 used ? ", " : "", names->name[i]);
	}
}

/* Returns the interface name that a misspelt name probably stands for, or NULL. */
static const char *nearest(const char *absent, const struct netdev *devs, size_t count)
{
	const char **names = calloc(count + 1, sizeof(*names)), *found = NULL;
	size_t i;

	for (i = 0; names && i < count; i++)
		names[i] = devs[i].name;
	if (names && !strchr(absent, ','))
		found = suggest_nearest(absent, names, count);
	free(names);
	return found;
}

/* Logs the absent names when they change, since a name may be misspelt. */
static void report_absent(struct interfaces *interfaces, const struct netdev *devs, size_t count)
{
	const struct wire_options *options = interfaces->options;
	char absent[INTERFACES_ABSENT_MAX] = "";
	const char *similar;
	struct log_line line;

	list_absent(&options->ifaces, false, devs, count, absent);
	list_absent(&options->follow, true, devs, count, absent);
	list_absent(&options->gateways, false, devs, count, absent);
	if (!strcmp(absent, interfaces->absent))
		return;
	memcpy(interfaces->absent, absent, sizeof(absent));
	if (!*absent) {
		log_info("all configured interfaces exist");
		return;
	}
	similar = nearest(absent, devs, count);
	log_begin(&line, LOG_LEVEL_WARNING,
		  "waiting for configured interfaces or bridges that do not exist");
	log_field(&line, "names", "%s", absent);
	if (similar)
		log_field(&line, "did_you_mean", "%s", similar);
	log_end(&line);
}

void interfaces_link(struct interfaces *interfaces, const struct rtnl_link *link, bool gone,
		     __u64 event_us)
{
	if (!interfaces->options)
		return;
	/* A followed bridge that appears, disappears or is renamed requires a sync of its ports. */
	if (note_bridge(interfaces, link, gone) || is_absent(interfaces, link->name) ||
	    loses_name(interfaces, link, gone))
		interfaces->needs_sync = true;
	if (gone)
		detach(interfaces, link);
	else
		update(interfaces, link, event_us);
}

/* --- sync */

static struct rtnl_link link_of(const struct netdev *dev)
{
	struct rtnl_link link = { .index = dev->ifindex,
				  .master = dev->master,
				  .bridge = dev->bridge };

	memcpy(link.name, dev->name, sizeof(link.name));
	return link;
}

/* Copies the kernel's interface table. Detaches from deleted interfaces. */
static int read_table(struct interfaces *interfaces, const struct netdev *devs, size_t count,
		      struct err *err)
{
	struct wire_iface *ifaces;
	int i, known, result = wire_ifaces(interfaces->options->bpffs, &ifaces, &known, err);
	size_t j;

	if (result)
		goto out;
	forget_all(interfaces);
	for (j = 0; j < count; j++) {
		struct rtnl_link link = link_of(&devs[j]);

		note_bridge(interfaces, &link, false);
	}
	for (i = 0; i < known; i++) {
		const struct wire_iface *iface = &ifaces[i];
		const struct netdev *dev = netdev_numbered(devs, count, iface->ifindex);
		struct rtnl_link link = { .index = iface->ifindex };
		__u32 roles = iface->entry.roles & WANTED;

		if (dev)
			link = link_of(dev);
		else
			memcpy(link.name, iface->entry.name, sizeof(link.name));
		if (dev && iface->gone)
			log_iface(LOG_LEVEL_WARNING, "detached by another process", &link, NULL);
		/* No roles: update() attaches the interface again. */
		if (iface->gone || iface->entry.master != bridge_of(interfaces, &link) ||
		    strncmp(iface->entry.name, link.name, sizeof(iface->entry.name)))
			roles = 0;
		remember(interfaces, &link, roles);
		if (!dev)
			detach(interfaces, &link);
	}
out:
	free(ifaces);
	return result;
}

/* Polled, because link events do not report a detached tcx link or a removed tc filter. */
bool interfaces_detached(const struct interfaces *interfaces)
{
	struct wire_iface *ifaces;
	bool detached = false;
	int i, count;
	struct err err;

	if (!interfaces->options)
		return false;
	if (!wire_ifaces(interfaces->options->bpffs, &ifaces, &count, &err))
		for (i = 0; i < count; i++)
			detached |= ifaces[i].gone;
	free(ifaces);
	return detached;
}

int interfaces_sync(struct interfaces *interfaces, struct err *err)
{
	struct netdev *devs;
	size_t i, count;
	int result;

	if (!interfaces->options)
		return 0;
	result = netdev_list(&devs, &count, err);
	if (result)
		return result;
	report_absent(interfaces, devs, count);
	result = read_table(interfaces, devs, count, err);
	for (i = 0; !result && i < count; i++) {
		struct rtnl_link link = link_of(&devs[i]);

		update(interfaces, &link, 0);
	}
	free(devs);
	return result;
}
