// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/peer/client.h"

#include "meet/peer/client_state.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS 1000000000ULL
/* A repeated connect makes the server repeat the introduction; the server permits 6. */
#define RTO_MAX_NS (2 * SECOND_NS)
#define SENDS_LAST 3 /* of unregister, report */
#define CONNECT_NS (30 * SECOND_NS)

int peer_client_new(struct peer_client **client, const struct peer_client_options *options,
		    uint64_t now_ns, unsigned int *server)
{
	struct peer_client *fresh = calloc(1, sizeof(*fresh));
	unsigned int i;

	if (!fresh)
		return -ENOMEM;
	strncpy(fresh->name, options->name, sizeof(fresh->name) - 1);
	key_public(fresh->key, options->secret);
	fresh->interval_ns = CLIENT_INTERVAL_NS;
	fresh->random = options->random;
	fresh->admit = options->admit;
	fresh->arg = options->arg;
	fresh->servers = options->servers;
	for (i = 0; i < options->servers; i++) {
		fresh->server[i].at = options->server[i].at;
		fresh->server[i].due_ns = now_ns;
		fresh->server[i].backoff_ns = CLIENT_BACKOFF_MIN_NS;
		if (key_derive(fresh->server[i].key, options->secret, options->server[i].key)) {
			*server = i;
			peer_client_free(fresh);
			return -EINVAL;
		}
	}
	*client = fresh;
	return 0;
}

void peer_client_free(struct peer_client *client)
{
	if (client)
		explicit_bzero(client, sizeof(*client));
	free(client);
}

/* --- requests of the caller */

static bool candidates_are_same(const struct peer_client *client,
				const struct candidate *candidates, unsigned int count)
{
	unsigned int i;

	if (count != client->candidates)
		return false;
	for (i = 0; i < count; i++)
		if (!stun_endpoint_is_same(&client->candidate[i].at, &candidates[i].at) ||
		    client->candidate[i].kind != candidates[i].kind ||
		    client->candidate[i].transport != candidates[i].transport)
			return false;
	return true;
}

bool peer_client_set_candidates(struct peer_client *client, const struct candidate *candidates,
				unsigned int count, uint64_t now_ns)
{
	unsigned int i;

	if (count > CANDIDATES_MAX)
		count = CANDIDATES_MAX;
	if (candidates_are_same(client, candidates, count))
		return false;
	memcpy(client->candidate, candidates, count * sizeof(*candidates));
	client->candidates = count;
	for (i = 0; i < client->servers && !client->stopping; i++) {
		client->server[i].restricted = false;
		if (client->server[i].registered || client->server[i].request.running)
			client_start_register(client, &client->server[i], now_ns);
	}
	/* a pending connect would introduce this peer with the previous candidates */
	for (i = 0; i < PEER_CLIENT_CONNECTS_MAX && !client->stopping; i++)
		if (client->connect[i].used)
			client_advance(client, &client->connect[i], now_ns);
	return true;
}

void peer_client_set_server(struct peer_client *client, unsigned int server,
			    const struct stun_endpoint *at, uint64_t now_ns)
{
	struct client_server *changed = &client->server[server];

	if (stun_endpoint_is_same(&changed->at, at) || client->stopping)
		return;
	changed->at = *at;
	changed->registered = false;
	changed->has_nonce = false;
	client_start_register(client, changed, now_ns);
}

void peer_client_set_interval(struct peer_client *client, uint64_t interval_ns)
{
	client->interval_ns = interval_ns < CLIENT_INTERVAL_NS ? interval_ns : CLIENT_INTERVAL_NS;
}

void peer_client_refresh(struct peer_client *client, uint64_t now_ns)
{
	struct client_server *server;

	for (server = client->server; server < client->server + client->servers; server++) {
		if (client->stopping)
			continue;
		client_rebind_relays(client, server, now_ns);
		server->backoff_ns = CLIENT_BACKOFF_MIN_NS;
		if (server->registered && !server->request.running)
			client_start_refresh(client, server, now_ns);
		else if (!server->registered)
			client_start_register(client, server, now_ns);
	}
}

void peer_client_stop(struct peer_client *client, uint64_t now_ns)
{
	struct client_server *server;

	if (client->stopping)
		return;
	client->stopping = true;
	memset(client->relay, 0, sizeof(client->relay));
	client->relays = 0;
	for (server = client->server; server < client->server + client->servers; server++)
		if (server->registered)
			client_start(client, &server->request, SLUICE_RENDEZVOUS_UNREGISTER,
				     SENDS_LAST, now_ns);
		else
			client_end_stop(client, server);
}

