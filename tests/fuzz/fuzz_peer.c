// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Fuzzes the two state machines of a peer: the rendezvous client and a session. The input is a
 * sequence of messages, each preceded by four bytes:
 *
 *   extras  enum extras; the two lowest bits are the source
 *   method  an index into the methods, or BIND, and the class in the two highest bits
 *   length  of the attributes, which follow
 *   time    that passes before, in units of 100 ms
 *
 * The target itself may add values that no fuzzer would find: the transaction id of the last
 * request, a session id, the number of a check, and a MAC.
 *
 * with: user/meet/peer/client*.c user/meet/peer/session*.c user/meet/peer/relay.c
 * with: user/meet/key.c user/meet/peers.c user/meet/scope.c user/meet/candidate.c
 * with: user/net/stun*.c user/base/keepalive.c user/base/text.c user/base/err.c user/base/log.c
 */
#include "fuzz.h"
#include "meet/peer/client.h"
#include "meet/peer/session.h"
#include "net/stun_build.h"

#include <stdlib.h>
#include <string.h>

#define MS_NS	    1000000ULL
#define SENDS_MAX   200
#define SOURCES	    4
#define MESSAGE_MAX 1536
#define BIND	    8 /* in place of a method */

enum extras {
	TO_SESSION = 4,
	SAME_ID = 8,
	WITH_SESSION_ID = 16,
	WITH_MAC = 32,
	WITH_FULL_SIZE = 64,
	CONNECT = 128,
};

static const uint16_t methods[] = {
	SLUICE_STUN_BINDING,	   SLUICE_RENDEZVOUS_REGISTER,
	SLUICE_RENDEZVOUS_REFRESH, SLUICE_RENDEZVOUS_UNREGISTER,
	SLUICE_RENDEZVOUS_CONNECT, SLUICE_RENDEZVOUS_INTRODUCE,
	SLUICE_RENDEZVOUS_REPORT,  0x003,
};

static struct {
	struct peer_client *client;
	struct peer_session *session;
	uint64_t now_ns;
	uint32_t random, number;
	uint8_t server_key[KEY_SIZE]; /* key for the messages */
	uint8_t last_id[2][SLUICE_STUN_ID_SIZE];
	size_t sent; /* bytes sent by the last flush */
} lab;

/* Replaces the key exchange, which would take most of the run time. */
int peer_secret_derive(struct peer_secret *secret, const uint8_t own_secret[KEY_SIZE],
		       const struct introduction *introduction)
{
	memset(secret, introduction->id[0], sizeof(*secret));
	secret->own_checks[0] = 1;
	secret->peer_checks[0] = 2;
	return 0;
}

static void fill(void *buffer, size_t size, void *arg)
{
	uint8_t *at = buffer;

	while (size--) {
		lab.random = lab.random * 1664525 + 1013904223;
		*at++ = (uint8_t)(lab.random >> 24);
	}
}

static bool admit(const char *name, const uint8_t key[KEY_SIZE], bool incoming, void *arg)
{
	MUST(peers_name_is_valid(name, strlen(name)));
	return key[0] & 1;
}

static struct stun_endpoint source(unsigned int who)
{
	struct stun_endpoint at = { .port_be = htons((uint16_t)(4000 + who)) };

	at.addr.s6_addr16[5] = 0xffff;
	at.addr.s6_addr32[3] = htonl(0xcb007100U + who);
	return at;
}

static void setup(void)
{
	/* X25519 ignores the three lowest bits, so keys are multiples of 8 */
	static const uint8_t own[KEY_SIZE] = { 8 }, server[KEY_SIZE] = { 16 },
			     other[KEY_SIZE] = { 24 };
	struct peer_client_options options = {
		.name = "a", .servers = 1, .random = fill, .admit = admit
	};
	struct peer_session_options session_options = { .random = fill };
	static struct introduction introduction;
	static uint8_t server_public[KEY_SIZE];
	unsigned int wrong;

	lab.now_ns = 1000 * MS_NS;
	lab.random = 1;
	lab.number = 0;
	if (!introduction.candidates) {
		key_public(server_public, server);
		key_public(introduction.peer_key, other);
		memcpy(introduction.ephemeral_secret, other, KEY_SIZE);
		memcpy(introduction.peer_ephemeral, server_public, KEY_SIZE);
		introduction.candidate[introduction.candidates++] = (struct candidate){
			.at = source(1), .kind = CANDIDATE_REFLEXIVE, .transport = CANDIDATE_UDP
		};
	}
	memcpy(options.secret, own, KEY_SIZE);
	memcpy(options.server[0].key, server_public, KEY_SIZE);
	options.server[0].at = source(0);
	memcpy(session_options.secret, own, KEY_SIZE);
	MUST(!key_derive(lab.server_key, own, server_public));
	MUST(!peer_client_new(&lab.client, &options, lab.now_ns, &wrong));
	MUST(!peer_session_new(&lab.session, &session_options, &introduction, lab.now_ns));
}

