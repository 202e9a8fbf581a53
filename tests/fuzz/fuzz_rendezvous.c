// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the state machine of the rendezvous server. The input is a sequence of messages, each
 * preceded by four bytes:
 *
 *   who     2 bits: peer a, b, c, or a source without a key; the other bits are enum extras
 *   method  an index into the methods, what else it is (enum other), and the class in the two
 *           highest bits
 *   length  of the attributes, which follow
 *   seconds that pass before
 *
 * The target itself may add values that no fuzzer would find: a valid nonce, a name and a MAC.
 *
 * with: user/meet/key.c user/meet/peers.c user/meet/scope.c
 * with: user/meet/nonce.c user/meet/candidate.c user/meet/channel.c user/net/stun*.c
 * with: user/base/timer_wheel.c user/base/array.c user/base/text.c
 * with: user/base/err.c user/base/log.c
 * with: user/meet/rendezvous/auth.c user/meet/rendezvous/bind.c
 * with: user/meet/rendezvous/binding.c
 * with: user/meet/rendezvous/connect.c user/net/prefix.c
 * with: user/meet/rendezvous/register.c user/meet/rendezvous/relay.c
 * with: user/meet/rendezvous/reply.c
 * with: user/meet/rendezvous/server.c user/meet/rendezvous/session.c
 * with: user/meet/rendezvous/store.c
 */
#include "fuzz.h"

#define BUDGET_ENTRIES 64
#include "../../user/meet/rendezvous/budget.c"
#include "meet/channel.h"
#include "meet/nonce.h"
#include "meet/rendezvous/request.h"
#include "meet/rendezvous/server.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define CLIENTS	 4
#define STRANGER 3

enum extras {
	WITH_NONCE = 4,
	WITH_NAME = 8,
	WITH_MAC = 16,
	BY_STREAM = 32,
	FROM_ELSEWHERE = 64,
	SAME_ID = 128,
};

/* Used in place of a method. */
enum other {
	OTHER_BIND = 8,
	OTHER_DATA = 16,
	OTHER_MASK = 0x38,
};

static const uint16_t methods[] = {
	SLUICE_STUN_BINDING,	   SLUICE_RENDEZVOUS_REGISTER,
	SLUICE_RENDEZVOUS_REFRESH, SLUICE_RENDEZVOUS_UNREGISTER,
	SLUICE_RENDEZVOUS_CONNECT, SLUICE_RENDEZVOUS_INTRODUCE,
	SLUICE_RENDEZVOUS_REPORT,  0x003,
};

static struct {
	struct server *server;
	struct peers peers;
	uint8_t key[CLIENTS][KEY_SIZE];
	struct stream stream[CLIENTS];
	uint64_t now_ns;
	size_t to_source; /* bytes sent to the source of the request */
	struct stun_endpoint source;
	/* id of the last session; it begins with the transaction id of the introduction */
	uint8_t session[SLUICE_RENDEZVOUS_SESSION_ID_SIZE];
	bool relayed;
} lab;

static void on_send(const struct path *path, const void *data, size_t length, void *arg)
{
	struct stun_message message;
	struct channel_data relayed;
	const uint8_t *id;
	size_t id_length;

	if (channel_is_data(data, length)) {
		/* relayed data goes to a peer in a session, and never back to its source */
		MUST(!channel_parse(data, length, &relayed));
		MUST(path->stream || length == SLUICE_CHANNEL_HEADER + relayed.length);
		MUST(!path->stream || length == channel_padded(relayed.length));
		MUST(!lab.relayed && !stun_endpoint_is_same(&path->client, &lab.source));
		lab.relayed = true;
		return;
	}
	MUST(!stun_parse(data, length, &message));
	if (path->client.port_be == lab.source.port_be)
		lab.to_source += length;
	if (message.method == SLUICE_RENDEZVOUS_INTRODUCE)
		if (!stun_get(&message, SLUICE_RENDEZVOUS_SESSION_ID, &id, &id_length))
			memcpy(lab.session, id, sizeof(lab.session));
}