bool peer_client_stopped(const struct peer_client *client)
{
	unsigned int i;

	for (i = 0; i < client->servers; i++)
		if (!client->server[i].stopped)
			return false;
	return true;
}

static struct client_connect *find_connect(struct peer_client *client, const char *name)
{
	unsigned int i;

	for (i = 0; i < PEER_CLIENT_CONNECTS_MAX; i++)
		if (client->connect[i].used && !strcmp(client->connect[i].name, name))
			return &client->connect[i];
	return NULL;
}

int peer_client_connect(struct peer_client *client, const char *name, uint64_t now_ns)
{
	struct client_connect *connect = find_connect(client, name);
	unsigned int i;

	if (!peers_name_is_valid(name, strlen(name)))
		return -EINVAL;
	for (i = 0; i < PEER_CLIENT_CONNECTS_MAX && !connect; i++)
		if (!client->connect[i].used)
			connect = &client->connect[i];
	if (!connect)
		return -EBUSY;
	*connect = (struct client_connect){ .used = true, .deadline_ns = now_ns + CONNECT_NS };
	strcpy(connect->name, name);
	client->random(connect->ephemeral_secret, KEY_SIZE, client->arg);
	key_public(connect->ephemeral, connect->ephemeral_secret);
	client_advance(client, connect, now_ns);
	return 0;
}

void peer_client_cancel(struct peer_client *client, const char *name)
{
	struct client_connect *connect = find_connect(client, name);

	if (connect)
		explicit_bzero(connect, sizeof(*connect));
}

void peer_client_report(struct peer_client *client, const struct introduction *introduction,
			enum sluice_rendezvous_outcome outcome, uint64_t now_ns)
{
	struct client_report *report = &client->report[client->next_report];

	if (!client->server[introduction->server].registered)
		return;
	client->next_report = (client->next_report + 1) % CLIENT_REPORTS;
	*report = (struct client_report){ .server = introduction->server,
					  .outcome = (uint32_t)outcome };
	memcpy(report->session_id, introduction->id, sizeof(report->session_id));
	client_start(client, &report->request, SLUICE_RENDEZVOUS_REPORT, SENDS_LAST, now_ns);
}

bool peer_client_registered(const struct peer_client *client, unsigned int server)
{
	return client->server[server].registered;
}

struct peer_client_registration peer_client_registration(const struct peer_client *client,
							 unsigned int server)
{
	const struct client_server *of = &client->server[server];

	return (struct peer_client_registration){ of->registered, of->behind_nat, of->mapped,
						  of->rtt_ns };
}

int peer_client_server_of(const struct peer_client *client, const struct stun_endpoint *at)
{
	unsigned int i;

	for (i = 0; i < client->servers; i++)
		if (stun_endpoint_is_same(&client->server[i].at, at))
			return (int)i;
	return -1;
}

const struct stun_endpoint *peer_client_server_at(const struct peer_client *client,
						  unsigned int server)
{
	return &client->server[server].at;
}

const char *peer_client_code_text(unsigned int code)
{
	switch (code) {
	case PEER_CLIENT_CODE_SILENT:
		return "no answer";
	case PEER_CLIENT_CODE_UNKNOWN_IDENTITY:
		return "the server does not know this name with this key";
	case PEER_CLIENT_CODE_WRONG_KEY:
		return "the server has introduced a peer of this name with another key";
	case PEER_CLIENT_CODE_MALFORMED:
		return "the server has sent a malformed answer";
	case 403:
		return "the peer does not exist, or its peers file entry does not allow it";
	case 404:
		return "the peer is not registered";
	case 480:
		return "the peer has refused";
	case 486:
		return "a limit of the server is reached";
	default:
		return "the server has refused the request";
	}
}

/* --- time */

bool client_is_over(const struct client_request *request, uint64_t now_ns)
{
	return request->running && request->sends >= request->sends_max &&
	       request->due_ns <= now_ns;
}

static void server_timeout(struct peer_client *client, struct client_server *server,
			   uint64_t now_ns)
{
	if (client_is_over(&server->request, now_ns)) {
		if (server->request.method == SLUICE_RENDEZVOUS_UNREGISTER) {
			client_end_stop(client, server);
		} else if (server->request.method == SLUICE_RENDEZVOUS_REFRESH) {
			server->registered = false;
			client_start_register(client, server, now_ns);
		} else {
			client_on_silent(client, server, now_ns);
		}
	} else if (!server->request.running && !client->stopping && server->due_ns <= now_ns) {
		if (server->registered)
			client_start_refresh(client, server, now_ns);
		else
			client_start_register(client, server, now_ns);
	}
}

