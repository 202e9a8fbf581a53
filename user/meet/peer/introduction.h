/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The data that the rendezvous server sends to each of two peers about the other peer,
 * sluice-protocol(7). peer/client.h makes it, peer/session.h uses it.
 */
#ifndef SLUICE_MEET_PEER_INTRODUCTION_H
#define SLUICE_MEET_PEER_INTRODUCTION_H

#include "meet/candidate.h"
#include "meet/peers.h"

#include <sluice/rendezvous.h>
#include <stdbool.h>

/* The server adds the address from which a peer has registered. */
#define INTRODUCTION_CANDIDATES_MAX (CANDIDATES_MAX + 1)

struct introduction {
	char name[PEER_NAME_MAX + 1]; /* of the other peer */
	uint8_t peer_key[KEY_SIZE];   /* its public key, accepted by the admit function */
	uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE];
	uint8_t ephemeral_secret[KEY_SIZE]; /* own */
	uint8_t peer_ephemeral[KEY_SIZE];   /* public */
	uint64_t start_ns;		    /* time at which both peers start their checks */
	struct stun_endpoint mapped;	    /* own address, as the server sees it */
	struct candidate candidate[INTRODUCTION_CANDIDATES_MAX];
	unsigned int candidates;
	unsigned int server; /* index of the introducing server */
	bool initiator;	     /* this peer has sent the connect request */
};

#endif
