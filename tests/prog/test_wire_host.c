// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The wire programs of a host with servers: which requests and replies they change, by address and
 * socket, and for how long. Real sockets send the replies. The programs are attached to `near`; the
 * test acts as the client with a packet socket on the peer device.
 */
#include "kernel/tc.h"
#include "wire_lab.h"

#include <linux/ethtool.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <linux/sockios.h>
#include <linux/udp.h>
#include <linux/virtio_net.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <time.h>

#define CLIENT_MAC "02:02:02:02:02:09"
#define WAIT_MS	   10000

static int wire; /* the packet socket */
static int links[2];

/* --- real packets */

static int server_open(const char *addr, uint16_t port)
{
	int fd = open_socket(strchr(addr, ':') ? AF_INET6 : AF_INET, addr, port);

	assert_true(fd >= 0);
	return fd;
}

static void frame_send(const struct frame *frame)
{
	assert_int_equal(send(wire, frame->byte, frame->len, 0), (ssize_t)frame->len);
}

/* Sends a request from the client. */
static void ask(const struct shape *request)
{
	struct frame frame;

	build_frame(request, &frame);
	frame_send(&frame);
}

/* Waits for a datagram at the server. Replies from the same socket. */
static void reply_by(int server)
{
	struct sockaddr_storage from;
	socklen_t size = sizeof(from);
	struct pollfd poll_in = { .fd = server, .events = POLLIN };
	char data[2048];
	ssize_t length;

	assert_int_equal(poll(&poll_in, 1, WAIT_MS), 1);
	length = recvfrom(server, data, sizeof(data), 0, (void *)&from, &size);
	assert_true(length >= 0);
	assert_int_equal(sendto(server, data, (size_t)length, 0, (void *)&from, size), length);
}

/* Sends a reply to the sender of a request. */
static void reply_with(int server, const struct shape *request, const void *data, size_t length)
{
	bool six = shape_is6(request);
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6,
				    .sin6_port = htons(request->source_port) };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(request->source_port) };

	inet_pton(six ? AF_INET6 : AF_INET, request->source,
		  six ? (void *)&to6.sin6_addr : (void *)&to4.sin_addr);
	assert_int_equal(sendto(server, data, length, 0, six ? (void *)&to6 : (void *)&to4,
				six ? sizeof(to6) : sizeof(to4)),
			 length);
}

static size_t udp_off(const struct shape *request)
{
	return shape_is6(request) ? 14 + 40 : 14 + 20;
}

/* Waits for the reply to a request at the client. */
static void receive(const struct shape *request, struct frame *frame)
{
	struct pollfd poll_in = { .fd = wire, .events = POLLIN };
	uint16_t port = htons(request->source_port);
	bool six = shape_is6(request);
	const uint8_t *byte = frame->byte;

	while (poll(&poll_in, 1, WAIT_MS) == 1) {
		struct sockaddr_ll from;
		socklen_t size = sizeof(from);
		ssize_t length = recvfrom(wire, frame->byte, sizeof(frame->byte), 0, (void *)&from,
					  &size);

		if (length < (ssize_t)udp_off(request) + 8 || from.sll_pkttype == PACKET_OUTGOING ||
		    byte[12] != (six ? 0x86 : 0x08) || byte[six ? 20 : 23] != IPPROTO_UDP ||
		    memcmp(byte + udp_off(request) + 2, &port, sizeof(port)))
			continue;
		frame->len = (size_t)length;
		return;
	}
	fail_msg("no reply");
}

/* Waits for the reply, and returns its source. */
static const char *source_of(const struct shape *request)
{
	static char text[INET6_ADDRSTRLEN];
	bool six = shape_is6(request);
	struct frame frame;

	receive(request, &frame);
	return inet_ntop(six ? AF_INET6 : AF_INET, frame.byte + (six ? 22 : 26), text,
			 sizeof(text));
}

/* Sends a request, lets the server reply, and checks the source and two counters. */
static void exchange(const struct shape *request, int server, const char *source,
		     enum sluice_wire_counter in, enum sluice_wire_counter out)
{
	uint64_t in_before = counter(&host, in), out_before = counter(&host, out);

	ask(request);
	reply_by(server);
	assert_string_equal(source_of(request), source);
	assert_int_equal(counter(&host, in), in_before + 1);
	assert_int_equal(counter(&host, out), out_before + 1);
}

static const char *any_of(int version)
{
	return version == 4 ? "0.0.0.0" : "::";
}

/* --- servers with right replies */

