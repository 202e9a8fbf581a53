// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/hold.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/log.h"
#include "hold/hold.h"
#include "kernel/load_outcome.h"
#include "net/netns.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define PROBE_S 600 /* time between two probes */

void hold_section_run(struct hold_section *hold)
{
	__u64 next, now = clock_now_ns(CLOCK_BOOTTIME);

	if (!hold->sender)
		return;
	next = hold_sender_run(hold->sender, now);
	now = clock_now_ns(CLOCK_BOOTTIME);
	loop_timer_start(hold->timer, next > now ? (next - now) / 1000 + 1 : 0);
}

static void on_timer(void *arg)
{
	hold_section_run(arg);
}

static void log_failed(struct hold_section *hold, const char *failure)
{
	char text[ADDR_TEXT_MAX];
	struct log_line line;

	if (!log_condition_set(&hold->probe_failure, *failure ? failure : NULL) || !*failure)
		return;
	log_begin(&line, LOG_LEVEL_WARNING,
		  "hold: the probe has no result; the interval is unchanged");
	log_field(&line, "server", "%s",
		  addr_format_port(&hold->server.addr, hold->server.port_be, text));
	log_field(&line, "reason", "%s", failure);
	log_end(&line);
}

static void on_probed(const struct nat_finding *finding, const char *failure, void *arg)
{
	struct hold_section *hold = arg;
	struct log_line line;

	log_failed(hold, failure);

	if (hold->sender)
		hold_sender_probed(hold->sender, finding);
	if (hold->finding.proven_s == finding->proven_s &&
	    hold->finding.shorter == finding->shorter &&
	    hold->finding.outermost == finding->outermost)
		return;
	hold->finding = *finding;
	log_begin(&line, LOG_LEVEL_INFO, "hold: probe");
	log_field(&line, "mapping_lives_s", "%u", finding->proven_s);
	if (finding->shorter)
		log_field(&line, "shorter_than_s", "%u", nat_interval_step_s[0]);
	log_field(&line, "outermost", "%s", finding->outermost ? "yes" : "no");
	log_end(&line);
}

/* Stops sending and probing. */
static void stop(struct hold_section *hold)
{
	lifetime_watch_free(hold->probe);
	hold->probe = NULL;
	hold_sender_free(hold->sender);
	hold->sender = NULL;
}

static int find_cgroup(struct hold_section *hold, struct config_file *file,
		       const struct context *context, struct err *err)
{
	const char *own = file->config.hold_cgroup;
	int result = own ? 0 : config_file_need_cgroup(file, context, err);

	if (!result)
		snprintf(hold->cgroup, sizeof(hold->cgroup), "%s", own ? own : file->cgroup);
	return result;
}

static void log_applied(const struct hold_options *options, const struct hold_send_options *send,
			const struct hold_result *result)
{
	struct log_line line;
	char ports[512];

	if (result->missed_closes)
		log_info("hold: the flow table starts empty: the programs were detached");
	if (result->before.magic && result->before.table != options->table) {
		log_begin(&line, LOG_LEVEL_INFO, "hold: the flow table starts empty");
		log_field(&line, "table", "%u", options->table);
		log_field(&line, "before", "%u", result->before.table);
		log_end(&line);
	}
	ports_format(&options->ports, ports, sizeof(ports));
	log_begin(&line, LOG_LEVEL_INFO, "hold is active");
	log_field(&line, "outcome", "%s", load_outcome_name(result->outcome, result->as_before));
	log_field(&line, "ports", "%s", ports);
	log_field(&line, "payload", "%s", hold_payloads[send->payload]);
	log_field(&line, "table_bytes", "%llu", hold_table_bytes(options->table));
	log_end(&line);
	if (!send->interval_s || send->interval_s >= NAT_INTERVAL_FLOOR_S)
		return;
	log_begin(&line, LOG_LEVEL_WARNING,
		  "hold: the interval is below the 15 s that RFC 8085 allows on the Internet");
	log_field(&line, "interval_s", "%u", send->interval_s);
	log_end(&line);
}

/* Starts to send keepalives, and to probe if the file has a probe key. */
static int start(struct hold_section *hold, const struct config *config, struct err *err)
{
	const struct hold_send_options *send = &config->hold_send;
	int result = hold_sender_new(&hold->sender, config->location.bpffs, send, err);

	if (result)
		return result;
	hold->finding = (struct nat_finding){ 0 };
	log_condition_set(&hold->probe_failure, NULL);
	if (send->probe.port_be) {
		const struct lifetime_watch_options options = { .server = send->probe,
								.max_s = send->interval_max_s,
								.again_s = PROBE_S,
								.fn = on_probed,
								.arg = hold };

		hold->server = send->probe;
		hold->probe = lifetime_watch_new(hold->loop, &options);
		if (!hold->probe)
			log_warning("hold: no probe: %s", strerror(ENOMEM));
	}
	loop_timer_start(hold->timer, 0);
	log_condition_set(&hold->failure, NULL);
	return 0;
}

int hold_section_apply(struct hold_section *hold, struct config_file *file,
		       const struct context *context, bool follows, struct err *err)
{
	const struct config *wanted = &file->config;
	struct hold_options options = wanted->hold;
	struct hold_result result = { .count = 0 };
	int error = find_cgroup(hold, file, context, err);

	if (!error)
		error = netns_number(wanted->hold_netns, &options.netns, err);
	if (error)
		return error;
	options.bpffs = wanted->location.bpffs;
	options.cgroup = hold->cgroup;
	options.by_daemon = true;
	options.follows = follows;
	error = hold_load(&options, &result, err);
	if (error || result.outcome == LOAD_LEFT)
		return error;
	stop(hold);
	error = start(hold, wanted, err);
	if (!error)
		log_applied(&options, &wanted->hold_send, &result);
	return error;
}

void hold_section_check(struct hold_section *hold, const struct config *config, bool loaded)
{
	const char *bpffs = config->location.bpffs;
	struct err err;

	if (loaded && hold->sender && !hold_sender_outdated(hold->sender, bpffs))
		return;
	stop(hold);
	if (!loaded) {
		log_condition_set(&hold->failure, NULL);
		return;
	}
	if (!start(hold, config, &err)) {
		log_info("hold: loaded by another process; sending with its settings");
	} else if (log_condition_set(&hold->failure, err.what)) {
		log_err(&err);
	}
}

void hold_section_drop(struct hold_section *hold, const char *bpffs)
{
	struct err err;
	int pins;

	stop(hold);
	pins = hold_unload_own(bpffs, &err);
	if (pins < 0)
		log_err(&err);
	else if (pins)
		log_info("hold unloaded");
}

int hold_section_init(struct hold_section *hold, struct loop *loop)
{
	*hold = (struct hold_section){ .loop = loop };
	hold->timer = loop_timer(loop, false, on_timer, hold);
	return hold->timer ? 0 : -ENOMEM;
}

void hold_section_end(struct hold_section *hold)
{
	stop(hold);
}
