/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_HOLD_SAVED_H
#define SLUICE_HOLD_SAVED_H

#include <sluice/hold.h>

/*
 * Returns the number of keepalives that a fixed interval of 15 s would have sent from the flow's
 * first answer until @end_ns, minus @sent; may be negative.
 */
__s64 hold_saved(const struct sluice_hold_flow *flow, __u32 sent, __u64 end_ns);

#endif