static void test_right(void **state)
{
	static const int options[][2] = { { IPPROTO_IP, IP_PKTINFO },
					  { IPPROTO_IP, IP_RECVORIGDSTADDR },
					  { IPPROTO_IPV6, IPV6_RECVPKTINFO },
					  { IPPROTO_IPV6, IPV6_RECVORIGDSTADDR } };
	int version, server, one = 1;
	struct shape request;
	size_t i;

	for (version = 4; version <= 6; version += 2) {
		/* bound to the requested address */
		server = server_open(version == 4 ? FAR4 : FAR6, 2000);
		request = request_of(version, next_port(), 2000);
		exchange(&request, server, request.target, SLUICE_WIRE_half_open,
			 SLUICE_WIRE_reply_right);
		exchange(&request, server, request.target, SLUICE_WIRE_request_right,
			 SLUICE_WIRE_reply_right);
		close(server);
		/* a later server on the port replies wrong, but the record stays right */
		server = server_open(any_of(version), 2000);
		exchange(&request, server, near_of(&request), SLUICE_WIRE_request_right,
			 SLUICE_WIRE_reply_right);
		close(server);
	}
	/* a server that receives the requested address chooses its source */
	for (i = 0; i < sizeof(options) / sizeof(*options); i++) {
		version = options[i][0] == IPPROTO_IP ? 4 : 6;
		server = server_open(any_of(version), 2002);
		assert_int_equal(
			setsockopt(server, options[i][0], options[i][1], &one, sizeof(one)), 0);
		request = request_of(version, next_port(), 2002);
		exchange(&request, server, near_of(&request), SLUICE_WIRE_half_open,
			 SLUICE_WIRE_reply_source_set);
		exchange(&request, server, near_of(&request), SLUICE_WIRE_request_passed,
			 SLUICE_WIRE_reply_source_set);
		/* the same socket without the option */
		one = 0;
		setsockopt(server, options[i][0], options[i][1], &one, sizeof(one));
		one = 1;
		exchange(&request, server, request.target, SLUICE_WIRE_request_passed,
			 SLUICE_WIRE_reply_rewritten);
		close(server);
	}
}

/* A socket that is bound to another address chooses this source deliberately. */
static void test_bound(void **state)
{
	int version, server, other;
	struct shape request;

	for (version = 4; version <= 6; version += 2) {
		struct sockaddr_storage from;
		socklen_t size = sizeof(from);
		char data[64];

		server = server_open(any_of(version), 2010);
		other = server_open(version == 4 ? NEAR4 : NEAR6, 2010);
		request = request_of(version, next_port(), 2010);
		ask(&request);
		assert_true(recvfrom(server, data, sizeof(data), 0, (void *)&from, &size) > 0);
		assert_int_equal(sendto(other, "x", 1, 0, (void *)&from, size), 1);
		assert_string_equal(source_of(&request), near_of(&request));
		/* even if it is connected */
		assert_int_equal(connect(other, (void *)&from, size), 0);
		assert_int_equal(send(other, "x", 1, 0), 1);
		assert_string_equal(source_of(&request), near_of(&request));
		close(other);
		close(server);
	}
}

/* --- servers with wrong replies */

static void test_wrong(void **state)
{
	int version, server, i;
	struct shape request;

	for (version = 4; version <= 6; version += 2) {
		uint64_t proven = counter(&host, SLUICE_WIRE_proven);

		server = server_open(any_of(version), 2020);
		request = request_of(version, next_port(), 2020);
		exchange(&request, server, request.target, SLUICE_WIRE_half_open,
			 SLUICE_WIRE_reply_rewritten);
		for (i = 0; i < 3; i++)
			exchange(&request, server, request.target, SLUICE_WIRE_request_passed,
				 SLUICE_WIRE_reply_rewritten);
		/* even after the cached decision has expired */
		flow_past(&host, &request, 1000);
		exchange(&request, server, request.target, SLUICE_WIRE_request_passed,
			 SLUICE_WIRE_reply_rewritten);
		assert_int_equal(counter(&host, SLUICE_WIRE_proven), proven + 1);
		/* replies to requests at its own address are right */
		request.source_port = next_port();
		request.target = near_of(&request);
		exchange(&request, server, near_of(&request), SLUICE_WIRE_half_open,
			 SLUICE_WIRE_reply_right);
		close(server);
	}
}

enum checksum {
	NO_CHECKSUM,
	WHOLE_CHECKSUM,
	PSEUDO_CHECKSUM, /* the sum of the pseudo-header; the device completes the checksum */
};

/* Waits for the reply to a request, and returns its kind of checksum. */
static enum checksum checksum_of(const struct shape *request)
{
	bool six = shape_is6(request);
	size_t udp = udp_off(request), length;
	uint16_t stored;
	struct frame frame;
	uint32_t pseudo;

	receive(request, &frame);
	length = frame.len - udp;
	pseudo = sum_add(IPPROTO_UDP + (uint32_t)length, frame.byte + (six ? 22 : 26),
			 six ? 32 : 8);
	if (!six)
		assert_int_equal(sum_finish(sum_add(0, frame.byte + 14, 20)), 0);
	memcpy(&stored, frame.byte + udp + 6, sizeof(stored));
	if (!stored)
		return NO_CHECKSUM;
	if (!sum_finish(sum_add(pseudo, frame.byte + udp, length)))
		return WHOLE_CHECKSUM;
	assert_int_equal(stored, (uint16_t)~sum_finish(pseudo));
	return PSEUDO_CHECKSUM;
}

/* Turns TX checksum offload of the device on or off. */
static void device_completes(bool completes)
{
	struct ethtool_value value = { .cmd = ETHTOOL_STXCSUM, .data = completes };
	struct ifreq request = { .ifr_name = "near", .ifr_data = (void *)&value };

	assert_int_equal(ioctl(wire, SIOCETHTOOL, &request), 0);
}

