/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Formats the state of the spread as text and as JSON. */
#ifndef SLUICE_STEER_CPU_SPREAD_TEXT_H
#define SLUICE_STEER_CPU_SPREAD_TEXT_H

#include "cli/output.h"
#include "steer/cpu/spread.h"

#define STEER_CPUS_TEXT_MAX (5 * SLUICE_SPREAD_CPUS)
/* Formats a CPU list such as "0-3,6". Returns @text. */
const char *steer_cpus_text(const __u16 *cpus, __u32 count, char *text, size_t size);
/* The warning for spread.loses_vlan, and the command that fixes it. */
#define STEER_XDP_LOSES_VLAN \
	"native XDP loses the VLAN tags that the network card strips (rx-vlan-offload is on)"
const char *spread_vlan_hint(const char *ifname, char *text, size_t size);
/* Prints one line per interface: the attach mode, and the reason if it is not native. */
void spread_print(const struct output *output, const struct spread *xdp);
/* Returns the interfaces, the counters, and the number of datagrams sent to each CPU. */
json_t *spread_json(const struct spread *xdp);

#endif
