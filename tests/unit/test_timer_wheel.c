// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The timer wheel: a timer expires at most a tick early and never late, whatever was set, deferred
 * or removed before. The wheel does not visit empty ticks.
 */
#include "base/timer_wheel.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define TICK   250000000ULL
#define SECOND 1000000000ULL

struct probe {
	struct timer timer;
	uint64_t due_ns;
	unsigned int fired;
};

struct run {
	struct timer_wheel wheel;
	uint64_t now_ns;
	uint64_t repeat_ns; /* repeat interval; 0: once */
	struct timer *victim;
};

static void on_timer(struct timer *timer, void *arg)
{
	struct probe *probe = (struct probe *)timer;
	struct run *run = arg;

	assert_false(timer_runs(timer));
	probe->fired++;
	/* at most a tick early */
	assert_true(probe->due_ns / TICK * TICK <= run->now_ns);
	if (run->victim)
		timer_wheel_remove(&run->wheel, run->victim);
	run->victim = NULL;
	if (!run->repeat_ns)
		return;
	probe->due_ns = run->now_ns + run->repeat_ns;
	timer_wheel_set(&run->wheel, timer, probe->due_ns);
}

static size_t expire(struct run *run, uint64_t now_ns)
{
	run->now_ns = now_ns;
	return timer_wheel_expire(&run->wheel, now_ns, on_timer, run);
}

static void set(struct run *run, struct probe *probe, uint64_t due_ns)
{
	probe->due_ns = due_ns;
	timer_wheel_set(&run->wheel, &probe->timer, due_ns);
}

/* Wakes up when the wheel requests it, up to @end_ns. Returns the number of wake-ups. */
static size_t follow(struct run *run, uint64_t end_ns)
{
	size_t wakeups = 0;
	uint64_t at;

	while (timer_wheel_next(&run->wheel, &at) && at <= end_ns) {
		assert_true(at > run->now_ns);
		expire(run, at);
		wakeups++;
	}
	expire(run, end_ns);
	return wakeups;
}

static void start(struct run *run, uint64_t now_ns)
{
	memset(run, 0, sizeof(*run));
	run->now_ns = now_ns;
	timer_wheel_init(&run->wheel, now_ns, TICK);
}

static void test_empty(void **state)
{
	struct run run;
	uint64_t at;

	start(&run, 5 * SECOND);
	assert_false(timer_wheel_next(&run.wheel, &at));
	assert_int_equal(expire(&run, 1000000 * SECOND), 0);
}

static void test_exact(void **state)
{
	static const uint64_t delays[] = {
		1,	     TICK - 1,	  TICK,	       63 * TICK,     64 * TICK,       65 * TICK,
		4095 * TICK, 4096 * TICK, 4097 * TICK, 262144 * TICK, 300000000 * TICK
	};
	struct run run;
	size_t i, from;

	/* from every position of the lowest levels */
	for (from = 0; from < 70; from++)
		for (i = 0; i < sizeof(delays) / sizeof(*delays); i++) {
			uint64_t begin = (4096 * 64 + from * 61) * TICK + 7;
			struct probe probe = { .fired = 0 };
			uint64_t first;

			start(&run, begin);
			set(&run, &probe, begin + delays[i]);
			/* in the current tick: fires at the next tick */
			first = probe.due_ns / TICK > begin / TICK ? probe.due_ns / TICK * TICK
								   : (begin / TICK + 1) * TICK;
			follow(&run, first - 1);
			assert_int_equal(probe.fired, 0);
			expire(&run, first);
			assert_int_equal(probe.fired, 1);
			assert_int_equal(run.wheel.count, 0);
		}
}

static void test_past_is_next_tick(void **state)
{
	struct probe probe = { .fired = 0 };
	struct run run;
	uint64_t at;

	start(&run, 100 * TICK);
	set(&run, &probe, 3 * TICK);
	assert_true(timer_wheel_next(&run.wheel, &at));
	assert_int_equal(at, 101 * TICK);
	assert_int_equal(expire(&run, 100 * TICK), 0);
	assert_int_equal(expire(&run, at), 1);
}

static void test_repeat_in_callback(void **state)
{
	struct probe probe = { .fired = 0 };
	struct run run;

	start(&run, 0);
	run.repeat_ns = 1; /* in the current tick: must not loop */
	set(&run, &probe, TICK);
	assert_int_equal(follow(&run, 10 * TICK), 10);
	assert_int_equal(probe.fired, 10);
}