/* Sends all due messages, and checks that sending terminates. */
static void flush(void)
{
	uint8_t buffer[MESSAGE_MAX];
	struct peer_client_event event;
	struct stun_message message;
	struct stun_endpoint to;
	unsigned int sends = 0, count;
	size_t length;

	lab.sent = 0;
	while ((length = peer_client_send(lab.client, buffer, &to, lab.now_ns))) {
		MUST(++sends < SENDS_MAX && !stun_parse(buffer, length, &message));
		memcpy(lab.last_id[0], stun_id(&message), SLUICE_STUN_ID_SIZE);
		lab.sent += length;
	}
	while ((length = peer_session_send(lab.session, buffer, &to, lab.now_ns))) {
		MUST(++sends < SENDS_MAX && !stun_parse(buffer, length, &message));
		MUST(length <= PEER_SESSION_DATAGRAM_MAX);
		if (message.class == SLUICE_STUN_REQUEST)
			memcpy(lab.last_id[1], stun_id(&message), SLUICE_STUN_ID_SIZE);
		lab.sent += length;
	}
	while (peer_client_next_event(lab.client, &event))
		if (event.kind == PEER_CLIENT_INTRODUCED)
			peer_session_introduce(lab.session, &event.introduction, lab.now_ns);
		else if (event.kind == PEER_CLIENT_RELAYED)
			peer_session_set_relay(lab.session, event.session_id, &event.relay,
					       lab.now_ns);
		else if (event.kind == PEER_CLIENT_RELAY_ENDED)
			peer_session_lose(lab.session, &event.relay, lab.now_ns);
	if (peer_session_events(lab.session) & PEER_SESSION_WANTS_RELAY)
		peer_client_relay(lab.client, peer_session_introduction(lab.session), lab.now_ns);
	peer_session_remotes(lab.session, &count);
	MUST(count <= PEER_SESSION_REMOTES_MAX);
}

static size_t build(uint8_t *message, uint8_t extras, uint8_t method, const uint8_t *attributes,
		    size_t length)
{
	bool to_session = extras & TO_SESSION;
	const struct introduction *introduction = peer_session_introduction(lab.session);
	const struct peer_secret *secret = peer_session_secret(lab.session);
	enum sluice_stun_class class = method >> 6;
	uint8_t id[SLUICE_STUN_ID_SIZE];
	struct stun_builder builder;

	fill(id, sizeof(id), NULL);
	if (extras & WITH_SESSION_ID && methods[method % 8] == SLUICE_RENDEZVOUS_INTRODUCE)
		memset(id, 7, sizeof(id));
	stun_begin(&builder, message, MESSAGE_MAX,
		   method & BIND ? SLUICE_RENDEZVOUS_BIND : methods[method % 8], class,
		   extras & SAME_ID ? lab.last_id[to_session] : id);
	if (extras & WITH_SESSION_ID) {
		if (to_session) {
			stun_put(&builder, SLUICE_RENDEZVOUS_SESSION_ID, introduction->id,
				 sizeof(introduction->id));
			stun_put_u32(&builder, SLUICE_RENDEZVOUS_CHECK_NUMBER, ++lab.number);
		} else {
			memset(id, 7, sizeof(id));
			stun_put(&builder, SLUICE_RENDEZVOUS_SESSION_ID,
				 (uint8_t[16]){ 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7 }, 16);
		}
	}
	/* the fuzzer writes complete attributes, including their headers */
	if (builder.length + length <= MESSAGE_MAX - 64) {
		memcpy(message + builder.length, attributes, length / 4 * 4);
		builder.length += length / 4 * 4;
		stun_put(&builder, SLUICE_STUN_PADDING, NULL, 0);
	}
	if (extras & WITH_FULL_SIZE && builder.length + 40 < PEER_SESSION_FULL_SIZE)
		stun_put(&builder, SLUICE_STUN_PADDING, (uint8_t[PEER_SESSION_FULL_SIZE]){ 0 },
			 PEER_SESSION_FULL_SIZE - 40 - builder.length);
	if (extras & WITH_MAC)
		stun_put_sha256(&builder,
				!to_session		       ? lab.server_key
				: class == SLUICE_STUN_REQUEST ? secret->peer_checks
							       : secret->own_checks,
				KEY_SIZE);
	return stun_end(&builder);
}

static void hand_over(uint8_t extras, const uint8_t *message, size_t length)
{
	struct stun_endpoint from = source(extras & (SOURCES - 1));
	struct stun_message parsed;
	uint8_t *exact = malloc(length ? length : 1);
	bool taken = false;

	MUST(exact);
	memcpy(exact, message, length);
	if (!stun_parse(exact, length, &parsed)) {
		if (!(extras & TO_SESSION))
			taken = peer_client_receive(lab.client, &from, &parsed, lab.now_ns);
		if (!taken)
			taken = peer_session_receive(lab.session, &from, &parsed, lab.now_ns);
	}
	free(exact);
	flush();
	/* an unauthenticated request gets no answer */
	if (!taken && !(extras & CONNECT))
		MUST(!lab.sent);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint8_t message[MESSAGE_MAX];
	size_t taken;

	setup();
	flush();
	while (size >= 4) {
		taken = data[2] < size - 4 ? data[2] : size - 4;
		lab.now_ns += data[3] * 100 * MS_NS;
		peer_client_timeout(lab.client, lab.now_ns);
		peer_session_timeout(lab.session, lab.now_ns);
		flush();
		peer_session_timeout(lab.session, lab.now_ns);
		flush();
		MUST(peer_client_due_ns(lab.client) > lab.now_ns);
		MUST(peer_session_due_ns(lab.session) > lab.now_ns);
		if (data[0] & CONNECT)
			peer_client_connect(lab.client, "b", lab.now_ns);
		hand_over(data[0], message, build(message, data[0], data[1], data + 4, taken));
		data += 4 + taken;
		size -= 4 + taken;
	}
	peer_client_free(lab.client);
	peer_session_free(lab.session);
	return 0;
}
