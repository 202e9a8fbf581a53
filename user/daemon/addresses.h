/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses of a network namespace, and which of them have gone.  Two snapshots are compared,
 * and the news tell which others to think of, that came and went in between; the news alone would
 * not do: an address may be there twice, or be back already, and news can be lost.
 */
#ifndef SLUICE_DAEMON_ADDRESSES_H
#define SLUICE_DAEMON_ADDRESSES_H

#include "base/err.h"

#include <netinet/in.h>
#include <stddef.h>

struct addrs;

struct addrs *addrs_new(void);
void addrs_free(struct addrs *addrs);
/* An address was there, whether seen before or not. 0 or -ENOMEM. */
int addrs_add(struct addrs *addrs, const struct in6_addr *addr);
/*
 * Looks anew, in the calling thread's namespace, and gives those that were there the last time and
 * are local no more, IPv4 v4-mapped; the caller frees.  0, or -errno with *err set.
 */
int addrs_gone(struct addrs *addrs, struct in6_addr **gone, size_t *count, struct err *err);

#endif
