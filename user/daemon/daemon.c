// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The node daemon.  It loads what its file says, and then follows the host: interfaces and routes
 * that come and go, and the file itself.  All that it achieves is in the kernel:
 * ending it, however it ends, changes nothing for the traffic, and the next one takes over.
 */
#include "daemon/daemon.h"

#include "base/clock.h"
#include "base/debounce.h"
#include "base/log.h"
#include "base/loop.h"
#include "base/rtnl_events.h"
#include "base/sd_notify.h"
#include "daemon/config_file.h"
#include "daemon/interfaces.h"
#include "daemon/netns.h"
#include "daemon/sections.h"
#include "daemon/steer.h"
#include "host/daemon_lock.h"
#include "kernel/links.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Routes come by the ten thousand, and the kernel is asked about them as well. */
#define ROUTES_QUIET_US 250000
#define ROUTES_BOUND_US 3000000
/* After a failure the interfaces are looked at again, at ever longer intervals. */
#define RETRY_US     1000000
#define RETRY_MAX_US 64000000
/* Somebody may have detached us; a look costs some system calls for each interface. */
#define CHECK_US 10000000

struct node;

/* One of the namespaces that are watched. */
struct watch {
	struct node *node;
	struct rtnl *news;
	struct loop_timer *look;
	struct settle routes;
	__u64 heard_us; /* the news that are being told */
	int netns_fd;
	bool deaf; /* its news can't be acted upon now, and so are not waited for */
};

enum {
	HOME,
	WIRE, /* where it is not at home */
	WATCHES
};

struct node {
	const struct context *context;
	const char *path;
	struct run_planes planes;
	struct run_file *followed; /* what `follow` goes by */
	struct run_place place;
	int claim_fd;
	char bpffs[PATH_MAX];
	struct loop *loop;
	struct watch watch[WATCHES];
	struct follow *follow;
	struct run_steer *steer;
	struct loop_timer *retry;
	__u64 retry_us;
	size_t routes_left_out;
};

/* Is it in the namespace of this watch? */
static bool has_wire(const struct watch *watch)
{
	const struct node *node = watch->node;

	return (watch == &node->watch[WIRE]) == (node->place.wire_fd >= 0);
}

/* --- how it stands */

/* "reply: socket"; nothing for what has no section. */
static int plane_text(const struct node *node, int plane, char *text, size_t size)
{
	const struct run_config *config = &node->planes.file->config;

	if (plane == RUN_REPLY	? !config->has_reply
	    : plane == RUN_WIRE ? !config->has_wire
				: !config->has_steer)
		return 0;
	if (node->planes.plane[plane].pending)
		return snprintf(text, size, "%s: in trouble", run_plane_name(plane));
	if (plane == RUN_REPLY)
		return snprintf(text, size, "reply: %s", reply_mode_name(config->reply.mode));
	if (plane == RUN_WIRE)
		return snprintf(text, size, "wire: %u interfaces", follow_count(node->follow));
	return snprintf(text, size, "steer: %u groups", run_steer_groups(node->steer));
}

static void tell(const struct node *node, const char *state)
{
	static const int order[] = { RUN_REPLY, RUN_WIRE, RUN_STEER };
	char status[256] = "";
	size_t used = 0, i;
	int result;

	for (i = 0; i < RUN_PLANES; i++) {
		char text[64];

		if (plane_text(node, order[i], text, sizeof(text)))
			used += (size_t)snprintf(status + used, sizeof(status) - used, "%s%s",
						 used ? ", " : "", text);
	}
	result = notify("%sSTATUS=%s\n", state, status);
	if (result < 0)
		log_warning("service manager: %s", strerror(-result));
}

static void on_groups(void *arg)
{
	const struct node *node = arg;

	/* the first file is told of when all of it has been tried */
	if (node->planes.file)
		tell(node, "");
}

static void on_watchdog(void *arg)
{
	notify("WATCHDOG=1\n");
}

/* --- following the host */

static void sync_failed(struct node *node, const struct err *err)
{
	struct log_line line;

	log_begin(&line, LOG_LEVEL_WARNING, "interfaces are not followed");
	log_field(&line, "reason", "%s", err->what);
	log_field(&line, "again_after_s", "%llu", node->retry_us / 1000000);
	log_end(&line);
}

