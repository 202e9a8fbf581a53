// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Which entries contradict the host, and which do not. Each test changes one fact in a synthetic
 * table.
 *
 *   client 172.17.0.3:4000 ── 172.17.0.1 [this host] 172.16.13.13 ── lan
 */
#include "conntrack/audit.h"
#include "net/conntrack.h"
#include "net/inet.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/netfilter/nf_conntrack_common.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define NEAR	"172.17.0.1"
#define FAR	"172.16.13.13"
#define CLIENT	"172.17.0.3"
#define REPLIED (IPS_CONFIRMED | IPS_SEEN_REPLY | IPS_ASSURED)

struct host {
	struct ct_table table;
	struct inet inet;
	struct audit audit;
};

static struct in6_addr addr(const char *text)
{
	struct in6_addr addr;
	struct in_addr ip4;

	if (inet_pton(AF_INET, text, &ip4) == 1)
		return inet_from_ip4(ip4.s_addr);
	assert_int_equal(inet_pton(AF_INET6, text, &addr), 1);
	return addr;
}

static struct ct_tuple tuple(const char *src, int src_port, const char *dst, int dst_port)
{
	return (struct ct_tuple){ .src = addr(src),
				  .dst = addr(dst),
				  .src_port_be = htons(src_port),
				  .dst_port_be = htons(dst_port) };
}

/* Returns an unanswered entry without NAT. */
static struct ct_entry entry(const char *src, int src_port, const char *dst, int dst_port)
{
	return (struct ct_entry){ .original = tuple(src, src_port, dst, dst_port),
				  .reply = tuple(dst, dst_port, src, src_port),
				  .id = 1,
				  .status = IPS_CONFIRMED,
				  .timeout_s = 30 };
}

static void add_local(struct inet *inet, const char *text, int bits, bool broadcast)
{
	const struct inet_local local = { .addr = addr(text),
					  .bits = (uint8_t)bits,
					  .broadcast = broadcast };

	assert_int_equal(inet_add_local(inet, &local), 0);
}

static void add_socket(struct inet *inet, const char *local, int port, const char *peer,
		       int peer_port)
{
	const struct inet_socket socket = { .local = addr(local),
					    .local_port_be = htons(port),
					    .peer = peer ? addr(peer) : in6addr_any,
					    .peer_port_be = htons(peer_port),
					    .pid = 100 };

	assert_int_equal(inet_add_socket(inet, &socket), 0);
}

static int setup(void **state)
{
	struct host *host = calloc(1, sizeof(*host));

	add_local(&host->inet, NEAR, 128, false);
	add_local(&host->inet, FAR, 128, false);
	add_local(&host->inet, "fd17::1", 128, false);
	add_local(&host->inet, "127.0.0.0", 96 + 8, false);
	add_local(&host->inet, "10.96.32.0", 96 + 19, false);
	add_local(&host->inet, "172.17.255.255", 128, true);
	*state = host;
	return 0;
}

static int teardown(void **state)
{
	struct host *host = *state;

	conntrack_free(&host->table);
	inet_free(&host->inet);
	audit_free(&host->audit);
	free(host);
	return 0;
}

static void add(struct host *host, const struct ct_entry *entry)
{
	assert_int_equal(conntrack_add(&host->table, entry), 0);
}

/* Counts the findings. */
static size_t classify(struct host *host)
{
	audit_free(&host->audit);
	conntrack_sort(&host->table);
	inet_sort(&host->inet);
	assert_int_equal(audit_classify(&host->table, &host->inet, &host->audit), 0);
	return host->audit.count;
}

static size_t classify_one(struct host *host, const struct ct_entry *entry)
{
	host->table.count = 0;
	add(host, entry);
	return classify(host);
}

static void assert_why(const struct host *host, size_t finding, const char *why)
{
	char text[256];

	assert_string_equal(
		audit_explain(&host->table, &host->audit.finding[finding], text, sizeof(text)),
		why);
}

