// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The rendezvous client, with real servers and a simulated network: two clients and two servers,
 * with a separate loss rate for each pair. Time jumps from one deadline to the next.
 */
#include "base/addr.h"
#include "meet/channel.h"
#include "meet/peer/client.h"
#include "meet/peer/relay.h"
#include "meet/peer/secret.h"
#include "meet/rendezvous/path.h"
#include "meet/rendezvous/server.h"
#include "net/stun_build.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define SECOND_NS 1000000000ULL
#define MS_NS	  1000000ULL
#define SERVERS	  2
#define CLIENTS	  2
#define QUEUE	  64
#define DELAY_NS  (10 * MS_NS)

struct datagram {
	uint64_t at_ns;
	bool to_server;
	unsigned int server, client;
	size_t length;
	uint8_t data[1500];
};

struct node {
	struct peer_client *client;
	struct stun_endpoint at;
	uint8_t secret[KEY_SIZE], public[KEY_SIZE];
	bool refuses, pins_other_key;
	/* last event and number of events, by kind */
	struct peer_client_event event[PEER_CLIENT_RELAY_ENDED + 1];
	unsigned int count[PEER_CLIENT_RELAY_ENDED + 1];
	unsigned int sent;
	unsigned int relayed; /* number of datagrams received through the relay */
	uint16_t channel;     /* channel of the last datagram */
};

static struct {
	uint64_t now_ns, random;
	struct server *server[SERVERS];
	struct stun_endpoint server_at[SERVERS];
	uint8_t server_secret[SERVERS][KEY_SIZE];
	bool dead[SERVERS];
	unsigned int loss; /* loss, per mille */
	bool stuck;	   /* all random numbers are 0 */
	struct node node[CLIENTS];
	struct datagram queue[QUEUE];
	unsigned int queued;
} net;

static const char *const names[CLIENTS] = { "alice", "bob" };

static struct stun_endpoint endpoint(const char *text)
{
	struct stun_endpoint at = { .port_be = 0 };

	assert_true(addr_parse_port(text, &at.addr, &at.port_be));
	return at;
}

static void fill(void *buffer, size_t size, void *arg)
{
	uint8_t *at = buffer;

	while (size--) {
		net.random = net.random * 6364136223846793005ULL + 1442695040888963407ULL;
		*at++ = net.stuck ? 0 : (uint8_t)(net.random >> 56);
	}
}

static bool admit(const char *name, const uint8_t key[KEY_SIZE], bool incoming, void *arg)
{
	const struct node *node = arg, *other = &net.node[node == net.node];

	if (incoming && node->refuses)
		return false;
	assert_string_equal(name, names[node == net.node]);
	return !node->pins_other_key && !memcmp(key, other->public, KEY_SIZE);
}

static void enqueue(bool to_server, unsigned int server, unsigned int client, const void *data,
		    size_t length)
{
	uint16_t random;

	fill(&random, sizeof(random), NULL);
	if (random % 1000 < net.loss)
		return;
	assert_true(net.queued < QUEUE);
	net.queue[net.queued] = (struct datagram){ net.now_ns + DELAY_NS, to_server, server, client,
						   length };
	memcpy(net.queue[net.queued++].data, data, length);
}

static void server_sends(const struct path *path, const void *data, size_t length, void *arg)
{
	unsigned int i;

	for (i = 0; i < CLIENTS; i++)
		if (stun_endpoint_is_same(&net.node[i].at, &path->client))
			enqueue(false, (unsigned int)(uintptr_t)arg, i, data, length);
}

static void start_server(unsigned int index)
{
	struct server_config config = { .listeners = 1,
					.limits = { .total = 100, .prefix = 100 },
					.relay = { .pairs = 10 },
					.port_min = 1024 };
	char text[512], keys[CLIENTS][KEY_TEXT];
	struct peers peers = { NULL };
	struct err err = { 0 };
	FILE *file;
	int i;

	server_free(net.server[index]);
	net.server[index] = NULL;
	config.listener[0].at = net.server_at[index];
	memcpy(config.secret, net.server_secret[index], KEY_SIZE);
	for (i = 0; i < CLIENTS; i++)
		key_format(net.node[i].public, keys[i]);
	snprintf(text, sizeof(text), "alice %s allow=bob\nbob %s allow=alice\ncarol %s allow=\n",
		 keys[0], keys[1], keys[1]);
	file = fmemopen(text, strlen(text), "r");
	assert_non_null(file);
	assert_int_equal(peers_parse(file, "peers", &peers, &err), 0);
	fclose(file);
	assert_int_equal(server_new(&net.server[index], &config, &peers, server_sends,
				    (void *)(uintptr_t)index, net.now_ns, &err),
			 0);
}

static void start_client(unsigned int index, unsigned int servers)
{
	struct peer_client_options options = { .name = names[index],
					       .servers = servers,
					       .random = fill,
					       .admit = admit,
					       .arg = &net.node[index] };
	unsigned int i, wrong;

	peer_client_free(net.node[index].client);
	memcpy(options.secret, net.node[index].secret, KEY_SIZE);
	for (i = 0; i < servers; i++) {
		options.server[i].at = net.server_at[i];
		key_public(options.server[i].key, net.server_secret[i]);
	}
	assert_int_equal(peer_client_new(&net.node[index].client, &options, net.now_ns, &wrong), 0);
}

