// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The flow table of the reply programs: which slot is evicted, when a flow expires, and concurrent
 * reads and writes of one slot.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "reply_lab.h"

#include <pthread.h>
#include <stdatomic.h>

/* --- a full table, and age */

static void open_clients(int *clients, size_t count)
{
	while (count--)
		clients[count] = lab_socket(NEAR4, 0);
}

/* In one set, the ninth flow evicts the least recently used flow. */
static void test_evicted(void **state)
{
	int server = server_v4(), clients[SLUICE_FLOW_WAYS + 1], i;

	load(&(struct settings){ .port = PORT, .sets = 1 });
	open_clients(clients, COUNT(clients));
	for (i = 0; i < SLUICE_FLOW_WAYS; i++) {
		lab_exchange(clients[i], server, FAR4, FAR4);
		wait_past(now());
	}
	assert_counted(&programs, COUNTED(learned, 8), COUNTED(fixed, 8));
	/* renew the first flow, so that the second is the oldest */
	lab_exchange(clients[0], server, FAR4, FAR4);
	lab_exchange(clients[8], server, FAR4, FAR4);
	assert_counted(&programs, COUNTED(evicted, 1), COUNTED(fixed, 2));
	assert_int_equal(flow_count(), SLUICE_FLOW_WAYS);

	answer_again(server, clients[1], NEAR4, NEAR4);
	assert_counted(&programs, COUNTED(left_no_flow, 1));
	for (i = 0; i < SLUICE_FLOW_WAYS + 1; i++)
		if (i != 1)
			answer_again(server, clients[i], NEAR4, FAR4);
	assert_counted(&programs, COUNTED(fixed, 8));
	close_all(clients, COUNT(clients));
	close(server);
}

/* A flow that another CPU has stored after this CPU read the clock is not the oldest. */
static void test_evicted_not_newest(void **state)
{
	int server = server_v4(), clients[SLUICE_FLOW_WAYS + 1], i;
	struct slot slot;

	load(&(struct settings){ .port = PORT, .sets = 1 });
	open_clients(clients, COUNT(clients));
	for (i = 0; i < SLUICE_FLOW_WAYS; i++)
		lab_exchange(clients[i], server, FAR4, FAR4);
	slot = slot_of(server, clients[5], NEAR4);
	for (i = 0; i < SLUICE_FLOW_WAYS; i++)
		slot.set.seen[i] -= 1000;
	slot.set.seen[slot.way] = now() + 2;
	slot_write(&slot);
	lab_exchange(clients[8], server, FAR4, FAR4);
	assert_counted(&programs, COUNTED(learned, 8), COUNTED(evicted, 1), COUNTED(fixed, 9));
	answer_again(server, clients[5], NEAR4, FAR4);
	assert_counted(&programs, COUNTED(fixed, 1));
	close_all(clients, COUNT(clients));
	close(server);
}

/* Sets the time of all slots to the current tick. */
static void make_equal(int server, int client)
{
	struct slot slot = slot_of(server, client, NEAR4);
	int i;

	for (i = 0; i < SLUICE_FLOW_WAYS; i++)
		slot.set.seen[i] = now() + SLUICE_FLOW_CLOCK_SKEW / 2;
	slot_write(&slot);
}

/* If the clock cannot order the slots, evicts different slots in turn. */
static void test_evicted_in_turn(void **state)
{
	int server = server_v4(), clients[2 * SLUICE_FLOW_WAYS], i;

	load(&(struct settings){ .port = PORT, .sets = 1 });
	open_clients(clients, COUNT(clients));
	for (i = 0; i < (int)COUNT(clients); i++) {
		lab_exchange(clients[i], server, FAR4, FAR4);
		make_equal(server, clients[i]);
	}
	assert_counted(&programs, COUNTED(learned, 8), COUNTED(evicted, 8), COUNTED(fixed, 16));
	for (i = SLUICE_FLOW_WAYS; i < (int)COUNT(clients); i++)
		answer_again(server, clients[i], NEAR4, FAR4);
	assert_counted(&programs, COUNTED(fixed, 8));
	close_all(clients, COUNT(clients));
	close(server);
}

/* Backdates the peer's last datagram. */
static void make_older(int server, int client, __u32 time)
{
	struct slot slot = slot_of(server, client, NEAR4);

	slot.set.seen[slot.way] -= time;
	slot_write(&slot);
}

static void test_expired(void **state)
{
	const __u32 age = sluice_flow_clock(3600000000000ULL);
	int server = server_v4(), client = lab_socket(NEAR4, 0);

	load(&(struct settings){ .port = PORT, .age = age });
	lab_exchange(client, server, FAR4, FAR4);
	/* an hour minus a minute, then an hour plus a minute */
	make_older(server, client, age - age / 60);
	answer_again(server, client, NEAR4, FAR4);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 2));
	make_older(server, client, age / 30);
	answer_again(server, client, NEAR4, NEAR4);
	assert_counted(&programs, COUNTED(left_expired, 1));
	/* a new request renews it */
	lab_exchange(client, server, FAR4, FAR4);
	assert_counted(&programs, COUNTED(fixed, 1));
	close(client);
	close(server);
}

