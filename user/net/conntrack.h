/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The UDP entries of this network namespace's connection tracking table: dump all entries; read,
 * delete or renew a single entry. There is deliberately no flush: it would break healthy flows.
 */
#ifndef SLUICE_NET_CONNTRACK_H
#define SLUICE_NET_CONNTRACK_H

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
	struct ct_tuple original; /* tuple of the first datagram */
	struct ct_tuple reply;	  /* tuple of a reply; with NAT, not the reverse of `original` */
	uint16_t original_zone;
	uint16_t reply_zone;
	uint32_t id;
	uint32_t status; /* IPS_… of linux/netfilter/nf_conntrack_common.h */
	uint32_t mark;
	uint32_t timeout_s;
	bool counted; /* net.netfilter.nf_conntrack_acct is on */
	struct ct_counters original_count;
	struct ct_counters reply_count;
	/* Set by audit_compare() from two dumps: */
	bool watched;  /* both dumps have the entry */
	bool used;     /* a datagram refreshed it between the dumps */
	bool answered; /* its reply counter increased; needs nf_conntrack_acct */
};

/* Sorted by conntrack_order(). */
struct ct_table {
	struct ct_entry *entry;
	size_t count, room;
	uint64_t begin_ms, end_ms; /* CLOCK_BOOTTIME before and after the dump */
};

/*
 * Compares two struct ct_entry for qsort(): by destination and ports, then by source and zone.
 * Entries from one sender port to one destination are thus adjacent.
 */
int conntrack_order(const void *a, const void *b);
void conntrack_sort(struct ct_table *table);
/* Returns the entry with the original tuple and zone of `like`, or NULL. */
const struct ct_entry *conntrack_find(const struct ct_table *table, const struct ct_entry *like);
/* Returns true if both are the same entry; entries with equal original tuples may differ. */
bool conntrack_same(const struct ct_entry *a, const struct ct_entry *b);
bool conntrack_is_dnat(const struct ct_entry *entry);
bool conntrack_is_snat(const struct ct_entry *entry);
/* Appends a copy. Returns 0 or -ENOMEM. */
int conntrack_add(struct ct_table *table, const struct ct_entry *entry);
void conntrack_free(struct ct_table *table);

/*
 * Reads the UDP entries into an empty *table, sorted, without duplicates. Returns 0, or -errno with
 * *err set (exit status 4 without CAP_NET_ADMIN, 3 without nf_conntrack_netlink) and *table empty.
 */
int conntrack_read(struct ct_table *table, struct err *err);
/* Sets the error of a failed conntrack_read(), conntrack_get() or conntrack_delete(). */
int conntrack_refused(int result, struct err *err);

struct nl;
/* Opens a socket for the functions below; nl_close() closes it. Returns 0 or -errno. */
int conntrack_open(struct nl **nl);
/* Reads the entry again into *now. Returns 0, -ENOENT if the entry no longer exists, or -errno. */
int conntrack_get(struct nl *nl, const struct ct_entry *entry, struct ct_entry *now);
/* Deletes the entry with this original tuple, zone and id. Returns as conntrack_get() does. */
int conntrack_delete(struct nl *nl, const struct ct_entry *entry);
/* Sets the timeout of the entry. Returns as conntrack_get() does. */
int conntrack_renew(struct nl *nl, const struct ct_entry *entry, uint32_t timeout_s);

#endif
