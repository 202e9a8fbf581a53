// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/steer.h"

#include "base/clock.h"
#include "base/log.h"
#include "kernel/load_outcome.h"
#include "kernel/meta.h"
#include "net/netns.h"
#include "steer/socket_events.h"
#include "steer/steer.h"

#include <errno.h>
#include <string.h>

/* Wait for quiet: a server binds its sockets one after another, and one sweep finds all of them. */
#define QUIET_US 2000
#define BOUND_US 5000
/*
 * The debounce limits sweeps to 10 % of the time. But setting up a new group makes a sweep long,
 * and the next socket of the group must not wait ten times as long. So the pause after a sweep is
 * capped; the cap doubles while events keep arriving during the pause.
 */
#define REST_US	   5000
#define STREAK_MAX 7
#define IDLE_US	   50000
/*
 * Sweeps that no event triggers take at most this part of the time. A sweep that sets up many
 * groups takes long once, which must not delay the next one by minutes.
 */
#define REGULAR_SHARE	20
#define REGULAR_REST_US 10000000
#define LOST_US		10000000 /* rate limit of the message about lost events */

/* --- sweeps */

/* Logs a failure, or a recovery if err->what is empty. */
static void log_failure(struct steer_section *steer, const struct err *err)
{
	struct log_line line;

	if (!log_condition_set(&steer->failure, err->what))
		return;
	if (!*err->what) {
		log_info("steer: tracking sockets again");
		return;
	}
	log_begin(&line, LOG_LEVEL_WARNING, "steer: cannot track sockets");
	log_field_err(&line, err);
	log_end(&line);
}

static void set_groups(struct steer_section *steer, unsigned int groups)
{
	bool changed = steer->groups != groups;

	steer->groups = groups;
	if (changed)
		steer->changed(steer->arg);
}

static void cap_rest(struct steer_section *steer, __u64 began, __u64 ended)
{
	bool waited = steer->debounce.pending && steer->debounce.first_us < steer->debounce.rest_us;
	__u64 cap;

	if (!waited)
		steer->streak = 0;
	else if (steer->streak < STREAK_MAX)
		steer->streak++;
	cap = ended + ((__u64)REST_US << steer->streak);
	debounce_ran(&steer->debounce, began, ended);
	if (steer->debounce.rest_us > cap)
		steer->debounce.rest_us = cap;
}

/*
 * Prepares the maps and the program of the next group, which takes tens of milliseconds, while no
 * sweep is pending. Ignores errors; the next sweep reports them.
 */
static void on_idle(void *arg)
{
	struct steer_section *steer = arg;

	if (!steer->debounce.pending)
		steer_prepare(&steer->loader, steer->bpffs, &(struct err){ 0 });
}

static void read_events(struct steer_section *steer)
{
	struct socket_event_batch batch;
	__u64 lost, now = clock_now_us();
	int result;

	if (!steer->events)
		return;
	result = socket_events_read(steer->events, &batch);
	if (result)
		log_warning("steer: socket events: %s", strerror(-result));
	if (!steer->bound_ns)
		steer->bound_ns = batch.first_bound_ns;
	lost = socket_events_lost(steer->events);
	if (lost == steer->lost || now < steer->lost_log_us)
		return;
	log_warning("steer: %llu socket events lost (ring buffer full); resyncing",
		    lost - steer->lost);
	steer->lost = lost;
	steer->lost_log_us = now + LOST_US;
}

static void schedule_sweep(struct steer_section *steer)
{
	__u64 now = clock_now_us();

	debounce_event(&steer->debounce, now);
	loop_timer_start(steer->after_events,
			 steer->debounce.due_us > now ? steer->debounce.due_us - now : 0);
}

