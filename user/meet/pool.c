// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pool stores the state of its members and decides in pool_next(): each action follows from the
 * state and the time alone. So the calls that report events only record them, and no event is lost
 * if two of them arrive before an action.
 *
 * A test and a creation belong to no waiter. The waiter that came first gets the first member that
 * is ready, whether it was tested, created or released.
 */
#include "meet/pool.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/queue.h>

#define NEVER UINT64_MAX

enum member_state {
	MEMBER_FREE, /* the index is unused */
	MEMBER_CREATING,
	MEMBER_IDLE,
	MEMBER_TESTING,
	MEMBER_UNANSWERED, /* to be closed */
	MEMBER_BORROWED,
	MEMBER_STATES,
};

struct member {
	enum member_state state;
	uint64_t turn;	    /* increases with each release and creation */
	uint64_t idle_ns;   /* start of the idle time, which a test does not end */
	uint64_t proven_ns; /* last time that it worked */
	uint64_t old_ns;    /* end of its life */
};

struct waiter {
	TAILQ_ENTRY(waiter) entry;
	void *waiter;
	uint64_t due_ns;
};

TAILQ_HEAD(waiters, waiter);

struct pool {
	struct pool_options options;
	bool up;
	struct member member[POOL_MEMBERS_MAX];
	unsigned int count[MEMBER_STATES]; /* members by state */
	uint64_t turns;
	uint64_t back_off_ns; /* of the last failure; 0: none since the last success */
	uint64_t retry_ns;    /* no creation before */
	uint64_t refill_ns;   /* no creation for min_idle before */
	/* Sorted by due_ns, because each waits for the same time. */
	struct waiters waiters, unused;
	unsigned int waiting;
	struct pool_view stats; /* without the gauges */
	struct waiter slot[];	/* options.queue */
};

