/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arithmetic behind 'steer show'. */
#ifndef SLUICE_STEER_FIGURES_H
#define SLUICE_STEER_FIGURES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Returns the maximum over the mean; 1 is even, 0 without any amount. */
double steer_imbalance(const __u64 *amounts, size_t count);

#define STEER_BAR_CELLS 12
#define STEER_BAR_MAX	(3 * STEER_BAR_CELLS + 1) /* in UTF-8 */
/*
 * Draws a bar for @part of @whole: in blocks, to an eighth of a cell, or in '#'.  A part above 0
 * gets at least the smallest step.  Returns text.
 */
const char *steer_bar(double part, double whole, bool utf8, char text[STEER_BAR_MAX]);

/* Does the program treat the queue as full? */
bool steer_queue_is_full(__u32 used, __u32 room);
/* Returns percent, 100 at most. */
unsigned int steer_queue_usage(__u32 used, __u32 room);

/*
 * Counts of one network namespace since its first group was loaded.  The program counts a datagram
 * on arrival; the namespace counts it when it is read or dropped.
 */
struct steer_balance {
	__u64 seen;	/* by the programs */
	__u64 drops;	/* of the currently steered sockets */
	__u64 read;	/* InDatagrams, of all ports */
	__u64 errors;	/* InErrors, of all ports */
	__u64 checksum; /* InCsumErrors, part of InErrors */
};

/* The part of a balance that its counters do not explain. */
struct steer_rest {
	__u64 errors;	/* drops at other sockets, without a wrong checksum */
	__u64 vanished; /* seen, but neither read nor dropped: queued, or lost with a closed socket
			 */
};

struct steer_rest steer_rest_of(const struct steer_balance *balance);

#endif
