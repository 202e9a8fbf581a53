/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The payload of udp-flows and of udp-worker's answers, in host byte order, since both run on one
 * host.
 */
#ifndef STAMP_H
#define STAMP_H

#include <stdint.h>

struct stamp {
	uint32_t flow;
	uint32_t sequence; /* number in the flow, from 1 */
	uint32_t quiet;	   /* 1: no answer requested */
	uint32_t pid;	   /* of the answering worker */
	uint32_t index;
};

#endif