/* Rewritten replies have valid checksums, with and without offload, and before segmentation. */
static void test_checksums(void **state)
{
	int version, server, segment, one = 1;
	struct shape request;
	uint16_t sum;

	for (version = 4; version <= 6; version += 2) {
		server = server_open(any_of(version), 2021);
		request = request_of(version, next_port(), 2021);
		/* one reply without a cached decision, and two with it */
		for (segment = 0; segment < 3; segment++) {
			ask(&request);
			reply_by(server);
			assert_int_equal(checksum_of(&request), PSEUDO_CHECKSUM);
		}
		segment = 11;
		setsockopt(server, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment));
		ask(&request);
		reply_by(server);
		assert_int_equal(checksum_of(&request), PSEUDO_CHECKSUM);
		segment = 0;
		setsockopt(server, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof(segment));
		device_completes(false);
		ask(&request);
		reply_by(server);
		assert_int_equal(checksum_of(&request), WHOLE_CHECKSUM);
		/*
		 * the kernel has the sum of the payload where the offset of a header whose checksum
		 * is to complete would be
		 */
		for (sum = 0; sum < 512; sum++) {
			reply_with(server, &request, &sum, sizeof(sum));
			assert_int_equal(checksum_of(&request), WHOLE_CHECKSUM);
		}
		device_completes(true);
		setsockopt(server, SOL_SOCKET, SO_NO_CHECK, &one, sizeof(one));
		setsockopt(server, IPPROTO_UDP, UDP_NO_CHECK6_TX, &one, sizeof(one));
		ask(&request);
		reply_by(server);
		assert_int_equal(checksum_of(&request), NO_CHECKSUM);
		close(server);
	}
}

/* Sends a frame through `near` as a tunnel does: csum_start refers to an inner checksum. */
static void send_tunnelled(const struct frame *frame, const struct shape *shape)
{
	struct virtio_net_hdr header = {
		.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
		.csum_start = (uint16_t)(udp_off(shape) + 8),
		.csum_offset = offsetof(struct udphdr, check),
	};
	struct sockaddr_ll to = { .sll_family = AF_PACKET, .sll_ifindex = (int)near_index };
	struct iovec parts[] = { { &header, sizeof(header) }, { (void *)frame->byte, frame->len } };
	struct msghdr message = {
		.msg_name = &to, .msg_namelen = sizeof(to), .msg_iov = parts, .msg_iovlen = 2
	};
	int one = 1, fd = socket(AF_PACKET, SOCK_RAW, 0);

	assert_int_equal(setsockopt(fd, SOL_PACKET, PACKET_VNET_HDR, &one, sizeof(one)), 0);
	assert_int_equal(sendmsg(fd, &message, 0), (ssize_t)(sizeof(header) + frame->len));
	close(fd);
}

/*
 * The outer checksum of a tunnel's datagram is complete or 0, while the inner checksum is partial.
 * Without bpf_cast_to_kern_ctx(), only 0 is tested: the helper would treat a complete outer
 * checksum as the partial one.
 */
static void test_tunnels(void **state)
{
	struct shape request, reply, fixed;
	struct frame in, wanted, got;
	int version;

	for (version = 4; version <= 6; version += 2) {
		request = request_of(version, next_port(), BACK);
		converse(&host, &request);
		reply = answer(&request, near_of(&request));
		fixed = answer(&request, request.target);
		reply.no_checksum = fixed.no_checksum = !wire_kfuncs_probe().cast;
		do {
			build_frame(&reply, &in);
			build_frame(&fixed, &wanted);
			memcpy(wanted.byte, in.byte, 12);
			send_tunnelled(&in, &reply);
			receive(&request, &got);
			assert_frame(&got, &wanted);
			reply.no_checksum = fixed.no_checksum = !reply.no_checksum;
		} while (reply.no_checksum);
	}
}

/*
 * Marks pending requests, a cached decision and a cached lookup as recent, however long the test
 * takes.
 */
static void flow_recent_in(const struct programs *programs, const struct shape *request)
{
	struct sluice_wire_set set;
	struct sluice_wire_flow *flow;
	uint32_t index, now;
	int i, way = flow_find(programs, request, &set, &index);

	assert_true(way >= 0);
	flow = &set.flow[way];
	assert_int_equal(ticks_clock(&now), 0);
	flow->judged = now;
	if (flow->routed)
		flow->routed = now;
	for (i = 0; i < 2; i++)
		if (flow->pending[i])
			flow->pending[i] = now | 1;
	flow_store(programs, index, &set);
}

static void flow_recent(const struct shape *request)
{
	flow_recent_in(&host, request);
}

/* Passes a request to the program, without delivering it to the server. */
static void note(const struct shape *request)
{
	struct frame in, out;

	build_frame(request, &in);
	assert_int_equal(run_frame(host.in, &in, 0, &out), 0);
	flow_recent(request);
}

/* Sends a reply to the sender of a request, and checks its source. */
static void reply_from(int server, const struct shape *request, const char *source)
{
	flow_recent(request);
	reply_with(server, request, "x", 1);
	assert_string_equal(source_of(request), source);
}

