// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The steering program on real sockets of one reuseport group: which socket it selects, which flows
 * it stores, and which counter each path increments. (The kernel cannot test-run this program
 * type.)
 *
 * Each test runs twice: with the program that uses helpers, and with the program for newer kernels.
 *
 * The test fills the maps without the loader, so that it can set up any state.
 *
 *	peers 192.0.2.1:* ── lo ── group of WORKERS sockets on port 5300
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steer_lab.h"

#include <bpf/bpf.h>
#include <poll.h>
#include <sluice/counters.h>

#define PORT	  5300
#define WORKERS	  4
#define PEERS	  32
#define NO_WORKER (-1)
#define IDLE	  sluice_flow_clock(120000000000ULL)
#define AGE	  ((IDLE + 512ULL) & SLUICE_STEER_SEEN_MASK)

static struct steer_bpf *skel;
static bool by_helpers; /* selects the program variant */
static int workers[WORKERS + 1];
static int worker_count;
static int peers[PEERS];
static int client = -1;
static struct sluice_steer_counters seen;

static struct sluice_steer_keys keys;

struct settings {
	enum sluice_steer_policy policy; /* policy; 0: flow */
	__u32 sets;			 /* number of sets; 0: enough that none is full */
	bool no_time;			 /* the clock of the table stays at 0 */
};

/* --- maps */

static void map_write(struct bpf_map *map, __u32 key, const void *value)
{
	assert_return_code(bpf_map_update_elem(bpf_map__fd(map), &key, value, BPF_ANY), errno);
}

static void map_read(struct bpf_map *map, __u32 key, void *value)
{
	assert_return_code(bpf_map_lookup_elem(bpf_map__fd(map), &key, value), errno);
}

static struct sluice_steer_slot slot_read(__u32 index)
{
	struct sluice_steer_slot slot;

	map_read(skel->maps.sluice_slots, index, &slot);
	return slot;
}

static void slot_write(__u32 index, struct sluice_steer_slot slot)
{
	map_write(skel->maps.sluice_slots, index, &slot);
}

/* Makes the program select these slots for new flows. */
static void choose(int count, const __u16 *slots)
{
	struct sluice_steer_choice choice = { .count = (__u32)count };
	__u32 zero = 0;

	if (count)
		memcpy(choice.slot, slots, (size_t)count * sizeof(*slots));
	map_write(skel->maps.sluice_choices, 0, &choice);
	map_write(skel->maps.sluice_current, 0, &zero);
}

static void choose_first(int count)
{
	static const __u16 all[] = { 0, 1, 2, 3, 4 };

	choose(count, all);
}

static void count_all(struct sluice_steer_counters *sum)
{
	int cpus = libbpf_num_possible_cpus(), cpu, i;
	struct sluice_steer_counters *each = calloc((size_t)cpus, sizeof(*each));
	__u32 zero = 0;

	assert_non_null(each);
	assert_return_code(
		bpf_map_lookup_elem(bpf_map__fd(skel->maps.sluice_counters), &zero, each), errno);
	memset(sum, 0, sizeof(*sum));
	for (cpu = 0; cpu < cpus; cpu++)
		for (i = 0; i < SLUICE_STEER_COUNTERS_MAX; i++)
			sum->value[i] += each[cpu].value[i];
	free(each);
}

/* Checks the exact counter changes since the last call: (counter, count)*, -1. */
static void assert_counted(int counter, ...)
{
	__u64 wanted[SLUICE_STEER_COUNTERS_MAX] = { 0 };
	struct sluice_steer_counters now;
	va_list rest;
	int i;

	va_start(rest, counter);
	for (; counter >= 0; counter = va_arg(rest, int))
		wanted[counter] = (__u64)va_arg(rest, int);
	va_end(rest);
	count_all(&now);
	for (i = 0; i < SLUICE_STEER_COUNTERS_MAX; i++)
		if (now.value[i] - seen.value[i] != wanted[i])
			fail_msg("counter %d: %llu, wanted %llu", i, now.value[i] - seen.value[i],
				 wanted[i]);
	seen = now;
}

/* --- sockets */

static int worker_open(const char *addr)
{
	const struct timeval wait = { .tv_sec = LAB_WAIT_S };
	struct lab_end end = lab_end(addr, PORT);
	int fd = socket(end.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_return_code(fd, errno);
	assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), errno);
	lab_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	assert_return_code(bind(fd, &end.any, end.size), errno);
	return fd;
}

/* Adds a worker in the next slot, which no flow selects yet. */
static void worker_add(const char *addr)
{
	int fd = worker_open(addr);
	__u64 value = (__u64)fd;

	slot_write((__u32)worker_count,
		   (struct sluice_steer_slot){ .cookie = lab_cookie(fd),
					       .sock = steer_lab_address(lab_cookie(fd)),
					       .incarnation = 1,
					       .generation = 1,
					       .state = SLUICE_STEER_ACTIVE });
	map_write(skel->maps.sluice_sockets, (__u32)worker_count, &value);
	workers[worker_count++] = fd;
}

static void worker_close(int worker)
{
	close(workers[worker]);
	workers[worker] = -1;
}

static struct bpf_program *program(void)
{
	return steer_lab_program(skel, by_helpers);
}

