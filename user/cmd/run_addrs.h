/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses of a network namespace, and which of them have gone.  Two snapshots are compared
 * instead of counting the news: an address may be there twice, or be back already.
 */
#ifndef SLUICE_RUN_ADDRS_H
#define SLUICE_RUN_ADDRS_H

#include "err.h"

#include <netinet/in.h>
#include <stddef.h>

struct addrs;

struct addrs *addrs_new(void);
void addrs_free(struct addrs *addrs);
/*
 * Looks anew, in the calling thread's namespace, and gives those that were there the last time and
 * are local no more, IPv4 v4-mapped; the caller frees.  0, or -errno with *err set.
 */
int addrs_gone(struct addrs *addrs, struct in6_addr **gone, size_t *count, struct err *err);

#endif