/* A cached decision on replies applies to one socket, and for a short time. */
static void test_judged(void **state)
{
	int version, server, other, one = 1;
	struct shape request, reply;

	for (version = 4; version <= 6; version += 2) {
		server = server_open(any_of(version), 2026);
		other = server_open(version == 4 ? NEAR4 : NEAR6, 2026);
		request = request_of(version, next_port(), 2026);
		reply = answer(&request, near_of(&request));
		exchange(&request, server, request.target, SLUICE_WIRE_half_open,
			 SLUICE_WIRE_reply_rewritten);
		reply_from(other, &request, near_of(&request));
		reply_from(server, &request, request.target);
		/* a forwarded packet has no local socket */
		flow_recent(&request);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_other_sender);
		setsockopt(server, version == 4 ? IPPROTO_IP : IPPROTO_IPV6,
			   version == 4 ? IP_PKTINFO : IPV6_RECVPKTINFO, &one, sizeof(one));
		flow_past(&host, &request, 1000);
		exchange(&request, server, near_of(&request), SLUICE_WIRE_request_passed,
			 SLUICE_WIRE_reply_source_set);
		close(other);
		close(server);
	}
}

/* Returns the record of a request. Sets *proven if only proven records may evict it. */
static struct sluice_wire_flow record_of(const struct shape *request, bool *proven)
{
	struct sluice_wire_set set;
	uint32_t index;
	int way = flow_find(&host, request, &set, &index);

	assert_true(way >= 0);
	*proven = set.proven >> way & 1;
	return set.flow[way];
}

/*
 * Datagrams handled by a stored decision: what they still update, and when a new decision is
 * needed.
 */
static void test_stored(void **state)
{
	struct shape one, two, right;
	struct sluice_wire_flow flow;
	int version, server;
	bool proven;

	for (version = 4; version <= 6; version += 2) {
		server = server_open(any_of(version), 2029);
		one = two = request_of(version, next_port(), 2029);
		two.target = version == 4 ? BARE_NEAR4 : BARE_NEAR6;
		exchange(&one, server, one.target, SLUICE_WIRE_half_open,
			 SLUICE_WIRE_reply_rewritten);
		flow_recent(&one);
		record_of(&one, &proven);
		assert_false(proven);
		note(&one);
		record_of(&one, &proven);
		assert_true(proven);
		reply_from(server, &one, one.target);
		/* each reply and each request keeps the record alive */
		flow_past(&host, &one, AGE_MS - 20000);
		reply_from(server, &one, one.target);
		flow_past(&host, &one, AGE_MS - 20000);
		flow_recent(&one);
		pass(&host, host.in, &one, &one, SLUICE_WIRE_request_passed);
		flow_past(&host, &one, AGE_MS - 20000);
		pass(&host, host.in, &one, &one, SLUICE_WIRE_request_passed);
		flow_recent(&one);
		reply_from(server, &one, one.target);
		/* the second request is answered first, then the third */
		note(&one);
		note(&two);
		reply_from(server, &one, one.target);
		reply_from(server, &one, two.target);
		/*
		 * the first request has been answered, so the next reply belongs to the other
		 * request
		 */
		one.source_port = two.source_port = next_port();
		exchange(&one, server, one.target, SLUICE_WIRE_half_open,
			 SLUICE_WIRE_reply_rewritten);
		note(&one);
		reply_from(server, &one, one.target);
		note(&two);
		reply_from(server, &one, two.target);
		/* a decision applies to one requested address and one source */
		flow = record_of(&one, &proven);
		assert_memory_equal(&flow.server[1], &flow.server[0], sizeof(*flow.server));
		one = request_of(version, next_port(), BACK);
		right = answer(&one, one.target);
		converse(&host, &one);
		pass(&host, host.out, &right, &right, SLUICE_WIRE_reply_right);
		close(server);
	}
}

/* One client port uses two addresses, and the server replies to both from a third. */
static void test_two(void **state)
{
	struct shape one, two;
	int version, server;

	assert_int_equal(sh("ip addr add 10.2.0.7/24 dev far &&"
			    " ip addr add fd02::7/64 dev far nodad"),
			 0);
	for (version = 4; version <= 6; version += 2) {
		server = server_open(any_of(version), 2030);
		one = two = request_of(version, next_port(), 2030);
		two.target = version == 4 ? "10.2.0.7" : "fd02::7";
		/* each reply belongs to the older request */
		note(&one);
		note(&two);
		reply_from(server, &one, one.target);
		reply_from(server, &one, two.target);
		note(&two);
		note(&one);
		note(&two);
		reply_from(server, &one, two.target);
		reply_from(server, &one, one.target);
		reply_from(server, &one, two.target);
		/* a request that has been pending for more than three seconds is not matched */
		note(&one);
		flow_past(&host, &one, 4000);
		exchange(&two, server, two.target, SLUICE_WIRE_request_passed,
			 SLUICE_WIRE_reply_rewritten);
		/* a third address: it is ambiguous which request a reply belongs to */
		two.target = near_of(&two);
		exchange(&two, server, near_of(&two), SLUICE_WIRE_request_mixed,
			 SLUICE_WIRE_reply_mixed);
		exchange(&one, server, near_of(&one), SLUICE_WIRE_request_mixed,
			 SLUICE_WIRE_reply_mixed);
		close(server);
	}
	assert_int_equal(sh("ip addr del 10.2.0.7/24 dev far && ip addr del fd02::7/64 dev far"),
			 0);
}

