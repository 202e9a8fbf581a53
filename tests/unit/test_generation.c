// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Generations: sockets that start together form one generation. A newer instance takes over once it
 * is as large as the current instance; a single additional worker does not. When a generation dies,
 * the previous generation becomes current again. A promoted instance stays current.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "steer/group/generation.h"

#define SLOTS  32
#define SECOND 1000000000ULL

static struct sluice_steer_slot slots[SLOTS];
static struct sluice_steer_past past;
static uint64_t now_s; /* join time of the last socket, unless a test advances it */

static int start(void **state)
{
	memset(slots, 0, sizeof(slots));
	memset(&past, 0, sizeof(past));
	now_s = 0;
	return 0;
}

/* Joins @count sockets of an instance. */
static void join(uint64_t instance, int count, uint64_t at_s)
{
	int i;

	now_s = at_s;
	for (i = 0; i < SLOTS && count; i++) {
		if (slots[i].state != SLUICE_STEER_FREE)
			continue;
		slots[i] = (struct sluice_steer_slot){ .cookie = (uint64_t)i + 1,
						       .instance = instance,
						       .joined_ns = (100 + at_s) * SECOND +
								    (uint64_t)i,
						       .state = SLUICE_STEER_ACTIVE };
		count--;
	}
	assert_int_equal(count, 0);
}

static void leave(uint64_t instance)
{
	int i;

	for (i = 0; i < SLOTS; i++)
		if (slots[i].instance == instance)
			slots[i] = (struct sluice_steer_slot){ 0 };
}

static void leave_one(uint64_t instance)
{
	int i;

	for (i = 0; slots[i].instance != instance; i++)
		;
	slots[i] = (struct sluice_steer_slot){ 0 };
}

static void mark(uint64_t instance, enum sluice_steer_state as)
{
	int i;

	for (i = 0; i < SLOTS; i++)
		if (slots[i].state != SLUICE_STEER_FREE && slots[i].instance == instance)
			slots[i].state = as;
}

static int count(uint64_t instance, enum sluice_steer_state as)
{
	int i, found = 0;

	for (i = 0; i < SLOTS; i++)
		found += slots[i].instance == instance && slots[i].state == as;
	return found;
}

/* Assigns generations twice: the second call must change nothing. */
static bool assign(void)
{
	struct sluice_steer_slot before[SLOTS];
	uint64_t now_ns = (100 + now_s) * SECOND;
	bool taken = generation_assign(slots, SLOTS, now_ns, &past);

	memcpy(before, slots, sizeof(slots));
	assert_false(generation_assign(slots, SLOTS, now_ns, &past));
	assert_memory_equal(before, slots, sizeof(slots));
	return taken;
}

static void test_empty(void **state)
{
	assert_false(assign());
}

static void test_first(void **state)
{
	join(1, 4, 0);
	assert_false(assign());
	assert_int_equal(count(1, SLUICE_STEER_ACTIVE), 4);
	assert_int_equal(slots[0].generation, 1);
}

static void test_restart(void **state)
{
	join(1, 4, 0);
	assign();
	join(2, 4, 60);
	assert_true(assign());
	assert_int_equal(count(1, SLUICE_STEER_RETIRED), 4);
	assert_int_equal(count(2, SLUICE_STEER_ACTIVE), 4);
	leave(1);
	assert_false(assign());
	assert_int_equal(count(2, SLUICE_STEER_ACTIVE), 4);
}

/* The sockets arrive one by one, with a sweep after each. */
static void test_restart_by_and_by(void **state)
{
	int i;

	join(1, 4, 0);
	assign();
	for (i = 1; i < 4; i++) {
		join(2, 1, 60);
		assert_false(assign());
		assert_int_equal(count(1, SLUICE_STEER_ACTIVE), 4);
		assert_int_equal(count(2, SLUICE_STEER_ACTIVE), i);
	}
	join(2, 1, 61);
	assert_true(assign());
	assert_int_equal(count(1, SLUICE_STEER_RETIRED), 4);
}

