// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * QUIC between two peers, through memory and in simulated time: both peers prove possession of
 * their keys, streams survive loss and reordering, and a connection survives the loss of all
 * datagrams.
 */
#include "meet/quic/drops.h"
#include "meet/quic/quic.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define MS	    1000000ULL
#define SECOND	    (1000 * MS)
#define PACKETS_MAX 4096
#define STREAMS	    4

struct packet {
	uint64_t at_ns;
	unsigned int to;
	size_t length;
	uint8_t data[QUIC_PACKET_MAX];
};

struct end;

/* A test's view of a stream. */
struct flow {
	struct end *end;
	struct quic_stream *stream; /* NULL: the stream has ended */
	uint64_t to_send, sent, received, held;
	bool fin, ended, reset;
};

struct end {
	struct net *net;
	unsigned int number;
	struct quic *quic;
	struct quic_settings settings;
	struct drops drops;
	bool ready, keep; /* keep: received data is not consumed */
	uint64_t ready_ns;
	unsigned int datagrams;
	struct flow flow[STREAMS];
	unsigned int flows;
	uint64_t answer; /* bytes to send on each stream opened by the other end */
	unsigned int packets;
};

struct net {
	struct quic_endpoint *endpoint;
	uint64_t now_ns, delay_ns;
	unsigned int loss, jitter_ms; /* loss in percent */
	size_t mtu;		      /* size that no packet exceeds */
	size_t lost_from;	      /* packets of this size and larger are lost; 0: none */
	uint32_t random;
	struct end end[2]; /* the client and the server */
	struct packet *packet;
	struct packet **due; /* all packets; the first @packets are in flight, the earliest last */
	unsigned int packets;
	bool refuse_streams;
};

static uint32_t draw(struct net *net)
{
	net->random = net->random * 1664525 + 1013904223;
	return net->random >> 8;
}

/* Returns a byte of a pattern with a long period, so that misplaced bytes are detected. */
static uint8_t pattern(uint64_t at)
{
	return (uint8_t)((at * 2654435761U) >> 13 ^ at >> 7);
}

static void send_packet(struct net *net, unsigned int to, const uint8_t *data, size_t length)
{
	unsigned int at = net->packets++;
	struct packet *packet;

	assert_true(at < PACKETS_MAX);
	packet = net->due[at];
	packet->to = to;
	packet->at_ns = net->now_ns + net->delay_ns;
	if (net->jitter_ms)
		packet->at_ns += draw(net) % net->jitter_ms * MS;
	packet->length = length;
	memcpy(packet->data, data, length);
	for (; at && net->due[at - 1]->at_ns <= packet->at_ns; at--)
		net->due[at] = net->due[at - 1];
	net->due[at] = packet;
}

static void on_send(void *arg, const void *packets, size_t length, size_t size)
{
	struct end *end = arg;
	struct net *net = end->net;
	size_t at, part;

	assert_true(length && size && size <= net->mtu && length < 65507);
	for (at = 0; at < length; at += part) {
		const uint8_t *data = (const uint8_t *)packets + at;

		part = length - at < size ? length - at : size;
		end->packets++;
		/* RFC 9443: first bytes 0 to 3 are STUN, and the QUIC bit is never greased */
		assert_true(data[0] & 0x40);
		if (draw(net) % 100 < net->loss || (net->lost_from && part >= net->lost_from))
			continue;
		send_packet(net, !end->number, data, part);
	}
}

static void on_ready(void *arg)
{
	struct end *end = arg;

	end->ready = true;
	end->ready_ns = end->net->now_ns;
}

static void on_datagram(void *arg, const uint8_t *data, size_t length)
{
	struct end *end = arg;

	assert_true(length >= 4 && !memcmp(data, "head", 4));
	end->datagrams++;
}

static void fill(struct flow *flow)
{
	struct iovec piece[2];
	int i, count;

	while (flow->sent < flow->to_send && (count = quic_stream_space(flow->stream, piece))) {
		size_t put = 0, at;

		for (i = 0; i < count; i++)
			for (at = 0; at < piece[i].iov_len && flow->sent < flow->to_send;
			     at++, put++)
				((uint8_t *)piece[i].iov_base)[at] = pattern(flow->sent++);
		quic_stream_commit(flow->stream, put);
	}
	if (flow->sent == flow->to_send)
		quic_stream_finish(flow->stream);
}