static int setup(void **state)
{
	unsigned int i;

	memset(&net, 0, sizeof(net));
	net.now_ns = 1000 * SECOND_NS;
	net.random = 42;
	net.server_at[0] = endpoint("192.0.2.1:3478");
	net.server_at[1] = endpoint("192.0.2.2:3478");
	net.node[0].at = endpoint("198.51.100.1:40000");
	net.node[1].at = endpoint("203.0.113.2:40001");
	for (i = 0; i < CLIENTS; i++) {
		memset(net.node[i].secret, (int)i + 1, KEY_SIZE);
		key_public(net.node[i].public, net.node[i].secret);
	}
	for (i = 0; i < SERVERS; i++) {
		memset(net.server_secret[i], (int)i + 9, KEY_SIZE);
		start_server(i);
	}
	return 0;
}

static int teardown(void **state)
{
	unsigned int i;

	for (i = 0; i < CLIENTS; i++)
		peer_client_free(net.node[i].client);
	for (i = 0; i < SERVERS; i++)
		server_free(net.server[i]);
	return 0;
}

/* --- the loop of a caller */

static void flush(struct node *node)
{
	uint8_t buffer[PEER_CLIENT_DATAGRAM_SIZE];
	struct peer_client_event event;
	struct stun_endpoint to;
	unsigned int i;
	size_t length;

	while ((length = peer_client_send(node->client, buffer, &to, net.now_ns))) {
		node->sent++;
		for (i = 0; i < SERVERS; i++)
			if (stun_endpoint_is_same(&net.server_at[i], &to))
				enqueue(true, i, (unsigned int)(node - net.node), buffer, length);
	}
	while (peer_client_next_event(node->client, &event)) {
		node->event[event.kind] = event;
		node->count[event.kind]++;
	}
}

static void deliver(const struct datagram *datagram)
{
	struct node *node = &net.node[datagram->client];
	struct path path = { .client = node->at, .local = net.server_at[datagram->server] };
	uint8_t *copy = malloc(datagram->length);
	struct stun_message message;
	struct channel_data relayed;

	assert_non_null(copy);
	memcpy(copy, datagram->data, datagram->length);
	if (datagram->to_server) {
		if (!net.dead[datagram->server])
			server_receive(net.server[datagram->server], &path, copy, datagram->length,
				       net.now_ns);
	} else if (channel_is_data(copy, datagram->length)) {
		assert_int_equal(channel_parse(copy, datagram->length, &relayed), 0);
		node->relayed++;
		node->channel = relayed.number;
	} else if (node->client) {
		assert_int_equal(stun_parse(copy, datagram->length, &message), 0);
		peer_client_receive(node->client, &net.server_at[datagram->server], &message,
				    net.now_ns);
		flush(node);
	}
	free(copy);
}

static void run(uint64_t duration_ns)
{
	uint64_t end_ns = net.now_ns + duration_ns, at_ns, due_ns;
	struct datagram datagram;
	unsigned int i, first, events = 0;

	while (net.now_ns < end_ns) {
		assert_true(++events < 100000);
		at_ns = end_ns;
		first = QUEUE;
		for (i = 0; i < net.queued; i++)
			if (net.queue[i].at_ns < at_ns) {
				at_ns = net.queue[i].at_ns;
				first = i;
			}
		for (i = 0; i < CLIENTS; i++) {
			due_ns = net.node[i].client ? peer_client_due_ns(net.node[i].client)
						    : UINT64_MAX;
			if (due_ns < at_ns) {
				at_ns = due_ns > net.now_ns ? due_ns : net.now_ns;
				first = QUEUE;
			}
		}
		net.now_ns = at_ns;
		for (i = 0; i < SERVERS; i++)
			server_expire(net.server[i], net.now_ns);
		if (first < QUEUE) {
			datagram = net.queue[first];
			/* datagrams with equal times stay in order */
			memmove(&net.queue[first], &net.queue[first + 1],
				(--net.queued - first) * sizeof(*net.queue));
			deliver(&datagram);
			continue;
		}
		for (i = 0; i < CLIENTS; i++)
			if (net.node[i].client) {
				peer_client_timeout(net.node[i].client, net.now_ns);
				flush(&net.node[i]);
			}
	}
}

static void start_both(unsigned int servers)
{
	start_client(0, servers);
	start_client(1, servers);
	run(SECOND_NS);
}

static void connect_to(const char *name)
{
	assert_int_equal(peer_client_connect(net.node[0].client, name, net.now_ns), 0);
	flush(&net.node[0]);
}

static void want_failure(unsigned int code)
{
	assert_int_equal(net.node[0].count[PEER_CLIENT_INTRODUCED], 0);
	assert_int_equal(net.node[0].count[PEER_CLIENT_CONNECT_FAILED], 1);
	assert_int_equal(net.node[0].event[PEER_CLIENT_CONNECT_FAILED].code, code);
	assert_non_null(peer_client_code_text(code));
}

/* --- registration */

