/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of a client, and its events. */
#ifndef SLUICE_MEET_PEER_CLIENT_EVENT_H
#define SLUICE_MEET_PEER_CLIENT_EVENT_H

#include "meet/peer/introduction.h"
#include "net/stun.h"

#define PEER_CLIENT_SERVERS_MAX	  4
#define PEER_CLIENT_CONNECTS_MAX  16   /* at once */
#define PEER_CLIENT_RELAYS_MAX	  256  /* at once */
#define PEER_CLIENT_DATAGRAM_SIZE 1280 /* no message of the protocol is longer */

/* Fills a buffer with unpredictable bytes. */
typedef void (*peer_client_random_fn)(void *buffer, size_t size, void *arg);
/*
 * Returns true if this is the key of the peer @name. @incoming: the other peer has requested the
 * connection, and is refused on false; otherwise this peer has requested it.
 */
typedef bool (*peer_client_admit_fn)(const char *name, const uint8_t key[KEY_SIZE], bool incoming,
				     void *arg);

struct peer_client_options {
	const char *name; /* own */
	uint8_t secret[KEY_SIZE];
	struct {
		struct stun_endpoint at;
		uint8_t key[KEY_SIZE]; /* public */
	} server[PEER_CLIENT_SERVERS_MAX];
	unsigned int servers; /* at least 1 */
	peer_client_random_fn random;
	peer_client_admit_fn admit;
	void *arg;
};

enum peer_client_event_kind {
	PEER_CLIENT_REGISTERED,	    /* server, mapped, behind_nat, rtt_ns; also on a change */
	PEER_CLIENT_SERVER_SILENT,  /* server: no answer; retried with back-off */
	PEER_CLIENT_REFUSED,	    /* server, code: retried with back-off */
	PEER_CLIENT_UNREGISTERED,   /* server: after peer_client_stop() */
	PEER_CLIENT_INTRODUCED,	    /* introduction */
	PEER_CLIENT_CONNECT_FAILED, /* name, code, server: the last server that was tried */
	PEER_CLIENT_RELAYED,	    /* session_id, relay: its channel is bound */
	PEER_CLIENT_RELAY_ENDED,    /* session_id, relay, code: failed, or ended */
};

/* Codes in addition to STUN error codes. */
enum peer_client_code {
	PEER_CLIENT_CODE_SILENT = 1,	       /* no registration, or no answer */
	PEER_CLIENT_CODE_UNKNOWN_IDENTITY = 2, /* the server does not know the name with this key */
	PEER_CLIENT_CODE_WRONG_KEY = 3,	       /* the admit function has refused the peer's key */
	PEER_CLIENT_CODE_MALFORMED = 4,	       /* an authentic but malformed answer */
	/* 403 denied or unknown name, 404 not registered, 480 refused by the peer, 486 a limit */
};

struct peer_client_event {
	enum peer_client_event_kind kind;
	unsigned int server;
	unsigned int code;
	struct stun_endpoint mapped; /* own address, as the server sees it */
	bool behind_nat;
	uint64_t rtt_ns;
	char name[PEER_NAME_MAX + 1];
	uint8_t session_id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE];
	struct stun_endpoint relay;	  /* an address by peer/relay.h */
	struct introduction introduction; /* contains a private key: erase it after use */
};

#endif
