/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The interfaces whose flows are spread over CPUs, as text and as JSON. */
#ifndef SLUICE_STEER_CPU_SPREAD_TEXT_H
#define SLUICE_STEER_CPU_SPREAD_TEXT_H

#include "base/output.h"
#include "steer/cpu/spread.h"

/* "0-3,6"; returns text. */
#define STEER_CPUS_TEXT_MAX (5 * SLUICE_SPREAD_CPUS)
const char *steer_cpus_text(const __u16 *cpus, __u32 count, char *text, size_t size);
/*
 * What is wrong where spread.loses_vlan is set, and how to mend it: `text`, which has room for
 * the name of an interface.
 */
#define STEER_XDP_LOSES_VLAN \
	"native XDP loses the VLAN tags that the network card takes out (rx-vlan-offload is on)"
const char *spread_vlan_hint(const char *ifname, char *text, size_t size);
/* A line for each interface: how the program is attached, and why. */
void spread_print(const struct output *output, const struct spread *xdp);
/* The same, the counters, and the datagrams by CPU. */
json_t *spread_json(const struct spread *xdp);

#endif
