/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session with another peer: finds a UDP path to it, keeps the path and moves it. It is pure:
 * datagrams and times go in, datagrams, deadlines and events come out. It does no I/O, reads no
 * clock and allocates nothing after peer_session_new(), so that tests run it through simulated
 * NATs.
 *
 * A path is the address of the other peer to which this one sends, from the one socket that has
 * registered. Each peer selects its own, by checks: Binding requests that the session's secret
 * authenticates (RFC 8445, section 7). Nothing else than an authentic check, answered by the peer,
 * makes or moves a path; a check that is not authentic gets no answer.
 *
 * The session outlives its paths. If the selected one is lost, PEER_SESSION_WANTS_INTRODUCTION asks
 * for a new introduction, which peer_session_introduce() takes; only the peer that began the
 * session asks. What runs over the session, a QUIC connection, sees a pause.
 *
 * The caller's loop: after each call that may change something, it sends what peer_session_send()
 * returns until that is 0, handles the events, and calls peer_session_timeout() at
 * peer_session_due_ns().
 */
#ifndef SLUICE_MEET_PEER_SESSION_H
#define SLUICE_MEET_PEER_SESSION_H

#include "meet/peer/introduction.h"
#include "meet/peer/secret.h"
#include "net/stun.h"

#define PEER_SESSION_FULL_SIZE	 1200 /* of a datagram that every path must pass */
#define PEER_SESSION_REMOTES_MAX 16   /* addresses of the other peer */
#define PEER_SESSION_INTERVAL_NS 20000000000ULL
#define PEER_SESSION_PUNCH_NS	 10000000000ULL /* without a path after that: failed */
#define PEER_SESSION_CONSENT_NS	 30000000000ULL /* RFC 7675, section 5.1 */
#define PEER_SESSION_GIVE_UP_NS	 60000000000ULL /* a lost path is not replaced: failed */

struct peer_session;

typedef void (*peer_session_random_fn)(void *buffer, size_t size, void *arg);

struct peer_session_options {
	uint8_t secret[KEY_SIZE];      /* own static private key */
	uint64_t interval_ns;	       /* of keepalives; 0: PEER_SESSION_INTERVAL_NS */
	peer_session_random_fn random; /* unpredictable bytes */
	void *arg;
};

enum peer_session_state {
	PEER_SESSION_WAITING,  /* for the time to start */
	PEER_SESSION_PUNCHING, /* no path yet, or none any more */
	PEER_SESSION_UP,       /* there is a path */
	PEER_SESSION_FAILED,   /* no path was found, or the lost one was not replaced */
};

/* Bits, each cleared by peer_session_events(). */
enum peer_session_event {
	/* peer_session_path() returns another address, or none */
	PEER_SESSION_PATH_CHANGED = 1,
	/* call peer_client_connect(); the present path stays in use until then */
	PEER_SESSION_WANTS_INTRODUCTION = 2,
	/* call peer_client_refresh(): the mappings of the registrations may be lost too */
	PEER_SESSION_WANTS_REFRESH = 4,
	/* the state is PEER_SESSION_FAILED */
	PEER_SESSION_ENDED = 8,
};

/* Why an address of the other peer is not in use. */
enum peer_session_reason {
	PEER_SESSION_REASON_NONE,    /* checked at present, or usable */
	PEER_SESSION_REASON_SCOPE,   /* never the address of a peer, or a port below 1024 */
	PEER_SESSION_REASON_SILENT,  /* no check was answered */
	PEER_SESSION_REASON_TOO_BIG, /* short checks pass, full-size ones do not */
	PEER_SESSION_REASON_LOST,    /* was usable; its consent has ended */
	PEER_SESSION_REASONS,
};

enum peer_session_remote_kind {
	PEER_SESSION_REMOTE_HOST = CANDIDATE_HOST,
	PEER_SESSION_REMOTE_REFLEXIVE = CANDIDATE_REFLEXIVE,
	PEER_SESSION_REMOTE_MAPPED = CANDIDATE_MAPPED,
	PEER_SESSION_REMOTE_PEER_REFLEXIVE, /* seen as the source of an authentic check */
};

