/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The state of a session, private to session*.c. */
#ifndef SLUICE_MEET_PEER_SESSION_STATE_H
#define SLUICE_MEET_PEER_SESSION_STATE_H

#include "meet/peer/introduction.h"
#include "meet/peer/secret.h"
#include "meet/peer/session_view.h"

#define SESSION_SENT	  16 /* unanswered checks recorded per address */
#define SESSION_RESPONSES 16 /* queued responses */
#define SESSION_NEVER	  UINT64_MAX
#define SESSION_NONE	  (-1)

/* Consecutive unanswered checks after which another path is preferred, or the path is lost. */
#define SESSION_TRIES_DOUBT 2
#define SESSION_TRIES_LOST  5
/* Unanswered full-size checks, while short checks pass, that make an address unusable. */
#define SESSION_TRIES_FULL 12

#define SESSION_RTO_MIN_NS 100000000ULL

/*
 * A session holds two introductions: the latest, and the introduction of the path in use. The
 * latest becomes current once a message has proved that the other peer has it too, so a replayed
 * introduction costs only some checks.
 */
#define SESSION_KEYS 2

struct session_keys {
	bool used;
	struct introduction introduction;
	struct peer_secret secret;
	uint32_t number; /* number of the last own check */
	/* replay window of the peer's checks, RFC 4303, section 3.4.3: bit i is @highest - i */
	uint32_t highest;
	uint64_t window;
	struct sluice_rendezvous_predicted predicted; /* own ports; step 0: none */
	bool has_predicted;			      /* the other peer's are known */
};

/* State of the checks of one address. */
struct session_checks {
	unsigned int keys;   /* index of the introduction that contains the address */
	unsigned int tries;  /* checks in a row without an answer */
	unsigned int budget; /* remaining checks of the search; 0: only checked if selected */
	bool urgent;	     /* the next check is due at due_ns, and not paced */
	bool last_full;	     /* the last check had full size */
	unsigned int full;   /* full-size checks sent, while none was answered */
	uint64_t due_ns;
	uint64_t last_ns;	/* the last check */
	uint64_t unanswered_ns; /* time of the first of @tries checks */
	struct {
		bool used;
		uint8_t id[SLUICE_STUN_ID_SIZE];
		uint64_t at_ns;
		unsigned int full; /* value of checks.full when this check was sent */
		uint16_t probe;	   /* size of an MTU probe; 0: it is none */
	} sent[SESSION_SENT];
	unsigned int next_sent;
};

/* State of path MTU discovery on the selected address, see session_mtu.c. */
struct session_mtu {
	enum {
		SESSION_MTU_NONE, /* not started */
		SESSION_MTU_SEARCH,
		SESSION_MTU_CONFIRM,
		SESSION_MTU_DONE,
	} phase;
	uint16_t size;		/* confirmed; 0: PEER_SESSION_FULL_SIZE */
	unsigned int low, high; /* the table's sizes below @low pass; from @high on they are lost */
	uint16_t probe;		/* size of the current probe */
	unsigned int tries;	/* number of probes sent with this size */
	uint64_t first_ns;	/* the first of them */
	uint64_t due_ns;	/* the next one, or the verdict */
	uint64_t raise_ns;	/* the next search for a larger size */
	uint64_t confirmed_ns;	/* start of the last confirmation */
};

/*
 * Marks the transaction ids of recorded checks, by 12 bits of each, and of some that are not
 * recorded any more. So a response of a stranger costs little, although a process with many
 * sessions asks each of them whether it is the response to one of 256 checks.
 */
#define SESSION_MARKS_MAX 256 /* marks added until those of unrecorded checks are removed */

struct session_marks {
	uint64_t bits[64];
	unsigned int added;
};

struct session_response {
	struct stun_endpoint to;
	unsigned int keys;
	size_t size; /* size of the request; a response to a full-size check has the same size */
	uint8_t id[SLUICE_STUN_ID_SIZE];
};

struct peer_session {
	struct peer_session_options options;
	bool initiator; /* of the first introduction: requests all later ones */
	enum peer_session_state state;
	unsigned int events;
	struct session_keys keys[SESSION_KEYS];
	unsigned int current, latest;
	struct peer_session_remote remote[PEER_SESSION_REMOTES_MAX];
	struct session_checks checks[PEER_SESSION_REMOTES_MAX];
	unsigned int remotes;
	struct session_marks marks;
	int selected;
	bool doubting;	     /* the search goes on only until the selected address answers */
	uint64_t start_ns;   /* start of the checks of the latest introduction */
	uint64_t pace_ns;    /* no paced check before this time */
	uint64_t trigger_ns; /* when the budget of triggered checks is full again */
	uint64_t give_up_ns;
	uint64_t introduced_ns;		     /* arrival of the latest introduction */
	uint64_t relay_ns;		     /* time to request the relay, if there is no path */
	uint64_t upgrade_ns, upgrade_gap_ns; /* the next attempt to leave the relay, or TCP */
	uint64_t ask_ns, ask_gap_ns; /* the next request for an introduction; SESSION_NEVER */
	uint64_t out_ns;	     /* the last datagram to the selected address */
	uint64_t data_ns;	     /* the last datagram of other traffic */
	uint64_t unheard_ns;	     /* the first of them without an answer; SESSION_NEVER */
	uint64_t saved_ns;	     /* when a keepalive was last saved or sent */
	uint64_t consent_gap_ns;
	uint32_t random; /* 16 random bits, for the next keepalive */
	struct session_response response[SESSION_RESPONSES];
	unsigned int first_response, responses;
	struct session_mtu mtu;
	struct peer_session_stats stats;
};

