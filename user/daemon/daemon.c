// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The node daemon.  It loads what its file says, and then follows the host and the file itself.
 * All that it achieves is in the kernel: ending it, however it ends, changes nothing for the
 * traffic, and the next one takes over.
 */
#include "daemon/daemon.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/sd_notify.h"
#include "daemon/config_file.h"
#include "daemon/netns.h"
#include "daemon/sections.h"
#include "daemon/steer.h"
#include "daemon/watch.h"
#include "host/daemon_lock.h"
#include "kernel/links.h"

#include <errno.h>
#include <signal.h>
#include <string.h>

/* Another process may have detached us; the check costs some system calls for each interface. */
#define CHECK_US 10000000

struct node {
	const struct context *context;
	const char *path;
	struct sections planes;
	struct daemon_netns place;
	int lock_fd;
	char bpffs[PATH_MAX];
	struct loop *loop;
	struct watch *watch;
	struct run_steer *steer;
};

/* --- status */

/* "reply: socket"; nothing for a plane that has no section. */
static int section_text(const struct node *node, int plane, char *text, size_t size)
{
	const struct config *config = &node->planes.file->config;

	if (!section_wanted(config, plane))
		return 0;
	if (node->planes.plane[plane].pending)
		return snprintf(text, size, "%s: in trouble", section_name(plane));
	if (plane == SECTION_REPLY)
		return snprintf(text, size, "reply: %s", reply_mode_name(config->reply.mode));
	if (plane == SECTION_WIRE)
		return snprintf(text, size, "wire: %u interfaces", watch_count(node->watch));
	return snprintf(text, size, "steer: %u groups", steer_section_groups(node->steer));
}

static void notify_status(const struct node *node, const char *state)
{
	static const int order[] = { SECTION_REPLY, SECTION_WIRE, SECTION_STEER };
	char status[256] = "";
	size_t used = 0, i;
	int result;

	for (i = 0; i < SECTIONS; i++) {
		char text[64];

		if (section_text(node, order[i], text, sizeof(text)))
			used += (size_t)snprintf(status + used, sizeof(status) - used, "%s%s",
						 used ? ", " : "", text);
	}
	result = sd_notify("%sSTATUS=%s\n", state, status);
	if (result < 0)
		log_warning("service manager: %s", strerror(-result));
}

static void on_changed(void *arg)
{
	const struct node *node = arg;

	/* The status of the first file is sent when all of it has been tried. */
	if (node->planes.file)
		notify_status(node, "");
}

static void on_watchdog(void *arg)
{
	sd_notify("WATCHDOG=1\n");
}

static void on_check(void *arg)
{
	struct node *node = arg;

	if (sections_check(&node->planes)) {
		watch_file(node->watch, node->planes.wire_file);
		notify_status(node, "");
	}
	steer_section_check(node->steer);
	watch_check(node->watch);
}

/* --- a new file */

/* Refuses what the running process cannot change. */
static int refuse_move(const struct node *node, const struct config *config, struct err *err)
{
	const char *what = NULL;

	if (strcmp(config->location.bpffs, node->bpffs))
		what = "[global] bpffs";
	else if (config->has_wire && !daemon_netns_allows(&node->place, config->netns))
		what = "[wire] netns";
	if (!what)
		return 0;
	return err_hint(err,
			err_set(err, EXIT_USAGE, EINVAL, "%s: %s can't change while this runs",
				node->path, what),
			"unload what is loaded there, and restart");
}

/* -errno with *err set if the first file cannot be applied at all. */
static int apply(struct node *node, struct config_file *file, struct err *err)
{
	int result = sections_apply(&node->planes, file, err);

	if (result)
		return result;
	log_logfmt(node->context->verbose ? LOG_LEVEL_DEBUG : file->config.log_level);
	watch_file(node->watch, node->planes.wire_file);
	return 0;
}

