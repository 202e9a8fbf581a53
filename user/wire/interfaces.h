/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A plan lists the interfaces to which mode wire will be attached, each with its roles. A load
 * makes the plan from the options and the present interfaces, before it changes anything.
 */
#ifndef SLUICE_WIRE_INTERFACES_H
#define SLUICE_WIRE_INTERFACES_H

#include "net/netdev.h"
#include "wire/attach.h"
#include "wire/options.h"

struct wire_plan {
	const struct netdev *devs;
	size_t dev_count;
	enum sluice_wire_attach_mode attach_mode;
	struct wire_iface *wanted;
	int count;
	__u32 kinds;	/* bit n: the load needs the programs for roles n (enum sluice_wire_role) */
	bool absent_ok; /* skip missing interfaces */
};

/*
 * Makes the plan for these options, and warns of bridges among the interfaces. The caller must have
 * set devs, dev_count, attach_mode and absent_ok.
 */
int wire_plan_make(struct wire_plan *plan, const struct wire_options *options, struct err *err);
/* Adds an interface, or a role to a planned one. Detects SLUICE_WIRE_ETHERNET and _PORT itself. */
int wire_plan_add(struct wire_plan *plan, const struct netdev *dev, __u32 role, __u32 master,
		  struct err *err);
/* Returns the interface, or NULL with *err set. */
const struct netdev *wire_plan_named(const struct wire_plan *plan, const char *name,
				     struct err *err);

#endif
