// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pool of TCP connections to a peer: each rule separately, then random simulations that check
 * the invariants after each step.
 */
#include "meet/pool.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS     1000000ULL
#define SECOND (1000 * MS)
#define MINUTE (60 * SECOND)
#define NEVER  UINT64_MAX

static struct {
	struct pool *pool;
	struct pool_options options;
	uint64_t now_ns;
	uint64_t random_bits; /* that the next member gets */
} bed;

/* Names of waiters. */
static char alice, bob, carol;

static void fixed_random(void *buffer, size_t size, void *arg)
{
	assert_ptr_equal(arg, &bed);
	assert_int_equal(size, sizeof(bed.random_bits));
	memcpy(buffer, &bed.random_bits, size);
}

/* Starts with an empty pool. */
static void start(struct pool_options options)
{
	pool_free(bed.pool);
	bed.pool = NULL;
	options.max = options.max ? options.max : 4;
	options.queue = options.queue ? options.queue : 8;
	options.acquire_ns = options.acquire_ns ? options.acquire_ns : 10 * SECOND;
	options.random = fixed_random;
	options.arg = &bed;
	bed.options = options;
	bed.now_ns = 1000 * SECOND;
	bed.random_bits = 0;
	assert_int_equal(pool_new(&bed.pool, &options), 0);
}

/* Starts with a pool of a peer that can be reached. */
static void start_up(struct pool_options options)
{
	start(options);
	pool_set_up(bed.pool, true);
}

static int teardown(void **state)
{
	pool_free(bed.pool);
	bed.pool = NULL;
	return 0;
}

static void expect(enum pool_action_kind kind, unsigned int member, const void *waiter,
		   enum pool_reason reason)
{
	struct pool_action action;

	assert_true(pool_next(bed.pool, &action, bed.now_ns));
	assert_int_equal(action.kind, kind);
	if (kind != POOL_REFUSE)
		assert_int_equal(action.member, member);
	assert_ptr_equal(action.waiter, waiter);
	assert_int_equal(action.reason, reason);
}

static void expect_create(unsigned int member)
{
	expect(POOL_CREATE, member, NULL, POOL_REASON_NONE);
}

static void expect_test(unsigned int member)
{
	expect(POOL_TEST, member, NULL, POOL_REASON_NONE);
}

static void expect_close(unsigned int member, enum pool_reason reason)
{
	expect(POOL_CLOSE, member, NULL, reason);
}

static void expect_give(unsigned int member, const void *waiter)
{
	expect(POOL_GIVE, member, waiter, POOL_REASON_NONE);
}

static void expect_refuse(const void *waiter, enum pool_reason reason)
{
	expect(POOL_REFUSE, 0, waiter, reason);
}

/* Expects no action now, and no earlier wake-up than @due_ns from now; NEVER: none. */
static void expect_due(uint64_t due_ns)
{
	struct pool_action action = { .member = 77 };

	assert_false(pool_next(bed.pool, &action, bed.now_ns));
	assert_int_equal(action.member, 77);
	assert_true(pool_due_ns(bed.pool) == (due_ns == NEVER ? NEVER : bed.now_ns + due_ns));
}

static void wait_ns(uint64_t span_ns)
{
	struct pool_action action;

	/* nothing happens before the due time */
	bed.now_ns += span_ns - 1;
	assert_false(pool_next(bed.pool, &action, bed.now_ns));
	bed.now_ns++;
}

static void acquire(void *waiter)
{
	assert_true(pool_acquire(bed.pool, waiter, bed.now_ns));
}

static void created(unsigned int member)
{
	pool_created(bed.pool, member, bed.now_ns);
}

static void lost(unsigned int member)
{
	pool_lost(bed.pool, member, bed.now_ns);
}

static void tested(unsigned int member, bool answered)
{
	pool_tested(bed.pool, member, answered, bed.now_ns);
}

static void release(unsigned int member)
{
	pool_release(bed.pool, member, bed.now_ns);
}

static struct pool_view view(void)
{
	return pool_view(bed.pool);
}

/* Creates @count members by demand, lends them, and releases them in order, 1 ms apart. */
static void fill(unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		acquire(&alice);
		expect_create(i);
		created(i);
		expect_give(i, &alice);
	}
	for (i = 0; i < count; i++) {
		release(i);
		bed.now_ns += MS;
	}
}

/* --- options */

