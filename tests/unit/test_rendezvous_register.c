// SPDX-License-Identifier: GPL-2.0-or-later
/* Registrations: who may register, answers to strangers, refreshes, and expiry. */
#include "meet/candidate.h"
#include "meet/nonce.h"
#include "meet/rendezvous/server.h"
#include "meet/rendezvous/store.h"
#include "net/prefix.h"
#include "rendezvous_lab.h"

static struct registration *of(const struct client *client)
{
	return store_by_id(server_store(lab.server), be32toh(client->id.slot_be),
			   be32toh(client->id.epoch_be));
}

static void refresh(struct client *client)
{
	struct outgoing out;
	size_t length = build_refresh(&out, client);

	lab_clear();
	receive(&client->path, out.data, length);
}

static void test_register(void **state)
{
	struct stun_message message;
	struct stun_endpoint mapped;
	struct outgoing out;
	uint32_t number;

	get_nonce(&a);
	assert_int_equal(registered(), 0);
	lab.now_ns += 30 * 1000000;
	begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
	put_candidate(&out, "10.0.0.1:5000", NULL);
	submit(&out, &a);
	message = want_success(&out);
	read_registered(&a, &message);
	assert_int_equal(stun_get_xor_address(&message, SLUICE_STUN_XOR_MAPPED_ADDRESS, &mapped),
			 0);
	assert_true(stun_endpoint_is_same(&mapped, &a.path.client));
	assert_int_equal(stun_get_u32(&message, SLUICE_RENDEZVOUS_LIFETIME, &number), 0);
	assert_int_equal(number, 54);
	assert_int_equal(stun_get_u32(&message, SLUICE_RENDEZVOUS_BEHIND_NAT, &number), 0);
	assert_int_equal(number, 1);
	assert_int_equal(registered(), 1);
	assert_int_equal(of(&a)->candidates, 1);
	assert_int_equal(of(&a)->rtt_ms, 30);
	assert_true(of(&a)->behind_nat);
}

static void test_not_behind_nat(void **state)
{
	enrol(&a, "198.51.100.1:40001");
	assert_false(of(&a)->behind_nat);
	/* an equal address does not suffice: the port was translated */
	enrol(&a, "198.51.100.1:40002");
	assert_true(of(&a)->behind_nat);
	enrol(&d, "[2001:db8:4::1]:40004");
	assert_false(of(&d)->behind_nat);
}

/* The response was lost: the same request returns the same registration. */
static void test_repeated(void **state)
{
	struct sluice_rendezvous_id first;
	struct stun_message message;
	struct outgoing out;

	get_nonce(&a);
	begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
	submit(&out, &a);
	message = want_success(&out);
	read_registered(&a, &message);
	first = a.id;
	lab_clear();
	receive(&a.path, out.data, out.builder.length);
	message = want_success(&out);
	read_registered(&a, &message);
	assert_memory_equal(&first, &a.id, sizeof(first));
	assert_int_equal(counted(COUNT_registered), 1);
	enrol(&a, NULL);
	assert_memory_not_equal(&first, &a.id, sizeof(first));
	assert_int_equal(registered(), 1);
}

/* --- strangers */

/* An answer is never longer than its request, and no state is created. */
static void test_stranger_gets_no_more(void **state)
{
	unsigned int methods[] = { SLUICE_RENDEZVOUS_REGISTER, SLUICE_RENDEZVOUS_REFRESH,
				   SLUICE_RENDEZVOUS_UNREGISTER, SLUICE_RENDEZVOUS_CONNECT,
				   SLUICE_RENDEZVOUS_REPORT };
	static const uint8_t zeros[128];
	struct outgoing out;
	size_t i, padding, length;

	for (i = 0; i < sizeof(methods) / sizeof(*methods); i++)
		for (padding = 0; padding <= 128; padding += 4) {
			begin(&out, NULL, methods[i]);
			if (padding >= 4)
				stun_put(&out.builder, SLUICE_STUN_PADDING, zeros, padding - 4);
			length = stun_end(&out.builder);
			lab_clear();
			receive(&a.path, out.data, length);
			assert_true(lab.bytes <= length);
			/* malformed attributes */
			out.data[length - 1] = 0xff;
			out.data[22] = 0xff;
			lab_clear();
			receive(&a.path, out.data, length);
			assert_true(lab.bytes <= length);
		}
	assert_int_equal(registered(), 0);
	assert_true(counted(COUNT_unanswered_short) > 0);
	assert_true(counted(COUNT_challenged) > 0);
}

