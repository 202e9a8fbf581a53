// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sockets are held by descriptors of our own meanwhile: should the process end, its queues are
 * still there to be moved.  The lock on the pins is held only while slots are written, so that the
 * daemon and other commands work on.
 */
#include "steer_drain.h"

#include "caps.h"
#include "instance.h"
#include "pins.h"
#include "plane.h"
#include "requeue.h"
#include "sockets.h"
#include "steer.h"
#include "steer_drainer.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS_MAX SLUICE_STEER_SLOTS
#define LOOK_MS	    50
/* A datagram that was given to the socket before the slot was closed has reached its queue. */
#define GRACE_MS 50
/* What the process gets to empty its queues when the limit is over, too. */
#define LAST_MS 1000

struct drained {
	struct steer_group *group; /* shared by the sockets of a group */
	__u64 cookie;
	int slot;
	int fd;
	__u32 drops; /* of the socket, at the beginning */
	bool joined; /* it was not drained before */
};

struct drain {
	const struct steer_drain_options *options;
	struct steer_drain_result *result;
	__u64 instance;
	struct sockets *sockets;
	struct steer_group **groups;
	int group_count;
	struct drained all[SOCKETS_MAX];
	int count;
	int pidfd;
	__u64 start_ns;
	struct err *err;
};

static __u32 elapsed_ms(const struct drain *drain)
{
	return (__u32)((plane_now_ns(CLOCK_BOOTTIME) - drain->start_ns) / 1000000);
}

/* Sleeps, and wakes when the process ends; true if it has. */
static bool process_wait(const struct drain *drain, __u32 ms)
{
	struct pollfd end = { .fd = drain->pidfd, .events = POLLIN };

	return poll(&end, 1, (int)ms) == 1;
}

/* --- which sockets */

static bool is_meant(const struct drain *drain, const struct sluice_steer_slot *slot)
{
	if (slot->state == SLUICE_STEER_FREE)
		return false;
	return slot->pid == drain->options->pid ||
	       (drain->instance &&
		instance_of(slot->pid, SLUICE_STEER_BY_PROCESS) == drain->instance);
}

static __u32 socket_drops(int fd)
{
	__u32 memory[SK_MEMINFO_VARS] = { 0 };
	socklen_t length = sizeof(memory);

	return getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &length) ? 0
								       : memory[SK_MEMINFO_DROPS];
}

static int socket_hold(struct drain *drain, struct steer_group *group, int slot)
{
	const struct sluice_socket_record *record = sockets_find(drain->sockets,
								 group->slots[slot].cookie);
	struct drained *drained = &drain->all[drain->count];
	__u64 cookie;
	int fd = record ? sockets_take(record, &cookie) : -ESTALE;

	if (fd == -ESTALE)
		return 0;
	if (fd < 0)
		return err_set(drain->err, fd == -EPERM ? EXIT_PERMISSION : EXIT_ERROR, -fd,
			       "socket of %s (%u): %s", record->comm, record->pid, strerror(-fd));
	if (drain->count == SOCKETS_MAX) {
		close(fd);
		return err_set(drain->err, EXIT_ERROR, E2BIG, "more than %d sockets", SOCKETS_MAX);
	}
	/* a slot that is draining already is another drain's, and perhaps left to us by it */
	*drained = (struct drained){
		group, group->slots[slot].cookie, slot,
		fd,    socket_drops(fd),	  group->slots[slot].state != SLUICE_STEER_DRAINED
	};
	drain->count++;
	return 0;
}

/* Does the slot take new flows, or will it with the next sweep? */
static bool slot_takes(struct steer_group *group, int slot)
{
	__u16 state = group->slots[slot].state;

	return state == SLUICE_STEER_ACTIVE || state == SLUICE_STEER_RETIRED ||
	       steer_drainer_gone(group, slot);
}

/* Is there anybody else for the flows? */
static bool has_others(const struct drain *drain, struct steer_group *group)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (slot_takes(group, slot) && !is_meant(drain, &group->slots[slot]))
			return true;
	return false;
}

static int refuse_last(const struct drain *drain, const struct steer_group *group)
{
	return err_mend(drain->err,
			err_set(drain->err, EXIT_CONFLICT, EBUSY,
				"port %u: no other process takes the flows of process %u",
				group->info.port, drain->options->pid),
			"start the new instance of the server first, and steer it ('sluice steer"
			" load' again, if 'sluice run' does not)");
}

