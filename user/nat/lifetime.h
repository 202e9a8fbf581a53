/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Measures the timeout of an idle mapping in a NAT (RFC 5780, section 4.6).
 *
 * In each step, a socket gets a mapping and stays idle. Then a second socket requests a response to
 * the port of that mapping: if it arrives, the mapping still exists. All steps run concurrently.
 * Each step first does this without idle time, and continues only if the response arrives: later
 * silence then proves that the mapping has expired. If the first response is so slow that the NAT
 * may already use a longer timeout for the mapping, the result of the step is unknown.
 */
#ifndef SLUICE_NAT_LIFETIME_H
#define SLUICE_NAT_LIFETIME_H

#include "nat/client.h"

#define NAT_STEPS_MAX 12

enum nat_lifetime {
	NAT_LIFETIME_UNKNOWN, /* no result, for the reason in `failure` */
	NAT_LIFETIME_ALIVE,
	NAT_LIFETIME_EXPIRED,
	NAT_LIFETIME_REMAPPED, /* the socket now has a different mapped port */
};

struct nat_lifetime_step {
	uint32_t idle_ms;
	enum nat_lifetime result;
};

struct nat_lifetime_report {
	struct nat_lifetime_step steps[NAT_STEPS_MAX];
	int count;
	bool mapped;	  /* the server has reported a mapped address */
	bool outermost;	  /* the mapped address belongs to this host: there is no NAT beyond it */
	char failure[96]; /* why a result is unknown; "" if all are known */
};

struct nat_lifetime_probe;

/*
 * Starts a measurement with one step for each idle time, in the calling thread's network namespace.
 * @source is as for nat_client_new(). The loop calls @fn once, when all steps are complete; @fn may
 * free the probe. Returns NULL on ENOMEM.
 */
struct nat_lifetime_probe *nat_lifetime_new(
	struct loop *loop, const struct stun_endpoint *server, const struct in6_addr *source,
	const uint32_t *idle_ms, int count,
	void (*fn)(const struct nat_lifetime_report *report, void *arg), void *arg);
/*
 * Completes the measurement with the first expired step after steps whose results are known: longer
 * steps then prove nothing, and stay unknown.
 */
void nat_lifetime_end_early(struct nat_lifetime_probe *probe);
/* Stops the measurement. Does nothing for NULL. */
void nat_lifetime_free(struct nat_lifetime_probe *probe);

#endif
