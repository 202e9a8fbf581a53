// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The relay forwards datagrams between the two peers of a session once both have bound a channel,
 * and forwards nothing else. A stranger cannot create state and receives no data.
 */
#include "meet/channel.h"
#include "meet/rendezvous/relay.h"
#include "rendezvous_lab.h"

#define A_CHANNEL 0x4abc
#define B_CHANNEL 0x4123
#define ID_SIZE	  SLUICE_RENDEZVOUS_SESSION_ID_SIZE
#define FULL_SIZE 1200

static uint8_t session_id[ID_SIZE];
static uint8_t payload[FULL_SIZE];

/* --- actions of the peers */

/* @from connects to @to, which confirms. */
static void introduce(struct client *from, const struct client *to, uint8_t id[ID_SIZE])
{
	static const uint8_t ephemeral[KEY_SIZE] = { 7 };
	struct stun_message message;
	struct outgoing out, answer;
	const uint8_t *value;
	size_t length;

	lab_clear();
	begin(&out, from, SLUICE_RENDEZVOUS_CONNECT);
	stun_put(&out.builder, SLUICE_RENDEZVOUS_PEER_NAME, to->name, strlen(to->name));
	stun_put(&out.builder, SLUICE_RENDEZVOUS_EPHEMERAL_KEY, ephemeral, KEY_SIZE);
	submit(&out, from);
	assert_int_equal(lab.count, 1);
	message = sent_message(0);
	assert_int_equal(message.method, SLUICE_RENDEZVOUS_INTRODUCE);
	assert_int_equal(stun_get(&message, SLUICE_RENDEZVOUS_SESSION_ID, &value, &length), 0);
	assert_int_equal(length, ID_SIZE);
	memcpy(id, value, ID_SIZE);
	stun_begin_response(&answer.builder, answer.data, sizeof(answer.data), &message,
			    SLUICE_STUN_SUCCESS);
	stun_put(&answer.builder, SLUICE_RENDEZVOUS_EPHEMERAL_KEY, ephemeral, KEY_SIZE);
	lab_clear();
	submit(&answer, to);
	want_success(&out);
	lab_clear();
}

static void put_bind(struct outgoing *out, const struct client *client, const uint8_t *id,
		     uint16_t channel)
{
	const uint8_t number[4] = { (uint8_t)(channel >> 8), (uint8_t)channel };

	begin(out, client, SLUICE_RENDEZVOUS_BIND);
	stun_put(&out->builder, SLUICE_RENDEZVOUS_SESSION_ID, id, ID_SIZE);
	stun_put(&out->builder, SLUICE_RENDEZVOUS_CHANNEL_NUMBER, number, sizeof(number));
}

static void submit_bind(struct outgoing *out, const struct client *client, const uint8_t *id,
			uint16_t channel)
{
	lab_clear();
	put_bind(out, client, id, channel);
	submit(out, client);
}

static void bind_channel(const struct client *client, const uint8_t *id, uint16_t channel)
{
	struct stun_message message;
	struct outgoing out;
	uint32_t life_s;

	submit_bind(&out, client, id, channel);
	message = want_success(&out);
	assert_int_equal(stun_check_sha256(&message, client->key, KEY_SIZE), 0);
	assert_int_equal(stun_get_u32(&message, SLUICE_RENDEZVOUS_LIFETIME, &life_s), 0);
	assert_int_equal(life_s, RELAY_LIFE_S);
	assert_true(path_is_same(&lab.sent[0].path, &client->path));
	lab_clear();
}

static void send_data(const struct path *path, uint16_t channel, size_t length)
{
	uint8_t message[SLUICE_CHANNEL_HEADER + FULL_SIZE];

	channel_put_header(message, channel, length);
	memcpy(message + SLUICE_CHANNEL_HEADER, payload, length);
	lab_clear();
	receive(path, message, SLUICE_CHANNEL_HEADER + length);
}