/* A flood from forged sources, as in CVE-2026-30784, creates no state. */
static void test_flood(void **state)
{
	static const uint8_t zeros[64];
	struct path path = a.path;
	size_t before = store_bytes(server_store(lab.server)), length[3];
	struct outgoing out[3];
	uint64_t in = 0;
	uint32_t i;

	get_nonce(&b);
	b.path.client.port_be ^= 1; /* a nonce for another address */
	begin(&out[0], NULL, SLUICE_RENDEZVOUS_REGISTER);
	stun_put(&out[0].builder, SLUICE_STUN_PADDING, zeros, sizeof(zeros));
	begin(&out[1], &b, SLUICE_RENDEZVOUS_CONNECT);
	stun_put_sha256(&out[1].builder, b.key, KEY_SIZE);
	build_refresh(&out[2], &b);
	for (i = 0; i < 3; i++)
		length[i] = stun_end(&out[i].builder);
	lab_clear();
	for (i = 0; i < 30000; i++) {
		path.client.addr.s6_addr32[3] = htonl(0x01000000 + i * 77777);
		server_receive(lab.server, &path, out[i % 3].data, length[i % 3], lab.now_ns);
		in += length[i % 3];
	}
	assert_true(lab.bytes > 0 && lab.bytes <= in);
	assert_int_equal(registered(), 0);
	assert_int_equal(server_sessions(lab.server), 0);
	assert_int_equal(store_bytes(server_store(lab.server)), before);
}

/* 10^5 sources, such as a botnet, prove their addresses but have no key: no state is created. */
static void test_half_open(void **state)
{
	size_t before = store_bytes(server_store(lab.server)), length;
	struct client thief = a;
	struct outgoing out;
	uint32_t i;

	thief.has_nonce = true;
	thief.key[0] ^= 1;
	for (i = 0; i < 100000; i++) {
		thief.path.client.addr.s6_addr32[3] = htonl(0x01000000 + i * 7777);
		nonce_make(thief.nonce, lab.server->nonce_key, &thief.path.client, CANDIDATE_UDP,
			   lab.now_ns / 1000000);
		begin(&out, &thief, SLUICE_RENDEZVOUS_REGISTER);
		stun_put_sha256(&out.builder, thief.key, KEY_SIZE);
		length = stun_end(&out.builder);
		server_receive(lab.server, &thief.path, out.data, length, lab.now_ns);
		assert_true(lab.sent[i % SENT_MAX].length <= length);
	}
	assert_int_equal(counted(COUNT_refused), 100000);
	assert_int_equal(registered(), 0);
	assert_int_equal(store_bytes(server_store(lab.server)), before);
}