static void test_remove(void **state)
{
	struct probe probes[3] = { 0 };
	struct run run;
	uint64_t at;
	int i;

	start(&run, 0);
	for (i = 0; i < 3; i++)
		set(&run, &probes[i], 10 * TICK);
	timer_wheel_remove(&run.wheel, &probes[1].timer);
	timer_wheel_remove(&run.wheel, &probes[1].timer);
	assert_int_equal(run.wheel.count, 2);
	/* the first timer to fire removes the other timer of the same tick */
	run.victim = &probes[0].timer;
	assert_int_equal(expire(&run, 20 * TICK), 1);
	assert_int_equal(probes[2].fired, 1);
	assert_int_equal(probes[0].fired + probes[1].fired, 0);
	assert_false(timer_wheel_next(&run.wheel, &at));
}

static void test_defer(void **state)
{
	struct probe probe = { .fired = 0 };
	struct run run;
	int i;

	start(&run, 0);
	for (i = 0; i < 1000; i++) {
		set(&run, &probe, run.now_ns + 15 * SECOND);
		assert_int_equal(expire(&run, run.now_ns + 10 * SECOND), 0);
	}
	assert_int_equal(run.wheel.count, 1);
	assert_int_equal(expire(&run, run.now_ns + 5 * SECOND), 1);
}

static void test_suspend(void **state)
{
	struct probe probe = { .fired = 0 }, far = { .fired = 0 };
	struct run run;

	start(&run, 0);
	set(&run, &probe, 15 * SECOND);
	set(&run, &far, 400ULL * 86400 * SECOND);
	assert_int_equal(expire(&run, 30ULL * 86400 * SECOND), 1);
	/* a clock that goes backward has no effect */
	assert_int_equal(expire(&run, SECOND), 0);
	assert_int_equal(expire(&run, 401ULL * 86400 * SECOND), 1);
	assert_int_equal(far.fired, 1);
}

/* Timers beyond the span of the wheel are deferred, not lost. */
static void test_beyond(void **state)
{
	uint64_t span = 1ULL << (TIMER_WHEEL_BITS * TIMER_WHEEL_LEVELS);
	struct probe probe = { .fired = 0 };
	struct run run;

	start(&run, 12345 * TICK);
	set(&run, &probe, 3 * span * TICK);
	follow(&run, 3 * span * TICK - 1);
	assert_int_equal(probe.fired, 0);
	assert_int_equal(expire(&run, 3 * span * TICK), 1);
}

#define MODEL 2000

/* Compares the wheel with a list of due times under random operations. */
static void test_model(void **state)
{
	static struct probe probes[MODEL];
	struct run run;
	size_t i, step;

	srandom(1);
	start(&run, 777777777777);
	memset(probes, 0, sizeof(probes));
	for (step = 0; step < 20000; step++) {
		struct probe *probe = &probes[(size_t)random() % MODEL];
		uint64_t delay = (uint64_t)random() >> (random() % 31);

		switch (random() % 8) {
		case 0:
			timer_wheel_remove(&run.wheel, &probe->timer);
			break;
		case 1:
			expire(&run, run.now_ns + delay * (TICK / 64));
			for (i = 0; i < MODEL; i++)
				assert_true(!timer_runs(&probes[i].timer) ||
					    probes[i].timer.due > run.now_ns / TICK);
			break;
		default:
			set(&run, probe, run.now_ns + delay * (TICK / 16));
		}
	}
}

#define MILLION 1000000

/* Runs a million timers of 15 to 18 s: each expires once per interval, and none late. */
static void test_million(void **state)
{
	struct probe *probes = calloc(MILLION, sizeof(*probes));
	size_t i, wakeups, fired = 0;
	struct run run;

	assert_non_null(probes);
	assert_true(sizeof(struct timer) <= 24);
	start(&run, 0);
	run.repeat_ns = 18 * SECOND;
	for (i = 0; i < MILLION; i++)
		set(&run, &probes[i], (15 * SECOND) + 3 * SECOND * i / MILLION);
	wakeups = follow(&run, 60 * SECOND);
	for (i = 0; i < MILLION; i++) {
		assert_in_range(probes[i].fired, 3, 4);
		fired += probes[i].fired;
		assert_true(probes[i].due_ns > 60 * SECOND - TICK);
	}
	/* at most one wake-up per tick */
	assert_in_range(wakeups, 1, 60 * SECOND / TICK);
	assert_in_range(fired, 3 * MILLION, 4 * MILLION);
	free(probes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_exact),
		cmocka_unit_test(test_past_is_next_tick),
		cmocka_unit_test(test_repeat_in_callback),
		cmocka_unit_test(test_remove),
		cmocka_unit_test(test_defer),
		cmocka_unit_test(test_suspend),
		cmocka_unit_test(test_beyond),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_million),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