static void load_only(const struct settings *settings)
{
	skel = steer_lab_open(by_helpers, &keys);
	skel->rodata->sets = settings->sets ? settings->sets : 512;
	if (settings->no_time)
		skel->rodata->tick_ns = 0;
	skel->rodata->idle_limit = IDLE;
	skel->rodata->policy = settings->policy ? settings->policy : SLUICE_STEER_FLOW;
	bpf_map__set_max_entries(skel->maps.sluice_table, skel->rodata->sets);
	assert_int_equal(steer_bpf__load(skel), 0);
	seen = (struct sluice_steer_counters){ 0 };
}

static void attach(void)
{
	int prog = bpf_program__fd(program());

	lab_option(workers[0], SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, prog);
}

static void load_at(const struct settings *settings, const char *addr)
{
	load_only(settings);
	while (worker_count < WORKERS)
		worker_add(addr);
	choose_first(WORKERS);
	attach();
}

static void load(const struct settings *settings)
{
	load_at(settings, "0.0.0.0");
}

/* Ages all flows by this many units of sluice_flow_clock(). */
static void flows_age_by(__u64 age)
{
	struct sluice_steer_set set;
	__u32 index, way;

	for (index = 0; index < skel->rodata->sets; index++) {
		map_read(skel->maps.sluice_table, index, &set);
		for (way = 0; way < SLUICE_STEER_WAYS; way++)
			set.line[way / 4].owner[way % 4] -= age << 32;
		map_write(skel->maps.sluice_table, index, &set);
	}
}

/* Ages all flows beyond the idle time. */
static void flows_age(void)
{
	flows_age_by(AGE);
}

static int peer_open(void)
{
	int i;

	for (i = 0; peers[i] >= 0; i++)
		;
	peers[i] = lab_socket(NEAR4, 0);
	return peers[i];
}

/* Returns the worker that has received a datagram, or NO_WORKER if none has. */
static int worker_received(void)
{
	struct pollfd waiting[WORKERS + 1];
	char byte;
	int i;

	/* poll(2) ignores closed sockets, which are negative */
	for (i = 0; i < worker_count; i++)
		waiting[i] = (struct pollfd){ .fd = workers[i], .events = POLLIN };
	assert_return_code(poll(waiting, (nfds_t)worker_count, LAB_WAIT_S * 1000), errno);
	for (i = 0; i < worker_count; i++)
		if (waiting[i].revents & POLLIN && recv(workers[i], &byte, 1, MSG_DONTWAIT) >= 0)
			return i;
	return NO_WORKER;
}

/* Sends a datagram from the peer and returns the worker that receives it. */
static int worker_for(int peer, const char *addr)
{
	lab_request(peer, addr, PORT);
	return worker_received();
}

static int start(void **state)
{
	size_t i;

	lab_net();
	worker_count = 0;
	for (i = 0; i < WORKERS + 1; i++)
		workers[i] = -1;
	for (i = 0; i < PEERS; i++)
		peers[i] = -1;
	client = lab_socket(NEAR4, 0);
	return 0;
}

static int end(void **state)
{
	size_t i;

	for (i = 0; i < WORKERS + 1; i++)
		if (workers[i] >= 0)
			close(workers[i]);
	for (i = 0; i < PEERS; i++)
		if (peers[i] >= 0)
			close(peers[i]);
	close(client);
	steer_bpf__destroy(skel);
	skel = NULL;
	return 0;
}

/* --- selection */

/* The program's first selection equals the kernel's selection before the load. */
static void test_begins_as_the_kernel(void **state)
{
	int before[PEERS], i;

	load_only(&(struct settings){ 0 });
	while (worker_count < WORKERS)
		worker_add("0.0.0.0");
	choose_first(WORKERS);
	for (i = 0; i < PEERS; i++)
		before[i] = worker_for(peer_open(), FAR4);
	attach();
	for (i = 0; i < PEERS; i++)
		assert_int_equal(worker_for(peers[i], FAR4), before[i]);
	assert_counted(SLUICE_STEER_started, PEERS, -1);
}

/* Without the program, flows move; otherwise the test would prove nothing. */
static void test_stays_when_one_comes(void **state)
{
	int before[PEERS], i, kernel_moved = 0;

	while (worker_count < WORKERS)
		workers[worker_count++] = worker_open("0.0.0.0");
	for (i = 0; i < PEERS; i++)
		before[i] = worker_for(peer_open(), FAR4);
	workers[worker_count++] = worker_open("0.0.0.0");
	for (i = 0; i < PEERS; i++)
		kernel_moved += worker_for(peers[i], FAR4) != before[i];
	assert_true(kernel_moved > 0);
	for (i = 0; i < worker_count; i++)
		worker_close(i);
	worker_count = 0;

	load(&(struct settings){ 0 });
	for (i = 0; i < PEERS; i++)
		before[i] = worker_for(peers[i], FAR4);
	worker_add("0.0.0.0");
	choose_first(WORKERS + 1);
	for (i = 0; i < PEERS; i++)
		assert_int_equal(worker_for(peers[i], FAR4), before[i]);
	assert_counted(SLUICE_STEER_started, PEERS, SLUICE_STEER_known, PEERS, -1);
}

