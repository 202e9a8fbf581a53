// SPDX-License-Identifier: GPL-2.0-or-later
/* The tables and their lookups; nothing in this file accesses the kernel. */
#include "net/inet.h"

#include "base/addr.h"
#include "base/array.h"

#include <stdlib.h>
#include <string.h>

#define V4MAPPED_BITS 96

static const struct in6_addr any4 = { .s6_addr = { [10] = 0xff, [11] = 0xff } };

struct in6_addr inet_from_ip4(in_addr_t addr_be)
{
	struct in6_addr addr = any4;

	memcpy(&addr.s6_addr[12], &addr_be, sizeof(addr_be));
	return addr;
}

static int order(uint64_t a, uint64_t b)
{
	return (a > b) - (a < b);
}

/* Sorts single addresses first, for a binary search; the few networks get a linear search. */
static int local_compare(const void *a, const void *b)
{
	const struct inet_local *x = a, *y = b;
	int result = order(y->bits, x->bits);

	return result ? result : memcmp(&x->addr, &y->addr, sizeof(x->addr));
}

static int socket_compare(const void *a, const void *b)
{
	const struct inet_socket *x = a, *y = b;
	int result = order(x->local_port_be, y->local_port_be);

	if (!result)
		result = order(x->peer_port_be, y->peer_port_be);
	if (!result)
		result = memcmp(&x->peer, &y->peer, sizeof(x->peer));
	return result ? result : memcmp(&x->local, &y->local, sizeof(x->local));
}

static int neighbour_compare(const void *a, const void *b)
{
	const struct inet_neighbour *x = a, *y = b;
	int result = order(x->ifindex, y->ifindex);

	return result ? result : memcmp(&x->addr, &y->addr, sizeof(x->addr));
}

static int host_compare(const void *a, const void *b)
{
	const struct inet_host *x = a, *y = b;

	return memcmp(&x->addr, &y->addr, sizeof(x->addr));
}

static int append(void **array, size_t *room, size_t *count, const void *element, size_t size)
{
	int result = array_grow(array, room, *count, size);

	if (!result)
		memcpy((char *)*array + (*count)++ * size, element, size);
	return result;
}

int inet_add_local(struct inet *inet, const struct inet_local *local)
{
	return append((void **)&inet->local, &inet->local_room, &inet->locals, local,
		      sizeof(*local));
}

int inet_add_socket(struct inet *inet, const struct inet_socket *socket)
{
	return append((void **)&inet->socket, &inet->socket_room, &inet->sockets, socket,
		      sizeof(*socket));
}

int inet_add_neighbour(struct inet *inet, const struct inet_neighbour *neighbour)
{
	return append((void **)&inet->neighbour, &inet->neighbour_room, &inet->neighbours,
		      neighbour, sizeof(*neighbour));
}

int inet_add_host(struct inet *inet, const struct inet_host *host)
{
	return append((void **)&inet->host, &inet->host_room, &inet->hosts, host, sizeof(*host));
}

/* qsort() does not accept a NULL array. */
static void sort(void *array, size_t count, size_t size, int (*compare)(const void *, const void *))
{
	if (count > 1)
		qsort(array, count, size, compare);
}

static void *find(const void *key, const void *array, size_t count, size_t size,
		  int (*compare)(const void *, const void *))
{
	return count ? bsearch(key, array, count, size, compare) : NULL;
}

void inet_sort(struct inet *inet)
{
	sort(inet->local, inet->locals, sizeof(*inet->local), local_compare);
	sort(inet->socket, inet->sockets, sizeof(*inet->socket), socket_compare);
	sort(inet->neighbour, inet->neighbours, sizeof(*inet->neighbour), neighbour_compare);
	sort(inet->host, inet->hosts, sizeof(*inet->host), host_compare);
	inet->local_hosts = 0;
	while (inet->local_hosts < inet->locals &&
	       inet->local[inet->local_hosts].bits == INET_BITS_MAX)
		inet->local_hosts++;
}

void inet_free(struct inet *inet)
{
	free(inet->local);
	free(inet->socket);
	free(inet->neighbour);
	free(inet->host);
	*inet = (struct inet){ .local = NULL };
}