/* A nonce is bound to an address, port, transport, and a time interval. */
static void test_nonce(void **state)
{
	struct stream stream = { NULL };
	char nonce[NONCE_SIZE];
	struct outgoing out;
	int i;

	get_nonce(&a);
	memcpy(nonce, a.nonce, sizeof(nonce));
	for (i = 0; i < 6; i++) {
		lab_clear();
		switch (i) {
		case 1:
			a.path.client.port_be ^= 1;
			break;
		case 2:
			a.path.client.port_be ^= 1;
			a.path.client.addr.s6_addr[15] ^= 1;
			break;
		case 3:
			a.path.client.addr.s6_addr[15] ^= 1;
			a.nonce[0] ^= 1;
			break;
		case 4:
			a.nonce[0] ^= 1;
			a.path.stream = &stream;
			break;
		case 5:
			a.path.stream = NULL;
			lab.now_ns += (NONCE_LIFE_MS + 1) * 1000000ULL;
			break;
		}
		begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
		submit(&out, &a);
		if (i)
			want_error(438);
		else
			want_success(&out);
	}
	assert_int_equal(counted(COUNT_registered), 1);
	/* all lengths, none of which may cause an overread */
	for (i = 0; i < 64; i++) {
		char text[64];

		memset(text, 'A', sizeof(text));
		begin(&out, NULL, SLUICE_RENDEZVOUS_REGISTER);
		stun_put(&out.builder, SLUICE_STUN_NONCE, text, (size_t)i);
		stun_put(&out.builder, SLUICE_STUN_USERNAME, "a", 1);
		lab_clear();
		submit(&out, &a);
		want_error(438);
	}
}

/* A name is bound to a key; an equal address proves nothing. */
static void test_wrong_key(void **state)
{
	struct outgoing out;

	enrol(&a, NULL);
	get_nonce(&a);
	begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
	a.key[0] ^= 1;
	submit(&out, &a);
	want_error(401);
	a.key[0] ^= 1;
	assert_non_null(of(&a));
	/* its own key with the name of another peer */
	lab_clear();
	a.name = "b";
	begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
	submit(&out, &a);
	want_error(401);
	lab_clear();
	a.name = "nobody";
	begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
	submit(&out, &a);
	want_error(401);
	assert_int_equal(counted(COUNT_refused), 3);
	assert_int_equal(registered(), 1);
	/* neither a name nor a MAC */
	lab_clear();
	begin(&out, NULL, SLUICE_RENDEZVOUS_REGISTER);
	stun_put(&out.builder, SLUICE_STUN_NONCE, a.nonce, NONCE_SIZE);
	receive(&a.path, out.data, stun_end(&out.builder));
	want_error(400);
}

/* Attributes after MESSAGE-INTEGRITY-SHA256 are not protected, and are ignored. */
static void test_after_integrity(void **state)
{
	struct stun_message message;
	struct outgoing out;

	get_nonce(&a);
	begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
	stun_put_sha256(&out.builder, a.key, KEY_SIZE);
	put_candidate(&out, "10.0.0.1:5000", NULL);
	receive(&a.path, out.data, stun_end(&out.builder));
	message = want_success(&out);
	read_registered(&a, &message);
	assert_int_equal(of(&a)->candidates, 0);
}

/* --- candidates */

static const struct {
	const char *at;
	unsigned int error; /* 0: allowed */
} candidates[] = {
	{ "10.0.0.1:1024", 0 },
	{ "192.168.1.1:65535", 0 },
	{ "[fd00::1]:5000", 0 },
	{ "198.51.100.1:5000", 0 },   /* the peer's own public address */
	{ "198.51.100.2:5000", 403 }, /* the address of a victim */
	{ "[2001:db8::1]:5000", 403 },
	{ "10.0.0.1:1023", 403 },
	{ "198.51.100.1:53", 403 },
	{ "127.0.0.1:5000", 403 },
	{ "[::1]:5000", 403 },
	{ "169.254.169.254:5000", 403 },
	{ "224.0.0.1:5000", 403 },
	{ "[fe80::1]:5000", 403 },
	{ "[2002:7f00:1::1]:5000", 403 },
	{ "[64:ff9b::7f00:1]:5000", 403 },
	{ "[2001:0:1::1]:5000", 403 },
	{ "0.0.0.0:5000", 403 },
	{ "[::]:5000", 403 },
};