static void test_dead_workers_flows_move_alone(void **state)
{
	int before[PEERS], i, closed, dead = 0, after;

	load(&(struct settings){ 0 });
	for (i = 0; i < PEERS; i++)
		before[i] = worker_for(peer_open(), FAR4);
	closed = before[0];
	worker_close(closed);
	for (i = 0; i < PEERS; i++) {
		after = worker_for(peers[i], FAR4);
		assert_int_not_equal(after, NO_WORKER);
		if (before[i] == closed)
			dead++;
		else
			assert_int_equal(after, before[i]);
		before[i] = after;
	}
	assert_true(dead > 0);
	for (i = 0; i < PEERS; i++)
		assert_int_equal(worker_for(peers[i], FAR4), before[i]);
	{
		struct sluice_steer_counters now;

		count_all(&now);
		assert_int_equal(now.value[SLUICE_STEER_moved_gone], dead);
		assert_int_equal(now.value[SLUICE_STEER_started], PEERS);
		assert_int_equal(now.value[SLUICE_STEER_known], 2 * PEERS - dead);
		assert_int_equal(now.value[SLUICE_STEER_kernel_refused], 0);
	}
}

/* The key includes the local address: the same peer has another flow for another address. */
static void test_local_address_counts(void **state)
{
	static const __u16 second[] = { 1 };

	load(&(struct settings){ 0 });
	choose_first(1);
	assert_int_equal(worker_for(client, FAR4), 0);
	choose(1, second);
	assert_int_equal(worker_for(client, OTHER4), 1);
	assert_int_equal(worker_for(client, FAR4), 0);
	assert_counted(SLUICE_STEER_started, 2, SLUICE_STEER_known, 1, -1);
}

static void test_drained_slot(void **state)
{
	static const __u16 second[] = { 1 };
	struct sluice_steer_slot slot;

	load(&(struct settings){ 0 });
	choose_first(1);
	assert_int_equal(worker_for(client, FAR4), 0);
	choose(1, second);
	assert_int_equal(worker_for(client, FAR4), 0);
	slot = slot_read(0);
	slot.incarnation++;
	slot.state = SLUICE_STEER_DRAINED;
	slot_write(0, slot);
	assert_int_equal(worker_for(client, FAR4), 1);
	assert_int_equal(worker_for(client, FAR4), 1);
	assert_counted(SLUICE_STEER_started, 1, SLUICE_STEER_known, 2, SLUICE_STEER_moved_drained,
		       1, -1);
}

static void assert_stats(__u32 slot, struct sluice_steer_stats wanted)
{
	int cpus = libbpf_num_possible_cpus(), cpu;
	struct sluice_steer_stats *each = calloc((size_t)cpus, sizeof(*each)), sum = { 0 };

	assert_non_null(each);
	map_read(skel->maps.sluice_stats, slot, each);
	for (cpu = 0; cpu < cpus; cpu++) {
		sum.datagrams += each[cpu].datagrams;
		sum.bytes += each[cpu].bytes;
		sum.flows += each[cpu].flows;
		sum.moved += each[cpu].moved;
	}
	free(each);
	assert_memory_equal(&sum, &wanted, sizeof(sum));
}

static void test_statistics(void **state)
{
	static const __u16 second[] = { 1 };
	struct sluice_steer_slot slot;
	int i;

	load(&(struct settings){ 0 });
	choose_first(1);
	for (i = 0; i < 3; i++)
		assert_int_equal(worker_for(client, FAR4), 0);
	choose(1, second);
	slot = slot_read(0);
	slot.incarnation++;
	slot_write(0, slot);
	for (i = 0; i < 2; i++)
		assert_int_equal(worker_for(client, FAR4), 1);
	/* eight bytes each, and a UDP header */
	assert_stats(0, (struct sluice_steer_stats){ 3, 48, 1, 0 });
	assert_stats(1, (struct sluice_steer_stats){ 2, 32, 1, 1 });
}

/* A slot that was reassigned to another socket no longer belongs to the flow. */
static void test_slot_reassigned(void **state)
{
	struct sluice_steer_slot slot;

	load(&(struct settings){ 0 });
	choose_first(1);
	assert_int_equal(worker_for(client, FAR4), 0);
	slot = slot_read(0);
	slot.incarnation++;
	slot_write(0, slot);
	assert_int_equal(worker_for(client, FAR4), 0);
	assert_counted(SLUICE_STEER_started, 1, SLUICE_STEER_moved_gone, 1, -1);
}

static void test_retired_keeps_flows_until_idle(void **state)
{
	static const __u16 second[] = { 1 };
	struct sluice_steer_slot slot;

	load(&(struct settings){ 0 });
	choose_first(1);
	assert_int_equal(worker_for(client, FAR4), 0);
	slot = slot_read(0);
	slot.state = SLUICE_STEER_RETIRED;
	slot_write(0, slot);
	choose(1, second);
	assert_int_equal(worker_for(client, FAR4), 0);
	flows_age();
	assert_int_equal(worker_for(client, FAR4), 1);
	assert_counted(SLUICE_STEER_started, 1, SLUICE_STEER_known, 1, SLUICE_STEER_moved_idle, 1,
		       -1);
}

/* --- fallback to the kernel's selection */

static void test_no_worker_for_new_flows(void **state)
{
	load(&(struct settings){ 0 });
	choose(0, NULL);
	assert_int_not_equal(worker_for(client, FAR4), NO_WORKER);
	assert_counted(SLUICE_STEER_kernel_no_worker, 1, -1);
}

static void test_choice_of_closed_sockets(void **state)
{
	static const __u16 nobodys[] = { 77 };

	load(&(struct settings){ 0 });
	choose(1, nobodys);
	assert_int_not_equal(worker_for(client, FAR4), NO_WORKER);
	assert_counted(SLUICE_STEER_stale_slot, 4, SLUICE_STEER_kernel_refused, 1, -1);
}