static void test_options(void **state)
{
	static const struct pool_options wrong[] = {
		{ .max = 0, .queue = 1 },
		{ .max = POOL_MEMBERS_MAX + 1, .queue = 1 },
		{ .max = 2, .min_idle = 3, .queue = 1 },
		{ .max = 2, .queue = 0 },
		{ .max = 2, .queue = POOL_QUEUE_MAX + 1 },
		{ .max = 2, .queue = 1, .life_ns = 1 },
	};
	struct pool_options right = { .max = POOL_MEMBERS_MAX,
				      .min_idle = POOL_MEMBERS_MAX,
				      .queue = POOL_QUEUE_MAX };
	struct pool *pool = NULL;
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(pool_new(&pool, &wrong[i]), -EINVAL);
		assert_null(pool);
	}
	assert_int_equal(pool_new(&pool, &right), 0);
	pool_free(pool);
	pool_free(NULL);
}

/* --- demand */

static void test_demand(void **state)
{
	start_up((struct pool_options){ 0 });
	expect_due(NEVER);
	acquire(&alice);
	acquire(&bob);
	expect_create(0);
	expect_create(1);
	expect_due(10 * SECOND);
	assert_int_equal(view().creating, 2);
	assert_int_equal(view().waiters, 2);
	/* in order of the waiters, whichever member is first */
	created(1);
	expect_give(1, &alice);
	created(0);
	expect_give(0, &bob);
	expect_due(NEVER);
	assert_int_equal(view().borrowed, 2);
	assert_int_equal(view().created, 2);
	assert_int_equal(view().given, 2);
}

/* A creation that lasts counts. So the number of creations never exceeds max. */
static void test_max(void **state)
{
	start_up((struct pool_options){ .max = 2 });
	acquire(&alice);
	acquire(&bob);
	acquire(&carol);
	expect_create(0);
	expect_create(1);
	expect_due(10 * SECOND);
	wait_ns(10 * SECOND);
	expect_refuse(&alice, POOL_REASON_TIMEOUT);
	expect_refuse(&bob, POOL_REASON_TIMEOUT);
	expect_refuse(&carol, POOL_REASON_TIMEOUT);
	acquire(&alice);
	acquire(&bob);
	acquire(&carol);
	expect_due(10 * SECOND);
	assert_int_equal(view().refused, 3);
	/* the third waits for a release */
	created(0);
	expect_give(0, &alice);
	created(1);
	expect_give(1, &bob);
	expect_due(10 * SECOND);
	release(0);
	expect_give(0, &carol);
	/* the index of a lost borrowed member is free */
	acquire(&alice);
	expect_due(10 * SECOND);
	lost(1);
	expect_create(1);
	assert_int_equal(view().lost, 1);
}

static void test_timeout_is_exact(void **state)
{
	start_up((struct pool_options){ .max = 1, .acquire_ns = 3 * SECOND });
	acquire(&alice);
	expect_create(0);
	bed.now_ns += SECOND;
	acquire(&bob);
	expect_due(2 * SECOND);
	wait_ns(2 * SECOND);
	expect_refuse(&alice, POOL_REASON_TIMEOUT);
	expect_due(SECOND);
	/* a member that is ready at the last moment is given */
	wait_ns(SECOND);
	created(0);
	expect_give(0, &bob);
	expect_due(NEVER);
}

static void test_queue(void **state)
{
	start_up((struct pool_options){ .max = 1, .queue = 2 });
	acquire(&alice);
	acquire(&bob);
	assert_false(pool_acquire(bed.pool, &carol, bed.now_ns));
	assert_int_equal(view().waiters, 2);
	assert_int_equal(view().refused, 1);
	expect_create(0);
	created(0);
	expect_give(0, &alice);
	acquire(&carol);
	release(0);
	expect_give(0, &bob);
	release(0);
	expect_give(0, &carol);
}

static void test_cancel(void **state)
{
	start_up((struct pool_options){ .max = 2, .queue = 2 });
	acquire(&alice);
	acquire(&bob);
	pool_cancel(bed.pool, &alice);
	pool_cancel(bed.pool, &alice);
	acquire(&carol);
	expect_create(0);
	expect_create(1);
	created(0);
	expect_give(0, &bob);
	pool_cancel(bed.pool, &bob); /* after its answer */
	pool_cancel(bed.pool, &carol);
	assert_int_equal(view().waiters, 0);
	assert_int_equal(view().borrowed, 1);
	/* the member that carol no longer needs is kept */
	created(1);
	expect_due(NEVER);
	assert_int_equal(view().idle, 1);
	acquire(&carol);
	expect_give(1, &carol);
}

/* --- order */