static void test_candidates(void **state)
{
	struct outgoing out;
	size_t i;

	get_nonce(&a);
	for (i = 0; i < sizeof(candidates) / sizeof(*candidates); i++) {
		lab_clear();
		begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
		put_candidate(&out, "10.0.0.7:7000", NULL);
		put_candidate(&out, candidates[i].at, NULL);
		submit(&out, &a);
		if (candidates[i].error)
			want_error(candidates[i].error);
		else
			want_success(&out);
	}
	assert_int_equal(counted(COUNT_registered), 4);
}

/*
 * A public address of the other family is allowed after the peer has received a nonce there, over
 * the transport of the candidate.
 */
static void test_proof(void **state)
{
	struct stream stream = { NULL };
	struct client elsewhere = a, by_tcp = a;
	struct outgoing out;
	int i;

	by_tcp.path = elsewhere.path = path_from("[2001:db8::77]:7777");
	by_tcp.path.stream = &stream;
	get_nonce(&by_tcp);
	get_nonce(&elsewhere);
	get_nonce(&a);
	begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
	put_candidate(&out, "[2001:db8::77]:7777", by_tcp.nonce);
	submit(&out, &a);
	want_error(403);
	for (i = 0; i < 3; i++) {
		lab_clear();
		begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
		put_candidate(&out, i == 1 ? "[2001:db8::77]:7778" : "[2001:db8::77]:7777",
			      elsewhere.nonce);
		submit(&out, &a);
		if (i)
			want_error(403);
		else
			want_success(&out);
		if (i == 1)
			elsewhere.nonce[NONCE_SIZE - 1] ^= 1;
	}
}

/* A peer may offer its server-reflexive address of the transport that it is not registered by. */
static void test_reflexive(void **state)
{
	static const struct {
		bool stream;
		uint8_t transport;
		const char *at;
		unsigned int error;
	} cases[] = {
		{ false, CANDIDATE_TCP, "198.51.100.1:5000", 0 },
		{ false, CANDIDATE_TCP, "198.51.100.2:5000", 403 },
		{ false, CANDIDATE_TCP, "198.51.100.1:1023", 403 },
		{ false, CANDIDATE_UDP, "198.51.100.1:5000", 400 },
		{ true, CANDIDATE_UDP, "198.51.100.1:5000", 0 },
		{ true, CANDIDATE_TCP, "198.51.100.1:5000", 400 },
	};
	struct stream stream = { NULL };
	struct candidate candidate;
	struct outgoing out;
	unsigned int i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		a.path.stream = cases[i].stream ? &stream : NULL;
		get_nonce(&a);
		lab_clear();
		candidate = (struct candidate){ .at = endpoint(cases[i].at),
						.kind = CANDIDATE_REFLEXIVE,
						.transport = cases[i].transport };
		begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
		candidate_put(&out.builder, &candidate, NULL);
		submit(&out, &a);
		if (cases[i].error)
			want_error(cases[i].error);
		else
			want_success(&out);
	}
	a.path.stream = NULL;
	server_stream_closed(lab.server, &stream);
}

static void test_candidate_limits(void **state)
{
	uint8_t value[64] = { CANDIDATE_HOST, CANDIDATE_UDP, 0, 0, 0, SLUICE_STUN_IP4, 0x40, 0x40 };
	struct outgoing out;
	char at[32];
	size_t i;

	get_nonce(&a);
	begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
	for (i = 0; i < CANDIDATES_MAX; i++) {
		snprintf(at, sizeof(at), "10.0.0.%zu:5000", i + 1);
		put_candidate(&out, at, NULL);
	}
	submit(&out, &a);
	want_success(&out);
	lab_clear();
	begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
	for (i = 0; i <= CANDIDATES_MAX; i++)
		put_candidate(&out, "10.0.0.1:5000", NULL);
	submit(&out, &a);
	want_error(400);
	/* all lengths that no candidate has */
	for (i = 0; i <= sizeof(value); i++) {
		if (i == 12 || i == 12 + NONCE_SIZE)
			continue;
		lab_clear();
		begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
		stun_put(&out.builder, SLUICE_RENDEZVOUS_CANDIDATE, value, i);
		submit(&out, &a);
		want_error(400);
	}
	/* only the server can supply reflexive candidates of this transport */
	for (i = 0; i < 256; i++) {
		if (i == CANDIDATE_HOST || i == CANDIDATE_MAPPED)
			continue;
		value[0] = (uint8_t)i;
		lab_clear();
		begin(&out, &a, SLUICE_RENDEZVOUS_REGISTER);
		stun_put(&out.builder, SLUICE_RENDEZVOUS_CANDIDATE, value, 12);
		submit(&out, &a);
		want_error(400);
	}
}

