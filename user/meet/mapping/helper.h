/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The process that talks to the gateway. It is separate for three reasons: miniupnpc blocks;
 * network input is parsed in a process without keys; and it outlives a crashed peer, so that it can
 * release the mapping.
 */
#ifndef SLUICE_MEET_MAPPING_HELPER_H
#define SLUICE_MEET_MAPPING_HELPER_H

#include "meet/mapping/lease.h"

/*
 * Each is one message on a SOCK_SEQPACKET socket. A repeated order asks the gateway whether the
 * mapping still exists.
 */
struct helper_order {
	struct in_addr server; /* selects the gateway: the next hop toward it */
	in_port_t port_be;     /* to map; 0: release */
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
