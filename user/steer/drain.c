// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The drain never holds a descriptor of the server's sockets, since a descriptor would keep a
 * closed socket alive in the group and in an epoll of the server. The kernel removes a closed
 * socket from the group's map. steer/unread.h counts the queued datagrams of an open socket, and
 * the datagrams that were unread when a socket was closed.
 *
 * Datagrams that a process leaves unread are lost and counted. Resending them was rejected, because
 * behind NAT they would have the wrong source, and a route may lead them off the host.
 *
 * The drain holds the lock on the pins only while it writes slots, so that it does not block the
 * daemon and other commands.
 */
#include "steer/drain.h"

#include "base/clock.h"
#include "steer/drain_slots.h"
#include "steer/group/instance.h"
#include "steer/group/slots.h"
#include "steer/group/stats.h"
#include "steer/needs.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define POLL_MS 50
/* Interval of the sweeps during a drain, since other processes open and close sockets. */
#define CHECK_MS 1000
/* Time for a datagram in flight to reach the queue after its slot was expelled. */
#define GRACE_MS 50
/* A process that has read nothing for this time is considered stalled. */
#define STALLED_MS 3000

static __u32 elapsed_ms(const struct drain *drain)
{
	return (__u32)((clock_now_ns(CLOCK_BOOTTIME) - drain->start_ns) / 1000000);
}

/* Sleeps; returns early if a signal arrives. */
static void pause_ms(__u32 ms)
{
	nanosleep(&(struct timespec){ .tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000L }, NULL);
}

static bool is_interrupted(const struct drain *drain)
{
	return drain->options->interrupted && *drain->options->interrupted;
}

/* Counts the flows of the drained sockets, and the flows that were active within the idle time. */
static int flows_count(struct drain *drain, __u32 *flows, __u32 *busy)
{
	struct steer_usage *usage = malloc(sizeof(*usage));
	int i, at, result = usage ? 0 : -ENOMEM;

	*flows = *busy = 0;
	for (i = 0; i < drain->groups.count && !result; i++) {
		struct steer_group *group = drain->groups.group[i];

		result = steer_group_reload(group);
		if (!result)
			result = steer_group_usage(group, drain->options->idle_ms, usage);
		for (at = 0; at < drain->count && !result; at++) {
			struct drained *drained = &drain->all[at];

			if (drained->group != group || !drain_has_slot(drained))
				continue;
			*flows += usage->of_slot[drained->slot];
			*busy += usage->busy[drained->slot];
			/* skip closed sockets, whose flows move immediately */
			if (steer_group_holds(group, drained->slot))
				drained->busy = usage->busy[drained->slot];
		}
	}
	free(usage);
	if (result)
		return err_set(drain->err, EXIT_ERROR, -result, "flow table: %s",
			       strerror(-result));
	return 0;
}

/* --- queues */

/*
 * Records that a socket has left the group. If the close was not detected, the last known state of
 * the queue is used: after the handover a queue can only shrink.
 */
static void socket_left(struct drain *drain, struct drained *drained)
{
	drained->left = true;
	if (!unread_closed(drain->unread, drained->cookie, &drained->queue) &&
	    unread_queue(drain->unread, drained->sock, drained->cookie, &drained->queue) &&
	    drained->queue.connected)
		drained->queue.datagrams = 0;
	drain->result->early += drained->busy && !drain_is_handed_over(drained);
}

/* Updates the queues of all sockets. Returns the number of datagrams that can still be read. */
static __u64 queues_look(struct drain *drain)
{
	__u64 waiting = 0;
	int i, left = 0;

	for (i = 0; i < drain->count; i++) {
		struct drained *drained = &drain->all[i];
		struct sluice_unread queue;

		if (!drained->left && drain_has_slot(drained) &&
		    steer_group_holds(drained->group, drained->slot)) {
			if (unread_queue(drain->unread, drained->sock, drained->cookie, &queue))
				drained->queue = queue;
			waiting += drained->queue.datagrams;
			continue;
		}
		if (!drained->left)
			socket_left(drain, drained);
		left++;
	}
	drain->result->exited = left == drain->count;
	return waiting;
}

static int queues_watch(struct drain *drain)
{
	int i, result = unread_open(&drain->unread, drain->options->cgroup, drain->err);

	for (i = 0; i < drain->count && !result; i++) {
		struct drained *drained = &drain->all[i];

		result = unread_watch(drain->unread, drained->cookie);
		if (result)
			return err_set(drain->err, EXIT_ERROR, -result, "steer drain: %s",
				       strerror(-result));
		if (unread_queue(drain->unread, drained->sock, drained->cookie, &drained->queue))
			drained->drops = drained->queue.drops;
	}
	return result;
}

