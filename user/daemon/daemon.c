// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The node daemon: loads the objects of its file, then follows changes to the host and the file.
 * The kernel holds all state. If the daemon exits or crashes, traffic is not affected, and the next
 * daemon takes over.
 */
#include "daemon/daemon.h"

#include "base/clock.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/progress.h"
#include "base/sd_notify.h"
#include "daemon/child.h"
#include "daemon/config_file.h"
#include "daemon/hold.h"
#include "daemon/metrics.h"
#include "daemon/netns.h"
#include "daemon/reload.h"
#include "daemon/sections.h"
#include "daemon/status_socket.h"
#include "daemon/steer.h"
#include "daemon/watch.h"
#include "host/daemon_lock.h"
#include "kernel/links.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

/*
 * Interval of the check for programs detached by another process. A check costs a few system calls
 * per interface.
 */
#define CHECK_US 10000000
/* Interval for resolving network namespace names again, if the file has any. */
#define FOLLOW_US 1000000

struct node {
	const struct context *context;
	const char *path;
	const struct metrics_address *metrics_given; /* NULL: as in the file */
	struct sections sections;
	struct daemon_netns netns;
	int lock_fd;
	bool lock_lost; /* the loss of the lock has been logged */
	struct err err; /* why the daemon exits; code EXIT_OK: no error */
	char bpffs[PATH_MAX];
	struct loop *loop;
	struct loop_timer *follow;
	struct watch *watch;
	struct steer_section steer;
	struct hold_section hold;
	struct child child[CHILDREN]; /* by section, from SECTIONS */
	struct status_socket status;
	struct daemon_metrics metrics;
};

static void notify_status(const struct node *node, const char *state)
{
	const struct config *config = &node->sections.file->config;
	char status[256] = "";
	size_t used = 0;
	int i, result;

	for (i = 0; i < SECTIONS; i++) {
		const char *name = config_section_names[i];
		char text[64];

		if (!config->has[i])
			continue;
		if (node->sections.section[i].pending)
			snprintf(text, sizeof(text), "failed, retrying");
		else if (i == SECTION_REPLY)
			snprintf(text, sizeof(text), "%s", reply_mode_name(config->reply.mode));
		else if (i == SECTION_WIRE)
			snprintf(text, sizeof(text), "%u interfaces", watch_count(node->watch));
		else if (i == SECTION_STEER)
			snprintf(text, sizeof(text), "%u groups", node->steer.groups);
		else
			snprintf(text, sizeof(text), "%s",
				 node->hold.sender ? "sending" : "not sending");
		used += (size_t)snprintf(status + used, sizeof(status) - used, "%s%s: %s",
					 used ? ", " : "", name, text);
	}
	for (i = SECTIONS; i < SECTION_GLOBAL && used < sizeof(status); i++)
		if (config->has[i])
			used += (size_t)snprintf(status + used, sizeof(status) - used, "%s%s: %s",
						 used ? ", " : "", config_section_names[i],
						 node->child[i - SECTIONS].pid ? "running"
									       : "not running");
	result = sd_notify("%sSTATUS=%s\n", state, status);
	if (result < 0)
		log_warning("service manager: %s", strerror(-result));
}

static void on_changed(void *arg)
{
	struct node *node = arg;

	/* start() sends the first status after it has tried every section. */
	if (!node->sections.file)
		return;
	daemon_metrics_follow(&node->metrics);
	notify_status(node, "");
	status_socket_note(&node->status);
}

/* Sends keepalives during long operations, such as attaching hundreds of groups. */
static void on_progress(void *arg)
{
	struct node *node = arg;

	/* sending leaves the thread in the daemon's own namespace, so it must be there already */
	if (daemon_netns_is_home(&node->netns))
		hold_section_run(&node->hold);
}

static void on_watchdog(void *arg)
{
	sd_notify("WATCHDOG=1\n");
}

/*
 * Opens the status socket. The daemon also runs without it, but 'sluice status' then lacks its
 * state.
 */
static void open_status(struct node *node)
{
	struct log_line line;
	struct err err = { 0 };

	node->status.view.config = node->path;
	node->status.view.sections = &node->sections;
	node->status.view.steer = &node->steer;
	node->status.view.hold = &node->hold;
	node->status.view.child = node->child;
	node->status.view.watch = node->watch;
	if (!status_socket_open(&node->status, node->loop, node->lock_fd, &err))
		return;
	log_begin(&line, LOG_LEVEL_WARNING, "no status socket: 'sluice status' shows the pid only");
	log_field(&line, "reason", "%s", err.what);
	log_end(&line);
}

