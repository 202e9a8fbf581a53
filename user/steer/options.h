/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_STEER_OPTIONS_H
#define SLUICE_STEER_OPTIONS_H

#include "base/opt.h"

/* The options of 'steer load' and of section [steer], parsed into struct steer_options. */
extern const struct opt steer_opts[];

/*
 * Parses --netns into the inode number of the namespace: NULL is the current one, "all" is 0.
 * Returns 0, or -errno with *err set.
 */
int value_netns(const char *value, __u32 *netns, struct err *err);

#endif
