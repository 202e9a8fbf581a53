// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The sockets are held by descriptors of our own meanwhile: should their process end, their queues
 * are still there to be moved.  Which also means that nobody else sees them close: a socket that
 * nobody holds but us gets nothing from that moment on, or its flows would wait for the limit with
 * it.  The lock on the pins is held only while slots are written, so that the
 * daemon and other commands work on.
 */
#include "steer/drain.h"

#include "kernel/caps.h"
#include "kernel/pins.h"
#include "kernel/sockets.h"
#include "kernel/state_dir.h"
#include "steer/group/drain_lock.h"
#include "steer/group/instance.h"
#include "steer/pid_watch.h"
#include "steer/reinject.h"
#include "steer/steer.h"

#include <errno.h>
#include <linux/sock_diag.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SOCKETS_MAX SLUICE_STEER_SLOTS
#define LOOK_MS	    50
/* A living process may close a socket, which nobody tells us of. */
#define HOLDERS_MS 1000
/* A datagram that was given to the socket before the slot was closed has reached its queue. */
#define GRACE_MS 50
/* What the process gets to empty its queues when the limit is over, too. */
#define LAST_MS 1000

struct drained {
	struct steer_group *group; /* shared by the sockets of a group */
	__u64 cookie;
	int slot;
	int fd;	      /* -1: nobody else holds it any more, and it has been emptied */
	__u32 drops;  /* of the socket, at the beginning */
	bool missing; /* nobody else was seen to hold it at the last look */
	bool left;    /* nor at the one before */
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
	int held; /* of these, with a descriptor */
	struct holders holders;
	__u32 looked_ms; /* at who holds them, after the start */
	__u64 start_ns;
	struct err *err;
};

static __u32 elapsed_ms(const struct drain *drain)
{
	return (__u32)((plane_now_ns(CLOCK_BOOTTIME) - drain->start_ns) / 1000000);
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
	drain->held++;
	*drained = (struct drained){ .group = group,
				     .cookie = group->slots[slot].cookie,
				     .slot = slot,
				     .fd = fd,
				     .drops = socket_drops(fd) };
	drain->count++;
	return holders_watch(&drain->holders, record->pid);
}

/* Does the slot take new flows, or will it with the next sweep? */
static bool slot_takes(struct steer_group *group, int slot)
{
	__u16 state = group->slots[slot].state;

	return state == SLUICE_STEER_ACTIVE || state == SLUICE_STEER_RETIRED ||
	       steer_drainer_gone(group, slot);
}

/* One whose process has ended meanwhile is nobody's any more, and is drained nevertheless. */
static bool is_held(const struct drain *drain, const struct sluice_steer_slot *slot)
{
	int i;

	for (i = 0; i < drain->count; i++)
		if (drain->all[i].cookie == slot->cookie)
			return true;
	return false;
}

