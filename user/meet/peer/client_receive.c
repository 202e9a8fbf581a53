// SPDX-License-Identifier: GPL-2.0-or-later
/* Handles the messages that a client receives from its servers. */
#include "meet/peer/client.h"
#include "meet/peer/client_state.h"

#include <string.h>

#define CHALLENGES_MAX 3

/* Introductions by other peers that the event queue takes; they leave its other slots free. */
#define INTRODUCED_MAX 32

/* --- connect */

static void advance_connects(struct peer_client *client, uint64_t now_ns)
{
	unsigned int i;

	for (i = 0; i < PEER_CLIENT_CONNECTS_MAX; i++)
		if (client->connect[i].used && !client->connect[i].request.running)
			client_advance(client, &client->connect[i], now_ns);
}

static void on_connected(struct peer_client *client, struct client_connect *connect,
			 const struct stun_message *message, uint64_t now_ns)
{
	struct introduction introduction = { .initiator = true,
					     .server = connect->server,
					     .mapped = client->server[connect->server].mapped };
	struct peer_client_event *event;

	/* the own address is unknown until the register response arrives: wait for both */
	if (!client->server[connect->server].registered)
		return;
	if (!client_read_introduction(client, message, &introduction, now_ns) ||
	    strcmp(introduction.name, connect->name)) {
		client_refuse_connect(client, connect, PEER_CLIENT_CODE_MALFORMED, now_ns);
		return;
	}
	/* a hostile server may have inserted its own key; try the next server */
	if (!client->admit(connect->name, introduction.peer_key, false, client->arg)) {
		client_refuse_connect(client, connect, PEER_CLIENT_CODE_WRONG_KEY, now_ns);
		return;
	}
	memcpy(introduction.ephemeral_secret, connect->ephemeral_secret, KEY_SIZE);
	event = client_add_event(client, PEER_CLIENT_INTRODUCED, connect->server);
	if (event) {
		strcpy(event->name, introduction.name);
		event->introduction = introduction;
	}
	explicit_bzero(&introduction, sizeof(introduction));
	explicit_bzero(connect, sizeof(*connect));
}

/* --- introduce */

static struct client_answer *find_answer(struct peer_client *client, unsigned int server,
					 const uint8_t *session_id)
{
	unsigned int i;

	for (i = 0; i < CLIENT_RECENT; i++)
		if (client->answer[i].used && client->answer[i].server == server &&
		    !memcmp(client->answer[i].session_id, session_id,
			    SLUICE_RENDEZVOUS_SESSION_ID_SIZE))
			return &client->answer[i];
	return NULL;
}

/* Confirms or refuses the introduction of a peer that wants to connect. */
static void on_introduced(struct peer_client *client, unsigned int server,
			  const struct stun_message *message, uint64_t now_ns)
{
	struct introduction introduction = { .server = server,
					     .mapped = client->server[server].mapped };
	struct peer_client_event *event;
	struct client_answer *answer;

	if (!client_read_introduction(client, message, &introduction, now_ns) ||
	    memcmp(introduction.id, stun_id(message), SLUICE_STUN_ID_SIZE))
		return;
	answer = find_answer(client, server, introduction.id);
	if (answer) {
		answer->due = true;
		return;
	}
	/* the server repeats the introduction when the other peer repeats its request */
	if (client->events > INTRODUCED_MAX)
		return;
	answer = &client->answer[client->next_answer++ % CLIENT_RECENT];
	*answer = (struct client_answer){ .used = true, .due = true, .server = server };
	memcpy(answer->session_id, introduction.id, sizeof(answer->session_id));
	if (client->stopping ||
	    !client->admit(introduction.name, introduction.peer_key, true, client->arg)) {
		answer->error = 403;
		return;
	}
	client->random(introduction.ephemeral_secret, KEY_SIZE, client->arg);
	key_public(answer->ephemeral, introduction.ephemeral_secret);
	event = client_add_event(client, PEER_CLIENT_INTRODUCED, server);
	if (event) {
		strcpy(event->name, introduction.name);
		event->introduction = introduction;
	}
	explicit_bzero(&introduction, sizeof(introduction));
}

/* --- answers of a server */

static void on_registered(struct peer_client *client, struct client_server *server,
			  const struct stun_message *message, uint64_t now_ns)
{
	const struct stun_endpoint before = server->mapped;
	bool news = !server->registered;

	if (!client_read_registered(message, server))
		return;
	server->request.running = false;
	server->registered = true;
	server->silent = false;
	client_set_refreshed(client, server, now_ns);
	if (news || !stun_endpoint_is_same(&before, &server->mapped)) {
		client_add_event(client, PEER_CLIENT_REGISTERED,
				 (unsigned int)(server - client->server));
		client_rebind_relays(client, server, now_ns);
	}
	advance_connects(client, now_ns);
	/* now that the mapped address is known, skipped candidates may be allowed */
	if (client_offered(client, server) != server->candidates)
		client_start_register(client, server, now_ns);
}

static void on_refused(struct peer_client *client, struct client_server *server, unsigned int code,
		       uint64_t now_ns)
{
	if (code == 403 && !server->restricted) {
		server->restricted = true;
		client_start_register(client, server, now_ns);
		return;
	}
	client_add_code(client, PEER_CLIENT_REFUSED, (unsigned int)(server - client->server), code,
			NULL);
	client_back_off(client, server, now_ns);
}

/* Handles a lost registration: the server was restarted, or the mapping has changed. */
static void on_stale(struct peer_client *client, struct client_server *server, uint64_t now_ns)
{
	server->registered = false;
	if (!server->request.running || server->request.method == SLUICE_RENDEZVOUS_REFRESH)
		client_start_register(client, server, now_ns);
}

