/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* Which thread received last from a socket, and on which CPU: what the programs note. */
#ifndef SLUICE_CONSUMERS_H
#define SLUICE_CONSUMERS_H

#include <linux/types.h>

struct sluice_consumer {
	__u32 thread; /* the kernel's own id of it; 0: nobody has received */
	__u32 tid;    /* in the PID namespace pid_ns; 0: it is not in there */
	__u32 pid_ns; /* inode number: the loader's */
	__u16 cpu;
	__u16 shared; /* not 0: more threads than this one have received */
};
_Static_assert(sizeof(struct sluice_consumer) == 16, "struct sluice_consumer");

#endif
