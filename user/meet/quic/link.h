/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A link to another peer: the session, which has the path, and the QUIC connection over it. A
 * second connection replaces the first one when its handshake is over, as after a restart of the
 * other peer, so that a stranger without the key cannot end the first one.
 */
#ifndef SLUICE_MEET_QUIC_LINK_H
#define SLUICE_MEET_QUIC_LINK_H

#include "meet/peer/session.h"
#include "meet/quic/carrier.h"
#include "meet/quic/drops.h"
#include "meet/quic/runtime.h"

struct connection {
	struct link *link;
	struct quic *quic; /* NULL: none */
	struct carrier *carrier;
	struct drops drops;
	uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE]; /* of the introduction that it is for */
};

struct link {
	struct link *next;
	struct runtime *runtime;
	struct peer_session *session;
	char name[PEER_NAME_MAX + 1];
	unsigned int slot;
	bool initiator; /* and so the client of QUIC */
	struct connection connection[2];
	unsigned int active;	 /* index of the connection that is used */
	bool ready;		 /* it is */
	bool reported;		 /* the outcome, to the server */
	bool relayed;		 /* the path is a channel of the relay */
	unsigned int relay_code; /* why there is none for the latest introduction; 0 */
	/* Of QUIC packets. */
	uint64_t bytes_in, bytes_out;
	/* Until QUIC has answered on a new path; 0: it has. */
	uint64_t silent_ns;
	unsigned int silent_packets; /* that it did not answer */
	char end[192];		     /* why it is over; empty: it is not */
};

/* Returns 0, -ENOMEM, or -EINVAL for an introduction with a weak key. */
int link_new(struct link **link, struct runtime *runtime, const struct introduction *introduction,
	     unsigned int slot, uint64_t now_ns);
void link_free(struct link *link, uint64_t now_ns);
void link_introduce(struct link *link, const struct introduction *introduction, uint64_t now_ns);

/*
 * A channel of the relay was bound, or has ended. Returns true if it was bound for an introduction
 * of this link.
 */
bool link_relay(struct link *link, const struct peer_client_event *event, uint64_t now_ns);

/* Takes a QUIC packet from an address that the session knows. */
void link_packet(struct link *link, const struct stun_endpoint *from, const uint8_t *id, bool first,
		 const uint8_t *packet, size_t length, uint64_t now_ns);
/* Does what is due, and sends what can be sent. link->end is set if the link is over. */
void link_update(struct link *link, uint64_t now_ns);
uint64_t link_due_ns(const struct link *link);
/* The carrier of the active connection, or NULL. */
struct carrier *link_carrier(struct link *link);

#endif
