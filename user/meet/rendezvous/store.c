// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/store.h"

#include "base/array.h"
#include "net/prefix.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define TICK_NS 1000000000ULL

struct store {
	struct store_limits limits;
	struct timer_wheel wheel;
	struct registration *by_name;
	struct prefixes prefixes;
	struct registration **slot; /* NULL: free */
	uint32_t *free_slot;	    /* stack of free slots below `slots` */
	size_t slots, slot_room, free_slots, free_room;
	size_t bytes;
	store_fn removed;
	void *arg;
};

struct store *store_new(const struct store_limits *limits, uint64_t now_ns, store_fn removed,
			void *arg)
{
	struct store *store = calloc(1, sizeof(*store));

	if (!store)
		return NULL;
	store->limits = *limits;
	store->removed = removed;
	store->arg = arg;
	timer_wheel_init(&store->wheel, now_ns, TICK_NS);
	return store;
}

/* --- slots */

static int slot_take(struct store *store, struct registration *registration)
{
	if (store->free_slots) {
		registration->slot = store->free_slot[--store->free_slots];
	} else {
		/* so that slot_put() cannot fail */
		if (array_grow((void **)&store->slot, &store->slot_room, store->slots,
			       sizeof(*store->slot)) ||
		    array_grow((void **)&store->free_slot, &store->free_room, store->slots,
			       sizeof(*store->free_slot)))
			return -ENOMEM;
		registration->slot = (uint32_t)store->slots++;
	}
	store->slot[registration->slot] = registration;
	return 0;
}

static void slot_put(struct store *store, uint32_t slot)
{
	store->slot[slot] = NULL;
	store->free_slot[store->free_slots++] = slot;
}

/* --- registrations */

static size_t registration_size(unsigned int candidates)
{
	return sizeof(struct registration) + candidates * sizeof(struct candidate);
}

/* Checks the limits without counting @before, the peer's earlier registration. */
static int check_room(const struct store *store, const struct registration *content,
		      const struct registration *before)
{
	const struct in6_addr *addr = &content->path.client.addr;
	bool same = before && prefix_of(&before->path.client.addr) == prefix_of(addr);

	if (!before && store_count(store) >= store->limits.total)
		return -ENOSPC;
	if (!same && prefixes_count(&store->prefixes, addr) >= store->limits.prefix)
		return -EDQUOT;
	return 0;
}

struct registration *store_put(struct store *store, const struct registration *content,
			       const struct candidate *candidates, uint64_t expires_ns)
{
	struct registration *before = store_by_peer(store, content->peer), *fresh;
	int result = check_room(store, content, before);

	fresh = result ? NULL : malloc(registration_size(content->candidates));
	if (!fresh) {
		errno = result ? -result : ENOMEM;
		return NULL;
	}
	*fresh = *content;
	fresh->timer = (struct timer){ .link = NULL };
	if (content->candidates)
		memcpy(fresh->candidate, candidates, content->candidates * sizeof(*candidates));
	if (prefixes_add(&store->prefixes, &content->path.client.addr))
		goto no_prefix;
	if (slot_take(store, fresh))
		goto no_slot;
	if (before)
		store_remove(store, before);
	HASH_ADD_KEYPTR(hh, store->by_name, fresh->peer->name, strlen(fresh->peer->name), fresh);
	if (!fresh->hh.tbl)
		goto no_hash;
	timer_wheel_set(&store->wheel, &fresh->timer, expires_ns + TICK_NS);
	store->bytes += registration_size(fresh->candidates);
	return fresh;
no_hash:
	slot_put(store, fresh->slot);
no_slot:
	prefixes_remove(&store->prefixes, &content->path.client.addr);
no_prefix:
	free(fresh);
	errno = ENOMEM;
	return NULL;
}

void store_refresh(struct store *store, struct registration *registration, uint64_t now_ns,
		   uint64_t expires_ns)
{
	registration->seen_ns = now_ns;
	/* the wheel rounds down */
	timer_wheel_set(&store->wheel, &registration->timer, expires_ns + TICK_NS);
}

void store_remove(struct store *store, struct registration *registration)
{
	store->removed(registration, store->arg);
	timer_wheel_remove(&store->wheel, &registration->timer);
	slot_put(store, registration->slot);
	prefixes_remove(&store->prefixes, &registration->path.client.addr);
	HASH_DEL(store->by_name, registration);
	store->bytes -= registration_size(registration->candidates);
	explicit_bzero(&registration->refresh_key, sizeof(registration->refresh_key));
	free(registration);
}

void store_rebind(struct registration *registration, struct peer *peer)
{
	registration->peer = peer;
	registration->hh.key = peer->name;
}

struct registration *store_by_peer(const struct store *store, const struct peer *peer)
{
	struct registration *registration;

	HASH_FIND(hh, store->by_name, peer->name, strlen(peer->name), registration);
	return registration;
}

struct registration *store_by_id(const struct store *store, uint32_t slot, uint32_t epoch)
{
	struct registration *registration = slot < store->slots ? store->slot[slot] : NULL;

	return registration && registration->epoch == epoch ? registration : NULL;
}

struct registration *store_first(const struct store *store)
{
	return store->by_name;
}

size_t store_count(const struct store *store)
{
	return HASH_COUNT(store->by_name);
}

size_t store_bytes(const struct store *store)
{
	return store->bytes + HASH_OVERHEAD(hh, store->by_name) -
	       store_count(store) * sizeof(UT_hash_handle) +
	       store->slot_room * sizeof(*store->slot) +
	       store->free_room * sizeof(*store->free_slot) + prefixes_bytes(&store->prefixes);
}

struct expiry {
	struct store *store;
	uint64_t now_ns;
	store_defer_fn defer;
	void *arg;
	size_t removed;
};

static void on_expired(struct timer *timer, void *arg)
{
	struct registration *registration =
		(struct registration *)((char *)timer - offsetof(struct registration, timer));
	struct expiry *expiry = arg;

	if (expiry->defer(registration, expiry->now_ns, expiry->arg))
		return;
	store_remove(expiry->store, registration);
	expiry->removed++;
}

size_t store_expire(struct store *store, uint64_t now_ns, store_defer_fn defer, void *arg)
{
	struct expiry expiry = { store, now_ns, defer, arg, 0 };

	timer_wheel_expire(&store->wheel, now_ns, on_expired, &expiry);
	return expiry.removed;
}

bool store_next(const struct store *store, uint64_t *at_ns)
{
	return timer_wheel_next(&store->wheel, at_ns);
}

void store_free(struct store *store)
{
	if (!store)
		return;
	while (store->by_name)
		store_remove(store, store->by_name);
	free(store->slot);
	free(store->free_slot);
	free(store);
}