static void test_register(void **state)
{
	const struct peer_client_event *event = &net.node[0].event[PEER_CLIENT_REGISTERED];

	start_both(2);
	assert_int_equal(net.node[0].count[PEER_CLIENT_REGISTERED], 2);
	assert_true(peer_client_registered(net.node[0].client, 0));
	assert_true(peer_client_registered(net.node[0].client, 1));
	assert_true(stun_endpoint_is_same(&event->mapped, &net.node[0].at));
	assert_int_equal(event->rtt_ns, 2 * DELAY_NS);
	assert_true(event->behind_nat);
	/* one day: only refreshes, every 15 to 18 seconds, and an hourly proof */
	net.node[0].sent = 0;
	run(86400 * SECOND_NS);
	assert_in_range(net.node[0].sent, 2 * 86400 / 18, 2 * 86400 / 15 + 200);
	assert_int_equal(net.node[0].count[PEER_CLIENT_SERVER_SILENT], 0);
	assert_int_equal(store_count(server_store(net.server[0])), 2);
}

/* The NAT keeps a mapping for a short time: refreshes are due earlier, but never later. */
static void test_interval(void **state)
{
	start_both(1);
	peer_client_set_interval(net.node[0].client, 9 * SECOND_NS);
	run(60 * SECOND_NS);
	net.node[0].sent = 0;
	run(3600 * SECOND_NS);
	assert_in_range(net.node[0].sent, 3600 / 9, 3600 * 10 / 75 + 10);
	peer_client_set_interval(net.node[0].client, 60 * SECOND_NS);
	run(60 * SECOND_NS);
	net.node[0].sent = 0;
	run(3600 * SECOND_NS);
	assert_in_range(net.node[0].sent, 3600 / 18, 3600 / 15 + 10);
}

/*
 * The server finds the mapped address among the candidates, and skips a candidate that it may not
 * allow.
 */
static void test_candidates(void **state)
{
	struct candidate candidates[] = {
		{ .at = endpoint("10.0.0.1:40000"), CANDIDATE_HOST, CANDIDATE_UDP },
		{ .at = endpoint("198.51.100.1:40000"), CANDIDATE_HOST, CANDIDATE_UDP },
		{ .at = endpoint("198.51.100.77:40000"), CANDIDATE_HOST, CANDIDATE_UDP },
	};
	const struct registration *registration;

	start_client(0, 1);
	peer_client_set_candidates(net.node[0].client, candidates, 3, net.now_ns);
	run(2 * SECOND_NS);
	assert_true(peer_client_registered(net.node[0].client, 0));
	assert_int_equal(net.node[0].count[PEER_CLIENT_REFUSED], 0);
	registration = store_first(server_store(net.server[0]));
	assert_non_null(registration);
	assert_int_equal(registration->candidates, 2);
	assert_false(registration->behind_nat);
	/* a shorter list is registered at once */
	peer_client_set_candidates(net.node[0].client, candidates, 1, net.now_ns);
	flush(&net.node[0]);
	run(SECOND_NS);
	registration = store_first(server_store(net.server[0]));
	assert_int_equal(registration->candidates, 1);
	assert_true(registration->behind_nat);
}

static void test_wrong_identity(void **state)
{
	memset(net.node[0].secret, 0x77, KEY_SIZE);
	start_client(0, 1);
	run(120 * SECOND_NS);
	assert_false(peer_client_registered(net.node[0].client, 0));
	/* with back-off: 1, 2, 4, 8, 16, 30 seconds */
	assert_in_range(net.node[0].count[PEER_CLIENT_REFUSED], 4, 9);
	assert_int_equal(net.node[0].event[PEER_CLIENT_REFUSED].code,
			 PEER_CLIENT_CODE_UNKNOWN_IDENTITY);
	assert_in_range(net.node[0].sent, 4, 30);
}

static void test_silent_server(void **state)
{
	net.dead[0] = true;
	start_client(0, 2);
	run(60 * SECOND_NS);
	assert_true(peer_client_registered(net.node[0].client, 1));
	assert_int_equal(net.node[0].count[PEER_CLIENT_SERVER_SILENT], 1);
	net.node[0].sent = 0;
	run(600 * SECOND_NS);
	/*
	 * 5 requests per attempt, at most 30 seconds apart, and the refreshes to the other server
	 */
	assert_in_range(net.node[0].sent, 600 / 18, 600 / 15 + 600 / 37 * 5 + 10);
	net.dead[0] = false;
	run(50 * SECOND_NS);
	assert_true(peer_client_registered(net.node[0].client, 0));
}

/* A restarted server has lost the registration; the next refresh detects this. */
static void test_restarted_server(void **state)
{
	start_both(1);
	start_server(0);
	run(20 * SECOND_NS);
	assert_int_equal(store_count(server_store(net.server[0])), 2);
	/* immediately, if the caller suspects a change */
	start_server(0);
	peer_client_refresh(net.node[0].client, net.now_ns);
	flush(&net.node[0]);
	run(SECOND_NS);
	assert_int_equal(store_count(server_store(net.server[0])), 1);
}

/*
 * The mapping has changed. This is handled as a restart, since the MAC of a refresh covers the
 * address.
 */
static void test_changed_mapping(void **state)
{
	start_both(1);
	net.node[0].at = endpoint("198.51.100.1:50505");
	peer_client_refresh(net.node[0].client, net.now_ns);
	flush(&net.node[0]);
	run(SECOND_NS);
	assert_int_equal(net.node[0].count[PEER_CLIENT_REGISTERED], 2);
	assert_true(stun_endpoint_is_same(&net.node[0].event[PEER_CLIENT_REGISTERED].mapped,
					  &net.node[0].at));
}