/* Replies to a multicast or broadcast request may have any source. */
static void test_groups(void **state)
{
	static const char *const targets[] = { "224.0.0.251", "255.255.255.255", "ff02::fb" };
	int version, server;
	size_t i;

	for (i = 0; i < 3; i++) {
		struct shape request = request_of(strchr(targets[i], ':') ? 6 : 4, next_port(),
						  2040);

		server = server_open(any_of(shape_is6(&request) ? 6 : 4), 2040);
		exchange(&request, server, request.target, SLUICE_WIRE_half_open,
			 SLUICE_WIRE_reply_rewritten);
		request.target = targets[i];
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_mixed);
		request = request_of(shape_is6(&request) ? 6 : 4, request.source_port, 2040);
		exchange(&request, server, near_of(&request), SLUICE_WIRE_request_mixed,
			 SLUICE_WIRE_reply_mixed);
		close(server);
	}
	/* a multicast MAC address counts, whatever the IP address */
	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), 2040);
		struct frame frame;

		build_frame(&request, &frame);
		frame.byte[0] = version == 4 ? 0xff : 0x33;
		memset(frame.byte + 1, version == 4 ? 0xff : 0x33, 5);
		pass_frame(&host, host.in, &frame, &frame, SLUICE_WIRE_request_mixed);
		/* a frame to another host's MAC address does not concern this host */
		memset(frame.byte, 0x02, 5);
		frame.byte[5] = 0x77;
		pass_frame(&host, host.in, &frame, &frame, SLUICE_WIRE_request_other_host);
	}
}

/* --- servers that connect back */

/* A request is redirected only if no socket receives it. */
static void test_redirect(void **state)
{
	int version, wildcard, server;
	struct shape request, inside, reply, fixed, error;

	for (version = 4; version <= 6; version += 2) {
		request = request_of(version, next_port(), BACK);
		inside = to_target(request, near_of(&request));
		reply = answer(&request, near_of(&request));
		fixed = answer(&request, request.target);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_half_open);
		/* no receiving socket */
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_refused);
		flow_past(&host, &request, 100);
		server = connect_back(&request);
		wildcard = server_open(any_of(version), BACK);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_passed);
		/* the socket that it reaches is known until that socket is closed */
		flow_recent(&request);
		close(wildcard);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		pass(&host, host.out, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
		error = error_about(&inside, inside.target, request.source, &errors[0]);
		fixed = error_about(&request, request.target, request.source, &errors[0]);
		pass(&host, host.out, &error, &fixed, SLUICE_WIRE_error_translated);
		/* a new server, or its absence, is detected at once */
		wildcard = server_open(any_of(version), BACK);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_passed);
		close(wildcard);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		close(server);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_refused);
		/* a socket at the requested address is connected to the peer, and closed */
		request = request_of(version, next_port(), BACK);
		inside = to_target(request, near_of(&request));
		server = server_open(request.target, BACK);
		connect_socket(server, version == 4 ? AF_INET : AF_INET6, request.source,
			       request.source_port);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_half_open);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_passed);
		flow_recent(&request);
		close(server);
		server = connect_back(&request);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		close(server);
		/* a peer that also uses the server's address gets replies from that address */
		request = request_of(version, next_port(), BACK);
		converse(&host, &request);
		inside = to_target(request, near_of(&request));
		reply = answer(&request, near_of(&request));
		pass(&host, host.in, &inside, &inside, SLUICE_WIRE_request_passed);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_right);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_right);
	}
}

/* Sockets to which no request is redirected. */
static void test_no_redirect(void **state)
{
	int version, server;
	struct shape request;

	for (version = 4; version <= 6; version += 2) {
		/* a socket that the application has bound to its address */
		request = request_of(version, next_port(), 2050);
		server = server_open(near_of(&request), 2050);
		connect_socket(server, version == 4 ? AF_INET : AF_INET6, request.source,
			       request.source_port);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_half_open);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_refused);
		close(server);
		/* a socket that replies through another interface */
		request = request_of(version, next_port(), 2051);
		request.source = version == 4 ? "10.2.0.9" : "fd02::9";
		request.target = version == 4 ? NEAR4 : NEAR6;
		connect_back(&request);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_half_open);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_refused);
		/*
		 * a search is too expensive to repeat for each datagram, or for each of two
		 * addresses
		 */
		request = request_of(version, next_port(), 2052);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_half_open);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_refused);
		request.target = version == 4 ? BARE_NEAR4 : BARE_NEAR6;
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_refused);
		connect_back(&request);
		flow_past(&host, &request, 1000);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_refused);
	}
}

/*
 * Repeats a request until the kernel has announced a new address. For IPv6, a work queue announces
 * it (net/ipv6/addrconf.c, addrconf_dad_work()), possibly after the system call has returned.
 */
static void pass_soon(const struct shape *request, const struct shape *wanted)
{
	struct frame in, out, expected;
	int tries;

	build_frame(request, &in);
	build_frame(wanted, &expected);
	for (tries = 0; tries < 1000; tries++) {
		flow_past(&host, request, 1000);
		assert_int_equal(run_frame(host.in, &in, 0, &out), 0);
		if (out.len == expected.len && !memcmp(out.byte, expected.byte, out.len))
			return;
		usleep(10000);
	}
	assert_frame(&out, &expected);
}

