// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/watch.h"

#include "base/clock.h"
#include "base/debounce.h"
#include "base/log.h"
#include "base/rtnl_events.h"
#include "daemon/interfaces.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Routes come by the ten thousand, and the kernel is asked about them as well. */
#define ROUTES_QUIET_US 250000
#define ROUTES_BOUND_US 3000000
/* After a failure the interfaces are read again, at ever longer intervals. */
#define RETRY_US     1000000
#define RETRY_MAX_US 64000000
/* When the namespace of wire mode cannot be entered. */
#define BARRED_US 10000000

/* One of the namespaces. */
struct netns_watch {
	struct watch *watch;
	struct rtnl *rtnl; /* NULL: not watched */
	struct loop_timer *refresh;
	struct debounce routes; /* and addresses, which have routes of their own */
	__u64 read_us;		/* when the events in hand were read */
	bool deaf;		/* its events cannot be handled now, and so are not waited for */
};

enum {
	HOME,
	WIRE, /* where it is not at home */
	NETNS_COUNT
};

struct watch {
	struct watch_settings set;
	struct config_file *file; /* NULL: wire mode is not loaded */
	struct netns_watch netns[NETNS_COUNT];
	struct follow *follow;
	struct loop_timer *retry;
	__u64 retry_us;
	size_t routes_left_out;
};

static bool is_away(const struct netns_watch *netns)
{
	return netns == &netns->watch->netns[WIRE];
}

/* Is wire mode in this namespace? */
static bool has_wire(const struct netns_watch *netns)
{
	return is_away(netns) == (netns->watch->set.place->wire_fd >= 0);
}

/* --- interfaces */

static void on_readable(void *arg);

static void listen_again(struct netns_watch *netns)
{
	struct watch *watch = netns->watch;

	if (!netns->deaf)
		return;
	netns->deaf = loop_read(watch->set.loop, rtnl_fd(netns->rtnl), on_readable, netns) != 0;
	if (netns->deaf)
		loop_timer_start(watch->retry, watch->retry_us);
}

/* Reads all interfaces, and once more later if that failed. */
static void sync_interfaces(struct watch *watch)
{
	struct log_line line;
	struct err err;
	int result = daemon_netns_enter(watch->set.place, &err);

	if (!result) {
		result = follow_sync(watch->follow, &err);
		daemon_netns_leave(watch->set.place);
		listen_again(&watch->netns[WIRE]);
	}
	if (result) {
		log_begin(&line, LOG_LEVEL_WARNING, "interfaces are not followed");
		log_field(&line, "reason", "%s", err.what);
		log_field(&line, "again_after_s", "%llu", watch->retry_us / 1000000);
		log_end(&line);
	}
	if (follow_wants_sync(watch->follow) || result) {
		loop_timer_start(watch->retry, watch->retry_us);
		watch->retry_us *= watch->retry_us < RETRY_MAX_US ? 2 : 1;
	} else {
		watch->retry_us = RETRY_US;
	}
	watch->set.changed(watch->set.arg);
}

static void on_retry(void *arg)
{
	sync_interfaces(arg);
}

void watch_check(struct watch *watch)
{
	struct err err;
	bool lost;

	if (!watch->file || loop_timer_runs(watch->retry) ||
	    daemon_netns_enter(watch->set.place, &err))
		return;
	lost = follow_has_lost(watch->follow);
	daemon_netns_leave(watch->set.place);
	if (lost)
		sync_interfaces(watch);
}

unsigned int watch_count(const struct watch *watch)
{
	return follow_count(watch->follow);
}

/* --- routes */

static void on_route(void *arg)
{
	struct netns_watch *netns = arg;
	__u64 now = clock_now_us();

	debounce_event(&netns->routes, now);
	loop_timer_start(netns->refresh,
			 netns->routes.due_us > now ? netns->routes.due_us - now : 0);
}

static int refresh_routes(struct netns_watch *netns)
{
	struct watch *watch = netns->watch;
	struct log_line line;
	size_t left_out;
	struct err err;
	int result;

	if (!has_wire(netns) || !watch->file)
		return 0;
	result = wire_refresh_routes(watch->file->config.location.bpffs, &left_out, &err);
	if (result) {
		log_err(&err);
		return result;
	}
	if (left_out == watch->routes_left_out)
		return 0;
	watch->routes_left_out = left_out;
	log_begin(&line, left_out ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		  left_out ? "more routes than there is room for: answers follow wider ones"
			   : "there is room for all routes again");
	log_field(&line, "left_out", "%zu", left_out);
	log_end(&line);
	return 0;
}

static void on_refresh(void *arg)
{
	struct netns_watch *netns = arg;
	const struct daemon_netns *place = netns->watch->set.place;
	__u64 began = clock_now_us();
	struct err err;
	int result;

	if (is_away(netns) && daemon_netns_enter(place, &err)) {
		log_err(&err);
		loop_timer_start(netns->refresh, BARRED_US);
		return;
	}
	result = refresh_routes(netns);
	if (is_away(netns))
		daemon_netns_leave(place);
	debounce_ran(&netns->routes, began, clock_now_us());
	/* A table that changes faster than it can be read, or is locked, is not up to date yet. */
	if (result == -EAGAIN || result == -EBUSY)
		on_route(netns);
}

