/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A session with another peer: finds a path to it, keeps the path alive and moves it. The input is
 * datagrams and times; the output is datagrams, deadlines and events. The session does no I/O,
 * reads no clock and allocates nothing after peer_session_new(), so tests can run it through
 * simulated NATs.
 *
 * A path is the address of the other peer to which this peer sends, from its registered socket.
 * Each peer selects its path independently, by checks: Binding requests that the session's secret
 * authenticates (RFC 8445, section 7). Only an authentic check and its response create or move a
 * path; a check that is not authentic gets no response.
 *
 * An address may be a TCP address (stun_endpoint.tcp). It ranks below UDP addresses, because TCP
 * has head-of-line blocking. The caller connects when it gets the first datagram for a TCP address;
 * that datagram is lost.
 *
 * The relay is an additional address of the other peer, with the lowest rank. Without a direct
 * path, PEER_SESSION_WANTS_RELAY requests the relay, and peer_session_set_relay() adds it.
 *
 * The session outlives its paths. If the selected path is lost, PEER_SESSION_WANTS_INTRODUCTION
 * requests a new introduction, which the caller passes to peer_session_introduce(); only the
 * initiator requests it. The QUIC connection over the session only stalls meanwhile.
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
 * Adds a later introduction of the same peer, with new secrets and candidates; the selected path
 * stays in use meanwhile. Returns 0, or -EINVAL with the session unchanged.
 */
int peer_session_introduce(struct peer_session *session, const struct introduction *introduction,
			   uint64_t now_ns);

/*
 * Returns true if a message belongs to this session, by its SESSION-ID attribute or by the
 * transaction id of a response. peer_session_receive() returns true if it has accepted an authentic
 * message of this session.
 */
bool peer_session_owns(const struct peer_session *session, const struct stun_message *message);
bool peer_session_receive(struct peer_session *session, const struct stun_endpoint *from,
			  const struct stun_message *message, uint64_t now_ns);
void peer_session_timeout(struct peer_session *session, uint64_t now_ns);
/* Returns the time at which to call peer_session_timeout(); UINT64_MAX: never. */
uint64_t peer_session_due_ns(const struct peer_session *session);
/* Writes the next datagram that is due. Returns its size, or 0 if no datagram is due. */
size_t peer_session_send(struct peer_session *session, uint8_t buffer[PEER_SESSION_DATAGRAM_MAX],
			 struct stun_endpoint *to, uint64_t now_ns);
/* Returns the events since the last call: bits of enum peer_session_event. */
unsigned int peer_session_events(struct peer_session *session);

enum peer_session_state peer_session_state(const struct peer_session *session);
/*
 * Returns the address to send to, or NULL without a path. The address may not have answered a
 * full-size check yet (remote->full). A QUIC handshake may start anyway, because its first packets
 * have full size.
 */
const struct peer_session_remote *peer_session_path(const struct peer_session *session);
/*
 * Returns true if an authentic check or response has arrived from this address, so that a datagram
 * from it may be the other peer's.
 */
bool peer_session_knows(const struct peer_session *session, const struct stun_endpoint *from);
/*
 * Reports that other traffic was sent on the selected path: it defers the keepalive, and requires
 * consent. The path is checked if sent traffic gets no answer within a second.
 */
void peer_session_sent(struct peer_session *session, uint64_t now_ns);
/* Sets the interval of keepalives; 0: PEER_SESSION_INTERVAL_NS. */
void peer_session_set_interval(struct peer_session *session, uint64_t interval_ns);
/* Reports that an authentic datagram of other traffic has arrived from this address. */
void peer_session_heard(struct peer_session *session, const struct stun_endpoint *from);
/*
 * Returns the size of the largest datagram to send on the selected path, in bytes of UDP payload:
 * at least PEER_SESSION_FULL_SIZE (session_mtu.c).
 */
size_t peer_session_mtu(const struct peer_session *session);
/* Checks the selected path at once; its consent_ns then shows whether it answers. */
void peer_session_test(struct peer_session *session, uint64_t now_ns);
/* Reports that sent traffic stalls. Checks whether datagrams of the path MTU still pass. */
void peer_session_stalled(struct peer_session *session, uint64_t now_ns);
/*
 * Adds a relay channel, as an address (peer/relay.h), that is bound for the introduction with this
 * id. Returns false if the session does not hold this introduction, has failed, or has no free
 * slot.
 */
bool peer_session_set_relay(struct peer_session *session,
			    const uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE],
			    const struct stun_endpoint *at, uint64_t now_ns);
/*
 * Tells the other peer, through the relay, which ports the NAT of this host will probably use for
 * its next mappings; see peer/predict.h. The ports belong to the introduction with this id.
 */
void peer_session_set_predicted(struct peer_session *session,
				const uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE],
				const struct sluice_rendezvous_predicted *predicted,
				uint64_t now_ns);
/* Reports an established connection to this TCP address, which is checked at once. */
void peer_session_connected(struct peer_session *session, const struct stun_endpoint *at,
			    uint64_t now_ns);
/* Reports that the relay channel, or the connection to the TCP address, has ended. */
void peer_session_lose(struct peer_session *session, const struct stun_endpoint *at,
		       uint64_t now_ns);
/* Reports a network change of this host: all known addresses are checked at once. */
void peer_session_network_changed(struct peer_session *session, uint64_t now_ns);

/*
 * Returns the secrets of the latest introduction; psk and psk_identity are for new QUIC
 * connections.
 */
const struct peer_secret *peer_session_secret(const struct peer_session *session);
const struct introduction *peer_session_introduction(const struct peer_session *session);
/* Returns all addresses of the other peer, for the status. */
const struct peer_session_remote *peer_session_remotes(const struct peer_session *session,
						       unsigned int *count);
const struct peer_session_stats *peer_session_stats(const struct peer_session *session);

#endif