/* A request to another host's address passes until this host gets the address. */
static void test_elsewhere(void **state)
{
	struct shape request, inside, two;
	int version, server;

	for (version = 4; version <= 6; version += 2) {
		request = request_of(version, next_port(), 2053);
		request.target = version == 4 ? "10.3.0.1" : "fd03::1";
		inside = to_target(request, near_of(&request));
		connect_back(&request);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_half_open);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_passed);
		flow_past(&host, &request, 1000);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_passed);
		assert_int_equal(sh(version == 4 ? "ip addr add 10.3.0.1/24 dev far"
						 : "ip addr add fd03::1/64 dev far nodad"),
				 0);
		pass_soon(&request, &inside);
		assert_int_equal(sh(version == 4 ? "ip addr del 10.3.0.1/24 dev far"
						 : "ip addr del fd03::1/64 dev far"),
				 0);
		/* no reply to it is expected: a reply belongs to the request to this host */
		request = request_of(version, next_port(), 2054);
		two = to_target(request, version == 4 ? "10.3.0.1" : "fd03::1");
		note(&two);
		note(&two);
		note(&two);
		server = server_open(any_of(version), 2054);
		note(&request);
		reply_from(server, &request, request.target);
		close(server);
	}
}

/* --- addresses that come and go */

static void test_address_gone(void **state)
{
	struct shape request = request4(next_port(), BACK), reply, fixed, inside;
	int server;

	/* remove and add the requested address */
	assert_int_equal(sh("ip addr add 10.2.0.77/24 dev far"), 0);
	server = server_open("0.0.0.0", 2060);
	request = to_target(request4(next_port(), 2060), "10.2.0.77");
	exchange(&request, server, "10.2.0.77", SLUICE_WIRE_half_open, SLUICE_WIRE_reply_rewritten);
	ask(&request);
	assert_int_equal(recv(server, (char[64]){ 0 }, 64, 0), 33);
	assert_int_equal(sh("ip addr del 10.2.0.77/24 dev far"), 0);
	connect_socket(server, AF_INET, request.source, request.source_port);
	flow_recent(&request);
	assert_int_equal(send(server, "x", 1, 0), 1);
	assert_string_equal(source_of(&request), NEAR4);
	close(server);

	/* remove and add the server's address */
	assert_int_equal(sh("ip addr add 10.2.0.88/24 dev far &&"
			    " ip route add 10.1.0.64/26 dev near src 10.2.0.88"),
			 0);
	request = request4(next_port(), BACK);
	request.source = "10.1.0.70";
	inside = to_target(request, "10.2.0.88");
	reply = answer(&request, "10.2.0.88");
	fixed = answer(&request, request.target);
	pass(&host, host.in, &request, &request, SLUICE_WIRE_half_open);
	connect_back(&request);
	pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
	pass(&host, host.out, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
	/* another address has no effect */
	assert_int_equal(sh("ip addr add 10.2.0.89/24 dev far"), 0);
	pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
	assert_int_equal(sh("ip addr del 10.2.0.89/24 dev far; ip addr del 10.2.0.88/24 dev far"),
			 0);
	pass(&host, host.in, &request, &request, SLUICE_WIRE_proof_dropped);
}

/* --- age, interfaces, and the table */

static void test_aged(void **state)
{
	int version, server;
	struct shape request, reply;

	for (version = 4; version <= 6; version += 2) {
		request = request_of(version, next_port(), BACK);
		converse(&host, &request);
		reply = answer(&request, near_of(&request));
		flow_past(&host, &request, AGE_MS + 5000);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_no_flow);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_half_open);
		/* a reply extends the life of a record with wrong replies */
		server = server_open(any_of(version), 2070);
		request = request_of(version, next_port(), 2070);
		exchange(&request, server, request.target, SLUICE_WIRE_half_open,
			 SLUICE_WIRE_reply_rewritten);
		flow_past(&host, &request, AGE_MS - 20000);
		ask(&request);
		reply_by(server);
		assert_string_equal(source_of(&request), request.target);
		/* a record with right replies expires too */
		request.source_port = next_port();
		request.target = near_of(&request);
		exchange(&request, server, near_of(&request), SLUICE_WIRE_half_open,
			 SLUICE_WIRE_reply_right);
		flow_past(&host, &request, AGE_MS + 5000);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_half_open);
		close(server);
	}
}

/* A reply that leaves through another interface has no record there. */
static void test_other_interface(void **state)
{
	struct shape request = request4(next_port(), BACK), reply = answer(&request, NEAR4);
	uint64_t before = counter(&host, SLUICE_WIRE_reply_no_flow);
	struct frame in, out;

	converse(&host, &request);
	build_frame(&reply, &in);
	assert_int_equal(run_frame_on(if_nametoindex("far"), host.out, &in, 0, &out), 0);
	assert_frame(&out, &in);
	assert_int_equal(counter(&host, SLUICE_WIRE_reply_no_flow), before + 1);
}

/*
 * Stores a cached decision: replies of the socket from @source to the sender of a request are
 * wrong.
 */
