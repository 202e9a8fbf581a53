/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Derives the behaviour of a NAT, in the terms of RFC 4787, from the tests of RFC 5780.
 *
 * P:p is the address of the server, A:a its second address (OTHER-ADDRESS). The tests of mapping,
 * filtering and hairpinning use different sockets, since each request to A:a also opens the filter
 * of its socket for A:a.
 */
#ifndef SLUICE_NAT_BEHAVIOUR_H
#define SLUICE_NAT_BEHAVIOUR_H

#include "nat/client.h"

enum nat_test {
	/* from each socket to P:p, to get its mapping */
	NAT_MAP,
	NAT_FILTER_MAP,
	NAT_HAIRPIN_MAP,
	NAT_HAIRPIN_MAP_OTHER,
	/* from the first socket to A:p, P:a and A:a */
	NAT_MAP_ADDR,
	NAT_MAP_PORT,
	NAT_MAP_BOTH,
	/* from the second socket to P:p, with a response from A:a or P:a */
	NAT_FILTER_BOTH,
	NAT_FILTER_PORT,
	/* from the third socket to the mapping of the fourth, and the reverse */
	NAT_HAIRPIN,
	NAT_HAIRPIN_OTHER,
	/* if there was no response: from the second socket to A:a and P:a, to open a filter */
	NAT_FILTER_OPEN_BOTH,
	NAT_FILTER_OPEN_PORT,
	/* the filtering tests again: now the response must arrive */
	NAT_FILTER_AGAIN_BOTH,
	NAT_FILTER_AGAIN_PORT,
	NAT_TESTS
};

#define NAT_SOCKETS 4 /* the sockets of the first four tests */

struct nat_findings {
	struct stun_endpoint server, other; /* other.port_be 0: no usable second address */
	bool other_refused;		    /* the reported second address is unusable */
	struct in6_addr local;
	in_port_t local_port_be[NAT_SOCKETS];
	struct nat_query tests[NAT_TESTS];
};

enum nat_behaviour {
	NAT_UNKNOWN,
	NAT_NONE, /* no translation */
	NAT_ENDPOINT_INDEPENDENT,
	NAT_ADDRESS_DEPENDENT,
	NAT_ADDRESS_AND_PORT_DEPENDENT,
};

enum nat_hairpin {
	NAT_HAIRPIN_UNKNOWN,
	NAT_HAIRPIN_NO,
	NAT_HAIRPIN_EXTERNAL, /* with the external source address and port: RFC 4787, REQ-9 */
	NAT_HAIRPIN_INTERNAL, /* with a different source */
};

enum nat_ports {
	NAT_PORTS_UNKNOWN,
	NAT_PORTS_PRESERVED,
	NAT_PORTS_SOMETIMES,
	NAT_PORTS_CHANGED,
};

/* A reason states why a behaviour is unknown; it is empty if the behaviour is known. */
struct nat_behaviours {
	enum nat_behaviour mapping, filtering;
	/* a filtered response has arrived after a request to its source */
	bool filtering_confirmed;
	enum nat_hairpin hairpin;
	enum nat_ports ports;
	unsigned int ports_preserved, ports_seen;
	bool rewritten; /* a device on the path has changed addresses in the payload */
	char mapping_reason[128], filtering_reason[128], hairpin_reason[128];
};

extern const char *const nat_behaviour_names[]; /* indexed by enum nat_behaviour */
extern const char *const nat_hairpin_names[];	/* indexed by enum nat_hairpin */
extern const char *const nat_ports_names[];	/* indexed by enum nat_ports */

/* Returns true if a response has arrived from the address that the request selects. */
bool nat_is_answered(const struct nat_findings *findings, enum nat_test test);
/* Returns the source address that the request of a test selects for its response. */
struct stun_endpoint nat_answerer(const struct nat_findings *findings, enum nat_test test);
/* Derives the behaviour. nat_is_answered() must be true for NAT_MAP. */
void nat_behaviours(const struct nat_findings *findings, struct nat_behaviours *out);

#endif
