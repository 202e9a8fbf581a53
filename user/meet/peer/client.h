/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The peer's side of the rendezvous protocol, sluice-protocol(7), over UDP. The input is datagrams
 * and times; the output is datagrams, deadlines and events. The client does no I/O, reads no clock
 * and allocates nothing after peer_client_new().
 *
 * A peer registers with all of its servers, so that it can be reached through each of them. A
 * connect request goes to one server at a time, until a server introduces the peers.
 *
 * The caller's loop: after peer_client_receive(), peer_client_timeout() and each request, it sends
 * what peer_client_send() returns until that is 0, handles what peer_client_next_event() returns
 * until that is false, and calls peer_client_timeout() again at peer_client_due_ns().
 */
#ifndef SLUICE_MEET_PEER_CLIENT_H
#define SLUICE_MEET_PEER_CLIENT_H

#include "meet/peer/client_event.h"

struct peer_client;

/*
 * Begins to register. Returns 0, -ENOMEM, or -EINVAL with *server set if that server's key is of
 * small order.
 */
int peer_client_new(struct peer_client **client, const struct peer_client_options *options,
		    uint64_t now_ns, unsigned int *server);
/* Erases and frees it. @client may be NULL. */
void peer_client_free(struct peer_client *client);

/*
 * Sets the candidates, except the server-reflexive candidate, which the server adds. At most
 * CANDIDATES_MAX count. Registers again and returns true if the candidates have changed.
 */
bool peer_client_set_candidates(struct peer_client *client, const struct candidate *candidates,
				unsigned int count, uint64_t now_ns);
/* Sets the address of a server, for example after its DNS record has changed. */
void peer_client_set_server(struct peer_client *client, unsigned int server,
			    const struct stun_endpoint *at, uint64_t now_ns);
/*
 * Limits the time between two refreshes of a registration, because each also keeps the NAT mapping;
 * by default, and at most, 18 seconds.
 */
void peer_client_set_interval(struct peer_client *client, uint64_t interval_ns);
/*
 * Refreshes all registrations at once, without back-off. Call it after the network has changed or a
 * path has failed: the NAT mapping of the registrations may be lost too.
 */
void peer_client_refresh(struct peer_client *client, uint64_t now_ns);
/*
 * Unregisters. peer_client_stopped() returns true once all servers have confirmed, or the last
 * retransmission has timed out.
 */
void peer_client_stop(struct peer_client *client, uint64_t now_ns);
bool peer_client_stopped(const struct peer_client *client);

/*
 * Asks for an introduction. PEER_CLIENT_INTRODUCED or PEER_CLIENT_CONNECT_FAILED follows within 30
 * seconds. A second call for the same name restarts the request. Returns 0, -EINVAL if the name is
 * not valid, or -EBUSY if PEER_CLIENT_CONNECTS_MAX requests are pending.
 */
int peer_client_connect(struct peer_client *client, const char *name, uint64_t now_ns);
void peer_client_cancel(struct peer_client *client, const char *name);
/* Reports the outcome of a session (sluice_rendezvous_outcome) to the server, once. */
void peer_client_report(struct peer_client *client, const struct introduction *introduction,
			enum sluice_rendezvous_outcome outcome, uint64_t now_ns);

/*
 * Binds a channel of the relay at the server that sent the introduction, and refreshes the binding.
 * PEER_CLIENT_RELAYED follows once, and PEER_CLIENT_RELAY_ENDED when the binding fails or ends.
 * Returns 0, also if the channel is already bound, or -EBUSY if PEER_CLIENT_RELAYS_MAX bindings
 * exist.
 */
int peer_client_relay(struct peer_client *client, const struct introduction *introduction,
		      uint64_t now_ns);
/* Sets whether a binding is refreshed. Without refreshes, it expires within a minute. */
void peer_client_hold_relay(struct peer_client *client, const struct stun_endpoint *relay,
			    bool hold, uint64_t now_ns);

/*
 * Takes a STUN message. Returns true if the message was for this client; otherwise it may be a
 * check: pass it to peer_session_receive().
 */
bool peer_client_receive(struct peer_client *client, const struct stun_endpoint *from,
			 const struct stun_message *message, uint64_t now_ns);
void peer_client_timeout(struct peer_client *client, uint64_t now_ns);
/* Returns the time at which to call peer_client_timeout(); UINT64_MAX: never. */
uint64_t peer_client_due_ns(const struct peer_client *client);
/* Writes the next datagram that is due. Returns its size, or 0 if no datagram is due. */
size_t peer_client_send(struct peer_client *client, uint8_t buffer[PEER_CLIENT_DATAGRAM_SIZE],
			struct stun_endpoint *to, uint64_t now_ns);
/* Returns false if the queue is empty. */
bool peer_client_next_event(struct peer_client *client, struct peer_client_event *event);

/* Returns true if the peer is registered with this server. */
bool peer_client_registered(const struct peer_client *client, unsigned int server);
/* The registration with a server, as the status shows it. */
struct peer_client_registration {
	bool registered, behind_nat;
	struct stun_endpoint mapped; /* own address, as the server sees it */
	uint64_t rtt_ns;	     /* 0: unknown */
};
struct peer_client_registration peer_client_registration(const struct peer_client *client,
							 unsigned int server);
/*
 * Returns the index of the server with this address, or -1. ChannelData is valid only from a
 * server.
 */
int peer_client_server_of(const struct peer_client *client, const struct stun_endpoint *at);
/* Returns the address of a server. */
const struct stun_endpoint *peer_client_server_at(const struct peer_client *client,
						  unsigned int server);
/* Returns a message text for the code of an event. */
const char *peer_client_code_text(unsigned int code);

#endif
