// SPDX-License-Identifier: GPL-2.0-or-later
/* Implements peer run: exposes services to other peers. */
#include "base/log.h"
#include "base/sd_notify.h"
#include "meet/node/node.h"
#include "meet/peer/process.h"
#include "meet/privileges.h"
#include "meet/report/parent.h"
#include "meet/report/report.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

struct exposer {
	struct node node;
	struct report report;
	struct parent parent; /* with --until-eof */
};

static void on_registered(void *arg)
{
	sd_notify("READY=1");
}

static void on_ready(void *arg, struct link *link)
{
	struct exposer *exposer = arg;
	struct log_line line;

	log_begin(&line, LOG_LEVEL_INFO, "connected");
	log_field(&line, "peer", "%s", link->name);
	log_end(&line);
	report_path(&exposer->report, link);
}

static void on_path_changed(void *arg, struct link *link)
{
	report_path(&((struct exposer *)arg)->report, link);
}

static void on_over(void *arg, struct link *link)
{
	struct exposer *exposer = arg;
	struct log_line line;

	log_begin(&line, LOG_LEVEL_INFO, "disconnected");
	log_field(&line, "peer", "%s", link->name);
	log_field(&line, "reason", "%s", link->end);
	log_end(&line);
	report_over(&exposer->report, link);
}

static void on_stop(void *arg)
{
	loop_stop(((struct exposer *)arg)->node.runtime.loop);
}

int peer_serve(const struct peer_identity *identity, const struct peer_exposed *exposed,
	       bool verbose, struct err *err)
{
	struct exposer exposer = {
		.node = { .runtime = { .services = exposed->service,
				       .service_count = exposed->count,
				       .ready = on_ready,
				       .path_changed = on_path_changed,
				       .arg = &exposer },
			  .hooks = { .registered = on_registered, .over = on_over },
			  .identity = identity },
		.report = { .view.node = &exposer.node },
		.parent = { .view = &exposer.report.view, .stop = on_stop, .arg = &exposer },
	};
	struct loop *loop;
	int result;

	signal(SIGPIPE, SIG_IGN);
	log_logfmt(verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	result = node_open(&exposer.node, err);
	if (!result)
		result = report_open(&exposer.report, err);
	if (!result && identity->user)
		result = privileges_drop(identity->user, err);
	if (!result) {
		loop = exposer.node.runtime.loop;
		result = loop_signal(loop, SIGTERM, on_stop, &exposer);
		if (!result)
			result = loop_signal(loop, SIGINT, on_stop, &exposer);
		if (!result && exposed->until_eof)
			result = parent_watch(&exposer.parent);
		if (!result)
			result = loop_run(loop);
		if (result)
			err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result));
	}
	if (result && exposed->until_eof)
		parent_report(err->what);
	report_close(&exposer.report);
	node_close(&exposer.node);
	return result;
}