static void test_closed_between_lookup_and_select(void **state)
{
	static const __u16 with_closed[] = { 1, 0 };
	int i;

	load(&(struct settings){ 0 });
	choose(2, with_closed);
	worker_close(1);
	for (i = 0; i < PEERS; i++)
		assert_int_equal(worker_for(peer_open(), FAR4), 0);
	{
		struct sluice_steer_counters now;

		count_all(&now);
		assert_int_equal(now.value[SLUICE_STEER_started], PEERS);
		assert_true(now.value[SLUICE_STEER_stale_slot] > 0);
		assert_int_equal(now.value[SLUICE_STEER_kernel_refused], 0);
	}
}

static void test_connected_socket_is_passed_by(void **state)
{
	static const __u16 pair[] = { 1, 0 };
	struct lab_end peer = lab_end(NEAR4, 9);
	int i;

	load(&(struct settings){ 0 });
	choose(2, pair);
	assert_return_code(connect(workers[1], &peer.any, peer.size), errno);
	for (i = 0; i < PEERS; i++)
		assert_int_equal(worker_for(peer_open(), FAR4), 0);
}

/*
 * Until Linux 6.13 a connected socket stays in the group, unless it was bound to the wildcard
 * address; the kernel never selects it for another peer. Later kernels remove it, so the test
 * creates that state by storing a connected socket in the slot.
 */
static void connect_to_another(__u32 worker)
{
	struct lab_end peer = lab_end(NEAR4, 9);
	struct sluice_steer_slot slot = slot_read(worker);
	int fd = peer_open();

	assert_return_code(connect(fd, &peer.any, peer.size), errno);
	slot.sock = steer_lab_address(lab_cookie(fd));
	slot_write(worker, slot);
}

static void test_connected_socket_loses_others_flows(void **state)
{
	load(&(struct settings){ 0 });
	choose_first(1);
	assert_int_equal(worker_for(client, FAR4), 0);
	connect_to_another(0);
	choose_first(2);
	assert_int_equal(worker_for(client, FAR4), 1);
	assert_int_equal(worker_for(client, FAR4), 1);
}

static void test_connected_socket_is_no_last_resort(void **state)
{
	load(&(struct settings){ 0 });
	choose_first(1);
	connect_to_another(0);
	assert_int_not_equal(worker_for(client, FAR4), NO_WORKER);
	assert_counted(SLUICE_STEER_stale_slot, 4, SLUICE_STEER_kernel_refused, 1, -1);
}

static void test_connected_consumer_of_cpu(void **state)
{
	struct sluice_steer_cpu readers = { .count = 1 };
	int cpus = libbpf_num_possible_cpus(), cpu;

	load(&(struct settings){ .policy = SLUICE_STEER_CPU });
	for (cpu = 0; cpu < cpus; cpu++)
		map_write(skel->maps.sluice_cpus, (__u32)cpu, &readers);
	assert_int_equal(worker_for(client, FAR4), 0);
	connect_to_another(0);
	choose_first(2);
	assert_int_equal(worker_for(client, FAR4), 1);
}

/* --- the flow table */

/* A second datagram establishes a flow, which is then never evicted. */
static void establish(int count)
{
	int i;

	for (i = 0; i < count; i++) {
		int peer = peer_open(), worker = worker_for(peer, FAR4);

		assert_int_equal(worker_for(peer, FAR4), worker);
	}
	assert_counted(SLUICE_STEER_started, count, SLUICE_STEER_known, count, -1);
}

static void test_full_set_keeps_its_flows(void **state)
{
	int i, worker;

	load(&(struct settings){ .sets = 1 });
	establish(SLUICE_STEER_WAYS);
	worker = worker_for(client, FAR4);
	assert_int_equal(worker_for(client, FAR4), worker);
	assert_counted(SLUICE_STEER_started, 2, SLUICE_STEER_unrecorded, 2, -1);
	for (i = 0; i < SLUICE_STEER_WAYS; i++)
		worker_for(peers[i], FAR4);
	assert_counted(SLUICE_STEER_known, SLUICE_STEER_WAYS, -1);
}

/* A flow with one datagram is evicted by about half of the new half-open flows. */
static void test_half_open_is_evicted_for_half_open(void **state)
{
	struct sluice_steer_counters now;
	__u64 lost, left;
	int i;

	load(&(struct settings){ .sets = 1 });
	establish(SLUICE_STEER_WAYS - 1);
	for (i = SLUICE_STEER_WAYS - 1; i < PEERS; i++)
		worker_for(peer_open(), FAR4);
	count_all(&now);
	lost = now.value[SLUICE_STEER_half_open_lost] - seen.value[SLUICE_STEER_half_open_lost];
	left = now.value[SLUICE_STEER_unrecorded] - seen.value[SLUICE_STEER_unrecorded];
	assert_in_range(lost, 1, PEERS - SLUICE_STEER_WAYS);
	assert_int_equal(lost + left, PEERS - SLUICE_STEER_WAYS);
	seen = now;
	for (i = 0; i < SLUICE_STEER_WAYS - 1; i++)
		worker_for(peers[i], FAR4);
	assert_counted(SLUICE_STEER_known, SLUICE_STEER_WAYS - 1, -1);
}

