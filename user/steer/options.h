/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Values that 'steer load' takes as options and 'run' from its file.  `what` names the option or
 * the key in messages.  All return 0, or -errno with *err set.
 */
#ifndef SLUICE_STEER_OPTIONS_H
#define SLUICE_STEER_OPTIONS_H

#include "base/err.h"
#include "steer/steer.h"

int value_policy(const char *what, const char *value, enum sluice_steer_policy *policy,
		 struct err *err);
int value_generations(const char *what, const char *value, enum sluice_steer_generations *by,
		      struct err *err);
int value_flows(const char *what, const char *value, __u32 *flows, struct err *err);
int value_idle(const char *what, const char *value, __u64 *idle_s, struct err *err);
/* NULL: this namespace; "all": 0; else as --netns takes it. The inode number. */
int value_netns(const char *value, __u32 *netns, struct err *err);

#endif