/* --- events */

static void on_link(const struct rtnl_link *link, void *arg)
{
	struct netns_watch *netns = arg;

	if (has_wire(netns))
		follow_link(netns->watch->follow, link, netns->read_us);
	if (!is_away(netns))
		steer_section_link(netns->watch->set.steer, link);
}

static void on_gone(const struct rtnl_link *link, void *arg)
{
	struct netns_watch *netns = arg;

	if (has_wire(netns))
		follow_gone(netns->watch->follow, link);
	if (!is_away(netns))
		steer_section_link(netns->watch->set.steer, link);
}

static void on_lost(void *arg)
{
	struct netns_watch *netns = arg;

	log_warning("news of the kernel were lost: looking at everything again");
	on_route(netns);
	loop_timer_start(netns->watch->retry, 0);
}

static const struct rtnl_handlers events = { on_link, on_gone, on_route, on_route, on_lost };

static void on_readable(void *arg)
{
	struct netns_watch *netns = arg;
	struct watch *watch = netns->watch;
	unsigned int before = follow_count(watch->follow);
	struct err err;
	int result;

	netns->read_us = clock_now_us();
	if (is_away(netns) && daemon_netns_enter(watch->set.place, &err)) {
		/* They stay in the socket, which would be readable again at once. */
		loop_remove(watch->set.loop, rtnl_fd(netns->rtnl));
		netns->deaf = true;
		loop_timer_start(watch->retry, watch->retry_us);
		return;
	}
	result = rtnl_read(netns->rtnl);
	if (is_away(netns))
		daemon_netns_leave(watch->set.place);
	if (result)
		log_warning("news of the kernel: %s", strerror(-result));
	if (follow_wants_sync(watch->follow))
		loop_timer_start(watch->retry, 0);
	if (follow_count(watch->follow) != before)
		watch->set.changed(watch->set.arg);
}

/* --- start, change and end */

/* Listens in the calling thread's namespace. */
static int listen_in(struct netns_watch *netns, struct err *err)
{
	int result = rtnl_open(&netns->rtnl, &events, netns);

	if (!result)
		result = loop_read(netns->watch->set.loop, rtnl_fd(netns->rtnl), on_readable,
				   netns);
	return result ? err_set(err, EXIT_ERROR, -result, "news of the kernel: %s",
				strerror(-result))
		      : 0;
}

int watch_start(struct watch *watch, struct err *err)
{
	return listen_in(&watch->netns[HOME], err);
}

/* Once wire mode is known to be in another namespace. */
static int listen_away(struct watch *watch, struct err *err)
{
	struct netns_watch *netns = &watch->netns[WIRE];
	int result;

	if (watch->set.place->wire_fd < 0 || netns->rtnl)
		return 0;
	result = daemon_netns_enter(watch->set.place, err);
	if (result)
		return result;
	result = listen_in(netns, err);
	daemon_netns_leave(watch->set.place);
	/* what came between the load and this */
	if (!result)
		on_route(netns);
	return result;
}

void watch_file(struct watch *watch, struct config_file *file)
{
	struct err err;
	int i;

	if (file == watch->file)
		return;
	config_file_drop(watch->file);
	watch->file = file ? config_file_hold(file) : NULL;
	follow_options(watch->follow, file ? &file->config.wire : NULL);
	if (!file)
		return;
	if (listen_away(watch, &err))
		log_err(&err);
	for (i = 0; i < NETNS_COUNT; i++)
		if (watch->netns[i].rtnl && has_wire(&watch->netns[i]) &&
		    rtnl_add_routes(watch->netns[i].rtnl))
			log_warning("routes are not followed: %s", strerror(errno));
	sync_interfaces(watch);
}

struct watch *watch_new(const struct watch_settings *settings)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int i;

	if (!watch)
		return NULL;
	watch->set = *settings;
	watch->retry_us = RETRY_US;
	watch->follow = follow_new();
	watch->retry = loop_timer(settings->loop, false, on_retry, watch);
	for (i = 0; i < NETNS_COUNT; i++)
		watch->netns[i] = (struct netns_watch){
			.watch = watch,
			.refresh = loop_timer(settings->loop, false, on_refresh, &watch->netns[i]),
			.routes = { .quiet_us = ROUTES_QUIET_US, .bound_us = ROUTES_BOUND_US },
		};
	if (watch->follow && watch->retry && watch->netns[HOME].refresh &&
	    watch->netns[WIRE].refresh)
		return watch;
	/* The timers, which cannot fire any more, are freed with the loop. */
	watch_free(watch);
	return NULL;
}

void watch_free(struct watch *watch)
{
	int i;

	if (!watch)
		return;
	for (i = 0; i < NETNS_COUNT; i++)
		rtnl_close(watch->netns[i].rtnl);
	follow_free(watch->follow);
	config_file_drop(watch->file);
	free(watch);
}
