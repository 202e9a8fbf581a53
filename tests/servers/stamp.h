/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What udp-flows sends and udp-worker answers with, in host order: both are on one host. */
#ifndef STAMP_H
#define STAMP_H

#include <stdint.h>

struct stamp {
	uint32_t flow;
	uint32_t sequence; /* of the flow's datagrams, from 1 */
	uint32_t quiet;	   /* 1: wants no answer */
	uint32_t pid;	   /* of the worker that answers */
	uint32_t index;
};

#endif
