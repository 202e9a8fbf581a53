/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The options for sending keepalives: the keys of section [hold] that do not affect the programs.
 */
#ifndef SLUICE_HOLD_SEND_OPTIONS_H
#define SLUICE_HOLD_SEND_OPTIONS_H

#include "net/stun.h"

#include <linux/types.h>

#define HOLD_INTERVAL_MAX_DEFAULT 25
#define HOLD_TTL_DEFAULT	  4
#define HOLD_RATE_DEFAULT	  20000

enum hold_payload {
	HOLD_PAYLOAD_EMPTY,
	HOLD_PAYLOAD_STUN,
	HOLD_PAYLOAD_CRLF,
	HOLD_PAYLOAD_FF,
	HOLD_PAYLOAD_ZERO,
};

extern const char *const hold_payloads[]; /* indexed by enum hold_payload */

struct hold_send_options {
	__u32 interval_s; /* 0: the default, or the result of a probe */
	__u32 interval_max_s;
	__u32 ttl;
	unsigned int payload; /* enum hold_payload */
	__u32 rate;
	__u32 rate_netns;
	unsigned int outermost;
	struct stun_endpoint probe; /* port_be 0: no probe */
};

#endif
