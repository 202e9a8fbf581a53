// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The pool of the connecting peer: makes its members, and lends them to programs as pool.c decides.
 *
 *   learn the address of a new port ── request ── answer ── session, QUIC ── idle, lent, …
 */
#include "base/log.h"
#include "meet/node/node.h"
#include "meet/peer/gather.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SECOND_NS  1000000000ULL
#define LEARN_NS   (2 * SECOND_NS) /* then without the server-reflexive address */
#define ASK_NS	   (5 * SECOND_NS)
#define CONNECT_NS (10 * SECOND_NS)
#define TEST_NS	   (1 * SECOND_NS)

static unsigned int index_of(const struct lending *lending)
{
	return (unsigned int)(lending - lending->node->pool.lending);
}

static void log_member(const struct lending *lending, const char *message, const char *reason)
{
	struct log_line line;

	log_begin(&line, LOG_LEVEL_DEBUG, message);
	log_field(&line, "peer", "%s", lending->path->name);
	log_field(&line, "member", "%u", index_of(lending));
	if (reason)
		log_field(&line, "reason", "%s", reason);
	log_end(&line);
}

/* --- a member is made */

static void set_state(struct lending *lending, enum lending_state state, uint64_t due_ns)
{
	lending->state = state;
	lending->due_ns = due_ns;
}

static void lending_close(struct lending *lending)
{
	struct carrier *carrier = lending->path ? link_carrier(lending->path) : NULL;

	/* a peer that never answers must not use up the streams of the path */
	if (lending->state == LENDING_ASK && carrier)
		carrier_forget_member(carrier, lending->own.id);
	if (lending->link)
		node_members_remove(lending->node, lending->link);
	reflexive_free(&lending->reflexive);
	tcp_paths_close(lending->tcp);
	explicit_bzero(lending, sizeof(*lending));
}

static void on_received(void *arg, const struct stun_endpoint *at, const uint8_t *data,
			size_t length)
{
	node_receive(((struct lending *)arg)->node, at, data, length);
}

static void on_connected(void *arg, const struct stun_endpoint *at)
{
	const struct lending *lending = arg;

	if (lending->link)
		peer_session_connected(lending->link->session, at, runtime_now_ns());
}

static void on_ended(void *arg, const struct stun_endpoint *at)
{
	const struct lending *lending = arg;

	if (lending->link)
		peer_session_lose(lending->link->session, at, runtime_now_ns());
}

static void on_flush(void *arg)
{
	node_update(((struct lending *)arg)->node);
}

static void on_known(void *arg)
{
	((struct lending *)arg)->known = true;
}

/* Goes on without the server-reflexive address: without a NAT, the other addresses are enough. */
static void on_unknown(void *arg)
{
	struct lending *lending = arg;

	if (lending->state == LENDING_LEARN)
		lending->known = true;
}

/* Opens the port of a new member, and asks the server for its address. Returns 0 or -errno. */
static int lending_open(struct lending *lending, struct node *node, uint64_t now_ns)
{
	const struct introduction *introduction =
		peer_session_introduction(node->pool.path->session);
	const struct tcp_paths_options options = { .loop = node->runtime.loop,
						   .received = on_received,
						   .connected = on_connected,
						   .ended = on_ended,
						   .flush = on_flush,
						   .arg = lending };
	int result;

	lending->node = node;
	lending->path = node->pool.path;
	lending->reflexive = (struct reflexive){ .loop = node->runtime.loop,
						 .known = on_known,
						 .ended = on_unknown,
						 .flush = on_flush,
						 .arg = lending };
	result = tcp_paths_open(&lending->tcp, &options, node->runtime.socket.ip6);
	if (result)
		return result;
	lending->known =
		reflexive_learn(&lending->reflexive, tcp_paths_port(lending->tcp),
				peer_client_server_at(node->runtime.client, introduction->server));
	set_state(lending, LENDING_LEARN, now_ns + LEARN_NS);
	return 0;
}

/* Adds the own addresses of the new port, the most useful first. */
static void gather(struct lending *lending)
{
	struct candidate host[CANDIDATES_MAX];
	struct member_request *own = &lending->own;
	struct err err = { 0 };
	int i, count;

	if (lending->reflexive.at.port_be)
		own->at[own->addresses++] = lending->reflexive.at;
	count = gather_host(host, NULL, tcp_paths_port(lending->tcp),
			    lending->node->runtime.socket.ip6, &err);
	if (count < 0)
		log_err(&err);
	for (i = 0; i < count && own->addresses < MEMBER_ADDRESSES_MAX; i++)
		own->at[own->addresses++] = host[i].at;
}

