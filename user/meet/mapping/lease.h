/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lease of a mapped port: decides which protocol to use, and when to ask. It is pure: answers
 * and times go in, requests and deadlines come out.
 *
 * Any host on the local network can forge an answer, so answers of all protocols are checked here.
 */
#ifndef SLUICE_MEET_MAPPING_LEASE_H
#define SLUICE_MEET_MAPPING_LEASE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Short, so that the mapping of a crashed host expires soon; RFC 6886 recommends two hours. Below
 * LEASE_MIN_S, renewals would be too frequent.
 */
#define LEASE_S	    600
#define LEASE_MIN_S 30

enum lease_method {
	LEASE_NAT_PMP,
	LEASE_UPNP,
	LEASE_METHODS,
};

/* Why there is no mapping. */
enum lease_reason {
	LEASE_REASON_NONE,
	LEASE_REASON_NO_GATEWAY, /* no router toward the server, or this host has a public address
				  */
	LEASE_REASON_SILENT,	 /* no answer */
	LEASE_REASON_REFUSED,	 /* the gateway refuses mappings for this host */
	LEASE_REASON_NO_ADDRESS, /* the gateway has no external address */
	LEASE_REASON_FULL,	 /* no free port */
	LEASE_REASON_MALFORMED,	 /* malformed answer */
	LEASE_REASON_SCOPE,	 /* external address or port that no peer may have */
	LEASE_REASON_LIFETIME,	 /* the mapping would be permanent, or too short */
	LEASE_REASON_FAILED,	 /* local error */
	LEASE_REASONS,
};

/* What a gateway has granted. */
struct lease_grant {
	struct in_addr external;
	in_port_t port_be;
	uint32_t lifetime_s;
};

enum lease_state {
	LEASE_IDLE,    /* no mapping is wanted */
	LEASE_DUE,     /* to ask by ->method */
	LEASE_ASKING,  /* by ->method */
	LEASE_HELD,    /* until it is renewed */
	LEASE_RESTING, /* no gateway has granted one */
};

struct lease {
	unsigned int allowed; /* methods, bit by bit */
	enum lease_state state;
	enum lease_method method;
	bool granted;
	enum lease_method by; /* who has granted it */
	struct lease_grant grant;
	enum lease_reason reason; /* of the last failed method */
	uint64_t due_ns;	  /* UINT64_MAX: never */
	uint64_t expires_ns;	  /* if granted */
	uint64_t asked_ns;
	uint64_t rest_ns;  /* the next pause without a mapping */
	uint64_t again_ns; /* the end of this pause */
};

/* Requests a mapping: the first one, or one for a new gateway or port. */
void lease_start(struct lease *lease, uint64_t now_ns);
/* Requests no mapping any more, for a local reason. */
void lease_stop(struct lease *lease, enum lease_reason reason);
/* Asks again soon, since the mapping may be lost; or after a pause, if none was granted so far. */
void lease_doubt(struct lease *lease, uint64_t now_ns);
/*
 * Returns true if it is time to ask by lease->method. The caller then calls lease_grant() or
 * lease_failed().
 */
bool lease_timeout(struct lease *lease, uint64_t now_ns);
/* When to call lease_timeout(). */
uint64_t lease_due_ns(const struct lease *lease);
/* A gateway has answered, as lease->method has asked. Returns whether the mapping can be used. */
bool lease_grant(struct lease *lease, const struct lease_grant *grant, uint64_t now_ns);
void lease_failed(struct lease *lease, enum lease_reason reason, uint64_t now_ns);

#endif
