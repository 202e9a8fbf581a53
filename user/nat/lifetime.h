/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Measures how long a NAT keeps a mapping that is not used (RFC 5780, section 4.6).
 *
 * For each step, a socket gets a mapping and leaves it unused. Then another socket asks the server
 * to send its response to the port of that mapping: if it arrives, the mapping is still there. All
 * steps run at the same time. Each step first tries this without a wait: only if that response
 * arrives does silence show later that the mapping is gone. If it takes so long that a NAT may keep
 * the mapping longer than a new one, the step is unknown.
 */
#ifndef SLUICE_NAT_LIFETIME_H
#define SLUICE_NAT_LIFETIME_H

#include "nat/client.h"

#define NAT_STEPS_MAX 12

enum nat_lifetime {
	NAT_LIFETIME_UNKNOWN, /* no result: the server did not answer */
	NAT_LIFETIME_ALIVE,
	NAT_LIFETIME_EXPIRED,
	NAT_LIFETIME_REMAPPED, /* the same socket now has another mapped port */
};

struct nat_lifetime_step {
	uint32_t idle_ms;
	enum nat_lifetime result;
};

struct nat_lifetime_report {
	struct nat_lifetime_step steps[NAT_STEPS_MAX];
	int count;
	bool mapped;	  /* the server has reported a mapped address */
	bool outermost;	  /* the mapped address belongs to this host: no NAT is beyond it */
	char failure[96]; /* why a step is unknown; "" if none is */
};

struct nat_lifetime_probe;

/*
 * Starts to measure with a step for each time, in the calling thread's network namespace; @source
 * as for nat_client_new(). Calls fn once at the end, from the loop; fn may free the probe. Returns
 * NULL on ENOMEM.
 */
struct nat_lifetime_probe *nat_lifetime_new(
	struct loop *loop, const struct stun_endpoint *server, const struct in6_addr *source,
	const uint32_t *idle_ms, int count,
	void (*fn)(const struct nat_lifetime_report *report, void *arg), void *arg);
/* Stops measuring; NULL: does nothing. */
void nat_lifetime_free(struct nat_lifetime_probe *probe);

#endif