/* Checks that the relay has sent only one datagram, to this peer. */
static void want_data(const struct client *to, uint16_t channel, size_t length)
{
	struct channel_data data;

	assert_int_equal(lab.count, 1);
	assert_true(path_is_same(&lab.sent[0].path, &to->path));
	assert_int_equal(channel_parse(lab.sent[0].data, lab.sent[0].length, &data), 0);
	assert_int_equal(data.number, channel);
	assert_int_equal(data.length, length);
	assert_memory_equal(data.data, payload, length);
}

static bool passes(const struct client *from, uint16_t channel)
{
	send_data(&from->path, channel, FULL_SIZE);
	return lab.count;
}

/* Gets a fresh nonce, later than the previous ones. */
static void renew(struct client *client)
{
	lab.now_ns += SECOND_NS;
	get_nonce(client);
}

static int relay_setup(void **state)
{
	size_t i;

	lab_setup(state);
	for (i = 0; i < FULL_SIZE; i++)
		payload[i] = (uint8_t)(i * 7 + 1);
	enrol(&a, "10.0.0.1:5001");
	enrol(&b, "10.1.1.3:5002");
	enrol(&c, NULL);
	introduce(&a, &b, session_id);
	return 0;
}

static void bind_both(void)
{
	bind_channel(&a, session_id, A_CHANNEL);
	bind_channel(&b, session_id, B_CHANNEL);
}

/* --- tests */

static void test_passes(void **state)
{
	static const size_t lengths[] = { 0, 1, 2, 3, 4, 5, 1199, FULL_SIZE };
	size_t i;

	bind_channel(&a, session_id, A_CHANNEL);
	assert_int_equal(server_relays(lab.server), 1);
	/* the other peer has not bound its channel yet */
	assert_false(passes(&a, A_CHANNEL));
	assert_int_equal(counted(COUNT_relay_unbound), 1);
	bind_channel(&b, session_id, B_CHANNEL);
	assert_int_equal(server_relays(lab.server), 1);
	for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		send_data(&a.path, A_CHANNEL, lengths[i]);
		want_data(&b, B_CHANNEL, lengths[i]);
		assert_int_equal(lab.bytes, SLUICE_CHANNEL_HEADER + lengths[i]);
		send_data(&b.path, B_CHANNEL, lengths[i]);
		want_data(&a, A_CHANNEL, lengths[i]);
	}
	assert_int_equal(counted(COUNT_relay_datagrams), 2 * i);
	assert_int_equal(counted(COUNT_relay_bound), 2);
	assert_int_equal(counted(COUNT_relay_unbound), 1);
	/* both peers may choose the same number */
	bind_channel(&b, session_id, A_CHANNEL);
	send_data(&a.path, A_CHANNEL, 9);
	want_data(&b, A_CHANNEL, 9);
	assert_false(passes(&b, B_CHANNEL));
}

/* An unauthenticated request creates no state, and its answer is not longer than the request. */
static void test_no_state(void **state)
{
	static const uint8_t zeros[64];
	struct client liar = a;
	struct outgoing out;

	liar.has_nonce = false;
	lab_clear();
	put_bind(&out, &liar, session_id, A_CHANNEL);
	stun_put(&out.builder, SLUICE_STUN_PADDING, zeros, sizeof(zeros));
	submit(&out, &liar);
	want_error(401);
	assert_true(lab.bytes <= out.builder.length);
	/* the nonce of another address */
	liar = a;
	liar.path = path_from("198.51.100.1:40009");
	submit_bind(&out, &liar, session_id, A_CHANNEL);
	assert_true(lab.count <= 1 && lab.bytes <= out.builder.length);
	/* the key of another peer */
	liar = a;
	memcpy(liar.key, c.key, KEY_SIZE);
	submit_bind(&out, &liar, session_id, A_CHANNEL);
	want_error(401);
	/* without integrity */
	lab_clear();
	put_bind(&out, &a, session_id, A_CHANNEL);
	receive(&a.path, out.data, stun_end(&out.builder));
	want_error(401);
	assert_int_equal(server_relays(lab.server), 0);
	assert_int_equal(counted(COUNT_relay_bound), 0);
}

