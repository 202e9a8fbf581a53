/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A simulated Internet for two peers: hosts, NATs of every kind in RFC 4787, links with loss, delay
 * and reordering, a server with a relay, and one clock per peer. Time jumps from event to event.
 *
 * Both peers may offer TCP, at the same port as UDP. Its connections are not simulated: messages
 * pass where crossing SYN segments would, and are lost as datagrams are.
 *
 *   internet: server 192.0.2.1, hosts, NATs ── realm of a NAT: hosts, NATs ── realm …
 */
#ifndef SLUICE_TESTS_PEER_SIM_H
#define SLUICE_TESTS_PEER_SIM_H

#include "base/addr.h"
#include "meet/channel.h"
#include "meet/peer/relay.h"
#include "meet/peer/session.h"
#include "net/stun.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS_NS	     1000000ULL
#define SECOND_NS    1000000000ULL
#define NATS_MAX     4
#define MAPPINGS_MAX 64
#define PERMITS_MAX  32
#define PACKETS_MAX  512
#define PACKET_MAX   1500
#define INTERNET     (-1)
#define NOWHERE	     (-2)
#define CLOCK_START  (100 * SECOND_NS)
#define SIDES	     2
#define NOBODY	     2 /* a host that belongs to neither peer */
#define HOSTS	     3
#define LEGS_MAX     16 /* per peer at the relay, indexed by session */
#define SERVER	     "192.0.2.1:3478"

/* RFC 4787, sections 4.1 and 5 */
enum sim_kind {
	INDEPENDENT,
	BY_ADDRESS,
	BY_ADDRESS_AND_PORT
};

struct sim_permit {
	struct stun_endpoint to;
	uint64_t out_ns;
};

struct sim_mapping {
	bool used;
	struct stun_endpoint inside,
		to; /* to: the destination, as far as the mapping depends on it */
	in_port_t port_be;
	uint64_t out_ns;
	struct sim_permit permit[PERMITS_MAX];
	unsigned int permits;
};

struct sim_nat {
	int realm; /* realm of its public side */
	struct in6_addr addr;
	enum sim_kind mapping, filtering;
	bool hairpin;
	uint64_t timeout_ns; /* 0: mappings never expire */
	in_port_t next_port; /* ports are in order, in host order; 0: random */
	struct sim_mapping map[MAPPINGS_MAX];
};

/* A relay channel bound by a peer. */
struct sim_leg {
	bool bound;
	struct stun_endpoint at;
	uint16_t channel;
};

struct sim_host {
	int realm;
	struct stun_endpoint at;
	int64_t clock_ns; /* offset from the simulation clock */
	struct peer_session *session;
	struct introduction introduction; /* of the other peer; the server completes it */
	struct stun_endpoint mapped, mapped_tcp;
	unsigned int data; /* number of other datagrams that have arrived */
	uint64_t sent, bytes;
	uint64_t up_ns; /* when it got its full-size path; 0: it has none */
	bool reflects;	/* returns each datagram to its sender */
	enum peer_session_relay relay;
	uint64_t interval_ns;
	bool no_udp, no_tcp;
	struct sim_leg leg[LEGS_MAX];
	unsigned int relayed; /* number of datagrams received through the relay */
};

struct sim_packet {
	struct stun_endpoint from, to;
	int realm;
	bool from_nat; /* it has passed the NAT of this realm inbound */
	size_t length;
	uint8_t data[PACKET_MAX];
};

struct sim {
	uint64_t now_ns, random;
	struct sim_nat nat[NATS_MAX];
	struct sim_host host[HOSTS];
	/* in flight: arrival times, and slots; the rest of on_way lists the free slots */
	uint64_t at_ns[PACKETS_MAX];
	unsigned int on_way[PACKETS_MAX], packets;
	struct sim_packet packet[PACKETS_MAX];
	/* of the Internet links, one way */
	uint64_t delay_ns, jitter_ns;
	unsigned int loss; /* per mille */
	size_t mtu;	   /* larger datagrams are lost; 0: no limit */
	bool server_gone;
	bool has_relay;
	bool has_tcp, no_udp; /* no_udp: the hosts' networks drop UDP to each other */
	struct stun_endpoint server;
	bool isolated; /* hosts behind one NAT reach each other only through its public side */
	uint64_t dropped_by_nat, introductions;
	uint8_t static_key[SIDES][KEY_SIZE], static_public[SIDES][KEY_SIZE];
	uint8_t ephemeral_key[SIDES][KEY_SIZE], ephemeral_public[SIDES][KEY_SIZE];
	/* called for each datagram that enters the network */
	void (*tap)(int host, const struct stun_endpoint *to, const void *data, size_t length);
};