static void on_reload(void *arg)
{
	struct config_file *file = NULL;
	struct node *node = arg;
	struct err err;

	sd_notify("RELOADING=1\nMONOTONIC_USEC=%llu\n", clock_now_us());
	if (config_file_read(node->context, node->path, &file, &err) ||
	    refuse_move(node, &file->config, &err) || apply(node, file, &err)) {
		log_err(&err);
		log_warning("reload refused: what was in force stays in force");
	} else {
		log_info("reloaded");
	}
	config_file_drop(file);
	notify_status(node, "READY=1\n");
}

/* --- start and end */

static void on_stop(void *arg)
{
	struct node *node = arg;

	sd_notify("STOPPING=1\nSTATUS=ending; what is loaded stays in force\n");
	log_info("ending: what is loaded stays in force");
	loop_stop(node->loop);
}

static int timer_start(struct node *node, loop_fn fn, __u64 us)
{
	struct loop_timer *timer = loop_timer(node->loop, true, fn, node);

	return timer ? loop_timer_start(timer, us) : -ENOMEM;
}

/* Signals first: one that arrives from here on waits until all is loaded. */
static int loop_setup(struct node *node)
{
	static const struct {
		int number;
		loop_fn fn;
	} signals[] = { { SIGTERM, on_stop }, { SIGINT, on_stop }, { SIGHUP, on_reload } };
	__u64 watchdog_us = sd_notify_watchdog_us();
	int result = loop_new(&node->loop);
	size_t i;

	/* The reader of the log may exit first. */
	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < sizeof(signals) / sizeof(*signals) && !result; i++)
		result = loop_signal(node->loop, signals[i].number, signals[i].fn, node);
	if (!result && watchdog_us)
		result = timer_start(node, on_watchdog, watchdog_us / 2);
	if (!result)
		result = timer_start(node, on_check, CHECK_US);
	if (result)
		return result;
	node->steer = steer_section_new(node->loop, on_changed, node);
	node->planes.steer = node->steer;
	node->watch = watch_new(&(struct watch_settings){ .loop = node->loop,
							  .place = &node->place,
							  .steer = node->steer,
							  .changed = on_changed,
							  .arg = node });
	return node->steer && node->watch ? 0 : -ENOMEM;
}

static int start(struct node *node, struct err *err)
{
	struct config_file *file = NULL;
	int result = loop_setup(node);

	if (result)
		return err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result));
	result = config_file_read(node->context, node->path, &file, err);
	if (result)
		return result;
	if (snprintf(node->bpffs, sizeof(node->bpffs), "%s", file->config.location.bpffs) >=
	    PATH_MAX) {
		result = err_set(err, EXIT_USAGE, ENAMETOOLONG, "bpffs: the path is too long");
		goto out;
	}
	result = daemon_netns_open(&node->place, err);
	if (result)
		goto out;
	result = node->lock_fd = daemon_lock_take(node->bpffs, err);
	if (result < 0)
		goto out;
	result = watch_start(node->watch, err);
	if (result)
		goto out;
	result = apply(node, file, err);
out:
	config_file_drop(file);
	return result;
}

static int serve(struct node *node, struct err *err)
{
	struct log_line line;
	int result;

	log_begin(&line, LOG_LEVEL_INFO, "started");
	log_field(&line, "version", "%s", SLUICE_VERSION);
	log_field(&line, "config", "%s", node->path);
	log_field(&line, "bpffs", "%s", node->bpffs);
	log_end(&line);
	notify_status(node, "READY=1\n");
	result = loop_run(node->loop);
	return result ? err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result)) : 0;
}

int daemon_run(const struct context *context, const char *path, struct err *err)
{
	struct node node = { .context = context,
			     .path = path,
			     .place = { .home_fd = -1, .wire_fd = -1 },
			     .lock_fd = -1,
			     .planes = { .context = context, .place = &node.place } };
	int result;

	log_logfmt(context->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	links_libbpf_log();
	result = start(&node, err);
	if (!result)
		result = serve(&node, err);
	steer_section_free(node.steer);
	loop_free(node.loop);
	watch_free(node.watch);
	if (node.lock_fd >= 0)
		daemon_lock_release(node.bpffs, node.lock_fd);
	daemon_netns_close(&node.place);
	sections_end(&node.planes);
	return result;
}