static void assert_found(struct host *host, const struct ct_entry *entry, enum audit_reason reason,
			 const char *why)
{
	assert_int_equal(classify_one(host, entry), 1);
	assert_int_equal(host->audit.finding[0].reason, reason);
	assert_why(host, 0, why);
}

/* --- twin */

static struct ct_entry request_of_pair(void)
{
	return entry(CLIENT, 4000, FAR, 53);
}

static struct ct_entry answer_of_pair(void)
{
	return entry(NEAR, 53, CLIENT, 4000);
}

static size_t classify_pair(struct host *host, const struct ct_entry *request,
			    const struct ct_entry *answer)
{
	size_t i, twins = 0;

	host->table.count = 0;
	add(host, request);
	add(host, answer);
	classify(host);
	for (i = 0; i < host->audit.count; i++)
		twins += host->audit.finding[i].reason == AUDIT_TWIN;
	return twins;
}

static void test_twin(void **state)
{
	struct host *host = *state;
	struct ct_entry request = request_of_pair(), answer = answer_of_pair();

	add_socket(&host->inet, "0.0.0.0", 53, NULL, 0);
	assert_int_equal(classify_pair(host, &request, &answer), 2);
	assert_int_equal(host->audit.count, 2);
	assert_int_equal(host->audit.finding[0].twin, host->audit.finding[1].entry);
	assert_int_equal(host->audit.finding[1].twin, host->audit.finding[0].entry);
	assert_why(
		host, 0,
		"requested 172.16.13.13:53, reply source 172.17.0.1: the reply does not match the request");
	assert_why(host, 1, "the answer to a request to 172.16.13.13:53, sent from 172.17.0.1");
}

static void test_twin_one_fact_missing(void **state)
{
	struct host *host = *state;
	struct ct_entry request, answer;

	add_socket(&host->inet, "0.0.0.0", 53, NULL, 0);

	request = request_of_pair(), answer = answer_of_pair();
	request.status = REPLIED;
	assert_int_equal(classify_pair(host, &request, &answer), 0);

	request = request_of_pair(), answer = answer_of_pair();
	answer.status = REPLIED;
	assert_int_equal(classify_pair(host, &request, &answer), 0);

	request = request_of_pair(), answer = entry("172.17.0.9", 53, CLIENT, 4000);
	assert_int_equal(classify_pair(host, &request, &answer), 0);

	request = entry(CLIENT, 4000, "192.0.2.1", 53), answer = answer_of_pair();
	assert_int_equal(classify_pair(host, &request, &answer), 0);

	request = request_of_pair(), answer = entry(NEAR, 53, CLIENT, 4001);
	assert_int_equal(classify_pair(host, &request, &answer), 0);

	request = request_of_pair(), answer = entry(NEAR, 54, CLIENT, 4000);
	assert_int_equal(classify_pair(host, &request, &answer), 0);

	request = request_of_pair(), answer = answer_of_pair();
	answer.original_zone = 7;
	assert_int_equal(classify_pair(host, &request, &answer), 0);
	request.reply_zone = 7;
	assert_int_equal(classify_pair(host, &request, &answer), 2);

	request = request_of_pair(), answer = answer_of_pair();
	answer.status |= IPS_OFFLOAD;
	assert_int_equal(classify_pair(host, &request, &answer), 0);
}

/* For a request with DNAT, the answer is compared with the translated address. */
static void test_twin_behind_dnat(void **state)
{
	struct host *host = *state;
	struct ct_entry request = entry(CLIENT, 4000, "10.1.1.1", 5353);
	struct ct_entry answer = answer_of_pair();

	add_socket(&host->inet, "0.0.0.0", 53, NULL, 0);
	request.reply = tuple(FAR, 53, CLIENT, 4000);
	assert_int_equal(classify_pair(host, &request, &answer), 2);
}

/* A STUN server answers from its second address on request. */
static void test_twin_of_bound_sockets(void **state)
{
	struct host *host = *state;
	struct ct_entry request = request_of_pair(), answer = answer_of_pair();

	add_socket(&host->inet, NEAR, 53, NULL, 0);
	add_socket(&host->inet, FAR, 53, NULL, 0);
	assert_int_equal(classify_pair(host, &request, &answer), 0);
}

