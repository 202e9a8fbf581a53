// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/plan.h"

#include "base/log.h"
#include "kernel/feature.h"

#include <errno.h>
#include <string.h>

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

int wire_plan_add(struct wire_plan *plan, const struct netdev *dev, __u32 role, __u32 master,
		  struct err *err)
{
	struct wire_iface *there = wire_iface_numbered(plan->wanted, plan->count, dev->ifindex);
	struct wire_iface iface = { .ifindex = dev->ifindex };
	int result = roles_complete(dev, plan->devs, plan->dev_count, &role, err);

	if (result)
		return result;
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
		return err_set(err, EXIT_ERROR, ENOMEM, "interfaces: no memory");
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

/* Programs for an interface to come, which will most likely have Ethernet headers. */
static int plan_absent(struct wire_plan *plan, __u32 role)
{
	if (!plan->absent_ok)
		return -ENODEV;
	plan->kinds |= 1U << (role | SLUICE_WIRE_ETHERNET);
	return 0;
}

static int plan_names(struct wire_plan *plan, const struct wire_names *names, __u32 role,
		      struct err *err)
{
	int i, result = 0;

	for (i = 0; !result && i < names->count; i++) {
		const struct netdev *dev = wire_plan_named(plan, names->name[i], err);

		result = dev ? wire_plan_add(plan, dev, role, 0, err) : plan_absent(plan, role);
	}
	return result;
}

static int plan_bridge(struct wire_plan *plan, const struct netdev *bridge, struct err *err)
{
	int result = 0;
	size_t i;

	for (i = 0; !result && i < plan->dev_count; i++)
		if (plan->devs[i].master == bridge->ifindex)
			result = wire_plan_add(plan, &plan->devs[i], SLUICE_WIRE_HOST,
					       bridge->ifindex, err);
	/* for the ports to come, too */
	plan->kinds |= 1U << (SLUICE_WIRE_HOST | SLUICE_WIRE_PORT | SLUICE_WIRE_ETHERNET);
	return result;
}

static int plan_follow(struct wire_plan *plan, const struct wire_names *names, struct err *err)
{
	int i, result = 0;

	for (i = 0; !result && i < names->count; i++) {
		const struct netdev *dev = wire_plan_named(plan, names->name[i], err);

		if (!dev) {
			result = plan_absent(plan, SLUICE_WIRE_HOST | SLUICE_WIRE_PORT);
			continue;
		}
		if (!dev->bridge)
			return err_hint(
				err, err_set(err, EXIT_ERROR, EINVAL, "%s is no bridge", dev->name),
				"give it with --iface instead of --follow");
		result = plan_bridge(plan, dev, err);
	}
	return result;
}

/* With bridge netfilter, conntrack has seen a packet before it comes to tc on the bridge itself. */
void wire_plan_warn(const struct wire_plan *plan)
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

int wire_plan_make(struct wire_plan *plan, const struct wire_options *options, struct err *err)
{
	int i, result = plan_names(plan, &options->ifaces, SLUICE_WIRE_HOST, err);

	if (!result)
		result = plan_follow(plan, &options->follow, err);
	if (!result)
		result = plan_names(plan, &options->gateways, SLUICE_WIRE_GATEWAY, err);
	for (i = 0; i < plan->count; i++)
		plan->kinds |= 1U << plan->wanted[i].entry.roles;
	return result;
}

enum sluice_wire_attach_mode wire_plan_attach_mode(enum sluice_wire_attach_mode wanted)
{
	if (wanted)
		return wanted;
	return feature_tcx() == FEATURE_YES ? SLUICE_WIRE_TCX : SLUICE_WIRE_CLSACT;
}