static uint64_t earliest(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

static uint64_t latest(uint64_t a, uint64_t b)
{
	return a > b ? a : b;
}

/* Returns @from plus @span_ns, or NEVER on overflow. */
static uint64_t after(uint64_t from, uint64_t span_ns)
{
	return span_ns < NEVER - from ? from + span_ns : NEVER;
}

int pool_new(struct pool **created, const struct pool_options *options)
{
	struct pool *pool;
	unsigned int i;

	if (!options->max || options->max > POOL_MEMBERS_MAX || options->min_idle > options->max ||
	    !options->queue || options->queue > POOL_QUEUE_MAX ||
	    (options->life_ns && !options->random))
		return -EINVAL;
	pool = calloc(1, sizeof(*pool) + options->queue * sizeof(pool->slot[0]));
	if (!pool)
		return -ENOMEM;
	pool->options = *options;
	pool->count[MEMBER_FREE] = options->max;
	TAILQ_INIT(&pool->waiters);
	TAILQ_INIT(&pool->unused);
	for (i = 0; i < options->queue; i++)
		TAILQ_INSERT_TAIL(&pool->unused, &pool->slot[i], entry);
	*created = pool;
	return 0;
}

void pool_free(struct pool *pool)
{
	free(pool);
}

/* --- members */

static void set_state(struct pool *pool, struct member *member, enum member_state state)
{
	pool->count[member->state]--;
	pool->count[state]++;
	member->state = state;
}

/* Returns the member if it is in this state, or NULL: a late report has no effect. */
static struct member *find(struct pool *pool, unsigned int index, enum member_state state)
{
	if (index >= pool->options.max || pool->member[index].state != state)
		return NULL;
	return &pool->member[index];
}

/* Moves the member to this state. Returns the action that does it. */
static struct pool_action act(struct pool *pool, enum pool_action_kind kind, struct member *member,
			      enum member_state state)
{
	set_state(pool, member, state);
	return (struct pool_action){ kind, .member = (unsigned int)(member - pool->member) };
}

static struct member *find_free(struct pool *pool)
{
	struct member *member = pool->member;

	while (member->state != MEMBER_FREE)
		member++;
	return member;
}

static unsigned int members(const struct pool *pool)
{
	return pool->options.max - pool->count[MEMBER_FREE];
}

static void set_ready(struct pool *pool, struct member *member, uint64_t now_ns)
{
	set_state(pool, member, MEMBER_IDLE);
	member->turn = ++pool->turns;
	member->idle_ns = member->proven_ns = now_ns;
}

/* Members that were created together do not end together: each life has a random length. */
static uint64_t life_end_ns(const struct pool *pool, uint64_t now_ns)
{
	const struct pool_options *options = &pool->options;
	uint64_t random;

	if (!options->life_ns)
		return NEVER;
	options->random(&random, sizeof(random), options->arg);
	return after(now_ns, options->life_ns - random % (options->life_ns / 10 + 1));
}

static void back_off(struct pool *pool, uint64_t now_ns)
{
	/* Parallel creations that fail together count once. */
	if (now_ns < pool->retry_ns)
		return;
	pool->back_off_ns = pool->back_off_ns
				    ? earliest(2 * pool->back_off_ns, POOL_BACK_OFF_MAX_NS)
				    : POOL_BACK_OFF_NS;
	pool->retry_ns = after(now_ns, pool->back_off_ns);
}

static void end_back_off(struct pool *pool)
{
	pool->back_off_ns = pool->retry_ns = 0;
}

void pool_created(struct pool *pool, unsigned int index, uint64_t now_ns)
{
	struct member *member = find(pool, index, MEMBER_CREATING);

	if (!member)
		return;
	set_ready(pool, member, now_ns);
	member->old_ns = life_end_ns(pool, now_ns);
	end_back_off(pool);
	pool->stats.created++;
}

void pool_lost(struct pool *pool, unsigned int index, uint64_t now_ns)
{
	struct member *member;

	if (index >= pool->options.max)
		return;
	member = &pool->member[index];
	if (member->state == MEMBER_CREATING) {
		back_off(pool, now_ns);
		pool->stats.failed++;
	} else if (member->state != MEMBER_FREE) {
		/*
		 * The other peer may close each surplus connection that it accepts. Replacing them
		 * at once would be a loop at the speed of handshakes.
		 */
		pool->refill_ns = after(now_ns, POOL_BACK_OFF_NS);
		pool->stats.lost++;
	}
	set_state(pool, member, MEMBER_FREE);
}

void pool_tested(struct pool *pool, unsigned int index, bool answered, uint64_t now_ns)
{
	struct member *member = find(pool, index, MEMBER_TESTING);

	if (!member)
		return;
	/* It keeps its turn, and so is the next to be borrowed. */
	set_state(pool, member, answered ? MEMBER_IDLE : MEMBER_UNANSWERED);
	member->proven_ns = now_ns;
	pool->stats.tests_failed += !answered;
}

void pool_release(struct pool *pool, unsigned int index, uint64_t now_ns)
{
	struct member *member = find(pool, index, MEMBER_BORROWED);

	if (member)
		set_ready(pool, member, now_ns);
}

void pool_set_up(struct pool *pool, bool up)
{
	/* A new path says nothing about creations over the previous one. */
	if (up && !pool->up)
		end_back_off(pool);
	pool->up = up;
}

/* --- waiters */

bool pool_acquire(struct pool *pool, void *waiter, uint64_t now_ns)
{
	struct waiter *slot = TAILQ_FIRST(&pool->unused);

	if (!slot) {
		pool->stats.refused++;
		return false;
	}
	TAILQ_REMOVE(&pool->unused, slot, entry);
	*slot = (struct waiter){ .waiter = waiter,
				 .due_ns = after(now_ns, pool->options.acquire_ns) };
	TAILQ_INSERT_TAIL(&pool->waiters, slot, entry);
	pool->waiting++;
	return true;
}

static void remove_waiter(struct pool *pool, struct waiter *slot)
{
	TAILQ_REMOVE(&pool->waiters, slot, entry);
	TAILQ_INSERT_HEAD(&pool->unused, slot, entry);
	pool->waiting--;
}

void pool_cancel(struct pool *pool, const void *waiter)
{
	struct waiter *slot;

	for (slot = TAILQ_FIRST(&pool->waiters); slot; slot = TAILQ_NEXT(slot, entry))
		if (slot->waiter == waiter) {
			remove_waiter(pool, slot);
			return;
		}
}

/* --- decisions */

/* Returns the end of the idle time of this member, at the present number of idle members. */
static uint64_t idle_end_ns(const struct pool *pool, const struct member *member)
{
	if (!pool->options.idle_ns || pool->count[MEMBER_IDLE] <= pool->options.min_idle)
		return NEVER;
	return after(member->idle_ns, pool->options.idle_ns);
}

/* Returns why this member must be closed now, or POOL_REASON_NONE. */
static enum pool_reason close_reason(const struct pool *pool, const struct member *member,
				     uint64_t now_ns)
{
	if (member->state == MEMBER_FREE || member->state == MEMBER_BORROWED)
		return POOL_REASON_NONE;
	if (member->state == MEMBER_UNANSWERED)
		return POOL_REASON_UNANSWERED;
	if (!pool->up)
		return POOL_REASON_DOWN;
	if (member->state != MEMBER_IDLE)
		return POOL_REASON_NONE;
	if (member->old_ns <= now_ns)
		return POOL_REASON_OLD;
	return idle_end_ns(pool, member) <= now_ns ? POOL_REASON_IDLE : POOL_REASON_NONE;
}

/*
 * Closes old members before idle ones, in the order of enum pool_reason, because fewer idle ones
 * exceed min_idle then. Of several idle ones, it closes the one that was idle longest.
 */
static bool close_one(struct pool *pool, struct pool_action *action, uint64_t now_ns)
{
	enum pool_reason reason = POOL_REASON_NONE, other;
	struct member *member = NULL;
	unsigned int i;

	for (i = 0; i < pool->options.max; i++) {
		other = close_reason(pool, &pool->member[i], now_ns);
		if (!other || (member && (other > reason || (other == reason &&
							     pool->member[i].turn > member->turn))))
			continue;
		member = &pool->member[i];
		reason = other;
	}
	if (!member)
		return false;
	pool->stats.evicted_old += reason == POOL_REASON_OLD;
	pool->stats.evicted_idle += reason == POOL_REASON_IDLE;
	*action = act(pool, POOL_CLOSE, member, MEMBER_FREE);
	action->reason = reason;
	return true;
}

/* Returns the idle member to borrow next, or NULL. */
static struct member *choose(struct pool *pool)
{
	struct member *chosen = NULL, *member;
	unsigned int i;

	for (i = 0; i < pool->options.max; i++) {
		member = &pool->member[i];
		if (member->state == MEMBER_IDLE &&
		    (!chosen || (member->turn < chosen->turn) == pool->options.fifo))
			chosen = member;
	}
	return chosen;
}

/* Returns the number of members that will be ready without a release, unless they fail. */
static unsigned int coming(const struct pool *pool)
{
	return pool->count[MEMBER_CREATING] + pool->count[MEMBER_TESTING];
}

/* Returns the time of the next creation, which may be past, or NEVER if none is needed. */
static uint64_t create_ns(const struct pool *pool)
{
	if (!pool->up || members(pool) >= pool->options.max)
		return NEVER;
	if (coming(pool) < pool->waiting)
		return pool->retry_ns;
	if (coming(pool) == pool->waiting && pool->count[MEMBER_IDLE] < pool->options.min_idle)
		return latest(pool->retry_ns, pool->refill_ns);
	return NEVER;
}

/* Returns why the first waiter must be refused now, or POOL_REASON_NONE. */
static enum pool_reason refusal(const struct pool *pool, const struct waiter *first,
				uint64_t now_ns)
{
	if (!pool->up)
		return POOL_REASON_DOWN;
	if (first->due_ns <= now_ns)
		return POOL_REASON_TIMEOUT;
	return !members(pool) && pool->retry_ns > now_ns ? POOL_REASON_FAILED : POOL_REASON_NONE;
}

static bool answer(struct pool *pool, struct waiter *first, struct pool_action *action)
{
	action->waiter = first->waiter;
	remove_waiter(pool, first);
	return true;
}

static bool serve_one(struct pool *pool, struct pool_action *action, uint64_t now_ns)
{
	struct waiter *first = TAILQ_FIRST(&pool->waiters);
	struct member *member = choose(pool);
	enum pool_reason reason;

	if (!first)
		return false;
	/* A member that is ready serves the waiter even if another is being tested for it. */
	if (member && now_ns - member->proven_ns <= POOL_PROVEN_NS) {
		*action = act(pool, POOL_GIVE, member, MEMBER_BORROWED);
		pool->stats.given++;
		return answer(pool, first, action);
	}
	reason = refusal(pool, first, now_ns);
	if (reason) {
		*action = (struct pool_action){ POOL_REFUSE, .reason = reason };
		pool->stats.refused++;
		return answer(pool, first, action);
	}
	if (!member || pool->count[MEMBER_TESTING] >= pool->waiting)
		return false;
	*action = act(pool, POOL_TEST, member, MEMBER_TESTING);
	return true;
}

bool pool_next(struct pool *pool, struct pool_action *action, uint64_t now_ns)
{
	if (close_one(pool, action, now_ns) || serve_one(pool, action, now_ns))
		return true;
	if (create_ns(pool) > now_ns)
		return false;
	*action = act(pool, POOL_CREATE, find_free(pool), MEMBER_CREATING);
	return true;
}

uint64_t pool_due_ns(const struct pool *pool)
{
	const struct waiter *first = TAILQ_FIRST(&pool->waiters);
	uint64_t due_ns = earliest(first ? first->due_ns : NEVER, create_ns(pool));
	const struct member *member;
	unsigned int i;

	for (i = 0; i < pool->options.max; i++) {
		member = &pool->member[i];
		if (member->state == MEMBER_IDLE)
			due_ns = earliest(due_ns,
					  earliest(member->old_ns, idle_end_ns(pool, member)));
	}
	return due_ns;
}

struct pool_view pool_view(const struct pool *pool)
{
	struct pool_view view = pool->stats;

	view.creating = pool->count[MEMBER_CREATING];
	view.idle = pool->count[MEMBER_IDLE];
	view.testing = pool->count[MEMBER_TESTING];
	view.borrowed = pool->count[MEMBER_BORROWED];
	view.waiters = pool->waiting;
	return view;
}
