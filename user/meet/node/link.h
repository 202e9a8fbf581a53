/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A link to another peer: the session, which finds the path, and the QUIC connection over it. If
 * the other peer restarts, a second connection replaces the first one, but only after its
 * handshake: an attacker without the key cannot end the first connection.
 */
#ifndef SLUICE_MEET_NODE_LINK_H
#define SLUICE_MEET_NODE_LINK_H

#include "meet/forward/carrier.h"
#include "meet/node/runtime.h"
#include "meet/peer/predict.h"
#include "meet/peer/session.h"
#include "meet/quic/drops.h"

struct connection {
	struct link *link;
	struct quic *quic; /* NULL: none */
	struct carrier *carrier;
	struct drops drops;
	uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE]; /* session id of its introduction */
};

struct link {
	struct link *next;
	struct runtime *runtime;
	/*
	 * The link of the path, if this one is a member of the pool (members.c): a single TCP
	 * connection, which is not replaced when it is lost. NULL otherwise. The parent lives
	 * longer.
	 */
	struct link *parent;
	struct tcp_paths *tcp; /* own port of a member; NULL: the port of the process */
	struct peer_session *session;
	char name[PEER_NAME_MAX + 1];
	unsigned int slot;
	bool initiator; /* and thus the QUIC client */
	struct connection connection[2];
	unsigned int active;	 /* index of the active connection */
	bool ready;		 /* the active connection is ready */
	bool reported;		 /* the outcome was reported to the server */
	bool relayed;		 /* the path is a channel of the relay */
	unsigned int relay_code; /* latest failure of the relay; 0: none */
	/* QUIC packets only; those of members count for their parent. */
	uint64_t bytes_in, bytes_out;
	/* Next retry on a new path that QUIC has not answered; 0: none. */
	uint64_t silent_ns;
	unsigned int silent_packets; /* unanswered packets on a new path */
	struct prediction *prediction;
	uint8_t predicting[SLUICE_RENDEZVOUS_SESSION_ID_SIZE]; /* session id of the prediction */
	char end[192]; /* why the link is over; empty: it is not */
};

/* Returns 0, -ENOMEM, or -EINVAL for an introduction with a weak key. */
int link_new(struct link **link, struct runtime *runtime, const struct introduction *introduction,
	     unsigned int slot, uint64_t now_ns);
/* Creates a member of the pool. @tcp has the port of its connection. As link_new(). */
int link_new_member(struct link **link, struct link *parent, struct tcp_paths *tcp,
		    const struct introduction *introduction, unsigned int slot, uint64_t now_ns);
void link_free(struct link *link, uint64_t now_ns);
void link_introduce(struct link *link, const struct introduction *introduction, uint64_t now_ns);

/* Predicts the ports of the own NAT for this introduction of the link, if that may help. */
void link_predict(struct link *link, const struct introduction *introduction);

/*
 * Handles a relay channel that was bound or has ended. Returns true if the channel belongs to an
 * introduction of this link.
 */
bool link_relay(struct link *link, const struct peer_client_event *event, uint64_t now_ns);

/* Processes a QUIC packet from an address that the session knows. */
void link_packet(struct link *link, const struct stun_endpoint *from, const uint8_t *id, bool first,
		 const uint8_t *packet, size_t length, uint64_t now_ns);
/* Runs expired timers and sends pending packets. Sets link->end if the link is over. */
void link_update(struct link *link, uint64_t now_ns);
uint64_t link_due_ns(const struct link *link);
/* Returns the TCP connections that the link uses; NULL: none yet. */
struct tcp_paths *link_tcp(const struct link *link);
void link_send(struct link *link, const struct stun_endpoint *to, const void *data, size_t length,
	       size_t size);
/* Ends the link; the first reason counts. */
void link_over(struct link *link, const char *reason);
/* Holds only the relay binding or the TCP connection of the path, if there is a path. */
void link_hold_path(struct link *link, uint64_t now_ns);

/* --- link_session.c */

void link_session_update(struct link *link, uint64_t now_ns);
/* Repeats a packet on a new path that has not answered yet, or gives up. */
void link_ask_again(struct link *link, uint64_t now_ns);

/* --- link.c */

/* Returns the carrier of the active connection, or NULL. */
struct carrier *link_carrier(struct link *link);

#endif
