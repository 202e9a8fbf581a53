/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of a session: for session*.c alone. */
#ifndef SLUICE_MEET_PEER_SESSION_STATE_H
#define SLUICE_MEET_PEER_SESSION_STATE_H

#include "meet/peer/introduction.h"
#include "meet/peer/secret.h"
#include "meet/peer/session_view.h"

#define SESSION_SENT	  16 /* checks to one address that may still be answered */
#define SESSION_RESPONSES 16 /* that wait to be sent */
#define SESSION_NEVER	  UINT64_MAX
#define SESSION_NONE	  (-1)

/* So many checks in a row without an answer make another path preferable, or the path lost. */
#define SESSION_TRIES_DOUBT 2
#define SESSION_TRIES_LOST  5
/* So many full-size checks without an answer, while short ones pass, make an address unusable. */
#define SESSION_TRIES_FULL 12

#define SESSION_RTO_MIN_NS 100000000ULL

/*
 * Two introductions are held: the latest, and the one of the path in use. The latest becomes the
 * current one once a message has proved that the other peer has it too; so an
 * introduction that an attacker replays costs some checks and nothing else.
 */
#define SESSION_KEYS 2

struct session_keys {
	bool used;
	struct introduction introduction;
	struct peer_secret secret;
	uint32_t number; /* of the last own check */
	/* the peer's checks that have come, as in RFC 4303, section 3.4.3: bit i is @highest - i */
	uint32_t highest;
	uint64_t window;
};

/* The checks of one address. */
struct session_checks {
	unsigned int keys;   /* index: whose introduction has named the address */
	unsigned int tries;  /* checks in a row without an answer */
	unsigned int budget; /* of checks that search for a path; 0: only the selected is checked */
	bool urgent;	     /* the next one is due at due_ns, and not paced */
	bool last_full;	     /* the last one had full size */
	unsigned int full;   /* full-size checks without an answer to one */
	uint64_t due_ns;
	uint64_t last_ns;	/* the last check */
	uint64_t unanswered_ns; /* the first one of @tries */
	struct {
		bool used;
		uint8_t id[SLUICE_STUN_ID_SIZE];
		uint64_t at_ns;
		unsigned int full; /* full-size checks up to this one */
	} sent[SESSION_SENT];
	unsigned int next_sent;
};

struct session_response {
	struct stun_endpoint to;
	unsigned int keys;
	size_t size; /* of the request, which the response has too if it has full size */
	uint8_t id[SLUICE_STUN_ID_SIZE];
};

struct peer_session {
	struct peer_session_options options;
	bool initiator; /* of the first introduction: it asks for the others */
	enum peer_session_state state;
	unsigned int events;
	struct session_keys keys[SESSION_KEYS];
	unsigned int current, latest;
	struct peer_session_remote remote[PEER_SESSION_REMOTES_MAX];
	struct session_checks checks[PEER_SESSION_REMOTES_MAX];
	unsigned int remotes;
	int selected;
	bool doubting;	     /* the search goes on only until the selected address answers */
	uint64_t start_ns;   /* of the checks of the latest introduction */
	uint64_t pace_ns;    /* no paced check before */
	uint64_t trigger_ns; /* when the budget of triggered checks is full again */
	uint64_t give_up_ns;
	uint64_t introduced_ns;		     /* when the latest introduction came */
	uint64_t relay_ns;		     /* when to ask for the relay, without a path */
	uint64_t upgrade_ns, upgrade_gap_ns; /* the next attempt to leave it, or TCP */
	uint64_t ask_ns, ask_gap_ns; /* the next request for an introduction; SESSION_NEVER */
	uint64_t out_ns;	     /* the last datagram to the selected address */
	uint64_t data_ns;	     /* the last one that was no check or response */
	uint64_t unheard_ns;	     /* the first such that was not answered; SESSION_NEVER */
	uint64_t saved_ns;	     /* since when no keepalive was saved or sent */
	uint64_t consent_gap_ns;
	uint32_t random; /* 16 bits, of the next keepalive */
	struct session_response response[SESSION_RESPONSES];
	unsigned int first_response, responses;
	struct peer_session_stats stats;
};

/* --- session_check.c: the messages */

size_t session_put_check(struct peer_session *session, unsigned int remote, uint8_t *buffer,
			 uint64_t now_ns);
size_t session_put_response(struct peer_session *session, uint8_t *buffer,
			    struct stun_endpoint *to);
/* Finds the introduction of a check by its SESSION-ID; SESSION_NONE: another session's. */
int session_keys_of(const struct peer_session *session, const struct stun_message *message);
/* Finds the address that a response is for; *sent: which of its checks. Returns SESSION_NONE. */
int session_remote_of(const struct peer_session *session, const struct stun_message *message,
		      unsigned int *sent);
/* Is this check authentic, well-formed and not a replay? Only once for each. */
bool session_accept_check(struct session_keys *keys, const struct stun_message *message);
void session_queue_response(struct peer_session *session, const struct stun_endpoint *to,
			    unsigned int keys, const struct stun_message *message);

/* --- session_remote.c: the addresses of the other peer */

/* May a peer have this address? Not if it is a special one, or a port of services. */
bool session_is_possible(const struct stun_endpoint *at);
/* Takes the candidates of an introduction; of earlier addresses only the selected one stays. */
void session_take_candidates(struct peer_session *session, unsigned int keys);
int session_find_remote(const struct peer_session *session, const struct stun_endpoint *at,
			unsigned int keys);
/*
 * Adds an address from which an authentic check has come, or a channel of the relay. Returns its
 * index, or SESSION_NONE.
 */
int session_add_remote(struct peer_session *session, const struct stun_endpoint *at,
		       unsigned int keys);
/* Do the options forbid this address? */
bool session_is_disabled(const struct peer_session *session, const struct stun_endpoint *at);
/* May this address never be used? */
bool session_is_barred(const struct peer_session_remote *remote);
/* Lower is better: UDP, TCP, the relay. */
unsigned int session_class(const struct peer_session_remote *remote);
/* Selects the best address. */
void session_select(struct peer_session *session, uint64_t now_ns);
/* Searches for a path at this address. */
void session_search_remote(struct peer_session *session, unsigned int remote, uint64_t now_ns);
/* Searches for a path at all addresses. */
void session_search(struct peer_session *session, uint64_t now_ns);
/* The selected address has answered: ends the search, if a doubt about it was the reason. */
void session_end_doubt(struct peer_session *session);
/* Begins the first search of an introduction. */
void session_begin_search(struct peer_session *session, uint64_t now_ns);
/* May it be better than the selected one, or is there no full-size path yet? */
bool session_is_wanted(const struct peer_session *session, unsigned int remote);

/* --- session.c */

/* There is no path any more, or it does not answer: the mapping of either side may be lost. */
void session_recover(struct peer_session *session, uint64_t now_ns);

/* --- session_relay.c */

/* An introduction has come: the relay is asked for after its start. */
void session_plan_relay(struct peer_session *session);
/* The selected address has changed: begins or ends the attempts to find one of a better class. */
void session_plan_upgrade(struct peer_session *session, uint64_t now_ns);
/* The network has changed: the next attempt is due soon. */
void session_hasten_upgrade(struct peer_session *session, uint64_t now_ns);
uint64_t session_relay_due_ns(const struct peer_session *session);
void session_relay_timeout(struct peer_session *session, uint64_t now_ns);

#endif
