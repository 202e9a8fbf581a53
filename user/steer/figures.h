/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The arithmetic of what 'steer show' prints. */
#ifndef SLUICE_STEER_FIGURES_H
#define SLUICE_STEER_FIGURES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* The most over the mean; 1 is even. 0 if there is nothing to compare. */
double steer_imbalance(const __u64 *amounts, size_t count);

/* Room for a bar of so many cells, in UTF-8. */
#define STEER_BAR_CELLS 12
#define STEER_BAR_MAX	(3 * STEER_BAR_CELLS + 1)
/*
 * A bar as long as `part` of `whole`: of blocks, to an eighth of a cell, or of '#'.  What is not 0
 * shows.  Returns text.
 */
const char *steer_bar(double part, double whole, bool utf8, char text[STEER_BAR_MAX]);

/* Has a queue no room for another full datagram, as far as the program is concerned? */
bool steer_queue_is_full(__u32 used, __u32 room);
/* In percent, 100 at most. */
unsigned int steer_queue_usage(__u32 used, __u32 room);

/*
 * Of one network namespace, since the first group was loaded there.  The program counts a datagram
 * when it comes; the namespace counts it when it is read, or when it is thrown away.
 */
struct steer_balance {
	__u64 seen;	/* by the programs */
	__u64 drops;	/* of the sockets that are steered now */
	__u64 read;	/* InDatagrams, of all ports */
	__u64 errors;	/* InErrors, of all ports */
	__u64 checksum; /* InCsumErrors, which are among them */
};

/* What the balance leaves open. */
struct steer_rest {
	__u64 errors;	/* thrown away, at no steered socket and for no wrong checksum */
	__u64 vanished; /* seen, but neither read nor thrown away: in a queue, or closed with it */
};

struct steer_rest steer_rest_of(const struct steer_balance *balance);

#endif