/* --- session_check.c: the messages */

size_t session_put_check(struct peer_session *session, unsigned int remote, uint8_t *buffer,
			 uint64_t now_ns);
/* Writes an MTU probe: a check of @size bytes, a multiple of 4. */
size_t session_put_probe(struct peer_session *session, unsigned int remote, uint16_t size,
			 uint8_t *buffer, uint64_t now_ns);
size_t session_put_response(struct peer_session *session, uint8_t *buffer,
			    struct stun_endpoint *to);
/* Returns the index of the introduction of a check, by its SESSION-ID, or SESSION_NONE. */
int session_keys_of(const struct peer_session *session, const struct stun_message *message);
/*
 * Returns the index of the address whose check this response answers, or SESSION_NONE; *sent: the
 * index of the check.
 */
int session_remote_of(const struct peer_session *session, const struct stun_message *message,
		      unsigned int *sent);
/*
 * Returns true if this check is authentic, well-formed and not a replay. Call it once per check,
 * because it updates the replay window.
 */
bool session_accept_check(struct session_keys *keys, const struct stun_message *message);
void session_queue_response(struct peer_session *session, const struct stun_endpoint *to,
			    unsigned int keys, const struct stun_message *message);

/* --- session_remote.c: the addresses of the other peer */

/* Returns true if a peer may have this address: not a special address, and no port below 1024. */
bool session_is_possible(const struct stun_endpoint *at);
/*
 * Adds the candidates of an introduction, and drops all earlier addresses except the selected one.
 */
void session_take_candidates(struct peer_session *session, unsigned int keys);
int session_find_remote(const struct peer_session *session, const struct stun_endpoint *at,
			unsigned int keys);
/* Adds the source of an authentic check, or a relay channel. Returns its index, or SESSION_NONE. */
int session_add_remote(struct peer_session *session, const struct stun_endpoint *at,
		       unsigned int keys);
/* Adds an address of this kind, if the table has room. Returns its index, or SESSION_NONE. */
int session_append_remote(struct peer_session *session, const struct stun_endpoint *at,
			  enum peer_session_remote_kind kind, unsigned int keys);
/* Returns true if the options forbid this address. */
bool session_is_disabled(const struct peer_session *session, const struct stun_endpoint *at);
/* Returns true if this address must never be used. */
bool session_is_barred(const struct peer_session_remote *remote);
/* Lower is better: UDP, TCP, the relay. */
unsigned int session_class(const struct peer_session_remote *remote);
/* Selects the best address. */
void session_select(struct peer_session *session, uint64_t now_ns);
/* Starts the checks of this address. */
void session_search_remote(struct peer_session *session, unsigned int remote, uint64_t now_ns);
/* Starts the checks of all addresses. */
void session_search(struct peer_session *session, uint64_t now_ns);
/* Ends a search that was started because the selected address did not answer. */
void session_end_doubt(struct peer_session *session);
/* Starts the first search of an introduction. */
void session_begin_search(struct peer_session *session, uint64_t now_ns);
/*
 * Returns true if the address may be better than the selected one, or if there is no full-size path
 * yet.
 */
bool session_is_wanted(const struct peer_session *session, unsigned int remote);

/* --- session_predict.c */

/* Adds PREDICTED-PORTS to a check that goes through the relay, if there is a prediction. */
void session_put_predicted(const struct peer_session *session, unsigned int remote,
			   struct stun_builder *builder);
/* Checks the predicted ports of an authentic check. */
void session_take_predicted(struct peer_session *session, const struct stun_endpoint *from,
			    const struct stun_message *message, unsigned int keys, uint64_t now_ns);

/* --- session.c */

/* Handles a path that is lost or does not answer: the NAT mapping of either peer may be lost. */
void session_recover(struct peer_session *session, uint64_t now_ns);
/* Returns the gap before the next check of the selected address, after @tries checks. */
uint64_t session_rto_ns(const struct peer_session_remote *remote, unsigned int tries);
/* Checks the selected address at once. */
void session_check_selected(struct peer_session *session, uint64_t now_ns);

/* --- session_mtu.c */

/* Returns to PEER_SESSION_FULL_SIZE, because the path has changed. */
void session_mtu_reset(struct peer_session *session);
/* Starts the search on a path that has answered a full-size check, once. */
void session_mtu_begin(struct peer_session *session, uint64_t now_ns);
/*
 * Returns the size of the next check of the selected address, while the path has traffic: it
 * confirms the path MTU. 0: an ordinary check.
 */
uint16_t session_mtu_consent(struct peer_session *session, uint64_t now_ns);
/* Handles the answer to an MTU probe to the selected address. */
void session_mtu_answered(struct peer_session *session, uint16_t size, uint64_t now_ns);
uint64_t session_mtu_due_ns(const struct peer_session *session);
void session_mtu_timeout(struct peer_session *session, uint64_t now_ns);
/* Writes the probe that is due. Returns its size, or 0. */
size_t session_mtu_send(struct peer_session *session, uint8_t *buffer, struct stun_endpoint *to,
			uint64_t now_ns);

/* --- session_relay.c */

/* Schedules the request for the relay after the start of a new introduction. */
void session_plan_relay(struct peer_session *session);
/*
 * Starts or stops the attempts to find an address of a better class, after the selected address has
 * changed.
 */
void session_plan_upgrade(struct peer_session *session, uint64_t now_ns);
/* Schedules the next attempt soon, after a network change. */
void session_hasten_upgrade(struct peer_session *session, uint64_t now_ns);
uint64_t session_relay_due_ns(const struct peer_session *session);
void session_relay_timeout(struct peer_session *session, uint64_t now_ns);

#endif
