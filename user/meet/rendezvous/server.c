// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/server.h"

#include "meet/channel.h"
#include "meet/rendezvous/auth.h"
#include "meet/rendezvous/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#define SECOND_NS 1000000000ULL

static void on_removed(struct registration *registration, void *arg)
{
	struct server *server = arg;

	const struct server_fast_path *fast_path = &server->config.fast_path;

	sessions_of_end(&server->sessions, registration);
	if (fast_path->remove)
		fast_path->remove(fast_path->arg, registration);
	if (registration->path.stream)
		registration->path.stream->registration = NULL;
}

int server_new(struct server **made, const struct server_config *config, struct peers *peers,
	       server_send_fn send, void *arg, uint64_t now_ns, struct err *err)
{
	struct server *server = calloc(1, sizeof(*server));

	if (!server)
		return err_set(err, EXIT_ERROR, ENOMEM, "rendezvous: %s", strerror(ENOMEM));
	server->config = *config;
	server->send = send;
	server->arg = arg;
	sessions_init(&server->sessions, now_ns);
	relays_init(&server->relays, now_ns);
	key_public(server->public_key, config->secret);
	server->store = store_new(&config->limits, now_ns, on_removed, server);
	server->budget = budget_new(config->rate);
	if (!server->store || !server->budget ||
	    getrandom(server->nonce_key, KEY_SIZE, 0) != KEY_SIZE) {
		server_free(server);
		return err_set(err, EXIT_ERROR, ENOMEM, "rendezvous: %s", strerror(ENOMEM));
	}
	server->peers = *peers;
	*peers = (struct peers){ NULL };
	*made = server;
	return 0;
}

void server_free(struct server *server)
{
	if (!server)
		return;
	relays_free(&server->relays);
	sessions_free(&server->sessions);
	store_free(server->store);
	budget_free(server->budget);
	peers_free(&server->peers);
	explicit_bzero(server, sizeof(*server));
	free(server);
}

/* Handles an authenticated request. */
static void peer_request(struct request *request)
{
	if (request->message->classic) {
		count(request->server, COUNT_foreign);
		return;
	}
	if (request->message->method == SLUICE_RENDEZVOUS_REFRESH) {
		refresh_request(request);
		return;
	}
	if (!request_authenticate(request))
		return;
	switch (request->message->method) {
	case SLUICE_RENDEZVOUS_REGISTER:
		register_request(request);
		break;
	case SLUICE_RENDEZVOUS_UNREGISTER:
		unregister_request(request);
		break;
	case SLUICE_RENDEZVOUS_CONNECT:
		connect_request(request);
		break;
	case SLUICE_RENDEZVOUS_BIND:
		bind_request(request);
		break;
	default:
		report_request(request);
	}
}

void server_receive(struct server *server, const struct path *path, const void *data, size_t length,
		    uint64_t now_ns)
{
	struct stun_message message;
	struct request request = { server, path, &message, now_ns };
	int result;

	if (channel_is_data(data, length)) {
		relay_receive(server, path, data, length, now_ns);
		return;
	}
	result = stun_parse(data, length, &message);
	if (result == -EPROTO) {
		count(server, COUNT_foreign);
		return;
	}
	if (message.method == SLUICE_RENDEZVOUS_INTRODUCE && !result &&
	    (message.class == SLUICE_STUN_SUCCESS || message.class == SLUICE_STUN_ERROR)) {
		introduce_response(&request);
		return;
	}
	if (message.class != SLUICE_STUN_REQUEST) {
		count(server, COUNT_foreign);
		return;
	}
	switch (message.method) {
	case SLUICE_STUN_BINDING:
	case SLUICE_RENDEZVOUS_REGISTER:
	case SLUICE_RENDEZVOUS_REFRESH:
	case SLUICE_RENDEZVOUS_UNREGISTER:
	case SLUICE_RENDEZVOUS_CONNECT:
	case SLUICE_RENDEZVOUS_REPORT:
	case SLUICE_RENDEZVOUS_BIND:
		break;
	default: /* RFC 8489, section 6.3: a method that is not supported */
		count(server, COUNT_foreign);
		return;
	}
	if (result)
		reply_error(&request, 400, COUNT_bad_request);
	else if (message.method == SLUICE_STUN_BINDING)
		binding_request(&request);
	else
		peer_request(&request);
}