void peer_client_timeout(struct peer_client *client, uint64_t now_ns)
{
	struct client_connect *connect;
	unsigned int i;

	for (i = 0; i < client->servers; i++)
		server_timeout(client, &client->server[i], now_ns);
	for (i = 0; i < PEER_CLIENT_CONNECTS_MAX; i++) {
		connect = &client->connect[i];
		if (connect->used && connect->deadline_ns <= now_ns)
			client_fail_connect(client, connect);
		else if (connect->used && client_is_over(&connect->request, now_ns))
			client_refuse_connect(client, connect, PEER_CLIENT_CODE_SILENT, now_ns);
	}
	for (i = 0; i < CLIENT_REPORTS; i++)
		if (client_is_over(&client->report[i].request, now_ns))
			client->report[i].request.running = false;
	client_relays_timeout(client, now_ns);
}

static void sooner(uint64_t *due_ns, uint64_t at_ns)
{
	if (at_ns < *due_ns)
		*due_ns = at_ns;
}

uint64_t peer_client_due_ns(const struct peer_client *client)
{
	uint64_t due_ns = client_relays_due_ns(client);
	unsigned int i;

	for (i = 0; i < client->servers; i++) {
		if (client->server[i].request.running)
			sooner(&due_ns, client->server[i].request.due_ns);
		else if (!client->stopping)
			sooner(&due_ns, client->server[i].due_ns);
	}
	for (i = 0; i < PEER_CLIENT_CONNECTS_MAX; i++) {
		if (client->connect[i].used)
			sooner(&due_ns, client->connect[i].deadline_ns);
		if (client->connect[i].request.running)
			sooner(&due_ns, client->connect[i].request.due_ns);
	}
	for (i = 0; i < CLIENT_REPORTS; i++)
		if (client->report[i].request.running)
			sooner(&due_ns, client->report[i].request.due_ns);
	return due_ns;
}

/* --- out */

/* Writes a request if it is due. */
static size_t send_request(struct peer_client *client, unsigned int server,
			   struct client_request *request, const void *owner, uint8_t *buffer,
			   struct stun_endpoint *to, uint64_t now_ns)
{
	if (!request->running || request->due_ns > now_ns || request->sends >= request->sends_max)
		return 0;
	if (!request->sends++)
		request->sent_ns = now_ns;
	request->due_ns = now_ns + request->rto_ns;
	request->rto_ns *= 2;
	if (request->rto_ns > RTO_MAX_NS)
		request->rto_ns = RTO_MAX_NS;
	*to = client->server[server].at;
	return client_put_request(client, &client->server[server], request, owner, buffer);
}

size_t peer_client_send(struct peer_client *client, uint8_t buffer[PEER_CLIENT_DATAGRAM_SIZE],
			struct stun_endpoint *to, uint64_t now_ns)
{
	struct client_answer *answer;
	size_t length = 0;
	unsigned int i;

	for (i = 0; i < CLIENT_RECENT; i++) {
		answer = &client->answer[i];
		if (answer->due) {
			answer->due = false;
			*to = client->server[answer->server].at;
			return client_put_answer(&client->server[answer->server], answer, buffer);
		}
	}
	/* register the candidates before an introduction that contains them */
	for (i = 0; i < client->servers && !length; i++)
		length = send_request(client, i, &client->server[i].request, NULL, buffer, to,
				      now_ns);
	for (i = 0; i < PEER_CLIENT_CONNECTS_MAX && !length; i++)
		length = send_request(client, client->connect[i].server,
				      &client->connect[i].request, &client->connect[i], buffer, to,
				      now_ns);
	for (i = 0; i < CLIENT_REPORTS && !length; i++)
		length = send_request(client, client->report[i].server, &client->report[i].request,
				      &client->report[i], buffer, to, now_ns);
	for (i = 0; i < client->relays && !length; i++)
		length = send_request(client, client->relay[i].server, &client->relay[i].request,
				      &client->relay[i], buffer, to, now_ns);
	return length;
}

bool peer_client_next_event(struct peer_client *client, struct peer_client_event *event)
{
	struct peer_client_event *first = &client->event[client->first_event];

	if (!client->events)
		return false;
	*event = *first;
	explicit_bzero(first, sizeof(*first));
	client->first_event = (client->first_event + 1) % CLIENT_EVENTS;
	client->events--;
	return true;
}