static struct sim sim;

/* --- basics */

/* xorshift64*, so that each run is repeatable */
static inline uint64_t sim_random(void)
{
	sim.random ^= sim.random >> 12;
	sim.random ^= sim.random << 25;
	sim.random ^= sim.random >> 27;
	return sim.random * 0x2545f4914f6cdd1dULL;
}

static inline uint64_t sim_below(uint64_t limit)
{
	return (sim_random() >> 33) % limit;
}

static inline void sim_fill(void *buffer, size_t size, void *arg)
{
	uint8_t *at = buffer;

	while (size--)
		*at++ = (uint8_t)(sim_random() >> 40);
}

static inline struct stun_endpoint sim_endpoint(const char *text)
{
	struct stun_endpoint at = { .port_be = 0 };

	if (!addr_parse_port(text, &at.addr, &at.port_be))
		fail_msg("%s is no address", text);
	return at;
}

static inline uint64_t sim_clock(const struct sim_host *host)
{
	return (uint64_t)((int64_t)sim.now_ns + host->clock_ns);
}

/* --- NATs */

static inline bool is_alive(const struct sim_nat *nat, const struct sim_mapping *mapping)
{
	return mapping->used &&
	       (!nat->timeout_ns || sim.now_ns - mapping->out_ns < nat->timeout_ns);
}

static inline bool is_mapping_of(const struct sim_nat *nat, const struct sim_mapping *mapping,
				 const struct stun_endpoint *inside, const struct stun_endpoint *to)
{
	if (!is_alive(nat, mapping) || !stun_endpoint_is_same(&mapping->inside, inside))
		return false;
	if (nat->mapping == INDEPENDENT)
		return true;
	return IN6_ARE_ADDR_EQUAL(&mapping->to.addr, &to->addr) &&
	       (nat->mapping == BY_ADDRESS || mapping->to.port_be == to->port_be);
}

/* Returns a port that no mapping uses; with the port of another mapping, a guess might succeed. */
static inline in_port_t sim_free_port(struct sim_nat *nat)
{
	in_port_t port_be = htons(nat->next_port ? nat->next_port++
						 : (uint16_t)(1024 + sim_below(60000)));
	unsigned int i;

	for (i = 0; i < MAPPINGS_MAX; i++)
		if (nat->map[i].used && nat->map[i].port_be == port_be)
			return sim_free_port(nat);
	return port_be;
}

/* Finds the mapping of an outbound datagram, or creates one at a random port. */
static inline struct sim_mapping *sim_map(struct sim_nat *nat, const struct stun_endpoint *inside,
					  const struct stun_endpoint *to)
{
	struct sim_mapping *mapping = NULL, *oldest = &nat->map[0];
	struct sim_permit *permit;
	unsigned int i;

	for (i = 0; i < MAPPINGS_MAX; i++) {
		if (is_mapping_of(nat, &nat->map[i], inside, to))
			mapping = &nat->map[i];
		if (!nat->map[i].used || (oldest->used && nat->map[i].out_ns < oldest->out_ns))
			oldest = &nat->map[i];
	}
	if (!mapping) {
		mapping = oldest;
		*mapping = (struct sim_mapping){
			.used = true,
			.inside = *inside,
			.to = *to,
			.port_be = sim_free_port(nat),
		};
	}
	mapping->out_ns = sim.now_ns;
	permit = mapping->permits < PERMITS_MAX ? &mapping->permit[mapping->permits]
						: &mapping->permit[0];
	for (i = 0; i < mapping->permits; i++) {
		if (stun_endpoint_is_same(&mapping->permit[i].to, to)) {
			mapping->permit[i].out_ns = sim.now_ns;
			return mapping;
		}
		if (mapping->permits == PERMITS_MAX && mapping->permit[i].out_ns < permit->out_ns)
			permit = &mapping->permit[i];
	}
	*permit = (struct sim_permit){ *to, sim.now_ns };
	if (mapping->permits < PERMITS_MAX)
		mapping->permits++;
	return mapping;
}

