// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/watch.h"

#include "base/clock.h"
#include "base/log.h"
#include "daemon/interfaces.h"
#include "net/rtnl_events.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Backoff after a failed sync of the interfaces. */
#define RETRY_US     1000000
#define RETRY_MAX_US 64000000

/* The subscription to link events of a namespace. */
struct netns_watch {
	struct watch *watch;
	struct rtnl *rtnl; /* NULL: no subscription */
	__u64 read_us;	   /* when the current events were read */
	bool paused;	   /* the namespace cannot be entered, so the socket is not polled */
};

enum {
	HOME,
	WIRE, /* used only if it differs from the daemon's own namespace */
	NETNS_COUNT
};

struct watch {
	struct loop *loop;
	const struct daemon_netns *daemon_netns;
	struct spread_section *spread;
	loop_fn changed;
	void *arg;
	struct config_file *file; /* NULL: mode wire is not loaded */
	struct netns_watch netns[NETNS_COUNT];
	struct interfaces interfaces;
	struct log_condition failure;
	struct loop_timer *retry;
	__u64 retry_us;
};

static bool is_away(const struct netns_watch *netns)
{
	return netns == &netns->watch->netns[WIRE];
}

/* Returns true if mode wire is loaded in this namespace. */
static bool has_wire(const struct netns_watch *netns)
{
	return is_away(netns) == (netns->watch->daemon_netns->wire_fd >= 0);
}

/* --- interfaces */

static void on_readable(void *arg);

static void log_failure(struct watch *watch, const char *reason)
{
	struct log_line line;

	if (!log_condition_set(&watch->failure, reason))
		return;
	log_begin(&line, LOG_LEVEL_WARNING, "interface sync failed, retrying");
	log_field(&line, "reason", "%s", reason);
	log_end(&line);
}

/* Syncs the interfaces. Retries failures with backoff. */
static void sync_interfaces(struct watch *watch)
{
	struct netns_watch *wire = &watch->netns[WIRE];
	struct err err;
	int result = daemon_netns_enter(watch->daemon_netns, &err);

	if (!result) {
		result = interfaces_sync(&watch->interfaces, &err);
		daemon_netns_leave(watch->daemon_netns);
		if (wire->paused)
			wire->paused = loop_read(watch->loop, rtnl_fd(wire->rtnl), on_readable,
						 wire) != 0;
	}
	if (!result)
		log_condition_set(&watch->failure, NULL);
	else
		log_failure(watch, err.what);
	if (interfaces_need_sync(&watch->interfaces) || result || wire->paused) {
		loop_timer_start(watch->retry, watch->retry_us);
		watch->retry_us *= watch->retry_us < RETRY_MAX_US ? 2 : 1;
	} else {
		watch->retry_us = RETRY_US;
	}
	watch->changed(watch->arg);
}

static void on_retry(void *arg)
{
	sync_interfaces(arg);
}

void watch_check(struct watch *watch)
{
	struct err err;
	bool detached;

	if (!watch->file || loop_timer_runs(watch->retry) ||
	    daemon_netns_enter(watch->daemon_netns, &err))
		return;
	detached = interfaces_detached(&watch->interfaces);
	daemon_netns_leave(watch->daemon_netns);
	if (detached)
		sync_interfaces(watch);
}

const char *watch_absent(const struct watch *watch)
{
	return watch->interfaces.absent;
}

unsigned int watch_count(const struct watch *watch)
{
	return interfaces_count(&watch->interfaces);
}

/* --- events */

static void link_event(struct netns_watch *netns, const struct rtnl_link *link, bool gone)
{
	struct watch *watch = netns->watch;

	if (has_wire(netns))
		interfaces_link(&watch->interfaces, link, gone, netns->read_us);
	if (!is_away(netns))
		spread_section_link(watch->spread, link);
}

static void on_link(const struct rtnl_link *link, void *arg)
{
	link_event(arg, link, false);
}