/*
 * Adds the peers a, b and c. All runs share their keys, since computing keys takes most of the
 * time.
 */
static void setup_peers(const uint8_t secret[CLIENTS + 1][KEY_SIZE])
{
	char text[512], key_text[CLIENTS][KEY_TEXT];
	uint8_t public_key[KEY_SIZE];
	FILE *file;
	int i;

	for (i = 0; i < CLIENTS; i++) {
		key_public(public_key, secret[i]);
		key_format(public_key, key_text[i]);
		key_public(public_key, secret[CLIENTS]);
		MUST(!key_derive(lab.key[i], secret[i], public_key));
	}
	snprintf(text, sizeof(text), "a %s\nb %s allow=a\nc %s\n", key_text[0], key_text[1],
		 key_text[2]);
	file = fmemopen(text, strlen(text), "r");
	MUST(file && !peers_parse(file, "peers", &lab.peers, &(struct err){ 0 }));
	fclose(file);
}

static void setup(void)
{
	/* X25519 ignores the three lowest bits, so smaller values would all be the same key */
	static const uint8_t secret[CLIENTS + 1][KEY_SIZE] = {
		{ 8 }, { 16 }, { 24 }, { 32 }, { 40 }
	};
	struct server_config config = { .listeners = 1,
					.limits = { .total = 2, .prefix = 2 },
					.relay = { .pairs = 2, .peer_rate = 2000 },
					.port_min = 1024 };
	int i;

	if (!lab.peers.count)
		setup_peers(secret);
	for (i = 0; i < STRANGER; i++) {
		struct peer *peer = peers_find(&lab.peers, (char[]){ (char)('a' + i) }, 1);

		memcpy(peer->key, lab.key[i], KEY_SIZE);
		peer->has_key = true;
		peer->connects_due_ns = 0;
		peer->relay_due_ns = 0;
	}
	memcpy(config.secret, secret[CLIENTS], KEY_SIZE);
	config.listener[0] = (struct listener){ .at = { .port_be = 1 }, .has_alternate = true };
	lab.now_ns = SECOND_NS;
	memset(lab.stream, 0, sizeof(lab.stream));
	memset(lab.session, 0, sizeof(lab.session));
	MUST(!server_new(&lab.server, &config, &lab.peers, on_send, NULL, lab.now_ns,
			 &(struct err){ 0 }));
}

/* Moves the peers back from the server, so that server_free() does not free them. */
static void teardown(void)
{
	int i;

	for (i = 0; i < CLIENTS; i++)
		server_stream_closed(lab.server, &lab.stream[i]);
	lab.peers = lab.server->peers;
	lab.server->peers = (struct peers){ NULL };
	server_free(lab.server);
}

static struct path path_of(unsigned int who, uint8_t extras)
{
	struct path path = { .client = { .port_be = htons((uint16_t)(4000 + who)) } };

	path.client.addr.s6_addr16[5] = 0xffff;
	path.client.addr.s6_addr32[3] = htonl(0xcb007100U + who);
	if (extras & FROM_ELSEWHERE)
		path.client.port_be = htons((uint16_t)(5000 + who));
	if (extras & BY_STREAM)
		path.stream = &lab.stream[who];
	return path;
}

static size_t build_data(uint8_t *message, unsigned int who, const uint8_t *data, size_t length)
{
	channel_put_header(message, (uint16_t)(SLUICE_CHANNEL_MIN + who), length);
	memcpy(message + SLUICE_CHANNEL_HEADER, data, length);
	return SLUICE_CHANNEL_HEADER + length;
}

static void put_bind(struct stun_builder *builder, unsigned int who)
{
	const uint8_t number[4] = { SLUICE_CHANNEL_MIN >> 8, (uint8_t)who };

	stun_put(builder, SLUICE_RENDEZVOUS_SESSION_ID, lab.session, sizeof(lab.session));
	stun_put(builder, SLUICE_RENDEZVOUS_CHANNEL_NUMBER, number, sizeof(number));
}

