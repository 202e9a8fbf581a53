// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * rendezvous [PEERS]: measures the cost of registered peers for the rendezvous server: memory, and
 * the CPU time of a registration and of a refresh. Prints one figure per line.
 *
 * Messages go directly to the state machine, without sockets. The server's system calls would add
 * 1/64 of a call per datagram. The work of the peers, which build the messages, is not counted.
 */
#include "meet/nonce.h"
#include "meet/rendezvous/request.h"
#include "meet/rendezvous/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECOND	   1000000000ULL
#define BATCH	   1024
#define CANDIDATES 2
#define INTERVAL_S 15

struct message {
	struct path path;
	uint8_t data[512];
	size_t length;
};

struct bench {
	struct server *server;
	struct registration **registration;
	struct message message[BATCH];
	uint64_t answers, now_ns;
};

static void fail(const char *what)
{
	fprintf(stderr, "rendezvous: %s: %s\n", what, strerror(errno));
	exit(1);
}

static double cpu_s(void)
{
	struct timespec now;

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void on_send(const struct path *path, const void *message, size_t length, void *arg)
{
	struct bench *bench = arg;

	bench->answers++;
}

/* Returns a distinct source for each peer, 200 per prefix. */
static struct path path_of(unsigned int i)
{
	struct path path = { .client = { .port_be = htons(5000) } };

	path.client.addr.s6_addr16[5] = 0xffff;
	path.client.addr.s6_addr32[3] = htonl(0x40000000U + (i / 200 << 8) + i % 200);
	return path;
}

/* Reads a peers file with @count peers, whose keys need no derivation. */
static struct peers make_peers(unsigned int count)
{
	struct peers peers = { NULL };
	struct err err = { 0 };
	uint8_t key[KEY_SIZE] = { 9 };
	char text[KEY_TEXT];
	struct peer *peer;
	FILE *file = tmpfile();
	unsigned int i;

	if (!file)
		fail("peers");
	key_format(key, text);
	for (i = 0; i < count; i++)
		fprintf(file, "peer%u %s\n", i, text);
	rewind(file);
	if (peers_parse(file, "peers", &peers, &err)) {
		fprintf(stderr, "rendezvous: %s\n%s", err.what, err.detail);
		exit(1);
	}
	fclose(file);
	for (peer = peers.by_name; peer; peer = peer->hh.next)
		peer->has_key = true;
	return peers;
}

static void make_register(struct bench *bench, struct message *message, unsigned int i)
{
	static const uint8_t zeros[KEY_SIZE];
	uint8_t id[SLUICE_STUN_ID_SIZE] = { 0 };
	struct stun_builder builder;
	struct candidate candidate;
	char nonce[NONCE_SIZE], name[32];

	memcpy(id, &i, sizeof(i));
	message->path = path_of(i);
	candidate = (struct candidate){ message->path.client, CANDIDATE_HOST, CANDIDATE_UDP };
	nonce_make(nonce, bench->server->nonce_key, &message->path.client, CANDIDATE_UDP,
		   bench->now_ns / 1000000);
	snprintf(name, sizeof(name), "peer%u", i);
	stun_begin(&builder, message->data, sizeof(message->data), SLUICE_RENDEZVOUS_REGISTER,
		   SLUICE_STUN_REQUEST, id);
	stun_put(&builder, SLUICE_STUN_NONCE, nonce, NONCE_SIZE);
	stun_put(&builder, SLUICE_STUN_USERNAME, name, strlen(name));
	for (i = 0; i < CANDIDATES; i++)
		candidate_put(&builder, &candidate, NULL);
	stun_put_sha256(&builder, zeros, KEY_SIZE);
	message->length = stun_end(&builder);
}

static void make_refresh(struct bench *bench, struct message *message, unsigned int i)
{
	const struct registration *registration = bench->registration[i];
	struct sluice_rendezvous_token token = { .id = { htobe32(registration->slot),
							 htobe32(registration->epoch) } };
	uint8_t id[SLUICE_STUN_ID_SIZE] = { 1 };
	struct stun_builder builder;

	message->path = registration->path;
	token.mac_le = htole64(sluice_rendezvous_token_mac(&registration->refresh_key, &token.id,
							   message->path.client.addr.s6_addr32,
							   message->path.client.port_be));
	stun_begin(&builder, message->data, sizeof(message->data), SLUICE_RENDEZVOUS_REFRESH,
		   SLUICE_STUN_REQUEST, id);
	stun_put(&builder, SLUICE_RENDEZVOUS_REFRESH_TOKEN, &token, sizeof(token));
	message->length = stun_end(&builder);
}

/* Sends one message per peer, built by @make. Returns the CPU time of the server. */
static double run(struct bench *bench, unsigned int count,
		  void (*make)(struct bench *bench, struct message *message, unsigned int i))
{
	unsigned int first, i, some;
	uint64_t before = bench->answers;
	double since, total = 0;

	for (first = 0; first < count; first += some) {
		some = count - first < BATCH ? count - first : BATCH;
		for (i = 0; i < some; i++)
			make(bench, &bench->message[i], first + i);
		since = cpu_s();
		for (i = 0; i < some; i++)
			server_receive(bench->server, &bench->message[i].path,
				       bench->message[i].data, bench->message[i].length,
				       bench->now_ns);
		total += cpu_s() - since;
	}
	if (bench->answers - before != count) {
		errno = EPROTO;
		fail("answers are missing");
	}
	return total;
}

int main(int argc, char **argv)
{
	unsigned int i, count = argc > 1 ? (unsigned int)strtoul(argv[1], NULL, 10) : 1000000;
	struct server_config config = { .listeners = 1,
					.limits = { .total = count, .prefix = 256 },
					.port_min = 1024 };
	static struct bench bench = { .now_ns = SECOND };
	struct peers peers = make_peers(count);
	struct registration *registration;
	double registers, refreshes, expiry;
	struct err err = { 0 };

	if (server_new(&bench.server, &config, &peers, on_send, &bench, bench.now_ns, &err)) {
		fprintf(stderr, "rendezvous: %s\n", err.what);
		return 1;
	}
	registers = run(&bench, count, make_register);
	if (server_counters(bench.server)[COUNT_registered] != count) {
		errno = EPROTO;
		fail("registrations are missing");
	}
	bench.registration = calloc(count, sizeof(*bench.registration));
	if (!bench.registration)
		fail("registrations");
	registration = store_first(server_store(bench.server));
	for (i = 0; registration; registration = registration->hh.next)
		bench.registration[i++] = registration;
	printf("bytes of a registration with %d candidates  %.0f\n", CANDIDATES,
	       (double)store_bytes(server_store(bench.server)) / count);
	bench.now_ns += INTERVAL_S * SECOND;
	refreshes = run(&bench, count, make_refresh);
	printf("registrations per CPU-second                %.0f\n", count / registers);
	printf("refreshes per CPU-second                    %.0f\n", count / refreshes);
	printf("CPU of a million peers at %d s              %.2f %%\n", INTERVAL_S,
	       100 * refreshes / count * 1e6 / INTERVAL_S);
	bench.now_ns += (REGISTRATION_LIFE_S + 2) * SECOND;
	expiry = cpu_s();
	server_expire(bench.server, bench.now_ns);
	printf("registrations expired per CPU-second        %.0f\n", count / (cpu_s() - expiry));
	server_free(bench.server);
	free(bench.registration);
	return 0;
}
