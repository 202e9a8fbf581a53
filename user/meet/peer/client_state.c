// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/peer/client_state.h"

#include <string.h>

#define MS_NS	  1000000ULL
#define SECOND_NS 1000000000ULL

/* RFC 8489, section 6.2.1 */
#define RTO_NS	      (500 * MS_NS)
#define SENDS	      5 /* gives up after 7.5 seconds, with RTO_MAX_NS */
#define SENDS_CONNECT 7

/* sluice-protocol(7): a refresh every 15 to 18 seconds */
#define BACKOFF_MAX_NS (30 * SECOND_NS)

/* --- events, requests */

struct peer_client_event *client_add_event(struct peer_client *client,
					   enum peer_client_event_kind kind, unsigned int server)
{
	struct peer_client_event *event;

	if (client->events == CLIENT_EVENTS)
		return NULL;
	/* restart at the first page, so that a short queue uses little memory */
	if (!client->events)
		client->first_event = 0;
	event = &client->event[(client->first_event + client->events) % CLIENT_EVENTS];
	client->events++;
	*event = (struct peer_client_event){ .kind = kind,
					     .server = server,
					     .mapped = client->server[server].mapped,
					     .behind_nat = client->server[server].behind_nat,
					     .rtt_ns = client->server[server].rtt_ns };
	return event;
}

void client_add_code(struct peer_client *client, enum peer_client_event_kind kind,
		     unsigned int server, unsigned int code, const char *name)
{
	struct peer_client_event *event = client_add_event(client, kind, server);

	if (!event)
		return;
	event->code = code;
	if (name)
		strcpy(event->name, name);
}

uint64_t client_jittered(struct peer_client *client, uint64_t base, uint64_t jitter)
{
	uint16_t random;

	client->random(&random, sizeof(random), client->arg);
	return base + (jitter * random >> 16);
}

void client_start(struct peer_client *client, struct client_request *request, uint16_t method,
		  unsigned int sends_max, uint64_t now_ns)
{
	unsigned int challenges = request->running ? request->challenges : 0;

	*request = (struct client_request){ .running = true,
					    .method = method,
					    .sends_max = sends_max,
					    .challenges = challenges,
					    .sent_ns = now_ns,
					    .due_ns = now_ns,
					    .rto_ns = RTO_NS };
	client->random(request->id, sizeof(request->id), client->arg);
}

void client_start_register(struct peer_client *client, struct client_server *server,
			   uint64_t now_ns)
{
	server->candidates = client_offered(client, server);
	server->request.running = false;
	client_start(client, &server->request, SLUICE_RENDEZVOUS_REGISTER, SENDS, now_ns);
}

void client_start_refresh(struct peer_client *client, struct client_server *server, uint64_t now_ns)
{
	client_start(client, &server->request, SLUICE_RENDEZVOUS_REFRESH, SENDS - 1, now_ns);
}

void client_set_refreshed(struct peer_client *client, struct client_server *server, uint64_t now_ns)
{
	server->request.running = false;
	server->backoff_ns = CLIENT_BACKOFF_MIN_NS;
	server->due_ns = now_ns + client_jittered(client, client->interval_ns / 6 * 5,
						  client->interval_ns / 6);
}

void client_back_off(struct peer_client *client, struct client_server *server, uint64_t now_ns)
{
	server->registered = false;
	server->request.running = false;
	server->due_ns = now_ns +
			 client_jittered(client, server->backoff_ns, server->backoff_ns / 4);
	server->backoff_ns *= 2;
	if (server->backoff_ns > BACKOFF_MAX_NS)
		server->backoff_ns = BACKOFF_MAX_NS;
}

/* --- connect */

static void end_connect(struct client_connect *connect)
{
	explicit_bzero(connect, sizeof(*connect));
}

void client_fail_connect(struct peer_client *client, struct client_connect *connect)
{
	client_add_code(client, PEER_CLIENT_CONNECT_FAILED, connect->server,
			connect->code ? connect->code : PEER_CLIENT_CODE_SILENT, connect->name);
	end_connect(connect);
}

/*
 * Returns true if a connect request may be sent to the server now. A pending register request with
 * a nonce is sufficient: it precedes the connect request, and if it is lost, the server answers
 * 437.
 */
static bool takes_connects(const struct client_server *server)
{
	return server->registered || (server->has_nonce && server->request.running &&
				      server->request.method == SLUICE_RENDEZVOUS_REGISTER);
}

void client_advance(struct peer_client *client, struct client_connect *connect, uint64_t now_ns)
{
	const struct client_server *best = NULL;
	unsigned int i;

	connect->request.running = false;
	if (connect->tried == (1U << client->servers) - 1) {
		if (connect->code != PEER_CLIENT_CODE_SILENT) {
			client_fail_connect(client, connect);
			return;
		}
		/* datagrams may have been lost: retry all servers until the deadline */
		connect->tried = 0;
	}
	/* the server with the lowest RTT, which also relays with the lowest delay */
	for (i = 0; i < client->servers; i++) {
		const struct client_server *server = &client->server[i];

		if (takes_connects(server) && !(connect->tried & 1U << i) &&
		    (!best || server->rtt_ns < best->rtt_ns))
			best = server;
	}
	if (!best)
		return;
	connect->server = (unsigned int)(best - client->server);
	client_start(client, &connect->request, SLUICE_RENDEZVOUS_CONNECT, SENDS_CONNECT, now_ns);
}

void client_refuse_connect(struct peer_client *client, struct client_connect *connect,
			   unsigned int code, uint64_t now_ns)
{
	/* a wrong key takes precedence over later failures, because the user must act on it */
	if (connect->code != PEER_CLIENT_CODE_WRONG_KEY)
		connect->code = code;
	connect->tried |= 1U << connect->server;
	client_advance(client, connect, now_ns);
}

/* --- registrations */

void client_on_silent(struct peer_client *client, struct client_server *server, uint64_t now_ns)
{
	server->has_nonce = false;
	if (!server->silent)
		client_add_event(client, PEER_CLIENT_SERVER_SILENT,
				 (unsigned int)(server - client->server));
	server->silent = true;
	client_back_off(client, server, now_ns);
}

void client_end_stop(struct peer_client *client, struct client_server *server)
{
	if (server->registered)
		client_add_event(client, PEER_CLIENT_UNREGISTERED,
				 (unsigned int)(server - client->server));
	server->request.running = false;
	server->registered = false;
	server->stopped = true;
}