/* In a full set, each datagram after the first adds two seconds to a flow's protection. */
static void test_few_datagrams_protect_shortly(void **state)
{
	const __u32 second = sluice_flow_clock(1000000000);
	int i, j;

	load(&(struct settings){ .sets = 1 });
	establish(SLUICE_STEER_WAYS);
	for (i = 1; i < SLUICE_STEER_WAYS; i++)
		for (j = 0; j < i; j++)
			worker_for(peers[i], FAR4);
	assert_counted(SLUICE_STEER_known, SLUICE_STEER_WAYS * (SLUICE_STEER_WAYS - 1) / 2, -1);
	flows_age_by(second & SLUICE_STEER_SEEN_MASK);
	worker_for(client, FAR4);
	assert_counted(SLUICE_STEER_started, 1, SLUICE_STEER_unrecorded, 1, -1);
	/* the flow with two datagrams is no longer protected; flows with three or more still are */
	flows_age_by(2 * second & SLUICE_STEER_SEEN_MASK);
	worker_for(client, FAR4);
	worker_for(client, FAR4);
	assert_counted(SLUICE_STEER_started, 1, SLUICE_STEER_lapsed_lost, 1, SLUICE_STEER_known, 1,
		       -1);
	worker_for(peers[0], FAR4);
	assert_counted(SLUICE_STEER_started, 1, SLUICE_STEER_unrecorded, 1, -1);
	for (i = 1; i < SLUICE_STEER_WAYS; i++)
		worker_for(peers[i], FAR4);
	assert_counted(SLUICE_STEER_known, SLUICE_STEER_WAYS - 1, -1);
}

/* Two new flows that alternate do not evict each other forever. */
static void test_new_flows_get_ways(void **state)
{
	int one, other, i;

	load(&(struct settings){ .sets = 1 });
	establish(SLUICE_STEER_WAYS);
	flows_age_by(3 * sluice_flow_clock(1000000000) & SLUICE_STEER_SEEN_MASK);
	one = peer_open();
	other = peer_open();
	/*
	 * all datagrams of a flow in a tick share one random draw; after a few ticks, both flows
	 * have a way
	 */
	for (i = 0; i < 64; i++) {
		worker_for(one, FAR4);
		worker_for(other, FAR4);
		usleep(10000);
	}
	count_all(&seen);
	worker_for(one, FAR4);
	worker_for(other, FAR4);
	assert_counted(SLUICE_STEER_known, 2, -1);
}

static void test_idle_is_evicted(void **state)
{
	load(&(struct settings){ .sets = 1 });
	establish(SLUICE_STEER_WAYS);
	flows_age();
	worker_for(client, FAR4);
	worker_for(client, FAR4);
	assert_counted(SLUICE_STEER_started, 1, SLUICE_STEER_known, 1, -1);
}

/* Returns the only used way of a table of one set. Fails unless exactly one is used. */
static __u32 only_way(struct sluice_steer_set *set)
{
	__u32 way, found = SLUICE_STEER_WAYS;

	map_read(skel->maps.sluice_table, 0, set);
	for (way = 0; way < SLUICE_STEER_WAYS; way++)
		if (set->line[way / 4].print[way % 4]) {
			assert_int_equal(found, SLUICE_STEER_WAYS);
			found = way;
		}
	assert_int_not_equal(found, SLUICE_STEER_WAYS);
	return found;
}

static __u64 only_print(void)
{
	struct sluice_steer_set set;
	__u32 way = only_way(&set);

	return set.line[way / 4].print[way % 4];
}

static __u64 print_ip4(int fd, const char *to)
{
	const __be32 both_be[2] = { inet_addr(NEAR4), inet_addr(to) };
	__u64 word;

	memcpy(&word, both_be, sizeof(word));
	return sluice_steer_print(&keys, &word, 1, lab_port_be(fd));
}

/* A flow gets its home way. User space can read the clock that the program writes. */
static void test_home_and_time(void **state)
{
	struct sluice_steer_set set;
	__u32 before, after, way;
	__u64 owner;

	load(&(struct settings){ .sets = 1 });
	assert_int_equal(ticks_clock(&before), 0);
	worker_for(client, FAR4);
	assert_int_equal(ticks_clock(&after), 0);
	way = only_way(&set);
	assert_int_equal(way, sluice_steer_home(sluice_steer_hash(only_print())));
	owner = set.line[way / 4].owner[way % 4];
	assert_true(sluice_steer_owner_idle(owner, after) <= after - before);
	assert_true(sluice_steer_owner_idle(owner, after + 100000) >= 100000 - 256);
}

/* The program counts the datagrams of a flow, and stores the time of the last datagram. */
static void test_received(void **state)
{
	struct sluice_steer_set set;
	__u32 way, i;

	load(&(struct settings){ .sets = 1 });
	for (i = 1; i < SLUICE_STEER_RECEIVED_MAX + 3; i++) {
		if (i % 8 == 0)
			flows_age();
		worker_for(client, FAR4);
		way = only_way(&set);
		assert_int_equal(sluice_steer_owner_received(set.line[way / 4].owner[way % 4]),
				 i < SLUICE_STEER_RECEIVED_MAX ? i : SLUICE_STEER_RECEIVED_MAX);
	}
	assert_int_equal(sluice_steer_owner_idle(set.line[way / 4].owner[way % 4],
						 set.line[way / 4].owner[way % 4] >> 32),
			 0);
}

