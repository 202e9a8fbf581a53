/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Periodically measures the lifetime of mappings in the NAT in front of this host (nat/lifetime.h).
 * It uses its own sockets, so that it cannot affect the mapping of an application.
 *
 * If the server does not support RESPONSE-PORT or does not answer, the interval does not change.
 */
#ifndef SLUICE_HOLD_PROBE_H
#define SLUICE_HOLD_PROBE_H

#include "base/loop.h"
#include "hold/interval.h"
#include "hold/send_options.h"

struct hold_probe;

typedef void (*hold_probe_fn)(const struct hold_finding *finding, void *arg);

/*
 * Probes now and every ten minutes, in the calling thread's network namespace, and calls @fn after
 * each probe. @max_s limits the steps (hold_steps_useful()). Returns NULL on ENOMEM.
 */
struct hold_probe *hold_probe_new(struct loop *loop, const struct stun_endpoint *server,
				  __u32 max_s, hold_probe_fn fn, void *arg);
/*
 * Returns why the last probe had no result; "" if it had a result, or if no probe has finished yet.
 */
const char *hold_probe_failure(const struct hold_probe *probe);
/* Stops probing; call it before the loop is freed. */
void hold_probe_free(struct hold_probe *probe);

#endif
