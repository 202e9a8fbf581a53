/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends the keepalives of the tracked flows. The caller provides the clock and the timer: it calls
 * hold_sender_run() at the time that the previous call returned.
 *
 * The sender has a timer for each flow. When a timer expires and the flow has sent recently, the
 * sender restarts the timer, so traffic itself costs the sender nothing. All other state is in
 * pinned maps, so that the next daemon continues with it.
 */
#ifndef SLUICE_HOLD_SENDER_H
#define SLUICE_HOLD_SENDER_H

#include "base/err.h"
#include "hold/send_options.h"

#include <linux/types.h>
#include <stdbool.h>

struct hold_sender;

/* Starts to send for the loaded object. Returns 0, or -errno with *err set. */
int hold_sender_new(struct hold_sender **sender, const char *bpffs,
		    const struct hold_send_options *options, struct err *err);
/* Stops sending. The flows stay tracked. */
void hold_sender_free(struct hold_sender *sender);
/*
 * Sends the keepalives that are due at @now_ns (CLOCK_BOOTTIME), within the configured rates.
 * Returns the time of the next call.
 */
__u64 hold_sender_run(struct hold_sender *sender, __u64 now_ns);

/* Returns true if another process has loaded hold since hold_sender_new(). */
bool hold_sender_outdated(const struct hold_sender *sender, const char *bpffs);

struct nat_finding;
/* Applies the finding of a probe. */
void hold_sender_probed(struct hold_sender *sender, const struct nat_finding *finding);

#endif
