/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAT-PMP (RFC 6886), by libnatpmp. The library writes requests and parses answers. Times are those
 * of a monotonic clock, which those of the library are not. An exchange has a socket of its own,
 * connected to the gateway, so that the kernel drops what others send.
 */
#ifndef SLUICE_MEET_MAPPING_NATPMP_H
#define SLUICE_MEET_MAPPING_NATPMP_H

#include "meet/mapping/gateway.h"
#include "meet/mapping/lease.h"

#include <natpmp.h>

/*
 * RFC 6886, section 3.1: after 250 ms, and twice as long each time; the ninth is the last. Three
 * tell in less than two seconds that another protocol has to be tried.
 */
#define NATPMP_TRIES	   9
#define NATPMP_TRIES_FIRST 3

enum natpmp_outcome {
	NATPMP_PENDING,
	NATPMP_GRANTED,
	NATPMP_FAILED,
};

/* The epoch of a gateway: how long it has known its mappings. */
struct natpmp_epoch {
	bool known;
	uint32_t epoch_s;
	uint64_t at_ns;
};

struct natpmp {
	natpmp_t library;
	bool running;
	bool address_known; /* the second request has been sent, for the port */
	struct gateway gateway;
	in_port_t port_be, external_be;
	unsigned int tries, tries_max;
	uint64_t due_ns;
	struct lease_grant grant;
	enum lease_reason reason;
	struct natpmp_epoch epoch;
};

/*
 * Begins to ask for the mapping of a port, to the external port @external_be if that is free.
 * Returns 0 or -errno.
 */
int natpmp_begin(struct natpmp *natpmp, const struct gateway *gateway, in_port_t port_be,
		 in_port_t external_be, unsigned int tries_max, uint64_t now_ns);
/* The socket to wait for; -1: none. And when to call natpmp_timeout(). */
int natpmp_fd(const struct natpmp *natpmp);
uint64_t natpmp_due_ns(const struct natpmp *natpmp);
/*
 * The socket is readable, or it is time. After NATPMP_GRANTED there is ->grant, after NATPMP_FAILED
 * ->reason; the exchange has ended.
 */
enum natpmp_outcome natpmp_readable(struct natpmp *natpmp, uint64_t now_ns);
enum natpmp_outcome natpmp_timeout(struct natpmp *natpmp, uint64_t now_ns);
void natpmp_end(struct natpmp *natpmp);
/* Deletes the mapping of a port. Waits for the answer, at most 1.75 seconds. */
void natpmp_release(struct natpmp *natpmp, const struct gateway *gateway, in_port_t port_be);

/*
 * RFC 6886, section 3.6: is the epoch lower than it can be by now, so that the gateway has lost its
 * mappings? Notes it.
 */
bool natpmp_epoch_is_new(struct natpmp_epoch *known, uint32_t epoch_s, uint64_t now_ns);

/*
 * A gateway tells the network that it has restarted, or has another address (section 3.2.1). Opens
 * a socket for that; returns -1 if it cannot. Then reads from it: has this gateway lost its
 * mappings, or got an address that is not @external (0: it has granted none)?
 */
int natpmp_announcements(void);
bool natpmp_announced(struct natpmp *natpmp, int fd, const struct gateway *gateway,
		      struct in_addr external, uint64_t now_ns);

#endif
