// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice monitor: prints changes as they happen. The events are the differences between two
 * readings of the state. So the process that makes a change does not matter, and a missing
 * notification only delays the event.
 */
#include "base/clock.h"
#include "base/debounce.h"
#include "base/log.h"
#include "base/loop.h"
#include "cli/suggest.h"
#include "cmd/command.h"
#include "cmd/monitor/diff.h"
#include "cmd/monitor/notify.h"
#include "cmd/monitor/writer.h"
#include "kernel/links.h"
#include "kernel/pins.h"
#include "net/rtnl_events.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A load makes several changes in a row. */
#define QUIET_US 5000
#define BOUND_US 50000
/* Interval while an event depends on the next reading. */
#define SETTLE_US 200000

static struct options {
	bool stamp;
	__u32 interval_s;
} options;

static const struct opt opts[] = {
	{ "timestamp", 't', NULL, opt_switch, offsetof(struct options, stamp),
	  "begin each line with the local time" },
	{ "interval", 'i', "SECONDS", opt_u32, offsetof(struct options, interval_s),
	  "read the state every SECONDS, for changes without a notification", .min = 1, .max = 3600,
	  .preset = "1" },
	{ .name = NULL },
};

struct monitor {
	const struct options *options;
	const char *bpffs;
	unsigned int objects; /* one bit per selected object */
	struct output output;
	struct loop *loop;
	struct loop_timer *regular, *after_changes;
	struct debounce debounce;
	struct monitor_notify notify;
	struct monitor_writer writer;
	struct monitor_state state;
	__u64 interval_ns;
	__u64 looked_ns;	   /* at the state; 0: none yet; CLOCK_BOOTTIME includes suspend */
	int daemon_pid, daemon_fd; /* the process being watched, or 0, and its pidfd */
	struct rtnl *rtnl;	   /* NULL: mode wire is not loaded */
	bool output_waits;	   /* the consumer of the output is busy */
	struct timespec at;
	int result;
	struct err *err;
};

static void on_event(const struct monitor_event *event, void *arg)
{
	struct monitor *monitor = arg;
	json_t *document;

	if (event->object != MONITOR_SELF && !(monitor->objects & 1u << event->object))
		return;
	document = monitor_event_json(event, &monitor->at);
	if (monitor->output.json) {
		output_json(&monitor->output, document);
		return;
	}
	monitor_event_print(document, &monitor->at, monitor->options->stamp, &monitor->output);
	json_decref(document);
}

/*
 * Returns true if the daemon must be queried. The daemon notifies its changes, and each query costs
 * it milliseconds.
 */
static bool must_ask(const struct monitor *monitor)
{
	const struct monitor_daemon *daemon = &monitor->state.daemon;

	return !monitor->looked_ns || monitor->notify.daemon || monitor->notify.overflow ||
	       *daemon->reason || (daemon->pid && monitor->notify.socket_wd < 0) ||
	       /* the exit of a process in another PID namespace is not notified */
	       daemon->pid != monitor->daemon_pid;
}

static void state_take(struct monitor *monitor, struct monitor_state *state)
{
	struct monitor_notify *notify = &monitor->notify;
	struct monitor_reading reading;
	int object;

	monitor_notify_follow(notify);
	monitor_notify_read(notify);
	reading.groups = notify->changed || notify->dir_wd < 0;
	reading.daemon = must_ask(monitor);
	monitor_state_read(monitor->bpffs, monitor->looked_ns ? &monitor->state : NULL, &reading,
			   state);
	clock_gettime(CLOCK_REALTIME, &monitor->at);
	state->overflow = notify->overflow;
	state->remade = notify->remade;
	for (object = 0; object < MONITOR_OBJECTS; object++) {
		struct monitor_load *load = &state->load[object];

		load->made = notify->made[object];
		load->detached |= load->cgroup_id == notify->cgroup[object].id &&
				  notify->cgroup[object].is_removed;
	}
	notify->changed = notify->overflow = notify->daemon = notify->remade = false;
}

/* Coalesces the changes of a load. */
static void expect_changes(struct monitor *monitor)
{
	__u64 now = clock_now_us(), due;

	debounce_event(&monitor->debounce, now);
	due = monitor->debounce.due_us;
	loop_timer_start(monitor->after_changes, due > now ? due - now : 0);
}

/* --- the daemon's process: when a daemon is killed, no file changes */

static void daemon_forget(struct monitor *monitor)
{
	if (monitor->daemon_fd >= 0) {
		loop_remove(monitor->loop, monitor->daemon_fd);
		close(monitor->daemon_fd);
	}
	monitor->daemon_fd = -1;
	monitor->daemon_pid = 0;
}

static void on_daemon_ended(void *arg)
{
	struct monitor *monitor = arg;

	daemon_forget(monitor);
	expect_changes(monitor);
}

static void daemon_follow(struct monitor *monitor)
{
	int pid = monitor->state.daemon.pid;

	if (pid == monitor->daemon_pid)
		return;
	daemon_forget(monitor);
	if (pid <= 0)
		return;
	monitor->daemon_fd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (monitor->daemon_fd < 0)
		return;
	monitor->daemon_pid = pid;
	if (loop_read(monitor->loop, monitor->daemon_fd, on_daemon_ended, monitor))
		daemon_forget(monitor);
}

/* --- interfaces of mode wire: when an interface is deleted, no file changes either */

static void on_link(const struct rtnl_link *link, void *arg)
{
}

static void on_link_gone(const struct rtnl_link *link, void *arg)
{
	struct monitor *monitor = arg;
	int i;

	for (i = 0; i < monitor->state.iface_count; i++)
		if (monitor->state.ifaces[i].ifindex == link->index)
			expect_changes(monitor);
}