/* A free way counts as free at any time, even when the clock wraps. */
static void test_free_ways_come_first(void **state)
{
	int i;

	load(&(struct settings){ .sets = 1, .no_time = true });
	for (i = 0; i < SLUICE_STEER_WAYS; i++)
		assert_int_not_equal(worker_for(peer_open(), FAR4), NO_WORKER);
	assert_counted(SLUICE_STEER_started, SLUICE_STEER_WAYS, -1);
	for (i = 0; i < SLUICE_STEER_WAYS; i++)
		worker_for(peers[i], FAR4);
	assert_counted(SLUICE_STEER_known, SLUICE_STEER_WAYS, -1);
}

/* The program does not use an owner word that was written for another flow. */
static void test_torn_owner(void **state)
{
	struct sluice_steer_set set;
	__u64 *owner;
	__u32 way;
	int worker;

	load(&(struct settings){ .sets = 1 });
	worker = worker_for(client, FAR4);
	way = only_way(&set);
	owner = &set.line[way / 4].owner[way % 4];
	*owner = sluice_steer_owner_moved(*owner, (__u32)(worker + 1) % WORKERS, 1) ^ 1ULL << 32;
	map_write(skel->maps.sluice_table, 0, &set);
	assert_int_equal(worker_for(client, FAR4), worker);
	assert_counted(SLUICE_STEER_started, 2, -1);
	assert_int_equal(worker_for(client, FAR4), worker);
	assert_counted(SLUICE_STEER_known, 1, -1);
}

/*
 * Two CPUs may record the same flow concurrently: the first way counts, and other flows keep
 * theirs.
 */
static void test_recorded_twice(void **state)
{
	struct sluice_steer_set set;
	__u32 way, other, i;
	int worker;

	load(&(struct settings){ .sets = 1 });
	worker = worker_for(client, FAR4);
	way = only_way(&set);
	for (i = 1; i < SLUICE_STEER_WAYS; i++) {
		other = way ^ i;
		set.line[other / 4].print[other % 4] = set.line[way / 4].print[way % 4];
		set.line[other / 4].owner[other % 4] = sluice_steer_owner_moved(
			set.line[way / 4].owner[way % 4], (__u32)(worker + 1) % WORKERS, 1);
	}
	map_write(skel->maps.sluice_table, 0, &set);
	assert_int_equal(worker_for(client, FAR4), worker);
	assert_counted(SLUICE_STEER_started, 1, SLUICE_STEER_known, 1, -1);
}

/* --- address families */

static void test_ip6(void **state)
{
	int peer6 = lab_socket(NEAR6, 0), worker;
	__u64 word[4];

	load_at(&(struct settings){ .sets = 1 }, "::");
	worker = worker_for(peer6, FAR6);
	assert_int_not_equal(worker, NO_WORKER);
	assert_int_equal(worker_for(peer6, FAR6), worker);
	assert_counted(SLUICE_STEER_started, 1, SLUICE_STEER_known, 1, -1);
	inet_pton(AF_INET6, NEAR6, &word[0]);
	inet_pton(AF_INET6, FAR6, &word[2]);
	assert_true(only_print() == sluice_steer_print(&keys, word, 4, lab_port_be(peer6)));
	close(peer6);
}

/* Uses the offset of the IP header, since options may precede the UDP header. */
static void test_ip4_options(void **state)
{
	static const char no_operations[] = { 1, 1, 1, 1 };
	int worker;

	load(&(struct settings){ .sets = 1 });
	worker = worker_for(client, FAR4);
	assert_return_code(
		setsockopt(client, IPPROTO_IP, IP_OPTIONS, no_operations, sizeof(no_operations)),
		errno);
	assert_int_equal(worker_for(client, FAR4), worker);
	assert_counted(SLUICE_STEER_started, 1, SLUICE_STEER_known, 1, -1);
	assert_true(only_print() == print_ip4(client, FAR4));
}

/* Identifies the IPv4 peer of a dual-stack group by its IPv4 address. */
static void test_dual_stack(void **state)
{
	int worker;

	load_at(&(struct settings){ .sets = 1 }, "::");
	worker = worker_for(client, FAR4);
	assert_int_equal(worker_for(client, FAR4), worker);
	assert_counted(SLUICE_STEER_started, 1, SLUICE_STEER_known, 1, -1);
	assert_true(only_print() == print_ip4(client, FAR4));
}

/* --- the other policies */

static void test_source(void **state)
{
	int i, worker;

	load(&(struct settings){ .policy = SLUICE_STEER_SOURCE });
	worker = worker_for(client, FAR4);
	for (i = 0; i < PEERS; i++)
		assert_int_equal(worker_for(peer_open(), i % 2 ? FAR4 : OTHER4), worker);
	assert_counted(SLUICE_STEER_started, 1, SLUICE_STEER_known, PEERS, -1);
}

static void cpu_consumers(__u16 slot)
{
	struct sluice_steer_cpu readers = { .count = 1, .slot = { slot } };
	int cpu;

	for (cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++)
		map_write(skel->maps.sluice_cpus, (__u32)cpu, &readers);
}

static void test_cpu(void **state)
{
	static const __u16 others[] = { 0, 1, 3 };
	int i;

	load(&(struct settings){ .policy = SLUICE_STEER_CPU });
	cpu_consumers(2);
	for (i = 0; i < PEERS; i++)
		assert_int_equal(worker_for(peer_open(), FAR4), 2);
	assert_counted(SLUICE_STEER_known, PEERS, -1);
	worker_close(2);
	choose(3, others);
	assert_int_not_equal(worker_for(client, FAR4), NO_WORKER);
	assert_counted(SLUICE_STEER_cpu_other, 1, -1);
}