/* nc -ul: the socket, first bound to the wildcard address, has connected to the client. */
static void test_twin_of_connected_back(void **state)
{
	struct host *host = *state;
	struct ct_entry request = request_of_pair(), answer = answer_of_pair();

	add_socket(&host->inet, NEAR, 53, CLIENT, 4000);
	assert_int_equal(classify_pair(host, &request, &answer), 2);
}

/* Requests to two addresses from one port: each answer could match either entry. */
static void test_twin_of_two_requests(void **state)
{
	struct host *host = *state;
	struct ct_entry request = request_of_pair(), other = entry(CLIENT, 4000, "10.96.32.1", 53);
	struct ct_entry answer = answer_of_pair();

	add_socket(&host->inet, "::", 53, NULL, 0);
	add(host, &request);
	add(host, &other);
	add(host, &answer);
	assert_int_equal(classify(host), 3);
}

/* Compares the search with a brute-force comparison of all pairs. */
static void test_twin_by_force(void **state)
{
	static const char *const addrs[] = { NEAR, FAR, CLIENT, "172.17.0.4" };
	struct host *host = *state;
	size_t i, j, round, wanted, found;

	srand(1);
	add_socket(&host->inet, "0.0.0.0", 1, NULL, 0);
	add_socket(&host->inet, "0.0.0.0", 2, NULL, 0);
	for (round = 0; round < 200; round++) {
		host->table.count = 0;
		for (i = 0; i < 30; i++) {
			struct ct_entry e = entry(addrs[rand() % 4], 1 + rand() % 2,
						  addrs[rand() % 4], 1 + rand() % 2);

			e.status |= rand() % 4 ? 0 : IPS_SEEN_REPLY;
			add(host, &e);
		}
		classify(host);
		for (found = 0, i = 0; i < host->audit.count; i++)
			found += host->audit.finding[i].reason == AUDIT_TWIN;
		for (wanted = 0, i = 0; i < host->table.count; i++) {
			const struct ct_entry *a = &host->table.entry[i];
			bool twin = false;

			for (j = 0; j < host->table.count; j++) {
				const struct ct_entry *b = &host->table.entry[j];
				const struct in6_addr *x = &a->original.dst, *y = &b->original.src;

				/* either may be the request */
				if (a->status & IPS_SEEN_REPLY || b->status & IPS_SEEN_REPLY)
					continue;
				twin |= inet_is_local(&host->inet, x) &&
					inet_is_local(&host->inet, y) && memcmp(x, y, 16) &&
					!memcmp(&a->original.src, &b->original.dst, 16) &&
					a->original.src_port_be == b->original.dst_port_be &&
					a->original.dst_port_be == b->original.src_port_be;
				x = &b->original.dst, y = &a->original.src;
				twin |= inet_is_local(&host->inet, x) &&
					inet_is_local(&host->inet, y) && memcmp(x, y, 16) &&
					!memcmp(&b->original.src, &a->original.dst, 16) &&
					b->original.src_port_be == a->original.dst_port_be &&
					b->original.dst_port_be == a->original.src_port_be;
			}
			wanted += twin;
		}
		assert_int_equal(found, wanted);
	}
}

/* --- socket-gone */

static void test_responder_gone(void **state)
{
	struct host *host = *state;
	struct ct_entry e = entry(CLIENT, 4000, FAR, 53);

	assert_found(host, &e, AUDIT_SOCKET_GONE,
		     "no socket of this host receives on 172.16.13.13:53");
	e.status = REPLIED;
	assert_found(host, &e, AUDIT_SOCKET_GONE,
		     "no socket of this host receives on 172.16.13.13:53");
	e.used = true;
	assert_int_equal(classify_one(host, &e), 1);
	e.answered = true;
	assert_int_equal(classify_one(host, &e), 0);
	e = entry("fd17::3", 4000, "fd17::1", 53);
	assert_found(host, &e, AUDIT_SOCKET_GONE,
		     "no socket of this host receives on [fd17::1]:53");
}

