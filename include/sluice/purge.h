/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* What user space asks of sluice_purge: to clear slots of one set of the flow table. */
#ifndef SLUICE_PURGE_H
#define SLUICE_PURGE_H

#include <sluice/flow.h>

struct sluice_purge {
	__u8 ethernet[14]; /* a test run of the kernel takes the first bytes for a header */
	__u8 reserved[2];
	struct sluice_addr local; /* of the flows to clear, */
	__u32 netns;		  /* which are of this namespace, */
	__u32 before;		  /* and were last heard before then; of sluice_flow_clock() */
	__u32 set;
	__u32 reserved_too;
};
_Static_assert(sizeof(struct sluice_purge) == 48, "struct sluice_purge");

#endif
