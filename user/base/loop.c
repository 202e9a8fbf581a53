// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/loop.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

struct watch {
	struct watch *next;
	struct event *event;
	loop_fn fn;
	void *arg;
	int owned_fd; /* descriptor to close with the watch, or -1 */
};

struct loop {
	struct event_base *base;
	struct watch *watches;
};

struct loop_timer {
	struct watch watch;
};

struct loop_watch {
	struct watch watch;
};

int loop_new(struct loop **loop)
{
	struct loop *created = calloc(1, sizeof(*created));

	if (!created)
		return -ENOMEM;
	created->base = event_base_new();
	if (!created->base) {
		free(created);
		return -ENOMEM;
	}
	*loop = created;
	return 0;
}

static void watch_free(struct watch **at)
{
	struct watch *watch = *at;

	*at = watch->next;
	event_free(watch->event);
	if (watch->owned_fd >= 0)
		close(watch->owned_fd);
	free(watch);
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	while (loop->watches)
		watch_free(&loop->watches);
	event_base_free(loop->base);
	free(loop);
}

static void on_event(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;

	watch->fn(watch->arg);
}

static struct watch *watch_new(struct loop *loop, int fd, short what, event_callback_fn callback,
			       loop_fn fn, void *arg)
{
	struct watch *watch = calloc(1, sizeof(*watch));

	if (!watch)
		return NULL;
	*watch = (struct watch){ .fn = fn, .arg = arg, .owned_fd = -1 };
	watch->event = event_new(loop->base, fd, what, callback, watch);
	if (!watch->event) {
		free(watch);
		return NULL;
	}
	watch->next = loop->watches;
	loop->watches = watch;
	return watch;
}

static int watch_add(struct loop *loop, int fd, short what, loop_fn fn, void *arg)
{
	struct watch *watch = watch_new(loop, fd, what | EV_PERSIST, on_event, fn, arg);

	if (!watch)
		return -ENOMEM;
	return event_add(watch->event, NULL) ? -EIO : 0;
}

int loop_read(struct loop *loop, int fd, loop_fn fn, void *arg)
{
	return watch_add(loop, fd, EV_READ, fn, arg);
}

void loop_remove(struct loop *loop, int fd)
{
	struct watch **at, *watch;

	for (at = &loop->watches; (watch = *at); at = &watch->next)
		if (event_get_events(watch->event) & EV_READ && event_get_fd(watch->event) == fd) {
			watch_free(at);
			return;
		}
}

struct loop_watch *loop_watch(struct loop *loop, int fd, loop_fn fn, void *arg)
{
	return (struct loop_watch *)watch_new(loop, fd, EV_PERSIST, on_event, fn, arg);
}

int loop_watch_want(struct loop_watch *watch, bool read, bool write)
{
	struct event *event = watch->watch.event;
	short what = (read ? EV_READ : 0) | (write ? EV_WRITE : 0);

	if ((event_pending(event, EV_READ | EV_WRITE, NULL) & (EV_READ | EV_WRITE)) == what)
		return 0;
	event_del(event);
	if (!what)
		return 0;
	if (event_assign(event, event_get_base(event), event_get_fd(event), what | EV_PERSIST,
			 on_event, &watch->watch))
		return -EIO;
	return event_add(event, NULL) ? -EIO : 0;
}

static void watch_remove(struct loop *loop, const struct watch *watch)
{
	struct watch **at;

	for (at = &loop->watches; watch && *at; at = &(*at)->next)
		if (*at == watch) {
			watch_free(at);
			return;
		}
}

void loop_watch_free(struct loop *loop, struct loop_watch *watch)
{
	watch_remove(loop, watch ? &watch->watch : NULL);
}

static void on_signal(evutil_socket_t fd, short what, void *arg)
{
	struct watch *watch = arg;
	struct signalfd_siginfo info;

	if (read(fd, &info, sizeof(info)) == sizeof(info))
		watch->fn(watch->arg);
}

/*
 * Blocks the signal and reads it from a signalfd, so that it interrupts no system call: the
 * verifier, for example, fails with EAGAIN while an unblocked signal is pending.
 */
int loop_signal(struct loop *loop, int signal, loop_fn fn, void *arg)
{
	struct watch *watch;
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, signal);
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return -errno;
	sigprocmask(SIG_BLOCK, &set, NULL);
	watch = watch_new(loop, fd, EV_READ | EV_PERSIST, on_signal, fn, arg);
	if (!watch) {
		close(fd);
		return -ENOMEM;
	}
	watch->owned_fd = fd;
	return event_add(watch->event, NULL) ? -EIO : 0;
}

struct loop_timer *loop_timer(struct loop *loop, bool repeat, loop_fn fn, void *arg)
{
	return (struct loop_timer *)watch_new(loop, -1, repeat ? EV_PERSIST : 0, on_event, fn, arg);
}

int loop_timer_start(struct loop_timer *timer, uint64_t us)
{
	const struct timeval after = { .tv_sec = (time_t)(us / 1000000),
				       .tv_usec = (suseconds_t)(us % 1000000) };

	return event_add(timer->watch.event, &after) ? -EIO : 0;
}

void loop_timer_stop(struct loop_timer *timer)
{
	event_del(timer->watch.event);
}

void loop_timer_free(struct loop *loop, struct loop_timer *timer)
{
	watch_remove(loop, timer ? &timer->watch : NULL);
}

bool loop_timer_runs(const struct loop_timer *timer)
{
	return event_pending(timer->watch.event, EV_TIMEOUT, NULL);
}

int loop_run(struct loop *loop)
{
	return event_base_dispatch(loop->base) < 0 ? -EIO : 0;
}

void loop_stop(struct loop *loop)
{
	event_base_loopbreak(loop->base);
}

struct event_base *loop_base(const struct loop *loop)
{
	return loop->base;
}