static void assert_receives(struct host *host, const struct ct_entry *e, bool receives)
{
	assert_int_equal(classify_one(host, e), receives ? 0 : 1);
	host->inet.sockets = 0;
}

static void test_responders(void **state)
{
	struct host *host = *state;
	struct ct_entry ip4 = entry(CLIENT, 4000, FAR, 53);
	struct ct_entry ip6 = entry("fd17::3", 4000, "fd17::1", 53);

	add_socket(&host->inet, "0.0.0.0", 53, NULL, 0);
	assert_receives(host, &ip4, true);
	add_socket(&host->inet, "0.0.0.0", 53, NULL, 0);
	assert_receives(host, &ip6, false);
	add_socket(&host->inet, "0.0.0.0", 54, NULL, 0);
	assert_receives(host, &ip4, false);
	add_socket(&host->inet, FAR, 53, NULL, 0);
	assert_receives(host, &ip4, true);
	add_socket(&host->inet, NEAR, 53, NULL, 0);
	assert_receives(host, &ip4, false);
	add_socket(&host->inet, FAR, 53, CLIENT, 4000);
	assert_receives(host, &ip4, true);
	add_socket(&host->inet, FAR, 53, CLIENT, 4001);
	assert_receives(host, &ip4, false);
	add_socket(&host->inet, "::", 53, NULL, 0);
	assert_receives(host, &ip4, true);
	add_socket(&host->inet, "::", 53, NULL, 0);
	assert_receives(host, &ip6, true);
	add_socket(&host->inet, "::", 53, NULL, 0);
	host->inet.socket[0].v6only = true;
	assert_receives(host, &ip4, false);
	add_socket(&host->inet, "::", 53, NULL, 0);
	add_socket(&host->inet, "::", 53, NULL, 0);
	host->inet.socket[0].v6only = true;
	assert_receives(host, &ip4, true);
}

/* Returns an entry of a local client whose socket was closed. */
static void test_originator_gone(void **state)
{
	struct host *host = *state;
	struct ct_entry e = entry(NEAR, 4000, "192.0.2.1", 53);

	e.status = REPLIED;
	e.watched = true;
	assert_found(host, &e, AUDIT_SOCKET_GONE,
		     "no socket of this host sends from 172.17.0.1:4000 any more");
	e.watched = false;
	assert_int_equal(classify_one(host, &e), 0);
	e.watched = true;
	e.used = true; /* sent by a raw socket or a tunnel */
	assert_int_equal(classify_one(host, &e), 0);
	e.used = false;
	add_socket(&host->inet, "0.0.0.0", 4000, NULL, 0);
	assert_receives(host, &e, true);
	add_socket(&host->inet, NEAR, 4000, "192.0.2.1", 53);
	assert_receives(host, &e, true);
	add_socket(&host->inet, NEAR, 4000, "192.0.2.2", 53);
	assert_receives(host, &e, false);
}

/* VXLAN sends from any port to the port of a kernel socket. */
static void test_kernel_tunnel(void **state)
{
	struct host *host = *state;
	struct ct_entry e = entry(NEAR, 50123, "192.0.2.1", 4789);

	e.watched = true;
	add_socket(&host->inet, "0.0.0.0", 4789, NULL, 0);
	assert_int_equal(classify_one(host, &e), 1);
	host->inet.socket[0].pid = 0;
	assert_int_equal(classify_one(host, &e), 0);
	host->inet.socket[0].local = in6addr_any;
	assert_int_equal(classify_one(host, &e), 0);

	/* the reverse direction is a separate entry, so neither entry ever has a reply */
	e.used = true;
	assert_int_equal(classify_one(host, &e), 0);
	e = entry("192.0.2.1", 50124, NEAR, 4789);
	e.used = true;
	assert_int_equal(classify_one(host, &e), 0);
	host->inet.socket[0].pid = 100;
	assert_int_equal(classify_one(host, &e), 1);
}