/* --- refresh */

static void test_refresh(void **state)
{
	struct stun_message message;
	__be32 transaction_be[3];
	uint64_t proof_le;
	const uint8_t *value;
	size_t length;
	int i;

	enrol(&a, NULL);
	for (i = 0; i < 10; i++) {
		lab.now_ns += 18 * SECOND_NS;
		server_expire(lab.server, lab.now_ns);
		refresh(&a);
		assert_int_equal(lab.count, 1);
		assert_int_equal(lab.sent[0].length, SLUICE_RENDEZVOUS_REFRESHED_SIZE);
		assert_true(SLUICE_RENDEZVOUS_REFRESHED_SIZE <= SLUICE_RENDEZVOUS_REFRESH_SIZE);
		message = sent_message(0);
		assert_int_equal(message.class, SLUICE_STUN_SUCCESS);
		assert_int_equal(
			stun_get(&message, SLUICE_RENDEZVOUS_REFRESH_PROOF, &value, &length), 0);
		assert_int_equal(length, sizeof(proof_le));
		memcpy(&proof_le, value, sizeof(proof_le));
		memcpy(transaction_be, stun_id(&message), sizeof(transaction_be));
		assert_true(le64toh(proof_le) ==
			    sluice_rendezvous_proof_mac(&a.refresh_key, &a.id, transaction_be));
	}
	assert_int_equal(counted(COUNT_refreshed), 10);
	/* three refreshes are missed */
	lab.now_ns += 53 * SECOND_NS;
	server_expire(lab.server, lab.now_ns);
	assert_int_equal(registered(), 1);
	lab.now_ns += 3 * SECOND_NS;
	server_expire(lab.server, lab.now_ns);
	assert_int_equal(registered(), 0);
	refresh(&a);
	want_error(437);
	assert_int_equal(counted(COUNT_expired), 1);
}

/* --- the fast path, whose refreshes bypass the server */

static struct fast {
	uint64_t seen_ns; /* last refresh; 0: none */
	unsigned int puts, removes;
	uint32_t slot;
} fast;

static void on_put(void *arg, const struct registration *registration)
{
	assert_ptr_equal(arg, &fast);
	assert_int_not_equal(registration->epoch, 0);
	assert_true(registration->refresh_key.word[0] || registration->refresh_key.word[1]);
	fast.slot = registration->slot;
	fast.seen_ns = 0;
	fast.puts++;
}

static void on_remove(void *arg, const struct registration *registration)
{
	assert_int_equal(registration->slot, fast.slot);
	fast.removes++;
}

static uint64_t on_idle_ns(void *arg, const struct registration *registration)
{
	assert_int_equal(registration->slot, fast.slot);
	return fast.seen_ns ? lab.now_ns - fast.seen_ns : UINT64_MAX;
}

/* Advances the clock, expires registrations, and checks how many are left. */
static void expire_after(unsigned int seconds, size_t left)
{
	lab.now_ns += seconds * SECOND_NS;
	server_expire(lab.server, lab.now_ns);
	assert_int_equal(registered(), left);
}