/* Finds the mapping of an inbound datagram. Returns NULL if the NAT drops the datagram. */
static inline struct sim_mapping *sim_admit(struct sim_nat *nat, const struct stun_endpoint *from,
					    const struct stun_endpoint *to)
{
	struct sim_mapping *mapping;
	unsigned int i, k;

	for (i = 0; i < MAPPINGS_MAX; i++) {
		mapping = &nat->map[i];
		if (!is_alive(nat, mapping) || mapping->port_be != to->port_be ||
		    mapping->inside.tcp != to->tcp)
			continue;
		if (nat->filtering == INDEPENDENT)
			return mapping;
		for (k = 0; k < mapping->permits; k++)
			if (IN6_ARE_ADDR_EQUAL(&mapping->permit[k].to.addr, &from->addr) &&
			    (nat->filtering == BY_ADDRESS ||
			     mapping->permit[k].to.port_be == from->port_be))
				return mapping;
	}
	return NULL;
}

/* --- packets */

/* Puts a packet into a realm, with a later arrival time. */
static inline void sim_enqueue(int realm, const struct stun_endpoint *from,
			       const struct stun_endpoint *to, const void *data, size_t length,
			       uint64_t delay_ns)
{
	struct sim_packet *packet;

	if (sim.packets == PACKETS_MAX)
		fail_msg("more than %d packets are on the way", PACKETS_MAX);
	packet = &sim.packet[sim.on_way[sim.packets]];
	sim.at_ns[sim.packets++] = sim.now_ns + delay_ns;
	packet->realm = realm;
	packet->from_nat = false;
	packet->from = *from;
	packet->to = *to;
	packet->length = length;
	assert_true(length <= PACKET_MAX);
	memcpy(packet->data, data, length);
}

static inline void sim_host_send(unsigned int host, const struct stun_endpoint *to,
				 const void *data, size_t length)
{
	struct stun_endpoint from = sim.host[host].at;
	uint8_t framed[PACKET_MAX];

	from.tcp = to->tcp;
	sim.host[host].sent++;
	sim.host[host].bytes += length;
	if (sim.tap)
		sim.tap((int)host, to, data, length);
	if (relay_is_endpoint(to)) {
		channel_put_header(framed, relay_channel(to), length);
		memcpy(framed + SLUICE_CHANNEL_HEADER, data, length);
		to = &sim.server;
		data = framed;
		length += SLUICE_CHANNEL_HEADER;
	} else if (sim.no_udp && !to->tcp) {
		return;
	}
	sim_enqueue(sim.host[host].realm, &from, to, data, length, MS_NS);
}

/* --- the relay, modelled on rendezvous/relay.c, which has its own tests */

static inline void sim_relay(const struct sim_packet *packet)
{
	uint8_t framed[PACKET_MAX];
	struct channel_data in;
	struct sim_leg *own, *other;
	unsigned int side, i;

	if (sim.server_gone || !sim.has_relay || channel_parse(packet->data, packet->length, &in))
		return;
	for (side = 0; side < SIDES; side++)
		for (i = 0; i < LEGS_MAX; i++) {
			own = &sim.host[side].leg[i];
			other = &sim.host[!side].leg[i];
			if (!own->bound || !other->bound || own->channel != in.number ||
			    !stun_endpoint_is_same(&own->at, &packet->from))
				continue;
			channel_put_header(framed, other->channel, in.length);
			memcpy(framed + SLUICE_CHANNEL_HEADER, in.data, in.length);
			sim.host[!side].relayed++;
			if (sim_below(1000) >= sim.loss)
				sim_enqueue(INTERNET, &sim.server, &other->at, framed,
					    SLUICE_CHANNEL_HEADER + in.length, sim.delay_ns);
			return;
		}
}

static inline void sim_flush(unsigned int side)
{
	struct sim_host *host = &sim.host[side];
	uint8_t buffer[PEER_SESSION_DATAGRAM_MAX];
	struct stun_endpoint to;
	size_t length;
	unsigned int sent = 0;

	while ((length = peer_session_send(host->session, buffer, &to, sim_clock(host)))) {
		if (++sent > 100)
			fail_msg("more than 100 datagrams at once");
		sim_host_send(side, &to, buffer, length);
	}
	if (peer_session_state(host->session) != PEER_SESSION_UP)
		host->up_ns = 0;
	else if (!host->up_ns)
		host->up_ns = sim.now_ns;
}

