// SPDX-License-Identifier: GPL-2.0-or-later
#include "nat/lifetime_watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct lifetime_watch {
	struct lifetime_watch_options options;
	struct loop *loop;
	struct loop_timer *timer;
	struct nat_finding finding;
	struct nat_lifetime_probe *running; /* NULL between two probes */
	int count;			    /* number of steps in a probe */
};

static void report(struct lifetime_watch *watch, const char *failure)
{
	loop_timer_start(watch->timer, watch->options.again_s * 1000000ULL);
	watch->options.fn(&watch->finding, failure, watch->options.arg);
}

static void on_measured(const struct nat_lifetime_report *found, void *arg)
{
	enum nat_lifetime results[NAT_INTERVAL_STEPS] = { NAT_LIFETIME_UNKNOWN };
	struct lifetime_watch *watch = arg;
	char failure[sizeof(found->failure)];
	bool known = false;
	int i;

	for (i = 0; i < found->count; i++) {
		results[i] = found->steps[i].result;
		known |= results[i] != NAT_LIFETIME_UNKNOWN;
	}
	if (found->mapped)
		watch->finding.outermost = found->outermost;
	if (known)
		nat_finding_update(&watch->finding, results);
	snprintf(failure, sizeof(failure), "%s", known ? "" : found->failure);
	nat_lifetime_free(watch->running);
	watch->running = NULL;
	report(watch, failure);
}

static void on_timer(void *arg)
{
	struct lifetime_watch *watch = arg;
	uint32_t idle_ms[NAT_INTERVAL_STEPS];
	int i;

	for (i = 0; i < watch->count; i++)
		idle_ms[i] = nat_interval_step_s[i] * 1000;
	watch->running = nat_lifetime_new(watch->loop, &watch->options.server, NULL, idle_ms,
					  watch->count, on_measured, watch);
	if (watch->running)
		nat_lifetime_end_early(watch->running);
	else
		report(watch, strerror(ENOMEM));
}

struct lifetime_watch *lifetime_watch_new(struct loop *loop,
					  const struct lifetime_watch_options *options)
{
	struct lifetime_watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	watch->options = *options;
	watch->loop = loop;
	watch->count = nat_interval_steps(options->max_s);
	watch->timer = loop_timer(loop, false, on_timer, watch);
	if (watch->timer && !loop_timer_start(watch->timer, 0))
		return watch;
	lifetime_watch_free(watch);
	return NULL;
}

void lifetime_watch_free(struct lifetime_watch *watch)
{
	if (!watch)
		return;
	nat_lifetime_free(watch->running);
	loop_timer_free(watch->loop, watch->timer);
	free(watch);
}