static void test_fast_path(void **state)
{
	struct stream stream = { NULL };
	const struct registration *registration;
	int i;

	server_free(lab.server);
	fast = (struct fast){ .seen_ns = 0 };
	lab.config.fast_path = (struct server_fast_path){ on_put, on_remove, on_idle_ns, &fast };
	lab_start();
	enrol(&a, NULL);
	assert_int_equal(fast.puts, 1);
	/* refreshed for minutes, the last time 20 s before the server checks */
	for (i = 0; i < 10; i++) {
		lab.now_ns += 36 * SECOND_NS;
		fast.seen_ns = lab.now_ns - 20 * SECOND_NS;
		server_expire(lab.server, lab.now_ns);
		assert_int_equal(registered(), 1);
	}
	registration = store_first(server_store(lab.server));
	assert_true(server_idle_ns(lab.server, registration, lab.now_ns) == 20 * SECOND_NS);
	/* expires 54 s after the last refresh, not after the check */
	expire_after(33, 1);
	expire_after(3, 0);
	assert_int_equal(fast.removes, 1);
	assert_int_equal(counted(COUNT_expired), 1);
	/* without fast-path refreshes, those of the server count */
	enrol(&a, NULL);
	lab.now_ns += 40 * SECOND_NS;
	refresh(&a);
	expire_after(40, 1);
	expire_after(20, 0);
	assert_int_equal(fast.removes, 2);
	/* a registration over TCP has no refresh over UDP */
	a.path.stream = &stream;
	enrol(&a, NULL);
	assert_int_equal(fast.puts, 2);
	fast.slot = store_first(server_store(lab.server))->slot;
}

/*
 * A refresh does not prove that the peer still receives at its address, since it may be a replay.
 * After an hour, the peer must prove the address again; it stays registered meanwhile.
 */
static void test_refresh_is_no_proof(void **state)
{
	struct outgoing out;
	size_t length;
	int i;

	enrol(&a, NULL);
	length = build_refresh(&out, &a);
	for (i = 0; i < 3600 / 15; i++) {
		lab.now_ns += 15 * SECOND_NS;
		server_expire(lab.server, lab.now_ns);
		receive(&a.path, out.data, length);
	}
	assert_int_equal(counted(COUNT_refreshed), i);
	lab.now_ns += 15 * SECOND_NS;
	lab_clear();
	receive(&a.path, out.data, length);
	want_error(437);
	assert_int_equal(registered(), 1);
	lab.now_ns += 60 * SECOND_NS;
	server_expire(lab.server, lab.now_ns);
	assert_int_equal(registered(), 0);
	enrol(&a, NULL);
	refresh(&a);
	assert_int_equal(sent_message(0).class, SLUICE_STUN_SUCCESS);

	/* the fast path does not know this limit, so the server takes the registration back */
	lab_teardown(state);
	fast = (struct fast){ .seen_ns = 0 };
	lab.config.fast_path = (struct server_fast_path){ on_put, on_remove, on_idle_ns, &fast };
	lab_start();
	enrol(&a, NULL);
	for (i = 0; i < 3600 / 15 + 8 && !fast.removes; i++) {
		lab.now_ns += 15 * SECOND_NS;
		fast.seen_ns = lab.now_ns;
		server_expire(lab.server, lab.now_ns);
	}
	assert_int_equal(fast.removes, 1);
	assert_int_equal(registered(), 1);
}

/* After the NAT has created a new mapping, the refresh comes from another port. */
static void test_refresh_from_elsewhere(void **state)
{
	struct path registered_path;
	struct outgoing out;
	size_t length;

	enrol(&a, NULL);
	registered_path = a.path;
	length = build_refresh(&out, &a);
	a.path.client.port_be ^= 1;
	receive(&a.path, out.data, length);
	want_error(437);
	assert_true(lab.bytes <= length);
	/* a valid MAC for the new address, which only the peer can compute, does not help either */
	refresh(&a);
	want_error(437);
	a.path = registered_path;
	refresh(&a);
	assert_int_equal(sent_message(0).class, SLUICE_STUN_SUCCESS);
}