static void on_data(void *user, const uint8_t *data, size_t length, bool fin)
{
	struct flow *flow = user;
	size_t i;

	for (i = 0; i < length; i++)
		assert_int_equal(data[i], pattern(flow->received + i));
	flow->received += length;
	flow->fin = fin;
	if (flow->end->keep)
		flow->held += length;
	else
		quic_stream_consumed(flow->stream, length);
}

static void on_writable(void *user)
{
	fill(user);
}

static void on_ended(void *user, bool reset)
{
	struct flow *flow = user;

	flow->stream = NULL;
	flow->ended = true;
	flow->reset = reset;
}

static void *on_opened(void *arg, struct quic_stream *stream)
{
	struct end *end = arg;
	struct flow *flow = &end->flow[end->flows];

	if (end->net->refuse_streams)
		return NULL;
	assert_true(end->flows++ < STREAMS);
	*flow = (struct flow){ .end = end, .stream = stream, .to_send = end->answer };
	fill(flow);
	return flow;
}

static const struct quic_handlers handlers = {
	.send = on_send,
	.ready = on_ready,
	.datagram = on_datagram,
	.opened = on_opened,
	.data = on_data,
	.writable = on_writable,
	.ended = on_ended,
};

static void net_new(struct net *net, uint32_t seed)
{
	unsigned int i;

	*net = (struct net){
		.now_ns = 1000 * SECOND, .delay_ns = 15 * MS, .random = seed, .mtu = QUIC_PACKET
	};
	net->packet = calloc(PACKETS_MAX, sizeof(*net->packet));
	net->due = calloc(PACKETS_MAX, sizeof(*net->due));
	assert_true(net->packet && net->due);
	for (i = 0; i < PACKETS_MAX; i++)
		net->due[i] = &net->packet[i];
	assert_int_equal(quic_endpoint_new(&net->endpoint), 0);
	for (i = 0; i < 2; i++) {
		net->end[i] = (struct end){ .net = net, .number = i };
		net->end[i].settings = (struct quic_settings){
			.server = i,
			.slot = (uint16_t)(300 + i),
			.first_id = { 1, 2, 3, 4, 5, 6, 7, 8 },
			.psk = { 7, 7, 7 },
			.identity = "0123456789abcdef0123456789abcdef",
			.drops = &net->end[i].drops,
			.rtt_ns = 30 * MS,
			.handlers = &handlers,
			.arg = &net->end[i],
		};
	}
}

static void net_free(struct net *net)
{
	quic_free(net->end[0].quic);
	quic_free(net->end[1].quic);
	quic_endpoint_free(net->endpoint);
	free(net->packet);
	free(net->due);
}

/* Copies the packet first, because an answer may reuse its slot. */
static void deliver(struct net *net, const struct packet *arrived)
{
	const struct packet copy = *arrived, *packet = &copy;
	struct end *end = &net->end[packet->to];
	const uint8_t *id;
	bool first = false;

	id = quic_destination(packet->data, packet->length, &first);
	assert_non_null(id);
	if (!first || !packet->to)
		assert_int_equal(quic_slot(id), end->settings.slot);
	if (!end->quic && quic_accept(net->endpoint, &end->settings, packet->data, packet->length,
				      net->now_ns, &end->quic))
		return;
	quic_receive(end->quic, packet->data, packet->length, net->now_ns);
	quic_flush(end->quic, net->now_ns);
}

/* Advances to the next packet or deadline. Returns false if none is due before @until_ns. */
static bool step(struct net *net, uint64_t until_ns)
{
	uint64_t next_ns = until_ns;
	struct packet *packet;
	unsigned int i;

	for (i = 0; i < 2; i++)
		if (net->end[i].quic && quic_next_ns(net->end[i].quic) < next_ns)
			next_ns = quic_next_ns(net->end[i].quic);
	packet = net->packets ? net->due[net->packets - 1] : NULL;
	if (packet && packet->at_ns <= next_ns) {
		if (packet->at_ns > net->now_ns)
			net->now_ns = packet->at_ns;
		net->packets--;
		deliver(net, packet);
		return true;
	}
	if (next_ns >= until_ns) {
		net->now_ns = until_ns;
		return false;
	}
	if (next_ns > net->now_ns)
		net->now_ns = next_ns;
	for (i = 0; i < 2; i++)
		if (net->end[i].quic) {
			quic_expire(net->end[i].quic, net->now_ns);
			quic_flush(net->end[i].quic, net->now_ns);
		}
	return true;
}

static void run(struct net *net, uint64_t ns)
{
	uint64_t until_ns = net->now_ns + ns;

	while (step(net, until_ns))
		;
}