static void on_news(void *arg);

static void listen_again(struct watch *watch)
{
	if (!watch->deaf)
		return;
	watch->deaf = loop_read(watch->node->loop, rtnl_fd(watch->news), on_news, watch) != 0;
	if (watch->deaf)
		loop_timer_start(watch->node->retry, watch->node->retry_us);
}

/* Looks at all interfaces, and later once more if that did not do. */
static void look_again(struct node *node)
{
	struct err err;
	int result = run_place_enter(&node->place, &err);

	if (!result) {
		result = follow_sync(node->follow, &err);
		run_place_leave(&node->place);
		listen_again(&node->watch[WIRE]);
	}
	if (result)
		sync_failed(node, &err);
	if (follow_wants_sync(node->follow) || result) {
		loop_timer_start(node->retry, node->retry_us);
		node->retry_us *= node->retry_us < RETRY_MAX_US ? 2 : 1;
	} else {
		node->retry_us = RETRY_US;
	}
	tell(node, "");
}

static void on_retry(void *arg)
{
	look_again(arg);
}

static void follow_file(struct node *node);

static void on_check(void *arg)
{
	struct node *node = arg;
	struct err err;
	bool lost;

	if (run_planes_check(&node->planes)) {
		follow_file(node);
		tell(node, "");
	}
	run_steer_check(node->steer);
	if (!node->followed || loop_timer_runs(node->retry) || run_place_enter(&node->place, &err))
		return;
	lost = follow_has_lost(node->follow);
	run_place_leave(&node->place);
	if (lost)
		look_again(node);
}

static void schedule(struct watch *watch)
{
	__u64 now = clock_now_us(), due = watch->routes.due_us;

	loop_timer_start(watch->look, due > now ? due - now : 0);
}

/* The warning comes when the number changes, not each time. */
static void say_left_out(struct node *node, size_t left_out)
{
	struct log_line line;

	if (left_out == node->routes_left_out)
		return;
	node->routes_left_out = left_out;
	log_begin(&line, left_out ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		  left_out ? "more routes than there is room for: answers follow wider ones"
			   : "there is room for all routes again");
	log_field(&line, "left_out", "%zu", left_out);
	log_end(&line);
}

static int refresh_routes(struct watch *watch)
{
	struct node *node = watch->node;
	struct err err;
	size_t left_out;
	int result;

	if (!has_wire(watch) || !node->followed)
		return 0;
	result = wire_refresh_routes(node->bpffs, &left_out, &err);
	if (result)
		log_err(&err);
	else
		say_left_out(node, left_out);
	return result;
}

static void on_look(void *arg)
{
	struct watch *watch = arg;
	struct node *node = watch->node;
	bool away = watch == &node->watch[WIRE];
	__u64 began = clock_now_us(), ended;
	struct err err;
	int failed;

	if (away && run_place_enter(&node->place, &err)) {
		log_err(&err);
		loop_timer_start(watch->look, CHECK_US);
		return;
	}
	failed = refresh_routes(watch);
	if (away)
		run_place_leave(&node->place);
	ended = clock_now_us();
	settle_looked(&watch->routes, began, ended);
	/* what changes faster than it can be read, or is locked, is not up to date yet */
	if (failed == -EAGAIN || failed == -EBUSY) {
		settle_news(&watch->routes, ended);
		schedule(watch);
	}
}

static void on_link(const struct rtnl_link *link, void *arg)
{
	struct watch *watch = arg;

	if (has_wire(watch))
		follow_link(watch->node->follow, link, watch->heard_us);
	if (watch == &watch->node->watch[HOME])
		run_steer_link(watch->node->steer, link);
}

static void on_gone(const struct rtnl_link *link, void *arg)
{
	struct watch *watch = arg;

	if (has_wire(watch))
		follow_gone(watch->node->follow, link);
	if (watch == &watch->node->watch[HOME])
		run_steer_link(watch->node->steer, link);
}

static void on_route(void *arg)
{
	struct watch *watch = arg;

	settle_news(&watch->routes, clock_now_us());
	schedule(watch);
}

static void on_lost(void *arg)
{
	struct watch *watch = arg;

	log_warning("news of the kernel were lost: looking at everything again");
	on_route(watch);
	loop_timer_start(watch->node->retry, 0);
}