static size_t build(uint8_t *message, size_t room, unsigned int who, uint8_t extras, uint8_t method,
		    const uint8_t *attributes, size_t length)
{
	static const uint8_t id[SLUICE_STUN_ID_SIZE] = { 1 };
	uint8_t fresh[SLUICE_STUN_ID_SIZE];
	struct path path = path_of(who, extras);
	struct stun_builder builder;
	char nonce[NONCE_SIZE], name[2] = { (char)('a' + who) };
	bool bind = (method & OTHER_MASK) == OTHER_BIND;

	if ((method & OTHER_MASK) == OTHER_DATA)
		return build_data(message, who, attributes, length);
	memcpy(fresh, &lab.now_ns, sizeof(lab.now_ns));
	memcpy(fresh + sizeof(lab.now_ns), attributes, length < 4 ? length : 4);
	stun_begin(&builder, message, room, bind ? SLUICE_RENDEZVOUS_BIND : methods[method % 8],
		   method >> 6,
		   method % 8 == 5    ? lab.session
		   : extras & SAME_ID ? id
				      : fresh);
	if (extras & WITH_NONCE) {
		nonce_make(nonce, lab.server->nonce_key, &path.client, path_transport(&path),
			   lab.now_ns / 1000000);
		stun_put(&builder, SLUICE_STUN_NONCE, nonce, NONCE_SIZE);
	}
	if (extras & WITH_NAME)
		stun_put(&builder, SLUICE_STUN_USERNAME, name, 1);
	if (bind)
		put_bind(&builder, who);
	/* the fuzzer writes complete attributes, including their headers */
	if (builder.length + length <= room) {
		memcpy(message + builder.length, attributes, length);
		builder.length += length / 4 * 4;
	}
	if (extras & WITH_MAC)
		stun_put_sha256(&builder, lab.key[who], KEY_SIZE);
	return stun_end(&builder);
}

static void check(const uint8_t *message, size_t length, uint8_t extras, bool stranger)
{
	struct registration *registration = store_first(server_store(lab.server));
	struct stun_message parsed;
	size_t count = 0;

	for (; registration; registration = registration->hh.next) {
		MUST(registration->candidates <= CANDIDATES_MAX);
		MUST(registration->sessions_begun <= SESSIONS_PEER);
		count++;
	}
	MUST(count == store_count(server_store(lab.server)) && count <= 2);
	/* two registrations, so at most one session in each direction */
	MUST(server_sessions(lab.server) <= 2);
	MUST(server_relays(lab.server) <= 2);
	for (count = 0; count < STRANGER; count++)
		MUST(peers_find(&lab.server->peers, (char[]){ (char)('a' + count) }, 1)->relays <=
		     2);
	if (lab.relayed)
		MUST(channel_is_data(message, length) && server_relays(lab.server));
	if (!stranger || extras & BY_STREAM || stun_parse(message, length, &parsed) == -EPROTO ||
	    parsed.method == SLUICE_STUN_BINDING)
		return;
	MUST(lab.to_source <= length);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t message[MESSAGE_MAX];

	setup();
	while (size >= 4) {
		uint8_t who = data[0] & 3, extras = data[0] & 0xfc, method = data[1];
		size_t taken = data[2] < size - 4 ? data[2] : size - 4, length;
		struct path path = path_of(who, extras);
		uint8_t *exact;

		lab.now_ns += data[3] * SECOND_NS;
		server_expire(lab.server, lab.now_ns);
		length = build(message, sizeof(message), who, extras, method, data + 4, taken);
		exact = malloc(length ? length : 1);
		MUST(exact);
		memcpy(exact, message, length);
		lab.source = path.client;
		lab.to_source = 0;
		lab.relayed = false;
		server_receive(lab.server, &path, exact, length, lab.now_ns);
		check(message, length, extras, who == STRANGER || !(extras & WITH_MAC));
		free(exact);
		data += 4 + taken;
		size -= 4 + taken;
	}
	teardown();
	return 0;
}
