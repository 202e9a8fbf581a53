// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/rates.h"

#include "base/clock.h"
#include "hold/hold.h"
#include "reply/reply.h"
#include "steer/poll.h"
#include "wire/wire.h"

#include <string.h>

static const char *const names[RATES] = {
	[RATE_REPLIES_FIXED] = "replies_fixed_per_s",
	[RATE_PACKETS_REWRITTEN] = "packets_rewritten_per_s",
	[RATE_KEEPALIVES_SENT] = "keepalives_sent_per_s",
	[RATE_DATAGRAMS_STEERED] = "datagrams_steered_per_s",
};

/* The counts of an object are 0 if it is not loaded or cannot be read. */
static void read_counters(const char *bpffs, __u64 sample[RATES])
{
	struct sluice_wire_counters wire;
	struct reply_state reply;
	struct hold_state hold;
	struct err err = { 0 };

	memset(sample, 0, RATES * sizeof(*sample));
	if (!reply_read(bpffs, &reply, &err))
		sample[RATE_REPLIES_FIXED] = reply.counters.value[SLUICE_REPLY_fixed];
	if (!wire_read_counters(bpffs, &wire, &err))
		sample[RATE_PACKETS_REWRITTEN] = wire.value[SLUICE_WIRE_request_rewritten] +
						 wire.value[SLUICE_WIRE_reply_rewritten];
	if (!hold_read(bpffs, &hold, &err))
		sample[RATE_KEEPALIVES_SENT] = hold.status.counters.value[SLUICE_HOLD_SEND_sent] +
					       hold.status.counters.value[SLUICE_HOLD_SEND_renewed];
	steer_poll_datagrams(bpffs, &sample[RATE_DATAGRAMS_STEERED]);
}

static void take(struct rates_sample *sample, const char *bpffs)
{
	sample->at_us = clock_now_us();
	read_counters(bpffs, sample->count);
}

void rates_sample(struct rates *rates, const char *bpffs)
{
	rates->before = rates->last;
	take(&rates->last, bpffs);
}

json_t *rates_json(const struct rates *rates, const char *bpffs)
{
	/* the last sample may be too recent */
	const struct rates_sample *from = rates->before.at_us ? &rates->before : &rates->last;
	struct rates_sample now;
	double over_s, count;
	json_t *object;
	int i;

	take(&now, bpffs);
	over_s = (double)(now.at_us - from->at_us) / 1e6;
	if (!from->at_us || over_s < 0.1)
		return json_null();
	object = json_pack("{s:f}", "over_s", over_s);
	for (i = 0; i < RATES; i++) {
		/* a new load resets the counters */
		count = now.count[i] >= from->count[i] ? (double)(now.count[i] - from->count[i])
						       : 0;
		json_object_set_new(object, names[i], json_real(count / over_s));
	}
	return object;
}