/* Replacing an expired flow is not an eviction, since its slot counts as free. */
static void test_expired_is_replaced(void **state)
{
	const __u32 age = sluice_flow_clock(3600000000000ULL);
	int server = server_v4(), clients[SLUICE_FLOW_WAYS + 1], i;

	load(&(struct settings){ .port = PORT, .sets = 1, .age = age });
	open_clients(clients, COUNT(clients));
	for (i = 0; i < SLUICE_FLOW_WAYS; i++)
		lab_exchange(clients[i], server, FAR4, FAR4);
	make_older(server, clients[3], age + age / 60);
	lab_exchange(clients[8], server, FAR4, FAR4);
	assert_counted(&programs, COUNTED(learned, 9), COUNTED(fixed, 9));
	answer_again(server, clients[3], NEAR4, NEAR4);
	assert_counted(&programs, COUNTED(left_no_flow, 1));
	close_all(clients, COUNT(clients));
	close(server);
}

/* --- the seal */

/* Reads a slot again under the lock if it changed during the read. */
static void test_seal_broken(void **state)
{
	int server = server_dual(), client = lab_socket(NEAR6, 0);
	struct slot slot;

	load(&(struct settings){ .port = PORT });
	lab_exchange(client, server, FAR6, FAR6);
	slot = slot_of(server, client, NEAR6);
	slot.set.flow[slot.way].seal ^= 1ULL << 40;
	slot_write(&slot);
	answer_again(server, client, NEAR6, FAR6);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(fixed, 2));
	/* the flow is repaired only by its next change */
	lab_exchange(client, server, OTHER6, OTHER6);
	assert_counted(&programs, COUNTED(moved, 1), COUNTED(fixed, 1));
	slot = slot_of(server, client, NEAR6);
	assert_int_equal(slot.set.flow[slot.way].seal,
			 seal_of(server, client, NEAR6, &slot.set.flow[slot.way]));
	close(client);
	close(server);
}

/* --- two CPUs concurrently */

#define BATCH 64

struct storm {
	atomic_bool over;
	__u32 keys[BATCH]; /* written by swap_sets() */
	struct sluice_flow_set sets[BATCH];
	int *clients; /* used by request_on() */
	size_t count;
	bool failed;
};

static void *swap_sets(void *arg)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts, .elem_flags = BPF_F_LOCK);
	struct storm *storm = arg;

	while (!storm->over && !storm->failed) {
		__u32 count = BATCH;

		storm->failed = bpf_map_update_batch(flows_fd(), storm->keys, storm->sets, &count,
						     &opts);
	}
	return NULL;
}

/*
 * Sends to several peers with one call, which minimises the time between the runs of the program.
 */
static void answer_all(int server, const struct lab_end *peers, size_t count)
{
	struct mmsghdr messages[BATCH];
	size_t i;

	for (i = 0; i < count; i++)
		messages[i] = (struct mmsghdr){ .msg_hdr = message_to(&peers[i]) };
	assert_int_equal(sendmmsg(server, messages, count, 0), count);
}

struct answers {
	__u64 right; /* from the requested address */
	__u64 plain; /* from NEAR6: the lookup missed the flow */
	__u64 wrong;
};

/* Counts the pending answers without waiting; waits would dominate the test on a busy machine. */
static void count_answers(int client, const struct in6_addr *requested, struct answers *answers)
{
	struct sockaddr_in6 from = { 0 };
	struct in6_addr near;
	socklen_t size;
	char byte;

	inet_pton(AF_INET6, NEAR6, &near);
	while (size = sizeof(from),
	       recvfrom(client, &byte, 1, MSG_DONTWAIT, (struct sockaddr *)&from, &size) > 0)
		if (!memcmp(&from.sin6_addr, requested, sizeof(*requested)))
			answers->right++;
		else if (!memcmp(&from.sin6_addr, &near, sizeof(near)))
			answers->plain++;
		else
			answers->wrong++;
}

/*
 * Two flows repeatedly exchange their slots while answers leave. An answer may miss its flow and
 * leave from NEAR6, but never from the other flow's address or from a torn address.
 */
