/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* Who reads from a socket, and on which CPU: what the programs write down. */
#ifndef SLUICE_CONSUMERS_H
#define SLUICE_CONSUMERS_H

#include <linux/types.h>

struct sluice_reader {
	__u32 tid; /* in the loader's PID namespace; 0: nobody has read, or nobody that it can see
		    */
	__u32 cpu;
	__u32 reads;
	__u32 shared; /* not 0: more threads than this one read */
};
_Static_assert(sizeof(struct sluice_reader) == 16, "struct sluice_reader");

#endif
