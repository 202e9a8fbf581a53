// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The drain holds a descriptor of each socket, so that the queues survive an exit of the process
 * and their datagrams can be moved. The descriptor also keeps the kernel from noticing a close: the
 * drain expels a socket at once when no other process holds it, or its flows would be stuck until
 * the limit. The lock on the pins is held only while slots are written, so the daemon and other
 * commands are not blocked.
 */
#include "steer/drain.h"

#include "base/clock.h"
#include "kernel/caps.h"
#include "kernel/state_dir.h"
#include "steer/drain_slots.h"
#include "steer/group/drain_lock.h"
#include "steer/group/instance.h"
#include "steer/group/stats.h"
#include "steer/reinject.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define POLL_MS 50
/* How often the holders are checked: a close by a running process raises no event. */
#define HOLDERS_MS 1000
/* After this time, a datagram that was on its way when the slot was closed is in the queue. */
#define GRACE_MS 50
/* How long the process may still empty its queues after the limit. */
#define LAST_MS 1000

static __u32 elapsed_ms(const struct drain *drain)
{
	return (__u32)((clock_now_ns(CLOCK_BOOTTIME) - drain->start_ns) / 1000000);
}

static void pause_ms(long ms)
{
	nanosleep(&(struct timespec){ .tv_nsec = ms * 1000000L }, NULL);
}

/* Counts the flows of the sockets, and how many of them were active within the idle time. */
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
			const struct drained *drained = &drain->all[at];

			if (drained->group != group || !drain_has_slot(drained))
				continue;
			*flows += usage->of_slot[drained->slot];
			*busy += usage->busy[drained->slot];
		}
	}
	free(usage);
	if (result)
		return err_set(drain->err, EXIT_ERROR, -result, "flow table: %s",
			       strerror(-result));
	return 0;
}

/* Does a datagram wait in a queue that a process may still read? */
static bool queues_wait(const struct drain *drain)
{
	int i;

	for (i = 0; i < drain->count; i++)
		if (drain->all[i].fd >= 0 && !drain->all[i].left &&
		    reinject_waits(drain->all[i].fd))
			return true;
	return false;
}

/*
 * Marks the sockets that no other process holds. Returns their number, or -errno. The walk over
 * the processes can miss a socket that is being passed between two of them (SCM_RIGHTS), so a
 * socket counts only if a second walk misses it, too.
 */
static int holders_check(struct drain *drain)
{
	bool repeat = true;
	int walk, i, left = 0, result = 0;

	for (walk = 0; walk < 2 && repeat; walk++) {
		struct sockets *sockets;

		if (walk)
			pause_ms(POLL_MS);
		result = sockets_read_others(&sockets, drain->err);
		if (result)
			return result;
		drain->checked_ms = elapsed_ms(drain);
		repeat = false;
		left = 0;
		for (i = 0; i < drain->count && !result; i++) {
			struct drained *drained = &drain->all[i];
			const struct sluice_socket_record *record;

			if (drained->fd < 0)
				continue;
			record = sockets_find(sockets, drained->cookie);
			drained->left = !record && drained->missing;
			drained->missing = !record;
			left += drained->left;
			repeat |= drained->missing && !drained->left;
			if (record)
				result = pid_watch_add(&drain->watch, record->pid);
		}
		sockets_free(sockets);
		drain->result->exited = left == drain->held;
		if (result)
			return err_set(drain->err, EXIT_ERROR, -result, "steer drain: %s",
				       strerror(-result));
	}
	return left;
}

/* Moves the queued datagrams of a socket whose slot is closed already. */
static void socket_empty(struct drain *drain, struct drained *drained)
{
	struct reinjected reinjected = { 0 };
	int locked = drain_lock_exclusive(drained->group);

	if (reinject(drained->fd, drained->group->info.port, &reinjected))
		reinjected.lost += reinject_discard(drained->fd);
	if (!locked)
		drain_lock_unlock(drained->group);
	reinjected.lost += drain_socket_drops(drained->fd) - drained->drops;
	close(drained->fd);
	drained->fd = -1;
	drain->held--;
	drain->result->moved += reinjected.moved;
	drain->result->lost += reinjected.lost;
}