static void test_lifo(void **state)
{
	start_up((struct pool_options){ 0 });
	fill(3);
	acquire(&alice);
	expect_give(2, &alice);
	acquire(&bob);
	expect_give(1, &bob);
	release(2);
	acquire(&carol);
	expect_give(2, &carol);
}

static void test_fifo(void **state)
{
	start_up((struct pool_options){ .fifo = true });
	fill(3);
	acquire(&alice);
	expect_give(0, &alice);
	release(0);
	acquire(&alice);
	expect_give(1, &alice);
	/* after a test, the member keeps its turn */
	bed.now_ns += SECOND;
	acquire(&bob);
	expect_test(2);
	tested(2, true);
	expect_give(2, &bob);
}

/* --- tests */

static void test_borrow(void **state)
{
	start_up((struct pool_options){ 0 });
	fill(1); /* released 1 ms ago */
	bed.now_ns += 499 * MS;
	acquire(&alice);
	expect_give(0, &alice);
	release(0);
	bed.now_ns += 500 * MS + 1;
	acquire(&alice);
	expect_test(0);
	expect_due(10 * SECOND);
	assert_int_equal(view().testing, 1);
	tested(0, true);
	expect_give(0, &alice);
	expect_due(NEVER);
	/* a test counts, even if its waiter is gone */
	release(0);
	bed.now_ns += SECOND;
	acquire(&alice);
	expect_test(0);
	pool_cancel(bed.pool, &alice);
	tested(0, true);
	expect_due(NEVER);
	bed.now_ns += 500 * MS;
	acquire(&bob);
	expect_give(0, &bob);
}

static void test_created_needs_no_test(void **state)
{
	start_up((struct pool_options){ .min_idle = 1 });
	expect_create(0);
	created(0);
	bed.now_ns += 500 * MS;
	acquire(&alice);
	expect_give(0, &alice);
}

static void test_unanswered(void **state)
{
	start_up((struct pool_options){ 0 });
	fill(2);
	bed.now_ns += SECOND;
	acquire(&alice);
	expect_test(1);
	tested(1, false);
	expect_close(1, POOL_REASON_UNANSWERED);
	expect_test(0);
	/* the member dies during the test */
	lost(0);
	expect_create(0);
	created(0);
	expect_give(0, &alice);
	assert_int_equal(view().tests_failed, 1);
	assert_int_equal(view().lost, 1);
}

/* The waiter gets the first member that is ready. */
static void test_release_during_test(void **state)
{
	start_up((struct pool_options){ 0 });
	fill(2);
	acquire(&alice);
	expect_give(1, &alice);
	bed.now_ns += SECOND;
	acquire(&bob);
	expect_test(0);
	release(1);
	expect_give(1, &bob);
	expect_due(NEVER);
	tested(0, true);
	expect_due(NEVER);
	assert_int_equal(view().idle, 1);
}

/* There are at most as many tests as waiters, also while a member is created for min_idle. */
static void test_parallel_tests(void **state)
{
	start_up((struct pool_options){ .min_idle = 3 });
	expect_create(0);
	created(0);
	expect_create(1);
	created(1);
	expect_create(2);
	bed.now_ns += SECOND;
	acquire(&alice);
	expect_test(1);
	expect_due(10 * SECOND);
	acquire(&bob);
	expect_test(0);
	expect_due(10 * SECOND);
	assert_int_equal(view().creating, 1);
}

/* --- failures */

static void test_fails_fast(void **state)
{
	start_up((struct pool_options){ 0 });
	acquire(&alice);
	acquire(&bob);
	expect_create(0);
	expect_create(1);
	lost(0);
	expect_due(SECOND); /* the second may succeed */
	lost(1);
	expect_refuse(&alice, POOL_REASON_FAILED);
	expect_refuse(&bob, POOL_REASON_FAILED);
	acquire(&carol);
	expect_refuse(&carol, POOL_REASON_FAILED);
	expect_due(NEVER);
	assert_int_equal(view().failed, 2);
	assert_int_equal(view().refused, 3);
	/* two failures at a time back off once */
	bed.now_ns += SECOND;
	acquire(&alice);
	expect_create(0);
}

