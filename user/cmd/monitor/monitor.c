// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice monitor: prints changes as they happen. The events are the differences of two readings of
 * the state, so it does not matter which process makes a change, and a change without a
 * notification is only late.
 */
#include "base/clock.h"
#include "base/debounce.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/suggest.h"
#include "cmd/command.h"
#include "cmd/monitor/diff.h"
#include "cmd/monitor/notify.h"
#include "kernel/links.h"
#include "kernel/pins.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

/* A load makes several changes one after another. */
#define QUIET_US 5000
#define BOUND_US 50000

static struct options {
	bool stamp;
	__u32 interval_s;
} options;

static const struct opt opts[] = {
	{ "timestamp", 't', NULL, opt_switch, offsetof(struct options, stamp),
	  "begin each line with the local time" },
	{ "interval", 'i', "SECONDS", opt_u32, offsetof(struct options, interval_s),
	  "read the state every SECONDS, for what the kernel does not notify", .min = 1,
	  .max = 3600, .preset = "1" },
	{ .name = NULL },
};

struct monitor {
	const struct context *context;
	const struct options *options;
	unsigned int objects; /* a bit for each that is wanted */
	struct loop *loop;
	struct loop_timer *regular, *after_changes;
	struct debounce debounce;
	struct monitor_notify notify;
	struct monitor_state state;
	__u64 interval_ns;
	/* CLOCK_BOOTTIME, which includes the time in suspend */
	__u64 looked_ns; /* at the state; 0: not yet */
	__u64 ask_ns;	 /* when to ask the daemon again */
	struct timespec at;
	int result;
	struct err *err;
};

static void on_event(const struct monitor_event *event, void *arg)
{
	struct monitor *monitor = arg;
	const struct output *output = &monitor->context->output;
	json_t *document;

	if (event->object != MONITOR_SELF && !(monitor->objects & 1u << event->object))
		return;
	document = monitor_event_json(event, &monitor->at);
	if (output->json) {
		output_json(output, document);
		return;
	}
	monitor_event_print(document, &monitor->at, monitor->options->stamp, output);
	json_decref(document);
}

/* Asks the daemon too if it has notified a change, or was asked an interval ago. */
static void state_take(struct monitor *monitor, struct monitor_state *state)
{
	const struct monitor_state *before = monitor->looked_ns ? &monitor->state : NULL;
	struct monitor_notify *notify = &monitor->notify;
	__u64 now_ns = clock_now_ns(CLOCK_BOOTTIME);
	int object;

	monitor_notify_follow(notify);
	monitor_notify_read(notify);
	if (now_ns >= monitor->ask_ns || notify->daemon) {
		monitor_state_read(monitor->context->bpffs, before, true, state);
		monitor->ask_ns = now_ns + monitor->interval_ns;
	} else {
		monitor_state_read(monitor->context->bpffs, before, false, state);
	}
	clock_gettime(CLOCK_REALTIME, &monitor->at);
	state->overflow = notify->overflow;
	for (object = 0; object < MONITOR_OBJECTS; object++)
		state->load[object].made = notify->made[object];
	notify->overflow = notify->daemon = false;
}

/* Compares the state with the last one. */
static void look(struct monitor *monitor)
{
	__u64 due_ns = monitor->looked_ns + monitor->interval_ns;
	__u64 began = clock_now_us(), now_ns = clock_now_ns(CLOCK_BOOTTIME);
	struct monitor_state after;

	state_take(monitor, &after);
	monitor_diff(&monitor->state, &after, now_ns > due_ns ? now_ns - due_ns : 0, on_event,
		     monitor);
	monitor_state_free(&monitor->state);
	monitor->state = after;
	monitor->looked_ns = clock_now_ns(CLOCK_BOOTTIME);
	debounce_ran(&monitor->debounce, began, clock_now_us());
	loop_timer_start(monitor->regular, monitor->interval_ns / 1000);
	if (!fflush(monitor->context->output.file))
		return;
	monitor->result = err_set(monitor->err, EXIT_ERROR, errno, "standard output: %s",
				  strerror(errno));
	loop_stop(monitor->loop);
}

static void on_regular(void *arg)
{
	look(arg);
}

static void on_after_changes(void *arg)
{
	struct monitor *monitor = arg;

	/* a regular look may have seen them */
	if (monitor->debounce.pending)
		look(monitor);
}

static void on_notified(void *arg)
{
	struct monitor *monitor = arg;
	__u64 now = clock_now_us(), due;

	if (!monitor_notify_read(&monitor->notify))
		return;
	debounce_event(&monitor->debounce, now);
	due = monitor->debounce.due_us;
	loop_timer_start(monitor->after_changes, due > now ? due - now : 0);
}

static void on_stop(void *arg)
{
	struct monitor *monitor = arg;

	loop_stop(monitor->loop);
}

