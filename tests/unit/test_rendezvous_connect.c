// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * connect, introduce and report: each side gets the addresses of the other, and no third peer does.
 */
#include "meet/rendezvous/server.h"
#include "meet/rendezvous/session.h"
#include "rendezvous_lab.h"

static uint8_t ephemeral_a[KEY_SIZE], ephemeral_b[KEY_SIZE];

static void submit_connect(struct outgoing *out, struct client *from, const char *to)
{
	lab_clear();
	begin(out, from, SLUICE_RENDEZVOUS_CONNECT);
	stun_put(&out->builder, SLUICE_RENDEZVOUS_PEER_NAME, to, strlen(to));
	stun_put(&out->builder, SLUICE_RENDEZVOUS_EPHEMERAL_KEY, ephemeral_a, KEY_SIZE);
	submit(out, from);
}

/* Checks an introduction, or the response to connect, and that it contains only this peer. */
static void want_other_side(const struct stun_message *message, const struct client *to,
			    const struct client *other, const uint8_t *ephemeral, const char *host)
{
	struct stun_endpoint host_at = endpoint(host);
	struct stun_attr attr;
	struct candidate found[CANDIDATES_MAX + 1];
	const uint8_t *value;
	const char *proof;
	uint8_t key[KEY_SIZE];
	size_t length, at = 0, count = 0;

	assert_int_equal(stun_check_sha256(message, to->key, KEY_SIZE), 0);
	assert_int_equal(stun_get(message, SLUICE_RENDEZVOUS_PEER_NAME, &value, &length), 0);
	assert_int_equal(length, strlen(other->name));
	assert_memory_equal(value, other->name, length);
	key_public(key, other->secret);
	assert_int_equal(stun_get(message, SLUICE_RENDEZVOUS_PEER_KEY, &value, &length), 0);
	assert_int_equal(length, KEY_SIZE);
	assert_memory_equal(value, key, KEY_SIZE);
	assert_int_equal(stun_get(message, SLUICE_RENDEZVOUS_EPHEMERAL_KEY, &value, &length), 0);
	assert_memory_equal(value, ephemeral, KEY_SIZE);
	while (stun_next(message, &at, &attr))
		if (attr.type == SLUICE_RENDEZVOUS_CANDIDATE) {
			assert_int_equal(candidate_parse(message, &attr, &found[count], &proof), 0);
			assert_null(proof);
			count++;
		}
	assert_int_equal(count, 2);
	assert_int_equal(found[0].kind, CANDIDATE_REFLEXIVE);
	assert_true(stun_endpoint_is_same(&found[0].at, &other->path.client));
	assert_int_equal(found[1].kind, CANDIDATE_HOST);
	assert_true(stun_endpoint_is_same(&found[1].at, &host_at));
}

/* Confirms the last introduction, as @by. */
static void confirm(const struct client *by, const struct stun_message *introduction,
		    enum sluice_stun_class class)
{
	struct outgoing out;

	stun_begin_response(&out.builder, out.data, sizeof(out.data), introduction, class);
	if (class == SLUICE_STUN_SUCCESS)
		stun_put(&out.builder, SLUICE_RENDEZVOUS_EPHEMERAL_KEY, ephemeral_b, KEY_SIZE);
	else
		stun_put_error(&out.builder, 403);
	lab_clear();
	submit(&out, by);
}

/* Copies the only message from the server. */
static struct stun_message keep_sent(struct sent *kept)
{
	struct stun_message message;

	assert_int_equal(lab.count, 1);
	*kept = lab.sent[0];
	assert_int_equal(stun_parse(kept->data, kept->length, &message), 0);
	return message;
}

static int connect_setup(void **state)
{
	lab_setup(state);
	memset(ephemeral_a, 0xaa, KEY_SIZE);
	memset(ephemeral_b, 0xbb, KEY_SIZE);
	enrol(&a, "10.0.0.1:5001");
	enrol(&b, "10.1.1.3:5002");
	return 0;
}

