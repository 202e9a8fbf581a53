/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A rendezvous server with peers a, b, c and d, without a network. Tests pass each message and its
 * source to the server, which stores its answers here. The clock advances only when a test sets it.
 *
 * Only a may connect to b, and no peer may connect to d.
 */
#ifndef SLUICE_TESTS_RENDEZVOUS_LAB_H
#define SLUICE_TESTS_RENDEZVOUS_LAB_H

#include "base/addr.h"
#include "meet/candidate.h"
#include "meet/nonce.h"
#include "meet/rendezvous/request.h"
#include "meet/rendezvous/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <nettle/hmac.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include <cmocka.h>

#define SECOND_NS 1000000000ULL
#define SENT_MAX  16

struct sent {
	struct path path;
	size_t length;
	uint8_t data[MESSAGE_MAX];
};

struct lab {
	struct server *server;
	struct server_config config;
	uint64_t now_ns;
	/* messages sent by the server since lab_clear() */
	struct sent sent[SENT_MAX];
	unsigned int count;
	uint64_t bytes;
	uint8_t server_public[KEY_SIZE];
};

/* The client side of a peer. */
struct client {
	const char *name;
	uint8_t secret[KEY_SIZE];
	uint8_t key[KEY_SIZE]; /* key for the messages to the server */
	struct path path;
	char nonce[NONCE_SIZE];
	bool has_nonce;
	struct sluice_rendezvous_id id;
	struct sluice_siphash_key refresh_key;
};

static struct lab lab;
static struct client a, b, c, d;

static inline void lab_clear(void)
{
	lab.count = 0;
	lab.bytes = 0;
}

static inline void on_sent(const struct path *path, const void *message, size_t length, void *arg)
{
	struct sent *sent = &lab.sent[lab.count % SENT_MAX];

	sent->path = *path;
	sent->length = length;
	assert_true(length <= MESSAGE_MAX);
	memcpy(sent->data, message, length);
	lab.count++;
	lab.bytes += length;
}

static inline struct stun_endpoint endpoint(const char *text)
{
	struct stun_endpoint at = { .port_be = 0 };

	if (!addr_parse_port(text, &at.addr, &at.port_be))
		fail_msg("%s is no address", text);
	return at;
}

static inline struct path path_from(const char *text)
{
	return (struct path){ .client = endpoint(text), .local = lab.config.listener[0].at };
}

/* Passes a message to the server in a buffer of its exact size, for the address sanitizer. */
static inline void receive(const struct path *path, const void *message, size_t length)
{
	uint8_t *copy = malloc(length ? length : 1);

	assert_non_null(copy);
	memcpy(copy, message, length);
	server_receive(lab.server, path, copy, length, lab.now_ns);
	free(copy);
}

static inline uint64_t counted(enum rendezvous_counter counter)
{
	return server_counters(lab.server)[counter];
}

static inline size_t registered(void)
{
	return store_count(server_store(lab.server));
}

/* --- the peers */

static inline void client_new(struct client *client, const char *name, const char *from)
{
	*client = (struct client){ .name = name, .path = path_from(from) };
	assert_int_equal(key_generate(client->secret), 0);
	assert_int_equal(key_derive(client->key, client->secret, lab.server_public), 0);
}

static inline struct peers lab_peers(bool with_c)
{
	char text[1024], keys[4][KEY_TEXT];
	struct client *clients[] = { &a, &b, &c, &d };
	struct err err = { 0 };
	uint8_t key[KEY_SIZE];
	struct peers peers = { NULL };
	FILE *file;
	int i;

	for (i = 0; i < 4; i++) {
		key_public(key, clients[i]->secret);
		key_format(key, keys[i]);
	}
	snprintf(text, sizeof(text), "a %s\nb %s allow=a\n%sc %s\nd %s allow=\n", keys[0], keys[1],
		 with_c ? "" : "#", keys[2], keys[3]);
	file = fmemopen(text, strlen(text), "r");
	assert_non_null(file);
	assert_int_equal(peers_parse(file, "peers", &peers, &err), 0);
	fclose(file);
	return peers;
}

/* Starts the server. Settings in lab.config that were set before override the defaults. */
static inline void lab_start(void)
{
	struct err err = { 0 };
	struct peers peers;

	lab_clear();
	assert_int_equal(key_generate(lab.config.secret), 0);
	key_public(lab.server_public, lab.config.secret);
	client_new(&a, "a", "198.51.100.1:40001");
	client_new(&b, "b", "203.0.113.2:40002");
	client_new(&c, "c", "203.0.113.3:40003");
	client_new(&d, "d", "[2001:db8:4::1]:40004");
	peers = lab_peers(true);
	assert_int_equal(
		server_new(&lab.server, &lab.config, &peers, on_sent, NULL, lab.now_ns, &err), 0);
}

static inline int lab_setup(void **state)
{
	memset(&lab, 0, sizeof(lab));
	lab.now_ns = 1000 * SECOND_NS;
	lab.config = (struct server_config){ .listeners = 1,
					     .limits = { .total = 1000, .prefix = 100 },
					     .relay = { .pairs = 100 },
					     .port_min = 1024 };
	lab.config.listener[0].at = endpoint("192.0.2.1:3478");
	lab_start();
	return 0;
}

static inline int lab_teardown(void **state)
{
	server_free(lab.server);
	return 0;
}

/* --- messages */

