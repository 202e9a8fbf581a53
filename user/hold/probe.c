// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold/probe.h"

#include "base/addr.h"
#include "base/log.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define AGAIN_US 600000000ULL

struct hold_probe {
	struct loop *loop;
	struct loop_timer *timer;
	struct stun_endpoint server;
	struct hold_finding finding;
	hold_probe_fn fn;
	void *arg;
	struct nat_lifetime_probe *running; /* NULL between two probes */
	int count;			    /* number of steps in a probe */
	struct log_condition failure;	    /* why the last probe had no result */
};

static void log_failed(struct hold_probe *probe, const char *failure)
{
	char server[ADDR_TEXT_MAX];
	struct log_line line;

	if (!log_condition_set(&probe->failure, failure))
		return;
	log_begin(&line, LOG_LEVEL_WARNING,
		  "hold: the probe has no result; the interval is unchanged");
	log_field(&line, "server", "%s",
		  addr_format_port(&probe->server.addr, probe->server.port_be, server));
	log_field(&line, "reason", "%s", failure);
	log_end(&line);
}

static void on_measured(const struct nat_lifetime_report *report, void *arg)
{
	enum nat_lifetime results[HOLD_STEPS] = { NAT_LIFETIME_UNKNOWN };
	struct hold_probe *probe = arg;
	bool known = false;
	int i;

	for (i = 0; i < report->count; i++) {
		results[i] = report->steps[i].result;
		known |= results[i] != NAT_LIFETIME_UNKNOWN;
	}
	if (report->mapped)
		probe->finding.outermost = report->outermost;
	if (known) {
		log_condition_set(&probe->failure, NULL);
		hold_finding_update(&probe->finding, results);
	} else {
		log_failed(probe, report->failure);
	}
	nat_lifetime_free(probe->running);
	probe->running = NULL;
	loop_timer_start(probe->timer, AGAIN_US);
	probe->fn(&probe->finding, probe->arg);
}

static void on_timer(void *arg)
{
	struct hold_probe *probe = arg;
	uint32_t idle_ms[HOLD_STEPS];
	int i;

	for (i = 0; i < probe->count; i++)
		idle_ms[i] = hold_step_s[i] * 1000;
	probe->running = nat_lifetime_new(probe->loop, &probe->server, NULL, idle_ms, probe->count,
					  on_measured, probe);
	if (probe->running)
		return;
	log_failed(probe, strerror(ENOMEM));
	loop_timer_start(probe->timer, AGAIN_US);
}

struct hold_probe *hold_probe_new(struct loop *loop, const struct stun_endpoint *server,
				  __u32 max_s, hold_probe_fn fn, void *arg)
{
	struct hold_probe *probe = calloc(1, sizeof(*probe));

	if (!probe)
		return NULL;
	*probe = (struct hold_probe){ .loop = loop,
				      .server = *server,
				      .fn = fn,
				      .arg = arg,
				      .count = hold_steps_useful(max_s) };
	probe->timer = loop_timer(loop, false, on_timer, probe);
	if (probe->timer && !loop_timer_start(probe->timer, 0))
		return probe;
	hold_probe_free(probe);
	return NULL;
}

const char *hold_probe_failure(const struct hold_probe *probe)
{
	return probe->failure.text;
}

void hold_probe_free(struct hold_probe *probe)
{
	if (!probe)
		return;
	nat_lifetime_free(probe->running);
	loop_timer_free(probe->loop, probe->timer);
	free(probe);
}
