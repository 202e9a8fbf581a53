/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Rates of the loaded objects over the last seconds, for 'sluice status': current counters minus an
 * earlier sample. The daemon takes samples at its start and at its regular check.
 */
#ifndef SLUICE_DAEMON_RATES_H
#define SLUICE_DAEMON_RATES_H

#include <jansson.h>
#include <linux/types.h>
#include <stdbool.h>

enum rate {
	RATE_REPLIES_FIXED,
	RATE_PACKETS_REWRITTEN,
	RATE_KEEPALIVES_SENT,
	RATE_DATAGRAMS_STEERED,
	RATES
};

struct rates {
	struct rates_sample {
		__u64 at_us; /* 0: no sample yet */
		__u64 count[RATES];
	} last, before;
};

/* Takes a sample. Closes the maps afterwards, so that an unload frees them at once. */
void rates_sample(struct rates *rates, const char *bpffs);
/* Returns an object; null in the first tenth of a second. */
json_t *rates_json(const struct rates *rates, const char *bpffs);

#endif