static void test_introduce(void **state)
{
	struct stun_message message;
	struct outgoing out;
	const uint8_t *id, *same;
	struct sent kept;
	size_t length;

	submit_connect(&out, &a, "b");
	message = keep_sent(&kept);
	assert_int_equal(message.class, SLUICE_STUN_REQUEST);
	assert_int_equal(message.method, SLUICE_RENDEZVOUS_INTRODUCE);
	assert_true(path_is_same(&kept.path, &b.path));
	want_other_side(&message, &b, &a, ephemeral_a, "10.0.0.1:5001");
	assert_int_equal(stun_get(&message, SLUICE_RENDEZVOUS_SESSION_ID, &id, &length), 0);
	assert_int_equal(length, SLUICE_RENDEZVOUS_SESSION_ID_SIZE);
	/* retransmit the request, since no response has arrived */
	lab_clear();
	receive(&a.path, out.data, out.builder.length);
	assert_int_equal(lab.count, 1);
	assert_memory_equal(lab.sent[0].data, kept.data, kept.length);
	assert_int_equal(server_sessions(lab.server), 1);

	confirm(&b, &message, SLUICE_STUN_SUCCESS);
	message = want_success(&out);
	assert_true(path_is_same(&lab.sent[0].path, &a.path));
	want_other_side(&message, &a, &b, ephemeral_b, "10.1.1.3:5002");
	assert_int_equal(stun_get(&message, SLUICE_RENDEZVOUS_SESSION_ID, &same, &length), 0);
	assert_memory_equal(same, id, SLUICE_RENDEZVOUS_SESSION_ID_SIZE);
	/* the response is lost; a second confirmation changes nothing */
	message = keep_sent(&kept);
	lab_clear();
	receive(&a.path, out.data, out.builder.length);
	assert_int_equal(lab.count, 1);
	assert_memory_equal(lab.sent[0].data, kept.data, kept.length);
	assert_int_equal(counted(COUNT_introduced), 1);
	assert_int_equal(counted(COUNT_connects), 1);
}

/* The number of introductions to the other peer is limited like the requests of a client. */
static void test_repeats(void **state)
{
	struct outgoing out;
	int i;

	submit_connect(&out, &a, "b");
	for (i = 0; i < 300; i++)
		receive(&a.path, out.data, out.builder.length);
	assert_int_equal(lab.count, 7);
}

/* A new registration does not reset the budget of connects. */
static void test_limit_stays(void **state)
{
	unsigned int i, connects = 0;
	struct outgoing out;

	for (i = 0; i < 30; i++) {
		enrol(&a, NULL);
		submit_connect(&out, &a, "b");
		connects += sent_message(0).class == SLUICE_STUN_REQUEST;
	}
	assert_int_equal(connects, 10);
}

/* Both peers start at the same time: B waits for half the RTTs of both. */
static void test_delay(void **state)
{
	struct registration *from = store_by_peer(server_store(lab.server),
						  peers_find(server_peers(lab.server), "a", 1));
	struct registration *to = store_by_peer(server_store(lab.server),
						peers_find(server_peers(lab.server), "b", 1));
	struct stun_message message;
	struct outgoing out;
	struct sent kept;
	uint32_t delay;

	from->rtt_ms = 100;
	to->rtt_ms = 40;
	submit_connect(&out, &a, "b");
	message = keep_sent(&kept);
	assert_int_equal(stun_get_u32(&message, SLUICE_RENDEZVOUS_START_DELAY, &delay), 0);
	assert_int_equal(delay, 70);
	confirm(&b, &message, SLUICE_STUN_SUCCESS);
	message = want_success(&out);
	assert_int_equal(stun_get_u32(&message, SLUICE_RENDEZVOUS_START_DELAY, &delay), 0);
	assert_int_equal(delay, 0);
	from->rtt_ms = 59000;
	submit_connect(&out, &a, "b");
	message = keep_sent(&kept);
	assert_int_equal(stun_get_u32(&message, SLUICE_RENDEZVOUS_START_DELAY, &delay), 0);
	assert_int_equal(delay, 2000);
}

/* A nonexistent name and a forbidden name look the same. */
static void test_not_allowed(void **state)
{
	char name[200];
	struct outgoing out;

	enrol(&c, NULL);
	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	submit_connect(&out, &c, "b");
	want_error(403);
	submit_connect(&out, &c, "nobody");
	want_error(403);
	submit_connect(&out, &c, "d"); /* the peer is not registered either */
	want_error(403);
	submit_connect(&out, &c, name);
	want_error(403);
	submit_connect(&out, &c, "c");
	want_error(403);
	get_nonce(&d);
	enrol(&d, NULL);
	submit_connect(&out, &d, "b");
	want_error(403);
	assert_int_equal(server_sessions(lab.server), 0);
}

static void test_absent(void **state)
{
	struct outgoing out;

	submit_connect(&out, &a, "c");
	want_error(404);
}

