/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The peer's side of the rendezvous protocol, sluice-protocol(7), over UDP. It is pure: datagrams
 * and times go in, datagrams, deadlines and events come out. It does no I/O, reads no clock and
 * allocates nothing after peer_client_new().
 *
 * A peer registers with all of its servers, so that it can be reached through each of them.
 * A connect request goes to one server after the other, until one introduces.
 *
 * The caller's loop: after peer_client_receive(), peer_client_timeout() and each request, it sends
 * what peer_client_send() returns until that is 0, handles what peer_client_next_event() returns
 * until that is false, and calls peer_client_timeout() again at peer_client_due_ns().
 */
#ifndef SLUICE_MEET_PEER_CLIENT_H
#define SLUICE_MEET_PEER_CLIENT_H

#include "meet/peer/introduction.h"
#include "net/stun.h"

#define PEER_CLIENT_SERVERS_MAX	  4
#define PEER_CLIENT_CONNECTS_MAX  16   /* at once */
#define PEER_CLIENT_DATAGRAM_SIZE 1280 /* no message of the protocol is longer */

struct peer_client;

/* Fills a buffer with unpredictable bytes. */
typedef void (*peer_client_random_fn)(void *buffer, size_t size, void *arg);
/*
 * Is this the key of the peer @name? @incoming: the peer asks to connect to this one, and is
 * refused if the answer is no. Else this peer has asked for it.
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
	PEER_CLIENT_REGISTERED, /* server, mapped, behind_nat, rtt_ns; also after a new address */
	PEER_CLIENT_SERVER_SILENT,  /* server: no answer; it is tried again with back-off */
	PEER_CLIENT_REFUSED,	    /* server, code: tried again with back-off */
	PEER_CLIENT_UNREGISTERED,   /* server: as asked for by peer_client_stop() */
	PEER_CLIENT_INTRODUCED,	    /* introduction */
	PEER_CLIENT_CONNECT_FAILED, /* name, code, server: the last one that was asked */
};

/* Codes beside those of STUN errors. */
enum peer_client_code {
	PEER_CLIENT_CODE_SILENT = 1,	       /* no registration, or no answer */
	PEER_CLIENT_CODE_UNKNOWN_IDENTITY = 2, /* the server does not know the name with this key */
	PEER_CLIENT_CODE_WRONG_KEY = 3,	       /* the admit function has refused the peer's key */
	PEER_CLIENT_CODE_MALFORMED = 4,	       /* an authentic answer that makes no sense */
	/* 403 denied or unknown name, 404 not registered, 480 refused by that peer, 486 a limit */
};

struct peer_client_event {
	enum peer_client_event_kind kind;
	unsigned int server;
	unsigned int code;
	struct stun_endpoint mapped; /* own address, as the server sees it */
	bool behind_nat;
	uint64_t rtt_ns;
	char name[PEER_NAME_MAX + 1];
	struct introduction introduction; /* erase it after use: it has a private key */
};

/*
 * Begins to register. Returns 0, -ENOMEM, or -EINVAL with *server set if that server's key is of
 * small order.
 */
int peer_client_new(struct peer_client **client, const struct peer_client_options *options,
		    uint64_t now_ns, unsigned int *server);
/* Erases and frees it. @client may be NULL. */
void peer_client_free(struct peer_client *client);

/*
 * Sets the candidates, without the server-reflexive one, which the server adds. Registers again if
 * they differ. At most CANDIDATES_MAX count.
 */
void peer_client_set_candidates(struct peer_client *client, const struct candidate *candidates,
				unsigned int count, uint64_t now_ns);
/* Sets the address of a server, as after its name has got another one. */
void peer_client_set_server(struct peer_client *client, unsigned int server,
			    const struct stun_endpoint *at, uint64_t now_ns);
/*
 * Tests all registrations at once, without back-off: the network has changed, or a path has failed,
 * so that the mapping of the registrations may be lost too.
 */
void peer_client_refresh(struct peer_client *client, uint64_t now_ns);
/* Unregisters. peer_client_stopped() tells when that is done, or has been tried long enough. */
void peer_client_stop(struct peer_client *client, uint64_t now_ns);
bool peer_client_stopped(const struct peer_client *client);

/*
 * Asks for an introduction. PEER_CLIENT_INTRODUCED or PEER_CLIENT_CONNECT_FAILED follows within 30
 * seconds. Asking for a name again while a request runs begins anew. Returns 0, -EINVAL for a name
 * that no peer can have, or -EBUSY with PEER_CLIENT_CONNECTS_MAX requests running.
 */
int peer_client_connect(struct peer_client *client, const char *name, uint64_t now_ns);
void peer_client_cancel(struct peer_client *client, const char *name);
/* Reports the outcome of a session (sluice_rendezvous_outcome) to the server, once. */
void peer_client_report(struct peer_client *client, const struct introduction *introduction,
			enum sluice_rendezvous_outcome outcome, uint64_t now_ns);

/*
 * Takes a STUN message. Returns true if it was for this client; else it may be a check, for
 * peer_session_receive().
 */
bool peer_client_receive(struct peer_client *client, const struct stun_endpoint *from,
			 const struct stun_message *message, uint64_t now_ns);
void peer_client_timeout(struct peer_client *client, uint64_t now_ns);
/* When to call peer_client_timeout(); UINT64_MAX: never. */
uint64_t peer_client_due_ns(const struct peer_client *client);
/* Writes the next datagram that is to be sent now. Returns its size; 0: there is none. */
size_t peer_client_send(struct peer_client *client, uint8_t buffer[PEER_CLIENT_DATAGRAM_SIZE],
			struct stun_endpoint *to, uint64_t now_ns);
/* Returns false if there is none. */
bool peer_client_next_event(struct peer_client *client, struct peer_client_event *event);

/* Is the peer registered with this server? */
bool peer_client_registered(const struct peer_client *client, unsigned int server);
/* Describes a code of an event, for messages. */
const char *peer_client_code_text(unsigned int code);

#endif