struct outgoing {
	struct stun_builder builder;
	uint8_t data[2048];
	uint8_t id[SLUICE_STUN_ID_SIZE];
};

/* Begins a request. With @client, adds its name, and its nonce if it has one. */
static inline void begin(struct outgoing *out, const struct client *client, unsigned int method)
{
	assert_int_equal(getrandom(out->id, sizeof(out->id), 0), sizeof(out->id));
	stun_begin(&out->builder, out->data, sizeof(out->data), method, SLUICE_STUN_REQUEST,
		   out->id);
	if (!client)
		return;
	if (client->has_nonce)
		stun_put(&out->builder, SLUICE_STUN_NONCE, client->nonce, NONCE_SIZE);
	stun_put(&out->builder, SLUICE_STUN_USERNAME, client->name, strlen(client->name));
}

/* Adds the MAC to a request of a peer, and sends it. */
static inline void submit(struct outgoing *out, const struct client *client)
{
	size_t length;

	stun_put_sha256(&out->builder, client->key, KEY_SIZE);
	length = stun_end(&out->builder);
	assert_true(length > 0);
	receive(&client->path, out->data, length);
}

/* Parses a message from the server. */
static inline struct stun_message sent_message(unsigned int i)
{
	struct stun_message message;

	assert_true(i < lab.count);
	assert_int_equal(stun_parse(lab.sent[i].data, lab.sent[i].length, &message), 0);
	return message;
}

/* Checks that the only answer is a success. */
static inline struct stun_message want_success(const struct outgoing *out)
{
	struct stun_message message;

	assert_int_equal(lab.count, 1);
	message = sent_message(0);
	assert_int_equal(message.class, SLUICE_STUN_SUCCESS);
	assert_memory_equal(stun_id(&message), out->id, SLUICE_STUN_ID_SIZE);
	return message;
}

static inline struct stun_message want_error(unsigned int wanted)
{
	struct stun_message message;
	unsigned int code = 0;

	assert_int_equal(lab.count, 1);
	message = sent_message(0);
	assert_int_equal(message.class, SLUICE_STUN_ERROR);
	assert_int_equal(stun_get_error(&message, &code), 0);
	assert_int_equal(code, wanted);
	return message;
}

/* Gets a nonce for the address of a client, with a request padded to the size of the answer. */
static inline void get_nonce(struct client *client)
{
	static const uint8_t zeros[64];
	struct outgoing out;
	struct stun_message message;
	const uint8_t *value;
	size_t length;

	client->has_nonce = false;
	lab_clear();
	begin(&out, client, SLUICE_RENDEZVOUS_REGISTER);
	stun_put(&out.builder, SLUICE_STUN_PADDING, zeros, sizeof(zeros));
	submit(&out, client);
	message = want_error(401);
	assert_int_equal(stun_get(&message, SLUICE_STUN_NONCE, &value, &length), 0);
	assert_int_equal(length, NONCE_SIZE);
	memcpy(client->nonce, value, NONCE_SIZE);
	client->has_nonce = true;
	lab_clear();
}

static inline void put_candidate(struct outgoing *out, const char *at, const char *proof)
{
	const struct candidate candidate = { .at = endpoint(at),
					     .kind = CANDIDATE_HOST,
					     .transport = CANDIDATE_UDP };

	candidate_put(&out->builder, &candidate, proof);
}

/* Reads the id and key of a registration from the response. */
static inline void read_registered(struct client *client, const struct stun_message *message)
{
	struct hmac_sha256_ctx hmac;
	const uint8_t *value;
	uint64_t derived_le[2];
	size_t length;

	assert_int_equal(stun_check_sha256(message, client->key, KEY_SIZE), 0);
	assert_int_equal(stun_get(message, SLUICE_RENDEZVOUS_REGISTRATION, &value, &length), 0);
	assert_int_equal(length, sizeof(client->id));
	memcpy(&client->id, value, sizeof(client->id));
	hmac_sha256_set_key(&hmac, KEY_SIZE, client->key);
	hmac_sha256_update(&hmac, 16, (const uint8_t *)"sluice refresh 1");
	hmac_sha256_update(&hmac, 8, value);
	hmac_sha256_digest(&hmac, 16, (uint8_t *)derived_le);
	client->refresh_key.word[0] = le64toh(derived_le[0]);
	client->refresh_key.word[1] = le64toh(derived_le[1]);
}

/* Registers with an optional host candidate, and reads the response. */
static inline void enrol(struct client *client, const char *candidate)
{
	struct stun_message message;
	struct outgoing out;

	get_nonce(client);
	begin(&out, client, SLUICE_RENDEZVOUS_REGISTER);
	if (candidate)
		put_candidate(&out, candidate, NULL);
	submit(&out, client);
	message = want_success(&out);
	read_registered(client, &message);
	lab_clear();
}

static inline size_t build_refresh(struct outgoing *out, const struct client *client)
{
	struct sluice_rendezvous_token token = { .id = client->id };

	token.mac_le = htole64(sluice_rendezvous_token_mac(&client->refresh_key, &client->id,
							   client->path.client.addr.s6_addr32,
							   client->path.client.port_be));
	begin(out, NULL, SLUICE_RENDEZVOUS_REFRESH);
	stun_put(&out->builder, SLUICE_RENDEZVOUS_REFRESH_TOKEN, &token, sizeof(token));
	return stun_end(&out->builder);
}

#endif