static void test_forwarded(void **state)
{
	struct host *host = *state;
	struct ct_entry e = entry(CLIENT, 4000, "192.0.2.1", 53);

	e.watched = true;
	assert_int_equal(classify_one(host, &e), 0);
	e.reply.dst = addr(FAR); /* masqueraded, so the local address has no socket */
	assert_int_equal(classify_one(host, &e), 0);
}

/* --- local addresses */

static void test_local_networks(void **state)
{
	struct host *host = *state;
	struct ct_entry e = entry(CLIENT, 4000, "10.96.63.255", 53);

	assert_int_equal(classify_one(host, &e), 1);
	e = entry(CLIENT, 4000, "10.96.64.0", 53);
	assert_int_equal(classify_one(host, &e), 0);
	e = entry(CLIENT, 4000, "10.96.31.255", 53);
	assert_int_equal(classify_one(host, &e), 0);
	e = entry("127.0.0.1", 4000, "127.255.0.9", 53);
	assert_int_equal(classify_one(host, &e), 1);
	e = entry(CLIENT, 68, "172.17.255.255", 67);
	assert_int_equal(classify_one(host, &e), 0);
}

/* --- backend-gone */

static struct ct_entry translated(const char *backend, int port)
{
	struct ct_entry e = entry(CLIENT, 4000, "10.1.1.1", 53);

	e.reply = tuple(backend, port, CLIENT, 4000);
	e.status = REPLIED;
	return e;
}

static void test_local_backend(void **state)
{
	struct host *host = *state;
	struct ct_entry e = translated(FAR, 5353);

	assert_found(host, &e, AUDIT_BACKEND_GONE,
		     "no socket of this host receives on 172.16.13.13:5353");
	add_socket(&host->inet, "0.0.0.0", 5353, NULL, 0);
	assert_int_equal(classify_one(host, &e), 0);
}

static void test_far_backend(void **state)
{
	struct host *host = *state;
	struct ct_entry e = translated("172.17.0.9", 53);
	struct inet_host backend = { .addr = addr("172.17.0.9"), .reach = INET_REACH_NO_ROUTE };
	struct in6_addr *addresses = NULL;
	size_t count = 0;

	assert_int_equal(classify_one(host, &e), 0);
	assert_int_equal(audit_backends(&host->table, &host->inet, &addresses, &count), 0);
	assert_int_equal(count, 1);
	assert_memory_equal(addresses, &backend.addr, sizeof(*addresses));
	free(addresses);

	assert_int_equal(inet_add_host(&host->inet, &backend), 0);
	assert_found(host, &e, AUDIT_BACKEND_GONE,
		     "forwarded to 172.17.0.9, but there is no route to it");
	host->inet.host[0].reach = INET_REACH_NO_NEIGHBOUR;
	assert_found(host, &e, AUDIT_BACKEND_GONE,
		     "forwarded to 172.17.0.9, which does not answer ARP or NDP");
	host->inet.host[0].reach = INET_REACH_OPEN;
	assert_int_equal(classify_one(host, &e), 0);
	/* without NAT, deleting the entry fixes nothing: the client itself chose the host */
	host->inet.host[0].reach = INET_REACH_NO_ROUTE;
	e = entry(CLIENT, 4000, "172.17.0.9", 53);
	assert_int_equal(classify_one(host, &e), 0);
}

/* A pending neighbour may still answer, unless it did not answer before. */
static void test_slow_neighbours(void **state)
{
	const struct inet_neighbour failed = { addr("172.17.0.7"), 2, true };
	const struct inet_neighbour slow = { addr("172.17.0.8"), 2, false };
	const struct inet_neighbour silent = { addr("172.17.0.9"), 2, false };
	struct inet earlier = { .local = NULL }, later = { .local = NULL };

	inet_add_neighbour(&earlier, &silent);
	inet_sort(&earlier);
	inet_add_neighbour(&later, &failed);
	inet_add_neighbour(&later, &slow);
	inet_add_neighbour(&later, &silent);
	inet_sort(&later);
	inet_drop_slow(&later, &earlier);
	assert_true(inet_has_neighbour(&later, &failed.addr, 2));
	assert_false(inet_has_neighbour(&later, &failed.addr, 3));
	assert_false(inet_has_neighbour(&later, &slow.addr, 2));
	assert_true(inet_has_neighbour(&later, &silent.addr, 2));
	inet_drop_slow(&later, NULL);
	assert_true(inet_has_neighbour(&later, &failed.addr, 2));
	assert_false(inet_has_neighbour(&later, &silent.addr, 2));
	inet_free(&earlier);
	inet_free(&later);
}

