/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Periodically measures the lifetime of mappings in the NAT in front of this host (nat/lifetime.h).
 * It uses its own sockets, so that it cannot affect the mapping of an application.
 *
 * If the server does not support RESPONSE-PORT or does not answer, the finding does not change.
 */
#ifndef SLUICE_NAT_LIFETIME_WATCH_H
#define SLUICE_NAT_LIFETIME_WATCH_H

#include "base/loop.h"
#include "nat/interval.h"

struct lifetime_watch;

/* Called after each probe. @failure: why the probe had no result, or "". */
typedef void (*lifetime_watch_fn)(const struct nat_finding *finding, const char *failure,
				  void *arg);

struct lifetime_watch_options {
	struct stun_endpoint server;
	__u32 max_s;   /* limits the steps (nat_interval_steps()) */
	__u32 again_s; /* time between two probes */
	lifetime_watch_fn fn;
	void *arg;
};

/* Probes now and periodically, in the calling thread's network namespace. Returns NULL on ENOMEM.
 */
struct lifetime_watch *lifetime_watch_new(struct loop *loop,
					  const struct lifetime_watch_options *options);
/* Stops probing; call it before the loop is freed. Does nothing for NULL. */
void lifetime_watch_free(struct lifetime_watch *watch);

#endif
