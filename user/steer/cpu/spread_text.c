// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/cpu/spread_text.h"

#include "base/text.h"
#include "net/netns_names.h"

#include <stdio.h>

static const char *const counter_names[] = {
#define X(name, help) #name,
	SLUICE_SPREAD_COUNTERS(X)
#undef X
};

const char *steer_cpus_text(const __u16 *cpus, __u32 count, char *text, size_t size)
{
	size_t length = 0;
	__u32 i, last;

	text[0] = '\0';
	for (i = 0; i < count && length < size; i = last + 1) {
		for (last = i; last + 1 < count && cpus[last + 1] == cpus[last] + 1;)
			last++;
		length += (size_t)snprintf(text + length, size - length, "%s%u", i ? "," : "",
					   cpus[i]);
		if (last > i && length < size)
			length += (size_t)snprintf(text + length, size - length, "-%u", cpus[last]);
	}
	return text;
}

const char *spread_vlan_hint(const char *ifname, char *text, size_t size)
{
	snprintf(text, size, "ethtool -K %s rxvlan off", ifname);
	return text;
}

void spread_print(const struct output *output, const struct spread *xdp)
{
	char cpus[STEER_CPUS_TEXT_MAX];
	__u32 i;

	steer_cpus_text(xdp->meta.cpus, xdp->meta.cpu_count, cpus, sizeof(cpus));
	for (i = 0; i < xdp->meta.link_count; i++) {
		const struct sluice_spread_link *link = &xdp->meta.links[i];
		char name[sizeof(link->name)];

		fprintf(output->file, "  %s: flows spread over CPUs %s, XDP %s%s%s%s\n",
			text_plain_copy(name, sizeof(name), link->name), cpus,
			spread_mode_name(link->mode), link->why[0] ? ", not native: " : "",
			link->why,
			xdp->gone[i]	     ? " (detached since)"
			: xdp->loses_vlan[i] ? " (VLAN tags are lost: rx-vlan-offload is on)"
					     : "");
	}
}

static json_t *link_json(const struct spread *xdp, __u32 i)
{
	const struct sluice_spread_link *link = &xdp->meta.links[i];
	json_t *object = json_pack("{s:o, s:I, s:s, s:b, s:b}", "interface",
				   output_name(link->name), "ifindex", (json_int_t)link->ifindex,
				   "mode", spread_mode_name(link->mode), "attached", !xdp->gone[i],
				   "loses_vlan", xdp->loses_vlan[i]);

	netns_names_json(NULL, link->netns, object);
	if (link->why[0])
		json_object_set_new(object, "not_native", output_name(link->why));
	if (!xdp->gone[i])
		json_object_set_new(object, "program_id", json_integer(xdp->prog_id[i]));
	return object;
}

json_t *spread_json(const struct spread *xdp)
{
	json_t *links = json_array(), *cpus = json_array(), *counters = json_object();
	__u32 i;

	for (i = 0; i < xdp->meta.link_count; i++)
		json_array_append_new(links, link_json(xdp, i));
	for (i = 0; i < xdp->meta.cpu_count; i++)
		json_array_append_new(cpus,
				      json_pack("{s:i, s:I}", "cpu", xdp->meta.cpus[i], "datagrams",
						(json_int_t)xdp->sent[xdp->meta.cpus[i]]));
	for (i = 0; i < SLUICE_SPREAD_COUNTERS_MAX; i++)
		json_object_set_new(counters, counter_names[i],
				    json_integer((json_int_t)xdp->counters.value[i]));
	return json_pack("{s:o, s:o, s:o}", "interfaces", links, "cpus", cpus, "counters",
			 counters);
}
