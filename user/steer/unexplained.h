/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The datagrams that 'steer show' reports as unexplained. */
#ifndef SLUICE_STEER_UNEXPLAINED_H
#define SLUICE_STEER_UNEXPLAINED_H

#include <linux/types.h>

/*
 * Counters of a network namespace since its first group was loaded. The program counts a datagram
 * on arrival; the namespace counts it when it is read or dropped.
 */
struct steer_balance {
	__u64 seen;	/* counted by the programs */
	__u64 drops;	/* drops of the currently steered sockets */
	__u64 read;	/* InDatagrams, of all ports */
	__u64 errors;	/* InErrors, of all ports */
	__u64 checksum; /* InCsumErrors, part of InErrors */
};

/* The datagrams of a balance that no counter explains. */
struct steer_unexplained {
	__u64 errors;	/* drops at other sockets, except checksum errors */
	__u64 vanished; /* neither read nor dropped: queued, or lost with a closed socket */
};

struct steer_unexplained steer_unexplained(const struct steer_balance *balance);

#endif
