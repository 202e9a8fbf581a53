/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Limits the answers to unauthenticated sources, whose addresses may be forged: each prefix
 * (prefix.h) has a budget of answers per second. The table has a fixed size, so that a flood of
 * forged sources allocates nothing. Prefixes that hash to the same entry share its budget.
 */
#ifndef SLUICE_MEET_RENDEZVOUS_BUDGET_H
#define SLUICE_MEET_RENDEZVOUS_BUDGET_H

#include <netinet/in.h>
#include <sluice/siphash.h>
#include <stdbool.h>
#include <stdint.h>

#ifndef BUDGET_ENTRIES	     /* the fuzzer creates a small table in each run */
#define BUDGET_ENTRIES 65536 /* half a megabyte */
#endif
#define BUDGET_BURST 2 /* burst, in seconds of the rate */

struct budget {
	struct sluice_siphash_key key;
	uint64_t interval_ns; /* 0: no limit */
	uint64_t due_ns[BUDGET_ENTRIES];
};

/* @rate: answers a second of a prefix; 0: no limit. Returns NULL on ENOMEM, or without entropy. */
struct budget *budget_new(uint32_t rate);
void budget_free(struct budget *budget);
/* May this address get one more answer now? Counts it. */
bool budget_take(struct budget *budget, const struct in6_addr *addr, uint64_t now_ns);
/* Returns the number of entries that have no budget left. */
unsigned int budget_spent(const struct budget *budget, uint64_t now_ns);

#endif
