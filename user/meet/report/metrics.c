// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/report/metrics.h"

#include "meet/report/counters.h"
#include "metrics/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Not a valid peer name. */
#define UNKNOWN "_unknown"

struct peer_totals {
	const char *name;
	uint64_t bytes_in, bytes_out;
	bool target; /* of 'peer connect' */
	/* State of the current link, when collected. */
	bool up, relayed;
	uint64_t rtt_ns;
};

struct report_metrics {
	const struct view *view;
	struct metrics_server *server;
	__u64 value[PEER_COUNTERS_MAX]; /* sums of ended links */
	/* Sorted by name; the last entry is for all unknown peers. */
	struct peer_totals *peer;
	size_t known;
};

static const struct counter counters[] = { PEER_COUNTERS(COUNTER) };

/* --- totals */

static int by_name(const void *a, const void *b)
{
	return strcmp(((const struct peer_totals *)a)->name, ((const struct peer_totals *)b)->name);
}

static struct peer_totals *find_name(const struct report_metrics *metrics, struct peer_totals *peer,
				     const char *name)
{
	const struct peer_totals key = { .name = name };
	struct peer_totals *found = bsearch(&key, peer, metrics->known, sizeof(*peer), by_name);

	return found ? found : &peer[metrics->known];
}

static struct peer_totals *find_peer(const struct report_metrics *metrics, struct peer_totals *peer,
				     const struct link *link)
{
	return view_is_known(metrics->view->node, link) ? find_name(metrics, peer, link->name)
							: &peer[metrics->known];
}

static void add_link(const struct link *link, __u64 value[PEER_COUNTERS_MAX],
		     struct peer_totals *peer)
{
	const struct peer_session_stats *stats = peer_session_stats(link->session);

	value[PEER_COUNT_sessions]++;
	value[PEER_COUNT_sessions_failed] += *link->end && !link->reported;
	value[PEER_COUNT_repunches] += stats->repunches;
	value[PEER_COUNT_path_changes] += stats->path_changes;
	value[PEER_COUNT_consents_lost] += stats->consents_lost;
	value[PEER_COUNT_checks_sent] += stats->checks_sent;
	value[PEER_COUNT_checks_answered] += stats->checks_answered;
	value[PEER_COUNT_checks_received] += stats->checks_received;
	value[PEER_COUNT_checks_rejected] += stats->rejected;
	value[PEER_COUNT_keepalives_sent] += stats->keepalives_sent;
	value[PEER_COUNT_keepalives_saved] += stats->keepalives_saved;
	peer->bytes_in += link->bytes_in;
	peer->bytes_out += link->bytes_out;
}

/* --- the document */

static void add_servers(struct metrics *metrics, const struct node *node)
{
	unsigned int i, registered = 0;

	for (i = 0; i < node->identity->servers; i++)
		registered += peer_client_registered(node->runtime.client, i);
	metrics_gauge(metrics, "sluice_peer_servers", NULL, "rendezvous servers",
		      node->identity->servers);
	metrics_gauge(metrics, "sluice_peer_servers_registered", NULL,
		      "rendezvous servers with which this peer is registered", registered);
}

static void add_kinds(struct metrics *metrics, const struct node *node)
{
	uint64_t count[PEER_SESSION_REMOTE_KINDS] = { 0 };
	const struct peer_session_remote *path;
	const struct link *link;
	unsigned int i;

	for (link = node->links; link; link = link->next) {
		path = peer_session_path(link->session);
		count[path ? path->kind : 0]++;
	}
	metrics_family(metrics, METRICS_GAUGE, "sluice_peer_paths", NULL,
		       "sessions by the kind of their path; none: they have no path at present");
	for (i = 0; i < PEER_SESSION_REMOTE_KINDS; i++)
		metrics_add(metrics, count[i], "kind", peer_session_remote_kinds[i], NULL);
}

static void add_members(struct metrics *metrics, const struct node *node)
{
	struct pool_view pool = { .idle = 0 };
	const struct link *link;
	unsigned int accepted = 0;

	if (node->pool.pool)
		pool = pool_view(node->pool.pool);
	for (link = node->members; link; link = link->next)
		accepted += !link->initiator && link->ready;
	metrics_family(metrics, METRICS_GAUGE, "sluice_peer_members", NULL,
		       "TCP connections of the pool by their state; accepted: of the pools of other"
		       " peers");
	metrics_add(metrics, pool.creating, "state", "connecting", NULL);
	metrics_add(metrics, pool.idle, "state", "idle", NULL);
	metrics_add(metrics, pool.testing, "state", "testing", NULL);
	metrics_add(metrics, pool.borrowed, "state", "lent", NULL);
	metrics_add(metrics, accepted, "state", "accepted", NULL);
}

static void count_members(const struct node *node, __u64 value[PEER_COUNTERS_MAX])
{
	struct pool_view pool;

	if (!node->pool.pool)
		return;
	pool = pool_view(node->pool.pool);
	value[PEER_COUNT_members_connected] += pool.created;
	value[PEER_COUNT_members_failed] += pool.failed;
	value[PEER_COUNT_members_lost] += pool.lost + pool.tests_failed;
	value[PEER_COUNT_members_given] += pool.given;
	value[PEER_COUNT_members_refused] += pool.refused;
}

