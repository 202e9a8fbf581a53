/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lease of a mapped port: which protocol to ask by, and when. It is pure: answers and times go
 * in, requests and deadlines come out.
 *
 * Answers come from the network of this host, where any host may send them. What they say is
 * checked here, whichever protocol has carried it.
 */
#ifndef SLUICE_MEET_MAPPING_LEASE_H
#define SLUICE_MEET_MAPPING_LEASE_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/*
 * Short, so that the mapping of a host that has lost its power does not stay for long; RFC 6886
 * recommends two hours. A gateway that grants less than LEASE_MIN_S would have to be asked all the
 * time.
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
	LEASE_REASON_NO_GATEWAY, /* no router on the way to the server, or a public own address */
	LEASE_REASON_SILENT,	 /* no answer */
	LEASE_REASON_REFUSED,	 /* this host may not map a port */
	LEASE_REASON_NO_ADDRESS, /* the gateway has no external address */
	LEASE_REASON_FULL,	 /* no free port */
	LEASE_REASON_MALFORMED,	 /* an answer that makes no sense */
	LEASE_REASON_SCOPE,	 /* an external address or port that no peer can have */
	LEASE_REASON_LIFETIME,	 /* the mapping would be permanent, or too short */
	LEASE_REASON_FAILED,	 /* an error of this host */
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
	enum lease_reason reason; /* of the last method that has failed */
	uint64_t due_ns;	  /* UINT64_MAX: never */
	uint64_t expires_ns;	  /* if granted */
	uint64_t asked_ns;
	uint64_t rest_ns;  /* the next pause without a mapping */
	uint64_t again_ns; /* the end of this pause */
};

/* Wants a mapping: a first one, or one on another gateway or for another port. */
void lease_start(struct lease *lease, uint64_t now_ns);
/* Wants none, for a reason that is not a gateway's. */
void lease_stop(struct lease *lease, enum lease_reason reason);
/*
 * The mapping may be lost: asks again soon. Where no gateway has granted one so far, it asks again
 * after a pause.
 */
void lease_doubt(struct lease *lease, uint64_t now_ns);
/* Returns whether to ask by lease->method now. An answer, or lease_failed(), has to follow. */
bool lease_timeout(struct lease *lease, uint64_t now_ns);
/* When to call lease_timeout(). */
uint64_t lease_due_ns(const struct lease *lease);
/* A gateway has answered, as lease->method has asked. Returns whether the mapping can be used. */
bool lease_grant(struct lease *lease, const struct lease_grant *grant, uint64_t now_ns);
void lease_failed(struct lease *lease, enum lease_reason reason, uint64_t now_ns);

#endif