/* --- load */

/* Fills the receive queue of a worker that does not read. */
static void queue_fill(int worker)
{
	__u16 only[] = { (__u16)worker };
	int i;

	choose(1, only);
	for (i = 0; i < 200; i++)
		lab_request(client, FAR4, PORT);
}

static void test_full_queue_is_passed(void **state)
{
	static const __u16 pair[] = { 1, 0 };
	char byte;
	int i;

	load(&(struct settings){ 0 });
	lab_option(workers[1], SOL_SOCKET, SO_RCVBUF, 4096);
	queue_fill(1);
	choose(2, pair);
	for (i = 0; i < PEERS; i++) {
		lab_request(peer_open(), FAR4, PORT);
		assert_int_equal(recv(workers[0], &byte, 1, 0), 1);
	}
	{
		struct sluice_steer_counters now;

		count_all(&now);
		assert_true(now.value[SLUICE_STEER_passed_full] > 0);
		assert_int_equal(now.value[SLUICE_STEER_started], PEERS + 1);
	}
}

static void test_all_queues_full(void **state)
{
	load(&(struct settings){ 0 });
	lab_option(workers[1], SOL_SOCKET, SO_RCVBUF, 4096);
	queue_fill(1);
	lab_request(peer_open(), FAR4, PORT);
	{
		struct sluice_steer_counters now;

		count_all(&now);
		assert_int_equal(now.value[SLUICE_STEER_all_full], 1);
		assert_int_equal(now.value[SLUICE_STEER_started], 2);
	}
}

/* One of two workers is busy with a flow, so new flows go to the other worker. */
static void test_load_goes_to_the_idle(void **state)
{
	static const __u16 pair[] = { 0, 1 };
	int i, busy, to_busy = 0;

	load(&(struct settings){ .policy = SLUICE_STEER_LOAD });
	choose(2, pair);
	busy = worker_for(client, FAR4);
	for (i = 0; i < 400; i++)
		assert_int_equal(worker_for(client, FAR4), busy);
	for (i = 0; i < PEERS; i++)
		to_busy += worker_for(peer_open(), FAR4) == busy;
	assert_int_equal(to_busy, 0);
}

/* A flow stays with its worker if it cannot be recorded, however busy the worker is. */
static void test_load_with_a_full_set(void **state)
{
	int i, worker;

	load(&(struct settings){ .policy = SLUICE_STEER_LOAD, .sets = 1 });
	establish(SLUICE_STEER_WAYS);
	worker = worker_for(client, FAR4);
	for (i = 0; i < 400; i++)
		assert_int_equal(worker_for(client, FAR4), worker);
}

/*
 * --- datagrams for which the kernel already selects the right socket (bpf/steer/kernel_agrees.h)
 */

/* More than two ticks, whatever the kernel's CONFIG_HZ. */
#define SETTLE_US 90000

/* Records flows with the kernel's selection, and waits until the group counts as settled. */
static void flows_begin(int before[PEERS])
{
	int i;

	load(&(struct settings){ 0 });
	for (i = 0; i < PEERS; i++)
		before[i] = worker_for(peer_open(), FAR4);
	usleep(SETTLE_US);
	assert_counted(SLUICE_STEER_started, PEERS, -1);
}

/* Makes every later selection fail. */
static void selections_end(void)
{
	__u32 slot;

	for (slot = 0; slot < WORKERS; slot++)
		assert_return_code(
			bpf_map__delete_elem(skel->maps.sluice_sockets, &slot, sizeof(slot), 0),
			errno);
}

static void test_choice_without_selection(void **state)
{
	int before[PEERS], i;

	flows_begin(before);
	selections_end();
	for (i = 0; i < PEERS; i++)
		assert_int_equal(worker_for(peers[i], FAR4), before[i]);
	assert_counted(SLUICE_STEER_known, PEERS, -1);
	assert_int_not_equal(worker_for(client, FAR4), NO_WORKER);
	assert_counted(SLUICE_STEER_started, 1, -1);
}

/* The kernel may have read the number of sockets before the last change. */
static void test_choice_of_a_changed_group(void **state)
{
	int before[PEERS], i;

	flows_begin(before);
	selections_end();
	for (i = 0; i < 8; i++) {
		/* the number of sockets changes, and changes back */
		worker_count = WORKERS;
		worker_add("0.0.0.0");
		assert_int_not_equal(worker_for(peers[i], FAR4), NO_WORKER);
		worker_close(WORKERS);
		assert_int_not_equal(worker_for(peers[i], FAR4), NO_WORKER);
	}
	assert_counted(SLUICE_STEER_stale_slot, 16 * 4, SLUICE_STEER_kernel_refused, 16, -1);
	usleep(SETTLE_US);
	for (i = 0; i < PEERS; i++)
		assert_int_equal(worker_for(peers[i], FAR4), before[i]);
	assert_counted(SLUICE_STEER_known, PEERS, -1);
}