static void sweep(struct steer_section *steer)
{
	__u64 began = clock_now_us(), ended, rest_us;
	struct err err = { .what = "" };
	int result;

	steer_log_begin(&steer->log, steer->bound_ns);
	steer->bound_ns = 0;
	result = steer_sweep(&steer->loader, steer->bpffs, steer_log_event, &steer->log, &err);
	steer_log_end(&steer->log, !result);
	/* a command has loaded or unloaded steering concurrently: sweep again */
	if (result == -ECANCELED)
		schedule_sweep(steer);
	if (result == -ENOENT)
		err_hint(&err, err_set(&err, EXIT_ERROR, ENOENT, "unloaded by another process"),
			 "send SIGHUP to load it again");
	if (result != -ECANCELED)
		log_failure(steer, result ? &err : &(struct err){ 0 });
	ended = clock_now_us();
	cap_rest(steer, began, ended);
	rest_us = (ended - began) * (REGULAR_SHARE - 1);
	if (rest_us > REGULAR_REST_US)
		rest_us = REGULAR_REST_US;
	loop_timer_start(steer->regular,
			 rest_us > steer->interval_us ? rest_us : steer->interval_us);
	loop_timer_start(steer->idle, IDLE_US);
	set_groups(steer, result ? 0 : steer->log.groups);
}

static void on_regular(void *arg)
{
	struct steer_section *steer = arg;

	if (!steer->active)
		return;
	/* Read the events first: the log needs the bind time of a socket found by this sweep. */
	read_events(steer);
	sweep(steer);
}

/* Sweeps, unless a regular sweep has already handled the events. */
static void on_after_events(void *arg)
{
	struct steer_section *steer = arg;

	if (steer->active && steer->debounce.pending)
		sweep(steer);
}

static void on_events(void *arg)
{
	struct steer_section *steer = arg;

	read_events(steer);
	schedule_sweep(steer);
}

/* --- socket events */

static void close_events(struct steer_section *steer)
{
	if (!steer->events)
		return;
	loop_remove(steer->loop, socket_events_fd(steer->events));
	socket_events_close(steer->events);
	steer->events = NULL;
}

/* Subscribes to socket events. On failure, only the sweeps find new sockets. */
static void open_events(struct steer_section *steer, const struct config *config, __u32 netns)
{
	struct err err = steer->no_cgroup;
	struct log_line line;
	int result = -ENOENT;

	close_events(steer);
	if (steer->loader.cgroup)
		result = socket_events_open(&steer->events, steer->loader.cgroup,
					    &config->steer.ports, netns, &err);
	if (!result) {
		steer->lost = steer->lost_log_us = 0;
		result = loop_read(steer->loop, socket_events_fd(steer->events), on_events, steer);
		if (!result) {
			if (log_condition_set(&steer->events_failure, NULL))
				log_info("steer: receiving socket events again");
			return;
		}
		err_set(&err, EXIT_ERROR, -result, "socket events: %s", strerror(-result));
		close_events(steer);
	}
	if (!log_condition_set(&steer->events_failure, err.what))
		return;
	log_begin(&line, LOG_LEVEL_WARNING,
		  "steer: no socket events; only sweeps find new sockets");
	log_field(&line, "reason", "%s", err.what);
	log_field(&line, "sweep_s", "%llu", config->steer_sweep_s);
	log_end(&line);
}

/* --- configuration */

static void find_cgroup(struct steer_section *steer, struct config_file *file,
			const struct context *context)
{
	bool found = !config_file_need_cgroup(file, context, &steer->no_cgroup);

	snprintf(steer->cgroup, sizeof(steer->cgroup), "%s", file->cgroup);
	steer->loader.cgroup = found ? steer->cgroup : NULL;
	steer->loader.no_cgroup = steer->no_cgroup.what;
}

