// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/interfaces.h"

#include "base/log.h"

#include <errno.h>
#include <fnmatch.h>
#include <string.h>

int wire_plan_add(struct wire_plan *plan, const struct netdev *dev, __u32 role, __u32 master,
		  struct err *err)
{
	const struct netdev *upper = netdev_numbered(plan->devs, plan->dev_count, dev->master);
	struct wire_iface *there = wire_iface_numbered(plan->wanted, plan->count, dev->ifindex);
	struct wire_iface iface = { .ifindex = dev->ifindex };
	int ethernet = netdev_has_ethernet(dev);

	if (ethernet < 0)
		return err_set(err, EXIT_ERROR, EOPNOTSUPP,
			       "%s: unknown packet format (interface type %u)", dev->name,
			       dev->type);
	if (ethernet)
		role |= SLUICE_WIRE_ETHERNET;
	if (upper && upper->bridge)
		role |= SLUICE_WIRE_PORT;
	if (there) {
		there->entry.roles |= role;
		if (!there->entry.master)
			there->entry.master = master;
		return 0;
	}
	memcpy(iface.entry.name, dev->name, sizeof(iface.entry.name));
	iface.entry.roles = role;
	iface.entry.master = master;
	iface.entry.attach_mode = plan->attach_mode;
	if (wire_iface_add(&plan->wanted, &plan->count, &iface))
		return err_set(err, EXIT_ERROR, ENOMEM, "interfaces: out of memory");
	return 0;
}

const struct netdev *wire_plan_named(const struct wire_plan *plan, const char *name,
				     struct err *err)
{
	const struct netdev *dev = netdev_named(plan->devs, plan->dev_count, name);

	if (!dev)
		err_hint(err, err_set(err, EXIT_ERROR, ENODEV, "no interface '%s'", name),
			 "'ip link' lists those of this network namespace; --netns enters another");
	return dev;
}

static int plan_bridge(struct wire_plan *plan, const struct netdev *bridge, struct err *err)
{
	int result = 0;
	size_t i;

	if (!bridge->bridge)
		return err_hint(
			err, err_set(err, EXIT_ERROR, EINVAL, "%s is not a bridge", bridge->name),
			"name it with --iface instead of --follow");
	/* the bridge may get ports later */
	plan->kinds |= 1U << (SLUICE_WIRE_HOST | SLUICE_WIRE_PORT | SLUICE_WIRE_ETHERNET);
	for (i = 0; !result && i < plan->dev_count; i++)
		if (plan->devs[i].master == bridge->ifindex)
			result = wire_plan_add(plan, &plan->devs[i], SLUICE_WIRE_HOST,
					       bridge->ifindex, err);
	return result;
}

/* Adds the ports of all bridges that match the pattern, now and, with the daemon, later. */
static int plan_pattern(struct wire_plan *plan, const char *pattern, struct err *err)
{
	bool found = false;
	int result = 0;
	size_t i;

	plan->kinds |= 1U << (SLUICE_WIRE_HOST | SLUICE_WIRE_PORT | SLUICE_WIRE_ETHERNET);
	for (i = 0; !result && i < plan->dev_count; i++) {
		if (!plan->devs[i].bridge || fnmatch(pattern, plan->devs[i].name, 0))
			continue;
		found = true;
		result = plan_bridge(plan, &plan->devs[i], err);
	}
	if (!found && !plan->absent_ok)
		log_warning("no bridge matches '%s'; only 'sluice run' waits for one", pattern);
	return result;
}

/* Adds the named interfaces or, with SLUICE_WIRE_PORT in `role`, the ports of the named bridges. */
static int plan_names(struct wire_plan *plan, const struct wire_names *names, __u32 role,
		      struct err *err)
{
	int i, result = 0;

	for (i = 0; !result && i < names->count; i++) {
		const struct netdev *dev;

		if (role & SLUICE_WIRE_PORT && wire_is_pattern(names->name[i])) {
			result = plan_pattern(plan, names->name[i], err);
			continue;
		}
		dev = wire_plan_named(plan, names->name[i], err);
		if (dev)
			result = role & SLUICE_WIRE_PORT ? plan_bridge(plan, dev, err)
							 : wire_plan_add(plan, dev, role, 0, err);
		else if (plan->absent_ok)
			/* a missing interface will most likely have Ethernet headers */
			plan->kinds |= 1U << (role | SLUICE_WIRE_ETHERNET);
		else
			result = -ENODEV;
	}
	return result;
}

int wire_plan_make(struct wire_plan *plan, const struct wire_options *options, struct err *err)
{
	int i, result = plan_names(plan, &options->ifaces, SLUICE_WIRE_HOST, err);

	if (!result)
		result = plan_names(plan, &options->follow, SLUICE_WIRE_HOST | SLUICE_WIRE_PORT,
				    err);
	if (!result)
		result = plan_names(plan, &options->gateways, SLUICE_WIRE_GATEWAY, err);
	for (i = 0; !result && i < plan->count; i++) {
		const struct netdev *dev = netdev_numbered(plan->devs, plan->dev_count,
							   plan->wanted[i].ifindex);

		plan->kinds |= 1U << plan->wanted[i].entry.roles;
		if (dev && dev->bridge)
			log_warning(
				"%s is a bridge: with bridge netfilter, conntrack sees its packets"
				" before tc does; attach to its ports with --follow %s",
				dev->name, dev->name);
	}
	return result;
}