static inline void sim_host_receive(unsigned int index, const struct sim_packet *packet)
{
	struct sim_host *host = &sim.host[index];
	struct stun_endpoint from = packet->from;
	const uint8_t *data = packet->data;
	size_t length = packet->length;
	struct stun_message message;
	struct channel_data in;
	uint8_t *copy;

	if (host->reflects)
		sim_enqueue(host->realm, &host->at, &packet->from, packet->data, packet->length,
			    MS_NS);
	if (!host->session)
		return;
	if (stun_endpoint_is_same(&packet->from, &sim.server) &&
	    !channel_parse(packet->data, packet->length, &in)) {
		from = relay_endpoint(0, in.number);
		data = in.data;
		length = in.length;
	}
	if (length && data[0] == 0x80) { /* other traffic */
		host->data++;
		peer_session_heard(host->session, &from);
		return;
	}
	copy = malloc(length ? length : 1); /* exact size, for the address sanitizer */
	assert_non_null(copy);
	memcpy(copy, data, length);
	if (!stun_parse(copy, length, &message))
		peer_session_receive(host->session, &from, &message, sim_clock(host));
	free(copy);
	sim_flush(index);
}

/* Delivers a packet that has arrived in its realm, or forwards it to the next realm. */
static inline void sim_deliver(struct sim_packet *packet)
{
	struct stun_endpoint outside, udp = packet->to;
	struct sim_mapping *mapping;
	struct sim_nat *nat;
	uint64_t delay_ns;
	unsigned int i;

	udp.tcp = false;
	if (packet->realm == INTERNET && stun_endpoint_is_same(&packet->to, &sim.server)) {
		sim_relay(packet);
		return;
	}
	for (i = 0; i < HOSTS; i++)
		if (sim.host[i].realm == packet->realm &&
		    !(sim.isolated && packet->realm != INTERNET && !packet->from_nat) &&
		    stun_endpoint_is_same(&sim.host[i].at, &udp)) {
			sim_host_receive(i, packet);
			return;
		}
	for (i = 0; i < NATS_MAX; i++) { /* inbound */
		nat = &sim.nat[i];
		if (nat->realm != packet->realm || !nat->addr.s6_addr[10] ||
		    !IN6_ARE_ADDR_EQUAL(&nat->addr, &packet->to.addr))
			continue;
		mapping = sim_admit(nat, &packet->from, &packet->to);
		if (!mapping) {
			sim.dropped_by_nat++;
			return;
		}
		sim_enqueue((int)i, &packet->from, &mapping->inside, packet->data, packet->length,
			    0);
		sim.packet[sim.on_way[sim.packets - 1]].from_nat = true;
		return;
	}
	if (packet->realm == INTERNET || packet->realm == NOWHERE)
		return;
	nat = &sim.nat[packet->realm]; /* outbound */
	mapping = sim_map(nat, &packet->from, &packet->to);
	outside = (struct stun_endpoint){ nat->addr, mapping->port_be, packet->to.tcp };
	if (IN6_ARE_ADDR_EQUAL(&nat->addr, &packet->to.addr)) {
		if (nat->hairpin)
			sim_enqueue(nat->realm, &outside, &packet->to, packet->data, packet->length,
				    0);
		return;
	}
	if (nat->realm == INTERNET) {
		if (sim_below(1000) < sim.loss || (sim.mtu && packet->length > sim.mtu))
			return;
		delay_ns = sim.delay_ns + (sim.jitter_ns ? sim_below(sim.jitter_ns) : 0);
	} else {
		delay_ns = MS_NS;
	}
	sim_enqueue(nat->realm, &outside, &packet->to, packet->data, packet->length, delay_ns);
}

/* --- time */

static inline int sim_first_packet(void)
{
	unsigned int i;
	int first = -1;

	for (i = 0; i < sim.packets; i++)
		if (first < 0 || sim.at_ns[i] < sim.at_ns[first])
			first = (int)i;
	return first;
}

