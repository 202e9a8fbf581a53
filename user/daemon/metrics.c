// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics.h"

#include "daemon/watch.h"
#include "hold/hold.h"
#include "hold/metrics.h"
#include "metrics/objects.h"
#include "metrics/server.h"
#include "net/netdev.h"
#include "reply/metrics.h"
#include "reply/reply.h"
#include "steer/metrics.h"
#include "steer/poll.h"
#include "wire/metrics.h"
#include "wire/wire.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* --- metrics */

static bool has_section(const struct status_view *view, int i)
{
	return view->sections->file && view->sections->file->config.has[i];
}

static bool is_applied(const struct status_view *view, int i)
{
	if (!has_section(view, i))
		return false;
	return i == SECTION_RENDEZVOUS ? view->rendezvous->pid > 0
				       : !view->sections->section[i].pending;
}

static void add_sections(struct metrics *metrics, const struct status_view *view)
{
	int i;

	metrics_family(metrics, METRICS_GAUGE, "sluice_section_configured", NULL,
		       "1 if the file has the section");
	for (i = 0; i <= SECTION_RENDEZVOUS; i++)
		metrics_add(metrics, has_section(view, i), "section", config_section_names[i],
			    NULL);
	metrics_family(metrics, METRICS_GAUGE, "sluice_section_applied", NULL,
		       "1 if the section is configured and in effect, 0 while it waits");
	for (i = 0; i <= SECTION_RENDEZVOUS; i++)
		metrics_add(metrics, is_applied(view, i), "section", config_section_names[i], NULL);
	metrics_gauge(metrics, "sluice_config_last_reload_successful", NULL,
		      "0 if the last reload was refused", !*view->refused);
}

static void collect(struct metrics *metrics, void *arg)
{
	struct daemon_metrics *daemon = arg;
	const struct status_view *view = daemon->view;
	const char *bpffs = view->sections->file->config.location.bpffs;
	struct metrics_objects objects = { .objects = 0 };

	add_sections(metrics, view);
	reply_metrics(metrics, &objects, bpffs);
	wire_metrics(metrics, &objects, bpffs);
	hold_metrics(metrics, &objects, bpffs);
	if (!daemon->steer)
		daemon->steer = steer_poll_new();
	steer_metrics(daemon->steer, metrics, &objects, bpffs);
	metrics_counter(metrics, "sluice_steer_events_lost", NULL,
			"socket events lost because the daemon was busy; a sweep finds the sockets",
			steer_section_lost(view->steer));
	objects_metrics(metrics, &objects);
}

/* --- readiness */

static void reply_unready(FILE *reasons, const char *bpffs)
{
	struct reply_state state;
	struct err err = { 0 };

	if (reply_read(bpffs, &state, &err))
		fprintf(reasons, "[reply] %s\n", err.what);
	else if (!reply_attached(bpffs, &state.meta))
		fprintf(reasons, "[reply] a program is detached\n");
}

static void hold_unready(FILE *reasons, const char *bpffs, const struct hold_section *hold)
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

static void wire_unready(FILE *reasons, const char *bpffs)
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

static void steer_unready(FILE *reasons, const char *bpffs, const struct steer_section *steer)
{
	struct sluice_steer_meta meta;
	struct err err = { 0 };
	__u32 i;

	if (steer_read(bpffs, &meta, &err))
		fprintf(reasons, "[steer] %s\n", err.what);
	if (*steer->failure.text)
		fprintf(reasons, "[steer] %s\n", steer->failure.text);
	if (*steer->spread.failure.text)
		fprintf(reasons, "[steer] %s\n", steer->spread.failure.text);
	for (i = 0; i < steer->spread.wanted.ifcount; i++)
		if (*steer->spread.iface[i].failure.text)
			fprintf(reasons, "[steer] %s\n", steer->spread.iface[i].failure.text);
}

static void unready(FILE *reasons, void *arg)
{
	const struct status_view *view = ((struct daemon_metrics *)arg)->view;
	const char *bpffs = view->sections->file->config.location.bpffs;
	int i;

	for (i = 0; i <= SECTION_RENDEZVOUS; i++) {
		if (!has_section(view, i))
			continue;
		if (i == SECTION_RENDEZVOUS && !is_applied(view, i))
			fprintf(reasons, "[rendezvous] not running: %s\n",
				view->rendezvous->failure.text);
		else if (!is_applied(view, i))
			fprintf(reasons, "[%s] waiting: %s\n", config_section_names[i],
				view->sections->section[i].err.what);
		else if (i == SECTION_REPLY)
			reply_unready(reasons, bpffs);
		else if (i == SECTION_WIRE)
			wire_unready(reasons, bpffs);
		else if (i == SECTION_HOLD)
			hold_unready(reasons, bpffs, view->hold);
		else if (i == SECTION_STEER)
			steer_unready(reasons, bpffs, view->steer);
	}
}

/* --- the server */

int daemon_metrics_apply(struct daemon_metrics *metrics, const struct metrics_address *address,
			 struct err *err)
{
	const struct metrics_provider provider = { .collect = collect,
						   .unready = unready,
						   .arg = metrics };
	struct metrics_server *server = NULL;
	int result;

	if (metrics->address.port_be == address->port_be &&
	    IN6_ARE_ADDR_EQUAL(&metrics->address.addr, &address->addr))
		return 0;
	if (address->port_be) {
		result = metrics_listen(&server, metrics->loop, address, &provider, err);
		if (result)
			return result;
	}
	metrics_close(metrics->server);
	metrics->server = server;
	metrics->address = *address;
	return 0;
}

void daemon_metrics_forget(struct daemon_metrics *metrics)
{
	steer_poll_clear(metrics->steer);
}

void daemon_metrics_end(struct daemon_metrics *metrics)
{
	metrics_close(metrics->server);
	steer_poll_free(metrics->steer);
}
