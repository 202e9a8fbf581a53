/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The counters of the rendezvous server: index, JSON key and help from one list. */
#ifndef SLUICE_MEET_RENDEZVOUS_COUNTERS_H
#define SLUICE_MEET_RENDEZVOUS_COUNTERS_H

#define RENDEZVOUS_COUNTERS(X)                                                                     \
	X(binding, "Binding requests answered")                                                    \
	X(binding_classic, "of these, from clients of RFC 3489")                                   \
	X(binding_elsewhere, "of these, from another address, or to another port (RFC 5780)")      \
	X(registered, "registrations made or replaced")                                            \
	X(refreshed, "refreshes answered")                                                         \
	X(unregistered, "registrations ended by their peer")                                       \
	X(expired, "registrations expired after three missed refreshes")                           \
	X(disconnected, "registrations removed with their TCP connection, or by a reload")         \
	X(connects, "connect requests that led to an introduction")                                \
	X(introduced, "introductions that the other peer has confirmed")                           \
	X(reported_direct, "reports of a direct path")                                             \
	X(reported_relayed, "reports of a relayed path")                                           \
	X(reported_failed, "reports of no path")                                                   \
	X(relay_bound, "relay bindings created")                                                   \
	X(relay_refreshed, "relay bindings refreshed, or moved to another address")                \
	X(relay_expired, "relay bindings expired without a refresh")                               \
	X(relay_datagrams, "datagrams that the relay has forwarded")                               \
	X(relay_bytes, "bytes of these, with ChannelData headers")                                 \
	X(relay_unbound, "relay datagrams without a binding, or before the other peer's binding")  \
	X(relay_dropped, "relay datagrams over the rate limit of the peer, or of the server")      \
	X(challenged, "requests without a valid nonce, answered with a new one")                   \
	X(refused, "requests with an unknown name, or a wrong key")                                \
	X(refused_candidate, "registrations with a candidate that is not allowed")                 \
	X(refused_connect, "connect requests that are not allowed, or to a peer that is absent")   \
	X(refused_stale, "refreshes and requests of no registration, or from another address")     \
	X(refused_limit, "requests beyond a limit of registrations, sessions, connects or relays") \
	X(bad_request, "requests that are malformed, incomplete or not understood")                \
	X(foreign, "messages not meant for this server, not answered")                             \
	X(unanswered_short, "requests not answered: the answer would be longer than the request")  \
	X(unanswered_budget, "requests not answered: the prefix has used up its budget")           \
	X(stranger_in_bytes, "bytes of answered UDP requests of unauthenticated sources")          \
	X(stranger_out_bytes, "bytes of answers to unauthenticated UDP sources")

#define RENDEZVOUS_COUNTER_INDEX(name, help) COUNT_##name,
enum rendezvous_counter {
	RENDEZVOUS_COUNTERS(RENDEZVOUS_COUNTER_INDEX) RENDEZVOUS_COUNTERS_MAX
};

#endif
