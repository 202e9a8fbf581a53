// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/progress.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/sd_notify.h"

#define INTERVAL_US 2000000

static void (*on_step)(void *arg);
static void *on_step_arg;

void progress_set_tick(void (*tick)(void *arg), void *arg)
{
	on_step = tick;
	on_step_arg = arg;
}

struct progress progress_begin(const char *what)
{
	return (struct progress){ what, clock_now_us() + INTERVAL_US };
}

void progress_report(struct progress *progress, int done, int total)
{
	__u64 now = clock_now_us();

	if (on_step)
		on_step(on_step_arg);
	if (now < progress->due_us)
		return;
	progress->due_us = now + INTERVAL_US;
	log_info("%s: %d of %d", progress->what, done, total);
	/*
	 * the event loop, which usually feeds systemd's watchdog, is blocked until the operation
	 * ends
	 */
	sd_notify("WATCHDOG=1\n");
}
