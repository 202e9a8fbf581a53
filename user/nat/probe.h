/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Runs the tests of RFC 5780 with one server. */
#ifndef SLUICE_NAT_PROBE_H
#define SLUICE_NAT_PROBE_H

#include "nat/behaviour.h"
#include "nat/lifetime.h"

struct nat_probe_options {
	struct stun_endpoint server;
	struct in6_addr source; /* source address; in6addr_any: selected by the route */
	uint32_t lifetime_s;	/* the longest lifetime to test for; 0: no test */
};

struct nat_probe_report {
	struct nat_findings findings;
	struct nat_behaviours behaviours;
	struct nat_lifetime_report lifetime; /* count 0: not measured */
};

/*
 * Probes in the calling thread's network namespace. Returns 0, or -errno with *err set if the
 * server does not respond to an ordinary request.
 */
int nat_probe(const struct nat_probe_options *options, struct nat_probe_report *report,
	      struct err *err);

#endif