/* The routes that go with the addresses of an interface that is deleted go without a message. */
static const struct rtnl_news news = {
	.link = on_link,
	.gone = on_gone,
	.address = on_route,
	.route = on_route,
	.lost = on_lost,
};

static void on_news(void *arg)
{
	struct watch *watch = arg;
	struct node *node = watch->node;
	unsigned int before = follow_count(node->follow);
	bool away = watch == &node->watch[WIRE];
	struct err err;
	int result;

	watch->heard_us = clock_now_us();
	if (away && run_place_enter(&node->place, &err)) {
		/* they stay there to be read, and would call at once again */
		loop_forget(node->loop, rtnl_fd(watch->news));
		watch->deaf = true;
		loop_timer_start(node->retry, node->retry_us);
		return;
	}
	result = rtnl_read(watch->news);
	if (away)
		run_place_leave(&node->place);
	if (result)
		log_warning("news of the kernel: %s", strerror(-result));
	if (follow_wants_sync(node->follow))
		loop_timer_start(node->retry, 0);
	if (follow_count(node->follow) != before)
		tell(node, "");
}

/* In the calling thread's namespace. */
static int watch_begin(struct node *node, int which, int netns_fd, struct err *err)
{
	struct watch *watch = &node->watch[which];
	int result;

	*watch = (struct watch){ .node = node, .netns_fd = netns_fd };
	watch->routes.quiet_us = ROUTES_QUIET_US;
	watch->routes.bound_us = ROUTES_BOUND_US;
	watch->look = loop_timer(node->loop, false, on_look, watch);
	result = watch->look ? rtnl_open(&watch->news, &news, watch) : -ENOMEM;
	if (!result)
		result = loop_read(node->loop, rtnl_fd(watch->news), on_news, watch);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "news of the kernel: %s",
			       strerror(-result));
	return 0;
}

/* Once wire mode is known to be elsewhere. */
static int watch_wire(struct node *node, struct err *err)
{
	struct watch *watch = &node->watch[WIRE];
	int result;

	if (node->place.wire_fd < 0 || watch->news)
		return 0;
	result = run_place_enter(&node->place, err);
	if (result)
		return result;
	result = watch_begin(node, WIRE, node->place.wire_fd, err);
	run_place_leave(&node->place);
	/* what came between the load and this */
	if (!result)
		on_route(watch);
	return result;
}

/* --- a new file */

/* Wire mode may go by another file than it did. */
static void follow_file(struct node *node)
{
	struct run_file *file = node->planes.wire_file;
	struct err err;
	int i;

	if (file == node->followed)
		return;
	run_file_drop(node->followed);
	node->followed = file ? run_file_hold(file) : NULL;
	follow_options(node->follow, file ? &file->config.wire : NULL);
	if (!file)
		return;
	if (watch_wire(node, &err))
		log_err(&err);
	for (i = 0; i < WATCHES; i++)
		if (node->watch[i].news && has_wire(&node->watch[i]) &&
		    rtnl_add_routes(node->watch[i].news))
			log_warning("routes are not followed: %s", strerror(errno));
	look_again(node);
}

/* What the running process has built upon. */
static int refuse_move(const struct node *node, const struct run_config *config, struct err *err)
{
	const char *what = NULL;

	if (strcmp(config->bpffs, node->bpffs))
		what = "[global] bpffs";
	else if (config->has_wire && !run_place_allows(&node->place, config->netns))
		what = "[wire] netns";
	if (!what)
		return 0;
	return err_mend(err,
			err_set(err, EXIT_USAGE, EINVAL, "%s: %s can't change while this runs",
				node->path, what),
			"unload what is loaded there, and restart");
}

/* Nothing of the first file in force: -errno with *err set. */
static int apply(struct node *node, struct run_file *file, struct err *err)
{
	int result = run_planes_apply(&node->planes, file, err);

	if (result)
		return result;
	log_logfmt(node->context->verbose ? LOG_LEVEL_DEBUG : file->config.log_level);
	follow_file(node);
	return 0;
}