static void test_stop(void **state)
{
	start_both(2);
	peer_client_stop(net.node[0].client, net.now_ns);
	assert_false(peer_client_stopped(net.node[0].client));
	flush(&net.node[0]);
	run(SECOND_NS);
	assert_true(peer_client_stopped(net.node[0].client));
	assert_int_equal(net.node[0].count[PEER_CLIENT_UNREGISTERED], 2);
	assert_int_equal(store_count(server_store(net.server[0])), 1);
	assert_true(peer_client_due_ns(net.node[0].client) == UINT64_MAX);
	/* a server without an answer does not delay it */
	net.dead[0] = true;
	peer_client_stop(net.node[1].client, net.now_ns);
	flush(&net.node[1]);
	run(5 * SECOND_NS);
	assert_true(peer_client_stopped(net.node[1].client));
}

/* --- introductions */

static void want_introduced(void)
{
	const struct introduction *a = &net.node[0].event[PEER_CLIENT_INTRODUCED].introduction,
				  *b = &net.node[1].event[PEER_CLIENT_INTRODUCED].introduction;
	struct peer_secret secret_a, secret_b;

	assert_true(net.node[0].count[PEER_CLIENT_INTRODUCED] > 0);
	assert_true(net.node[1].count[PEER_CLIENT_INTRODUCED] > 0);
	assert_true(a->initiator && !b->initiator);
	assert_memory_equal(a->id, b->id, sizeof(a->id));
	assert_string_equal(a->name, "bob");
	assert_string_equal(b->name, "alice");
	assert_true(stun_endpoint_is_same(&a->candidate[0].at, &net.node[1].at));
	assert_true(stun_endpoint_is_same(&b->candidate[0].at, &net.node[0].at));
	assert_true(stun_endpoint_is_same(&a->mapped, &net.node[0].at));
	assert_int_equal(peer_secret_derive(&secret_a, net.node[0].secret, a), 0);
	assert_int_equal(peer_secret_derive(&secret_b, net.node[1].secret, b), 0);
	assert_memory_equal(secret_a.psk, secret_b.psk, PEER_SECRET_SIZE);
}

static void test_introduce(void **state)
{
	const struct introduction *a = &net.node[0].event[PEER_CLIENT_INTRODUCED].introduction,
				  *b = &net.node[1].event[PEER_CLIENT_INTRODUCED].introduction;

	start_both(2);
	connect_to("bob");
	run(SECOND_NS);
	want_introduced();
	assert_int_equal(net.node[0].count[PEER_CLIENT_INTRODUCED], 1);
	assert_int_equal(net.node[1].count[PEER_CLIENT_INTRODUCED], 1);
	/* both peers start at the same time, within the accuracy of the RTTs */
	assert_in_range(
		(a->start_ns > b->start_ns ? a->start_ns - b->start_ns : b->start_ns - a->start_ns),
		0, 2 * DELAY_NS);
	peer_client_report(net.node[0].client, a, SLUICE_RENDEZVOUS_DIRECT_UDP, net.now_ns);
	flush(&net.node[0]);
	run(SECOND_NS);
	assert_int_equal(server_counters(net.server[0])[COUNT_reported_direct], 1);
}

/* A candidate that appears while a request is pending is also sent to the other peer. */
static void test_late_candidate(void **state)
{
	const struct introduction *b = &net.node[1].event[PEER_CLIENT_INTRODUCED].introduction;
	struct candidate mapped = { .at = net.node[0].at, CANDIDATE_MAPPED, CANDIDATE_UDP };

	start_both(1);
	connect_to("bob");
	flush(&net.node[0]);
	mapped.at.addr = net.node[0].at.addr;
	mapped.at.port_be = htons(50000);
	peer_client_set_candidates(net.node[0].client, &mapped, 1, net.now_ns);
	flush(&net.node[0]);
	/* immediately, not only with the next retransmission */
	run(8 * DELAY_NS);
	want_introduced();
	assert_int_equal(b->candidates, 2);
	assert_int_equal(b->candidate[1].kind, CANDIDATE_MAPPED);
	assert_true(stun_endpoint_is_same(&b->candidate[1].at, &mapped.at));
}

/* 30 % of the datagrams are lost in each direction. */
static void test_loss(void **state)
{
	unsigned int seed, introduced = 0;

	for (seed = 1; seed <= 20; seed++) {
		teardown(state);
		setup(state);
		net.random = seed;
		net.loss = 300;
		start_both(1);
		run(20 * SECOND_NS);
		connect_to("bob");
		run(31 * SECOND_NS);
		assert_int_equal(net.node[0].count[PEER_CLIENT_INTRODUCED] +
					 net.node[0].count[PEER_CLIENT_CONNECT_FAILED],
				 1);
		introduced += net.node[0].count[PEER_CLIENT_INTRODUCED];
	}
	assert_in_range(introduced, 17, 20);
}

static void test_unknown_name(void **state)
{
	start_both(1);
	connect_to("nobody");
	run(SECOND_NS);
	want_failure(403);
	assert_int_equal(peer_client_connect(net.node[0].client, "a b", net.now_ns), -EINVAL);
	assert_int_equal(peer_client_connect(net.node[0].client, "", net.now_ns), -EINVAL);
}

