/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who reads from which socket, and on which CPU: by watching them read or wait, or by affinity. */
#ifndef SLUICE_STEER_CPU_CONSUMERS_H
#define SLUICE_STEER_CPU_CONSUMERS_H

#include "base/err.h"

#include <sluice/consumers.h>
#include <stdbool.h>
#include <stddef.h>

struct readers;

/*
 * Looks who waits for the sockets of these cookies, and begins to watch who reads them.  The
 * programs run on every read of every socket of the host until readers_free(); one watch at a time.
 * -errno with *err set where the kernel has no hook to do it by.
 */
int readers_watch(const __u64 *cookies, size_t count, struct readers **readers, struct err *err);
/* Is a reader of each of them known? */
bool readers_complete(const struct readers *readers);
/* Who has read, or else waits; false if nobody has. */
bool readers_get(const struct readers *readers, __u64 cookie, struct sluice_reader *reader);
void readers_free(struct readers *readers);

/* The only CPU that the thread may run on; -ENOENT if there are several, -ESRCH if it is gone. */
int readers_thread_cpu(__u32 tid);
/* The CPU that the thread runs on, or ran last; -ESRCH. */
int readers_thread_last_cpu(__u32 tid);
/*
 * The only CPU that all threads of the process may run on, as -errno above.  *tid is its thread, if
 * it has but one, or 0.
 */
int readers_process_cpu(__u32 pid, __u32 *tid);

#endif
