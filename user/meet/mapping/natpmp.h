/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * NAT-PMP (RFC 6886), by libnatpmp. The library writes requests and parses answers. Times are
 * monotonic, unlike those of the library. Each exchange has its own socket, connected to the
 * gateway, so that the kernel drops datagrams from other hosts.
 */
#ifndef SLUICE_MEET_MAPPING_NATPMP_H
#define SLUICE_MEET_MAPPING_NATPMP_H

#include "meet/mapping/gateway.h"
#include "meet/mapping/lease.h"

#include <natpmp.h>

/*
 * RFC 6886, section 3.1: after 250 ms, and twice as long each time; the ninth is the last. With
 * three, the fallback to another protocol takes less than two seconds.
 */
#define NATPMP_TRIES	   9
#define NATPMP_TRIES_FIRST 3

enum natpmp_outcome {
	NATPMP_PENDING,
	NATPMP_GRANTED,
	NATPMP_FAILED,
};

/* The epoch of a gateway: seconds since it lost its mappings. */
struct natpmp_epoch {
	bool known;
	uint32_t epoch_s;
	uint64_t at_ns;
};

struct natpmp {
	natpmp_t library;
	bool running;
	bool address_known; /* the mapping request has been sent */
	struct gateway gateway;
	in_port_t port_be, external_be;
	unsigned int tries, tries_max;
	uint64_t due_ns;
	struct lease_grant grant;
	enum lease_reason reason;
	struct natpmp_epoch epoch;
};

/*
 * Starts to request the mapping of a port, to the external port @external_be if possible. Returns 0
 * or -errno.
 */
int natpmp_begin(struct natpmp *natpmp, const struct gateway *gateway, in_port_t port_be,
		 in_port_t external_be, unsigned int tries_max, uint64_t now_ns);
/* Return the socket to poll, or -1; and when to call natpmp_timeout(). */
int natpmp_fd(const struct natpmp *natpmp);
uint64_t natpmp_due_ns(const struct natpmp *natpmp);
/*
 * Continue when the socket is readable, or on timeout. NATPMP_GRANTED sets ->grant, NATPMP_FAILED
 * sets ->reason, and either ends the exchange.
 */
enum natpmp_outcome natpmp_readable(struct natpmp *natpmp, uint64_t now_ns);
enum natpmp_outcome natpmp_timeout(struct natpmp *natpmp, uint64_t now_ns);
void natpmp_end(struct natpmp *natpmp);
/* Deletes the mapping of a port. Waits at most 1.75 seconds for the answer. */
void natpmp_release(struct natpmp *natpmp, const struct gateway *gateway, in_port_t port_be);

/*
 * Returns true if the epoch is lower than expected, so that the gateway has lost its mappings (RFC
 * 6886, section 3.6). Notes it.
 */
bool natpmp_epoch_is_new(struct natpmp_epoch *known, uint32_t epoch_s, uint64_t now_ns);

/*
 * Opens a socket for the announcements of a gateway that restarts or gets another address (section
 * 3.2.1). Returns -1 on failure. Reads that socket. Returns true if the gateway has lost its
 * mappings, or announces an address other than @external (0: no mapping).
 */
int natpmp_announcements(void);
bool natpmp_announced(struct natpmp *natpmp, int fd, const struct gateway *gateway,
		      struct in_addr external, uint64_t now_ns);

#endif