/* Takes the lock again if its directory was removed. Exits if another daemon holds it. */
static void check_lock(struct node *node)
{
	struct log_line line;
	struct err err = { 0 };
	int fd;

	if (!daemon_lock_is_lost(node->bpffs, node->lock_fd))
		return;
	fd = daemon_lock_take(node->bpffs, &err);
	if (fd < 0 && daemon_lock_holder(node->bpffs)) {
		node->err = err;
		loop_stop(node->loop);
		return;
	}
	if (fd >= 0 || !node->lock_lost) {
		log_begin(&line, LOG_LEVEL_WARNING, "the lock was removed by another process");
		log_field(&line, "dir", "%s/" DAEMON_LOCK_DIR, node->bpffs);
		if (fd >= 0)
			log_field(&line, "result", "locked again");
		else
			log_field(&line, "reason", "%s", err.what);
		log_end(&line);
	}
	node->lock_lost = fd < 0;
	if (fd < 0)
		return;
	close(node->lock_fd);
	node->lock_fd = fd;
	/* the lock directory determines the name of the socket */
	status_socket_close(&node->status);
	open_status(node);
}

static void on_check(void *arg)
{
	struct node *node = arg;

	check_lock(node);
	rates_sample(&node->status.view.rates, node->bpffs);
	if (sections_check(&node->sections)) {
		watch_file(node->watch, node->sections.wire_file);
		notify_status(node, "");
	}
	spread_section_check(&node->steer.spread);
	watch_check(node->watch);
	status_socket_note(&node->status);
}

static void on_follow(void *arg)
{
	struct node *node = arg;

	sections_follow(&node->sections);
	status_socket_note(&node->status);
}

static int apply_metrics(struct node *node, const struct config *config, struct err *err)
{
	return daemon_metrics_apply(
		&node->metrics, node->metrics_given ? node->metrics_given : &config->metrics, err);
}

/* Returns 0, or -errno with *err set if every section of the first file failed. */
static int apply(struct node *node, struct config_file *file, struct err *err)
{
	int i, result = sections_apply(&node->sections, file, err);

	if (result)
		return result;
	log_logfmt(node->context->verbose ? LOG_LEVEL_DEBUG : file->config.log_level);
	watch_file(node->watch, node->sections.wire_file);
	for (i = 0; i < CHILDREN; i++)
		child_apply(&node->child[i], &file->config);
	daemon_metrics_follow(&node->metrics);
	if (sections_name_netns(&node->sections))
		loop_timer_start(node->follow, FOLLOW_US);
	else
		loop_timer_stop(node->follow);
	return 0;
}

static int reload(struct node *node, struct config_file **file, struct err *err)
{
	int result = reload_read(node->context, node->path, node->bpffs, &node->netns, file, err);

	if (!result)
		result = apply_metrics(node, &(*file)->config, err);
	return result ? result : apply(node, *file, err);
}

static void on_reload(void *arg)
{
	struct config_file *file = NULL;
	struct node *node = arg;
	struct err err;

	sd_notify("RELOADING=1\nMONOTONIC_USEC=%llu\n", clock_now_us());
	if (reload(node, &file, &err)) {
		log_err(&err);
		log_warning("reload refused: the previous configuration stays active");
		snprintf(node->status.view.refused, sizeof(node->status.view.refused), "%s",
			 err.what);
	} else {
		node->status.view.refused[0] = '\0';
		log_info("reloaded");
	}
	config_file_put(file);
	notify_status(node, "READY=1\n");
	status_socket_note(&node->status);
}

static void on_stop(void *arg)
{
	struct node *node = arg;

	sd_notify("STOPPING=1\nSTATUS=stopping; loaded programs stay attached\n");
	log_info("stopping: loaded programs stay attached");
	loop_stop(node->loop);
}

static int start_timer(struct node *node, loop_fn fn, __u64 us)
{
	struct loop_timer *timer = loop_timer(node->loop, true, fn, node);

	return timer ? loop_timer_start(timer, us) : -ENOMEM;
}

