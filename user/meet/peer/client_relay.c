// SPDX-License-Identifier: GPL-2.0-or-later
/* Relay bindings at the servers. */
#include "meet/channel.h"
#include "meet/peer/client.h"
#include "meet/peer/client_state.h"
#include "meet/peer/relay.h"

#include <errno.h>
#include <string.h>

#define SECOND_NS 1000000000ULL

#define SENDS 5
/* sluice-protocol(7): a binding expires after 60 s, and is refreshed every 18 to 21 s */
#define REFRESH_NS	  (18 * SECOND_NS)
#define REFRESH_JITTER_NS (3 * SECOND_NS)
#define LIFE_MIN_S	  30
#define LIFE_MAX_S	  600
/* Time limit of a bind attempt: the server keeps the session for a minute. */
#define ATTEMPT_NS (30 * SECOND_NS)
#define RETRY_NS   (1 * SECOND_NS)

static struct client_relay *find(struct peer_client *client, unsigned int server, uint16_t channel)
{
	struct client_relay *relay;

	for (relay = client->relay; relay < client->relay + client->relays; relay++)
		if (relay->used && relay->server == server && relay->channel == channel)
			return relay;
	return NULL;
}

/* Returns a channel number that no other session with this server uses; it need not be secret. */
static uint16_t draw_channel(struct peer_client *client, unsigned int server)
{
	uint16_t random;

	client->random(&random, sizeof(random), client->arg);
	do
		random = (uint16_t)(SLUICE_CHANNEL_MIN |
				    ((random + 1U) & (SLUICE_CHANNEL_MAX - SLUICE_CHANNEL_MIN)));
	while (find(client, server, random));
	return random;
}

static void add_event(struct peer_client *client, enum peer_client_event_kind kind,
		      const struct client_relay *relay, unsigned int code)
{
	struct peer_client_event *event = client_add_event(client, kind, relay->server);

	if (!event)
		return;
	event->code = code;
	event->relay = relay_endpoint(relay->server, relay->channel);
	memcpy(event->session_id, relay->session_id, sizeof(event->session_id));
}

static void end(struct peer_client *client, struct client_relay *relay, unsigned int code)
{
	add_event(client, PEER_CLIENT_RELAY_ENDED, relay, code);
	*relay = (struct client_relay){ .used = false };
	while (client->relays && !client->relay[client->relays - 1].used)
		client->relays--;
}

static void start(struct peer_client *client, struct client_relay *relay, uint64_t now_ns)
{
	relay->request.running = false; /* for its challenges not to count */
	client_start(client, &relay->request, SLUICE_RENDEZVOUS_BIND, SENDS, now_ns);
}

int peer_client_relay(struct peer_client *client, const struct introduction *introduction,
		      uint64_t now_ns)
{
	struct client_relay *relay;
	unsigned int i, free = PEER_CLIENT_RELAYS_MAX;

	for (i = 0; i < PEER_CLIENT_RELAYS_MAX; i++) {
		relay = &client->relay[i];
		if (!relay->used && free == PEER_CLIENT_RELAYS_MAX)
			free = i;
		if (relay->used && relay->server == introduction->server &&
		    !memcmp(relay->session_id, introduction->id, sizeof(relay->session_id))) {
			relay->held = true;
			return 0;
		}
	}
	if (free == PEER_CLIENT_RELAYS_MAX || client->stopping)
		return -EBUSY;
	relay = &client->relay[free];
	*relay = (struct client_relay){ .held = true,
					.server = introduction->server,
					.ends_ns = now_ns + ATTEMPT_NS };
	relay->channel = draw_channel(client, introduction->server);
	relay->used = true;
	memcpy(relay->session_id, introduction->id, sizeof(relay->session_id));
	if (free >= client->relays)
		client->relays = free + 1;
	start(client, relay, now_ns);
	return 0;
}

void peer_client_hold_relay(struct peer_client *client, const struct stun_endpoint *at, bool hold,
			    uint64_t now_ns)
{
	struct client_relay *relay = find(client, relay_server(at), relay_channel(at));

	if (!relay || relay->held == hold)
		return;
	relay->held = hold;
	/* a refresh may be overdue */
	if (!hold)
		relay->request.running = relay->request.running && !relay->bound;
	else if (!relay->request.running)
		start(client, relay, now_ns);
}

void client_rebind_relays(struct peer_client *client, const struct client_server *server,
			  uint64_t now_ns)
{
	struct client_relay *relay;

	for (relay = client->relay; relay < client->relay + client->relays; relay++)
		if (relay->used && relay->held && relay->server == server - client->server)
			start(client, relay, now_ns);
}

/* --- time */

void client_relays_timeout(struct peer_client *client, uint64_t now_ns)
{
	struct client_relay *relay;

	for (relay = client->relay; relay < client->relay + client->relays; relay++) {
		if (!relay->used || client->stopping)
			continue;
		if (relay->ends_ns <= now_ns)
			end(client, relay, PEER_CLIENT_CODE_SILENT);
		else if (client_is_over(&relay->request, now_ns) ||
			 (!relay->request.running && relay->held && relay->due_ns <= now_ns))
			start(client, relay, now_ns);
	}
}

uint64_t client_relays_due_ns(const struct peer_client *client)
{
	const struct client_relay *relay;
	uint64_t due_ns = UINT64_MAX, at_ns;

	for (relay = client->relay; relay < client->relay + client->relays; relay++) {
		if (!relay->used || client->stopping)
			continue;
		at_ns = relay->ends_ns;
		if (relay->request.running && relay->request.due_ns < at_ns)
			at_ns = relay->request.due_ns;
		if (!relay->request.running && relay->held && relay->due_ns < at_ns)
			at_ns = relay->due_ns;
		if (at_ns < due_ns)
			due_ns = at_ns;
	}
	return due_ns;
}

/* --- in */

struct client_relay *client_find_relay(struct peer_client *client, unsigned int server,
				       const struct stun_message *message)
{
	struct client_relay *relay;

	for (relay = client->relay; relay < client->relay + client->relays; relay++)
		if (relay->used && relay->server == server &&
		    client_is_answer_to(message, &relay->request))
			return relay;
	return NULL;
}

void client_on_bound(struct peer_client *client, struct client_relay *relay,
		     const struct stun_message *message, uint64_t now_ns)
{
	uint32_t life_s;

	if (stun_get_u32(message, SLUICE_RENDEZVOUS_LIFETIME, &life_s) || life_s < LIFE_MIN_S)
		life_s = LIFE_MIN_S;
	if (life_s > LIFE_MAX_S)
		life_s = LIFE_MAX_S;
	/* the lifetime began no later than the request was sent */
	relay->ends_ns = relay->request.sent_ns + life_s * SECOND_NS;
	relay->due_ns = now_ns + client_jittered(client, REFRESH_NS, REFRESH_JITTER_NS);
	relay->request.running = false;
	if (!relay->bound)
		add_event(client, PEER_CLIENT_RELAYED, relay, 0);
	relay->bound = true;
}

void client_on_bind_error(struct peer_client *client, struct client_relay *relay, unsigned int code,
			  uint64_t now_ns)
{
	relay->request.running = false;
	relay->due_ns = now_ns + RETRY_NS;
	/* the registration was lost, and is being renewed */
	if (code != 437)
		end(client, relay, code);
}