static void test_one_more_worker(void **state)
{
	join(1, 1, 0);
	join(2, 1, 0);
	join(3, 1, 1);
	assign();
	join(4, 1, 600);
	assert_false(assign());
	assert_int_equal(count(1, SLUICE_STEER_ACTIVE), 1);
	assert_int_equal(count(4, SLUICE_STEER_ACTIVE), 1);
}

static void test_started_together(void **state)
{
	join(1, 2, 0);
	assign();
	join(2, 2, 1);
	assert_false(assign());
	assert_int_equal(count(1, SLUICE_STEER_ACTIVE), 2);
	assert_int_equal(count(2, SLUICE_STEER_ACTIVE), 2);
}

/* The new instance crashes: the old instance becomes current again. */
static void test_fall_back(void **state)
{
	join(1, 4, 0);
	assign();
	join(2, 4, 60);
	assign();
	leave(2);
	assert_false(assign());
	assert_int_equal(count(1, SLUICE_STEER_ACTIVE), 4);
	join(3, 4, 120);
	assert_true(assign());
	assert_int_equal(count(1, SLUICE_STEER_RETIRED), 4);
	assert_int_equal(count(3, SLUICE_STEER_ACTIVE), 4);
}

static void test_draining(void **state)
{
	join(1, 4, 0);
	assign();
	mark(1, SLUICE_STEER_DRAINING);
	join(2, 2, 60);
	assert_false(assign());
	assert_int_equal(count(1, SLUICE_STEER_DRAINING), 4);
	assert_int_equal(count(2, SLUICE_STEER_ACTIVE), 2);
	mark(1, SLUICE_STEER_DRAINED);
	assert_false(assign());
	assert_int_equal(count(1, SLUICE_STEER_DRAINED), 4);
}

/* A process that opens an additional socket keeps its generation. */
static void test_more_sockets(void **state)
{
	join(1, 4, 0);
	assign();
	join(2, 4, 60);
	assign();
	join(1, 1, 90);
	assert_false(assign());
	assert_int_equal(count(1, SLUICE_STEER_RETIRED), 5);
	join(2, 1, 91);
	assert_false(assign());
	assert_int_equal(count(2, SLUICE_STEER_ACTIVE), 5);
}

/* One of two workers dies: its successor must not replace the other worker. */
static void test_successor_of_the_dead(void **state)
{
	join(1, 1, 0);
	join(2, 1, 0);
	assign();
	leave(1);
	assign();
	join(3, 1, 60);
	assert_false(assign());
	assert_int_equal(count(2, SLUICE_STEER_ACTIVE), 1);
	assert_int_equal(count(3, SLUICE_STEER_ACTIVE), 1);
}

static void test_ten_restarts(void **state)
{
	uint64_t instance;

	join(1, 4, 0);
	assign();
	for (instance = 2; instance < 12; instance++) {
		join(instance, 4, instance * 10);
		assert_true(assign());
		assert_int_equal(count(instance, SLUICE_STEER_ACTIVE), 4);
		assert_int_equal(count(instance - 1, SLUICE_STEER_RETIRED), 4);
		leave(instance - 1);
		assert_false(assign());
	}
	assert_int_equal(slots[0].generation + slots[4].generation, 11);
}

/* The old instance opens one more socket than the new instance ever has. */
static void test_old_opens_more(void **state)
{
	join(1, 4, 0);
	assign();
	join(2, 3, 60);
	assert_false(assign());
	join(1, 1, 60);
	join(2, 1, 61);
	assert_false(assign());
	now_s = 64;
	assert_true(assign());
	assert_int_equal(count(1, SLUICE_STEER_RETIRED), 5);
	assert_int_equal(count(2, SLUICE_STEER_ACTIVE), 4);
}

/* The old instance closes that socket. */
static void test_old_closes_it(void **state)
{
	join(1, 4, 0);
	assign();
	join(1, 1, 60);
	join(2, 4, 60);
	assert_false(assign());
	leave_one(1);
	assert_true(assign());
	assert_int_equal(count(1, SLUICE_STEER_RETIRED), 4);
}