static void test_refresh_forged(void **state)
{
	struct outgoing out;
	size_t length, i;

	enrol(&a, NULL);
	length = build_refresh(&out, &a);
	for (i = 24; i < length; i++) {
		out.data[i] ^= 0x10;
		lab_clear();
		receive(&a.path, out.data, length);
		want_error(437);
		out.data[i] ^= 0x10;
	}
	assert_int_equal(counted(COUNT_refreshed), 0);
}

/* --- end */

static void submit_unregister(struct client *client)
{
	struct outgoing out;

	lab_clear();
	begin(&out, client, SLUICE_RENDEZVOUS_UNREGISTER);
	stun_put(&out.builder, SLUICE_RENDEZVOUS_REGISTRATION, &client->id, sizeof(client->id));
	submit(&out, client);
}

/* An earlier process of a peer cannot end the registration of a later process. */
static void test_unregister(void **state)
{
	struct client before;

	enrol(&a, NULL);
	before = a;
	enrol(&a, NULL);
	before.has_nonce = true;
	memcpy(before.nonce, a.nonce, NONCE_SIZE);
	submit_unregister(&before);
	want_error(437);
	assert_int_equal(registered(), 1);
	submit_unregister(&a);
	assert_int_equal(sent_message(0).class, SLUICE_STUN_SUCCESS);
	assert_int_equal(registered(), 0);
	/* the response was lost */
	submit_unregister(&a);
	assert_int_equal(sent_message(0).class, SLUICE_STUN_SUCCESS);
	assert_int_equal(counted(COUNT_unregistered), 1);
}

/* A slot is reused, and its previous owner cannot use it. */
static void test_slots(void **state)
{
	struct client before;
	struct outgoing out;
	size_t length;

	enrol(&a, NULL);
	before = a;
	submit_unregister(&a);
	enrol(&b, NULL);
	assert_int_equal(b.id.slot_be, before.id.slot_be);
	length = build_refresh(&out, &before);
	lab_clear();
	receive(&before.path, out.data, length);
	want_error(437);
	assert_non_null(of(&b));
}

static void test_stream(void **state)
{
	struct stream stream = { NULL };
	struct outgoing out;

	a.path.stream = b.path.stream = &stream;
	enrol(&a, NULL);
	assert_non_null(stream.registration);
	refresh(&a);
	assert_int_equal(sent_message(0).class, SLUICE_STUN_SUCCESS);
	/* a connection can register only one name */
	get_nonce(&b);
	begin(&out, &b, SLUICE_RENDEZVOUS_REGISTER);
	submit(&out, &b);
	want_error(437);
	server_stream_closed(lab.server, &stream);
	assert_int_equal(registered(), 0);
	assert_null(stream.registration);
	/* the peer moves to UDP, and the end of the connection does not end the registration */
	enrol(&a, NULL);
	a.path.stream = NULL;
	enrol(&a, NULL);
	server_stream_closed(lab.server, &stream);
	assert_int_equal(registered(), 1);
}

static void test_limits(void **state)
{
	struct outgoing out;

	server_free(lab.server);
	lab.config.limits = (struct store_limits){ .total = 2, .prefix = 1 };
	lab_start();
	enrol(&b, NULL);
	/* in the same /24 */
	get_nonce(&c);
	begin(&out, &c, SLUICE_RENDEZVOUS_REGISTER);
	submit(&out, &c);
	want_error(486);
	enrol(&a, NULL);
	get_nonce(&d);
	begin(&out, &d, SLUICE_RENDEZVOUS_REGISTER);
	submit(&out, &d);
	want_error(486);
	/* a registered peer may replace its registration */
	enrol(&a, NULL);
	enrol(&b, NULL);
	submit_unregister(&b);
	enrol(&c, NULL);
	assert_int_equal(registered(), 2);
	assert_int_equal(counted(COUNT_refused_limit), 2);
}

