/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The public types of a session: its options, states, events, and the addresses of the other peer.
 */
#ifndef SLUICE_MEET_PEER_SESSION_VIEW_H
#define SLUICE_MEET_PEER_SESSION_VIEW_H

#include "meet/candidate.h"
#include "meet/key.h"

#include <stdbool.h>

#define PEER_SESSION_FULL_SIZE	  1200 /* datagram size that every path must pass */
#define PEER_SESSION_DATAGRAM_MAX 1472 /* an IPv4 packet of 1500 bytes */
#define PEER_SESSION_REMOTES_MAX  16   /* addresses of the other peer */
/*
 * RFC 8085, section 3.5: at least 15 s, including the random part of the interval. NATs keep a
 * mapping for at least 20 s.
 */
#define PEER_SESSION_INTERVAL_NS 18000000000ULL
#define PEER_SESSION_PUNCH_NS	 10000000000ULL /* fails if there is no path by then */
#define PEER_SESSION_GIVE_UP_NS	 60000000000ULL /* fails if a lost path is not replaced by then */

typedef void (*peer_session_random_fn)(void *buffer, size_t size, void *arg);

/* Checks per second of all searches, and size of a burst. */
#define PEER_SESSION_SEARCHES 500

/* Selects which addresses of the other peer are used. */
enum peer_session_relay {
	PEER_SESSION_RELAY_LAST,  /* the relay if no other address is usable */
	PEER_SESSION_RELAY_NEVER, /* all but the relay */
	PEER_SESSION_RELAY_ONLY,
};

struct peer_session_options {
	uint8_t secret[KEY_SIZE]; /* own static private key */
	uint64_t interval_ns;	  /* of keepalives; 0: PEER_SESSION_INTERVAL_NS */
	enum peer_session_relay relay;
	bool no_udp, no_tcp; /* use no address of this transport; the relay has none */
	/*
	 * Limits the search checks of all sessions that share this pointer (base/rate.h), because a
	 * hostile server may introduce any number of peers with addresses of victims. NULL: no
	 * common limit.
	 */
	uint64_t *searches_full_ns;
	peer_session_random_fn random; /* unpredictable bytes */
	void *arg;
};

enum peer_session_state {
	PEER_SESSION_WAITING,  /* until the start time */
	PEER_SESSION_PUNCHING, /* no path yet, or the path is lost */
	PEER_SESSION_UP,       /* there is a path */
	PEER_SESSION_FAILED,   /* no path was found, or a lost path was not replaced */
};

/* Bits, each cleared by peer_session_events(). */
enum peer_session_event {
	/* peer_session_path() returns another address, or none */
	PEER_SESSION_PATH_CHANGED = 1,
	/* call peer_client_connect(); the current path stays in use meanwhile */
	PEER_SESSION_WANTS_INTRODUCTION = 2,
	/* call peer_client_refresh(): the mappings of the registrations may be lost too */
	PEER_SESSION_WANTS_REFRESH = 4,
	/* the session has failed: PEER_SESSION_FAILED */
	PEER_SESSION_ENDED = 8,
	/* there is no path: call peer_client_relay() for the latest introduction */
	PEER_SESSION_WANTS_RELAY = 16,
	/* peer_session_mtu() has changed, on the same path */
	PEER_SESSION_MTU_CHANGED = 32,
};

/* Why an address of the other peer is not in use. */
enum peer_session_reason {
	PEER_SESSION_REASON_NONE,     /* being checked, or usable */
	PEER_SESSION_REASON_SCOPE,    /* a special address, or a port below 1024 */
	PEER_SESSION_REASON_SILENT,   /* no check was answered */
	PEER_SESSION_REASON_TOO_BIG,  /* short checks pass, full-size checks do not */
	PEER_SESSION_REASON_LOST,     /* was usable; its consent, relay or connection has ended */
	PEER_SESSION_REASON_DISABLED, /* excluded by the options of the session */
	PEER_SESSION_REASONS,
};

enum peer_session_remote_kind {
	PEER_SESSION_REMOTE_HOST = CANDIDATE_HOST,
	PEER_SESSION_REMOTE_REFLEXIVE = CANDIDATE_REFLEXIVE,
	PEER_SESSION_REMOTE_MAPPED = CANDIDATE_MAPPED,
	PEER_SESSION_REMOTE_PEER_REFLEXIVE, /* source of an authentic check */
	PEER_SESSION_REMOTE_RELAYED,	    /* a channel of the relay: peer/relay.h */
	PEER_SESSION_REMOTE_PREDICTED,	    /* peer/predict.h */
	PEER_SESSION_REMOTE_KINDS,
};

/* An address of the other peer. */
struct peer_session_remote {
	struct stun_endpoint at;
	uint8_t kind;	/* enum peer_session_remote_kind */
	uint8_t reason; /* enum peer_session_reason */
	bool private_scope;
	bool heard;    /* an authentic check has arrived from it */
	bool answered; /* it has answered a check */
	bool full;     /* it has answered a full-size check */
	bool selected;
	/* Own address as seen from this address; port 0: unknown. */
	struct stun_endpoint mapped;
	uint64_t rtt_ns;     /* smoothed (RFC 6298); 0: unknown */
	uint64_t consent_ns; /* when the last answered check was sent */
	uint32_t checks, answers;
};

struct peer_session_stats {
	uint64_t checks_sent, checks_answered; /* own */
	uint64_t checks_received;	       /* authentic checks */
	uint64_t rejected;		       /* not authentic, replayed or malformed */
	uint64_t keepalives_sent;
	uint64_t keepalives_saved; /* outbound traffic made them unnecessary */
	uint64_t path_changes;
	uint64_t consents_lost;
	uint64_t repunches;   /* introductions after the first one */
	uint64_t black_holes; /* datagrams of the path MTU were lost, while smaller ones passed */
};

extern const char *const peer_session_reasons[]; /* by enum peer_session_reason, NULL-terminated */
extern const char *const peer_session_remote_kinds[]; /* by enum peer_session_remote_kind */

#endif