/* Only the registered address of a peer may connect. */
static void test_from_elsewhere(void **state)
{
	struct outgoing out;

	a.path.client.port_be ^= 1;
	get_nonce(&a);
	submit_connect(&out, &a, "b");
	want_error(437);
	assert_int_equal(server_sessions(lab.server), 0);
}

static void test_refused_by_peer(void **state)
{
	struct stun_message message;
	struct outgoing out;
	struct sent kept;

	submit_connect(&out, &a, "b");
	message = keep_sent(&kept);
	confirm(&b, &message, SLUICE_STUN_ERROR);
	message = want_error(480);
	assert_int_equal(stun_check_sha256(&message, a.key, KEY_SIZE), 0);
	assert_true(path_is_same(&lab.sent[0].path, &a.path));
	assert_int_equal(server_sessions(lab.server), 0);
}

/* A confirmation counts only if it has the key and the address of the peer. */
static void test_forged_confirmation(void **state)
{
	struct client forger = b;
	struct stun_message message;
	struct outgoing out;
	struct sent kept;

	submit_connect(&out, &a, "b");
	message = keep_sent(&kept);
	forger.path.client.port_be ^= 1;
	confirm(&forger, &message, SLUICE_STUN_SUCCESS);
	assert_int_equal(lab.count, 0);
	forger = b;
	forger.key[5] ^= 1;
	confirm(&forger, &message, SLUICE_STUN_SUCCESS);
	assert_int_equal(lab.count, 0);
	/* A itself, which does not know the transaction id but could guess it */
	confirm(&a, &message, SLUICE_STUN_SUCCESS);
	assert_int_equal(lab.count, 0);
	confirm(&b, &message, SLUICE_STUN_SUCCESS);
	want_success(&out);
}

/* A new attempt by the same pair replaces the earlier attempt; the rate of attempts is limited. */
static void test_limits(void **state)
{
	struct outgoing out;
	int i;

	for (i = 0; i < 10; i++) {
		submit_connect(&out, &a, "b");
		assert_int_equal(lab.count, 1);
		assert_int_equal(sent_message(0).method, SLUICE_RENDEZVOUS_INTRODUCE);
		assert_int_equal(server_sessions(lab.server), 1);
	}
	submit_connect(&out, &a, "b");
	want_error(486);
	lab.now_ns += SECOND_NS;
	submit_connect(&out, &a, "b");
	assert_int_equal(sent_message(0).method, SLUICE_RENDEZVOUS_INTRODUCE);
	submit_connect(&out, &a, "b");
	want_error(486);
}

static struct registration *registration_new(void)
{
	return calloc(1, sizeof(struct registration));
}

/* Incoming connects from other peers do not block a peer's own connects. */
static void test_incoming(void **state)
{
	struct registration *own = registration_new(), *other[SESSIONS_PEER + 1];
	struct sessions sessions;
	int i;

	sessions_init(&sessions, lab.now_ns);
	for (i = 0; i <= SESSIONS_PEER; i++) {
		other[i] = registration_new();
		assert_non_null(session_add(&sessions, other[i], own, lab.now_ns));
	}
	for (i = 0; i < SESSIONS_PEER; i++)
		assert_non_null(session_add(&sessions, own, other[i], lab.now_ns));
	assert_null(session_add(&sessions, own, other[i], lab.now_ns));
	assert_int_equal(errno, EDQUOT);
	/* another attempt with the same peer takes no additional slot */
	assert_non_null(session_add(&sessions, own, other[7], lab.now_ns));
	/* end a session in the middle of both lists */
	sessions_of_end(&sessions, other[8]);
	assert_int_equal(own->sessions_begun, SESSIONS_PEER - 1);
	assert_non_null(session_add(&sessions, own, other[i], lab.now_ns));
	sessions_of_end(&sessions, own);
	assert_int_equal(HASH_COUNT(sessions.by_id), 0);
	for (i = 0; i <= SESSIONS_PEER; i++) {
		assert_true(!other[i]->sessions[SESSION_FROM] && !other[i]->sessions[SESSION_TO]);
		assert_int_equal(other[i]->sessions_begun, 0);
		free(other[i]);
	}
	free(own);
}

