/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The registrations: the address of each registered peer. The only implementation keeps them in
 * process memory. The store knows neither the protocol nor the clock, and the caller checks
 * permissions.
 *
 * A registration has a slot, by which a refresh finds it without a hash lookup, and an epoch, which
 * distinguishes it from earlier users of the slot.
 */
#ifndef SLUICE_MEET_RENDEZVOUS_STORE_H
#define SLUICE_MEET_RENDEZVOUS_STORE_H

#include "base/hash.h"
#include "base/timer_wheel.h"
#include "meet/candidate.h"
#include "meet/peers.h"
#include "meet/rendezvous/path.h"

#include <sluice/rendezvous.h>

struct session;

/* The peer that sent the connect request, and the other one. */
enum session_side {
	SESSION_FROM,
	SESSION_TO,
	SESSION_SIDES,
};

struct registration {
	UT_hash_handle hh; /* by the peer's name */
	struct timer timer;
	struct peer *peer;
	struct path path;
	struct session *sessions[SESSION_SIDES]; /* indexed by the peer's side */
	struct sluice_siphash_key refresh_key;
	uint64_t since_ns, seen_ns;
	uint32_t slot, epoch;
	uint32_t rtt_ms;
	uint8_t transaction[SLUICE_STUN_ID_SIZE]; /* transaction id of the register request */
	bool behind_nat;
	uint8_t sessions_begun; /* length of sessions[SESSION_FROM] */
	uint8_t candidates;
	struct candidate candidate[];
};

struct store;

struct store_limits {
	uint32_t total;
	uint32_t prefix; /* from the same /24 of IPv4 or /56 of IPv6 */
};

/* Called before a registration is freed for any reason. */
typedef void (*store_fn)(struct registration *registration, void *arg);

/* Returns NULL on ENOMEM. */
struct store *store_new(const struct store_limits *limits, uint64_t now_ns, store_fn removed,
			void *arg);
void store_free(struct store *store);

/*
 * Adds a registration, and replaces the peer's earlier one. The store sets slot, timer and hh.
 * Returns the new registration, or NULL with errno set: EDQUOT if the prefix is full, ENOSPC if the
 * store is full, or ENOMEM. On failure, the earlier registration stays.
 */
struct registration *store_put(struct store *store, const struct registration *content,
			       const struct candidate *candidates, uint64_t expires_ns);
/* Defers the expiry. */
void store_refresh(struct store *store, struct registration *registration, uint64_t now_ns,
		   uint64_t expires_ns);
void store_remove(struct store *store, struct registration *registration);
/* Points a registration at another struct peer of the same name. The caller frees the old one. */
void store_rebind(struct registration *registration, struct peer *peer);

struct registration *store_by_peer(const struct store *store, const struct peer *peer);
/* Returns the registration, or NULL if it has ended. */
struct registration *store_by_id(const struct store *store, uint32_t slot, uint32_t epoch);
/* Returns the first of all registrations; hh.next leads to the others. */
struct registration *store_first(const struct store *store);
size_t store_count(const struct store *store);
/* Returns the memory use of the registrations, in bytes. */
size_t store_bytes(const struct store *store);

/* May extend a registration by store_refresh(), and then returns true. */
typedef bool (*store_defer_fn)(struct registration *registration, uint64_t now_ns, void *arg);
/* Removes expired registrations, except those that the callback extends. Returns its number. */
size_t store_expire(struct store *store, uint64_t now_ns, store_defer_fn defer, void *arg);
/* When to call store_expire() next; false: nothing expires. */
bool store_next(const struct store *store, uint64_t *at_ns);

#endif
