/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends the keepalives of the tracked flows. The caller provides the clock and the timer: it calls
 * hold_sender_run() at the time that the last call returned.
 *
 * The sender stores a timer for each flow. When the timer expires, it looks at when the flow has
 * last sent, and starts the timer again if that was recent: traffic itself costs the sender
 * nothing. Everything else is in the pinned maps, so that the next daemon continues where this one
 * has stopped.
 */
#ifndef SLUICE_HOLD_SENDER_H
#define SLUICE_HOLD_SENDER_H

#include "base/err.h"
#include "hold/send_options.h"

#include <linux/types.h>
#include <stdbool.h>

struct hold_sender;

/* Starts on the loaded object. Returns 0, or -errno with *err set. */
int hold_sender_new(struct hold_sender **sender, const char *bpffs,
		    const struct hold_send_options *options, struct err *err);
/* Stops; the flows stay tracked. */
void hold_sender_free(struct hold_sender *sender);
/*
 * Sends what is due at @now_ns (CLOCK_BOOTTIME), as far as the rate allows. Returns when to call it
 * again.
 */
__u64 hold_sender_run(struct hold_sender *sender, __u64 now_ns);

/* Has another process replaced or changed the loaded object since the start? */
bool hold_sender_outdated(const struct hold_sender *sender, const char *bpffs);

struct hold_finding;
/* Applies the findings of a probe. */
void hold_sender_probed(struct hold_sender *sender, const struct hold_finding *finding);

#endif
