/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Sends a Binding request to the server itself every few seconds, as a client would: a running
 * process with a bound port may still fail to answer.
 */
#ifndef SLUICE_MEET_RENDEZVOUS_SELF_CHECK_H
#define SLUICE_MEET_RENDEZVOUS_SELF_CHECK_H

#include "base/err.h"
#include "base/loop.h"
#include "meet/rendezvous/endpoints.h"

struct self_check;

/*
 * Starts the check of the server's first address. @checked is called after each request and each
 * answer, but not before this function returns. Returns 0, or -errno with *err set.
 */
int self_check_start(struct self_check **check, struct loop *loop,
		     const struct endpoints *endpoints, loop_fn checked, void *arg,
		     struct err *err);
/* Call it before the loop is freed. @check may be NULL. */
void self_check_free(struct self_check *check);
/* Returns true until the first request is answered. */
bool self_check_is_early(const struct self_check *check);
/* Returns false if the last request is overdue, with the reason in @why. */
bool self_check_passes(const struct self_check *check, char *why, size_t size);
/* Returns the round trip time of the last answer, in seconds; 0 if the check does not pass. */
double self_check_rtt_s(const struct self_check *check);

#endif
