// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sockets are held by descriptors of our own meanwhile: should their process end, their queues
 * are still there to be moved.  Which also means that nobody else sees them close: a socket that
 * nobody holds but us gets nothing from that moment on, or its flows would wait for the limit with
 * it.  The lock on the pins is held only while slots are written, so that the
 * daemon and other commands work on.
 */
#include "steer/drain.h"

#include "base/clock.h"
#include "kernel/caps.h"
#include "kernel/state_dir.h"
#include "steer/drain_slots.h"
#include "steer/group/drain_lock.h"
#include "steer/group/instance.h"
#include "steer/group/stats.h"
#include "steer/pid_watch.h"
#include "steer/reinject.h"
#include "steer/steer.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS 50
/* A living process may close a socket, which nobody tells us of. */
#define HOLDERS_MS 1000
/* A datagram that was given to the socket before the slot was closed has reached its queue. */
#define GRACE_MS 50
/* What the process gets to empty its queues when the limit is over, too. */
#define LAST_MS 1000

static __u32 elapsed_ms(const struct drain *drain)
{
	return (__u32)((clock_now_ns(CLOCK_BOOTTIME) - drain->start_ns) / 1000000);
}

/* --- waiting */

/* The flows of the sockets, and how many of them were heard within the idle time. */
static int flows_count(struct drain *drain, __u32 *flows, __u32 *busy)
{
	struct steer_usage *fill = malloc(sizeof(*fill));
	int i, at, result = fill ? 0 : -ENOMEM;

	*flows = *busy = 0;
	for (i = 0; i < drain->group_count && !result; i++) {
		result = steer_group_reload(drain->groups[i]);
		if (!result)
			result = steer_group_usage(drain->groups[i], drain->options->idle_ms, fill);
		for (at = 0; at < drain->count && !result; at++) {
			if (drain->all[at].group != drain->groups[i] ||
			    !drain_has_slot(&drain->all[at]))
				continue;
			*flows += fill->of_slot[drain->all[at].slot];
			*busy += fill->busy[drain->all[at].slot];
		}
	}
	free(fill);
	if (result)
		return err_set(drain->err, EXIT_ERROR, -result, "flow table: %s",
			       strerror(-result));
	return 0;
}

/* Of those that somebody may still read. */
static bool queues_wait(const struct drain *drain)
{
	int i;

	for (i = 0; i < drain->count; i++)
		if (drain->all[i].fd >= 0 && !drain->all[i].left &&
		    reinject_waits(drain->all[i].fd))
			return true;
	return false;
}

static bool is_interrupted(const struct drain *drain)
{
	return drain->options->interrupted && *drain->options->interrupted;
}

