/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Which interfaces wire mode is to be attached to, and what for: worked out from the options and
 * the interfaces that there are, before anything is touched.
 */
#ifndef SLUICE_WIRE_PLAN_H
#define SLUICE_WIRE_PLAN_H

#include "kernel/netdev.h"
#include "wire/attach.h"
#include "wire/options.h"

struct wire_plan {
	const struct netdev *devs;
	size_t dev_count;
	enum sluice_wire_attach_mode attach_mode;
	struct wire_iface *wanted;
	int count;
	__u32 kinds; /* bit n: programs for roles n are needed */
	bool absent_ok;
};

/* The plan for these options; plan->devs, dev_count, via and absent_ok are given. */
int wire_plan_make(struct wire_plan *plan, const struct wire_options *options, struct err *err);
/* One interface more, or one more role for it; what else the programs must know is found out. */
int wire_plan_add(struct wire_plan *plan, const struct netdev *dev, __u32 role, __u32 master,
		  struct err *err);
/* NULL with *err set if there is none. */
const struct netdev *wire_plan_named(const struct wire_plan *plan, const char *name,
				     struct err *err);
/* Says what will not work as one might think. */
void wire_plan_warn(const struct wire_plan *plan);
/* What is wanted, or what this kernel has. */
enum sluice_wire_attach_mode wire_plan_attach_mode(enum sluice_wire_attach_mode wanted);

#endif