static void test_denied(void **state)
{
	start_both(1);
	connect_to("carol");
	run(SECOND_NS);
	want_failure(403);
}

static void test_not_registered(void **state)
{
	start_client(0, 1);
	run(SECOND_NS);
	connect_to("bob");
	run(SECOND_NS);
	want_failure(404);
}

static void test_peer_refuses(void **state)
{
	net.node[1].refuses = true;
	start_both(2);
	connect_to("bob");
	run(2 * SECOND_NS);
	want_failure(480);
	assert_int_equal(net.node[1].count[PEER_CLIENT_INTRODUCED], 0);
}

/* A server that replaces the key of a peer gets no session. */
static void test_swapped_key(void **state)
{
	net.node[0].pins_other_key = true;
	start_both(2);
	connect_to("bob");
	run(2 * SECOND_NS);
	want_failure(PEER_CLIENT_CODE_WRONG_KEY);
}

static void test_no_server(void **state)
{
	net.dead[0] = true;
	start_client(0, 1);
	connect_to("bob");
	run(31 * SECOND_NS);
	want_failure(PEER_CLIENT_CODE_SILENT);
}

/* The first server does not know the other peer, or is dead: the second server introduces. */
static void test_second_server(void **state)
{
	start_both(2);
	net.dead[0] = true;
	connect_to("bob");
	run(20 * SECOND_NS);
	want_introduced();
	assert_int_equal(net.node[0].event[PEER_CLIENT_INTRODUCED].introduction.server, 1);
}

/* A connect does not wait for the response to the registration: three round trips to the server. */
static void test_connect_at_once(void **state)
{
	start_client(1, 1);
	run(SECOND_NS);
	start_client(0, 1);
	connect_to("bob");
	run(6 * DELAY_NS - 1);
	assert_int_equal(net.node[0].count[PEER_CLIENT_INTRODUCED], 0);
	run(2);
	want_introduced();
	assert_int_equal(net.node[0].sent, 3);
	assert_true(stun_endpoint_is_same(
		&net.node[0].event[PEER_CLIENT_INTRODUCED].introduction.mapped, &net.node[0].at));
}

/* The request precedes the registration, or comes after the server has lost it. */
static void test_connect_early(void **state)
{
	start_client(1, 1);
	run(SECOND_NS);
	start_client(0, 1);
	connect_to("bob");
	run(SECOND_NS);
	want_introduced();
	start_server(0);
	peer_client_refresh(net.node[1].client, net.now_ns);
	flush(&net.node[1]);
	run(SECOND_NS);
	connect_to("bob");
	run(SECOND_NS);
	assert_int_equal(net.node[0].count[PEER_CLIENT_INTRODUCED], 2);
}

static void test_many(void **state)
{
	char name[16];
	unsigned int i;

	start_client(0, 1);
	for (i = 0; i < PEER_CLIENT_CONNECTS_MAX; i++) {
		snprintf(name, sizeof(name), "peer%u", i);
		connect_to(name);
	}
	assert_int_equal(peer_client_connect(net.node[0].client, "bob", net.now_ns), -EBUSY);
	peer_client_cancel(net.node[0].client, "peer3");
	assert_int_equal(peer_client_connect(net.node[0].client, "bob", net.now_ns), 0);
}

/* --- messages from other senders */

/*
 * Flips a bit in each byte of a server message, and truncates it at each length: no event follows.
 */
static void test_forged(void **state)
{
	struct stun_endpoint stranger = endpoint("198.51.100.66:3478");
	struct stun_message message;
	struct datagram kept;
	unsigned int byte, events = 0;
	uint8_t copy[1500];

	start_both(1);
	connect_to("bob");
	/* skip the request and wait for the introduction */
	while (!(net.queued && !net.queue[0].to_server && net.queue[0].client == 1))
		run(DELAY_NS);
	kept = net.queue[0];
	net.queued = 0;
	for (byte = 0; byte < kept.length; byte++) {
		memcpy(copy, kept.data, kept.length);
		copy[byte] ^= 0x10;
		if (!stun_parse(copy, kept.length, &message))
			peer_client_receive(net.node[1].client, &net.server_at[0], &message,
					    net.now_ns);
		if (!stun_parse(kept.data, byte, &message))
			peer_client_receive(net.node[1].client, &net.server_at[0], &message,
					    net.now_ns);
		flush(&net.node[1]);
	}
	events = net.node[1].count[PEER_CLIENT_INTRODUCED];
	assert_int_equal(events, 0);
	assert_int_equal(net.queued, 0);
	/* from an address that is not the server's */
	assert_int_equal(stun_parse(kept.data, kept.length, &message), 0);
	assert_false(peer_client_receive(net.node[1].client, &stranger, &message, net.now_ns));
	/* repeated copies of the same introduction are all answered, and produce one event */
	for (byte = 0; byte < 3; byte++) {
		assert_true(peer_client_receive(net.node[1].client, &net.server_at[0], &message,
						net.now_ns));
		flush(&net.node[1]);
	}
	assert_int_equal(net.node[1].count[PEER_CLIENT_INTRODUCED], 1);
	assert_int_equal(net.queued, 3);
}

/* Waits for a request of the first client, and drops it on the way to the server. */
static struct datagram take_request(unsigned int method)
{
	struct stun_message message;
	struct datagram taken;
	unsigned int i;