/* A third peer, even a registered one, can neither send nor receive. */
static void test_no_third_party(void **state)
{
	struct path path = a.path;
	struct outgoing out;

	submit_bind(&out, &c, session_id, A_CHANNEL);
	want_error(404);
	assert_int_equal(server_relays(lab.server), 0);
	bind_both();
	submit_bind(&out, &c, session_id, 0x4001);
	want_error(404);
	submit_bind(&out, &d, session_id, 0x4001);
	assert_int_equal(sent_message(0).class, SLUICE_STUN_ERROR);
	assert_false(passes(&c, A_CHANNEL));
	assert_false(passes(&c, B_CHANNEL));
	/* from the right address, but in the other peer's channel, or over TCP */
	assert_false(passes(&a, B_CHANNEL));
	path.stream = &(struct stream){ NULL };
	send_data(&path, A_CHANNEL, 10);
	assert_int_equal(lab.count, 0);
	/* from another port of the same host */
	path = path_from("198.51.100.1:40002");
	send_data(&path, A_CHANNEL, 10);
	assert_int_equal(lab.count, 0);
	assert_int_equal(counted(COUNT_relay_datagrams), 0);
	assert_true(passes(&a, A_CHANNEL));
}

static void test_malformed(void **state)
{
	static const uint16_t numbers[] = { 0, 0x3fff, 0x5000, 0xffff };
	static const uint8_t other_id[ID_SIZE] = { 1 };
	uint8_t message[SLUICE_CHANNEL_HEADER + 1400] = { 0 };
	uint8_t similar[ID_SIZE];
	struct outgoing out;
	size_t i;

	for (i = 0; i < sizeof(numbers) / sizeof(*numbers); i++) {
		submit_bind(&out, &a, session_id, numbers[i]);
		want_error(400);
	}
	for (i = 0; i <= ID_SIZE + 4; i++) {
		if (i == ID_SIZE)
			continue;
		lab_clear();
		begin(&out, &a, SLUICE_RENDEZVOUS_BIND);
		stun_put(&out.builder, SLUICE_RENDEZVOUS_SESSION_ID, (uint8_t[32]){ 0 }, i);
		stun_put(&out.builder, SLUICE_RENDEZVOUS_CHANNEL_NUMBER, "\x40\0\0\0", 4);
		submit(&out, &a);
		want_error(400);
	}
	for (i = 0; i <= 8; i++) {
		if (i == 4)
			continue;
		lab_clear();
		begin(&out, &a, SLUICE_RENDEZVOUS_BIND);
		stun_put(&out.builder, SLUICE_RENDEZVOUS_SESSION_ID, session_id, ID_SIZE);
		stun_put(&out.builder, SLUICE_RENDEZVOUS_CHANNEL_NUMBER, "\x40\0\0\0\0\0\0\0", i);
		submit(&out, &a);
		want_error(400);
	}
	submit_bind(&out, &a, other_id, A_CHANNEL);
	want_error(404);
	/* the server looks up a session by the first twelve bytes */
	memcpy(similar, session_id, ID_SIZE);
	similar[ID_SIZE - 1] ^= 1;
	submit_bind(&out, &a, similar, A_CHANNEL);
	want_error(404);
	assert_int_equal(server_relays(lab.server), 0);
	bind_both();
	/* truncated, and longer than the server forwards */
	channel_put_header(message, A_CHANNEL, 1400);
	lab_clear();
	for (i = 0; i <= sizeof(message); i++)
		if (i < SLUICE_CHANNEL_HEADER || i > 1300)
			receive(&a.path, message, i);
	assert_int_equal(lab.count, 0);
	assert_true(passes(&a, A_CHANNEL));
}

/* A repeated request gets the same answer, and changes nothing. */
static void test_repeat(void **state)
{
	struct outgoing out;
	int i;

	submit_bind(&out, &a, session_id, A_CHANNEL);
	for (i = 0; i < 20; i++)
		receive(&a.path, out.data, out.builder.length);
	assert_int_equal(lab.count, 21);
	assert_int_equal(server_relays(lab.server), 1);
	assert_int_equal(counted(COUNT_relay_bound), 1);
	assert_int_equal(lab.server->relays.wheel.count, 1);
}