static void add_peers(struct metrics *metrics, const struct peer_totals *peer, size_t count)
{
	size_t i;

	metrics_family(metrics, METRICS_GAUGE, "sluice_peer_target", NULL,
		       "1 if 'peer connect' connects to this peer");
	for (i = 0; i < count; i++)
		metrics_add(metrics, peer[i].target, "peer", peer[i].name, NULL);
	metrics_family(metrics, METRICS_GAUGE, "sluice_peer_up", NULL,
		       "1 if the path to this peer can be used");
	for (i = 0; i < count; i++)
		metrics_add(metrics, peer[i].up, "peer", peer[i].name, NULL);
	metrics_family(metrics, METRICS_GAUGE, "sluice_peer_relayed", NULL,
		       "1 if the path to this peer is relayed");
	for (i = 0; i < count; i++)
		metrics_add(metrics, peer[i].relayed, "peer", peer[i].name, NULL);
	metrics_family(metrics, METRICS_GAUGE, "sluice_peer_rtt_seconds", "seconds",
		       "round trip time of the checks; 0: unknown");
	for (i = 0; i < count; i++)
		metrics_add_real(metrics, (double)peer[i].rtt_ns / 1e9, "peer", peer[i].name, NULL);
	metrics_family(metrics, METRICS_COUNTER, "sluice_peer_received_bytes", "bytes",
		       "QUIC packets of this peer");
	for (i = 0; i < count; i++)
		metrics_add(metrics, peer[i].bytes_in, "peer", peer[i].name, NULL);
	metrics_family(metrics, METRICS_COUNTER, "sluice_peer_sent_bytes", "bytes",
		       "QUIC packets to this peer");
	for (i = 0; i < count; i++)
		metrics_add(metrics, peer[i].bytes_out, "peer", peer[i].name, NULL);
}

static void collect(struct metrics *metrics, void *arg)
{
	const struct report_metrics *own = arg;
	const struct node *node = own->view->node;
	const struct peer_session_remote *path;
	struct peer_totals *peer, *one;
	__u64 value[PEER_COUNTERS_MAX];
	const struct link *link;

	add_servers(metrics, node);
	add_kinds(metrics, node);
	add_members(metrics, node);
	peer = calloc(own->known + 1, sizeof(*peer));
	if (!peer)
		return;
	memcpy(peer, own->peer, (own->known + 1) * sizeof(*peer));
	memcpy(value, own->value, sizeof(value));
	count_members(node, value);
	for (link = node->links; link; link = link->next) {
		one = find_peer(own, peer, link);
		add_link(link, value, one);
		path = peer_session_path(link->session);
		if (!path || !link->ready)
			continue;
		one->up = true;
		one->relayed |= path->kind == PEER_SESSION_REMOTE_RELAYED;
		one->rtt_ns = path->rtt_ns;
	}
	/* unknown peers have a series only if they are accepted */
	add_peers(metrics, peer, own->known + node->identity->trust_server);
	metrics_counters(metrics, "sluice_peer", counters, value, PEER_COUNTERS_MAX);
	free(peer);
}

static void unready(FILE *reasons, void *arg)
{
	view_unready(((const struct report_metrics *)arg)->view, reasons);
}

/* --- life */

/* Returns 0 or -ENOMEM. */
static int list_peers(struct report_metrics *metrics)
{
	const struct peers *known = &metrics->view->node->known;
	const struct peer_target *target = metrics->view->target;
	const struct peer *peer;

	metrics->peer = calloc(known->count + 1, sizeof(*metrics->peer));
	if (!metrics->peer)
		return -ENOMEM;
	for (peer = known->by_name; peer; peer = peer->hh.next)
		metrics->peer[metrics->known++].name = peer->name;
	qsort(metrics->peer, metrics->known, sizeof(*metrics->peer), by_name);
	metrics->peer[metrics->known].name = UNKNOWN;
	if (target)
		find_name(metrics, metrics->peer, target->to)->target = true;
	return 0;
}

int report_metrics_open(struct report_metrics **metrics, const struct view *view, struct err *err)
{
	const struct node *node = view->node;
	struct metrics_provider provider = { .collect = collect, .unready = unready };
	struct report_metrics *fresh;

	if (!node->identity->metrics.port_be)
		return 0;
	fresh = calloc(1, sizeof(*fresh));
	if (fresh)
		fresh->view = view;
	if (!fresh || list_peers(fresh)) {
		free(fresh);
		return err_set(err, EXIT_ERROR, ENOMEM, "metrics: out of memory");
	}
	*metrics = fresh;
	provider.arg = fresh;
	return metrics_listen(&fresh->server, node->runtime.loop, &node->identity->metrics,
			      &provider, err);
}

void report_metrics_over(struct report_metrics *metrics, const struct link *link)
{
	if (metrics)
		add_link(link, metrics->value, find_peer(metrics, metrics->peer, link));
}

void report_metrics_close(struct report_metrics *metrics)
{
	if (!metrics)
		return;
	metrics_close(metrics->server);
	free(metrics->peer);
	free(metrics);
}
