/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* Answers ordinary Binding requests (<sluice/stun_binding.h>). */
#ifndef SLUICE_MEET_BINDING_H
#define SLUICE_MEET_BINDING_H

#include "meet/answer.h"
#include "meet/budget.h"
#include "meet/datagram.h"
#include "meet/maps.h"

/* Builds the answer. Returns XDP_TX and sets *length, or else the XDP verdict for the request. */
static __always_inline int binding_answer(const struct packet_cursor *cursor,
					  const struct datagram *datagram, bool open_ok,
					  struct sluice_stun_answer *answer, __u32 *length)
{
	struct sluice_stun_request request;
	struct in6_addr source;
	int verdict;
	__u64 now;

	if (sluice_stun_recognise(cursor, datagram->payload_off, datagram->payload_len, &request) !=
	    SLUICE_STUN_IS_ORDINARY)
		return pass(SLUICE_MEET_passed_message);
	verdict = may_answer(cursor, datagram, open_ok, &now);
	if (verdict != XDP_TX)
		return verdict;
	if (!budget_take(&datagram->source, now)) {
		count(SLUICE_MEET_dropped_budget);
		return XDP_DROP;
	}
	__builtin_memcpy(&source, &datagram->source, sizeof(source));
	*length = sluice_stun_answer(answer, &request, &source, datagram->source_port_be);
	return XDP_TX;
}

#endif
