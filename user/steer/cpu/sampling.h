/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Policy cpu: finds who reads the sockets of all steered groups, and enters it.  Most show at once,
 * as they wait for their socket; for the rest it is watched for a moment who reads.  Workers that
 * are not pinned move: so it is worth doing again.
 */
#ifndef SLUICE_STEER_CPU_SAMPLING_H
#define SLUICE_STEER_CPU_SAMPLING_H

#include "base/err.h"

#include <stdbool.h>

#define STEER_READERS_MS 1000 /* long enough for any worker that has something to do */

struct steer_readers;

/*
 * For a caller that must not wait: begin, let time pass, end.  *sampling is NULL if there is
 * nothing to watch: not loaded, another policy, or no socket.
 */
int steer_readers_begin(const char *bpffs, struct steer_readers **sampling, struct err *err);
/* Is the reader of each socket known? */
bool steer_readers_complete(const struct steer_readers *sampling);
/* Enters what was seen, and frees; NULL is fine. */
int steer_readers_end(const char *bpffs, struct steer_readers *sampling, struct err *err);

/*
 * All of it: waits until the reader of each socket is known, `limit_ms` at most.  With 0 it does
 * not wait, for callers that come again.  0 where there is nothing to do, too.
 */
int steer_readers_sample(const char *bpffs, unsigned int limit_ms, struct err *err);

/* How well the readers of the slots that take new flows are known, under policy cpu. */
struct steer_readers_known {
	unsigned int pinned;
	unsigned int seen;
	unsigned int unknown;
};
int steer_readers_known(const char *bpffs, struct steer_readers_known *known, struct err *err);

#endif
