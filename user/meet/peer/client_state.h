/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of a client, private to client*.c. */
#ifndef SLUICE_MEET_PEER_CLIENT_STATE_H
#define SLUICE_MEET_PEER_CLIENT_STATE_H

#include "meet/nonce.h"
#include "meet/peer/client_event.h"

/*
 * Each relay channel may be bound and end before the caller takes the events. A lost event would
 * leave a session without its channel.
 */
#define CLIENT_EVENTS  (64 + 2 * PEER_CLIENT_RELAYS_MAX)
#define CLIENT_RECENT  16 /* introductions that are answered again if repeated */
#define CLIENT_REPORTS 8

#define CLIENT_INTERVAL_NS    18000000000ULL
#define CLIENT_BACKOFF_MIN_NS 1000000000ULL

/* A pending transaction; a retransmission is identical to the first request. */
struct client_request {
	bool running;
	uint16_t method;
	uint8_t id[SLUICE_STUN_ID_SIZE];
	unsigned int sends, sends_max;
	unsigned int challenges; /* consecutive responses with a new nonce */
	uint64_t sent_ns;	 /* first transmission */
	uint64_t due_ns;	 /* time to retransmit or to give up */
	uint64_t rto_ns;
};

struct client_server {
	struct stun_endpoint at;
	uint8_t key[KEY_SIZE]; /* of the messages */
	bool has_nonce, registered, silent, stopped;
	/* this server has refused candidates: skip those that it may refuse */
	bool restricted;
	bool behind_nat;
	char nonce[NONCE_SIZE];
	struct sluice_rendezvous_id id;
	struct sluice_siphash_key refresh_key;
	struct stun_endpoint mapped;
	unsigned int candidates; /* number registered */
	uint64_t rtt_ns;
	uint64_t due_ns; /* time to refresh or register, if no request is pending */
	uint64_t backoff_ns;
	struct client_request request; /* register, refresh, unregister */
};

struct client_connect {
	bool used;
	char name[PEER_NAME_MAX + 1];
	uint8_t ephemeral_secret[KEY_SIZE], ephemeral[KEY_SIZE];
	unsigned int server, tried; /* tried: bit mask of servers */
	unsigned int code;
	uint64_t deadline_ns;
	struct client_request request;
};

struct client_report {
	unsigned int server;
	uint32_t outcome;
	uint8_t session_id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE];
	struct client_request request;
};

/* A channel of a server's relay. */
struct client_relay {
	bool used, held, bound;
	unsigned int server;
	uint16_t channel;
	uint8_t session_id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE];
	uint64_t due_ns;  /* time to bind again, if no request is pending */
	uint64_t ends_ns; /* expiry of the binding, or of the bind attempt */
	struct client_request request;
};

/* An introduction by a server, and the answer to it. */
struct client_answer {
	bool used, due;
	unsigned int server, error; /* error: 0: accepted */
	uint8_t session_id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE];
	uint8_t ephemeral[KEY_SIZE]; /* public */
};

struct peer_client {
	char name[PEER_NAME_MAX + 1];
	uint8_t key[KEY_SIZE]; /* own, public */
	peer_client_random_fn random;
	peer_client_admit_fn admit;
	void *arg;
	bool stopping;
	uint64_t interval_ns; /* longest time between two refreshes of a registration */
	struct client_server server[PEER_CLIENT_SERVERS_MAX];
	unsigned int servers;
	struct client_connect connect[PEER_CLIENT_CONNECTS_MAX];
	struct client_report report[CLIENT_REPORTS];
	unsigned int next_report;
	struct client_relay relay[PEER_CLIENT_RELAYS_MAX];
	unsigned int relays; /* no entry at or above this index is used */
	struct client_answer answer[CLIENT_RECENT];
	unsigned int next_answer;
	struct candidate candidate[CANDIDATES_MAX];
	unsigned int candidates;
	struct peer_client_event event[CLIENT_EVENTS];
	unsigned int first_event, events;
};

