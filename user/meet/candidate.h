/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Candidates: the addresses at which a peer may be reached (RFC 8445), and their attribute. */
#ifndef SLUICE_MEET_CANDIDATE_H
#define SLUICE_MEET_CANDIDATE_H

#include "net/stun_build.h"

#define CANDIDATES_MAX 8 /* limit per registration */

enum candidate_kind {
	CANDIDATE_HOST = 1,
	CANDIDATE_REFLEXIVE = 2, /* seen by the server */
	CANDIDATE_MAPPED = 3,	 /* by NAT-PMP, UPnP or PCP */
	CANDIDATE_KIND_MAX = CANDIDATE_MAPPED,
};

extern const char *const candidate_kinds[]; /* by kind; NULL ends the list */

enum candidate_transport {
	CANDIDATE_UDP = 1,
	CANDIDATE_TCP = 2,
};

struct candidate {
	struct stun_endpoint at;
	uint8_t kind;
	uint8_t transport;
};

/*
 * Parses the attribute: kind, transport, two zero bytes, an address of the form of
 * XOR-MAPPED-ADDRESS; and optionally a nonce that the server has sent to that address, which is
 * returned in *proof (else NULL). Returns 0 or -EBADMSG.
 */
int candidate_parse(const struct stun_message *message, const struct stun_attr *attr,
		    struct candidate *candidate, const char **proof);
void candidate_put(struct stun_builder *builder, const struct candidate *candidate,
		   const char *proof);

#endif
