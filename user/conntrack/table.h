/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The UDP entries of this network namespace's connection tracking table: read them all, look one up
 * again, delete one.  There is no way to flush here, and there shall be none.
 */
#ifndef SLUICE_CONNTRACK_TABLE_H
#define SLUICE_CONNTRACK_TABLE_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct ct_tuple {
	struct in6_addr src; /* IPv4 as ::ffff:a.b.c.d */
	struct in6_addr dst;
	in_port_t src_port_be;
	in_port_t dst_port_be;
};

struct ct_counters {
	uint64_t packets;
	uint64_t bytes;
};

struct ct_entry {
	struct ct_tuple original; /* as its first datagram was sent */
	struct ct_tuple reply;	  /* as an answer to it must look: NAT is where they differ */
	uint16_t original_zone;
	uint16_t reply_zone;
	uint32_t id;
	uint32_t status; /* IPS_… of linux/netfilter/nf_conntrack_common.h */
	uint32_t mark;
	uint32_t timeout_s;
	bool counted; /* net.netfilter.nf_conntrack_acct is on */
	struct ct_counters original_count;
	struct ct_counters reply_count;
	/* Told by comparing two readings, see audit_compare(): */
	bool watched;  /* it was in both */
	bool used;     /* a datagram was seen between them */
	bool answered; /* one of them an answer, as far as counters say */
};

/* Sorted by conntrack_order(). */
struct ct_table {
	struct ct_entry *entry;
	size_t count, room;
	uint64_t begin_ms, end_ms; /* CLOCK_BOOTTIME around the reading */
};

/*
 * By what an answer to the entry's sender is matched: destination, ports, then source and zone.
 * So all that one sender port sends to one destination stands together.
 */
int conntrack_order(const struct ct_entry *a, const struct ct_entry *b);
void conntrack_sort(struct ct_table *table);
/* The same original tuple and zone as `like`; NULL if there is none. */
const struct ct_entry *conntrack_find(const struct ct_table *table, const struct ct_entry *like);
/* Is it the very same entry, and not another one with the same original tuple? */
bool conntrack_same(const struct ct_entry *a, const struct ct_entry *b);
bool conntrack_is_dnat(const struct ct_entry *entry);
bool conntrack_is_snat(const struct ct_entry *entry);
/* Adds a copy at the end. 0 or -ENOMEM. */
int conntrack_add(struct ct_table *table, const struct ct_entry *entry);
void conntrack_free(struct ct_table *table);

/*
 * Reads the UDP entries into an empty *table, sorted, each once.  0, or -errno with *err set (exit
 * code 4 without CAP_NET_ADMIN, 3 where the kernel has no nf_conntrack_netlink) and *table empty.
 */
int conntrack_read(struct ct_table *table, struct err *err);
/* The same error for a failure of the two functions below. */
int conntrack_refused(int result, struct err *err);

struct nl;
/* Opens a socket for these questions; closed with nl_close(). 0 or -errno. */
int conntrack_open(struct nl **nl);
/* The entry now: *now filled, or -ENOENT if it has gone, or -errno. */
int conntrack_get(struct nl *nl, const struct ct_entry *entry, struct ct_entry *now);
/* Deletes the entry that has this original tuple, zone and id. 0, -ENOENT if it has gone, -errno.
 */
int conntrack_delete(struct nl *nl, const struct ct_entry *entry);

#endif