/* --- client_state.c */

/* Returns a new event to fill in, or NULL if the queue is full. */
struct peer_client_event *client_add_event(struct peer_client *client,
					   enum peer_client_event_kind kind, unsigned int server);
/* @name: of the peer, or NULL. */
void client_add_code(struct peer_client *client, enum peer_client_event_kind kind,
		     unsigned int server, unsigned int code, const char *name);
/* Returns @base plus a random value below @jitter. */
uint64_t client_jittered(struct peer_client *client, uint64_t base, uint64_t jitter);
/* Starts a transaction, or restarts a pending one with a new id. */
void client_start(struct peer_client *client, struct client_request *request, uint16_t method,
		  unsigned int sends_max, uint64_t now_ns);
void client_start_register(struct peer_client *client, struct client_server *server,
			   uint64_t now_ns);
void client_start_refresh(struct peer_client *client, struct client_server *server,
			  uint64_t now_ns);
/* Marks the registration as refreshed: the next refresh is due in the last sixth of the interval.
 */
void client_set_refreshed(struct peer_client *client, struct client_server *server,
			  uint64_t now_ns);
/* Schedules the next attempt to register, with back-off. */
void client_back_off(struct peer_client *client, struct client_server *server, uint64_t now_ns);
void client_on_silent(struct peer_client *client, struct client_server *server, uint64_t now_ns);
void client_end_stop(struct peer_client *client, struct client_server *server);
/*
 * Sends the connect request to the next server; waits if no remaining server has a registration
 * yet.
 */
void client_advance(struct peer_client *client, struct client_connect *connect, uint64_t now_ns);
/* Handles a server that did not introduce the peers: tries the next server, or fails. */
void client_refuse_connect(struct peer_client *client, struct client_connect *connect,
			   unsigned int code, uint64_t now_ns);
void client_fail_connect(struct peer_client *client, struct client_connect *connect);

/* --- client_relay.c */

/* Rebinds the channels of a server at once, because the address of this peer may have changed. */
void client_rebind_relays(struct peer_client *client, const struct client_server *server,
			  uint64_t now_ns);
void client_relays_timeout(struct peer_client *client, uint64_t now_ns);
uint64_t client_relays_due_ns(const struct peer_client *client);
/* Finds the relay channel whose request this message answers, or NULL. */
struct client_relay *client_find_relay(struct peer_client *client, unsigned int server,
				       const struct stun_message *message);
void client_on_bound(struct peer_client *client, struct client_relay *relay,
		     const struct stun_message *message, uint64_t now_ns);
void client_on_bind_error(struct peer_client *client, struct client_relay *relay, unsigned int code,
			  uint64_t now_ns);

/* --- client_receive.c */

/* Returns true if the message is a response to this request. */
bool client_is_answer_to(const struct stun_message *message, const struct client_request *request);

/* --- client.c */

/* Returns true if the last retransmission of this request has timed out. */
bool client_is_over(const struct client_request *request, uint64_t now_ns);

/* --- client_message.c */

/* Returns true if this candidate may be registered with this server. */
bool client_offers(const struct client_server *server, const struct candidate *candidate);
/* Returns the number of candidates that may be registered. */
unsigned int client_offered(const struct peer_client *client, const struct client_server *server);

/* Write one message. Return its size. */
size_t client_put_request(const struct peer_client *client, const struct client_server *server,
			  const struct client_request *request, const void *owner, uint8_t *buffer);
size_t client_put_answer(const struct client_server *server, const struct client_answer *answer,
			 uint8_t *buffer);

/* Parse and check one authentic message. Return false if it is malformed. */
bool client_read_registered(const struct stun_message *message, struct client_server *server);
bool client_read_introduction(const struct peer_client *client, const struct stun_message *message,
			      struct introduction *introduction, uint64_t now_ns);
/* Returns true if the message contains the proof for the refresh @request. */
bool client_check_refreshed(const struct stun_message *message, const struct client_server *server,
			    const struct client_request *request);

#endif