void server_stream_closed(struct server *server, struct stream *stream)
{
	relays_of_stream_end(&server->relays, stream);
	if (!stream->registration)
		return;
	store_remove(server->store, stream->registration);
	count(server, COUNT_disconnected);
}

size_t server_set_peers(struct server *server, struct peers *peers)
{
	struct registration *registration = store_first(server->store), *next;
	size_t removed = 0;

	for (; registration; registration = next) {
		const struct peer *before = registration->peer;
		struct peer *now = peers_find(peers, before->name, strlen(before->name));

		next = registration->hh.next;
		if (now && !memcmp(now->public_key, before->public_key, KEY_SIZE)) {
			memcpy(now->key, before->key, KEY_SIZE);
			now->has_key = before->has_key;
			now->connects_due_ns = before->connects_due_ns;
			store_rebind(registration, now);
		} else {
			store_remove(server->store, registration);
			count(server, COUNT_disconnected);
			removed++;
		}
	}
	relays_rebind(&server->relays, peers);
	peers_free(&server->peers);
	server->peers = *peers;
	*peers = (struct peers){ NULL };
	return removed;
}

uint64_t server_idle_ns(const struct server *server, const struct registration *registration,
			uint64_t now_ns)
{
	const struct server_fast_path *fast_path = &server->config.fast_path;
	uint64_t idle_ns = now_ns - registration->seen_ns, other_ns = UINT64_MAX;

	if (fast_path->idle_ns)
		other_ns = fast_path->idle_ns(fast_path->arg, registration);
	return other_ns < idle_ns ? other_ns : idle_ns;
}

/* Reads the fast path's last answer, since the fast path does not report by itself. */
static bool defer(struct registration *registration, uint64_t now_ns, void *arg)
{
	struct server *server = arg;
	const struct server_fast_path *fast_path = &server->config.fast_path;
	uint64_t seen_ns = now_ns - server_idle_ns(server, registration, now_ns);

	if (seen_ns <= registration->seen_ns)
		return false;
	/* the next refresh must reach the server */
	if (registration_is_old(registration, now_ns) && fast_path->remove)
		fast_path->remove(fast_path->arg, registration);
	store_refresh(server->store, registration, seen_ns,
		      seen_ns + REGISTRATION_LIFE_S * SECOND_NS);
	return true;
}

void server_expire(struct server *server, uint64_t now_ns)
{
	server->counter[COUNT_expired] += store_expire(server->store, now_ns, defer, server);
	server->counter[COUNT_relay_expired] += relays_expire(&server->relays, now_ns);
	sessions_expire(&server->sessions, now_ns);
}

bool server_next(const struct server *server, uint64_t *at_ns)
{
	const struct timer_wheel *const wheels[] = { &server->sessions.wheel,
						     &server->relays.wheel };
	uint64_t other;
	bool any = store_next(server->store, at_ns);
	int i;

	for (i = 0; i < 2; i++) {
		if (!timer_wheel_next(wheels[i], &other))
			continue;
		if (!any || other < *at_ns)
			*at_ns = other;
		any = true;
	}
	return any;
}

const struct store *server_store(const struct server *server)
{
	return server->store;
}

const struct peers *server_peers(const struct server *server)
{
	return &server->peers;
}

const uint64_t *server_counters(const struct server *server)
{
	return server->counter;
}

size_t server_sessions(const struct server *server)
{
	return HASH_COUNT(server->sessions.by_id);
}

size_t server_relays(const struct server *server)
{
	return relays_count(&server->relays);
}

unsigned int server_budgets_spent(const struct server *server, uint64_t now_ns)
{
	return server->config.rate ? budget_spent(server->budget, now_ns) : 0;
}