static void test_back_off(void **state)
{
	static const unsigned int seconds[] = { 1, 2, 4, 8, 16, 30, 30 };
	size_t i;

	start_up((struct pool_options){ .min_idle = 1 });
	for (i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
		expect_create(0);
		expect_due(NEVER);
		bed.now_ns += 3 * SECOND; /* the time of the creation */
		lost(0);
		expect_due(seconds[i] * SECOND);
		wait_ns(seconds[i] * SECOND);
	}
	/* a success resets it */
	expect_create(0);
	created(0);
	expect_due(NEVER);
	lost(0);
	expect_due(SECOND);
	wait_ns(SECOND);
	expect_create(0);
	lost(0);
	expect_due(SECOND);
	/* a new path also does */
	wait_ns(SECOND);
	expect_create(0);
	lost(0);
	expect_due(2 * SECOND);
	pool_set_up(bed.pool, true); /* no change */
	expect_due(2 * SECOND);
	pool_set_up(bed.pool, false);
	expect_due(NEVER);
	pool_set_up(bed.pool, true);
	expect_create(0);
	lost(0);
	expect_due(SECOND);
}

/* During the back-off, waiters wait for other members, and for the end of the back-off. */
static void test_wait_in_back_off(void **state)
{
	start_up((struct pool_options){ .acquire_ns = 5 * SECOND });
	acquire(&alice);
	expect_create(0);
	created(0);
	expect_give(0, &alice);
	acquire(&bob);
	acquire(&carol);
	expect_create(1);
	expect_create(2);
	lost(1);
	lost(2);
	expect_due(SECOND);
	release(0);
	expect_give(0, &bob);
	expect_due(SECOND);
	wait_ns(SECOND);
	expect_create(1);
	lost(1);
	expect_due(2 * SECOND);
	wait_ns(2 * SECOND);
	expect_create(1);
	lost(1);
	expect_due(2 * SECOND);
	wait_ns(2 * SECOND);
	expect_refuse(&carol, POOL_REASON_TIMEOUT);
}

/* If all members are lost in the back-off, the waiters are refused. */
static void test_last_is_lost(void **state)
{
	start_up((struct pool_options){ 0 });
	fill(1);
	acquire(&alice);
	expect_give(0, &alice);
	acquire(&bob);
	expect_create(1);
	lost(1);
	expect_due(SECOND);
	lost(0);
	expect_refuse(&bob, POOL_REASON_FAILED);
	expect_due(NEVER);
}

/* --- min_idle */

static void test_refill(void **state)
{
	start_up((struct pool_options){ .min_idle = 2, .max = 4 });
	expect_create(0);
	expect_due(NEVER); /* one at a time */
	created(0);
	expect_create(1);
	created(1);
	expect_due(NEVER);
	/* demand creates in parallel with the refill */
	acquire(&alice);
	expect_give(1, &alice);
	expect_create(2);
	acquire(&bob);
	expect_give(0, &bob);
	acquire(&carol);
	expect_create(3);
	expect_due(10 * SECOND);
	created(3);
	expect_give(3, &carol);
	created(2);
	expect_due(NEVER); /* max */
	assert_int_equal(view().idle, 1);
	release(0);
	release(1);
	release(3);
	expect_due(NEVER); /* without idle_ns, no member is closed */
	assert_int_equal(view().idle, 4);
}

/* The refill waits after a loss; demand does not. */
static void test_refill_after_loss(void **state)
{
	start_up((struct pool_options){ .min_idle = 1 });
	expect_create(0);
	created(0);
	lost(0);
	expect_due(SECOND);
	acquire(&alice);
	expect_create(0);
	created(0);
	expect_give(0, &alice);
	expect_due(SECOND);
	wait_ns(SECOND);
	expect_create(1);
}

/* --- idle time and life */

static void test_idle(void **state)
{
	start_up((struct pool_options){ .min_idle = 1, .idle_ns = MINUTE });
	expect_create(0);
	created(0);
	expect_due(NEVER); /* min_idle is kept */
	acquire(&alice);
	expect_give(0, &alice);
	expect_create(1);
	created(1);
	expect_due(NEVER);
	bed.now_ns += SECOND;
	release(0);
	expect_due(MINUTE - SECOND);
	/* a test does not extend the idle time */
	bed.now_ns += 10 * SECOND;
	acquire(&alice);
	expect_test(0);
	pool_cancel(bed.pool, &alice);
	tested(0, true);
	expect_due(MINUTE - 11 * SECOND);
	wait_ns(MINUTE - 11 * SECOND);
	expect_close(1, POOL_REASON_IDLE);
	expect_due(NEVER);
	assert_int_equal(view().idle, 1);
	assert_int_equal(view().evicted_idle, 1);
}

/* Of several members that exceed their idle time, those that were idle longest are closed. */
static void test_idle_longest(void **state)
{
	start_up((struct pool_options){ .min_idle = 2, .idle_ns = MINUTE });
	acquire(&alice);
	acquire(&bob);
	acquire(&carol);
	expect_create(0);
	expect_create(1);
	expect_create(2);
	expect_create(3);
	created(0);
	created(1);
	created(2);
	expect_give(2, &alice);
	expect_give(1, &bob);
	expect_give(0, &carol);
	created(3);
	release(2);
	release(1);
	expect_due(MINUTE);
	lost(3);
	bed.now_ns += 2 * MINUTE;
	release(0);
	expect_close(2, POOL_REASON_IDLE);
	expect_due(NEVER);
}

