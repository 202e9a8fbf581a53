// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/metrics.h"

#include "daemon/readiness.h"
#include "daemon/watch.h"
#include "hold/metrics.h"
#include "metrics/objects.h"
#include "metrics/server.h"
#include "reply/metrics.h"
#include "steer/metrics.h"
#include "steer/poll.h"
#include "steer/socket_events.h"
#include "wire/metrics.h"

/* --- metrics */

static bool has_section(const struct status_view *view, int i)
{
	return view->sections->file && view->sections->file->config.has[i];
}

static void add_sections(struct metrics *metrics, const struct status_view *view)
{
	int i;

	metrics_family(metrics, METRICS_GAUGE, "sluice_section_configured", NULL,
		       "1 if the file has the section");
	for (i = 0; i < SECTION_GLOBAL; i++)
		metrics_add(metrics, has_section(view, i), "section", config_section_names[i],
			    NULL);
	metrics_family(metrics, METRICS_GAUGE, "sluice_section_applied", NULL,
		       "1 if the section is configured and attached as the file says; see /readyz");
	for (i = 0; i < SECTION_GLOBAL; i++)
		metrics_add(metrics, readiness_is_applied(view->sections, view->child, i),
			    "section", config_section_names[i], NULL);
	metrics_gauge(metrics, "sluice_config_last_reload_successful", NULL,
		      "0 if the last reload was refused", !*view->refused);
}

/* Adds the socket events, whose programs belong to the daemon itself. */
static void add_events(struct metrics *metrics, struct metrics_objects *objects,
		       const struct steer_section *steer)
{
	static const char *const programs[SOCKET_EVENTS_PROGRAMS] = { "sluice_bind4",
								      "sluice_bind6",
								      "sluice_release" };
	int i;

	for (i = 0; i < SOCKET_EVENTS_PROGRAMS; i++) {
		struct bpf_prog_info info = { 0 };

		if (steer->events)
			socket_events_program(steer->events, i, &info);
		objects_add_program(objects, STEER_OBJECT, programs[i], info.run_time_ns,
				    info.run_cnt);
	}
	metrics_counter(metrics, "sluice_steer_events_lost", NULL,
			"socket events lost because the daemon was busy; a sweep finds the sockets",
			steer_section_lost(steer));
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
	add_events(metrics, &objects, view->steer);
	objects_metrics(metrics, &objects);
}

/* --- readiness */

static void unready(FILE *reasons, void *arg)
{
	const struct status_view *view = ((struct daemon_metrics *)arg)->view;
	int i;

	for (i = 0; i < SECTION_GLOBAL; i++)
		if (has_section(view, i))
			readiness_reasons(view->sections, view->child, i, reasons);
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
	if (!server)
		steer_poll_clear(metrics->steer);
	return 0;
}

void daemon_metrics_follow(struct daemon_metrics *metrics)
{
	if (!metrics->server)
		return;
	if (!metrics->steer)
		metrics->steer = steer_poll_new();
	if (metrics->steer)
		steer_poll_follow(metrics->steer,
				  metrics->view->sections->file->config.location.bpffs);
}

void daemon_metrics_end(struct daemon_metrics *metrics)
{
	metrics_close(metrics->server);
	steer_poll_free(metrics->steer);
}