/* Asks the other peer over the path. Returns 0 or -errno. */
static int lending_ask(struct lending *lending, uint64_t now_ns)
{
	struct carrier *carrier = link_carrier(lending->path);
	struct member_request *own = &lending->own;

	if (!carrier || key_generate(lending->secret) ||
	    getrandom(own->id, sizeof(own->id), 0) != sizeof(own->id))
		return -EAGAIN;
	key_public(own->ephemeral, lending->secret);
	gather(lending);
	set_state(lending, LENDING_ASK, now_ns + ASK_NS);
	return carrier_member(carrier, own);
}

void node_pool_answered(void *arg, const uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE],
			unsigned int code, const uint8_t *key)
{
	struct node *node = arg;
	struct lending *lending = node->pool.lending;
	unsigned int i;

	for (i = 0; i < MEMBERS_PEER_MAX; i++, lending++) {
		if (lending->state != LENDING_ASK ||
		    memcmp(lending->own.id, id, sizeof(lending->own.id)))
			continue;
		if (code != SERVICE_OK) {
			lending->failure = code == SERVICE_CODES
						   ? "the other peer does not know pools"
						   : service_describe(code);
			return;
		}
		memcpy(lending->other.id, id, sizeof(lending->other.id));
		memcpy(lending->other.ephemeral, key, KEY_SIZE);
		lending->answered = true;
		return;
	}
}

/* Collects the addresses of the other peer: that of the path first. */
static void take_addresses(struct member_request *other, const struct link *path)
{
	const struct introduction *introduction = peer_session_introduction(path->session);
	const struct peer_session_remote *remote = peer_session_path(path->session);
	unsigned int i;

	if (remote && remote->at.tcp)
		other->at[other->addresses++] = remote->at;
	for (i = 0; i < introduction->candidates && other->addresses < MEMBER_ADDRESSES_MAX; i++) {
		if (introduction->candidate[i].transport != CANDIDATE_TCP)
			continue;
		other->at[other->addresses] = introduction->candidate[i].at;
		other->at[other->addresses++].tcp = true;
	}
}

/* Starts the session. Returns 0 or -errno. */
static int lending_connect(struct lending *lending, uint64_t now_ns)
{
	struct link *path = lending->path;
	struct introduction introduction;
	int result;

	take_addresses(&lending->other, path);
	member_introduce(&introduction, peer_session_introduction(path->session), &lending->other,
			 lending->secret, true, now_ns);
	result = node_members_add(lending->node, path, lending->tcp, &introduction, &lending->link);
	explicit_bzero(&introduction, sizeof(introduction));
	explicit_bzero(lending->secret, sizeof(lending->secret));
	set_state(lending, LENDING_CONNECT, now_ns + CONNECT_NS);
	return result;
}

/* --- what has happened to a member */

static void lose(struct lending *lending, const char *reason, uint64_t now_ns)
{
	struct node *node = lending->node;
	unsigned int member = index_of(lending);

	log_member(lending, "member ended", reason);
	lending_close(lending);
	pool_lost(node->pool.pool, member, now_ns);
}

/* Gives a member up that is being made. Each reason is logged once, until a member is ready. */
static void fail(struct lending *lending, uint64_t now_ns)
{
	const char *reason = lending->failure ? lending->failure : "no connection was established";
	struct log_line line;

	if (log_condition_set(&lending->node->pool.failing, reason)) {
		log_begin(&line, LOG_LEVEL_INFO, "no members, programs share the path");
		log_field(&line, "peer", "%s", lending->path->name);
		log_field(&line, "reason", "%s", reason);
		log_end(&line);
	}
	lose(lending, reason, now_ns);
}

/* Continues a member that is being made. Returns true if its state has changed. */
static bool advance(struct lending *lending, uint64_t now_ns)
{
	bool late = lending->due_ns <= now_ns;
	int result = 0;

	if (lending->state == LENDING_LEARN && (lending->known || late)) {
		result = lending_ask(lending, now_ns);
	} else if (lending->state == LENDING_ASK && lending->answered) {
		result = lending_connect(lending, now_ns);
	} else if (lending->state == LENDING_CONNECT && lending->link->ready) {
		reflexive_close(&lending->reflexive);
		set_state(lending, LENDING_READY, UINT64_MAX);
		pool_created(lending->node->pool.pool, index_of(lending), now_ns);
		log_condition_set(&lending->node->pool.failing, NULL);
		log_member(lending, "member ready", NULL);
	} else if (late || lending->failure) {
		result = -ETIMEDOUT;
	} else {
		return false;
	}
	if (result)
		fail(lending, now_ns);
	return true;
}

