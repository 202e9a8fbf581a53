// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/pins_lock.h"

#include "base/clock.h"
#include "base/log.h"
#include "kernel/pin_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOCK_WAIT_S  5
#define LOCK_POLL_NS 20000000L
/* A process that has released the lock for others waits this long, in ns, before it locks again. */
#define HAND_OVER_NS (3 * LOCK_POLL_NS)
/* Minimum hold time of the lock, in ns: after a release, the holder must read its state again. */
#define HOLD_NS 500000000ULL
/* A load that has released the lock fails if it cannot lock again within this time, in seconds. */
#define RELOCK_WAIT_S 600

static bool is_same_time(const struct timespec *one, const struct timespec *other)
{
	return one->tv_sec == other->tv_sec && one->tv_nsec == other->tv_nsec;
}

/* Updates the access time of the directory, which the holder of the lock watches. */
static void announce(int dir_fd)
{
	const struct timespec times[2] = { { .tv_nsec = UTIME_NOW }, { .tv_nsec = UTIME_OMIT } };

	futimens(dir_fd, times);
}

/* Returns -EAGAIN if another process holds the lock, or removes the directory during the call. */
static int try_lock(struct pins *pins, bool create, struct err *err)
{
	int result = pin_dir_check(pins->dir, err);
	struct stat opened, named;

	if (result >= 0 && pin_dir_check_nesting(pins->dir, err))
		return -EINVAL;
	if (result < 0)
		return result;
	/*
	 * check before any change: on a read-only mount, a link can be detached, but its pin cannot
	 * be removed
	 */
	if (result && access(pins->dir, W_OK) && errno == EROFS)
		return pin_dir_error(pins->dir, EROFS, err);
	if (!result && (!create || (mkdir(pins->dir, 0700) && errno != EEXIST)))
		return pin_dir_error(pins->dir, create ? errno : ENOENT, err);
	pins->fd = open(pins->dir, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (pins->fd < 0 && errno == ENOENT && create)
		return -EAGAIN;
	if (pins->fd < 0 || fstat(pins->fd, &opened)) {
		result = pin_dir_error(pins->dir, errno, err);
		goto close;
	}
	result = pin_dir_check_owner(pins->dir, &opened, err);
	if (result)
		goto close;
	result = -EAGAIN;
	if (flock(pins->fd, LOCK_EX | LOCK_NB)) {
		announce(pins->fd);
		goto close;
	}
	/* if the directory was removed between open(2) and flock(2), the lock is useless */
	if (stat(pins->dir, &named) || fstat(pins->fd, &opened) || opened.st_ino != named.st_ino ||
	    opened.st_dev != named.st_dev)
		goto close;
	pins->accessed = opened.st_atim;
	pins->since_ns = clock_now_ns(CLOCK_MONOTONIC);
	return 0;
close:
	if (pins->fd >= 0)
		close(pins->fd);
	pins->fd = -1;
	return result;
}

static int lock_within(struct pins *pins, bool create, unsigned int seconds, struct err *err)
{
	__u64 deadline = clock_now_ns(CLOCK_MONOTONIC) + seconds * 1000000000ULL;
	const struct timespec pause = { .tv_nsec = LOCK_POLL_NS };
	bool waits = false;

	for (;;) {
		int result = try_lock(pins, create, err);

		if (result != -EAGAIN)
			return result;
		if (!waits)
			log_info("waiting for the lock on %s", pins->dir);
		waits = true;
		if (clock_now_ns(CLOCK_MONOTONIC) > deadline)
			break;
		nanosleep(&pause, NULL);
	}
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, EBUSY,
				"pin directory %s: locked by another sluice process", pins->dir),
			"find the process with 'lsof %s', and try again when it is done",
			pins->dir);
}

int pins_lock(struct pins *pins, const char *dir, bool create, struct err *err)
{
	*pins = (struct pins){ .fd = -1 };
	if (snprintf(pins->dir, sizeof(pins->dir), "%s", dir) >= PATH_MAX - NAME_MAX)
		return err_set(err, EXIT_USAGE, ENAMETOOLONG,
			       "pin directory: the path is too long");
	return lock_within(pins, create, LOCK_WAIT_S, err);
}

static bool others_wait(const struct pins *pins)
{
	struct stat st;

	return pins->fd >= 0 && !fstat(pins->fd, &st) &&
	       !is_same_time(&st.st_atim, &pins->accessed);
}

bool pins_wanted(const struct pins *pins)
{
	return clock_now_ns(CLOCK_MONOTONIC) - pins->since_ns > HOLD_NS && others_wait(pins);
}

static void release(struct pins *pins)
{
	const struct timespec pause = { .tv_nsec = HAND_OVER_NS };
	bool wanted = others_wait(pins);

	close(pins->fd);
	pins->fd = -1;
	/*
	 * the waiting processes poll: without a pause, this process would lock again before they do
	 */
	if (wanted)
		nanosleep(&pause, NULL);
}

int pins_yield(struct pins *pins, struct err *err)
{
	release(pins);
	return lock_within(pins, false, RELOCK_WAIT_S, err);
}

void pins_unlock(struct pins *pins)
{
	if (pins->fd < 0)
		return;
	/* intended to fail unless the directory is empty */
	rmdir(pins->dir);
	release(pins);
}