static void begin(struct net *net)
{
	assert_int_equal(
		quic_connect(net->endpoint, &net->end[0].settings, net->now_ns, &net->end[0].quic),
		0);
	quic_flush(net->end[0].quic, net->now_ns);
}

static void up(struct net *net, uint32_t seed)
{
	net_new(net, seed);
	begin(net);
	run(net, SECOND);
	assert_true(net->end[0].ready && net->end[1].ready);
}

static struct flow *open_flow(struct end *end, uint64_t to_send)
{
	struct flow *flow = &end->flow[end->flows++];

	*flow = (struct flow){ .end = end, .to_send = to_send };
	flow->stream = quic_stream_open(end->quic, flow);
	assert_non_null(flow->stream);
	fill(flow);
	quic_flush(end->quic, end->net->now_ns);
	return flow;
}

/* --- the handshake */

static void test_handshake(void **state)
{
	struct net net;
	uint64_t start_ns;

	net_new(&net, 1);
	start_ns = net.now_ns;
	begin(&net);
	assert_null(quic_stream_open(net.end[0].quic, &net));
	assert_int_equal(quic_datagram(net.end[0].quic, "head", 4, "", 0, net.now_ns), -ENOTCONN);
	run(&net, SECOND);
	/* one RTT for the client, and half an RTT more for the server */
	assert_int_equal(net.end[0].ready_ns - start_ns, 30 * MS);
	assert_int_equal(net.end[1].ready_ns - start_ns, 45 * MS);
	assert_in_range(quic_rtt_ns(net.end[0].quic), 30 * MS, 60 * MS);
	assert_null(quic_end(net.end[0].quic));

	quic_close(net.end[0].quic, net.now_ns);
	run(&net, SECOND);
	assert_non_null(quic_end(net.end[0].quic));
	assert_string_equal(quic_end(net.end[1].quic), "the other peer has closed the connection");
	net_free(&net);
}

static void refused(struct net *net)
{
	begin(net);
	run(net, 20 * SECOND);
	assert_false(net->end[0].ready || net->end[1].ready);
	assert_non_null(quic_end(net->end[0].quic));
	assert_int_equal(quic_next_ns(net->end[0].quic), UINT64_MAX);
	if (net->end[1].quic)
		assert_non_null(quic_end(net->end[1].quic));
	net_free(net);
}

static void test_wrong_key(void **state)
{
	struct net net;

	net_new(&net, 2);
	net.end[0].settings.psk[5] ^= 1;
	refused(&net);

	net_new(&net, 3);
	net.end[1].settings.identity = "0123456789abcdef0123456789abcdee";
	refused(&net);
}

/* A client's first packet from another session creates no connection. */
static void test_other_session(void **state)
{
	struct net net;

	net_new(&net, 4);
	net.end[1].settings.first_id[7] ^= 1;
	begin(&net);
	run(&net, 20 * SECOND);
	assert_null(net.end[1].quic);
	assert_string_equal(quic_end(net.end[0].quic),
			    "the other peer did not answer the handshake");
	net_free(&net);
}

/*
 * By default, ngtcp2 greases the QUIC bit in half of its connections; on_send() checks that it does
 * not.
 */
static void test_quic_bit(void **state)
{
	struct net net;
	uint32_t i;

	for (i = 0; i < 20; i++) {
		up(&net, i);
		net_free(&net);
	}
}

static void test_lost_handshake(void **state)
{
	struct net net;
	uint32_t i;

	for (i = 0; i < 10; i++) {
		net_new(&net, i);
		net.loss = 30;
		net.jitter_ms = 20;
		begin(&net);
		run(&net, 9 * SECOND);
		assert_true(net.end[0].ready && net.end[1].ready);
		net_free(&net);
	}
}

static void test_junk(void **state)
{
	static const uint8_t stun[20] = { 0, 1 };
	struct net net;
	uint8_t junk[64];
	uint32_t i, j;
	bool first;

	assert_null(quic_destination(stun, 0, &first));
	assert_null(quic_destination("\x40", 1, &first));
	up(&net, 5);
	for (i = 0; i < 2000; i++) {
		for (j = 0; j < sizeof(junk); j++)
			junk[j] = (uint8_t)draw(&net);
		junk[0] |= 0x40;
		if (quic_destination(junk, draw(&net) % sizeof(junk), &first))
			quic_receive(net.end[i % 2].quic, junk, sizeof(junk), net.now_ns);
	}
	assert_true(quic_is_ready(net.end[0].quic) && quic_is_ready(net.end[1].quic));
	net_free(&net);
}