static void test_life(void **state)
{
	const uint64_t life_ns = 100 * SECOND;

	start_up((struct pool_options){ .min_idle = 2, .life_ns = life_ns });
	expect_create(0);
	created(0);
	bed.random_bits = life_ns / 10; /* the largest part */
	expect_create(1);
	created(1);
	expect_due(90 * SECOND);
	wait_ns(90 * SECOND);
	/* also below min_idle, and then replaced */
	expect_close(1, POOL_REASON_OLD);
	bed.random_bits = life_ns / 10 + 1; /* none again */
	expect_create(1);
	created(1);
	expect_due(10 * SECOND);
	assert_int_equal(view().evicted_old, 1);
	/* a borrowed member is closed after its release */
	bed.now_ns += 5 * SECOND;
	acquire(&alice);
	expect_test(1);
	tested(1, true);
	expect_give(1, &alice);
	expect_create(2);
	created(2);
	expect_due(5 * SECOND);
	wait_ns(5 * SECOND);
	expect_close(0, POOL_REASON_OLD);
	expect_create(0);
	created(0);
	bed.now_ns += 85 * SECOND;
	expect_due(10 * SECOND);
	bed.now_ns += 5 * SECOND;
	release(1);
	acquire(&bob);
	expect_close(1, POOL_REASON_OLD);
	expect_test(0);
}

/* Lends members 0 and 1, which is the older one, while a spare is idle. Releases 1 at its end. */
static void check_old_before_idle(unsigned int spare)
{
	start_up(
		(struct pool_options){ .min_idle = 1, .idle_ns = MINUTE, .life_ns = 120 * SECOND });
	expect_create(0);
	created(0);
	acquire(&alice);
	expect_give(0, &alice);
	expect_create(1);
	bed.random_bits = 12 * SECOND;
	created(1);
	bed.random_bits = 0;
	acquire(&bob);
	expect_give(1, &bob);
	expect_create(2);
	if (spare == 2) {
		created(2);
	} else {
		lost(2);
		release(0);
	}
	expect_due(120 * SECOND);
	wait_ns(108 * SECOND);
	release(1);
	expect_close(1, POOL_REASON_OLD);
	expect_due(12 * SECOND);
	assert_int_equal(view().evicted_idle, 0);
}

/*
 * An old member is closed before another that exceeds its idle time, so that min_idle keeps the
 * other one. Their indexes do not matter.
 */
static void test_old_before_idle(void **state)
{
	check_old_before_idle(0);
	check_old_before_idle(2);
}

/* --- the peer goes down */

static void test_down(void **state)
{
	start((struct pool_options){ .min_idle = 1 });
	expect_due(NEVER);
	acquire(&alice);
	expect_refuse(&alice, POOL_REASON_DOWN);
	pool_set_up(bed.pool, true);
	/* one member in each state */
	expect_create(0);
	created(0);
	acquire(&alice);
	expect_give(0, &alice);
	expect_create(1);
	created(1);
	bed.now_ns += SECOND;
	acquire(&bob);
	expect_test(1);
	expect_create(2);
	created(2);
	expect_give(2, &bob);
	release(2);
	acquire(&bob);
	expect_give(2, &bob);
	acquire(&carol);
	expect_create(3);
	release(2);
	pool_set_up(bed.pool, false);
	expect_close(3, POOL_REASON_DOWN);
	expect_close(1, POOL_REASON_DOWN);
	expect_close(2, POOL_REASON_DOWN);
	expect_refuse(&carol, POOL_REASON_DOWN);
	acquire(&carol);
	expect_refuse(&carol, POOL_REASON_DOWN);
	expect_due(NEVER);
	assert_int_equal(view().borrowed, 1);
	assert_int_equal(view().creating + view().idle + view().testing, 0);
	release(0);
	expect_close(0, POOL_REASON_DOWN);
	expect_due(NEVER);
	assert_int_equal(view().lost + view().failed, 0);
}

/* A borrowed member survives a short time down, because its connection may. */
static void test_up_again(void **state)
{
	start_up((struct pool_options){ 0 });
	acquire(&alice);
	expect_create(0);
	created(0);
	expect_give(0, &alice);
	pool_set_up(bed.pool, false);
	expect_due(NEVER);
	pool_set_up(bed.pool, true);
	release(0);
	expect_due(NEVER);
	assert_int_equal(view().idle, 1);
}

