// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/budget.h"

#include "base/rate.h"
#include "net/prefix.h"

#include <stdlib.h>
#include <sys/random.h>

#define SECOND_NS 1000000000ULL

struct budget *budget_new(uint32_t rate)
{
	struct budget *budget = calloc(1, sizeof(*budget));

	if (budget && getrandom(&budget->key, sizeof(budget->key), 0) != sizeof(budget->key)) {
		free(budget);
		return NULL;
	}
	if (budget && rate)
		budget->interval_ns = SECOND_NS / rate;
	return budget;
}

void budget_free(struct budget *budget)
{
	free(budget);
}

bool budget_take(struct budget *budget, const struct in6_addr *addr, uint64_t now_ns)
{
	const __u64 prefix = prefix_of(addr);
	uint64_t *due = &budget->due_ns[sluice_siphash(&budget->key, &prefix, 1) % BUDGET_ENTRIES];

	return !budget->interval_ns ||
	       rate_take(due, budget->interval_ns, BUDGET_BURST * SECOND_NS, now_ns);
}

unsigned int budget_spent(const struct budget *budget, uint64_t now_ns)
{
	unsigned int i, spent = 0;

	for (i = 0; i < BUDGET_ENTRIES; i++)
		spent += budget->due_ns[i] + budget->interval_ns >
			 now_ns + BUDGET_BURST * SECOND_NS;
	return spent;
}