/* Returns the entry with the longest prefix that contains the address. */
static const struct inet_local *local_find(const struct inet *inet, const struct in6_addr *addr)
{
	const struct inet_local key = { .addr = *addr, .bits = INET_BITS_MAX };
	const struct inet_local *found;
	size_t i;

	found = find(&key, inet->local, inet->local_hosts, sizeof(*inet->local), local_compare);
	for (i = inet->local_hosts; !found && i < inet->locals; i++) {
		const struct inet_local *local = &inet->local[i];
		unsigned int bytes = local->bits / 8, mask = 0xff00U >> local->bits % 8 & 0xff;

		/* the mask is 0 if the prefix length is a multiple of 8 */
		if (!memcmp(&local->addr, addr, bytes) &&
		    !((local->addr.s6_addr[bytes] ^ addr->s6_addr[bytes]) & mask))
			found = local;
	}
	return found;
}

bool inet_is_local(const struct inet *inet, const struct in6_addr *addr)
{
	const struct inet_local *local = local_find(inet, addr);

	return local && !local->broadcast;
}

bool inet_is_shared(const struct inet *inet, const struct in6_addr *addr)
{
	const struct inet_local *local = local_find(inet, addr);
	uint32_t word_be;

	if (!addr_is_ip4(addr))
		return IN6_IS_ADDR_MULTICAST(addr);
	memcpy(&word_be, &addr->s6_addr[12], sizeof(word_be));
	return IN_MULTICAST(ntohl(word_be)) || word_be == INADDR_BROADCAST ||
	       (local && local->broadcast);
}

/*
 * Finds a socket with exactly the addresses and ports of @key; with @want_ip4, skips IPV6_V6ONLY.
 */
static const struct inet_socket *socket_find(const struct inet *inet, const struct inet_socket *key,
					     bool want_ip4)
{
	const struct inet_socket *end = inet->socket + inet->sockets;
	const struct inet_socket *found = find(key, inet->socket, inet->sockets,
					       sizeof(*inet->socket), socket_compare);

	while (found && found > inet->socket && !socket_compare(found - 1, key))
		found--;
	for (; found && found < end && !socket_compare(found, key); found++)
		if (!want_ip4 || !found->v6only)
			return found;
	return NULL;
}

const struct inet_socket *inet_find_socket(const struct inet *inet, const struct in6_addr *local,
					   in_port_t local_port_be, const struct in6_addr *peer,
					   in_port_t peer_port_be)
{
	struct inet_socket key = { .local = *local,
				   .local_port_be = local_port_be,
				   .peer = *peer,
				   .peer_port_be = peer_port_be };
	bool ip4 = addr_is_ip4(local);
	const struct inet_socket *found = socket_find(inet, &key, ip4);

	key.peer = in6addr_any;
	key.peer_port_be = 0;
	if (!found)
		found = socket_find(inet, &key, ip4);
	key.local = any4;
	if (!found && ip4)
		found = socket_find(inet, &key, ip4);
	key.local = in6addr_any;
	return found ? found : socket_find(inet, &key, ip4);
}

bool inet_is_kernel_port(const struct inet *inet, in_port_t port_be)
{
	const struct in6_addr *const wildcards[] = { &in6addr_any, &any4 };
	int i;

	for (i = 0; i < 2; i++) {
		const struct inet_socket key = { .local = *wildcards[i], .local_port_be = port_be };
		const struct inet_socket *found = socket_find(inet, &key, false);

		if (found && !found->pid)
			return true;
	}
	return false;
}

bool inet_has_neighbour(const struct inet *inet, const struct in6_addr *addr, uint32_t ifindex)
{
	const struct inet_neighbour key = { .addr = *addr, .ifindex = ifindex };

	return find(&key, inet->neighbour, inet->neighbours, sizeof(key), neighbour_compare);
}

void inet_drop_slow(struct inet *inet, const struct inet *earlier)
{
	size_t i, kept = 0;

	for (i = 0; i < inet->neighbours; i++) {
		const struct inet_neighbour *n = &inet->neighbour[i];

		if (n->failed || (earlier && inet_has_neighbour(earlier, &n->addr, n->ifindex)))
			inet->neighbour[kept++] = *n;
	}
	inet->neighbours = kept;
}

enum inet_reach inet_host_reach(const struct inet *inet, const struct in6_addr *addr)
{
	const struct inet_host key = { .addr = *addr };
	const struct inet_host *found = find(&key, inet->host, inet->hosts, sizeof(key),
					     host_compare);

	return found ? found->reach : INET_REACH_OPEN;
}