/* A look at a large table takes its time, and looking must not become the load. */
static __u32 next_look_ms(__u64 look_ns)
{
	__u64 ms = 10 * look_ns / 1000000;

	return ms > LOOK_MS ? (__u32)ms : LOOK_MS;
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

/* --- sockets that their processes leave */

/* Is there a socket that was there at the look before? */
static bool any_newly_missing(const struct drain *drain)
{
	int i;

	for (i = 0; i < drain->count; i++)
		if (drain->all[i].missing && !drain->all[i].left)
			return true;
	return false;
}

static int sockets_look_once(struct drain *drain)
{
	struct sockets *sockets;
	int i, left = 0, result = sockets_read_others(&sockets, drain->err);

	if (result)
		return result;
	drain->looked_ms = elapsed_ms(drain);
	for (i = 0; i < drain->count && !result; i++) {
		const struct sluice_socket_record *record;

		if (drain->all[i].fd < 0)
			continue;
		record = sockets_find(sockets, drain->all[i].cookie);
		drain->all[i].left = !record && drain->all[i].missing;
		drain->all[i].missing = !record;
		left += drain->all[i].left;
		if (record)
			result = pid_watch_add(&drain->holders, record->pid);
	}
	sockets_free(sockets);
	drain->result->exited = left == drain->held;
	return result ? err_set(drain->err, EXIT_ERROR, -result, "steer drain: %s",
				strerror(-result))
		      : left;
}

/*
 * Marks the sockets that nobody else holds: their number, or -errno.  One that is on its way from a
 * process to another (SCM_RIGHTS), or was so while the walk passed both, is there at a second look.
 */
static int sockets_look(struct drain *drain)
{
	int left = sockets_look_once(drain);

	if (left < 0 || !any_newly_missing(drain))
		return left;
	pause_ms(LOOK_MS);
	return sockets_look_once(drain);
}

/* The slot takes nothing any more: what waits is moved. */
static void socket_empty(struct drain *drain, struct drained *drained)
{
	struct reinjected reinjected = { 0 };
	int alone = drain_lock_is_alone(drained->group);

	if (reinject(drained->fd, drained->group->info.port, &reinjected))
		reinjected.lost += reinject_discard(drained->fd);
	if (!alone)
		drain_lock_share(drained->group);
	reinjected.lost += drain_socket_drops(drained->fd) - drained->drops;
	close(drained->fd);
	drained->fd = -1;
	drain->held--;
	drain->result->moved += reinjected.moved;
	drain->result->lost += reinjected.lost;
}

/* Where some of the sockets are left, and not all: the flows of these move now. */
static int sockets_part(struct drain *drain)
{
	int i, result, left = sockets_look(drain);

	if (left <= 0 || drain->result->exited)
		return left < 0 ? left : 0;
	result = drain_slots_give(drain, drain_slot_left);
	if (result)
		return result;
	pause_ms(GRACE_MS);
	for (i = 0; i < drain->count; i++)
		if (drain->all[i].fd >= 0 && drain->all[i].left)
			socket_empty(drain, &drain->all[i]);
	return drain_slots_set(drain, false, drain_slot_emptied);
}

/* --- the steps */

/* Until no flow is busy and no datagram waits, all processes have ended, or the limit is reached.
 */
static int wait_idle(struct drain *drain)
{
	struct steer_drain_result *result = drain->result;
	__u32 flows;

	for (;;) {
		__u64 before = clock_now_ns(CLOCK_MONOTONIC);
		int failed = flows_count(drain, &flows, &result->flows_left);

		if (failed)
			return failed;
		if (is_interrupted(drain))
			return -EINTR;
		if (!result->flows_left && !queues_wait(drain))
			return 0;
		result->limit = elapsed_ms(drain) >= drain->options->limit_ms;
		if (result->limit)
			return 0;
		before = clock_now_ns(CLOCK_MONOTONIC) - before;
		if (pid_watch_wait(&drain->holders, next_look_ms(before)) ||
		    elapsed_ms(drain) - drain->looked_ms >= HOLDERS_MS)
			failed = sockets_part(drain);
		if (failed || result->exited)
			return failed;
	}
}

/* The slots take nothing any more: what waits is read by the process, or else moved. */
static int empty_queues(struct drain *drain)
{
	__u32 end;
	int i;

	pause_ms(GRACE_MS);
	end = elapsed_ms(drain) + LAST_MS;
	while (queues_wait(drain) && elapsed_ms(drain) < end)
		if (pid_watch_wait(&drain->holders, 5) && sockets_look(drain) < 0)
			break;
	for (i = 0; i < drain->count; i++)
		if (drain->all[i].fd >= 0)
			socket_empty(drain, &drain->all[i]);
	return drain_slots_set(drain, false, drain_slot_emptied);
}

static int drain_run(struct drain *drain)
{
	int result = drain_collect(drain);

	if (result)
		return result;
	drain->result->sockets = drain->count;
	result = flows_count(drain, &drain->result->flows, &drain->result->flows_left);
	if (result || drain->options->dry_run)
		return result;
	result = drain_slots_give(drain, drain_slot_draining);
	if (!result)
		result = wait_idle(drain);
	if (!result)
		result = drain_slots_give(drain, drain_slot_expel);
	if (result) {
		drain_slots_restore(drain);
		return result == -EINTR
			       ? err_set(drain->err, EXIT_ERROR, EINTR,
					 "steer drain: interrupted; process %u takes new flows"
					 " again",
					 drain->options->pid)
			       : result;
	}
	return empty_queues(drain);
}

static void drain_end(struct drain *drain)
{
	int i;

	for (i = 0; i < drain->count; i++)
		if (drain->all[i].fd >= 0)
			close(drain->all[i].fd);
	for (i = 0; i < drain->group_count; i++)
		steer_group_close(drain->groups[i]);
	free(drain->groups);
	sockets_free(drain->sockets);
	pid_watch_free(&drain->holders);
	steer_loader_close(&drain->loader);
	free(drain);
}

int steer_drain(const struct steer_drain_options *options, struct steer_drain_result *result,
		struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_NET_RAW,
				    CAP_SYS_PTRACE };
	struct drain *drain;
	struct sluice_steer_meta meta;
	int failed = caps_require("steer drain", caps, sizeof(caps) / sizeof(*caps), err);

	if (!failed)
		failed = steer_read(options->bpffs, &meta, err);
	if (failed)
		return failed;
	if (kill((pid_t)options->pid, 0) && errno == ESRCH)
		return err_set(err, EXIT_ERROR, errno, "process %u: %s", options->pid,
			       strerror(errno));
	drain = calloc(1, sizeof(*drain));
	if (!drain)
		return err_set(err, EXIT_ERROR, ENOMEM, "steer drain: no memory");
	*result = (struct steer_drain_result){ 0 };
	err->code = EXIT_OK; /* so that it tells who has set it */
	drain->options = options;
	drain->bpffs = options->bpffs;
	drain->pid = options->pid;
	drain->fn = options->fn;
	drain->arg = options->arg;
	drain->result = result;
	drain->err = err;
	drain->start_ns = clock_now_ns(CLOCK_BOOTTIME);
	drain->instance = instance_of(options->pid, SLUICE_STEER_BY_PROCESS);
	failed = drain_run(drain);
	result->took_ms = elapsed_ms(drain);
	drain_end(drain);
	return failed;
}