static void test_seal_holds(void **state)
{
	int server = server_dual(), clients[2] = { lab_socket(NEAR6, 0), lab_socket(NEAR6, 0) };
	struct lab_end requested[2] = { lab_end(FAR6, 0), lab_end(OTHER6, 0) }, peers[BATCH];
	struct storm *storm = calloc(1, sizeof(*storm));
	struct answers answers = { 0 };
	struct slot slot;
	pthread_t thread;
	int i;

	load(&(struct settings){ .port = PORT, .sets = 1 });
	lab_exchange(clients[0], server, FAR6, FAR6);
	lab_exchange(clients[1], server, OTHER6, OTHER6);
	slot = slot_of(server, clients[0], NEAR6);
	for (i = 0; i < BATCH; i++) {
		storm->sets[i] = slot.set;
		peers[i] = lab_end(NEAR6, ntohs(lab_port_be(clients[i & 1])));
	}
	for (i = 0; i < BATCH; i += 2) {
		storm->sets[i].flow[0] = slot.set.flow[1];
		storm->sets[i].flow[1] = slot.set.flow[0];
		storm->sets[i].tag[0] = slot.set.tag[1];
		storm->sets[i].tag[1] = slot.set.tag[0];
	}
	assert_int_equal(pthread_create(&thread, NULL, swap_sets, storm), 0);
	while (answers.right + answers.plain < 200000 && !answers.wrong) {
		answer_all(server, peers, BATCH);
		for (i = 0; i < 2; i++)
			count_answers(clients[i], &requested[i].in6.sin6_addr, &answers);
	}
	storm->over = true;
	pthread_join(thread, NULL);
	assert_false(storm->failed);
	assert_int_equal(answers.wrong, 0);
	assert_true(answers.right > 20000);
	free(storm);
	close_all(clients, 2);
	close(server);
}

/* Each client sends requests to an address of its own. */
static const char *const own[] = { FAR6, OTHER6, "2001:db8:4::4", "2001:db8:5::5" };

static void *request_on(void *arg)
{
	struct storm *storm = arg;
	struct lab_end to = { .size = sizeof(to.in6),
			      .in6 = { .sin6_family = AF_INET6, .sin6_port = htons(PORT) } };
	size_t i;

	for (i = 0; !storm->over && !storm->failed; i = (i + 1) % storm->count) {
		inet_pton(AF_INET6, own[i % COUNT(own)], &to.in6.sin6_addr);
		storm->failed = sendto(storm->clients[i], "ask", 3, 0, &to.any, to.size) != 3;
	}
	return NULL;
}

static __u64 evicted(void)
{
	return programs_counters(&programs).value[SLUICE_REPLY_evicted];
}

#define ASKING 12

/*
 * Two threads send from 12 sockets each, all in one set of eight, while a third thread answers.
 * Answers of evicted flows leave from NEAR6, and no answer leaves from another flow's address. The
 * duration depends on the CPU time of the sending threads.
 */
static void test_collisions(void **state)
{
	int server = server_dual(), clients[2 * ASKING], i;
	struct sluice_reply_counters counted;
	struct lab_end peers[2 * ASKING];
	struct storm storms[2] = { 0 };
	struct answers answers = { 0 };
	struct in6_addr requested;
	pthread_t threads[2];

	for (i = 2; i < (int)COUNT(own); i++)
		lab_address(own[i], true);
	for (i = 0; i < 2 * ASKING; i++) {
		clients[i] = lab_socket(NEAR6, 0);
		peers[i] = lab_end(NEAR6, ntohs(lab_port_be(clients[i])));
	}
	load(&(struct settings){ .port = PORT, .sets = 1 });
	for (i = 0; i < 2; i++) {
		storms[i].clients = clients + i * ASKING;
		storms[i].count = ASKING;
		assert_int_equal(pthread_create(&threads[i], NULL, request_on, &storms[i]), 0);
	}
	/* make the server's socket known first, so that its sends are counted */
	lab_receive(server);
	while ((answers.right < 5000 || answers.plain < 5000 || evicted() <= 100) &&
	       !answers.wrong) {
		answer_all(server, peers, COUNT(peers));
		for (i = 0; i < 2 * ASKING; i++) {
			inet_pton(AF_INET6, own[i % ASKING % COUNT(own)], &requested);
			count_answers(clients[i], &requested, &answers);
		}
	}
	for (i = 0; i < 2; i++) {
		storms[i].over = true;
		pthread_join(threads[i], NULL);
		assert_false(storms[i].failed);
	}
	assert_int_equal(answers.wrong, 0);
	counted = programs_counters(&programs);
	assert_true(counted.value[SLUICE_REPLY_fixed] >= answers.right);
	assert_true(counted.value[SLUICE_REPLY_left_no_flow] >= answers.plain);
	assert_int_equal(counted.value[SLUICE_REPLY_left_expired], 0);
	assert_int_equal(counted.value[SLUICE_REPLY_learned], SLUICE_FLOW_WAYS);
	assert_int_equal(flow_count(), SLUICE_FLOW_WAYS);
	close_all(clients, COUNT(clients));
	close(server);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(evicted),	  TEST(evicted_not_newest),  TEST(evicted_in_turn),
		TEST(expired),	  TEST(expired_is_replaced), TEST(seal_broken),
		TEST(seal_holds), TEST(collisions),
	};

	if (geteuid()) {
		puts("needs root");
		return LAB_SKIPPED;
	}
	return cmocka_run_group_tests_name("reply table", tests, NULL, NULL);
}