static void on_gone(const struct rtnl_link *link, void *arg)
{
	link_event(arg, link, true);
}

static void on_lost(void *arg)
{
	struct netns_watch *netns = arg;

	log_warning("rtnetlink events lost; resyncing");
	loop_timer_start(netns->watch->retry, 0);
}

static const struct rtnl_handlers events = { on_link, on_gone, on_lost };

static void on_readable(void *arg)
{
	struct netns_watch *netns = arg;
	struct watch *watch = netns->watch;
	unsigned int before = interfaces_count(&watch->interfaces);
	struct err err;
	int result;

	netns->read_us = clock_now_us();
	if (is_away(netns) && daemon_netns_enter(watch->daemon_netns, &err)) {
		/* Stop polling: the unread events would keep the socket readable. */
		loop_remove(watch->loop, rtnl_fd(netns->rtnl));
		netns->paused = true;
		loop_timer_start(watch->retry, watch->retry_us);
		return;
	}
	result = rtnl_read(netns->rtnl);
	if (is_away(netns))
		daemon_netns_leave(watch->daemon_netns);
	if (result)
		log_warning("rtnetlink: %s", strerror(-result));
	if (interfaces_need_sync(&watch->interfaces))
		loop_timer_start(watch->retry, 0);
	if (interfaces_count(&watch->interfaces) != before)
		watch->changed(watch->arg);
}

/* --- start, change and end */

/* Subscribes to the link events of the calling thread's namespace. */
static int subscribe(struct netns_watch *netns, struct err *err)
{
	int result = rtnl_open(&netns->rtnl, &events, netns);

	if (!result)
		result = loop_read(netns->watch->loop, rtnl_fd(netns->rtnl), on_readable, netns);
	return result ? err_set(err, EXIT_ERROR, -result, "rtnetlink: %s", strerror(-result)) : 0;
}

int watch_start(struct watch *watch, struct err *err)
{
	return subscribe(&watch->netns[HOME], err);
}

/* Subscribes to the link events of mode wire's namespace, unless it is the daemon's own. */
static int subscribe_wire(struct watch *watch, struct err *err)
{
	struct netns_watch *netns = &watch->netns[WIRE];
	int result;

	if (watch->daemon_netns->wire_fd < 0 || netns->rtnl)
		return 0;
	result = daemon_netns_enter(watch->daemon_netns, err);
	if (result)
		return result;
	result = subscribe(netns, err);
	daemon_netns_leave(watch->daemon_netns);
	return result;
}

void watch_file(struct watch *watch, struct config_file *file)
{
	struct err err;

	if (file == watch->file)
		return;
	config_file_put(watch->file);
	watch->file = file ? config_file_get(file) : NULL;
	interfaces_set_options(&watch->interfaces, file ? &file->config.wire : NULL);
	if (!file)
		return;
	if (subscribe_wire(watch, &err))
		log_err(&err);
	sync_interfaces(watch);
}

struct watch *watch_new(struct loop *loop, const struct daemon_netns *netns,
			struct spread_section *spread, loop_fn changed, void *arg)
{
	struct watch *watch = calloc(1, sizeof(*watch));
	int i;

	if (!watch)
		return NULL;
	*watch = (struct watch){ .loop = loop,
				 .daemon_netns = netns,
				 .spread = spread,
				 .changed = changed,
				 .arg = arg,
				 .retry_us = RETRY_US };
	watch->retry = loop_timer(loop, false, on_retry, watch);
	for (i = 0; i < NETNS_COUNT; i++)
		watch->netns[i].watch = watch;
	if (watch->retry)
		return watch;
	free(watch);
	return NULL;
}

void watch_free(struct watch *watch)
{
	int i;

	if (!watch)
		return;
	for (i = 0; i < NETNS_COUNT; i++)
		rtnl_close(watch->netns[i].rtnl);
	interfaces_set_options(&watch->interfaces, NULL);
	config_file_put(watch->file);
	free(watch);
}