static void judge(const struct shape *request, int server, const char *source)
{
	struct shape known = request4(next_port(), 2081);
	int wrong = server_open("0.0.0.0", 2081), way;
	struct sluice_wire_flow *flow;
	struct sluice_wire_set set;
	__u64 cookie, hash;
	socklen_t size = sizeof(cookie);
	uint32_t index, genid;

	/* get the current genid of the host's addresses */
	exchange(&known, wrong, known.target, SLUICE_WIRE_half_open, SLUICE_WIRE_reply_rewritten);
	close(wrong);
	way = flow_find(&host, &known, &set, &index);
	assert_true(way >= 0);
	genid = set.flow[way].genid;
	way = flow_find(&host, request, &set, &index);
	assert_true(way >= 0);
	flow = &set.flow[way];
	flow->genid = genid;
	flow->server[0].word_be[2] = htonl(0xffff);
	addr_put(source, flow->server[0].byte + 12);
	assert_int_equal(getsockopt(server, SOL_SOCKET, SO_COOKIE, &cookie, &size), 0);
	hash = sluice_wire_hash(SEED, &flow->peer, flow->peer_port_be, flow->port_be, flow->scope);
	flow->seal = sluice_wire_seal(hash, &flow->requested[0], &flow->server[0], cookie, genid);
	flow_store(&host, index, &set);
}

/*
 * A server's packet leaves through another interface and returns through a bridge. The skb still
 * refers to the socket, unless bridge netfilter has orphaned it. Only the ingress interface reveals
 * the loop.
 */
static void test_looped(void **state)
{
	uint64_t others = counter(&host, SLUICE_WIRE_reply_other_sender), rewritten;
	struct shape request = from_source(request4(next_port(), 2080), "10.9.0.9");
	int server = server_open("0.0.0.0", 2080), link, tries;
	struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons(request.source_port) };
	struct frame in, out;

	assert_int_equal(
		sh("off=/proc/sys/net/bridge/bridge-nf-call-iptables; { [ ! -e $off ] || echo 0 >$off; } &&"
		   " ip link add br9 type bridge && ip link add out type veth peer name back &&"
		   " ip link add third address 02:02:02:02:02:02 type veth peer name third_peer &&"
		   " ip link set back master br9 && ip link set third master br9 &&"
		   " for i in br9 out back third third_peer; do"
		   "   ip link set $i addrgenmode none && ip link set $i up || exit 1; done &&"
		   " ip addr add 10.9.0.1/24 dev out &&"
		   " ip neigh add 10.9.0.9 lladdr " CLIENT_MAC " dev out"),
		0);
	link = tc_link_create(if_nametoindex("third"), true, host.out);
	assert_true(link >= 0);
	build_frame(&request, &in);
	assert_int_equal(run_frame_on(if_nametoindex("third"), host.in, &in, 0, &out), 0);
	judge(&request, server, "10.9.0.1");
	rewritten = counter(&host, SLUICE_WIRE_reply_rewritten);
	inet_pton(AF_INET, request.source, &to.sin_addr);
	/* a bridge port starts forwarding some time after it is up */
	for (tries = 0; tries < 1000 && counter(&host, SLUICE_WIRE_reply_other_sender) == others;
	     tries++) {
		flow_recent(&request);
		assert_int_equal(sendto(server, "x", 1, 0, (void *)&to, sizeof(to)), 1);
		poll(NULL, 0, 10);
	}
	assert_true(counter(&host, SLUICE_WIRE_reply_other_sender) > others);
	assert_int_equal(counter(&host, SLUICE_WIRE_reply_rewritten), rewritten);
	close(link);
	close(server);
	assert_int_equal(sh("ip link del br9; ip link del out; ip link del third"), 0);
}

static void test_unmanaged(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);

		request.body = BODY_TCP;
		pass_uncounted(&host, host.in, &request);
		pass_uncounted(&host, host.out, &request);
		request.body = BODY_UDP;
		request.target_port = UNMANAGED;
		request.source_port = UNMANAGED;
		pass_uncounted(&host, host.in, &request);
		pass_uncounted(&host, host.out, &request);
	}
}

/* --- a bridge port */

/*
 * Passes a frame to a MAC address whose last byte is @last, either the bridge's address or another.
 */
static void pass_to(const struct shape *in, const struct shape *wanted, uint8_t last,
		    enum sluice_wire_counter which)
{
	struct frame frame_in, frame_wanted;

	build_frame(in, &frame_in);
	build_frame(wanted, &frame_wanted);
	frame_in.byte[5] = frame_wanted.byte[5] = last;
	pass_frame(&port, port.in, &frame_in, &frame_wanted, which);
}

#define BRIDGE	0x02 /* the last byte of the destination MAC address */
#define PORT	0x33
#define ANOTHER 0x77

static struct shape guest_request(int version)
{
	return from_source(request_of(version, next_port(), BACK), version == 4 ? GUEST4 : GUEST6);
}

/*
 * Leaves frames alone that the bridge forwards to another host, even if that host has an IP address
 * of this host.
 */