/* A worker of the old instance restarts while the new instance starts. */
static void test_old_reopens(void **state)
{
	join(1, 4, 0);
	assign();
	join(2, 3, 60);
	assert_false(assign());
	leave_one(1);
	join(1, 1, 61);
	join(2, 1, 61);
	assert_true(assign());
	assert_int_equal(count(1, SLUICE_STEER_RETIRED), 4);
	assert_int_equal(count(2, SLUICE_STEER_ACTIVE), 4);
}

/* A restart with fewer workers, and another restart with the same number. */
static void test_fewer(void **state)
{
	join(1, 4, 0);
	assign();
	join(2, 2, 60);
	assert_false(assign());
	now_s = 61;
	assert_false(assign());
	now_s = 63;
	assert_true(assign());
	assert_int_equal(count(1, SLUICE_STEER_RETIRED), 4);
	leave(1);
	assert_false(assign());
	join(3, 2, 120);
	assert_true(assign());
	assert_int_equal(count(2, SLUICE_STEER_RETIRED), 2);
}

static void test_far_fewer(void **state)
{
	join(1, 4, 0);
	assign();
	join(2, 1, 60);
	now_s = 600;
	assert_false(assign());
	assert_int_equal(count(1, SLUICE_STEER_ACTIVE), 4);
	join(2, 1, 601);
	assert_false(assign());
	now_s = 604;
	assert_true(assign());
}

/*
 * One of two workers with two sockets each dies: its successor must not replace the other worker.
 */
static void test_successor_of_a_pair(void **state)
{
	join(1, 2, 0);
	join(2, 2, 0);
	assign();
	leave(1);
	assign();
	join(3, 2, 59);
	assert_false(assign());
	now_s = 600;
	assert_false(assign());
	assert_int_equal(count(2, SLUICE_STEER_ACTIVE), 2);
	assert_int_equal(count(3, SLUICE_STEER_ACTIVE), 2);
}

/* Workers with one socket each, started minutes apart (systemctl start kresd@2, kresd@3). */
static void test_workers_of_one_socket(void **state)
{
	int i;

	for (i = 1; i <= 4; i++) {
		join(i, 1, i * 100);
		assert_false(assign());
		now_s += 50;
		assert_false(assign());
	}
	for (i = 1; i <= 4; i++)
		assert_int_equal(count(i, SLUICE_STEER_ACTIVE), 1);
}

/* A server with one socket is replaced by a server with four. */
static void test_one_socket_to_four(void **state)
{
	join(1, 1, 0);
	assign();
	join(2, 1, 60);
	assert_false(assign());
	join(2, 1, 60);
	assert_true(assign());
	join(2, 2, 61);
	assert_false(assign());
	assert_int_equal(count(1, SLUICE_STEER_RETIRED), 1);
	assert_int_equal(count(2, SLUICE_STEER_ACTIVE), 4);
}

/* The server closes six of eight sockets; its restart is a new generation. */
static void test_shrunk(void **state)
{
	int i;

	join(1, 8, 0);
	assign();
	for (i = 0; i < 6; i++)
		leave_one(1);
	assert_false(assign());
	join(2, 2, 10);
	assert_true(assign());
	assert_int_equal(count(1, SLUICE_STEER_RETIRED), 2);
}

/* A restart with far fewer workers is not recognised; the next restart is. */
static void test_shrunk_by_restart(void **state)
{
	join(1, 8, 0);
	assign();
	join(2, 2, 10);
	assert_false(assign());
	leave(1);
	assert_false(assign());
	join(3, 2, 20);
	assert_true(assign());
	assert_int_equal(count(2, SLUICE_STEER_RETIRED), 2);
}

/* A missing instance is not expected back forever. */
static void test_forgotten(void **state)
{
	join(1, 2, 0);
	join(2, 2, 0);
	assign();
	leave(1);
	assign();
	join(3, 2, 61);
	assert_true(assign());
	assert_int_equal(count(2, SLUICE_STEER_RETIRED), 2);
}

