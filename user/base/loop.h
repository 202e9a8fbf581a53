/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's event loop, over libevent: readable descriptors, signals and timers call back, one
 * after the other, in one thread.  What libevent leaves to its callers, to keep and to free each
 * event, stands here once.
 */
#ifndef SLUICE_BASE_LOOP_H
#define SLUICE_BASE_LOOP_H

#include <stdbool.h>
#include <stdint.h>

struct loop;
struct loop_timer;

typedef void (*loop_fn)(void *arg);

/* 0 or -errno. */
int loop_new(struct loop **loop);
/* Frees the events, too; descriptors stay open. */
void loop_free(struct loop *loop);
/* Calls fn whenever there is something to read. 0 or -errno. */
int loop_read(struct loop *loop, int fd, loop_fn fn, void *arg);
/* No more of that; to be called before the descriptor is closed. */
void loop_remove(struct loop *loop, int fd);
int loop_signal(struct loop *loop, int signal, loop_fn fn, void *arg);
/* A timer, not running yet, that is freed with the loop; NULL if there is no memory. */
struct loop_timer *loop_timer(struct loop *loop, bool repeat, loop_fn fn, void *arg);
/* Starts it, or starts it over. 0 or -errno. */
int loop_timer_start(struct loop_timer *timer, uint64_t us);
bool loop_timer_runs(const struct loop_timer *timer);
/* Runs until loop_stop(). 0 or -errno. */
int loop_run(struct loop *loop);
void loop_stop(struct loop *loop);

#endif