/* Returns the time at which a session is due, by the clock of the simulation. */
static inline uint64_t sim_due(const struct sim_host *host)
{
	uint64_t due_ns, now_ns = sim_clock(host);

	if (!host->session)
		return UINT64_MAX;
	due_ns = peer_session_due_ns(host->session);
	if (due_ns == UINT64_MAX)
		return UINT64_MAX;
	return sim.now_ns + (due_ns > now_ns ? due_ns - now_ns : 0);
}

static inline void sim_on_events(unsigned int side);

static inline void sim_timeout(unsigned int side)
{
	peer_session_timeout(sim.host[side].session, sim_clock(&sim.host[side]));
	sim_flush(side);
}

/* Runs one event. Returns false if none is due before @end_ns, and advances the time to @end_ns. */
static inline bool sim_step(uint64_t end_ns)
{
	uint64_t due_ns, at_ns = end_ns;
	int first = sim_first_packet(), timer = -1;
	unsigned int side, slot;

	if (first >= 0 && sim.at_ns[first] < at_ns)
		at_ns = sim.at_ns[first];
	else
		first = -1;
	for (side = 0; side < SIDES; side++) {
		due_ns = sim_due(&sim.host[side]);
		if (due_ns < at_ns) {
			at_ns = due_ns;
			timer = (int)side;
			first = -1;
		}
	}
	sim.now_ns = at_ns;
	if (timer >= 0) {
		sim_timeout((unsigned int)timer);
		if (sim_due(&sim.host[timer]) <= sim.now_ns)
			fail_msg("the session of host %d stays due", timer);
	} else if (first >= 0) {
		/* the last packet moves to this position; the free slot goes to the end */
		slot = sim.on_way[first];
		sim.packets--;
		sim.on_way[first] = sim.on_way[sim.packets];
		sim.at_ns[first] = sim.at_ns[sim.packets];
		memmove(&sim.on_way[sim.packets], &sim.on_way[sim.packets + 1],
			(PACKETS_MAX - 1 - sim.packets) * sizeof(*sim.on_way));
		sim.on_way[PACKETS_MAX - 1] = slot;
		sim_deliver(&sim.packet[slot]);
	} else {
		return false;
	}
	for (side = 0; side < SIDES; side++)
		sim_on_events(side);
	return true;
}

static inline void sim_run(uint64_t duration_ns)
{
	uint64_t end_ns = sim.now_ns + duration_ns;

	while (sim_step(end_ns))
		;
}

static inline bool sim_is_up(void)
{
	return sim.host[0].up_ns && sim.host[1].up_ns;
}

static inline bool sim_has_failed(void)
{
	return peer_session_state(sim.host[0].session) == PEER_SESSION_FAILED ||
	       peer_session_state(sim.host[1].session) == PEER_SESSION_FAILED;
}

/* Runs until both peers have a full-size path. Returns false on timeout. */
static inline bool sim_run_up(uint64_t duration_ns)
{
	uint64_t end_ns = sim.now_ns + duration_ns;

	while (!sim_is_up() && !sim_has_failed() && sim_step(end_ns))
		;
	return sim_is_up();
}

/* --- the server */

/* Returns the address that the NATs assign to @at toward the server. */
static inline struct stun_endpoint sim_map_all(int realm, struct stun_endpoint at)
{
	struct stun_endpoint server = sim.server;

	server.tcp = at.tcp;
	for (; realm != INTERNET; realm = sim.nat[realm].realm) {
		at.port_be = sim_map(&sim.nat[realm], &at, &server)->port_be;
		at.addr = sim.nat[realm].addr;
	}
	return at;
}

/* Registers a host: the server sees the address that the NATs assign. */
static inline void sim_register(unsigned int side)
{
	struct sim_host *host = &sim.host[side];
	struct stun_endpoint tcp = host->at;
	unsigned int i;
	int realm = host->realm;

	host->mapped = sim_map_all(realm, host->at);
	if (sim.has_tcp) {
		tcp.tcp = true;
		host->mapped_tcp = sim_map_all(realm, tcp);
	}
	/* its channels move to the new address */
	for (i = 0; i < LEGS_MAX; i++)
		host->leg[i].at = host->mapped;
}

static inline void sim_put_candidate(struct introduction *introduction,
				     const struct stun_endpoint *at, uint8_t kind)
{
	introduction->candidate[introduction->candidates++] =
		(struct candidate){ .at = { at->addr, at->port_be },
				    .kind = kind,
				    .transport = at->tcp ? CANDIDATE_TCP : CANDIDATE_UDP };
}

