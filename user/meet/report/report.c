// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/report/report.h"

#include <string.h>

static json_t *on_asked(void *arg)
{
	return view_process(arg);
}

void report_open(struct report *report)
{
	const struct node *node = report->view.node;

	report->view.started_ns = runtime_now_ns();
	report->view.ended = json_array();
	peer_status_open(&report->status, node->runtime.loop, node->identity->id, on_asked,
			 &report->view);
}

void report_close(struct report *report)
{
	peer_status_close(&report->status);
	json_decref(report->view.ended);
}

/* One that is connected again, and ends again, is shown once. */
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

	forget(ended, link->name);
	if (json_array_size(ended) == REPORT_ENDED_MAX)
		json_array_remove(ended, 0);
	json_array_append_new(ended, view_link(report->view.node, link));
}