static struct client_relay *relay_of(struct client_request *request)
{
	return (struct client_relay *)((char *)request - offsetof(struct client_relay, request));
}

/* @connect: the owner of @request, or NULL. */
static void on_error(struct peer_client *client, struct client_server *server,
		     struct client_request *request, struct client_connect *connect,
		     unsigned int code, uint64_t now_ns)
{
	if (connect) {
		if (code == 437 || !server->registered) {
			/* resumes once the peer is registered */
			connect->request.running = false;
			if (code == 437)
				on_stale(client, server, now_ns);
		} else {
			client_refuse_connect(client, connect, code, now_ns);
		}
		return;
	}
	switch (request->method) {
	case SLUICE_RENDEZVOUS_REFRESH:
		on_stale(client, server, now_ns);
		break;
	case SLUICE_RENDEZVOUS_REGISTER:
		on_refused(client, server, code, now_ns);
		break;
	case SLUICE_RENDEZVOUS_UNREGISTER:
		client_end_stop(client, server);
		break;
	case SLUICE_RENDEZVOUS_BIND:
		if (code == 437)
			on_stale(client, server, now_ns);
		client_on_bind_error(client, relay_of(request), code, now_ns);
		break;
	default:
		request->running = false;
	}
}

/* Restarts the request with the nonce of an error. Returns false if the error has no nonce. */
static bool on_challenge(struct peer_client *client, struct client_server *server,
			 struct client_request *request, const struct stun_message *message,
			 uint64_t now_ns)
{
	const uint8_t *nonce;
	size_t length;

	if (stun_get(message, SLUICE_STUN_NONCE, &nonce, &length) || length != NONCE_SIZE)
		return false;
	if (++request->challenges > CHALLENGES_MAX)
		return true; /* the request then times out */
	if (request->sends == 1)
		server->rtt_ns = now_ns - request->sent_ns;
	memcpy(server->nonce, nonce, NONCE_SIZE);
	server->has_nonce = true;
	client_start(client, request, request->method, request->sends_max, now_ns);
	if (request == &server->request)
		advance_connects(client, now_ns);
	return true;
}

static void on_response(struct peer_client *client, struct client_server *server,
			struct client_request *request, struct client_connect *connect,
			const struct stun_message *message, uint64_t now_ns)
{
	bool authentic = !stun_check_sha256(message, server->key, KEY_SIZE);
	unsigned int code = 0;

	if (message->class == SLUICE_STUN_ERROR) {
		if (stun_get_error(message, &code))
			return;
		if (request->method == SLUICE_RENDEZVOUS_REFRESH) {
			on_error(client, server, request, NULL, code, now_ns);
			return;
		}
		if ((code == 401 && !authentic) || code == 438) {
			if (!on_challenge(client, server, request, message, now_ns) && code == 401)
				on_error(client, server, request, connect,
					 PEER_CLIENT_CODE_UNKNOWN_IDENTITY, now_ns);
			return;
		}
		if (authentic)
			on_error(client, server, request, connect, code, now_ns);
		return;
	}
	if (request->method == SLUICE_RENDEZVOUS_REFRESH) {
		if (!client_check_refreshed(message, server, request))
			return;
		request->running = false;
		client_set_refreshed(client, server, now_ns);
		return;
	}
	if (!authentic)
		return;
	if (connect)
		on_connected(client, connect, message, now_ns);
	else if (request->method == SLUICE_RENDEZVOUS_REGISTER)
		on_registered(client, server, message, now_ns);
	else if (request->method == SLUICE_RENDEZVOUS_UNREGISTER)
		client_end_stop(client, server);
	else if (request->method == SLUICE_RENDEZVOUS_BIND)
		client_on_bound(client, relay_of(request), message, now_ns);
	else
		request->running = false;
}

bool client_is_answer_to(const struct stun_message *message, const struct client_request *request)
{
	return request->running && request->sends && message->method == request->method &&
	       stun_is_response(message, request->id);
}

bool peer_client_receive(struct peer_client *client, const struct stun_endpoint *from,
			 const struct stun_message *message, uint64_t now_ns)
{
	struct client_relay *relay;
	unsigned int i, s;

	for (s = 0; s < client->servers; s++)
		if (stun_endpoint_is_same(&client->server[s].at, from))
			break;
	if (s == client->servers)
		return false;
	if (message->class == SLUICE_STUN_REQUEST) {
		if (message->method != SLUICE_RENDEZVOUS_INTRODUCE ||
		    stun_check_sha256(message, client->server[s].key, KEY_SIZE))
			return false;
		on_introduced(client, s, message, now_ns);
		return true;
	}
	if (client_is_answer_to(message, &client->server[s].request)) {
		on_response(client, &client->server[s], &client->server[s].request, NULL, message,
			    now_ns);
		return true;
	}
	for (i = 0; i < PEER_CLIENT_CONNECTS_MAX; i++)
		if (client->connect[i].server == s &&
		    client_is_answer_to(message, &client->connect[i].request)) {
			on_response(client, &client->server[s], &client->connect[i].request,
				    &client->connect[i], message, now_ns);
			return true;
		}
	relay = client_find_relay(client, s, message);
	if (relay) {
		on_response(client, &client->server[s], &relay->request, NULL, message, now_ns);
		return true;
	}
	for (i = 0; i < CLIENT_REPORTS; i++)
		if (client->report[i].server == s &&
		    client_is_answer_to(message, &client->report[i].request)) {
			on_response(client, &client->server[s], &client->report[i].request, NULL,
				    message, now_ns);
			return true;
		}
	return false;
}