/* A peer that moves binds again. Replaying its earlier request does not move the channel back. */
static void test_moves(void **state)
{
	const struct path before = a.path;
	struct outgoing recorded, out;

	submit_bind(&recorded, &a, session_id, A_CHANNEL);
	bind_channel(&b, session_id, B_CHANNEL);
	a.path = path_from("198.51.100.9:41000");
	submit_bind(&out, &a, session_id, A_CHANNEL);
	want_error(438); /* the nonce is for the earlier address */
	renew(&a);
	bind_channel(&a, session_id, A_CHANNEL);
	assert_true(passes(&a, A_CHANNEL));
	assert_true(passes(&b, B_CHANNEL));
	want_data(&a, A_CHANNEL, FULL_SIZE);
	lab_clear();
	receive(&before, recorded.data, recorded.builder.length);
	want_error(438);
	send_data(&before, A_CHANNEL, 10);
	assert_int_equal(lab.count, 0);
	assert_true(passes(&b, B_CHANNEL));
	want_data(&a, A_CHANNEL, FULL_SIZE);
	assert_int_equal(counted(COUNT_relay_bound), 2);
	/* with a nonce received there, the peer may return */
	a.path = before;
	renew(&a);
	bind_channel(&a, session_id, A_CHANNEL);
	assert_true(passes(&a, A_CHANNEL));
}

/*
 * Without a refresh, a binding expires; with refreshes, the relay outlives session and
 * registration.
 */
static void test_life(void **state)
{
	uint64_t at_ns;
	int i;

	bind_both();
	for (i = 0; i < 20; i++) {
		lab.now_ns += 19 * SECOND_NS;
		server_expire(lab.server, lab.now_ns);
		enrol(&a, NULL);
		enrol(&b, NULL);
		assert_int_equal(server_sessions(lab.server), 0);
		bind_channel(&a, session_id, A_CHANNEL);
		bind_channel(&b, session_id, B_CHANNEL);
		assert_true(passes(&a, A_CHANNEL));
	}
	assert_int_equal(counted(COUNT_relay_bound), 2);
	/* one peer alone keeps only its own binding */
	for (i = 0; i < 4; i++) {
		lab.now_ns += 19 * SECOND_NS;
		enrol(&a, NULL);
		bind_channel(&a, session_id, A_CHANNEL);
		server_expire(lab.server, lab.now_ns);
	}
	assert_false(passes(&a, A_CHANNEL));
	assert_int_equal(counted(COUNT_relay_expired), 1);
	assert_int_equal(server_relays(lab.server), 1);
	assert_true(server_next(lab.server, &at_ns));
	lab.now_ns += (RELAY_LIFE_S + 2) * SECOND_NS;
	server_expire(lab.server, lab.now_ns);
	assert_int_equal(server_relays(lab.server), 0);
	assert_int_equal(counted(COUNT_relay_expired), 2);
	assert_false(server_next(lab.server, &at_ns));
}

/* A later session of the same peers does not affect the relay of the earlier session. */
static void test_next_session(void **state)
{
	uint8_t next_id[ID_SIZE];

	bind_both();
	introduce(&a, &b, next_id);
	assert_memory_not_equal(next_id, session_id, ID_SIZE);
	assert_true(passes(&a, A_CHANNEL));
	bind_channel(&a, next_id, 0x4200);
	bind_channel(&b, next_id, 0x4201);
	assert_int_equal(server_relays(lab.server), 2);
	send_data(&a.path, 0x4200, 20);
	want_data(&b, 0x4201, 20);
	send_data(&a.path, A_CHANNEL, 20);
	want_data(&b, B_CHANNEL, 20);
}