/* Creates the introductions of both peers, for a request by @initiator. */
static inline void sim_introduce(unsigned int initiator, uint64_t skew_ns)
{
	uint8_t id[SLUICE_RENDEZVOUS_SESSION_ID_SIZE];
	struct introduction *introduction;
	unsigned int side;

	sim.introductions++;
	sim_fill(id, sizeof(id), NULL);
	for (side = 0; side < SIDES; side++) {
		introduction = &sim.host[side].introduction;
		*introduction = (struct introduction){ .initiator = side == initiator };
		strcpy(introduction->name, side ? "a" : "b");
		memcpy(introduction->id, id, sizeof(id));
		memcpy(introduction->ephemeral_secret, sim.ephemeral_key[side], KEY_SIZE);
		memcpy(introduction->peer_ephemeral, sim.ephemeral_public[!side], KEY_SIZE);
		memcpy(introduction->peer_key, sim.static_public[!side], KEY_SIZE);
		introduction->mapped = sim.host[side].mapped;
		introduction->start_ns = sim_clock(&sim.host[side]) + 50 * MS_NS +
					 (side ? skew_ns : 0);
		sim_put_candidate(introduction, &sim.host[!side].mapped, CANDIDATE_REFLEXIVE);
		if (!stun_endpoint_is_same(&sim.host[!side].at, &sim.host[!side].mapped))
			sim_put_candidate(introduction, &sim.host[!side].at, CANDIDATE_HOST);
		if (sim.has_tcp)
			sim_put_candidate(introduction, &sim.host[!side].mapped_tcp,
					  CANDIDATE_REFLEXIVE);
	}
}

/* Starts the sessions of both peers with their introductions. */
static inline void sim_begin(void)
{
	struct peer_session_options options;
	unsigned int side;

	for (side = 0; side < SIDES; side++) {
		options =
			(struct peer_session_options){ .random = sim_fill,
						       .relay = sim.host[side].relay,
						       .no_udp = sim.host[side].no_udp,
						       .no_tcp = sim.host[side].no_tcp,
						       .interval_ns = sim.host[side].interval_ns };
		memcpy(options.secret, sim.static_key[side], KEY_SIZE);
		assert_int_equal(peer_session_new(&sim.host[side].session, &options,
						  &sim.host[side].introduction,
						  sim_clock(&sim.host[side])),
				 0);
	}
}

/* Binds a channel for the latest introduction, and adds it to the session. */
static inline void sim_bind(unsigned int side)
{
	struct sim_host *host = &sim.host[side];
	unsigned int i = sim.introductions % LEGS_MAX;
	struct stun_endpoint at = { .port_be = 0 };

	sim_register(side);
	host->leg[i] = (struct sim_leg){
		.bound = true,
		.at = host->mapped,
		.channel = (uint16_t)(SLUICE_CHANNEL_MIN + sim.introductions % 1000 * SIDES + side)
	};
	at = relay_endpoint(0, host->leg[i].channel);
	peer_session_set_relay(host->session, host->introduction.id, &at, sim_clock(host));
	sim_flush(side);
}

/* Drops all state of the relay, as a restart of the server does. */
static inline void sim_forget_relay(void)
{
	unsigned int side, i;
	struct stun_endpoint at = { .port_be = 0 };

	for (side = 0; side < SIDES; side++)
		for (i = 0; i < LEGS_MAX; i++) {
			if (!sim.host[side].leg[i].bound)
				continue;
			sim.host[side].leg[i].bound = false;
			at = relay_endpoint(0, sim.host[side].leg[i].channel);
			peer_session_lose(sim.host[side].session, &at, sim_clock(&sim.host[side]));
			sim_flush(side);
		}
}

static inline bool sim_is_relayed(unsigned int side)
{
	const struct peer_session_remote *path = peer_session_path(sim.host[side].session);

	return path && path->kind == PEER_SESSION_REMOTE_RELAYED;
}

