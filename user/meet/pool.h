/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A pool of TCP connections ("members") to one peer. Each local connection borrows a member for as
 * long as it lasts, so that a lost segment stalls one local connection only.
 *
 * The pool does no I/O, reads no clock and allocates nothing after pool_new(). A member is an
 * index; the caller maps it to its connection. Times are monotonic.
 *
 * The caller's loop: after each call that changes the pool, it carries out the actions of
 * pool_next() until that returns false. It calls pool_next() again at pool_due_ns(). The caller
 * limits the time of a creation and of a test.
 *
 * Creations that fail back off: 1 s, doubled up to 30 s, until one succeeds or the peer comes up.
 * Waiters then wait for the other members; without any member they are refused at once.
 */
#ifndef SLUICE_MEET_POOL_H
#define SLUICE_MEET_POOL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define POOL_MEMBERS_MAX     64
#define POOL_QUEUE_MAX	     1024
#define POOL_BACK_OFF_NS     1000000000ULL
#define POOL_BACK_OFF_MAX_NS 30000000000ULL
/* A member that worked within this time is borrowed without a test. */
#define POOL_PROVEN_NS 500000000ULL

struct pool;

struct pool_options {
	unsigned int max;      /* members at a time, in any state; 1 to POOL_MEMBERS_MAX */
	unsigned int min_idle; /* members to keep ready; at most max */
	unsigned int queue;    /* waiters; 1 to POOL_QUEUE_MAX */
	uint64_t acquire_ns;   /* longest wait */
	uint64_t idle_ns;      /* idle members beyond min_idle are closed after it; 0: never */
	/*
	 * Largest age, less a random part of up to a tenth; 0: no limit. A borrowed member is
	 * closed after its release.
	 */
	uint64_t life_ns;
	bool fifo; /* borrow the member that was idle longest; else the one used last */
	void (*random)(void *buffer, size_t size, void *arg); /* required with life_ns */
	void *arg;
};

enum pool_action_kind {
	POOL_CREATE, /* connect; pool_created() or pool_lost() follows */
	POOL_TEST,   /* send a heartbeat; pool_tested() or pool_lost() follows */
	POOL_CLOSE,  /* close; the index is free, and the member gets no further call */
	POOL_GIVE,   /* the waiter has borrowed the member; pool_release() or pool_lost() follows */
	POOL_REFUSE, /* the waiter gets no member */
};

enum pool_reason {
	POOL_REASON_NONE,
	POOL_REASON_DOWN,	/* CLOSE, REFUSE: the peer cannot be reached by TCP */
	POOL_REASON_FAILED,	/* REFUSE: no member, and creations back off */
	POOL_REASON_TIMEOUT,	/* REFUSE: waited for acquire_ns */
	POOL_REASON_UNANSWERED, /* CLOSE: the test failed */
	POOL_REASON_OLD,	/* CLOSE: life_ns */
	POOL_REASON_IDLE,	/* CLOSE: idle_ns */
};

struct pool_action {
	enum pool_action_kind kind;
	unsigned int member; /* except REFUSE */
	void *waiter;	     /* GIVE, REFUSE */
	enum pool_reason reason;
};

struct pool_view {
	unsigned int creating, idle, testing, borrowed, waiters;
	uint64_t created, failed; /* creations */
	uint64_t evicted_idle, evicted_old;
	uint64_t lost; /* after the creation */
	uint64_t tests_failed;
	uint64_t given, refused; /* waiters */
};

/* Creates an empty pool of a peer that is down. Returns 0, -EINVAL or -ENOMEM. */
int pool_new(struct pool **pool, const struct pool_options *options);
/* Frees it. @pool may be NULL. Its members and waiters are the caller's to end. */
void pool_free(struct pool *pool);

/*
 * Reports whether the peer can be reached by TCP. If it cannot, all waiters are refused, and all
 * members are closed; a borrowed member is closed after its release.
 */
void pool_set_up(struct pool *pool, bool up);

/*
 * Queues a waiter. Its answer is one POOL_GIVE or POOL_REFUSE, unless it is cancelled before.
 * Returns false if the queue is full: it is refused, and no action follows.
 */
__attribute__((warn_unused_result)) bool pool_acquire(struct pool *pool, void *waiter,
						      uint64_t now_ns);
/* Removes a waiter. Has no effect after its answer. */
void pool_cancel(struct pool *pool, const void *waiter);
/* Returns a borrowed member that can be used again. */
void pool_release(struct pool *pool, unsigned int member, uint64_t now_ns);

/* Reports that the connection is established. */
void pool_created(struct pool *pool, unsigned int member, uint64_t now_ns);
/* Reports that a creation has failed, or that the connection is dead. The index is free then. */
void pool_lost(struct pool *pool, unsigned int member, uint64_t now_ns);
/* Reports whether the member has answered its test in time. */
void pool_tested(struct pool *pool, unsigned int member, bool answered, uint64_t now_ns);

/* Writes the next action. Returns false, with *action unchanged, if there is none at this time. */
bool pool_next(struct pool *pool, struct pool_action *action, uint64_t now_ns);
/*
 * Returns the time at which pool_next() may have an action without any further call; UINT64_MAX:
 * never. Valid after pool_next() has returned false.
 */
uint64_t pool_due_ns(const struct pool *pool);

struct pool_view pool_view(const struct pool *pool);

#endif