/* Reports of a member that was closed have no effect. */
static void test_late_reports(void **state)
{
	start_up((struct pool_options){ 0 });
	acquire(&alice);
	expect_create(0);
	pool_set_up(bed.pool, false);
	expect_close(0, POOL_REASON_DOWN);
	expect_refuse(&alice, POOL_REASON_DOWN);
	created(0);
	tested(0, true);
	release(0);
	lost(0);
	created(bed.options.max);
	tested(bed.options.max, true);
	release(bed.options.max);
	lost(bed.options.max);
	assert_int_equal(view().created + view().lost + view().failed, 0);
	assert_int_equal(view().idle + view().borrowed, 0);
	expect_due(NEVER);
	/* a failed test, and then the loss, before the pool closes the member */
	pool_set_up(bed.pool, true);
	fill(1);
	bed.now_ns += SECOND;
	acquire(&alice);
	expect_test(0);
	tested(0, false);
	tested(0, true);
	lost(0);
	expect_create(0);
}

/* --- a random simulation */

#define STEPS	100000
#define WAITERS 12

struct sim_member {
	enum {
		SIM_FREE,
		SIM_CREATING,
		SIM_IDLE,
		SIM_TESTING,
		SIM_BORROWED
	} state;
	uint64_t last_ns; /* it was given, created or tested */
	uint64_t born_ns;
};

struct sim_waiter {
	bool waits;
	uint64_t since_ns;
};

static struct {
	uint64_t random;
	struct sim_member member[POOL_MEMBERS_MAX];
	struct sim_waiter waiter[WAITERS];
	uint64_t acquired, given, refused, cancelled;
	uint64_t failed_ns; /* last failed creation; 0: none since the last success */
	bool up, fails;
	unsigned int reasons; /* bits */
} sim;

static uint64_t sim_random(void)
{
	sim.random ^= sim.random >> 12;
	sim.random ^= sim.random << 25;
	sim.random ^= sim.random >> 27;
	return sim.random * 0x2545f4914f6cdd1dULL;
}

static uint64_t below(uint64_t bound)
{
	return sim_random() % bound;
}

static void random_bytes(void *buffer, size_t size, void *arg)
{
	uint64_t value = sim_random();

	memcpy(buffer, &value, size);
}

static unsigned int sim_count(int state)
{
	unsigned int i, count = 0;

	for (i = 0; i < POOL_MEMBERS_MAX; i++)
		count += (int)sim.member[i].state == state;
	return count;
}

static unsigned int sim_members(void)
{
	return POOL_MEMBERS_MAX - sim_count(SIM_FREE);
}

static void sim_answer(struct sim_waiter *waiter)
{
	assert_true(waiter->waits);
	waiter->waits = false;
}

static void sim_refuse(const struct pool_action *action)
{
	struct sim_waiter *waiter = action->waiter;

	sim_answer(waiter);
	sim.refused++;
	switch (action->reason) {
	case POOL_REASON_DOWN:
		assert_false(sim.up);
		break;
	case POOL_REASON_TIMEOUT:
		assert_true(bed.now_ns - waiter->since_ns == bed.options.acquire_ns);
		break;
	default:
		assert_int_equal(action->reason, POOL_REASON_FAILED);
		assert_int_equal(sim_members(), 0);
		assert_true(bed.now_ns < sim.failed_ns + POOL_BACK_OFF_MAX_NS);
	}
}

/* Checks an action, and carries it out. */
static void sim_act(const struct pool_action *action)
{
	struct sim_member *member = &sim.member[action->member];

	assert_true(action->member < bed.options.max);
	sim.reasons |= 1U << action->reason;
	switch (action->kind) {
	case POOL_CREATE:
		assert_true(sim.up);
		assert_int_equal(member->state, SIM_FREE);
		member->state = SIM_CREATING;
		break;
	case POOL_TEST:
		assert_int_equal(member->state, SIM_IDLE);
		assert_true(bed.now_ns - member->last_ns > POOL_PROVEN_NS);
		member->state = SIM_TESTING;
		break;
	case POOL_CLOSE:
		assert_int_not_equal(member->state, SIM_FREE);
		assert_int_not_equal(member->state, SIM_BORROWED);
		if (action->reason == POOL_REASON_DOWN)
			assert_false(sim.up);
		if (action->reason == POOL_REASON_OLD)
			assert_true(bed.now_ns - member->born_ns >=
				    bed.options.life_ns - bed.options.life_ns / 10);
		if (action->reason == POOL_REASON_IDLE)
			assert_true(sim_count(SIM_IDLE) > bed.options.min_idle);
		member->state = SIM_FREE;
		break;
	case POOL_GIVE:
		assert_int_equal(member->state, SIM_IDLE);
		assert_true(bed.now_ns - member->last_ns <= POOL_PROVEN_NS);
		member->state = SIM_BORROWED;
		sim_answer(action->waiter);
		sim.given++;
		break;
	case POOL_REFUSE:
		sim_refuse(action);
		break;
	}
}