static void on_reload(void *arg)
{
	struct run_file *file = NULL;
	struct node *node = arg;
	struct err err;
	int result;

	notify("RELOADING=1\nMONOTONIC_USEC=%llu\n", clock_now_us());
	result = run_file_read(node->context, node->path, &file, &err);
	if (!result)
		result = refuse_move(node, &file->config, &err);
	if (!result)
		result = apply(node, file, &err);
	if (result) {
		log_err(&err);
		log_warning("reload refused: what was in force stays in force");
	} else {
		log_info("reloaded");
	}
	run_file_drop(file);
	tell(node, "READY=1\n");
}

/* --- start and end */

static void on_stop(void *arg)
{
	struct node *node = arg;

	notify("STOPPING=1\nSTATUS=ending; what is loaded stays in force\n");
	log_info("ending: what is loaded stays in force");
	loop_stop(node->loop);
}

static int signals(struct node *node)
{
	int result = loop_signal(node->loop, SIGTERM, on_stop, node);

	/* Whoever reads the log may go first. */
	signal(SIGPIPE, SIG_IGN);
	if (!result)
		result = loop_signal(node->loop, SIGINT, on_stop, node);
	if (!result)
		result = loop_signal(node->loop, SIGHUP, on_reload, node);
	return result;
}

static int watchdog(struct node *node)
{
	uint64_t us = notify_watchdog_us();
	struct loop_timer *timer;

	if (!us)
		return 0;
	timer = loop_timer(node->loop, true, on_watchdog, node);
	return timer ? loop_timer_start(timer, us / 2) : -ENOMEM;
}

static int checks(struct node *node)
{
	struct loop_timer *timer = loop_timer(node->loop, true, on_check, node);

	return timer ? loop_timer_start(timer, CHECK_US) : -ENOMEM;
}

/* Signals first: from here on one that comes waits until all is loaded. */
static int machinery(struct node *node, struct err *err)
{
	int result = loop_new(&node->loop);

	if (!result)
		result = signals(node);
	if (!result)
		result = watchdog(node);
	if (!result)
		result = checks(node);
	node->follow = follow_new();
	node->steer = result ? NULL : run_steer_new(node->loop, on_groups, node);
	node->retry = result ? NULL : loop_timer(node->loop, false, on_retry, node);
	node->retry_us = RETRY_US;
	node->planes.steer = node->steer;
	if (!result && (!node->follow || !node->steer || !node->retry))
		result = -ENOMEM;
	return result ? err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result)) : 0;
}

static int begin(struct node *node, struct err *err)
{
	struct run_file *file = NULL;
	int result = machinery(node, err);

	if (!result)
		result = run_file_read(node->context, node->path, &file, err);
	if (result)
		return result;
	if (snprintf(node->bpffs, sizeof(node->bpffs), "%s", file->config.bpffs) >= PATH_MAX)
		result = err_set(err, EXIT_USAGE, ENAMETOOLONG, "bpffs: the path is too long");
	if (!result)
		result = run_place_open(&node->place, err);
	if (!result) {
		result = claim_take(node->bpffs, err);
		node->claim_fd = result < 0 ? -1 : result;
		result = result < 0 ? result : 0;
	}
	if (!result)
		result = watch_begin(node, HOME, node->place.home_fd, err);
	if (!result)
		result = apply(node, file, err);
	run_file_drop(file);
	return result;
}

static void end(struct node *node)
{
	int i;

	run_steer_free(node->steer);
	loop_free(node->loop);
	for (i = 0; i < WATCHES; i++) {
		rtnl_close(node->watch[i].news);
	}
	follow_free(node->follow);
	if (node->claim_fd >= 0)
		claim_drop(node->bpffs, node->claim_fd);
	run_place_close(&node->place);
	run_file_drop(node->followed);
	run_planes_end(&node->planes);
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
	tell(node, "READY=1\n");
	result = loop_run(node->loop);
	return result ? err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result)) : 0;
}

int daemon_run(const struct context *context, const char *path, struct err *err)
{
	struct node *node;
	int result;

	log_logfmt(context->verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	hooks_libbpf_log();
	node = calloc(1, sizeof(*node));
	if (!node)
		return err_set(err, EXIT_ERROR, ENOMEM, "no memory");
	*node = (struct node){ .context = context,
			       .path = path,
			       .place = { .home_fd = -1, .wire_fd = -1 },
			       .claim_fd = -1 };
	node->planes.context = context;
	node->planes.place = &node->place;
	result = begin(node, err);
	if (!result)
		result = serve(node, err);
	end(node);
	free(node);
	return result;
}