	for (i = 0; i < 100000; i++) {
		if (net.queued && net.queue[0].to_server) {
			taken = net.queue[0];
			assert_int_equal(stun_parse(taken.data, taken.length, &message), 0);
			if (message.method == method) {
				net.queued = 0;
				return taken;
			}
		}
		run(MS_NS);
	}
	fail_msg("no such request");
	return taken;
}

/* Answers with a success, as an attacker who sees the request but has no key. */
static void forge_success(const struct datagram *request)
{
	static const uint8_t zeros[SLUICE_RENDEZVOUS_SESSION_ID_SIZE];
	struct stun_message message;
	struct stun_builder builder;
	uint8_t answer[PEER_CLIENT_DATAGRAM_SIZE];

	assert_int_equal(stun_parse(request->data, request->length, &message), 0);
	stun_begin_response(&builder, answer, sizeof(answer), &message, SLUICE_STUN_SUCCESS);
	stun_put_xor_address(&builder, SLUICE_STUN_XOR_MAPPED_ADDRESS, &net.node[0].at);
	stun_put(&builder, SLUICE_RENDEZVOUS_REGISTRATION, zeros, 8);
	stun_put(&builder, SLUICE_RENDEZVOUS_REFRESH_PROOF, zeros, 8);
	stun_put(&builder, SLUICE_RENDEZVOUS_SESSION_ID, zeros, sizeof(zeros));
	stun_put_sha256(&builder, zeros, sizeof(zeros));
	assert_int_equal(stun_parse(answer, stun_end(&builder), &message), 0);
	peer_client_receive(net.node[0].client, &net.server_at[0], &message, net.now_ns);
	flush(&net.node[0]);
}

static void test_forged_success(void **state)
{
	struct datagram request;

	start_client(0, 1);
	request = take_request(SLUICE_RENDEZVOUS_REGISTER);
	forge_success(&request);
	assert_false(peer_client_registered(net.node[0].client, 0));
	run(SECOND_NS);
	assert_true(peer_client_registered(net.node[0].client, 0));
	request = take_request(SLUICE_RENDEZVOUS_REFRESH);
	net.dead[0] = true;
	forge_success(&request);
	run(10 * SECOND_NS);
	assert_false(peer_client_registered(net.node[0].client, 0));
}

/* --- the relay */

static void introduce_both(void)
{
	start_both(1);
	connect_to("bob");
	run(SECOND_NS);
	assert_int_equal(net.node[0].count[PEER_CLIENT_INTRODUCED], 1);
	assert_int_equal(net.node[1].count[PEER_CLIENT_INTRODUCED], 1);
}

static void bind_relay(unsigned int index)
{
	struct node *node = &net.node[index];

	assert_int_equal(peer_client_relay(node->client,
					   &node->event[PEER_CLIENT_INTRODUCED].introduction,
					   net.now_ns),
			 0);
	flush(node);
}

static const struct stun_endpoint *relay_of(unsigned int index)
{
	return &net.node[index].event[PEER_CLIENT_RELAYED].relay;
}

/*
 * Sends through the relay from this client. Returns true if the datagram arrives in the other
 * client's channel.
 */
static bool passes(unsigned int index)
{
	uint8_t message[SLUICE_CHANNEL_HEADER + 100] = { 0 };
	unsigned int before = net.node[!index].relayed;

	channel_put_header(message, relay_channel(relay_of(index)), 100);
	enqueue(true, relay_server(relay_of(index)), index, message, sizeof(message));
	run(SECOND_NS);
	return net.node[!index].relayed > before &&
	       net.node[!index].channel == relay_channel(relay_of(!index));
}

/* The binding exists while it is held, and then expires. */
static void test_relay(void **state)
{
	unsigned int i;

	introduce_both();
	for (i = 0; i < CLIENTS; i++)
		bind_relay(i);
	run(SECOND_NS);
	for (i = 0; i < CLIENTS; i++) {
		assert_int_equal(net.node[i].count[PEER_CLIENT_RELAYED], 1);
		assert_memory_equal(net.node[i].event[PEER_CLIENT_RELAYED].session_id,
				    net.node[i].event[PEER_CLIENT_INTRODUCED].introduction.id,
				    SLUICE_RENDEZVOUS_SESSION_ID_SIZE);
		assert_true(relay_is_endpoint(relay_of(i)));
		assert_true(channel_is_valid(relay_channel(relay_of(i))));
	}
	assert_true(passes(0) && passes(1));
	/* a repeated bind changes nothing */
	bind_relay(0);
	run(SECOND_NS);
	net.node[0].sent = 0;
	run(3600 * SECOND_NS);
	/* refreshes of the registration and of the binding, which needs a new nonce each minute */
	assert_in_range(net.node[0].sent, 3600 / 18 + 3600 / 21, 3600 / 15 + 3600 / 18 + 3600 / 30);
	assert_int_equal(server_relays(net.server[0]), 1);
	assert_true(passes(0) && passes(1));
	for (i = 0; i < CLIENTS; i++) {
		assert_int_equal(net.node[i].count[PEER_CLIENT_RELAYED], 1);
		assert_int_equal(net.node[i].count[PEER_CLIENT_RELAY_ENDED], 0);
		peer_client_hold_relay(net.node[i].client, relay_of(i), false, net.now_ns);
		flush(&net.node[i]);
	}
	run(65 * SECOND_NS);
	assert_int_equal(server_relays(net.server[0]), 0);
	assert_int_equal(net.node[0].count[PEER_CLIENT_RELAY_ENDED], 1);
	assert_int_equal(net.node[1].count[PEER_CLIENT_RELAY_ENDED], 1);
}