static void test_unregister(void **state)
{
	struct outgoing out;

	bind_both();
	lab_clear();
	begin(&out, &b, SLUICE_RENDEZVOUS_UNREGISTER);
	stun_put(&out.builder, SLUICE_RENDEZVOUS_REGISTRATION, &b.id, sizeof(b.id));
	submit(&out, &b);
	want_success(&out);
	assert_false(passes(&a, A_CHANNEL));
	submit_bind(&out, &b, session_id, B_CHANNEL);
	want_error(437);
	enrol(&b, NULL);
	bind_channel(&b, session_id, B_CHANNEL);
	assert_true(passes(&a, A_CHANNEL));
}

/* A channel number at one address belongs to one session. */
static void test_channel_taken(void **state)
{
	uint8_t other_id[ID_SIZE];
	struct outgoing out;

	introduce(&c, &a, other_id);
	bind_both();
	submit_bind(&out, &a, other_id, A_CHANNEL);
	want_error(400);
	assert_int_equal(server_relays(lab.server), 1);
	bind_channel(&c, other_id, 0x4007);
	bind_channel(&a, other_id, 0x4008);
	send_data(&a.path, 0x4008, 3);
	want_data(&c, 0x4007, 3);
	send_data(&a.path, A_CHANNEL, 3);
	want_data(&b, B_CHANNEL, 3);
	/* a refresh may not take the other session's channel either */
	submit_bind(&out, &a, other_id, A_CHANNEL);
	want_error(400);
	send_data(&a.path, 0x4008, 3);
	want_data(&c, 0x4007, 3);
}

static void restart(const struct server_relay *relay)
{
	server_free(lab.server);
	lab.config.relay = *relay;
	lab_start();
	enrol(&a, NULL);
	enrol(&b, NULL);
	enrol(&c, NULL);
	introduce(&a, &b, session_id);
}

static unsigned int passed_of(const struct client *from, uint16_t channel, unsigned int datagrams)
{
	unsigned int passed = 0;

	while (datagrams--)
		passed += passes(from, channel);
	return passed;
}

static void test_budget(void **state)
{
	const uint64_t size = SLUICE_CHANNEL_HEADER + FULL_SIZE;
	uint8_t other_id[ID_SIZE];

	restart(&(struct server_relay){ .pairs = 10, .peer_rate = 10 * size });
	bind_both();
	assert_int_equal(passed_of(&a, A_CHANNEL, 100), 10);
	assert_int_equal(counted(COUNT_relay_dropped), 90);
	/* each peer has its own budget; a new registration or binding does not reset it */
	assert_int_equal(passed_of(&b, B_CHANNEL, 100), 10);
	enrol(&a, NULL);
	bind_channel(&a, session_id, 0x4999);
	assert_int_equal(passed_of(&a, 0x4999, 100), 0);
	lab.now_ns += SECOND_NS / 2;
	assert_int_equal(passed_of(&a, 0x4999, 100), 5);
	lab.now_ns += 100 * SECOND_NS;
	assert_int_equal(passed_of(&a, 0x4999, 100), 10);

	/* the total budget */
	restart(&(struct server_relay){ .pairs = 10, .peer_rate = 10 * size, .rate = 15 * size });
	introduce(&c, &a, other_id);
	bind_both();
	bind_channel(&c, other_id, 0x4001);
	bind_channel(&a, other_id, 0x4002);
	assert_int_equal(passed_of(&a, A_CHANNEL, 100), 10);
	assert_int_equal(passed_of(&c, 0x4001, 100), 5);
	/* a datagram refused by one budget does not consume the other */
	lab.now_ns += SECOND_NS / 5;
	assert_int_equal(passed_of(&c, 0x4001, 100), 3);

	/* unlimited */
	restart(&(struct server_relay){ .pairs = 10 });
	bind_both();
	assert_int_equal(passed_of(&a, A_CHANNEL, 1000), 1000);
}