static void sim_check(void)
{
	struct pool_view view = pool_view(bed.pool);
	unsigned int i, waiting = 0;

	assert_true(sim_members() <= bed.options.max);
	assert_int_equal(view.creating, sim_count(SIM_CREATING));
	assert_int_equal(view.idle, sim_count(SIM_IDLE));
	assert_int_equal(view.testing, sim_count(SIM_TESTING));
	assert_int_equal(view.borrowed, sim_count(SIM_BORROWED));
	for (i = 0; i < WAITERS; i++) {
		waiting += sim.waiter[i].waits;
		if (sim.waiter[i].waits)
			assert_true(bed.now_ns - sim.waiter[i].since_ns < bed.options.acquire_ns);
	}
	assert_int_equal(view.waiters, waiting);
	assert_true(!waiting || sim_members()); /* else it fails fast */
	assert_int_equal(view.given, sim.given);
	assert_int_equal(view.refused, sim.refused);
	assert_int_equal(sim.acquired, sim.given + sim.refused + sim.cancelled + waiting);
	assert_true(pool_due_ns(bed.pool) > bed.now_ns);
}

static void sim_lose(unsigned int index)
{
	if (sim.member[index].state == SIM_CREATING)
		sim.failed_ns = bed.now_ns;
	sim.member[index].state = SIM_FREE;
	lost(index);
}

/* Carries out the actions of this time. Creations and tests may fail at once, without a loop. */
static void sim_run(void)
{
	struct pool_action action;
	unsigned int actions = 0;

	while (pool_next(bed.pool, &action, bed.now_ns)) {
		sim_act(&action);
		if (action.kind == POOL_CREATE && sim.fails && !below(3)) {
			sim_lose(action.member);
		}
		assert_true(++actions <= 4 * (POOL_MEMBERS_MAX + WAITERS));
	}
	sim_check();
}

/* Lets time pass, with each due time on the way. */
static void sim_wait(uint64_t span_ns)
{
	uint64_t end_ns = bed.now_ns + span_ns;

	sim_run();
	while (pool_due_ns(bed.pool) <= end_ns) {
		bed.now_ns = pool_due_ns(bed.pool);
		sim_run();
	}
	bed.now_ns = end_ns;
	sim_run();
}

static void sim_acquire(struct sim_waiter *waiter)
{
	if (waiter->waits)
		return;
	sim.acquired++;
	if (pool_acquire(bed.pool, waiter, bed.now_ns)) {
		*waiter = (struct sim_waiter){ true, bed.now_ns };
		return;
	}
	assert_int_equal(pool_view(bed.pool).waiters, bed.options.queue);
	sim.refused++;
}

static void sim_cancel(struct sim_waiter *waiter)
{
	pool_cancel(bed.pool, waiter);
	sim.cancelled += waiter->waits;
	waiter->waits = false;
}

/* Ends what the member does, by success or not. */
static void sim_report(unsigned int index)
{
	struct sim_member *member = &sim.member[index];

	if (member->state == SIM_FREE)
		return;
	if (!below(10) || (member->state == SIM_CREATING && sim.fails)) {
		if (member->state == SIM_CREATING && !sim.fails)
			return;
		sim_lose(index);
		return;
	}
	switch (member->state) {
	case SIM_CREATING:
		created(index);
		member->born_ns = bed.now_ns;
		sim.failed_ns = 0;
		break;
	case SIM_TESTING:
		if (!below(4)) {
			tested(index, false); /* a POOL_CLOSE follows */
			return;
		}
		tested(index, true);
		break;
	case SIM_BORROWED:
		release(index);
		break;
	default:
		return;
	}
	member->last_ns = bed.now_ns;
	member->state = SIM_IDLE;
}