/* All attempts to bind end at once, because the server is silent: none ends without an event. */
static void test_relay_silent(void **state)
{
	struct introduction introduction;
	unsigned int i;

	introduce_both();
	introduction = net.node[0].event[PEER_CLIENT_INTRODUCED].introduction;
	net.dead[0] = true;
	for (i = 0; i < PEER_CLIENT_RELAYS_MAX; i++) {
		introduction.id[0] = (uint8_t)i;
		introduction.id[1]++;
		assert_int_equal(peer_client_relay(net.node[0].client, &introduction, net.now_ns),
				 0);
	}
	net.now_ns += 60 * SECOND_NS;
	peer_client_timeout(net.node[0].client, net.now_ns);
	while (peer_client_next_event(net.node[0].client, &net.node[0].event[0]))
		net.node[0].count[net.node[0].event[0].kind]++;
	assert_int_equal(net.node[0].count[PEER_CLIENT_RELAY_ENDED], PEER_CLIENT_RELAYS_MAX);
}

static void test_relay_loss(void **state)
{
	introduce_both();
	net.loss = 300;
	bind_relay(0);
	bind_relay(1);
	run(20 * 60 * SECOND_NS);
	net.loss = 0;
	run(40 * SECOND_NS);
	assert_int_equal(net.node[0].count[PEER_CLIENT_RELAY_ENDED], 0);
	assert_int_equal(net.node[1].count[PEER_CLIENT_RELAY_ENDED], 0);
	assert_true(passes(0) && passes(1));
}

/* When the address of a client changes, its channel follows. */
static void test_relay_moves(void **state)
{
	introduce_both();
	bind_relay(0);
	bind_relay(1);
	run(SECOND_NS);
	net.node[0].at = endpoint("198.51.100.9:41000");
	assert_false(passes(1));
	peer_client_refresh(net.node[0].client, net.now_ns);
	flush(&net.node[0]);
	run(2 * SECOND_NS);
	assert_true(passes(0) && passes(1));
	/* without the call, the next refresh of the registration has the same effect */
	net.node[0].at = endpoint("198.51.100.9:42000");
	run(25 * SECOND_NS);
	assert_true(passes(0) && passes(1));
	assert_int_equal(net.node[0].count[PEER_CLIENT_RELAYED], 1);
}

static void want_relay_ended(unsigned int code)
{
	assert_int_equal(net.node[0].count[PEER_CLIENT_RELAY_ENDED], 1);
	assert_int_equal(net.node[0].event[PEER_CLIENT_RELAY_ENDED].code, code);
	assert_memory_equal(net.node[0].event[PEER_CLIENT_RELAY_ENDED].session_id,
			    net.node[0].event[PEER_CLIENT_INTRODUCED].introduction.id,
			    SLUICE_RENDEZVOUS_SESSION_ID_SIZE);
}

/* The restarted server no longer knows the session. */
static void test_relay_restarted_server(void **state)
{
	introduce_both();
	bind_relay(0);
	bind_relay(1);
	run(5 * SECOND_NS);
	start_server(0);
	run(25 * SECOND_NS);
	want_relay_ended(404);
}

static void test_relay_silent_server(void **state)
{
	introduce_both();
	net.dead[0] = true;
	bind_relay(0);
	run(25 * SECOND_NS);
	assert_int_equal(net.node[0].count[PEER_CLIENT_RELAY_ENDED], 0);
	run(10 * SECOND_NS);
	want_relay_ended(PEER_CLIENT_CODE_SILENT);
	assert_int_equal(net.node[0].count[PEER_CLIENT_RELAYED], 0);
}

static void test_relay_limit(void **state)
{
	struct introduction *introduction;
	unsigned int i;

	introduce_both();
	introduction = &net.node[0].event[PEER_CLIENT_INTRODUCED].introduction;
	for (i = 0; i < PEER_CLIENT_RELAYS_MAX; i++) {
		memcpy(introduction->id, &i, sizeof(i));
		assert_int_equal(peer_client_relay(net.node[0].client, introduction, net.now_ns),
				 0);
	}
	introduction->id[15] ^= 1;
	assert_int_equal(peer_client_relay(net.node[0].client, introduction, net.now_ns), -EBUSY);
}

/* No two sessions have the same channel, even if the same number is drawn. */
static void test_relay_channels(void **state)
{
	struct introduction *introduction;
	const uint8_t *channel[2];
	struct stun_message message;
	size_t length;
	unsigned int i;

	introduce_both();
	introduction = &net.node[0].event[PEER_CLIENT_INTRODUCED].introduction;
	net.stuck = true;
	net.queued = 0;
	for (i = 0; i < 2; i++) {
		introduction->id[15] ^= 1;
		bind_relay(0);
		assert_int_equal(net.queued, i + 1);
		assert_int_equal(stun_parse(net.queue[i].data, net.queue[i].length, &message), 0);
		assert_int_equal(message.method, SLUICE_RENDEZVOUS_BIND);
		assert_int_equal(
			stun_get(&message, SLUICE_RENDEZVOUS_CHANNEL_NUMBER, &channel[i], &length),
			0);
	}
	assert_memory_not_equal(channel[0], channel[1], 2);
}