/* --- unanswered */

static void test_unanswered(void **state)
{
	struct host *host = *state;
	struct ct_entry e = entry(CLIENT, 4000, "192.0.2.1", 514);

	assert_int_equal(classify_one(host, &e), 0);
	e.used = true;
	assert_found(host, &e, AUDIT_UNANSWERED,
		     "no reply was ever seen, but datagrams keep it alive");
	e.status |= IPS_OFFLOAD;
	assert_int_equal(classify_one(host, &e), 0);
	e.status = REPLIED;
	assert_int_equal(classify_one(host, &e), 0);
}

/* A backend on another host has replied before; only counters show that it no longer replies. */
static void test_backend_silent(void **state)
{
	struct host *host = *state;
	struct ct_entry e = entry(CLIENT, 4000, "192.0.2.1", 53), local;
	struct audit audit = { .finding = NULL };
	struct ct_table table = { .entry = NULL };

	e.reply = tuple("198.51.100.9", 53, CLIENT, 4000);
	e.status = REPLIED | IPS_ASSURED;
	e.used = e.counted = true;
	assert_found(host, &e, AUDIT_BACKEND_SILENT,
		     "forwarded to 198.51.100.9, which did not reply while watched");
	e.answered = true;
	assert_int_equal(classify_one(host, &e), 0);
	e.answered = e.used = false;
	assert_int_equal(classify_one(host, &e), 0);
	e.used = true;
	/* a backend that has never replied may never reply by design, such as a log server */
	e.status = IPS_CONFIRMED;
	assert_found(host, &e, AUDIT_UNANSWERED,
		     "no reply was ever seen, but datagrams keep it alive");
	e.status = REPLIED | IPS_ASSURED;
	e.counted = false;
	assert_int_equal(classify_one(host, &e), 0);
	conntrack_add(&table, &e);
	assert_int_equal(audit_classify(&table, &host->inet, &audit), 0);
	assert_int_equal(audit.uncounted, 1);
	audit_free(&audit);
	conntrack_free(&table);
	/* without DNAT, a new entry would lead to the same backend */
	local = entry(CLIENT, 4000, "198.51.100.9", 53);
	local.status = REPLIED;
	local.used = local.counted = true;
	assert_int_equal(classify_one(host, &local), 0);
}

static void test_groups_do_not_answer(void **state)
{
	static const char *const groups[] = { "224.0.0.251", "255.255.255.255", "172.17.255.255",
					      "ff02::fb" };
	struct host *host = *state;
	size_t i;

	for (i = 0; i < sizeof(groups) / sizeof(*groups); i++) {
		bool ip6 = strchr(groups[i], ':');
		struct ct_entry e = entry(ip6 ? "fd17::3" : CLIENT, 5353, groups[i], 5353);

		e.used = true;
		assert_int_equal(classify_one(host, &e), 0);
	}
}

/* --- two readings */

/* Compares two readings of one entry, taken at 10 to 11 s and at 20 to 21 s. */
static struct ct_entry compared(const struct ct_entry *before, const struct ct_entry *after)
{
	struct ct_table earlier = { .begin_ms = 10000, .end_ms = 11000 };
	struct ct_table later = { .begin_ms = 20000, .end_ms = 21000 };
	struct ct_entry result;

	conntrack_add(&earlier, before);
	conntrack_add(&later, after);
	conntrack_sort(&earlier);
	conntrack_sort(&later);
	audit_compare(&earlier, &later);
	result = later.entry[0];
	conntrack_free(&earlier);
	conntrack_free(&later);
	return result;
}

