/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The payload of udp-flows and of udp-worker's answers, in host order: both run on one host. */
#ifndef STAMP_H
#define STAMP_H

#include <stdint.h>

struct stamp {
	uint32_t flow;
	uint32_t sequence; /* number within the flow, from 1 */
	uint32_t quiet;	   /* 1: no answer wanted */
	uint32_t pid;	   /* of the worker that answers */
	uint32_t index;
};

#endif