/* A reload keeps the peers that are still in the file with the same key. */
static void test_reload(void **state)
{
	struct peers peers;

	enrol(&a, NULL);
	enrol(&c, NULL);
	peers = lab_peers(false);
	assert_int_equal(server_set_peers(lab.server, &peers), 1);
	assert_int_equal(registered(), 1);
	refresh(&a);
	assert_int_equal(sent_message(0).class, SLUICE_STUN_SUCCESS);
	key_generate(a.secret);
	peers = lab_peers(true);
	assert_int_equal(server_set_peers(lab.server, &peers), 1);
	assert_int_equal(registered(), 0);
	assert_int_equal(key_derive(a.key, a.secret, lab.server_public), 0);
	enrol(&a, NULL);
	enrol(&c, NULL);
}

/* Works beyond 2^31 and 2^32 milliseconds of uptime. */
static void test_late_clock(void **state)
{
	static const uint64_t days[] = { 25, 50, 400 };
	size_t i;

	for (i = 0; i < 3; i++) {
		server_free(lab.server);
		lab.now_ns = days[i] * 86400 * SECOND_NS;
		lab_start();
		enrol(&a, NULL);
		lab.now_ns += 18 * SECOND_NS;
		server_expire(lab.server, lab.now_ns);
		refresh(&a);
		assert_int_equal(sent_message(0).class, SLUICE_STUN_SUCCESS);
		lab.now_ns += 60 * SECOND_NS;
		server_expire(lab.server, lab.now_ns);
		assert_int_equal(registered(), 0);
		/* a server whose clock passes such a limit while it runs */
		lab.now_ns += 30 * 86400 * SECOND_NS;
		server_expire(lab.server, lab.now_ns);
		enrol(&a, NULL);
		lab.now_ns += 60 * SECOND_NS;
		server_expire(lab.server, lab.now_ns);
		assert_int_equal(registered(), 0);
	}
}

static void on_removed(struct registration *registration, void *arg)
{
}

/* A registration with two candidates takes at most 400 bytes. */
static void test_memory(void **state)
{
	struct registration content = { .candidates = 2, .path = a.path };
	struct store_limits limits = { .total = 100000, .prefix = 100000 };
	struct candidate two[2] = { { .kind = CANDIDATE_HOST } };
	struct peer *peers = NULL;
	struct store *store;
	char *names;
	uint32_t i;

	store = store_new(&limits, lab.now_ns, on_removed, NULL);
	peers = calloc(20000, sizeof(*peers) + 16);
	names = (char *)peers;
	assert_non_null(store);
	assert_non_null(peers);
	for (i = 0; i < 20000; i++) {
		content.peer = (struct peer *)(names + i * (sizeof(*peers) + 16));
		snprintf(content.peer->name, 16, "peer%u", i);
		assert_non_null(store_put(store, &content, two, lab.now_ns + SECOND_NS));
	}
	assert_true(store_bytes(store) / 20000 <= 400);
	store_free(store);
	free(peers);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_register),
		TEST(test_not_behind_nat),
		TEST(test_repeated),
		TEST(test_stranger_gets_no_more),
		TEST(test_flood),
		TEST(test_half_open),
		TEST(test_nonce),
		TEST(test_wrong_key),
		TEST(test_after_integrity),
		TEST(test_candidates),
		TEST(test_proof),
		TEST(test_reflexive),
		TEST(test_candidate_limits),
		TEST(test_refresh),
		TEST(test_fast_path),
		TEST(test_refresh_is_no_proof),
		TEST(test_refresh_from_elsewhere),
		TEST(test_refresh_forged),
		TEST(test_unregister),
		TEST(test_slots),
		TEST(test_stream),
		TEST(test_limits),
		TEST(test_reload),
		TEST(test_late_clock),
		TEST(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
