// SPDX-License-Identifier: GPL-2.0-or-later
/* The table of the wire programs when full, and their cost under forged requests. */
#include "wire_lab.h"

#include <poll.h>
#include <sluice/walks.h>
#include <time.h>

/* Sends @count requests from different forged sources, all through the interface `far`. */
static void flood(int count)
{
	unsigned int ifindex = if_nametoindex("far");
	struct shape request = request4(4000, WILDCARD);
	char source[INET_ADDRSTRLEN];
	struct frame in, out;
	int i;

	request.source = source;
	for (i = 0; i < count; i++) {
		snprintf(source, sizeof(source), "100.%d.%d.%d", 64 + i / 65536, i / 256 % 256,
			 i % 256);
		build_frame(&request, &in);
		assert_int_equal(run_frame_on(ifindex, host.in, &in, 0, &out), 0);
	}
}

#define PROVEN	  300
#define HALF_OPEN 100

/* Forged requests evict no proven records, and no half-open records of another interface. */
static void test_flood(void **state)
{
	struct shape proven[PROVEN], reply, fixed, half[HALF_OPEN];
	struct sluice_wire_set set;
	uint64_t evicted = counter(&host, SLUICE_WIRE_evicted);
	int i, found = 0;
	uint32_t index;

	for (i = 0; i < PROVEN; i++) {
		proven[i] = request4(next_port(), BACK);
		converse(&host, &proven[i]);
	}
	for (i = 0; i < HALF_OPEN; i++) {
		half[i] = request4(next_port(), WILDCARD);
		pass(&host, host.in, &half[i], &half[i], SLUICE_WIRE_half_open);
	}
	flood(200000);
	for (i = 0; i < PROVEN; i++) {
		reply = answer(&proven[i], NEAR4);
		fixed = answer(&proven[i], proven[i].target);
		pass(&host, host.out, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
	}
	assert_int_equal(counter(&host, SLUICE_WIRE_evicted), evicted);
	assert_true(counter(&host, SLUICE_WIRE_evicted_half_open) > 100000);
	for (i = 0; i < HALF_OPEN; i++)
		found += flow_find(&host, &half[i], &set, &index) >= 0;
	assert_int_equal(found, HALF_OPEN);
}

/* Returns the set of a request's record. */
static uint32_t set_of(const struct shape *request)
{
	struct sluice_addr peer = { .word_be = { 0, 0, htonl(0xffff) } };

	addr_put(request->source, peer.byte + 12);
	return sluice_flow_set_index(sluice_wire_hash(SEED, &peer, htons(request->source_port),
						      htons(request->target_port), near_index),
				     SETS);
}

/* Proven records leave two slots of their set for others, and evict the oldest proven record. */
static void test_proven_ways(void **state)
{
	struct shape request = request4(next_port(), BACK), other = request4(next_port(), WILDCARD);
	uint64_t evicted = counter(&host, SLUICE_WIRE_evicted);
	uint32_t index, wanted = set_of(&request);
	struct sluice_wire_set set;
	int i;

	for (i = 0; i < SLUICE_FLOW_WAYS; i++) {
		while (set_of(&request) != wanted)
			request.source_port++;
		converse(&host, &request);
		request.source_port++;
	}
	assert_true(counter(&host, SLUICE_WIRE_evicted) >=
		    evicted + SLUICE_FLOW_WAYS - SLUICE_WIRE_PROVEN_WAYS);
	/* a half-open record gets a slot, and keeps it */
	while (set_of(&other) != wanted)
		other.source_port++;
	pass(&host, host.in, &other, &other, SLUICE_WIRE_half_open);
	assert_true(flow_find(&host, &other, &set, &index) >= 0);
	assert_int_equal(index, wanted);
	assert_true(__builtin_popcount(set.proven) <= SLUICE_WIRE_PROVEN_WAYS);
	pass(&host, host.in, &other, &other, SLUICE_WIRE_request_passed);
}

static uint64_t now_ns(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return (uint64_t)time.tv_sec * 1000000000ULL + (uint64_t)time.tv_nsec;
}

#define PAIRS 3000

/*
 * The number of searches is limited: here many peers send two requests each, which no socket
 * receives.
 */
static void test_search_limit(void **state)
{
	uint64_t searches = counter(&host, SLUICE_WIRE_address_search), begin = now_ns(), allowed;
	uint64_t skipped = counter(&host, SLUICE_WIRE_request_not_looked_up);
	uint64_t window_ns = (uint64_t)SLUICE_WALK_WINDOW << SLUICE_FLOW_CLOCK_SHIFT;
	struct shape request, inside;
	struct frame in, out, wanted;
	int i, twice;

	for (i = 0; i < PAIRS; i++) {
		request = request4(next_port(), NOBODY);
		build_frame(&request, &in);
		for (twice = 0; twice < 2; twice++)
			assert_int_equal(run_frame(host.in, &in, 0, &out), 0);
	}
	allowed = ((now_ns() - begin) / window_ns + 2) * SLUICE_WALKS *
		  (uint64_t)libbpf_num_possible_cpus();
	searches = counter(&host, SLUICE_WIRE_address_search) - searches;
	skipped = counter(&host, SLUICE_WIRE_request_not_looked_up) - skipped;
	assert_in_range(searches, 1, allowed);
	assert_int_equal(searches + skipped, PAIRS);
	/* shortly afterwards, searches are allowed again */
	request = request4(next_port(), BACK);
	pass(&host, host.in, &request, &request, SLUICE_WIRE_half_open);
	connect_back(&request);
	poll(NULL, 0, (int)(2 * window_ns / 1000000));
	inside = to_target(request, NEAR4);
	build_frame(&request, &in);
	build_frame(&inside, &wanted);
	assert_int_equal(run_frame(host.in, &in, 0, &out), 0);
	assert_frame(&out, &wanted);
}

static int setup(void **state)
{
	return wire_lab_up() || wire_lab_load(&host, SLUICE_WIRE_HOST);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_proven_ways),
		cmocka_unit_test(test_search_limit),
	};

	return cmocka_run_group_tests(tests, setup, wire_lab_down);
}