static void test_bridge_port(void **state)
{
	struct shape request, inside, first, later, error, wanted, reply, fixed;
	int version;

	for (version = 4; version <= 6; version += 2) {
		request = guest_request(version);
		inside = to_target(request, near_of(&request));
		reply = answer(&request, near_of(&request));
		fixed = answer(&request, request.target);
		converse(&port, &request);
		pass_to(&request, &request, ANOTHER, SLUICE_WIRE_request_other_host);
		pass_to(&request, &inside, BRIDGE, SLUICE_WIRE_request_rewritten);
		pass_to(&request, &inside, PORT, SLUICE_WIRE_request_rewritten);
		error = error_about(&fixed, request.source, request.target, &errors[0]);
		wanted = error_about(&reply, request.source, near_of(&request), &errors[0]);
		pass_to(&error, &wanted, BRIDGE, SLUICE_WIRE_error_translated);
		pass_to(&error, &error, ANOTHER, SLUICE_WIRE_error_left);
		first = request;
		first.payload = 1400;
		first.fragment = true;
		first.chain = version == 6 ? "f" : NULL;
		first.to = 512;
		later = first;
		later.from = 512;
		later.to = 2000;
		pass_to(&first, &first, ANOTHER, SLUICE_WIRE_request_other_host);
		pass_to(&later, &later, ANOTHER, SLUICE_WIRE_fragment_followed);
	}
}

/*
 * A socket that requests reach connects back, or is closed. The programs are those for kernels
 * without casts.
 */
static void test_bridge_redirect(void **state)
{
	struct shape request, inside;
	int version, server;

	for (version = 4; version <= 6; version += 2) {
		request = guest_request(version);
		request.target_port = 2056;
		inside = to_target(request, near_of(&request));
		server = server_open(any_of(version), 2056);
		pass_to(&request, &request, BRIDGE, SLUICE_WIRE_half_open);
		pass_to(&request, &request, BRIDGE, SLUICE_WIRE_request_passed);
		flow_recent_in(&port, &request);
		connect_socket(server, version == 4 ? AF_INET : AF_INET6, request.source,
			       request.source_port);
		pass_to(&request, &inside, BRIDGE, SLUICE_WIRE_request_rewritten);
		close(server);
		server = server_open(any_of(version), 2056);
		pass_to(&request, &request, BRIDGE, SLUICE_WIRE_request_passed);
		flow_recent_in(&port, &request);
		close(server);
		pass_to(&request, &request, BRIDGE, SLUICE_WIRE_request_refused);
	}
}

/*
 * The program reads the bridge's address from the kernel, so the address may change without another
 * load.
 */
static void test_bridge_changes(void **state)
{
	struct shape request = guest_request(4), inside = to_target(request, BRIDGE4);

	converse(&port, &request);
	pass_to(&request, &inside, BRIDGE, SLUICE_WIRE_request_rewritten);
	assert_int_equal(sh("ip link set br0 address 02:02:02:02:02:77"), 0);
	/* the new address applies after at most one tick of the clock */
	poll(NULL, 0, 20);
	pass_to(&request, &inside, ANOTHER, SLUICE_WIRE_request_rewritten);
	pass_to(&request, &request, BRIDGE, SLUICE_WIRE_request_other_host);
	assert_int_equal(sh("ip link set br0 address 02:02:02:02:02:02"), 0);
	poll(NULL, 0, 20);
	pass_to(&request, &inside, BRIDGE, SLUICE_WIRE_request_rewritten);
}

static int setup(void **state)
{
	struct sockaddr_ll addr = { .sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_ALL) };

	if (wire_lab_up() || wire_lab_load(&host, SLUICE_WIRE_HOST) ||
	    wire_lab_load(&port, SLUICE_WIRE_HOST | SLUICE_WIRE_PORT) ||
	    sh("ip neigh add " CLIENT4 " lladdr " CLIENT_MAC " dev near &&"
	       " ip neigh add " CLIENT6 " lladdr " CLIENT_MAC " dev near"))
		return -1;
	addr.sll_ifindex = (int)if_nametoindex("near_peer");
	wire = socket(AF_PACKET, SOCK_RAW, htons(ETH_P_ALL));
	links[0] = tc_link_create(near_index, false, host.in);
	links[1] = tc_link_create(near_index, true, host.out);
	return wire < 0 || bind(wire, (void *)&addr, sizeof(addr)) || links[0] < 0 || links[1] < 0;
}

static int down(void **state)
{
	close(wire);
	close(links[0]);
	close(links[1]);
	return wire_lab_down(state);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_right),		cmocka_unit_test(test_bound),
		cmocka_unit_test(test_wrong),		cmocka_unit_test(test_judged),
		cmocka_unit_test(test_stored),		cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_tunnels),		cmocka_unit_test(test_two),
		cmocka_unit_test(test_groups),		cmocka_unit_test(test_redirect),
		cmocka_unit_test(test_no_redirect),	cmocka_unit_test(test_elsewhere),
		cmocka_unit_test(test_address_gone),	cmocka_unit_test(test_aged),
		cmocka_unit_test(test_other_interface), cmocka_unit_test(test_looped),
		cmocka_unit_test(test_unmanaged),	cmocka_unit_test(test_bridge_port),
		cmocka_unit_test(test_bridge_redirect), cmocka_unit_test(test_bridge_changes),
	};

	return cmocka_run_group_tests(tests, setup, down);
}
