/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session with another peer: finds a path to it, keeps the path and moves it. It is pure:
 * datagrams and times go in, datagrams, deadlines and events come out. It does no I/O, reads no
 * clock and allocates nothing after peer_session_new(), so that tests run it through simulated
 * NATs.
 *
 * A path is the address of the other peer to which this one sends, from the one socket that has
 * registered. Each peer selects its own, by checks: Binding requests that the session's secret
 * authenticates (RFC 8445, section 7). Nothing else than an authentic check, answered by the peer,
 * makes or moves a path; a check that is not authentic gets no answer.
 *
 * An address may be one of TCP (stun_endpoint.tcp). It ranks behind those of UDP, since lost bytes
 * delay those behind them. The caller connects when it first gets a datagram for it, which is lost.
 *
 * The relay is one more address of the other peer, which ranks behind the others. Without a direct
 * path, PEER_SESSION_WANTS_RELAY asks for it, and peer_session_set_relay() adds it.
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
#include "meet/peer/session_view.h"
#include "net/stun.h"

struct peer_session;

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
/*
 * Other traffic was sent to the selected path: it defers the keepalive, and needs consent. The
 * other peer answered it: an authentic datagram of that traffic has arrived. What is not answered
 * within a second has the path checked.
 */
void peer_session_sent(struct peer_session *session, uint64_t now_ns);
void peer_session_heard(struct peer_session *session, const struct stun_endpoint *from);
/*
 * Adds a channel of the relay, an address by peer/relay.h, that is bound for the introduction with
 * this id. Returns false if it belongs to none that is held.
 */
bool peer_session_set_relay(struct peer_session *session,
			    const uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE],
			    const struct stun_endpoint *at, uint64_t now_ns);
/* The caller has connected to this address of TCP: checks it at once. */
void peer_session_connected(struct peer_session *session, const struct stun_endpoint *at,
			    uint64_t now_ns);
/* That channel of the relay, or the connection to that address of TCP, has ended. */
void peer_session_lose(struct peer_session *session, const struct stun_endpoint *at,
		       uint64_t now_ns);
/* The network of this host has changed: checks all known addresses at once. */
void peer_session_network_changed(struct peer_session *session, uint64_t now_ns);

/* The secrets of the latest introduction; psk and psk_identity are for new QUIC connections. */
const struct peer_secret *peer_session_secret(const struct peer_session *session);
const struct introduction *peer_session_introduction(const struct peer_session *session);
/* For a view: all addresses of the other peer. */
const struct peer_session_remote *peer_session_remotes(const struct peer_session *session,
						       unsigned int *count);
const struct peer_session_stats *peer_session_stats(const struct peer_session *session);

#endif