static void test_limits(void **state)
{
	uint8_t other_id[ID_SIZE];
	struct outgoing out;
	struct peer *peer;

	restart(&(struct server_relay){ .pairs = 1 });
	introduce(&c, &a, other_id);
	bind_both();
	submit_bind(&out, &c, other_id, 0x4001);
	want_error(486);
	assert_int_equal(server_relays(lab.server), 1);
	assert_true(passes(&a, A_CHANNEL));

	restart(&(struct server_relay){ .pairs = 10 });
	peer = peers_find(&lab.server->peers, "a", 1);
	peer->relays = RELAYS_PEER;
	submit_bind(&out, &a, session_id, A_CHANNEL);
	want_error(486);
	assert_int_equal(server_relays(lab.server), 0);
	/* the other peer is not affected */
	bind_channel(&b, session_id, B_CHANNEL);
	peer->relays = 0;
	bind_channel(&a, session_id, A_CHANNEL);
	assert_int_equal(peer->relays, 1);

	restart(&(struct server_relay){ .pairs = 0 });
	submit_bind(&out, &a, session_id, A_CHANNEL);
	want_error(486);
}

/* A relay survives a reload of the file, unless one of its peers is removed. */
static void test_reload(void **state)
{
	uint8_t other_id[ID_SIZE];
	struct peers peers;

	introduce(&c, &a, other_id);
	bind_both();
	bind_channel(&c, other_id, 0x4001);
	bind_channel(&a, other_id, 0x4002);
	peers = lab_peers(false);
	assert_int_equal(server_set_peers(lab.server, &peers), 1);
	assert_int_equal(server_relays(lab.server), 1);
	assert_false(passes(&a, 0x4002));
	assert_false(passes(&c, 0x4001));
	assert_true(passes(&a, A_CHANNEL));
	assert_true(passes(&b, B_CHANNEL));
	bind_both();
	assert_int_equal(peers_find(&lab.server->peers, "a", 1)->relays, 1);
}

/* The peers file no longer allows the connection. */
static void test_reload_denies(void **state)
{
	char text[1024], keys[3][KEY_TEXT];
	const struct client *clients[] = { &a, &b, &c };
	struct peers peers = { NULL };
	uint8_t key[KEY_SIZE];
	struct outgoing out;
	FILE *file;
	int i;

	for (i = 0; i < 3; i++) {
		key_public(key, clients[i]->secret);
		key_format(key, keys[i]);
	}
	snprintf(text, sizeof(text), "a %s\nb %s allow=c\nc %s\n", keys[0], keys[1], keys[2]);
	file = fmemopen(text, strlen(text), "r");
	assert_non_null(file);
	assert_int_equal(peers_parse(file, "peers", &peers, &(struct err){ 0 }), 0);
	fclose(file);
	bind_both();
	assert_int_equal(server_set_peers(lab.server, &peers), 0);
	assert_int_equal(server_relays(lab.server), 0);
	assert_false(passes(&a, A_CHANNEL));
	assert_false(passes(&b, B_CHANNEL));
	submit_bind(&out, &a, session_id, A_CHANNEL);
	want_error(404);
}

/* Over TCP, messages are padded, and the binding ends with the connection. */
static void test_stream(void **state)
{
	struct stream stream = { NULL };

	b.path.stream = &stream;
	renew(&b);
	bind_both();
	send_data(&a.path, A_CHANNEL, 5);
	want_data(&b, B_CHANNEL, 5);
	assert_int_equal(lab.sent[0].length, 12);
	assert_memory_equal(lab.sent[0].data + 9, "\0\0\0", 3);
	send_data(&b.path, B_CHANNEL, 5);
	want_data(&a, A_CHANNEL, 5);
	assert_int_equal(lab.sent[0].length, 9);
	server_stream_closed(lab.server, &stream);
	assert_null(stream.relay_legs);
	assert_false(passes(&a, A_CHANNEL));
	assert_int_equal(server_relays(lab.server), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_passes, relay_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_no_state, relay_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_no_third_party, relay_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_malformed, relay_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_repeat, relay_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_moves, relay_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_life, relay_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_next_session, relay_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_unregister, relay_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_channel_taken, relay_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_budget, relay_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_limits, relay_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_reload, relay_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_reload_denies, relay_setup, lab_teardown),
		cmocka_unit_test_setup_teardown(test_stream, relay_setup, lab_teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
