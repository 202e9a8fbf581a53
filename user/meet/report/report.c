// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/report/report.h"

#include <string.h>

static json_t *on_asked(void *arg)
{
	return view_process(arg);
}

int report_open(struct report *report, struct err *err)
{
	const struct node *node = report->view.node;
	const struct peer_identity *identity = node->identity;
	int result;

	report->view.started_ns = runtime_now_ns();
	report->view.ended = json_array();
	peer_status_open(&report->status, node->runtime.loop, identity->id, on_asked,
			 &report->view);
	result = report_metrics_open(&report->metrics, &report->view, err);
	if (result || !identity->on_change)
		return result;
	return on_change_new(&report->on_change, node->runtime.loop, identity->on_change,
			     identity->id, err);
}

void report_close(struct report *report)
{
	/* report_open() was not called, or failed early */
	if (!report->view.ended)
		return;
	on_change_end(report->on_change);
	report_metrics_close(report->metrics);
	peer_status_close(&report->status);
	json_decref(report->view.ended);
}

/* --- paths */

void report_path(struct report *report, const struct link *link)
{
	const struct peer_session_remote *path = peer_session_path(link->session);
	struct change change = { .up = path && link->ready };
	const struct stun_endpoint *remote;
	struct stun_endpoint local;

	if (!report->on_change || (path && !link->ready))
		return;
	snprintf(change.trust, sizeof(change.trust), "%s",
		 view_is_known(report->view.node, link) ? "key" : "server");
	if (path) {
		remote = view_remote(link, path);
		local = view_local(link);
		change.relayed = path->kind == PEER_SESSION_REMOTE_RELAYED;
		snprintf(change.kind, sizeof(change.kind), "%s",
			 peer_session_remote_kinds[path->kind]);
		snprintf(change.transport, sizeof(change.transport), "%s", view_transport(link));
		addr_format_port(&local.addr, local.port_be, change.local);
		addr_format_port(&remote->addr, remote->port_be, change.remote);
	} else {
		strcpy(change.reason, "the path is lost");
	}
	on_change_set(report->on_change, link->name, &change);
}

/* Removes earlier entries of a peer, so that each peer is listed once. */
static void forget(json_t *ended, const char *peer)
{
	size_t i = json_array_size(ended);
	const json_t *one;

	while (i--) {
		one = json_object_get(json_array_get(ended, i), "peer");
		if (!strcmp(peer, json_string_value(one)))
			json_array_remove(ended, i);
	}
}

void report_over(struct report *report, const struct link *link)
{
	json_t *ended = report->view.ended;
	struct change down = { .up = false };

	forget(ended, link->name);
	if (json_array_size(ended) == REPORT_ENDED_MAX)
		json_array_remove(ended, 0);
	json_array_append_new(ended, view_link(report->view.node, link));
	report_metrics_over(report->metrics, link);
	snprintf(down.reason, sizeof(down.reason), "%s", link->end);
	on_change_set(report->on_change, link->name, &down);
}
