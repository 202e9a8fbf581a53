// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Each write of the map has a generation, stored in every entry; entries of another generation are
 * swept afterwards. The IPv4 barrier is written first, so that the next writer does not reuse the
 * generation of a writer that died half way.
 */
#include "wire/routes_map.h"

#include "kernel/state_dir.h"

#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* The entries to write, one for each key. */
struct plan {
	struct routes_entry *entry;
	size_t count;
};

/* The root of IPv4: keeps a v4-mapped lookup from matching IPv6's default route. */
static struct routes_entry barrier(void)
{
	struct routes_entry entry = { .key = { .prefix_len = ROUTES_IP4_BITS } };

	entry.key.word_be[2] = htonl(0xffff);
	return entry;
}

static bool is_barrier(const struct sluice_route_key *key)
{
	return key->prefix_len == ROUTES_IP4_BITS && !key->word_be[0] && !key->word_be[1] &&
	       key->word_be[2] == htonl(0xffff);
}

static struct routes_entry apart(const struct sluice_addr *addr)
{
	struct routes_entry entry = { .key = { .prefix_len = 128 }, .service = true };

	memcpy(entry.key.word_be, addr, sizeof(entry.key.word_be));
	return entry;
}

static int plan_make(struct plan *plan, const struct routes *routes,
		     const struct routes_except *except)
{
	size_t i;

	plan->entry = calloc(routes->count + except->count + 1, sizeof(*plan->entry));
	if (!plan->entry)
		return -ENOMEM;
	for (i = 0; i < routes->count; i++) {
		plan->entry[i] = routes->entry[i];
		/* not AWAY: a destination that is AWAY but not forwarded counts as local */
		if (plan->entry[i].service)
			plan->entry[i].route.kind = SLUICE_ROUTE_NONE;
	}
	for (i = 0; i < except->count; i++)
		plan->entry[routes->count + i] = apart(&except->addr[i]);
	plan->count = routes->count + except->count;
	plan->entry[plan->count++] = barrier();
	return 0;
}

static bool has_source(const struct sluice_route *route)
{
	return route->source.half[0] || route->source.half[1];
}

static int key_compare(const struct sluice_route_key *a, const struct sluice_route_key *b)
{
	int order = memcmp(a->word_be, b->word_be, sizeof(a->word_be));

	return order ? order : (int)a->prefix_len - (int)b->prefix_len;
}

/*
 * Sorts wider prefixes before the prefixes that they cover. Of several routes to one prefix, those
 * left alone come first, then local ones, then those with a source, then by the kernel's order.
 */
static int entry_compare(const void *left, const void *right)
{
	const struct routes_entry *a = left, *b = right;
	int order = key_compare(&a->key, &b->key);

	if (!order)
		order = b->service - a->service;
	if (!order)
		order = (int)b->route.kind - (int)a->route.kind;
	if (!order)
		order = has_source(&b->route) - has_source(&a->route);
	if (!order)
		order = a->order < b->order ? -1 : a->order > b->order;
	return order;
}

static bool covers(const struct sluice_route_key *wide, const struct sluice_route_key *key)
{
	__u32 word = wide->prefix_len / 32, bits = wide->prefix_len % 32;

	if (wide->prefix_len > key->prefix_len ||
	    memcmp(wide->word_be, key->word_be, word * sizeof(*key->word_be)))
		return false;
	return !bits || !(ntohl(wide->word_be[word] ^ key->word_be[word]) >> (32 - bits));
}

static bool says_the_same(const struct routes_entry *a, const struct routes_entry *b)
{
	return a->route.kind == b->route.kind && a->service == b->service &&
	       !memcmp(&a->route.source, &b->route.source, sizeof(a->route.source));
}

/*
 * Keeps one entry for each key, and drops those that repeat the next wider prefix: of the tens of
 * thousands of routes of a border router a few remain.
 */
static void plan_prune(struct plan *plan)
{
	size_t wider[129], depth = 0, i, kept = 0;

	qsort(plan->entry, plan->count, sizeof(*plan->entry), entry_compare);
	for (i = 0; i < plan->count; i++) {
		const struct routes_entry *entry = &plan->entry[i];

		while (depth && !covers(&plan->entry[wider[depth - 1]].key, &entry->key))
			depth--;
		if (depth) {
			const struct routes_entry *above = &plan->entry[wider[depth - 1]];

			if (!key_compare(&above->key, &entry->key))
				continue;
			if (says_the_same(above, entry) && !is_barrier(&entry->key))
				continue;
		}
		wider[depth++] = kept;
		plan->entry[kept++] = *entry;
	}
	plan->count = kept;
}

/* Ranks the entries to write: the barrier, local and left-alone addresses, then wider prefixes. */
static __u32 rank(const struct routes_entry *entry)
{
	if (is_barrier(&entry->key))
		return 0;
	if (entry->service || entry->route.kind >= SLUICE_ROUTE_LOCAL)
		return 1;
	return 2 + entry->key.prefix_len;
}

static int rank_compare(const void *left, const void *right)
{
	__u32 a = rank(left), b = rank(right);

	return a < b ? -1 : a > b;
}

static void sweep(int map_fd, __u32 generation)
{
	struct sluice_route_key key, old, *last = NULL;
	struct sluice_route route;
	bool have_old = false;

	while (!bpf_map_get_next_key(map_fd, last, &key)) {
		if (have_old)
			bpf_map_delete_elem(map_fd, &old);
		have_old = !bpf_map_lookup_elem(map_fd, &key, &route) &&
			   route.generation != generation;
		old = key;
		last = &key;
	}
	if (have_old)
		bpf_map_delete_elem(map_fd, &old);
}

/* One entry stays free: before Linux 6.13 a full LPM trie rejects updates of existing keys. */
static size_t room_of(int map_fd)
{
	__u32 entries = state_dir_map_entries(map_fd);

	return entries ? entries - 1 : 0;
}

static int entry_write(int map_fd, struct routes_entry *entry, __u32 generation)
{
	entry->route.generation = generation;
	if (!bpf_map_update_elem(map_fd, &entry->key, &entry->route, BPF_ANY))
		return 0;
	if (errno != ENOSPC)
		return -errno;
	/* the old entries and the new ones together exceed the map */
	sweep(map_fd, generation);
	return bpf_map_update_elem(map_fd, &entry->key, &entry->route, BPF_ANY) ? -errno : 0;
}

static int plan_write(struct plan *plan, int map_fd, size_t *left_out)
{
	__u32 generation = routes_map_generation(map_fd) + 1;
	size_t i, room = room_of(map_fd), fits = plan->count < room ? plan->count : room;
	int result = 0;

	generation += !generation;
	qsort(plan->entry, plan->count, sizeof(*plan->entry), rank_compare);
	for (i = 0; !result && i < fits; i++)
		result = entry_write(map_fd, &plan->entry[i], generation);
	if (!result) {
		sweep(map_fd, generation);
		*left_out = plan->count - fits;
	}
	return result;
}

int routes_map_write(int map_fd, const struct routes *routes, const struct routes_except *except,
		     size_t *left_out, struct err *err)
{
	struct plan plan = { 0 };
	int result = plan_make(&plan, routes, except);

	if (!result) {
		plan_prune(&plan);
		result = plan_write(&plan, map_fd, left_out);
	}
	free(plan.entry);
	return result ? err_set(err, EXIT_ERROR, -result, "routes: %s", strerror(-result)) : 0;
}

__u32 routes_map_generation(int map_fd)
{
	const struct routes_entry first = barrier();
	struct sluice_route route;

	return bpf_map_lookup_elem(map_fd, &first.key, &route) ? 0 : route.generation;
}