/* --- streams */

static void transfer(unsigned int loss, unsigned int jitter_ms, uint64_t size)
{
	struct net net;
	struct flow *flow;
	unsigned int i;

	up(&net, loss + 6);
	net.loss = loss;
	net.jitter_ms = jitter_ms;
	net.end[1].answer = size / 2;
	for (i = 0; i < 3; i++)
		open_flow(&net.end[0], size);
	run(&net, 600 * SECOND);
	assert_int_equal(net.end[1].flows, 3);
	for (i = 0; i < 3; i++) {
		flow = &net.end[0].flow[i];
		assert_true(flow->ended && !flow->reset && flow->fin);
		assert_int_equal(flow->received, size / 2);
		flow = &net.end[1].flow[i];
		assert_true(flow->ended && !flow->reset && flow->fin);
		assert_int_equal(flow->received, size);
	}
	net_free(&net);
}

static void test_streams(void **state)
{
	transfer(0, 0, 1 << 20);
	transfer(5, 10, 300000);
	transfer(30, 40, 100000);
	transfer(0, 0, 0);
}

/* A stream that is not consumed blocks the sender of this stream, but no other stream. */
static void test_back_pressure(void **state)
{
	struct flow *slow, *fast;
	struct net net;
	uint64_t before;

	up(&net, 7);
	net.end[1].keep = true;
	open_flow(&net.end[0], 1 << 20);
	run(&net, 20 * SECOND);
	slow = &net.end[1].flow[0];
	before = slow->received;
	assert_in_range(before, 100000, 300000);
	run(&net, 20 * SECOND);
	assert_int_equal(slow->received, before);

	net.end[1].keep = false;
	open_flow(&net.end[0], 1 << 20);
	run(&net, 60 * SECOND);
	fast = &net.end[1].flow[1];
	assert_int_equal(fast->received, 1 << 20);
	assert_int_equal(slow->received, before);

	quic_stream_consumed(slow->stream, slow->held);
	slow->held = 0;
	quic_flush(net.end[1].quic, net.now_ns);
	run(&net, 60 * SECOND);
	assert_int_equal(slow->received, 1 << 20);
	net_free(&net);
}

/*
 * A reset releases the stream's share of the connection window, so that later streams do not
 * starve.
 */
static void test_reset(void **state)
{
	struct net net;
	unsigned int i;

	up(&net, 8);
	for (i = 0; i < 6; i++) {
		net.end[1].keep = true;
		open_flow(&net.end[0], 1 << 20);
		run(&net, 10 * SECOND);
		assert_true(net.end[1].flow[0].held > 100000);
		quic_stream_reset(net.end[1].flow[0].stream);
		quic_flush(net.end[1].quic, net.now_ns);
		run(&net, 5 * SECOND);
		assert_true(net.end[0].flow[0].ended && net.end[0].flow[0].reset);
		assert_false(net.end[1].flow[0].ended);
		net.end[0].flows = net.end[1].flows = 0;
	}
	net.end[1].keep = false;
	open_flow(&net.end[0], 1 << 20);
	run(&net, 60 * SECOND);
	assert_int_equal(net.end[1].flow[0].received, 1 << 20);

	net.refuse_streams = true;
	net.end[0].flows = 0;
	open_flow(&net.end[0], 1000);
	run(&net, 5 * SECOND);
	assert_true(net.end[0].flow[0].reset);
	net_free(&net);
}

/* --- datagrams */

static int send_datagram(struct net *net, size_t length)
{
	static const uint8_t data[QUIC_DATAGRAM_MAX];
	int result = quic_datagram(net->end[0].quic, "head", 4, data, length - 4, net->now_ns);

	quic_flush(net->end[0].quic, net->now_ns);
	return result;
}

static void set_mtu(struct net *net, size_t mtu)
{
	net->mtu = mtu;
	quic_set_packet_size(net->end[0].quic, mtu);
	quic_set_packet_size(net->end[1].quic, mtu);
}

static void test_datagrams(void **state)
{
	static const size_t mtu[] = { QUIC_PACKET, 1372, QUIC_PACKET_MAX };
	size_t limit;
	struct net net;
	unsigned int i, k;

	for (k = 0; k < sizeof(mtu) / sizeof(*mtu); k++) {
		up(&net, 9);
		set_mtu(&net, mtu[k]);
		limit = mtu[k] - QUIC_OVERHEAD;
		assert_int_equal(send_datagram(&net, limit + 1), -EMSGSIZE);
		for (i = 0; i < 1000; i++) {
			assert_int_equal(send_datagram(&net, 4 + i * (limit - 4) / 999), 0);
			run(&net, MS);
		}
		run(&net, SECOND);
		assert_int_equal(net.end[1].datagrams, 1000);
		assert_int_equal(net.end[0].drops.count[DROP_QUEUE], 0);
		net_free(&net);
	}
}