static void on_links_lost(void *arg)
{
	expect_changes(arg);
}

static void on_links(void *arg)
{
	struct monitor *monitor = arg;

	rtnl_read(monitor->rtnl);
}

static void links_follow(struct monitor *monitor, bool wanted)
{
	static const struct rtnl_handlers handlers = { on_link, on_link_gone, on_links_lost };

	if (wanted == (monitor->rtnl != NULL))
		return;
	if (wanted) {
		if (rtnl_open(&monitor->rtnl, &handlers, monitor))
			monitor->rtnl = NULL;
		else
			loop_read(monitor->loop, rtnl_fd(monitor->rtnl), on_links, monitor);
		return;
	}
	loop_remove(monitor->loop, rtnl_fd(monitor->rtnl));
	rtnl_close(monitor->rtnl);
	monitor->rtnl = NULL;
}

/* --- readings of the state */

/* Subscribes to the kernel's notifications for the objects in the state. */
static void follow(struct monitor *monitor)
{
	daemon_follow(monitor);
	links_follow(monitor, monitor->state.load[MONITOR_WIRE].state == MONITOR_IS_LOADED);
	monitor_notify_cgroups(&monitor->notify, &monitor->state);
}

/* Stops with an error. On a closed pipe, dies of SIGPIPE as other commands do. */
static void output_failed(struct monitor *monitor, int error)
{
	if (error == EPIPE)
		raise(SIGPIPE);
	monitor->result = err_set(monitor->err, EXIT_ERROR, error, "standard output: %s",
				  strerror(error));
	loop_stop(monitor->loop);
}

/*
 * Writes the events. Schedules the next reading only after the last event, which limits the
 * backlog.
 */
static bool output_events(struct monitor *monitor)
{
	__u64 next_us = monitor->interval_ns / 1000;
	int result = monitor_writer_flush(&monitor->writer);

	if (next_us > SETTLE_US && !monitor_diff_is_settled(&monitor->state))
		next_us = SETTLE_US;
	if (result < 0)
		output_failed(monitor, -result);
	else if (!result)
		loop_timer_start(monitor->regular, next_us);
	monitor->output_waits = result > 0;
	return !result;
}

/* Reads the state and compares it with the previous state. */
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
	follow(monitor);
	debounce_ran(&monitor->debounce, began, clock_now_us());
	output_events(monitor);
}

static void on_regular(void *arg)
{
	struct monitor *monitor = arg;

	if (!monitor->output_waits)
		look(monitor);
}

static void on_after_changes(void *arg)
{
	struct monitor *monitor = arg;

	/* a regular reading may already include them */
	if (monitor->debounce.pending && !monitor->output_waits)
		look(monitor);
}

static void on_notified(void *arg)
{
	struct monitor *monitor = arg;

	if (monitor_notify_read(&monitor->notify))
		expect_changes(monitor);
}

static void on_output(void *arg)
{
	struct monitor *monitor = arg;

	if (output_events(monitor))
		look(monitor);
}

static void on_stop(void *arg)
{
	struct monitor *monitor = arg;

	loop_stop(monitor->loop);
}

/* --- start */

/* Returns one bit per object, or -errno with *err set. */
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
			       : err_hint(
					 err, -EINVAL,
					 "give daemon, reply, wire, hold, steer, rendezvous or peer");
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
	result = monitor_writer_open(&monitor->writer, monitor->loop, on_output, monitor);
	if (result)
		return result;
	monitor->output.file = monitor->writer.file;
	result = monitor_notify_open(&monitor->notify, monitor->bpffs);
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
		.options = into,
		.bpffs = context->bpffs,
		.output = context->output,
		.debounce = { .quiet_us = QUIET_US, .bound_us = BOUND_US },
		.notify = { .fd = -1 },
		.daemon_fd = -1,
		.err = err,
	};
	int result = objects_parse(words, word, err);

	if (result < 0)
		return result;
	monitor.objects = (unsigned int)result;
	monitor.interval_ns = monitor.options->interval_s * 1000000000ULL;
	/* a wrong directory would never produce an event */
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
	monitor.looked_ns = clock_now_ns(CLOCK_BOOTTIME);
	follow(&monitor);
	output_events(&monitor);
	log_info("watching %s", context->bpffs);
	result = loop_run(monitor.loop);
	if (result)
		err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result));
	else
		result = monitor.result;
out:
	monitor_writer_close(&monitor.writer);
	daemon_forget(&monitor);
	links_follow(&monitor, false);
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
	.help = "OBJECT is daemon, reply, wire, hold, steer, rendezvous or peer; by default, all of them.\n"
		"Each event is one line, or with -j, one JSON object.  Objects that are already loaded\n"
		"are not events.  SIGINT stops the command.\n"
		"\n"
		"events:\n"
		"  loaded, replaced, unloaded      an object, by a command or the daemon\n"
		"  incomplete                      a load or an unload was killed\n"
		"  detached, attached              a program or interface, by another process\n"
		"  group-added, group-removed      of steer\n"
		"  worker-joined, worker-left      a socket of a group\n"
		"  generation                      new flows of the group go to another generation\n"
		"  drain-started, drain-finished, drain-cancelled\n"
		"  wrong                           replies left from a wrong address (reply audit)\n"
		"  waiting, applied, removed       a section of the daemon's file\n"
		"  started, stopped, reload-refused  of the daemon\n"
		"  gap                             changes that this command has missed\n"
		"\n"
		"Changes by sluice are reported within milliseconds, other changes within --interval.\n"
		"See sluice-monitor(8).\n\n"
		"examples:\n"
		"  sluice monitor --timestamp\n"
		"  sluice monitor steer\n"
		"  sluice -j monitor reply | jq -r 'select(.event == \"wrong\") | .process'\n",
};