/* When one of several workers is forgotten, the last worker does not succeed its live siblings. */
static void test_sibling_is_no_successor(void **state)
{
	join(1, 2, 0);
	join(2, 2, 0);
	assign();
	join(3, 2, 100);
	assert_false(assign());
	leave(1);
	assign();
	now_s = 200;
	assert_false(assign());
	now_s = 300;
	assert_false(assign());
	assert_int_equal(count(2, SLUICE_STEER_ACTIVE), 2);
	assert_int_equal(count(3, SLUICE_STEER_ACTIVE), 2);
}

static bool promote(uint64_t instance)
{
	bool selected[SLOTS];
	int i;

	for (i = 0; i < SLOTS; i++)
		selected[i] = slots[i].instance == instance;
	return generation_promote(slots, SLOTS, selected, &past);
}

static void test_promote(void **state)
{
	join(1, 1, 0);
	join(2, 1, 60);
	assign();
	assert_true(promote(2));
	assert_false(promote(2));
	assert_false(assign());
	assert_int_equal(count(1, SLUICE_STEER_RETIRED), 1);
	assert_int_equal(count(2, SLUICE_STEER_ACTIVE), 1);
	/* and promote the first instance again */
	assert_true(promote(1));
	assert_false(assign());
	assert_int_equal(count(1, SLUICE_STEER_ACTIVE), 1);
	assert_int_equal(count(2, SLUICE_STEER_RETIRED), 1);
	/* the promoted instance dies */
	leave(1);
	assert_false(assign());
	assert_int_equal(count(2, SLUICE_STEER_ACTIVE), 1);
}

/* A later socket of a promoted instance is promoted too, even if all sockets are one instance. */
static void test_promote_and_more(void **state)
{
	bool selected[SLOTS] = { [1] = true };

	join(1, 2, 0);
	assign();
	assert_true(generation_promote(slots, SLOTS, selected, &past));
	join(1, 1, 60);
	assert_false(assign());
	assert_int_equal(slots[0].state, SLUICE_STEER_RETIRED);
	assert_int_equal(slots[1].state, SLUICE_STEER_ACTIVE);
	assert_int_equal(slots[2].state, SLUICE_STEER_ACTIVE);
}

static void test_restart_after_promote(void **state)
{
	join(1, 4, 0);
	assign();
	join(2, 1, 60);
	assign();
	promote(2);
	promote(1);
	leave(2);
	assign();
	join(3, 4, 120);
	assert_true(assign());
	assert_int_equal(count(3, SLUICE_STEER_ACTIVE), 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_empty, start),
		cmocka_unit_test_setup(test_first, start),
		cmocka_unit_test_setup(test_restart, start),
		cmocka_unit_test_setup(test_restart_by_and_by, start),
		cmocka_unit_test_setup(test_one_more_worker, start),
		cmocka_unit_test_setup(test_started_together, start),
		cmocka_unit_test_setup(test_fall_back, start),
		cmocka_unit_test_setup(test_draining, start),
		cmocka_unit_test_setup(test_more_sockets, start),
		cmocka_unit_test_setup(test_successor_of_the_dead, start),
		cmocka_unit_test_setup(test_ten_restarts, start),
		cmocka_unit_test_setup(test_old_opens_more, start),
		cmocka_unit_test_setup(test_old_closes_it, start),
		cmocka_unit_test_setup(test_old_reopens, start),
		cmocka_unit_test_setup(test_fewer, start),
		cmocka_unit_test_setup(test_far_fewer, start),
		cmocka_unit_test_setup(test_successor_of_a_pair, start),
		cmocka_unit_test_setup(test_workers_of_one_socket, start),
		cmocka_unit_test_setup(test_one_socket_to_four, start),
		cmocka_unit_test_setup(test_shrunk, start),
		cmocka_unit_test_setup(test_shrunk_by_restart, start),
		cmocka_unit_test_setup(test_forgotten, start),
		cmocka_unit_test_setup(test_sibling_is_no_successor, start),
		cmocka_unit_test_setup(test_promote, start),
		cmocka_unit_test_setup(test_promote_and_more, start),
		cmocka_unit_test_setup(test_restart_after_promote, start),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
