// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/metrics.h"

#include "base/clock.h"
#include "meet/rendezvous/session.h"
#include "meet/rendezvous/xdp.h"
#include "metrics/objects.h"
#include "metrics/server.h"

#include <string.h>

#define OBJECT "rendezvous"

static const struct counter counters[] = { RENDEZVOUS_COUNTERS(COUNTER) };
static const struct counter xdp_counters[] = { SLUICE_MEET_COUNTERS(COUNTER) };

static void add_limits(struct metrics *metrics, const struct status *status)
{
	const struct store *store = server_store(status->server);

	metrics_gauge(metrics, "sluice_rendezvous_peers", NULL, "peers of the file",
		      server_peers(status->server)->count);
	metrics_gauge(metrics, "sluice_rendezvous_registrations", NULL, "registered peers",
		      store_count(store));
	metrics_gauge(metrics, "sluice_rendezvous_registrations_limit", NULL,
		      "the limit of registered peers", status->options->max_peers);
	metrics_gauge(metrics, "sluice_rendezvous_registrations_size_bytes", "bytes",
		      "memory of the registrations", store_bytes(store));
	metrics_gauge(metrics, "sluice_rendezvous_sessions", NULL,
		      "introductions without reports from both peers",
		      server_sessions(status->server));
	metrics_gauge(metrics, "sluice_rendezvous_sessions_limit", NULL, "the limit of these",
		      SESSIONS_MAX);
	metrics_gauge(metrics, "sluice_rendezvous_relays", NULL, "sessions with a relay binding",
		      server_relays(status->server));
	metrics_gauge(metrics, "sluice_rendezvous_relays_limit", NULL, "the limit of these",
		      status->options->max_relays);
	metrics_gauge(metrics, "sluice_rendezvous_connections", NULL, "TCP connections",
		      tcp_connections(status->tcp));
	metrics_gauge(metrics, "sluice_rendezvous_connections_limit", NULL,
		      "the limit of TCP connections", tcp_limit(status->tcp));
	metrics_counter(
		metrics, "sluice_rendezvous_connections_refused", NULL,
		"TCP connections refused, or closed in favor of others, because of the limits",
		tcp_refused(status->tcp));
	metrics_gauge(metrics, "sluice_rendezvous_prefixes_spent", NULL,
		      "prefixes that have used up their budget",
		      server_budgets_spent(status->server, clock_now_us() * 1000));
}

/*
 * Adds the XDP programs. Without --xdp, their values are 0. A program that this process may not
 * read has no series, because 0 would mean that it has not run.
 */
static void add_xdp(struct metrics *metrics, const struct status *status)
{
	static const char *const programs[MEET_XDP_PROGRAMS] = { "sluice_meet", "sluice_meet_g" };
	struct metrics_objects objects = { .objects = 0 };
	uint64_t capacity = status->xdp && status->options->peers_file ? status->options->max_peers
								       : 0;
	__u64 counters[SLUICE_MEET_COUNTERS_MAX] = { 0 };
	unsigned int i;

	if (status->xdp)
		meet_xdp_counters(status->xdp, counters);
	metrics_counters(metrics, "sluice_rendezvous_xdp", xdp_counters, counters,
			 SLUICE_MEET_COUNTERS_MAX);
	objects_add(&objects, OBJECT, status->xdp, true);
	objects_add_table(&objects, OBJECT, "registrations",
			  capacity ? store_count(server_store(status->server)) : 0, capacity,
			  capacity * sizeof(struct sluice_meet_peer));
	for (i = 0; i < MEET_XDP_PROGRAMS; i++) {
		struct bpf_prog_info info = { 0 };

		if (!status->xdp || !meet_xdp_program(status->xdp, i, &info))
			objects_add_program(&objects, OBJECT, programs[i], info.run_time_ns,
					    info.run_cnt);
	}
	objects_metrics(metrics, &objects);
}

static void collect(struct metrics *metrics, void *arg)
{
	const struct rendezvous_metrics *own = arg;
	const struct status *status = own->status;
	const uint64_t *counted = server_counters(status->server);
	__u64 value[RENDEZVOUS_COUNTERS_MAX];
	int i;

	metrics_gauge(metrics, "sluice_rendezvous_draining", NULL,
		      "1 if the server was told to drain", status->draining);
	metrics_gauge(metrics, "sluice_config_last_reload_successful", NULL,
		      "0 if the last reload was refused", !*status->refused);
	metrics_gauge_real(
		metrics, "sluice_rendezvous_self_check_seconds", "seconds",
		"round trip time of the server's last Binding request to itself; 0: no answer for 15 s",
		own->check ? self_check_rtt_s(own->check) : 0);
	add_limits(metrics, status);
	for (i = 0; i < RENDEZVOUS_COUNTERS_MAX; i++)
		value[i] = counted[i];
	metrics_counters(metrics, "sluice_rendezvous", counters, value, RENDEZVOUS_COUNTERS_MAX);
	add_xdp(metrics, status);
}

static void unready(FILE *reasons, void *arg)
{
	const struct rendezvous_metrics *own = arg;
	char why[256];

	if (own->status->draining)
		fprintf(reasons, "draining\n");
	if (!own->check)
		fprintf(reasons, "starting\n");
	else if (!self_check_passes(own->check, why, sizeof(why)))
		fprintf(reasons, "%s\n", why);
}

int rendezvous_metrics_open(struct rendezvous_metrics *metrics, struct loop *loop,
			    const struct status *status, struct err *err)
{
	const struct metrics_provider provider = { .collect = collect,
						   .unready = unready,
						   .arg = metrics };

	metrics->status = status;
	if (!status->options->metrics.port_be)
		return 0;
	return metrics_listen(&metrics->server, loop, &status->options->metrics, &provider, err);
}

int rendezvous_metrics_start(struct rendezvous_metrics *metrics, struct loop *loop,
			     const struct endpoints *endpoints, loop_fn checked, void *arg,
			     struct err *err)
{
	int result;

	if (!metrics->server && !metrics->status->options->until_eof)
		return 0;
	result = self_check_start(&metrics->check, loop, endpoints, checked, arg, err);
	/* without metrics, the daemon gets no reports */
	return metrics->server ? result : 0;
}

void rendezvous_metrics_close(struct rendezvous_metrics *metrics)
{
	self_check_free(metrics->check);
	metrics_close(metrics->server);
}