/* Acts as the rendezvous client and the server. */
static inline void sim_on_events(unsigned int side)
{
	unsigned int events, i;

	if (!sim.host[side].session)
		return;
	events = peer_session_events(sim.host[side].session);
	if (sim.server_gone)
		return;
	if (events & PEER_SESSION_WANTS_REFRESH)
		sim_register(side);
	if (events & PEER_SESSION_WANTS_RELAY && sim.has_relay)
		sim_bind(side);
	if (!(events & PEER_SESSION_WANTS_INTRODUCTION))
		return;
	assert_true(sim.host[side].introduction.initiator);
	sim_register(!side);
	sim_introduce(side, 0);
	for (i = 0; i < SIDES; i++)
		assert_int_equal(peer_session_introduce(sim.host[i].session,
							&sim.host[i].introduction,
							sim_clock(&sim.host[i])),
				 0);
}

/* --- setup */

static inline void sim_reset(uint64_t seed)
{
	unsigned int i;

	for (i = 0; i < HOSTS; i++)
		peer_session_free(sim.host[i].session);
	memset(sim.nat, 0, sizeof(sim.nat));
	memset(sim.host, 0, sizeof(sim.host));
	sim.packets = 0;
	for (i = 0; i < PACKETS_MAX; i++)
		sim.on_way[i] = i;
	sim.loss = 0;
	sim.mtu = 0;
	sim.delay_ns = 20 * MS_NS;
	sim.jitter_ns = 0;
	sim.server_gone = false;
	sim.has_relay = false;
	sim.has_tcp = sim.no_udp = false;
	sim.server = sim_endpoint(SERVER);
	sim.isolated = false;
	sim.introductions = 0;
	sim.tap = NULL;
	sim.now_ns = CLOCK_START;
	sim.random = seed * 0x9e3779b97f4a7c15ULL + 1;
	/* the keys may be constant, because the session id makes the secrets differ */
	for (i = 0; i < SIDES && !sim.static_key[i][0]; i++) {
		memset(sim.static_key[i], 0x11 * ((int)i + 1), KEY_SIZE);
		memset(sim.ephemeral_key[i], 0x11 * ((int)i + 3), KEY_SIZE);
		key_public(sim.static_public[i], sim.static_key[i]);
		key_public(sim.ephemeral_public[i], sim.ephemeral_key[i]);
	}
	for (i = 0; i < HOSTS; i++)
		sim.host[i].realm = NOWHERE;
}

static inline void sim_nat(int index, int realm, const char *addr, enum sim_kind mapping,
			   enum sim_kind filtering)
{
	sim.nat[index] = (struct sim_nat){
		.realm = realm, .mapping = mapping, .filtering = filtering, .hairpin = true
	};
	sim.nat[index].addr = sim_endpoint(addr).addr;
}

static inline void sim_host(unsigned int side, int realm, const char *at)
{
	sim.host[side].realm = realm;
	sim.host[side].at = sim_endpoint(at);
}

/* Sends other traffic along the selected path, as QUIC does. */
static inline void sim_send_data(unsigned int side)
{
	const struct peer_session_remote *path = peer_session_path(sim.host[side].session);
	uint8_t data[100] = { 0x80 };

	if (!path)
		return;
	sim_host_send(side, &path->at, data, sizeof(data));
	peer_session_sent(sim.host[side].session, sim_clock(&sim.host[side]));
	sim_flush(side);
}

/* Returns true if traffic passes in both directions. */
static inline bool sim_passes(void)
{
	unsigned int side, before[SIDES], loss = sim.loss;

	sim.loss = 0;
	for (side = 0; side < SIDES; side++) {
		before[side] = sim.host[side].data;
		sim_send_data(side);
	}
	sim_run(SECOND_NS);
	sim.loss = loss;
	return sim.host[0].data > before[0] && sim.host[1].data > before[1];
}

/* Puts two hosts behind NATs that keep their mapping for all peers. */
static inline void sim_put_nats(enum sim_kind filtering)
{
	sim_nat(0, INTERNET, "198.51.100.1:1", INDEPENDENT, filtering);
	sim_nat(1, INTERNET, "203.0.113.2:1", INDEPENDENT, filtering);
	sim_host(0, 0, "10.0.0.5:40000");
	sim_host(1, 1, "10.1.1.7:40001");
}

/* Registers both peers and introduces them; the first one has requested it. */
static inline void sim_meet(void)
{
	sim_register(0);
	sim_register(1);
	sim_introduce(0, 0);
	sim_begin();
}

#endif
