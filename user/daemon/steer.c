// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/steer.h"

#include "base/clock.h"
#include "base/debounce.h"
#include "base/log.h"
#include "daemon/spread.h"
#include "daemon/steer_log.h"
#include "steer/options.h"
#include "steer/socket_events.h"
#include "steer/steer.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The sockets of a server come one after the other, and one look does for all of them. */
#define QUIET_US 2000
#define BOUND_US 5000
/*
 * Between two looks, so that sockets that come and go in a storm take a tenth of the time at most.
 * A new group takes a while to set up, however, and its next socket is not to wait for ten times
 * that: the rest is bounded, and the bound doubles as long as news come before it is over.
 */
#define REST_US	   5000
#define STREAK_MAX 7
#define IDLE_US	   50000
#define LOST_US	   10000000 /* between two lines about lost news: others may cause them at will */

struct run_steer {
	struct loop *loop;
	void (*changed)(void *arg);
	void *arg;
	struct steer_log *log;
	struct socket_events *follow; /* NULL: sweeps alone */
	struct run_spread *spread;
	struct loop_timer *regular, *after_news, *idle;
	struct debounce debounce;
	unsigned int streak;
	struct steer_loader loader;
	char bpffs[PATH_MAX];
	char cgroup[PATH_MAX];
	__u64 interval_us;
	__u64 bound_ns; /* the first bind since the last look */
	__u64 lost;	/* events, that have been told */
	__u64 lost_due_us;
	unsigned int groups;
	bool active;
	char trouble[768];
};

unsigned int steer_section_groups(const struct run_steer *steer)
{
	return steer->groups;
}

/* --- sweeps */

/* What lasts is said once. */
static void say_trouble(struct run_steer *steer, const char *what)
{
	struct log_line line;

	if (!strcmp(steer->trouble, what))
		return;
	snprintf(steer->trouble, sizeof(steer->trouble), "%s", what);
	if (!*what) {
		log_info("steer: sockets are followed again");
		return;
	}
	log_begin(&line, LOG_LEVEL_WARNING, "steer: sockets are not followed");
	log_field(&line, "reason", "%s", what);
	log_end(&line);
}

static void count_groups(struct run_steer *steer, unsigned int groups)
{
	bool changed = steer->groups != groups;

	steer->groups = groups;
	if (changed)
		steer->changed(steer->arg);
}

static void rest(struct run_steer *steer, __u64 began, __u64 ended)
{
	bool waited = steer->debounce.pending && steer->debounce.first_us < steer->debounce.rest_us;
	__u64 bound;

	if (!waited)
		steer->streak = 0;
	else if (steer->streak < STREAK_MAX)
		steer->streak++;
	bound = ended + ((__u64)REST_US << steer->streak);
	debounce_ran(&steer->debounce, began, ended);
	if (steer->debounce.rest_us > bound)
		steer->debounce.rest_us = bound;
}

/*
 * Makes ready what the next group will need, once nobody waits for a sweep.  It takes tens of
 * milliseconds; an unloaded plane, or a failure, is told by the sweep or by the group itself.
 */
static void on_idle(void *arg)
{
	struct run_steer *steer = arg;

	if (!steer->debounce.pending)
		steer_prepare(&steer->loader, steer->bpffs, &(struct err){ 0 });
}

static void say_lost(struct run_steer *steer)
{
	__u64 lost = socket_events_lost(steer->follow), now = clock_now_us();

	if (lost == steer->lost || now < steer->lost_due_us)
		return;
	log_warning("steer: %llu news of sockets found no room: the sweep sees to them",
		    lost - steer->lost);
	steer->lost = lost;
	steer->lost_due_us = now + LOST_US;
}

/* Takes in what has been told of sockets. */
static void hear(struct run_steer *steer)
{
	struct socket_event_batch heard;
	int result;

	if (!steer->follow)
		return;
	result = socket_events_read(steer->follow, &heard);
	if (result)
		log_warning("steer: news of sockets: %s", strerror(-result));
	say_lost(steer);
	if (!steer->bound_ns)
		steer->bound_ns = heard.first_bound_ns;
}

static void sweep(struct run_steer *steer)
{
	__u64 began = clock_now_us();
	struct err err = { .what = "" };
	int result;

	steer_log_begin(steer->log, steer->bound_ns);
	steer->bound_ns = 0;
	result = steer_sweep(&steer->loader, steer->bpffs, steer_log_event, steer->log, &err);
	steer_log_end(steer->log, !result);
	say_trouble(steer, result ? err.what : "");
	rest(steer, began, clock_now_us());
	loop_timer_start(steer->regular, steer->interval_us);
	loop_timer_start(steer->idle, IDLE_US);
	count_groups(steer, result ? 0 : steer_log_groups(steer->log));
}

static void on_time(void *arg)
{
	struct run_steer *steer = arg;

	if (!steer->active)
		return;
	/* a socket that is found now may have been told of already */
	hear(steer);
	sweep(steer);
}

/* A sweep at its time may have seen to the news already. */
static void on_settled(void *arg)
{
	struct run_steer *steer = arg;

	if (steer->active && steer->debounce.pending)
		sweep(steer);
}

static void look_soon(struct run_steer *steer)
{
	__u64 now = clock_now_us();

	debounce_event(&steer->debounce, now);
	loop_timer_start(steer->after_news,
			 steer->debounce.due_us > now ? steer->debounce.due_us - now : 0);
}

static void on_events(void *arg)
{
	struct run_steer *steer = arg;

	hear(steer);
	look_soon(steer);
}

/* --- what is followed */

