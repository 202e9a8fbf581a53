/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The thread that last received from a socket, and its CPU, as recorded by the programs. */
#ifndef SLUICE_CONSUMERS_H
#define SLUICE_CONSUMERS_H

#include <linux/types.h>

struct sluice_consumer {
	__u32 thread; /* thread id in the initial PID namespace; 0: no thread has received yet */
	__u32 tid;    /* thread id in the PID namespace pid_ns; 0: not visible there */
	__u32 pid_ns; /* inode number of the loader's PID namespace */
	__u16 cpu;
	__u16 shared; /* not 0: more than one thread has received */
};
_Static_assert(sizeof(struct sluice_consumer) == 16, "struct sluice_consumer");

#endif
