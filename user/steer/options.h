/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_STEER_OPTIONS_H
#define SLUICE_STEER_OPTIONS_H

#include "base/opt.h"

/* Of 'steer load' and of section [steer], into struct steer_options. */
extern const struct opt steer_opts[];

/*
 * The inode number of a network namespace, named as --netns takes it; NULL: of this one; "all": 0.
 * 0, or -errno with *err set.
 */
int value_netns(const char *value, __u32 *netns, struct err *err);

#endif
