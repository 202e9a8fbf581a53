/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The settings of a load, which the planes that manage ports by themselves share. */
#ifndef SLUICE_BPF_COMMON_SETTINGS_H
#define SLUICE_BPF_COMMON_SETTINGS_H

#include "common/flow_set.h"
#include "common/ports.h"

/* Settings of this load; the verifier takes them as constants. */
const volatile __u64 seed;
const volatile __u32 age; /* of sluice_flow_clock() */
const volatile __u32 sets = 1;

#endif