/* --- start */

/* Returns the bits of the objects, or -errno with *err set. */
static int objects_parse(int words, char **word, struct err *err)
{
	const char *nearest;
	int i, object, objects = 0;

	for (i = 0; i < words; i++) {
		for (object = 0; object < MONITOR_OBJECTS; object++)
			if (!strcmp(word[i], monitor_object_names[object]))
				break;
		if (object < MONITOR_OBJECTS) {
			objects |= 1 << object;
			continue;
		}
		nearest = suggest_nearest(word[i], monitor_object_names, MONITOR_OBJECTS);
		err_set(err, EXIT_USAGE, EINVAL, "unknown object '%s'", word[i]);
		return nearest ? err_hint(err, -EINVAL, "did you mean '%s'?", nearest)
			       : err_hint(err, -EINVAL,
					  "give daemon, reply, wire, hold, steer or rendezvous");
	}
	return objects ? objects : (1 << MONITOR_OBJECTS) - 1;
}

static int setup(struct monitor *monitor)
{
	int result = loop_new(&monitor->loop);

	if (!result)
		result = loop_signal(monitor->loop, SIGINT, on_stop, monitor);
	if (!result)
		result = loop_signal(monitor->loop, SIGTERM, on_stop, monitor);
	if (result)
		return result;
	monitor->regular = loop_timer(monitor->loop, false, on_regular, monitor);
	monitor->after_changes = loop_timer(monitor->loop, false, on_after_changes, monitor);
	if (!monitor->regular || !monitor->after_changes)
		return -ENOMEM;
	result = monitor_notify_open(&monitor->notify, monitor->context->bpffs);
	if (!result)
		result = loop_read(monitor->loop, monitor->notify.fd, on_notified, monitor);
	if (!result)
		return 0;
	log_warning("no notifications (inotify: %s): each change is seen within %u s",
		    strerror(-result), monitor->options->interval_s);
	monitor_notify_close(&monitor->notify);
	return 0;
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct monitor monitor = {
		.context = context,
		.options = into,
		.debounce = { .quiet_us = QUIET_US, .bound_us = BOUND_US },
		.notify = { .fd = -1 },
		.err = err,
	};
	int result = objects_parse(words, word, err);

	if (result < 0)
		return result;
	monitor.objects = (unsigned int)result;
	monitor.interval_ns = monitor.options->interval_s * 1000000000ULL;
	/* a wrong directory would never show an event */
	result = pins_exist(context->bpffs, "reply", err);
	if (result < 0)
		return result;
	links_libbpf_log();
	result = setup(&monitor);
	if (result) {
		err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result));
		goto out;
	}
	state_take(&monitor, &monitor.state);
	monitor_diff_begin(&monitor.state, on_event, &monitor);
	fflush(context->output.file);
	monitor.looked_ns = clock_now_ns(CLOCK_BOOTTIME);
	loop_timer_start(monitor.regular, monitor.interval_ns / 1000);
	log_info("watching %s", context->bpffs);
	result = loop_run(monitor.loop);
	if (result)
		err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result));
	else
		result = monitor.result;
out:
	loop_free(monitor.loop);
	monitor_notify_close(&monitor.notify);
	monitor_state_free(&monitor.state);
	return result;
}

const struct command monitor_command = {
	.object = "monitor",
	.summary = "print changes of objects, groups, workers and sections as they happen",
	.words = "[OBJECT...]",
	.operands = monitor_object_names,
	.max_words = MONITOR_OBJECTS,
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "OBJECT is daemon, reply, wire, hold, steer or rendezvous; by default, all of them.\n"
		"One line is one event; with -j, one JSON object.  What is loaded at the start is not\n"
		"an event.  An interrupt ends the command.\n"
		"\n"
		"events:\n"
		"  loaded, replaced, unloaded      an object, by a command or the daemon\n"
		"  incomplete                      a load or an unload was killed\n"
		"  detached, attached              a program or interface, by another process\n"
		"  group-added, group-removed      of steer\n"
		"  worker-joined, worker-left      a socket of a group\n"
		"  generation                      new flows of the group go to another one\n"
		"  drain-started, drain-finished, drain-cancelled\n"
		"  wrong                           replies left from a wrong address (reply audit)\n"
		"  waiting, applied, removed       a section of the daemon's file\n"
		"  started, stopped, reload-refused  of the daemon\n"
		"  gap                             changes that this command has not seen\n"
		"\n"
		"Changes that sluice makes are seen within milliseconds, other ones within --interval.\n"
		"See sluice-monitor(8).\n\n"
		"examples:\n"
		"  sluice monitor --timestamp\n"
		"  sluice monitor steer\n"
		"  sluice -j monitor reply | jq -r 'select(.event == \"wrong\") | .process'\n",
};
