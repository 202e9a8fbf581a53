/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The event loop of the daemon, over libevent: callbacks for readable descriptors, signals and
 * timers, all in one thread. The loop owns and frees its events; libevent would leave this to
 * callers.
 */
#ifndef SLUICE_BASE_LOOP_H
#define SLUICE_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct event_base;
struct loop;
struct loop_timer;
struct loop_watch;

typedef void (*loop_fn)(void *arg);

/* Creates a loop. Returns 0 or -errno. */
int loop_new(struct loop **loop);
/* Frees the loop and its events. Leaves the descriptors of loop_read() open. */
void loop_free(struct loop *loop);
/* Calls fn whenever the descriptor is readable. Returns 0 or -errno. */
int loop_read(struct loop *loop, int fd, loop_fn fn, void *arg);
/* Removes a descriptor; call this before closing it. */
void loop_remove(struct loop *loop, int fd);
/*
 * Creates a watch for a descriptor; the loop owns the watch. It calls @fn for the events that
 * loop_watch_want() sets, initially none. Returns NULL on ENOMEM.
 */
struct loop_watch *loop_watch(struct loop *loop, int fd, loop_fn fn, void *arg);
/* Sets the events for which fn is called: readable, writable, or both. Returns 0 or -errno. */
int loop_watch_want(struct loop_watch *watch, bool read, bool write);
/* Frees a watch; call this before closing its descriptor. Does nothing for NULL. */
void loop_watch_free(struct loop *loop, struct loop_watch *watch);
/* Blocks the signal in this process, and calls fn when it arrives. Returns 0 or -errno. */
int loop_signal(struct loop *loop, int signal, loop_fn fn, void *arg);
/* Creates a stopped timer that the loop owns. Returns NULL on ENOMEM. */
struct loop_timer *loop_timer(struct loop *loop, bool repeat, loop_fn fn, void *arg);
/* Starts or restarts a timer. Returns 0 or -errno. */
int loop_timer_start(struct loop_timer *timer, uint64_t us);
/* Stops a timer if it is running. */
void loop_timer_stop(struct loop_timer *timer);
/* Stops a timer and frees it, before loop_free() does. Does nothing for NULL. */
void loop_timer_free(struct loop *loop, struct loop_timer *timer);
bool loop_timer_runs(const struct loop_timer *timer);
/* Runs until loop_stop(). Returns 0 or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);
/* Returns libevent's loop, for its HTTP server. */
struct event_base *loop_base(const struct loop *loop);

#endif