/* An address of the other peer. */
struct peer_session_remote {
	struct stun_endpoint at;
	uint8_t kind;	/* enum peer_session_remote_kind */
	uint8_t reason; /* enum peer_session_reason */
	bool private_scope;
	bool heard;    /* an authentic check has come from it */
	bool answered; /* it has answered a check, its consent is fresh */
	bool full;     /* it has answered a full-size check */
	bool selected;
	uint64_t rtt_ns;     /* smoothed (RFC 6298); 0: unknown */
	uint64_t consent_ns; /* when the last answered check was sent */
	uint32_t checks, answers;
};

struct peer_session_stats {
	uint64_t checks_sent, checks_answered; /* own */
	uint64_t checks_received;	       /* authentic ones */
	uint64_t rejected;		       /* not authentic, replayed or malformed */
	uint64_t keepalives_sent;
	uint64_t keepalives_saved; /* outbound traffic made them unnecessary */
	uint64_t path_changes;
	uint64_t repunches; /* introductions after the first one */
};

/*
 * Creates a session from its first introduction. Returns 0, -ENOMEM, or -EINVAL if the introduction
 * has a weak key.
 */
int peer_session_new(struct peer_session **session, const struct peer_session_options *options,
		     const struct introduction *introduction, uint64_t now_ns);
/* Erases and frees it. @session may be NULL. */
void peer_session_free(struct peer_session *session);
/*
 * Takes a later introduction of the same peer, with new secrets and candidates; the selected path
 * stays in use meanwhile. Returns 0 or -EINVAL, which changes nothing.
 */
int peer_session_introduce(struct peer_session *session, const struct introduction *introduction,
			   uint64_t now_ns);

/*
 * Does a message belong to this session? Compares its SESSION-ID attribute, or the transaction id
 * of a response. peer_session_receive() takes what belongs to it and is authentic. It returns true
 * if it has.
 */
bool peer_session_owns(const struct peer_session *session, const struct stun_message *message);
bool peer_session_receive(struct peer_session *session, const struct stun_endpoint *from,
			  const struct stun_message *message, uint64_t now_ns);
void peer_session_timeout(struct peer_session *session, uint64_t now_ns);
/* When to call peer_session_timeout(); UINT64_MAX: never. */
uint64_t peer_session_due_ns(const struct peer_session *session);
/* Writes the next datagram that is to be sent now. Returns its size; 0: there is none. */
size_t peer_session_send(struct peer_session *session, uint8_t buffer[PEER_SESSION_FULL_SIZE],
			 struct stun_endpoint *to, uint64_t now_ns);
/* Returns the events since the last call: bits of enum peer_session_event. */
unsigned int peer_session_events(struct peer_session *session);

enum peer_session_state peer_session_state(const struct peer_session *session);
/*
 * Returns the address to send to; NULL: there is none at present. It may not have answered a
 * full-size check yet (remote->full); a QUIC handshake may begin, since its first packets have full
 * size.
 */
const struct peer_session_remote *peer_session_path(const struct peer_session *session);
/*
 * May a datagram from this address be of the other peer? True once an authentic check or answer has
 * come from it.
 */
bool peer_session_knows(const struct peer_session *session, const struct stun_endpoint *from);
/* Other traffic was sent to the selected path: it defers the keepalive, and needs consent. */
void peer_session_sent(struct peer_session *session, uint64_t now_ns);
/* Sets the interval of keepalives, as from the findings of a probe. */
void peer_session_set_interval(struct peer_session *session, uint64_t interval_ns, uint64_t now_ns);
/* The network of this host has changed: checks all known addresses at once. */
void peer_session_network_changed(struct peer_session *session, uint64_t now_ns);

/* The secrets of the latest introduction; psk and psk_identity are for new QUIC connections. */
const struct peer_secret *peer_session_secret(const struct peer_session *session);
const struct introduction *peer_session_introduction(const struct peer_session *session);
/* For a view: all addresses of the other peer. */
const struct peer_session_remote *peer_session_remotes(const struct peer_session *session,
						       unsigned int *count);
const struct peer_session_stats *peer_session_stats(const struct peer_session *session);
extern const char
	*const peer_session_reasons[]; /* by enum peer_session_reason; NULL ends the list */
extern const char *const peer_session_remote_kinds[]; /* by enum peer_session_remote_kind */

#endif