static void sim_step(void)
{
	static const uint64_t spans_ns[] = { 1,	     MS,	 100 * MS,    501 * MS,
					     SECOND, 7 * SECOND, 20 * SECOND, 2 * MINUTE };
	unsigned int member = (unsigned int)below(bed.options.max);
	struct sim_waiter *waiter = &sim.waiter[below(WAITERS)];

	switch (below(16)) {
	case 0 ... 4:
		sim_acquire(waiter);
		break;
	case 5:
		sim_cancel(waiter);
		break;
	case 6 ... 11:
		sim_report(member);
		break;
	case 12:
		if (!below(sim.up ? 40 : 4)) {
			sim.up = !sim.up;
			pool_set_up(bed.pool, sim.up);
		}
		break;
	case 13:
		if (!below(sim.fails ? 4 : 20))
			sim.fails = !sim.fails;
		break;
	default:
		sim_wait(spans_ns[below(sizeof(spans_ns) / sizeof(spans_ns[0]))]);
		return;
	}
	if (below(4)) /* sometimes, several events precede the actions */
		sim_run();
}

/* If creations succeed, min_idle is reached while no member is borrowed. */
static void sim_settle(void)
{
	unsigned int i, rounds;

	sim.up = true;
	sim.fails = false;
	pool_set_up(bed.pool, true);
	for (i = 0; i < WAITERS; i++)
		sim_cancel(&sim.waiter[i]);
	sim_run();
	for (rounds = 0; sim_count(SIM_IDLE) < bed.options.min_idle; rounds++) {
		assert_true(rounds < 100);
		for (i = 0; i < bed.options.max; i++)
			if (sim.member[i].state != SIM_IDLE)
				sim_report(i);
		sim_wait(SECOND);
	}
}

static void sim_start(uint64_t seed)
{
	memset(&sim, 0, sizeof(sim));
	sim.random = seed * 0x9e3779b97f4a7c15ULL + 1;
	pool_free(bed.pool);
	bed.options = (struct pool_options){
		.max = 1 + (unsigned int)below(seed % 2 ? 6 : POOL_MEMBERS_MAX),
		.queue = 1 + (unsigned int)below(WAITERS),
		.acquire_ns = SECOND * (1 + below(30)),
		.idle_ns = below(2) * MINUTE,
		.life_ns = below(2) * 10 * MINUTE,
		.fifo = below(2),
		.random = random_bytes,
	};
	bed.options.min_idle = (unsigned int)below(bed.options.max + 1);
	assert_int_equal(pool_new(&bed.pool, &bed.options), 0);
	bed.now_ns = 1 + below(NEVER / 2);
}

static void test_random(void **state)
{
	unsigned int seed, step, reasons = 0;

	for (seed = 1; seed <= 10; seed++) {
		sim_start(seed);
		for (step = 0; step < STEPS; step++) {
			sim_step();
			if (step % 10000 == 9999)
				sim_settle();
		}
		reasons |= sim.reasons;
	}
	assert_int_equal(reasons, (1U << (POOL_REASON_IDLE + 1)) - 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_options),
		cmocka_unit_test_teardown(test_demand, teardown),
		cmocka_unit_test_teardown(test_max, teardown),
		cmocka_unit_test_teardown(test_timeout_is_exact, teardown),
		cmocka_unit_test_teardown(test_queue, teardown),
		cmocka_unit_test_teardown(test_cancel, teardown),
		cmocka_unit_test_teardown(test_lifo, teardown),
		cmocka_unit_test_teardown(test_fifo, teardown),
		cmocka_unit_test_teardown(test_borrow, teardown),
		cmocka_unit_test_teardown(test_created_needs_no_test, teardown),
		cmocka_unit_test_teardown(test_unanswered, teardown),
		cmocka_unit_test_teardown(test_release_during_test, teardown),
		cmocka_unit_test_teardown(test_parallel_tests, teardown),
		cmocka_unit_test_teardown(test_fails_fast, teardown),
		cmocka_unit_test_teardown(test_back_off, teardown),
		cmocka_unit_test_teardown(test_wait_in_back_off, teardown),
		cmocka_unit_test_teardown(test_last_is_lost, teardown),
		cmocka_unit_test_teardown(test_refill, teardown),
		cmocka_unit_test_teardown(test_refill_after_loss, teardown),
		cmocka_unit_test_teardown(test_idle, teardown),
		cmocka_unit_test_teardown(test_idle_longest, teardown),
		cmocka_unit_test_teardown(test_life, teardown),
		cmocka_unit_test_teardown(test_old_before_idle, teardown),
		cmocka_unit_test_teardown(test_down, teardown),
		cmocka_unit_test_teardown(test_up_again, teardown),
		cmocka_unit_test_teardown(test_late_reports, teardown),
		cmocka_unit_test_teardown(test_random, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