/* The group is opened anew, since the one given is closed behind this call. */
static int group_collect(struct steer_group *given, void *arg)
{
	struct drain *drain = arg;
	struct steer_group *group, **groups;
	int slot, result = 0, before = drain->count;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (is_meant(drain, &given->slots[slot]))
			break;
	if (slot == SLUICE_STEER_SLOTS)
		return 0;
	groups = realloc(drain->groups, ((size_t)drain->group_count + 1) * sizeof(*groups));
	if (!groups)
		return -ENOMEM;
	drain->groups = groups;
	result = steer_group_open(given->dir, given->name, &group, drain->err);
	if (result)
		return result;
	drain->groups[drain->group_count++] = group;
	for (slot = 0; !result && slot < SLUICE_STEER_SLOTS; slot++)
		if (is_meant(drain, &group->slots[slot]))
			result = socket_hold(drain, group, slot);
	if (!result && drain->count > before && !has_others(drain, group))
		result = refuse_last(drain, group);
	return result;
}

static int collect(struct drain *drain)
{
	int result = sockets_read(&drain->sockets, drain->err);

	if (!result)
		result = steer_groups(drain->options->bpffs, group_collect, drain, drain->err);
	if (result)
		return drain->err->code ? result
					: err_set(drain->err, EXIT_ERROR, -result,
						  "steer drain: %s", strerror(-result));
	if (!drain->count)
		return err_mend(drain->err,
				err_set(drain->err, EXIT_ERROR, ESRCH,
					"process %u has no steered socket", drain->options->pid),
				"'sluice steer show' lists those that have");
	drain->result->sockets = drain->count;
	return 0;
}

/* --- slots */

static int slots_failed(const struct drain *drain, int result)
{
	return err_set(drain->err, EXIT_ERROR, -result, "slots: %s", strerror(-result));
}

static int slots_reload(const struct drain *drain)
{
	int i, result = 0;

	for (i = 0; i < drain->group_count && !result; i++)
		result = steer_group_reload(drain->groups[i]);
	return result ? slots_failed(drain, result) : 0;
}

/* Runs fn on each socket's slot, if the slot is still the socket's. */
static int slots_write(struct drain *drain, int (*fn)(struct drained *drained))
{
	int i, result = 0;

	for (i = 0; i < drain->count && !result; i++) {
		struct drained *drained = &drain->all[i];

		if (drained->group->slots[drained->slot].cookie == drained->cookie)
			result = fn(drained);
	}
	return result ? slots_failed(drain, result) : 0;
}

static int slot_draining(struct drained *drained)
{
	int result = steer_drainer_begin(drained->group, drained->slot);

	drained->group->slots[drained->slot].state = SLUICE_STEER_DRAINING;
	return result ? result : steer_group_write(drained->group, drained->slot);
}

static int slot_drained(struct drained *drained)
{
	return steer_group_drained(drained->group, drained->slot);
}

static int slot_restore(struct drained *drained)
{
	if (!drained->joined || steer_drainer_other(drained->group, drained->slot))
		return 0;
	drained->group->slots[drained->slot].state = SLUICE_STEER_RETIRED;
	return steer_group_write(drained->group, drained->slot);
}

static bool is_drained(const struct drain *drain, const struct steer_group *group)
{
	int i;

	for (i = 0; i < drain->count; i++)
		if (drain->all[i].group == group)
			return true;
	return false;
}

/* The others may have gone, or be drained themselves by now: then there is nobody to move to. */
static int slots_give(struct drain *drain, int (*fn)(struct drained *drained))
{
	struct pins pins;
	int i, result = steer_sweep(drain->options->bpffs, drain->options->fn, drain->options->arg,
				    drain->err);

	if (!result)
		result = pins_lock(&pins, drain->options->bpffs, false, drain->err);
	if (result)
		return result;
	result = slots_reload(drain);
	for (i = 0; i < drain->group_count && !result; i++)
		if (is_drained(drain, drain->groups[i]) && !has_others(drain, drain->groups[i]))
			result = refuse_last(drain, drain->groups[i]);
	if (!result)
		result = slots_write(drain, fn);
	pins_unlock(&pins);
	return result ? result : steer_sweep(drain->options->bpffs, NULL, NULL, drain->err);
}

/* Back to what was; what the generations make of it, the sweep says. */
static int slots_restore(struct drain *drain)
{
	struct pins pins;
	int result = pins_lock(&pins, drain->options->bpffs, false, drain->err);

	if (result)
		return result;
	result = slots_reload(drain);
	if (!result)
		result = slots_write(drain, slot_restore);
	pins_unlock(&pins);
	return result ? result : steer_sweep(drain->options->bpffs, NULL, NULL, drain->err);
}

/* --- waiting */