/*
 * A restarted server refuses the refresh of a binding until it knows the peer again. The binding
 * waits for this, and ends only because the server does not know the session.
 */
static void test_relay_unregistered(void **state)
{
	introduce_both();
	bind_relay(0);
	bind_relay(1);
	run(SECOND_NS);
	start_server(0);
	peer_client_hold_relay(net.node[0].client, relay_of(0), false, net.now_ns);
	peer_client_hold_relay(net.node[0].client, relay_of(0), true, net.now_ns);
	flush(&net.node[0]);
	run(30 * SECOND_NS);
	want_relay_ended(404);
}

/* A weak server key is rejected at the start. */
static void test_weak_server_key(void **state)
{
	struct peer_client_options options = {
		.name = "alice", .servers = 2, .random = fill, .admit = admit
	};
	struct peer_client *client = NULL;
	unsigned int server = 7;

	memcpy(options.secret, net.node[0].secret, KEY_SIZE);
	key_public(options.server[0].key, net.server_secret[0]);
	assert_int_equal(peer_client_new(&client, &options, net.now_ns, &server), -EINVAL);
	assert_int_equal(server, 1);
	assert_null(client);
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, setup, teardown)

/* Answers the pending connect request in place of the server. */
static void forge_introduction(const uint8_t key[KEY_SIZE], const uint8_t ephemeral[KEY_SIZE])
{
	const struct candidate candidate = { .at = net.node[1].at, CANDIDATE_HOST, CANDIDATE_UDP };
	uint8_t buffer[PEER_CLIENT_DATAGRAM_SIZE], id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE] = { 1 };
	uint8_t derived[KEY_SIZE];
	struct stun_message request;
	struct stun_builder builder;

	assert_int_equal(net.queued, 1);
	assert_int_equal(stun_parse(net.queue[0].data, net.queue[0].length, &request), 0);
	assert_int_equal(request.method, SLUICE_RENDEZVOUS_CONNECT);
	stun_begin(&builder, buffer, sizeof(buffer), SLUICE_RENDEZVOUS_CONNECT, SLUICE_STUN_SUCCESS,
		   stun_id(&request));
	stun_put(&builder, SLUICE_RENDEZVOUS_SESSION_ID, id, sizeof(id));
	stun_put(&builder, SLUICE_RENDEZVOUS_PEER_NAME, "bob", 3);
	stun_put(&builder, SLUICE_RENDEZVOUS_PEER_KEY, key, KEY_SIZE);
	stun_put(&builder, SLUICE_RENDEZVOUS_EPHEMERAL_KEY, ephemeral, KEY_SIZE);
	stun_put_u32(&builder, SLUICE_RENDEZVOUS_START_DELAY, 0);
	candidate_put(&builder, &candidate, NULL);
	assert_int_equal(key_derive(derived, net.server_secret[0], net.node[0].public), 0);
	stun_put_sha256(&builder, derived, KEY_SIZE);
	net.queued = 0;
	enqueue(false, 0, 0, buffer, stun_end(&builder));
	run(SECOND_NS);
}

/*
 * The server or the other peer sends a key that makes a session impossible. The caller must get an
 * error instead of waiting for a session.
 */
static void test_impossible_keys(void **state)
{
	static const uint8_t zero[KEY_SIZE];
	struct node *alice = &net.node[0], *bob = &net.node[1];

	start_client(0, 1);
	run(SECOND_NS);
	/* the rest of the forged message is valid */
	connect_to("bob");
	forge_introduction(bob->public, bob->public);
	assert_int_equal(alice->count[PEER_CLIENT_INTRODUCED], 1);
	alice->count[PEER_CLIENT_INTRODUCED] = 0;

	connect_to("bob");
	forge_introduction(bob->public, zero);
	want_failure(PEER_CLIENT_CODE_MALFORMED);

	alice->count[PEER_CLIENT_CONNECT_FAILED] = 0;
	memcpy(bob->public, alice->public, KEY_SIZE);
	connect_to("bob");
	forge_introduction(alice->public, alice->public);
	want_failure(PEER_CLIENT_CODE_MALFORMED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(register),
		TEST(interval),
		TEST(candidates),
		TEST(wrong_identity),
		TEST(silent_server),
		TEST(restarted_server),
		TEST(changed_mapping),
		TEST(stop),
		TEST(introduce),
		TEST(late_candidate),
		TEST(loss),
		TEST(unknown_name),
		TEST(denied),
		TEST(not_registered),
		TEST(peer_refuses),
		TEST(swapped_key),
		TEST(no_server),
		TEST(second_server),
		TEST(connect_at_once),
		TEST(connect_early),
		TEST(many),
		TEST(forged),
		TEST(forged_success),
		TEST(weak_server_key),
		TEST(relay),
		TEST(relay_silent),
		TEST(relay_loss),
		TEST(relay_moves),
		TEST(relay_restarted_server),
		TEST(relay_silent_server),
		TEST(relay_limit),
		TEST(relay_channels),
		TEST(relay_unregistered),
		TEST(impossible_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
