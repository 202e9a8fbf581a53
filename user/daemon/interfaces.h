/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Keeps wire mode on the interfaces that it is wanted on, while they come and go.
 *
 * The kernel's book of interfaces (wire.h) holds the truth; what stands here is a copy, so that
 * the many news of an interface that change nothing cost no system call.  All of it is called in
 * the network namespace of wire mode.
 */
#ifndef SLUICE_DAEMON_INTERFACES_H
#define SLUICE_DAEMON_INTERFACES_H

#include "base/err.h"
#include "base/rtnl_events.h"
#include "wire/wire.h"

#include <stdbool.h>

struct follow;

struct follow *follow_new(void);
void follow_free(struct follow *follow);
/*
 * Wire mode is in force with these options, which stay where they are; NULL: no more.  To be
 * followed by follow_sync().
 */
void follow_options(struct follow *follow, const struct wire_options *options);
/* Looks at all interfaces: at the start, and when news were lost. 0, or -errno with *err set. */
int follow_sync(struct follow *follow, struct err *err);
/* Is there one that somebody else has detached? Then a follow_sync() attaches it again. */
bool follow_has_lost(const struct follow *follow);
/* News that were read at event_us (CLOCK_MONOTONIC); the time from there to the end is logged. */
void follow_link(struct follow *follow, const struct rtnl_link *link, __u64 event_us);
void follow_gone(struct follow *follow, const struct rtnl_link *link);
/* Is a follow_sync() due, after something went wrong or a bridge came? Asking resets it. */
bool follow_wants_sync(struct follow *follow);
/* Interfaces that are attached to. */
unsigned int follow_count(const struct follow *follow);

#endif
