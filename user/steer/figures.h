/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Computes the figures of 'steer show'. */
#ifndef SLUICE_STEER_FIGURES_H
#define SLUICE_STEER_FIGURES_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Returns maximum divided by mean: 1 if all amounts are equal, 0 if all are 0. */
double steer_imbalance(const __u64 *amounts, size_t count);

#define STEER_BAR_CELLS 12
#define STEER_BAR_MAX	(3 * STEER_BAR_CELLS + 1) /* bytes in UTF-8 */
/*
 * Draws a bar for @part of @whole, in blocks with a resolution of an eighth of a cell, or in '#'. A
 * part above 0 gets at least the smallest step. Returns @text.
 */
const char *steer_bar(double part, double whole, bool utf8, char text[STEER_BAR_MAX]);

/* Returns true if the steering program treats the queue as full. */
bool steer_queue_is_full(__u32 used, __u32 room);
/* Returns the usage in percent, at most 100. */
unsigned int steer_queue_usage(__u32 used, __u32 room);

#endif