/* Is there anybody else for the flows? */
static bool has_others(const struct drain *drain, struct steer_group *group)
{
	int slot;

	for (slot = 0; slot < SLUICE_STEER_SLOTS; slot++)
		if (slot_takes(group, slot) && !is_held(drain, &group->slots[slot]) &&
		    !is_meant(drain, &group->slots[slot]))
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
	/* what another drain alone holds is in its hands */
	int result = sockets_read_others(&drain->sockets, drain->err);

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

/* One that is closed gives its slot to another. */
static bool has_slot(const struct drained *drained)
{
	return drained->group->slots[drained->slot].cookie == drained->cookie;
}

static __u16 *state_of(const struct drained *drained)
{
	return &drained->group->slots[drained->slot].state;
}

/* Runs fn on each socket's slot. */
static int slots_write(struct drain *drain, int (*fn)(struct drained *drained))
{
	int i, result = 0;

	for (i = 0; i < drain->count && !result; i++)
		if (has_slot(&drain->all[i]))
			result = fn(&drain->all[i]);
	return result ? slots_failed(drain, result) : 0;
}

static int slot_draining(struct drained *drained)
{
	int result = steer_drainer_begin(drained->group, drained->slot);

	/* by a drain before this one */
	if (result || *state_of(drained) == SLUICE_STEER_DRAINED)
		return result;
	*state_of(drained) = SLUICE_STEER_DRAINING;
	return steer_group_write(drained->group, drained->slot);
}

/* It is draining until its queue is empty: a drain that is killed before that is seen by it. */
static int slot_expel(struct drained *drained)
{
	return *state_of(drained) == SLUICE_STEER_DRAINING
		       ? steer_group_expel(drained->group, drained->slot)
		       : 0;
}

static int slot_left(struct drained *drained)
{
	return drained->left ? slot_expel(drained) : 0;
}

static int slot_emptied(struct drained *drained)
{
	if (drained->fd >= 0 || *state_of(drained) != SLUICE_STEER_DRAINING)
		return 0;
	*state_of(drained) = SLUICE_STEER_DRAINED;
	return steer_group_write(drained->group, drained->slot);
}

/* Another drain may have finished it meanwhile, or be at work on it. */
static int slot_restore(struct drained *drained)
{
	if (*state_of(drained) != SLUICE_STEER_DRAINING ||
	    steer_drainer_other(drained->group, drained->slot))
		return 0;
	*state_of(drained) = SLUICE_STEER_RETIRED;
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

/* Whoever else is there. */
static int slots_set(struct drain *drain, int (*fn)(struct drained *drained))
{
	struct pins pins;
	int result = pins_lock(&pins, drain->options->bpffs, false, drain->err);

	if (result)
		return result;
	result = slots_reload(drain);
	if (!result)
		result = slots_write(drain, fn);
	pins_unlock(&pins);
	return result;
}

/* Back to what was; what the generations make of it, the sweep says. */
static int slots_restore(struct drain *drain)
{
	int result = slots_set(drain, slot_restore);

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
			if (drain->all[at].group != drain->groups[i] || !has_slot(&drain->all[at]))
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
		if (drain->all[i].fd >= 0 && !drain->all[i].left && requeue_waits(drain->all[i].fd))
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
			result = holders_watch(&drain->holders, record->pid);
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
	struct requeued requeued = { 0 };
	int alone = steer_drainer_alone(drained->group);

	if (requeue(drained->fd, drained->group->info.port, &requeued))
		requeued.lost += requeue_discard(drained->fd);
	if (!alone)
		steer_drainer_share(drained->group);
	requeued.lost += socket_drops(drained->fd) - drained->drops;
	close(drained->fd);
	drained->fd = -1;
	drain->held--;
	drain->result->moved += requeued.moved;
	drain->result->lost += requeued.lost;
}

/* Where some of the sockets are left, and not all: the flows of these move now. */
static int sockets_part(struct drain *drain)
{
	int i, result, left = sockets_look(drain);

	if (left <= 0 || drain->result->exited)
		return left < 0 ? left : 0;
	result = slots_give(drain, slot_left);
	if (result)
		return result;
	pause_ms(GRACE_MS);
	for (i = 0; i < drain->count; i++)
		if (drain->all[i].fd >= 0 && drain->all[i].left)
			socket_empty(drain, &drain->all[i]);
	return slots_set(drain, slot_emptied);
}

/* --- the steps */

/* Until no flow is busy and no datagram waits, all processes have ended, or the limit is reached.
 */
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
		if (holders_wait(&drain->holders, next_look_ms(before)) ||
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
		if (holders_wait(&drain->holders, 5) && sockets_look(drain) < 0)
			break;
	for (i = 0; i < drain->count; i++)
		if (drain->all[i].fd >= 0)
			socket_empty(drain, &drain->all[i]);
	return slots_set(drain, slot_emptied);
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
		result = slots_give(drain, slot_expel);
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
	holders_free(&drain->holders);
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
	drain->result = result;
	drain->err = err;
	drain->start_ns = plane_now_ns(CLOCK_BOOTTIME);
	drain->instance = instance_of(options->pid, SLUICE_STEER_BY_PROCESS);
	failed = drain_run(drain);
	result->took_ms = elapsed_ms(drain);
	drain_end(drain);
	return failed;
}