/* The flows of the sockets, and how many of them were heard within the idle time. */
static int flows_count(struct drain *drain, __u32 *flows, __u32 *busy)
{
	struct steer_fill *fill = malloc(sizeof(*fill));
	int i, at, result = fill ? 0 : -ENOMEM;

	*flows = *busy = 0;
	for (i = 0; i < drain->group_count && !result; i++) {
		result = steer_group_reload(drain->groups[i]);
		if (!result)
			result = steer_group_fill(drain->groups[i], drain->options->idle_ms, fill);
		for (at = 0; at < drain->count && !result; at++) {
			if (drain->all[at].group != drain->groups[i])
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

static bool queues_wait(const struct drain *drain)
{
	int i;

	for (i = 0; i < drain->count; i++)
		if (requeue_waits(drain->all[i].fd))
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

/* Until no flow is busy and no datagram waits, the process has ended, or the limit is reached. */
static int wait_idle(struct drain *drain)
{
	struct steer_drain_result *result = drain->result;
	__u32 flows;

	for (;;) {
		__u64 before = plane_now_ns(CLOCK_MONOTONIC);
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
		before = plane_now_ns(CLOCK_MONOTONIC) - before;
		result->exited = process_wait(drain, next_look_ms(before));
		if (result->exited)
			return 0;
	}
}

/* The slots take nothing any more: what waits is read by the process, or else moved. */
static void empty_queues(struct drain *drain)
{
	struct requeued requeued = { 0 };
	__u32 end;
	int i;

	nanosleep(&(struct timespec){ .tv_nsec = GRACE_MS * 1000000L }, NULL);
	end = elapsed_ms(drain) + LAST_MS;
	while (!drain->result->exited && queues_wait(drain) && elapsed_ms(drain) < end)
		drain->result->exited = process_wait(drain, 5);
	for (i = 0; i < drain->count; i++) {
		if (requeue(drain->all[i].fd, drain->all[i].group->info.port, &requeued))
			requeued.lost += requeue_discard(drain->all[i].fd);
		requeued.lost += socket_drops(drain->all[i].fd) - drain->all[i].drops;
	}
	drain->result->moved = requeued.moved;
	drain->result->lost = requeued.lost;
}

static int drain_run(struct drain *drain)
{
	int result = collect(drain);

	if (!result)
		result = flows_count(drain, &drain->result->flows, &drain->result->flows_left);
	if (result || drain->options->dry_run)
		return result;
	result = slots_give(drain, slot_draining);
	if (!result)
		result = wait_idle(drain);
	if (!result)
		result = slots_give(drain, slot_drained);
	if (result) {
		struct err refused = *drain->err;

		slots_restore(drain);
		*drain->err = refused;
		return result == -EINTR
			       ? err_set(drain->err, EXIT_ERROR, EINTR,
					 "steer drain: interrupted; process %u takes new flows"
					 " again",
					 drain->options->pid)
			       : result;
	}
	empty_queues(drain);
	return 0;
}

static int process_open(const struct steer_drain_options *options, struct err *err)
{
	int pidfd = (int)syscall(SYS_pidfd_open, (pid_t)options->pid, 0);

	if (pidfd >= 0)
		return pidfd;
	return err_set(err, EXIT_ERROR, errno, "process %u: %s", options->pid, strerror(errno));
}

static void drain_end(struct drain *drain)
{
	int i;

	for (i = 0; i < drain->count; i++)
		close(drain->all[i].fd);
	for (i = 0; i < drain->group_count; i++)
		steer_group_close(drain->groups[i]);
	free(drain->groups);
	sockets_free(drain->sockets);
	close(drain->pidfd);
	free(drain);
}

int steer_drain(const struct steer_drain_options *options, struct steer_drain_result *result,
		struct err *err)
{
	static const int caps[] = { CAP_BPF, CAP_PERFMON, CAP_NET_ADMIN, CAP_NET_RAW,
				    CAP_SYS_PTRACE };
	struct drain *drain;
	struct sluice_steer_meta meta;
	int failed = caps_require("steer drain", caps, sizeof(caps) / sizeof(*caps), err), pidfd;

	if (!failed)
		failed = steer_read(options->bpffs, &meta, err);
	if (failed)
		return failed;
	pidfd = process_open(options, err);
	if (pidfd < 0)
		return pidfd;
	drain = calloc(1, sizeof(*drain));
	if (!drain) {
		close(pidfd);
		return err_set(err, EXIT_ERROR, ENOMEM, "steer drain: no memory");
	}
	*result = (struct steer_drain_result){ 0 };
	err->code = EXIT_OK; /* so that it tells who has set it */
	drain->options = options;
	drain->result = result;
	drain->err = err;
	drain->pidfd = pidfd;
	drain->start_ns = plane_now_ns(CLOCK_BOOTTIME);
	drain->instance = instance_of(options->pid, SLUICE_STEER_BY_PROCESS);
	failed = drain_run(drain);
	result->took_ms = elapsed_ms(drain);
	drain_end(drain);
	return failed;
}