static void test_compare_timeouts(void **state)
{
	struct ct_entry before = entry(CLIENT, 4000, FAR, 53), after = before;

	before.timeout_s = 30;
	after.timeout_s = 20; /* the exact value without traffic */
	assert_true(compared(&before, &after).watched);
	assert_false(compared(&before, &after).used);
	after.timeout_s = 22; /* 11 + 30 + 1 = 42 = 20 + 22: rounding explains it */
	assert_false(compared(&before, &after).used);
	after.timeout_s = 23;
	assert_true(compared(&before, &after).used);
	assert_false(compared(&before, &after).answered);
	after.id = 2; /* a different entry with the same tuple */
	assert_false(compared(&before, &after).watched);
	assert_false(compared(&before, &after).used);
}

static void test_compare_counters(void **state)
{
	struct ct_entry before = entry(CLIENT, 4000, FAR, 53), after = before;

	before.counted = after.counted = true;
	after.timeout_s = 30;
	assert_false(compared(&before, &after).used);
	after.original_count.packets = 1;
	assert_true(compared(&before, &after).used);
	assert_false(compared(&before, &after).answered);
	after.original_count.packets = 0;
	after.reply_count.packets = 1;
	assert_true(compared(&before, &after).used);
	assert_true(compared(&before, &after).answered);
}

/* --- the table */

static void test_table(void **state)
{
	struct ct_table table = { .entry = NULL };
	struct ct_entry a = entry(CLIENT, 4000, FAR, 53), b = a, c = a;

	b.original_zone = 5;
	c.original.src_port_be = htons(4001);
	conntrack_add(&table, &c);
	conntrack_add(&table, &a);
	conntrack_add(&table, &b);
	conntrack_add(&table, &a); /* the entry appears twice in the dump */
	conntrack_sort(&table);
	assert_int_equal(table.count, 3);
	assert_true(conntrack_same(conntrack_find(&table, &a), &a));
	assert_int_equal(conntrack_find(&table, &b)->original_zone, 5);
	b.original_zone = 6;
	assert_null(conntrack_find(&table, &b));
	c = a;
	c.reply.src_port_be = 0;
	assert_false(conntrack_same(&a, &c));
	assert_true(conntrack_is_dnat(&c));
	assert_false(conntrack_is_snat(&c));
	conntrack_free(&table);
	conntrack_sort(&table);
	assert_null(conntrack_find(&table, &a));
}

static void test_refusals(void **state)
{
	struct err err;

	assert_int_equal(conntrack_refused(-EPERM, &err), -EPERM);
	assert_int_equal(err.code, EXIT_PERMISSION);
	assert_non_null(strstr(err.what, "CAP_NET_ADMIN"));
	assert_int_equal(conntrack_refused(-EPROTONOSUPPORT, &err), -EPROTONOSUPPORT);
	assert_int_equal(err.code, EXIT_LACKING);
	assert_non_null(strstr(err.what, "nf_conntrack_netlink"));
	assert_int_equal(conntrack_refused(-EINVAL, &err), -EINVAL); /* from nfnetlink */
	assert_int_equal(err.code, EXIT_LACKING);
	assert_int_equal(conntrack_refused(-EAGAIN, &err), -EAGAIN);
	assert_int_equal(err.code, EXIT_ERROR);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_twin),
		TEST(test_twin_one_fact_missing),
		TEST(test_twin_behind_dnat),
		TEST(test_twin_of_bound_sockets),
		TEST(test_twin_of_connected_back),
		TEST(test_twin_of_two_requests),
		TEST(test_twin_by_force),
		TEST(test_responder_gone),
		TEST(test_responders),
		TEST(test_originator_gone),
		TEST(test_kernel_tunnel),
		TEST(test_forwarded),
		TEST(test_local_networks),
		TEST(test_local_backend),
		TEST(test_far_backend),
		TEST(test_slow_neighbours),
		TEST(test_unanswered),
		TEST(test_backend_silent),
		TEST(test_groups_do_not_answer),
		TEST(test_compare_timeouts),
		TEST(test_compare_counters),
		TEST(test_table),
		TEST(test_refusals),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