/* Packets use the path MTU: a transfer needs fewer of them. */
static void test_packet_size(void **state)
{
	unsigned int small, large;
	struct net net;

	up(&net, 21);
	open_flow(&net.end[0], 1 << 20);
	run(&net, 10 * SECOND);
	assert_int_equal(net.end[1].flow[0].received, 1 << 20);
	small = net.end[0].packets;
	net_free(&net);
	up(&net, 21);
	set_mtu(&net, QUIC_PACKET_MAX);
	open_flow(&net.end[0], 1 << 20);
	run(&net, 10 * SECOND);
	assert_int_equal(net.end[1].flow[0].received, 1 << 20);
	large = net.end[0].packets;
	net_free(&net);
	assert_in_range(large * 100 / small, 75, 88);
}

/*
 * In mid-transfer, the path starts to drop large packets. The connection reports the stall, and
 * after the packet size is reduced, the transfer continues at once, without loss of a byte.
 */
static void test_black_hole(void **state)
{
	uint64_t got;
	struct net net;

	up(&net, 22);
	set_mtu(&net, QUIC_PACKET_MAX);
	open_flow(&net.end[0], 4 << 20);
	run(&net, 60 * MS);
	net.lost_from = 1373;
	(void)quic_stalls(net.end[0].quic);
	run(&net, 100 * MS); /* packets in flight arrive */
	got = net.end[1].flow[0].received;
	run(&net, 2 * SECOND);
	assert_int_equal(net.end[1].flow[0].received, got);
	assert_true(got < 4 << 20);
	assert_true(quic_stalls(net.end[0].quic));
	assert_int_equal(send_datagram(&net, QUIC_PACKET_MAX - QUIC_OVERHEAD), 0);
	set_mtu(&net, QUIC_PACKET);
	quic_path_changed(net.end[0].quic, net.now_ns);
	run(&net, 200 * MS);
	assert_true(net.end[1].flow[0].received > got);
	run(&net, 10 * SECOND);
	assert_int_equal(net.end[1].flow[0].received, 4 << 20);
	/* a queued datagram that no longer fits is dropped, and does not block the queue */
	assert_int_equal(net.end[0].drops.count[DROP_QUEUE], 1);
	assert_int_equal(send_datagram(&net, 100), 0);
	run(&net, SECOND);
	assert_int_equal(net.end[1].datagrams, 1);
	net_free(&net);
}

/* A flood of datagrams fills the queue, but neither blocks streams nor exhausts memory. */
static void test_flood(void **state)
{
	unsigned int i, full = 0;
	struct net net;

	up(&net, 10);
	open_flow(&net.end[0], 100000);
	for (i = 0; i < 6000; i++) {
		full += send_datagram(&net, QUIC_PACKET - QUIC_OVERHEAD) == -ENOBUFS;
		if (i % 100 == 0)
			run(&net, 5 * MS);
	}
	run(&net, 10 * SECOND);
	assert_true(full > 100);
	assert_true(net.end[1].datagrams > 500);
	assert_int_equal(net.end[1].flow[0].received, 100000);
	net_free(&net);
}

/* Datagrams that the path does not accept in time are dropped and counted; later datagrams pass. */
static void test_late(void **state)
{
	const uint64_t *late;
	unsigned int i;
	struct net net;

	up(&net, 15);
	late = &net.end[0].drops.count[DROP_QUEUE];
	net.loss = 100;
	for (i = 0; i < 200; i++)
		assert_int_equal(send_datagram(&net, 1000), 0);
	run(&net, 2 * QUIC_QUEUE_NS);
	net.loss = 0;
	assert_int_equal(send_datagram(&net, 1000), 0);
	run(&net, 10 * SECOND);
	assert_in_range(*late, 100, 200);
	assert_in_range(net.end[1].datagrams, 1, 200 - *late + 1);
	i = net.end[1].datagrams;
	assert_int_equal(send_datagram(&net, 1000), 0);
	run(&net, SECOND);
	assert_int_equal(net.end[1].datagrams - i, 1);
	net_free(&net);
}