static void test_end(void **state)
{
	struct outgoing out;

	/* a session ends with the registration of either side */
	submit_connect(&out, &a, "b");
	enrol(&b, NULL);
	assert_int_equal(server_sessions(lab.server), 0);
	submit_connect(&out, &a, "b");
	assert_int_equal(server_sessions(lab.server), 1);
	enrol(&a, NULL);
	assert_int_equal(server_sessions(lab.server), 0);
	/* and by timeout, although the registrations are refreshed */
	submit_connect(&out, &a, "b");
	for (int i = 0; i < 5; i++) {
		struct client *both[] = { &a, &b };
		size_t length;

		lab.now_ns += 15 * SECOND_NS;
		for (int k = 0; k < 2; k++) {
			length = build_refresh(&out, both[k]);
			receive(&both[k]->path, out.data, length);
		}
		server_expire(lab.server, lab.now_ns);
	}
	assert_int_equal(registered(), 2);
	assert_int_equal(server_sessions(lab.server), 0);
}

static void submit_report(struct client *from, const uint8_t *id, size_t size, uint32_t outcome)
{
	struct outgoing out;

	lab_clear();
	begin(&out, from, SLUICE_RENDEZVOUS_REPORT);
	stun_put(&out.builder, SLUICE_RENDEZVOUS_SESSION_ID, id, size);
	stun_put_u32(&out.builder, SLUICE_RENDEZVOUS_OUTCOME, outcome);
	submit(&out, from);
}

static void test_report(void **state)
{
	struct stun_message message;
	uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE];
	const uint8_t *value;
	struct outgoing out;
	struct sent kept;
	size_t length;
	uint32_t i;

	enrol(&c, NULL);
	submit_connect(&out, &a, "b");
	message = keep_sent(&kept);
	confirm(&b, &message, SLUICE_STUN_SUCCESS);
	message = want_success(&out);
	assert_int_equal(stun_get(&message, SLUICE_RENDEZVOUS_SESSION_ID, &value, &length), 0);
	memcpy(id, value, sizeof(id));
	submit_report(&a, id, sizeof(id), 1);
	assert_int_equal(sent_message(0).class, SLUICE_STUN_SUCCESS);
	submit_report(&a, id, sizeof(id), 1); /* a retransmission counts once */
	assert_int_equal(sent_message(0).class, SLUICE_STUN_SUCCESS);
	submit_report(&b, id, sizeof(id), 3);
	assert_int_equal(sent_message(0).class, SLUICE_STUN_SUCCESS);
	assert_int_equal(counted(COUNT_reported_direct), 1);
	assert_int_equal(counted(COUNT_reported_relayed), 1);
	submit_report(&c, id, sizeof(id), 1);
	want_error(404);
	submit_report(&a, id, sizeof(id), 0);
	want_error(400);
	submit_report(&a, id, sizeof(id), 5);
	want_error(400);
	for (i = 0; i < SLUICE_RENDEZVOUS_SESSION_ID_SIZE; i++) {
		submit_report(&a, id, i, 1);
		want_error(400);
	}
	id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE - 1] ^= 1;
	submit_report(&a, id, sizeof(id), 1);
	want_error(404);
}

/* Missing attributes, and attributes unknown to the server. */
static void test_incomplete(void **state)
{
	struct outgoing out;

	begin(&out, &a, SLUICE_RENDEZVOUS_CONNECT);
	stun_put(&out.builder, SLUICE_RENDEZVOUS_PEER_NAME, "b", 1);
	submit(&out, &a);
	want_error(400);
	lab_clear();
	begin(&out, &a, SLUICE_RENDEZVOUS_CONNECT);
	stun_put(&out.builder, SLUICE_RENDEZVOUS_EPHEMERAL_KEY, ephemeral_a, KEY_SIZE);
	submit(&out, &a);
	want_error(400);
	lab_clear();
	begin(&out, &a, SLUICE_RENDEZVOUS_CONNECT);
	stun_put(&out.builder, SLUICE_RENDEZVOUS_PEER_NAME, "b", 1);
	stun_put(&out.builder, SLUICE_RENDEZVOUS_EPHEMERAL_KEY, ephemeral_a, KEY_SIZE - 1);
	submit(&out, &a);
	want_error(400);
	lab_clear();
	begin(&out, &a, SLUICE_RENDEZVOUS_CONNECT);
	stun_put_u32(&out.builder, 0x7abc, 1);
	submit(&out, &a);
	want_error(420);
	assert_int_equal(server_sessions(lab.server), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, connect_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_introduce),
		TEST(test_repeats),
		TEST(test_limit_stays),
		TEST(test_delay),
		TEST(test_not_allowed),
		TEST(test_absent),
		TEST(test_from_elsewhere),
		TEST(test_refused_by_peer),
		TEST(test_forged_confirmation),
		TEST(test_limits),
		TEST(test_incoming),
		TEST(test_end),
		TEST(test_report),
		TEST(test_incomplete),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
