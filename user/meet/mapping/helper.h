/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that talks to the gateway. It is one of its own for three reasons: miniupnpc blocks;
 * what the network sends is parsed where there are no keys; and it outlives a peer that crashes, so
 * that it can release the mapping.
 */
#ifndef SLUICE_MEET_MAPPING_HELPER_H
#define SLUICE_MEET_MAPPING_HELPER_H

#include "meet/mapping/lease.h"

/*
 * Each is one message on a socket of type SOCK_SEQPACKET. An order that repeats the one before asks
 * the gateway whether the mapping is still there.
 */
struct helper_order {
	struct in_addr server; /* the gateway is the next router toward it */
	in_port_t port_be;     /* to map; 0: none any more */
};

struct helper_report {
	struct lease_grant grant; /* if ->granted */
	struct in_addr gateway;	  /* 0: none */
	uint8_t granted;
	uint8_t by;	/* enum lease_method, if ->granted */
	uint8_t reason; /* enum lease_reason, else */
	uint8_t zero;
};

/* Runs in a new process. Ends when the other end of the socket @control is closed. */
__attribute__((noreturn)) void helper_main(int control, unsigned int methods);

#endif