/* Waits until the process has emptied or closed its queues, or has stopped reading. */
static int wait_read(struct drain *drain)
{
	__u64 least = ~0ULL, waiting;
	__u32 since_ms = 0;

	pause_ms(GRACE_MS);
	while ((waiting = queues_look(drain))) {
		if (is_interrupted(drain))
			return -EINTR;
		if (waiting < least) {
			least = waiting;
			since_ms = elapsed_ms(drain);
		}
		drain->result->stalled = elapsed_ms(drain) - since_ms >= STALLED_MS;
		if (drain->result->stalled)
			return 0;
		pause_ms(5);
	}
	return 0;
}

static void losses_add(const struct drain *drain)
{
	int i;

	for (i = 0; i < drain->count; i++) {
		const struct drained *drained = &drain->all[i];

		drain->result->unread += drained->queue.datagrams;
		drain->result->dropped += (__u32)(drained->queue.drops - drained->drops);
	}
}

/* --- the drain */

/*
 * Waits until no flow is busy and no datagram is queued, all sockets are closed, or the limit is
 * reached.
 */
static int wait_idle(struct drain *drain)
{
	struct steer_drain_result *result = drain->result;
	__u32 flows, checked_ms = elapsed_ms(drain);
	int failed;

	for (;;) {
		__u64 before = clock_now_ns(CLOCK_MONOTONIC), waiting, took_ms;

		failed = flows_count(drain, &flows, &result->flows_left);
		if (failed)
			return failed;
		waiting = queues_look(drain);
		if (is_interrupted(drain))
			return -EINTR;
		if (result->exited || (!result->flows_left && !waiting))
			return 0;
		result->limit = elapsed_ms(drain) >= drain->options->limit_ms;
		if (result->limit)
			return 0;
		if (elapsed_ms(drain) - checked_ms >= CHECK_MS) {
			failed = steer_sweep(&drain->loader, drain->options->bpffs, NULL, NULL,
					     drain->err);
			if (!failed)
				failed = drain_slots_set(drain, true, drain_slot_draining);
			if (failed)
				return failed;
			checked_ms = elapsed_ms(drain);
		}
		/* walking a large table takes time: spend at most a tenth of the CPU on it */
		took_ms = 10 * (clock_now_ns(CLOCK_MONOTONIC) - before) / 1000000;
		pause_ms(took_ms > POLL_MS ? (__u32)took_ms : POLL_MS);
	}
}

/* Finds the sockets. Waits until another process can take the flows. */
static int begin(struct drain *drain)
{
	const struct steer_drain_options *options = drain->options;
	bool first = true;
	int result;

	for (;; drain_forget(drain)) {
		result = options->dry_run ? 0
					  : steer_sweep(&drain->loader, options->bpffs,
							first ? options->fn : NULL, options->arg,
							drain->err);
		if (!result)
			result = drain_collect(drain);
		if (result != -EBUSY || options->dry_run || is_interrupted(drain) ||
		    elapsed_ms(drain) >= options->wait_ms)
			return result;
		first = false;
		pause_ms(POLL_MS);
	}
}

static int drain_run(struct drain *drain)
{
	int result = begin(drain);

	if (result)
		return result;
	drain->start_ns = clock_now_ns(CLOCK_BOOTTIME);
	drain->result->sockets = drain->count;
	result = flows_count(drain, &drain->result->flows, &drain->result->flows_left);
	if (result || drain->options->dry_run)
		return result;
	result = queues_watch(drain);
	if (result)
		return result;
	result = drain_slots_give(drain, drain_slot_draining);
	if (!result)
		result = wait_idle(drain);
	if (!result && !drain->result->exited)
		result = drain_slots_give(drain, drain_slot_expel);
	if (!result)
		result = wait_read(drain);
	if (!result) {
		losses_add(drain);
		return drain_slots_set(drain, false, drain_slot_end);
	}
	drain_slots_restore(drain);
	if (result != -EINTR)
		return result;
	return err_set(drain->err, EXIT_ERROR, EINTR,
		       "steer drain: interrupted; process %u takes new flows again",
		       drain->options->pid);
}

int steer_drain(const struct steer_drain_options *options, struct steer_drain_result *result,
		struct err *err)
{
	struct drain *drain;
	struct sluice_steer_meta meta;
	int failed = steer_caps_require("steer drain", true, err);

	if (!failed)
		failed = steer_read(options->bpffs, &meta, err);
	if (!failed)
		failed = server_check(options->pid, err);
	if (failed)
		return failed;
	drain = calloc(1, sizeof(*drain));
	if (!drain)
		return err_set(err, EXIT_ERROR, ENOMEM, "steer drain: out of memory");
	*result = (struct steer_drain_result){ 0 };
	drain->options = options;
	drain->result = result;
	drain->err = err;
	drain->start_ns = clock_now_ns(CLOCK_BOOTTIME);
	drain->server = (struct steer_server){
		.pid = options->pid,
		.instance = instance_of(options->pid, SLUICE_STEER_BY_PROCESS),
		.by = meta.generations,
	};
	failed = drain_run(drain);
	result->took_ms = elapsed_ms(drain);
	unread_close(drain->unread);
	drain_forget(drain);
	steer_loader_close(&drain->loader);
	free(drain);
	return failed;
}
