/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What the rendezvous server says to each of two peers about the other one, sluice-protocol(7).
 * peer/client.h makes it, peer/session.h uses it.
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
	uint8_t peer_key[KEY_SIZE];   /* its public key, that the admit function has accepted */
	uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE];
	uint8_t ephemeral_secret[KEY_SIZE]; /* own */
	uint8_t peer_ephemeral[KEY_SIZE];   /* public */
	uint64_t start_ns;		    /* when both begin to check */
	struct stun_endpoint mapped;	    /* own address, as the server sees it */
	struct candidate candidate[INTRODUCTION_CANDIDATES_MAX];
	unsigned int candidates;
	unsigned int server; /* index of the server that has introduced them */
	bool initiator;	     /* this peer has sent the connect request */
};

#endif