/* Ends the test, or takes the member back. Returns true if it did. */
static bool check(struct lending *lending, uint64_t now_ns)
{
	const struct peer_session_remote *path = peer_session_path(lending->link->session);
	struct pool *pool = lending->node->pool.pool;
	bool answered;

	if (lending->lent && !carrier_count(link_carrier(lending->link))) {
		lending->lent = false;
		pool_release(pool, index_of(lending), now_ns);
		return true;
	}
	answered = path && path->consent_ns >= lending->tests_ns;
	if (!lending->tests_ns || (!answered && lending->due_ns > now_ns))
		return false;
	lending->tests_ns = 0;
	lending->due_ns = UINT64_MAX;
	pool_tested(pool, index_of(lending), answered, now_ns);
	return true;
}

static bool update_one(struct lending *lending, uint64_t now_ns)
{
	if (lending->state == LENDING_FREE)
		return false;
	if (lending->link && lending->link->end[0]) {
		if (lending->state == LENDING_READY) {
			lose(lending, lending->link->end, now_ns);
			return true;
		}
		lending->failure = lending->link->end;
		fail(lending, now_ns);
		return true;
	}
	return lending->state == LENDING_READY ? check(lending, now_ns) : advance(lending, now_ns);
}

/* --- what the pool decides */

static void act(struct node *node, const struct pool_action *action, uint64_t now_ns)
{
	struct lending *lending = &node->pool.lending[action->member];

	switch (action->kind) {
	case POOL_CREATE:
		if (!lending_open(lending, node, now_ns))
			break;
		lending_close(lending);
		pool_lost(node->pool.pool, action->member, now_ns);
		break;
	case POOL_TEST:
		lending->tests_ns = now_ns;
		lending->due_ns = now_ns + TEST_NS;
		peer_session_test(lending->link->session, now_ns);
		break;
	case POOL_CLOSE:
		lending_close(lending);
		break;
	case POOL_GIVE:
		lending->lent = true;
		node->hooks.granted(node->runtime.arg, action->waiter, lending->link);
		break;
	case POOL_REFUSE:
		node->hooks.granted(node->runtime.arg, action->waiter, NULL);
		break;
	}
}

/* Returns the link whose path is TCP, or NULL. */
static struct link *path_of(const struct node *node)
{
	const struct peer_session_remote *path;
	struct link *link;

	for (link = node->links; link; link = link->next) {
		path = peer_session_path(link->session);
		if (link->initiator && link->ready && !link->end[0] && path && path->at.tcp)
			return link;
	}
	return NULL;
}

bool node_pool_update(struct node *node, uint64_t now_ns)
{
	struct link *path = path_of(node);
	struct pool_action action;
	bool changed = false;
	unsigned int i;

	if (!node->pool.pool)
		return false;
	if (path != node->pool.path)
		pool_set_up(node->pool.pool, path);
	node->pool.path = path;
	for (i = 0; i < MEMBERS_PEER_MAX; i++)
		changed |= update_one(&node->pool.lending[i], now_ns);
	while (pool_next(node->pool.pool, &action, now_ns)) {
		act(node, &action, now_ns);
		changed = true;
	}
	return changed;
}

/* --- life */

bool node_pool_is_used(const struct node *node)
{
	return node->pool.pool && node->pool.path;
}

bool node_pool_acquire(struct node *node, void *waiter)
{
	return pool_acquire(node->pool.pool, waiter, runtime_now_ns());
}

int node_pool_open(struct node *node, const struct pool_options *options)
{
	return pool_new(&node->pool.pool, options);
}

uint64_t node_pool_due_ns(const struct node *node)
{
	uint64_t due_ns = node->pool.pool ? pool_due_ns(node->pool.pool) : UINT64_MAX;
	unsigned int i;

	for (i = 0; i < MEMBERS_PEER_MAX; i++)
		if (node->pool.lending[i].state && node->pool.lending[i].due_ns < due_ns)
			due_ns = node->pool.lending[i].due_ns;
	return due_ns;
}

void node_pool_orphan(struct node *node, const struct link *path)
{
	struct lending *lending = node->pool.lending;
	unsigned int i;

	for (i = 0; i < MEMBERS_PEER_MAX; i++, lending++)
		if (lending->state != LENDING_FREE && lending->path == path) {
			lending_close(lending);
			pool_lost(node->pool.pool, i, runtime_now_ns());
		}
	if (node->pool.path != path)
		return;
	pool_set_up(node->pool.pool, false);
	node->pool.path = NULL;
}

void node_pool_close(struct node *node)
{
	unsigned int i;

	for (i = 0; i < MEMBERS_PEER_MAX; i++)
		if (node->pool.lending[i].state != LENDING_FREE)
			lending_close(&node->pool.lending[i]);
	pool_free(node->pool.pool);
	node->pool.pool = NULL;
}