/* A new socket of the group may have the kernel address of a closed socket. */
static void test_choice_of_another_socket(void **state)
{
	struct sluice_steer_slot slot;
	int before[PEERS], i;

	flows_begin(before);
	selections_end();
	for (i = 0; i < WORKERS; i++) {
		slot = slot_read((__u32)i);
		slot.cookie += 1000;
		slot_write((__u32)i, slot);
	}
	for (i = 0; i < PEERS; i++)
		assert_int_not_equal(worker_for(peers[i], FAR4), NO_WORKER);
	assert_counted(SLUICE_STEER_stale_slot, 4 * PEERS, SLUICE_STEER_kernel_refused, PEERS, -1);
}

/* The kernel prefers a socket with SO_INCOMING_CPU to the selection by hash. */
static void test_choice_by_incoming_cpu(void **state)
{
	int before[PEERS], i, elsewhere = 0, cpu = sched_getcpu();
	cpu_set_t all, one;

	assert_return_code(sched_getaffinity(0, sizeof(all), &all), errno);
	CPU_ZERO(&one);
	CPU_SET(cpu, &one);
	assert_return_code(sched_setaffinity(0, sizeof(one), &one), errno);
	flows_begin(before);
	lab_option(workers[3], SOL_SOCKET, SO_INCOMING_CPU, cpu);
	for (i = 0; i < PEERS; i++)
		assert_int_equal(worker_for(peers[i], FAR4), before[i]);
	assert_counted(SLUICE_STEER_known, PEERS, -1);
	lab_option(workers[0], SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, 0);
	for (i = 0; i < PEERS; i++) {
		assert_int_equal(worker_for(peers[i], FAR4), 3);
		elsewhere += before[i] != 3;
	}
	assert_true(elsewhere > 0);
	assert_return_code(sched_setaffinity(0, sizeof(all), &all), errno);
}

int main(void)
{
	int failed;
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_begins_as_the_kernel, start, end),
		cmocka_unit_test_setup_teardown(test_stays_when_one_comes, start, end),
		cmocka_unit_test_setup_teardown(test_dead_workers_flows_move_alone, start, end),
		cmocka_unit_test_setup_teardown(test_local_address_counts, start, end),
		cmocka_unit_test_setup_teardown(test_drained_slot, start, end),
		cmocka_unit_test_setup_teardown(test_statistics, start, end),
		cmocka_unit_test_setup_teardown(test_slot_reassigned, start, end),
		cmocka_unit_test_setup_teardown(test_retired_keeps_flows_until_idle, start, end),
		cmocka_unit_test_setup_teardown(test_no_worker_for_new_flows, start, end),
		cmocka_unit_test_setup_teardown(test_choice_of_closed_sockets, start, end),
		cmocka_unit_test_setup_teardown(test_closed_between_lookup_and_select, start, end),
		cmocka_unit_test_setup_teardown(test_connected_socket_is_passed_by, start, end),
		cmocka_unit_test_setup_teardown(test_connected_socket_loses_others_flows, start,
						end),
		cmocka_unit_test_setup_teardown(test_connected_socket_is_no_last_resort, start,
						end),
		cmocka_unit_test_setup_teardown(test_connected_consumer_of_cpu, start, end),
		cmocka_unit_test_setup_teardown(test_full_set_keeps_its_flows, start, end),
		cmocka_unit_test_setup_teardown(test_few_datagrams_protect_shortly, start, end),
		cmocka_unit_test_setup_teardown(test_new_flows_get_ways, start, end),
		cmocka_unit_test_setup_teardown(test_half_open_is_evicted_for_half_open, start,
						end),
		cmocka_unit_test_setup_teardown(test_idle_is_evicted, start, end),
		cmocka_unit_test_setup_teardown(test_home_and_time, start, end),
		cmocka_unit_test_setup_teardown(test_received, start, end),
		cmocka_unit_test_setup_teardown(test_free_ways_come_first, start, end),
		cmocka_unit_test_setup_teardown(test_torn_owner, start, end),
		cmocka_unit_test_setup_teardown(test_recorded_twice, start, end),
		cmocka_unit_test_setup_teardown(test_ip6, start, end),
		cmocka_unit_test_setup_teardown(test_ip4_options, start, end),
		cmocka_unit_test_setup_teardown(test_dual_stack, start, end),
		cmocka_unit_test_setup_teardown(test_source, start, end),
		cmocka_unit_test_setup_teardown(test_cpu, start, end),
		cmocka_unit_test_setup_teardown(test_full_queue_is_passed, start, end),
		cmocka_unit_test_setup_teardown(test_all_queues_full, start, end),
		cmocka_unit_test_setup_teardown(test_load_goes_to_the_idle, start, end),
		cmocka_unit_test_setup_teardown(test_load_with_a_full_set, start, end),
	};

	const struct CMUnitTest casts_only[] = {
		cmocka_unit_test_setup_teardown(test_choice_without_selection, start, end),
		cmocka_unit_test_setup_teardown(test_choice_of_a_changed_group, start, end),
		cmocka_unit_test_setup_teardown(test_choice_of_another_socket, start, end),
		cmocka_unit_test_setup_teardown(test_choice_by_incoming_cpu, start, end),
	};

	if (geteuid()) {
		fprintf(stderr, "needs root\n");
		return LAB_SKIPPED;
	}
	by_helpers = true;
	failed = cmocka_run_group_tests_name("by helpers", tests, NULL, NULL);
	by_helpers = false;
	if (steer_lab_casts()) {
		failed += cmocka_run_group_tests_name("by casts", tests, NULL, NULL);
		failed += cmocka_run_group_tests_name("by casts alone", casts_only, NULL, NULL);
	}
	return failed;
}
