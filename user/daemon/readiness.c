// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/readiness.h"

#include "hold/hold.h"
#include "net/netdev.h"
#include "reply/reply.h"
#include "steer/cpu/consumers.h"
#include "steer/socket_events.h"
#include "wire/wire.h"

#include <net/if.h>
#include <stdlib.h>

static void reply_reasons(FILE *reasons, const char *bpffs)
{
	struct reply_state state;
	struct err err = { 0 };

	if (reply_read(bpffs, &state, &err))
		fprintf(reasons, "[reply] %s\n", err.what);
	else if (!reply_attached(bpffs, &state.meta))
		fprintf(reasons, "[reply] a program is detached\n");
}

static void hold_reasons(FILE *reasons, const char *bpffs, const struct hold_section *hold)
{
	struct hold_state state;
	struct err err = { 0 };

	if (hold_read(bpffs, &state, &err))
		fprintf(reasons, "[hold] %s\n", err.what);
	else if (state.detached)
		fprintf(reasons, "[hold] a program is detached\n");
	else if (!hold->sender)
		fprintf(reasons, "[hold] no keepalives are sent: %s\n", hold->failure.text);
}

static void wire_reasons(FILE *reasons, const char *bpffs)
{
	struct sluice_wire_counters counters;
	struct sluice_wire_meta meta = { 0 };
	struct wire_iface *ifaces = NULL;
	struct err err = { 0 };
	int count = 0, i, result = wire_meta(bpffs, &meta, &err);
	struct wire_state state = { .elsewhere = meta.netns != netdev_netns() };

	if (!result)
		result = wire_read_counters(bpffs, &counters, &err);
	if (!result)
		result = wire_ifaces(bpffs, &ifaces, &count, &err);
	if (result)
		fprintf(reasons, "[wire] %s\n", err.what);
	for (i = 0; i < count; i++)
		if (wire_is_gone(&state, &ifaces[i]))
			fprintf(reasons, "[wire] %s: detached\n", ifaces[i].entry.name);
	free(ifaces);
}

static void spread_reasons(FILE *reasons, const struct spread_section *spread)
{
	__u32 i, detached = 0;

	if (*spread->failure.text)
		fprintf(reasons, "[steer] %s\n", spread->failure.text);
	if (spread->wanted.ifcount)
		spread_is_due(&spread->wanted, ~0U, &detached);
	for (i = 0; i < spread->wanted.ifcount; i++) {
		if (!if_nametoindex(spread->wanted.ifname[i]))
			continue;
		if (*spread->iface[i].failure.text)
			fprintf(reasons, "[steer] %s\n", spread->iface[i].failure.text);
		else if (detached & 1U << i)
			fprintf(reasons, "[steer] %s: the XDP program is detached\n",
				spread->wanted.ifname[i]);
	}
}

static void steer_reasons(FILE *reasons, const char *bpffs, const struct steer_section *steer)
{
	struct sluice_steer_meta meta;
	struct err err = { 0 };

	if (steer_read(bpffs, &meta, &err))
		fprintf(reasons, "[steer] %s\n", err.what);
	if (*steer->failure.text)
		fprintf(reasons, "[steer] %s\n", steer->failure.text);
	if (steer->loader.consumers_attached && !consumers_are_attached(bpffs))
		fprintf(reasons, "[steer] a program on recvmsg is detached\n");
	if (steer->events && !socket_events_attached(steer->events))
		fprintf(reasons, "[steer] a program for socket events is detached\n");
	spread_reasons(reasons, &steer->spread);
}

static void child_reasons(FILE *reasons, const struct child *child)
{
	char why[sizeof(child->failure.text)];

	if (!child_works(child, why, sizeof(why)))
		fprintf(reasons, "[%s] %s\n", config_section_names[child->section], why);
}

void readiness_reasons(const struct sections *sections, const struct child *children, int section,
		       FILE *reasons)
{
	const char *bpffs = sections->file->config.location.bpffs;
	const char *name = config_section_names[section];

	if (section >= SECTIONS) {
		child_reasons(reasons, &children[section - SECTIONS]);
		return;
	}
	if (sections->section[section].pending) {
		fprintf(reasons, "[%s] waiting: %s\n", name, sections->section[section].err.what);
		return;
	}
	if (section == SECTION_REPLY)
		reply_reasons(reasons, bpffs);
	else if (section == SECTION_WIRE)
		wire_reasons(reasons, bpffs);
	else if (section == SECTION_HOLD)
		hold_reasons(reasons, bpffs, sections->hold);
	else
		steer_reasons(reasons, bpffs, sections->steer);
	if (sections_is_replaced(sections, section))
		fprintf(reasons,
			"[%s] a command loaded it last: send SIGHUP to the daemon to"
			" apply the file\n",
			name);
}

bool readiness_is_applied(const struct sections *sections, const struct child *children,
			  int section)
{
	char *text = NULL;
	size_t length = 0;
	FILE *reasons;

	if (!sections->file || !sections->file->config.has[section])
		return false;
	reasons = open_memstream(&text, &length);
	if (!reasons)
		return false;
	readiness_reasons(sections, children, section, reasons);
	fclose(reasons);
	free(text);
	return !length;
}