static void unfollow(struct run_steer *steer)
{
	if (!steer->follow)
		return;
	loop_forget(steer->loop, socket_events_fd(steer->follow));
	socket_events_close(steer->follow);
	steer->follow = NULL;
}

static int follow_begin(struct run_steer *steer, const struct config *config,
			const struct steer_options *options, struct err *err)
{
	int result = socket_events_open(&steer->follow, config->reply.cgroup, &options->ports,
					options->netns, err);

	if (result)
		return result;
	steer->lost = steer->lost_due_us = 0;
	result = loop_read(steer->loop, socket_events_fd(steer->follow), on_events, steer);
	if (!result)
		return 0;
	socket_events_close(steer->follow);
	steer->follow = NULL;
	return err_set(err, EXIT_ERROR, -result, "news of sockets: %s", strerror(-result));
}

/* Sweeps do without news. */
static void follow(struct run_steer *steer, const struct config *config,
		   const struct steer_options *options)
{
	struct log_line line;
	struct err err;

	unfollow(steer);
	if (!follow_begin(steer, config, options, &err))
		return;
	log_begin(&line, LOG_LEVEL_WARNING, "steer: new sockets are found by the sweep alone");
	log_field(&line, "reason", "%s", err.what);
	log_field(&line, "sweep_s", "%llu", config->steer_sweep_s);
	log_end(&line);
}

/* --- a configuration */

static void log_loaded(const struct steer_options *options, const struct sluice_steer_meta *before,
		       int groups)
{
	struct log_line line;
	char ports[512];

	if (before->magic && before->flows != options->flows) {
		log_begin(&line, LOG_LEVEL_INFO, "steer: flow tables start empty");
		log_field(&line, "flows", "%u", options->flows);
		log_field(&line, "before", "%u", before->flows);
		log_end(&line);
	}
	ports_format(&options->ports, ports, sizeof(ports));
	log_begin(&line, LOG_LEVEL_INFO, "steer is in force");
	log_field(&line, "policy", "%s", steer_policy_name(options->policy));
	log_field(&line, "ports", "%s", ports);
	log_field(&line, "groups", "%d", groups);
	log_end(&line);
}

static int load(struct run_steer *steer, const struct steer_options *options, struct err *err)
{
	struct sluice_steer_meta before = { 0 };
	int groups, result;

	steer_read(options->bpffs, &before, &(struct err){ 0 });
	steer_log_begin(steer->log, 0);
	result = steer_load(&steer->loader, options, steer_log_event, steer->log, &groups, err);
	steer_log_end(steer->log, !result);
	if (result)
		return result;
	log_loaded(options, &before, groups);
	count_groups(steer, steer_log_groups(steer->log));
	return 0;
}

int steer_section_apply(struct run_steer *steer, const struct config *wanted, struct err *err)
{
	struct steer_options options = wanted->steer;
	int result;

	options.bpffs = wanted->location.bpffs;
	options.by_daemon = true;
	result = value_netns(wanted->steer_netns, &options.netns, err);
	if (result)
		return result;
	snprintf(steer->cgroup, sizeof(steer->cgroup), "%s", wanted->reply.cgroup);
	steer->loader.cgroup = steer->cgroup;
	result = load(steer, &options, err);
	if (result)
		return result;
	/* as 'steer load' does: what is not named is not spread */
	spread_section_apply(steer->spread, &wanted->spread, &options.ports, options.bpffs);
	snprintf(steer->bpffs, sizeof(steer->bpffs), "%s", options.bpffs);
	steer->interval_us = wanted->steer_sweep_s * 1000000;
	steer->active = true;
	steer->trouble[0] = '\0';
	follow(steer, wanted, &options);
	/* what came between the two */
	look_soon(steer);
	return 0;
}

void steer_section_drop(struct run_steer *steer, const char *bpffs)
{
	struct err err;
	int pins;

	unfollow(steer);
	spread_section_stop(steer->spread);
	steer->active = false;
	steer_log_begin(steer->log, 0);
	pins = steer_unload(bpffs, true, steer_log_event, steer->log, &err);
	steer_log_end(steer->log, true);
	if (pins < 0)
		log_err(&err);
	else if (pins)
		log_info("steer is unloaded");
	count_groups(steer, 0);
}

void steer_section_check(struct run_steer *steer)
{
	spread_section_check(steer->spread);
}

void steer_section_link(struct run_steer *steer, const struct rtnl_link *link)
{
	spread_section_link(steer->spread, link);
}

/* --- start and end */

struct run_steer *steer_section_new(struct loop *loop, void (*changed)(void *arg), void *arg)
{
	struct run_steer *steer = calloc(1, sizeof(*steer));

	if (!steer)
		return NULL;
	*steer = (struct run_steer){ .loop = loop, .changed = changed, .arg = arg };
	steer->debounce.quiet_us = QUIET_US;
	steer->debounce.bound_us = BOUND_US;
	steer->log = steer_log_new();
	steer->spread = spread_section_new(loop);
	steer->regular = loop_timer(loop, false, on_time, steer);
	steer->after_news = loop_timer(loop, false, on_settled, steer);
	steer->idle = loop_timer(loop, false, on_idle, steer);
	if (steer->log && steer->spread && steer->regular && steer->after_news && steer->idle)
		return steer;
	steer_section_free(steer);
	return NULL;
}

void steer_section_free(struct run_steer *steer)
{
	if (!steer)
		return;
	unfollow(steer);
	spread_section_free(steer->spread);
	steer_log_free(steer->log);
	steer_loader_close(&steer->loader);
	free(steer);
}