/*
 * All packets are lost for a while. ngtcp2 before 0.14 arms no probe timer for datagrams, so a full
 * window of lost datagrams would block the connection forever.
 */
static void test_outage(void **state)
{
	unsigned int i, before;
	struct net net;

	up(&net, 11);
	net.loss = 100;
	for (i = 0; i < 200; i++) {
		send_datagram(&net, 1000);
		run(&net, 5 * MS);
	}
	net.loss = 0;
	run(&net, 10 * SECOND);
	before = net.end[1].datagrams;
	for (i = 0; i < 100; i++) {
		assert_int_equal(send_datagram(&net, 1000), 0);
		run(&net, 20 * MS);
	}
	run(&net, SECOND);
	assert_int_equal(net.end[1].datagrams - before, 100);
	net_free(&net);
}

/*
 * The path fails during transfers in both directions, long enough for the probe timer to back off.
 * When the path is restored, all transfers continue at once.
 */
static void interrupt(unsigned int pause_s)
{
	uint64_t sent, got;
	struct net net;

	up(&net, 13);
	net.end[1].answer = 1 << 20;
	open_flow(&net.end[0], 1 << 20);
	run(&net, 60 * MS);
	net.loss = 100;
	run(&net, pause_s * SECOND);
	sent = net.end[1].flow[0].received;
	got = net.end[0].flow[0].received;
	assert_true(sent < 1 << 20 && got < 1 << 20);
	net.loss = 0;
	quic_path_changed(net.end[0].quic, net.now_ns);
	quic_path_changed(net.end[1].quic, net.now_ns);
	run(&net, 300 * MS);
	assert_true(net.end[1].flow[0].received > sent);
	assert_true(net.end[0].flow[0].received > got);
	run(&net, 3 * SECOND);
	assert_int_equal(net.end[1].flow[0].received, 1 << 20);
	assert_int_equal(net.end[0].flow[0].received, 1 << 20);
	net_free(&net);
}

static void test_pause(void **state)
{
	interrupt(1);
	interrupt(20);
	interrupt(50);
}

/*
 * The packet size decreases while a datagram waits that no longer fits, behind one that fits: it is
 * dropped, and costs no packet.
 */
static void test_shrunk(void **state)
{
	static const uint8_t data[QUIC_DATAGRAM_MAX];
	const size_t length[] = { 100, 1300, 100, 1300, 100 };
	unsigned int i, packets;
	struct net net;

	up(&net, 23);
	set_mtu(&net, QUIC_PACKET_MAX);
	for (i = 0; i < sizeof(length) / sizeof(*length); i++)
		assert_int_equal(
			quic_datagram(net.end[0].quic, "head", 4, data, length[i], net.now_ns), 0);
	packets = net.end[0].packets;
	set_mtu(&net, QUIC_PACKET);
	quic_flush(net.end[0].quic, net.now_ns);
	assert_in_range(net.end[0].packets - packets, 1, 4);
	run(&net, SECOND);
	assert_int_equal(net.end[1].datagrams, 3);
	assert_int_equal(net.end[0].drops.count[DROP_QUEUE], 2);
	net_free(&net);
}

/* An idle connection sends nothing and does not time out: the session decides when it ends. */
static void test_idle(void **state)
{
	unsigned int packets;
	struct net net;

	up(&net, 12);
	run(&net, 10 * SECOND);
	packets = net.end[0].packets + net.end[1].packets;
	run(&net, 3600 * SECOND);
	assert_int_equal(net.end[0].packets + net.end[1].packets, packets);
	assert_int_equal(send_datagram(&net, 100), 0);
	run(&net, SECOND);
	assert_int_equal(net.end[1].datagrams, 1);
	net_free(&net);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_handshake),      cmocka_unit_test(test_wrong_key),
		cmocka_unit_test(test_other_session),  cmocka_unit_test(test_quic_bit),
		cmocka_unit_test(test_lost_handshake), cmocka_unit_test(test_junk),
		cmocka_unit_test(test_streams),	       cmocka_unit_test(test_back_pressure),
		cmocka_unit_test(test_reset),	       cmocka_unit_test(test_datagrams),
		cmocka_unit_test(test_flood),	       cmocka_unit_test(test_outage),
		cmocka_unit_test(test_late),	       cmocka_unit_test(test_idle),
		cmocka_unit_test(test_pause),	       cmocka_unit_test(test_packet_size),
		cmocka_unit_test(test_black_hole),     cmocka_unit_test(test_shrunk),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
