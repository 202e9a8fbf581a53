/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The settings that the loads of several objects have in common. */
#ifndef SLUICE_BPF_COMMON_SETTINGS_H
#define SLUICE_BPF_COMMON_SETTINGS_H

#include "common/ports.h"

/* Settings of this load, constants to the verifier. */
const volatile __u64 seed;
const volatile __u32 age; /* in ticks of sluice_flow_clock() */
const volatile __u32 sets = 1;

#endif