static int setup_loop(struct node *node)
{
	__u64 watchdog_us = sd_notify_watchdog_us();
	int i, result = loop_new(&node->loop);

	/* The process that reads stderr may exit before the daemon. */
	signal(SIGPIPE, SIG_IGN);
	/* Block signals during the load; they are handled afterwards. */
	if (!result)
		result = loop_signal(node->loop, SIGTERM, on_stop, node);
	if (!result)
		result = loop_signal(node->loop, SIGINT, on_stop, node);
	if (!result)
		result = loop_signal(node->loop, SIGHUP, on_reload, node);
	if (!result && watchdog_us)
		result = start_timer(node, on_watchdog, watchdog_us / 2);
	if (!result)
		result = start_timer(node, on_check, CHECK_US);
	if (!result)
		node->follow = loop_timer(node->loop, true, on_follow, node);
	if (!result && !node->follow)
		result = -ENOMEM;
	if (!result)
		result = steer_section_init(&node->steer, node->loop, on_changed, node);
	if (!result)
		result = hold_section_init(&node->hold, node->loop);
	for (i = 0; i < CHILDREN && !result; i++)
		result = child_init(&node->child[i], (enum config_section)(SECTIONS + i),
				    node->loop, on_changed, node);
	if (result)
		return result;
	node->watch = watch_new(node->loop, &node->netns, &node->steer.spread, on_changed, node);
	return node->watch ? 0 : -ENOMEM;
}

/* Reads the file, takes the lock and loads the file's sections. */
static int start(struct node *node, struct err *err)
{
	struct config_file *file;
	struct log_line line;
	int result = config_file_read(node->context, node->path, &file, err);

	if (result)
		return result;
	if (snprintf(node->bpffs, sizeof(node->bpffs), "%s", file->config.location.bpffs) >=
	    PATH_MAX) {
		result = err_set(err, EXIT_USAGE, ENAMETOOLONG, "bpffs: the path is too long");
		goto out;
	}
	result = daemon_netns_open(&node->netns, err);
	if (result)
		goto out;
	result = node->lock_fd = daemon_lock_take(node->bpffs, err);
	if (result < 0)
		goto out;
	node->status.view.started_ns = clock_now_ns(CLOCK_MONOTONIC);
	open_status(node);
	progress_set_tick(on_progress, node);
	result = watch_start(node->watch, err);
	if (!result)
		result = apply_metrics(node, &file->config, err);
	if (!result)
		result = apply(node, file, err);
	if (result)
		goto out;
	rates_sample(&node->status.view.rates, node->bpffs);
	log_begin(&line, LOG_LEVEL_INFO, "started");
	log_field(&line, "version", "%s", SLUICE_VERSION);
	log_field(&line, "config", "%s", node->path);
	log_field(&line, "bpffs", "%s", node->bpffs);
	log_end(&line);
	notify_status(node, "READY=1\n");
	status_socket_note(&node->status);
out:
	config_file_put(file);
	return result;
}

int daemon_run(const struct context *context, const char *path,
	       const struct metrics_address *metrics, struct err *err)
{
	struct node node = { .context = context,
			     .path = path,
			     .metrics_given = metrics,
			     .netns = { .home_fd = -1, .wire_fd = -1 },
			     .lock_fd = -1,
			     .status = { .fd = -1 },
			     .sections = { .context = context,
					   .netns = &node.netns,
					   .steer = &node.steer,
					   .hold = &node.hold } };
	int i, result;

	log_logfmt(context->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	links_libbpf_log();
	result = setup_loop(&node);
	node.metrics.loop = node.loop;
	node.metrics.view = &node.status.view;
	if (result) {
		err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result));
		goto out;
	}
	result = start(&node, err);
	if (result)
		goto out;
	result = loop_run(node.loop);
	if (result)
		err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result));
	if (!result && node.err.code) {
		*err = node.err;
		result = -EBUSY;
	}
out:
	progress_set_tick(NULL, NULL);
	status_socket_close(&node.status);
	daemon_metrics_end(&node.metrics);
	steer_section_end(&node.steer);
	hold_section_end(&node.hold);
	for (i = 0; i < CHILDREN; i++)
		child_end(&node.child[i]);
	loop_free(node.loop);
	watch_free(node.watch);
	if (node.lock_fd >= 0)
		daemon_lock_release(node.bpffs, node.lock_fd);
	daemon_netns_close(&node.netns);
	sections_end(&node.sections);
	return result;
}