int steer_section_apply(struct steer_section *steer, struct config_file *file,
			const struct context *context, bool follows, struct err *err)
{
	const struct config *wanted = &file->config;
	struct steer_options options = wanted->steer;
	struct sluice_steer_meta before = { 0 };
	struct log_line line;
	int groups, result;
	bool replaces;
	char ports[512];

	options.bpffs = wanted->location.bpffs;
	options.by_daemon = true;
	options.follows = follows;
	result = netns_number(wanted->steer_netns, &options.netns, err);
	if (result)
		return result;
	find_cgroup(steer, file, context);
	steer_read(options.bpffs, &before, &(struct err){ 0 });
	replaces = meta_other_abi(&steer_state_dir, options.bpffs);
	steer_log_begin(&steer->log, 0);
	result = steer_load(&steer->loader, &options, steer_log_event, &steer->log, &groups, err);
	steer_log_end(&steer->log, !result);
	if (result)
		return result;
	/* a command has loaded or unloaded steering; the sweeps report this */
	if (follows && !state_dir_is_daemons(&steer_state_dir, options.bpffs))
		return 0;
	if (before.magic && before.flows != options.flows) {
		log_begin(&line, LOG_LEVEL_INFO, "steer: flow tables start empty");
		log_field(&line, "flows", "%u", options.flows);
		log_field(&line, "before", "%u", before.flows);
		log_end(&line);
	}
	ports_format(&options.ports, ports, sizeof(ports));
	log_begin(&line, LOG_LEVEL_INFO, "steer is active");
	log_field(&line, "outcome", "%s",
		  load_outcome_name(before.magic ? LOAD_UPDATED
				    : replaces	 ? LOAD_REPLACED
						 : LOAD_FRESH,
				    !steer->log.changes && steer_has_settings(&before, &options)));
	log_field(&line, "policy", "%s", steer_policy_name(options.policy));
	log_field(&line, "ports", "%s", ports);
	log_field(&line, "groups", "%d", groups);
	log_field(&line, "table_bytes", "%llu", steer_table_bytes(options.flows) * (__u64)groups);
	log_end(&line);
	set_groups(steer, steer->log.groups);
	/* As in 'steer load', a configuration without xdp removes the spread. */
	spread_section_apply(&steer->spread, &wanted->spread, &options.ports, options.bpffs);
	snprintf(steer->bpffs, sizeof(steer->bpffs), "%s", options.bpffs);
	steer->interval_us = wanted->steer_sweep_s * 1000000;
	steer->active = true;
	log_condition_set(&steer->failure, NULL);
	log_condition_set(&steer->events_failure, NULL);
	open_events(steer, wanted, options.netns);
	/* Sockets may have changed between the load and the subscription. */
	schedule_sweep(steer);
	return 0;
}

void steer_section_check(struct steer_section *steer, struct config_file *file,
			 const struct context *context)
{
	bool failed = steer->loader.consumers == STEER_CONSUMERS_FAILED;
	bool detached = steer->events && !socket_events_attached(steer->events);
	struct err err = { 0 };
	__u32 netns;

	if (!steer->active || (!failed && steer->events && !detached))
		return;
	if (detached)
		log_warning(
			"steer: the programs for socket events are no longer attached: attaching"
			" them again");
	find_cgroup(steer, file, context);
	if ((!steer->events || detached) && !netns_number(file->config.steer_netns, &netns, &err))
		open_events(steer, &file->config, netns);
	if (failed)
		steer->loader.consumers = STEER_CONSUMERS_RETRY;
	/* Also finds sockets that were opened before the subscription. */
	schedule_sweep(steer);
}

void steer_section_drop(struct steer_section *steer, const char *bpffs)
{
	struct err err;
	int pins;

	close_events(steer);
	spread_section_stop(&steer->spread);
	steer->active = false;
	steer_log_begin(&steer->log, 0);
	pins = steer_unload(bpffs, true, steer_log_event, &steer->log, &err);
	steer_log_end(&steer->log, true);
	if (pins < 0)
		log_err(&err);
	else if (pins)
		log_info("steer unloaded");
	set_groups(steer, 0);
}

/* --- start and end */

int steer_section_init(struct steer_section *steer, struct loop *loop, loop_fn changed, void *arg)
{
	*steer = (struct steer_section){
		.loop = loop,
		.changed = changed,
		.arg = arg,
		.debounce = { .quiet_us = QUIET_US, .bound_us = BOUND_US },
		.regular = loop_timer(loop, false, on_regular, steer),
		.after_events = loop_timer(loop, false, on_after_events, steer),
		.idle = loop_timer(loop, false, on_idle, steer),
	};
	if (!steer->regular || !steer->after_events || !steer->idle)
		return -ENOMEM;
	return spread_section_init(&steer->spread, loop);
}

void steer_section_end(struct steer_section *steer)
{
	close_events(steer);
	spread_section_stop(&steer->spread);
	steer_loader_close(&steer->loader);
}

__u64 steer_section_lost(const struct steer_section *steer)
{
	return steer->events ? socket_events_lost(steer->events) : 0;
}