static int sockets_empty(struct drain *drain, bool all)
{
	int i;

	for (i = 0; i < drain->count; i++)
		if (drain->all[i].fd >= 0 && (all || drain->all[i].left))
			socket_empty(drain, &drain->all[i]);
	return drain_slots_set(drain, false, drain_slot_emptied);
}

/* Moves the flows of the sockets that were closed, while others are still open. */
static int holders_sync(struct drain *drain)
{
	int result = holders_check(drain);

	if (result <= 0 || drain->result->exited)
		return result < 0 ? result : 0;
	result = drain_slots_give(drain, drain_slot_left);
	if (result)
		return result;
	pause_ms(GRACE_MS);
	return sockets_empty(drain, false);
}

/*
 * Waits until no flow is busy and no datagram is queued, all processes have exited, or the limit is
 * reached.
 */
static int wait_idle(struct drain *drain)
{
	struct steer_drain_result *result = drain->result;
	__u32 flows;
	int failed;

	for (;;) {
		__u64 before = clock_now_ns(CLOCK_MONOTONIC), took_ms;

		failed = flows_count(drain, &flows, &result->flows_left);
		if (failed)
			return failed;
		if (drain->options->interrupted && *drain->options->interrupted)
			return -EINTR;
		if (!result->flows_left && !queues_wait(drain))
			return 0;
		result->limit = elapsed_ms(drain) >= drain->options->limit_ms;
		if (result->limit)
			return 0;
		/* a walk over a large table takes time: use at most a tenth of the CPU for it */
		took_ms = 10 * (clock_now_ns(CLOCK_MONOTONIC) - before) / 1000000;
		if (pid_watch_wait(&drain->watch, took_ms > POLL_MS ? (__u32)took_ms : POLL_MS) ||
		    elapsed_ms(drain) - drain->checked_ms >= HOLDERS_MS)
			failed = holders_sync(drain);
		if (failed || result->exited)
			return failed;
	}
}

static int drain_run(struct drain *drain)
{
	int result = drain_collect(drain);
	__u32 end;

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
	/* the process gets a last chance to read its queues; what remains is moved */
	pause_ms(GRACE_MS);
	end = elapsed_ms(drain) + LAST_MS;
	while (queues_wait(drain) && elapsed_ms(drain) < end)
		if (pid_watch_wait(&drain->watch, 5) && holders_check(drain) < 0)
			break;
	return sockets_empty(drain, true);
}

int steer_drain(const struct steer_drain_options *options, struct steer_drain_result *result,
		struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_NET_RAW,
				    CAP_SYS_PTRACE };
	struct drain *drain;
	struct sluice_steer_meta meta;
	int i, failed = caps_require("steer drain", caps, sizeof(caps) / sizeof(*caps), err);

	if (!failed)
		failed = steer_read(options->bpffs, &meta, err);
	if (failed)
		return failed;
	if (kill((pid_t)options->pid, 0) && errno == ESRCH)
		return err_set(err, EXIT_ERROR, errno, "process %u: %s", options->pid,
			       strerror(errno));
	drain = calloc(1, sizeof(*drain));
	if (!drain)
		return err_set(err, EXIT_ERROR, ENOMEM, "steer drain: out of memory");
	*result = (struct steer_drain_result){ 0 };
	drain->options = options;
	drain->result = result;
	drain->err = err;
	drain->start_ns = clock_now_ns(CLOCK_BOOTTIME);
	drain->instance = instance_of(options->pid, SLUICE_STEER_BY_PROCESS);
	failed = drain_run(drain);
	result->took_ms = elapsed_ms(drain);
	for (i = 0; i < drain->count; i++)
		if (drain->all[i].fd >= 0)
			close(drain->all[i].fd);
	steer_groups_close(&drain->groups);
	sockets_free(drain->sockets);
	pid_watch_free(&drain->watch);
	steer_loader_close(&drain->loader);
	free(drain);
	return failed;
}
