// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests the XDP program of the rendezvous server, frame by frame. Each answer must equal the answer
 * of the server to the same request; the test checks every byte of the frame. Each passed frame
 * must be unchanged.
 */
#include "bpf/meet/meet.skel.h"
#include "meet/rendezvous/server.h"
#include "net/stun_build.h"
#include "packet_build.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <setjmp.h>
#include <sluice/meet.h>
#include <sluice/rendezvous.h>
#include <sluice/stun_binding.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#define HOST4	"203.0.113.1"
#define CLIENT4 "198.51.100.9"
#define HOST6	"2001:db8::1"
#define CLIENT6 "2001:db8:7:8::9"
#define PORT	3478
#define CLIENT	40000

#define SLOTS 4
#define ALL   (SLUICE_MEET_BINDING | SLUICE_MEET_REFRESH)

#define NOTHING SLUICE_MEET_COUNTERS_MAX

/* This build has no sanitizers; a fuzzing run sets MEET_CASES. */
#define CASES 20000

static struct meet_bpf *skel;
static struct server *server;

/* --- setup */

static void listen_at(const char *addr, unsigned int port, __u32 services)
{
	struct sluice_meet_listen at = { .port_be = htons((uint16_t)port) };
	if (strchr(addr, ':')) {
		assert_int_equal(inet_pton(AF_INET6, addr, &at.addr), 1);
	} else {
		at.addr.byte[10] = at.addr.byte[11] = 0xff;
		assert_int_equal(inet_pton(AF_INET, addr, &at.addr.word_be[3]), 1);
	}
	assert_int_equal(bpf_map__update_elem(skel->maps.sluice_m_listen, &at, sizeof(at),
					      &services, sizeof(services), BPF_ANY),
			 0);
}

static void set_budget(__u64 interval_ns, __u64 burst_ns)
{
	skel->bss->budget_interval_ns = interval_ns;
	skel->bss->budget_burst_ns = burst_ns;
}

static void load(void)
{
	skel = meet_bpf__open();
	assert_non_null(skel);
	skel->rodata->seed = 0x9e3779b97f4a7c15ULL;
	bpf_map__set_max_entries(skel->maps.sluice_m_counters, (__u32)libbpf_num_possible_cpus());
	bpf_map__set_max_entries(skel->maps.sluice_m_peers, SLOTS);
	assert_int_equal(meet_bpf__load(skel), 0);
	skel->bss->lease_until_ns = UINT64_MAX;
	listen_at(HOST4, PORT, ALL);
	listen_at(HOST6, PORT, ALL);
}

static void on_sent(const struct path *path, const void *message, size_t length, void *arg);

/* The reference answer comes from the server code in user space. */
static int set_up(void **state)
{
	const struct server_config config = { .listeners = 1 };
	struct peers peers = { NULL };
	struct err err = { 0 };

	load();
	return server_new(&server, &config, &peers, on_sent, NULL, 0, &err);
}

static void counters(__u64 sum[SLUICE_MEET_COUNTERS_MAX])
{
	struct sluice_meet_counters each;
	int cpu, i;

	memset(sum, 0, SLUICE_MEET_COUNTERS_MAX * sizeof(*sum));
	for (cpu = 0; cpu < libbpf_num_possible_cpus(); cpu++) {
		assert_int_equal(
			bpf_map_lookup_elem(bpf_map__fd(skel->maps.sluice_m_counters), &cpu, &each),
			0);
		for (i = 0; i < SLUICE_MEET_COUNTERS_MAX; i++)
			sum[i] += each.value[i];
	}
}

static int run(const struct bpf_program *prog, const struct frame *in, struct frame *out)
{
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->byte, .data_size_in = (__u32)in->len,
		    .data_out = out->byte, .data_size_out = sizeof(out->byte), .repeat = 1);

	assert_int_equal(bpf_prog_test_run_opts(bpf_program__fd(prog), &opts), 0);
	out->len = opts.data_size_out;
	return (int)opts.retval;
}

static void want_unchanged(const struct bpf_program *prog, const struct frame *frame, int wanted,
			   int which)
{
	__u64 before[SLUICE_MEET_COUNTERS_MAX], after[SLUICE_MEET_COUNTERS_MAX];
	struct frame out;
	int i;

	counters(before);
	assert_int_equal(run(prog, frame, &out), wanted);
	assert_int_equal(out.len, frame->len);
	assert_memory_equal(out.byte, frame->byte, out.len);
	counters(after);
	for (i = 0; i < SLUICE_MEET_COUNTERS_MAX; i++)
		assert_int_equal(after[i] - before[i], i == which);
}

/*
 * The frame passes unchanged. It increments counter @which once, or no counter if @which is
 * NOTHING.
 */
static void want_passed(const struct frame *frame, int which)
{
	want_unchanged(skel->progs.sluice_meet, frame, XDP_PASS, which);
	want_unchanged(skel->progs.sluice_meet_g, frame, XDP_PASS, which);
}

/* --- requests */

struct request {
	uint8_t data[1280];
	size_t length;
	struct stun_builder builder;
};

static void begin(struct request *request)
{
	stun_begin(&request->builder, request->data, sizeof(request->data), SLUICE_STUN_BINDING,
		   SLUICE_STUN_REQUEST, (const uint8_t *)"transaction!");
}

static void bare(struct request *request)
{
	begin(request);
}

static void with_fingerprint(struct request *request)
{
	begin(request);
	stun_put_fingerprint(&request->builder);
}

static void with_software(struct request *request)
{
	begin(request);
	stun_put(&request->builder, SLUICE_STUN_SOFTWARE, "libwhatever 1.2.3", 17);
}

static void with_all(struct request *request)
{
	with_software(request);
	stun_put_u64(&request->builder, SLUICE_STUN_ICE_CONTROLLING, 0x1234567890ULL);
	stun_put_fingerprint(&request->builder);
}

static void longest(struct request *request)
{
	begin(request);
	stun_put(&request->builder, SLUICE_STUN_SOFTWARE, request->data,
		 SLUICE_STUN_ORDINARY_MAX - 32);
	stun_put_fingerprint(&request->builder);
}

typedef void (*request_fn)(struct request *request);

static const request_fn ordinary[] = { bare, with_fingerprint, with_software, with_all, longest };
#define ORDINARY (sizeof(ordinary) / sizeof(*ordinary))

static struct shape udp4(const struct request *request)
{
	return (struct shape){ .source = CLIENT4,
			       .target = HOST4,
			       .source_port = CLIENT,
			       .target_port = PORT,
			       .content = request->data,
			       .payload = request->builder.length };
}

static struct shape udp6(const struct request *request)
{
	struct shape shape = udp4(request);

	shape.source = CLIENT6;
	shape.target = HOST6;
	return shape;
}

static struct in6_addr source_of(const struct shape *shape)
{
	struct in6_addr addr = { 0 };

	if (shape_is6(shape)) {
		assert_int_equal(inet_pton(AF_INET6, shape->source, &addr), 1);
	} else {
		addr.s6_addr[10] = addr.s6_addr[11] = 0xff;
		assert_int_equal(inet_pton(AF_INET, shape->source, &addr.s6_addr32[3]), 1);
	}
	return addr;
}

static struct sent {
	uint8_t data[128];
	size_t length;
} sent;

static void on_sent(const struct path *path, const void *message, size_t length, void *arg)
{
	assert_true(length <= sizeof(sent.data));
	memcpy(sent.data, message, length);
	sent.length = length;
}

/*
 * Writes the answer of the server to the same payload. Returns its length, or 0 if XDP should not
 * answer.
 */
static size_t answer_of(const struct shape *shape, uint8_t *answer, size_t size)
{
	const struct path path = { .client = { source_of(shape), htons(shape->source_port) } };
	uint16_t unknown[STUN_UNKNOWN_MAX];
	struct stun_message message;

	if (stun_parse(shape->content, shape->payload, &message) || message.classic ||
	    message.method != SLUICE_STUN_BINDING || message.class != SLUICE_STUN_REQUEST ||
	    message.integrity || message.integrity_sha256 ||
	    stun_unknown(&message, NULL, 0, unknown))
		return 0;
	sent.length = 0;
	server_receive(server, &path, shape->content, shape->payload, 0);
	assert_in_range(sent.length, 1, size);
	memcpy(answer, sent.data, sent.length);
	return sent.length;
}

/* --- answers */

/* Builds the complete frame that the program must send. */
static void frame_with(const struct shape *request, const uint8_t *content, size_t length,
		       struct frame *frame)
{
	struct shape shape = { .source = request->target,
			       .target = request->source,
			       .source_port = request->target_port,
			       .target_port = request->source_port,
			       .vlan_tags = request->vlan_tags,
			       .content = content,
			       .payload = length };
	size_t l3 = 14 + 4 * (size_t)request->vlan_tags;
	uint16_t sum;

	build_frame(&shape, frame);
	memset(frame->byte, 0x0a, 6);
	if (shape_is6(request))
		return;
	/* DF is set */
	frame->byte[l3 + 6] = 0x40;
	memset(frame->byte + l3 + 10, 0, 2);
	sum = sum_finish(sum_add(0, frame->byte + l3, 20));
	memcpy(frame->byte + l3 + 10, &sum, sizeof(sum));
}

static void answer_frame(const struct shape *request, struct frame *frame)
{
	uint8_t content[128];
	size_t length = answer_of(request, content, sizeof(content));

	assert_int_not_equal(length, 0);
	frame_with(request, content, length, frame);
}

/* Gives the frame two different MAC addresses, so that an answer shows that they are swapped. */
static void address_frame(struct frame *frame)
{
	memset(frame->byte + 6, 0x0a, 6);
}

static void want_answer(const struct shape *shape, const struct frame *want)
{
	const struct bpf_program *progs[] = { skel->progs.sluice_meet, skel->progs.sluice_meet_g };
	struct frame in, out;
	size_t i;

	build_frame(shape, &in);
	address_frame(&in);
	for (i = 0; i < 2; i++) {
		assert_int_equal(run(progs[i], &in, &out), XDP_TX);
		assert_int_equal(out.len, want->len);
		assert_memory_equal(out.byte, want->byte, want->len);
	}
}

static void want_answered(const struct shape *shape)
{
	struct frame want;

	answer_frame(shape, &want);
	want_answer(shape, &want);
}

static void test_answers(void **state)
{
	struct request request;
	int tags, padding;
	size_t i;

	for (i = 0; i < ORDINARY; i++)
		for (tags = 0; tags <= 2; tags++)
			for (padding = 0; padding < 40; padding += 6) {
				struct shape four, six;

				ordinary[i](&request);
				four = udp4(&request);
				six = udp6(&request);
				four.vlan_tags = six.vlan_tags = tags;
				four.padding = six.padding = (size_t)padding;
				want_answered(&four);
				want_answered(&six);
				/* RFC 768 */
				four.no_checksum = true;
				want_answered(&four);
			}
}

static void test_counted(void **state)
{
	__u64 before[SLUICE_MEET_COUNTERS_MAX], after[SLUICE_MEET_COUNTERS_MAX];
	struct request request;
	struct shape shape;
	struct frame in, out;

	with_fingerprint(&request);
	shape = udp6(&request);
	build_frame(&shape, &in);
	counters(before);
	assert_int_equal(run(skel->progs.sluice_meet, &in, &out), XDP_TX);
	counters(after);
	assert_int_equal(after[SLUICE_MEET_bindings] - before[SLUICE_MEET_bindings], 1);
	assert_int_equal(after[SLUICE_MEET_in_bytes] - before[SLUICE_MEET_in_bytes], 28);
	assert_int_equal(after[SLUICE_MEET_out_bytes] - before[SLUICE_MEET_out_bytes], 52);
}

/*
 * RFC 768: a checksum that is computed as 0 is sent as ffff. A suitable server port makes the sum
 * 0.
 */
static void want_no_zero(struct shape (*shape_of)(const struct request *))
{
	struct request request;
	struct shape shape;
	struct frame frame;
	uint32_t port;
	size_t check;

	bare(&request);
	shape = shape_of(&request);
	answer_frame(&shape, &frame);
	check = frame.len - (shape_is6(&shape) ? 44 : 32) - 2;
	port = PORT + ((uint32_t)frame.byte[check] << 8 | frame.byte[check + 1]);
	shape.target_port = (uint16_t)((port & 0xffff) + (port >> 16));
	listen_at(shape.target, shape.target_port, ALL);
	answer_frame(&shape, &frame);
	assert_memory_equal(frame.byte + check, "\xff\xff", 2);
	want_answered(&shape);
}

static void test_zero_checksum(void **state)
{
	want_no_zero(udp4);
	want_no_zero(udp6);
}

/* --- passed frames */

static void test_other_messages(void **state)
{
	struct request request;
	struct shape four, six;
	struct frame frame;
	uint32_t type;

	for (type = 0; type < 0x10000; type += type < 0x40 || type >= 0x8000 ? 1 : 251) {
		begin(&request);
		stun_put_u32(&request.builder, (uint16_t)type, 0);
		four = udp4(&request);
		six = udp6(&request);
		if (type >= 0x8000 && type != SLUICE_STUN_FINGERPRINT) {
			if (type > 0x8040)
				continue;
			want_answered(&four);
			want_answered(&six);
			continue;
		}
		build_frame(&four, &frame);
		want_passed(&frame, SLUICE_MEET_passed_message);
		build_frame(&six, &frame);
		want_passed(&frame, SLUICE_MEET_passed_message);
	}
	/* other methods and classes */
	for (type = 0; type < 0x4000; type += type < 0x200 ? 1 : 61) {
		begin(&request);
		put16(request.data, type);
		four = udp4(&request);
		if (type == 1)
			continue;
		build_frame(&four, &frame);
		want_passed(&frame, SLUICE_MEET_passed_message);
	}
	/* an integrity attribute; too long; too many attributes */
	begin(&request);
	stun_put_sha256(&request.builder, "key", 3);
	four = udp4(&request);
	build_frame(&four, &frame);
	want_passed(&frame, SLUICE_MEET_passed_message);
	begin(&request);
	stun_put(&request.builder, SLUICE_STUN_SOFTWARE, request.data,
		 SLUICE_STUN_ORDINARY_MAX - 20);
	four = udp4(&request);
	build_frame(&four, &frame);
	want_passed(&frame, SLUICE_MEET_passed_message);
	begin(&request);
	for (type = 0; type <= SLUICE_STUN_ATTRS_MAX; type++)
		stun_put(&request.builder, SLUICE_STUN_SOFTWARE, NULL, 0);
	four = udp4(&request);
	build_frame(&four, &frame);
	want_passed(&frame, SLUICE_MEET_passed_message);
}

/*
 * Not STUN of RFC 8489: RFC 3489 without the cookie, other protocols on the port (RFC 9443), other
 * ports.
 */
static void test_foreign(void **state)
{
	struct request request;
	struct shape shape;
	struct frame frame;
	int first;

	bare(&request);
	request.data[4] ^= 1;
	shape = udp4(&request);
	build_frame(&shape, &frame);
	want_passed(&frame, NOTHING);
	bare(&request);
	for (first = 0x40; first < 0x100; first += 0x40) {
		request.data[0] = (uint8_t)first;
		build_frame(&shape, &frame);
		want_passed(&frame, SLUICE_MEET_passed_message);
	}
	request.data[0] = 0;
	shape.target_port = PORT + 1;
	build_frame(&shape, &frame);
	want_passed(&frame, NOTHING);
	shape = udp4(&request);
	shape.target = "203.0.113.2";
	build_frame(&shape, &frame);
	want_passed(&frame, NOTHING);
	shape = udp6(&request);
	shape.target = "2001:db8::2";
	build_frame(&shape, &frame);
	want_passed(&frame, NOTHING);
	shape = udp4(&request);
	shape.body = BODY_TCP;
	build_frame(&shape, &frame);
	want_passed(&frame, NOTHING);
	/* an IPv6 packet to the v4-mapped address does not match the IPv4 address */
	shape = udp6(&request);
	shape.target = "::ffff:" HOST4;
	build_frame(&shape, &frame);
	want_passed(&frame, NOTHING);
	/* a multicast destination MAC address; a multicast source MAC address */
	shape = udp4(&request);
	build_frame(&shape, &frame);
	frame.byte[0] |= 1;
	want_passed(&frame, NOTHING);
	frame.byte[0] ^= 1;
	frame.byte[6] |= 1;
	want_passed(&frame, NOTHING);
}

static void set_fragment_bits(struct frame *frame, uint16_t bits)
{
	uint8_t *ip = frame->byte + 14;
	uint16_t sum;

	put16(ip + 6, bits);
	memset(ip + 10, 0, 2);
	sum = sum_finish(sum_add(0, ip, 20));
	memcpy(ip + 10, &sum, sizeof(sum));
}

static void test_headers(void **state)
{
	static const char *const chains[] = { "h", "d", "r", "a", "f", "hd" };
	struct request request;
	struct shape shape;
	struct frame frame, out;
	size_t i;

	with_all(&request);
	shape = udp4(&request);
	for (shape.options = 4; shape.options <= 40; shape.options += 4) {
		build_frame(&shape, &frame);
		want_passed(&frame, NOTHING);
	}
	shape = udp6(&request);
	for (i = 0; i < sizeof(chains) / sizeof(*chains); i++) {
		shape.chain = chains[i];
		build_frame(&shape, &frame);
		want_passed(&frame, NOTHING);
	}
	/* a first and a later fragment, and three VLAN tags */
	shape = udp4(&request);
	shape.fragment = true;
	shape.to = 48;
	build_frame(&shape, &frame);
	want_passed(&frame, NOTHING);
	shape.from = 8;
	shape.to = 2000;
	build_frame(&shape, &frame);
	want_passed(&frame, NOTHING);
	/* a first fragment that contains the complete request; and a packet with DF */
	shape = udp4(&request);
	build_frame(&shape, &frame);
	set_fragment_bits(&frame, 0x2000);
	want_passed(&frame, NOTHING);
	set_fragment_bits(&frame, 0x4000);
	assert_int_equal(run(skel->progs.sluice_meet, &frame, &out), XDP_TX);
	shape.vlan_tags = 3;
	build_frame(&shape, &frame);
	want_passed(&frame, NOTHING);
}

/* Sources that cannot receive an answer. */
static void test_sources(void **state)
{
	static const char *const sources[] = { "0.0.0.0",	 "0.1.2.3",   "127.0.0.1",
					       "224.0.0.1",	 "240.0.0.1", HOST4,
					       "255.255.255.255" };
	static const char *const sources6[] = { "::",  "::1",	    "ff02::1",
						HOST6, "::1.2.3.4", "::ffff:198.51.100.9" };
	struct request request;
	struct shape shape;
	struct frame frame;
	size_t i;

	bare(&request);
	shape = udp4(&request);
	for (i = 0; i < sizeof(sources) / sizeof(*sources); i++) {
		shape.source = sources[i];
		build_frame(&shape, &frame);
		want_passed(&frame, SLUICE_MEET_passed_source);
	}
	shape = udp6(&request);
	for (i = 0; i < sizeof(sources6) / sizeof(*sources6); i++) {
		shape.source = sources6[i];
		build_frame(&shape, &frame);
		want_passed(&frame, SLUICE_MEET_passed_source);
	}
	shape = udp4(&request);
	shape.source_port = 0;
	build_frame(&shape, &frame);
	want_passed(&frame, SLUICE_MEET_passed_source);
}

static void test_checksums(void **state)
{
	struct request request;
	struct shape shape;
	struct frame frame;
	int six;
	size_t bit, l4;

	with_software(&request);
	for (six = 0; six < 2; six++) {
		shape = six ? udp6(&request) : udp4(&request);
		build_frame(&shape, &frame);
		l4 = six ? 54 : 34;
		/*
		 * the UDP checksum covers the addresses, the checksum field, and the text of an
		 * attribute
		 */
		for (bit = (frame.len - 17) * 8; bit < frame.len * 8 - 24; bit++) {
			frame.byte[bit / 8] ^= (uint8_t)(1 << bit % 8);
			want_passed(&frame, SLUICE_MEET_passed_checksum);
			frame.byte[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
		for (bit = (l4 + 6) * 8; bit < (l4 + 8) * 8; bit++) {
			frame.byte[bit / 8] ^= (uint8_t)(1 << bit % 8);
			want_passed(&frame, SLUICE_MEET_passed_checksum);
			frame.byte[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
	/* a UDP checksum is mandatory on IPv6 */
	shape.no_checksum = true;
	build_frame(&shape, &frame);
	want_passed(&frame, SLUICE_MEET_passed_checksum);
	/* flip each bit of the IPv4 header */
	shape = udp4(&request);
	build_frame(&shape, &frame);
	for (bit = 14 * 8; bit < 34 * 8; bit++) {
		frame.byte[bit / 8] ^= (uint8_t)(1 << bit % 8);
		want_passed(&frame, NOTHING);
		frame.byte[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
}

/* A partial checksum (CHECKSUM_PARTIAL): native XDP answers, generic XDP must not. */
static void want_open(const struct shape *shape)
{
	size_t length = 8 + shape->payload;
	uint16_t open = (uint16_t)~sum_finish(pseudo_sum(shape, IPPROTO_UDP, length));
	struct frame in, out, want;

	build_frame(shape, &in);
	address_frame(&in);
	memcpy(in.byte + in.len - length + 6, &open, sizeof(open));
	answer_frame(shape, &want);
	assert_int_equal(run(skel->progs.sluice_meet, &in, &out), XDP_TX);
	assert_int_equal(out.len, want.len);
	assert_memory_equal(out.byte, want.byte, want.len);
	want_unchanged(skel->progs.sluice_meet_g, &in, XDP_PASS, SLUICE_MEET_passed_checksum);
}

static void test_open_checksum(void **state)
{
	struct request request;
	struct shape shape;

	with_software(&request);
	shape = udp4(&request);
	want_open(&shape);
	shape = udp6(&request);
	want_open(&shape);
}

/* A truncated frame, and lengths that contradict each other. */
static void test_cut(void **state)
{
	struct request request;
	struct shape shapes[2];
	struct frame frame, cut;
	size_t i, length;

	with_all(&request);
	shapes[0] = udp4(&request);
	shapes[1] = udp6(&request);
	for (i = 0; i < 2; i++) {
		build_frame(&shapes[i], &frame);
		for (length = 14; length < frame.len; length++) {
			cut = frame;
			cut.len = length;
			want_passed(&cut, NOTHING);
		}
		/* vary the UDP length */
		for (length = 0; length < 0x10000; length += length < 256 ? 1 : 509) {
			cut = frame;
			put16(cut.byte + (i ? 54 : 34) + 4, length);
			if (length != 8 + shapes[i].payload)
				want_passed(&cut, NOTHING);
		}
	}
}

/* --- limits */

static int verdict_of(const char *source)
{
	struct request request;
	struct shape shape;
	struct frame in, out;

	bare(&request);
	shape = strchr(source, ':') ? udp6(&request) : udp4(&request);
	shape.source = source;
	build_frame(&shape, &in);
	return run(skel->progs.sluice_meet, &in, &out);
}

/* The interval is hours long, so the budget does not refill during the test. */
static void test_budget(void **state)
{
	const __u64 hour_ns = 3600ULL * 1000000000;
	__u64 before[SLUICE_MEET_COUNTERS_MAX], after[SLUICE_MEET_COUNTERS_MAX], full = 0;
	__u32 index;
	int i;

	set_budget(hour_ns, 3 * hour_ns);
	counters(before);
	for (i = 0; i < 3; i++)
		assert_int_equal(verdict_of("198.51.100.1"), XDP_TX);
	assert_int_equal(verdict_of("198.51.100.1"), XDP_DROP);
	assert_int_equal(verdict_of("198.51.100.254"), XDP_DROP);
	assert_int_equal(verdict_of("198.51.101.1"), XDP_TX);
	for (i = 0; i < 3; i++)
		assert_int_equal(verdict_of("2001:db8:1:200::1"), XDP_TX);
	assert_int_equal(verdict_of("2001:db8:1:2ff:ffff::1"), XDP_DROP);
	assert_int_equal(verdict_of("2001:db8:1:300::1"), XDP_TX);
	counters(after);
	assert_int_equal(after[SLUICE_MEET_bindings] - before[SLUICE_MEET_bindings], 8);
	assert_int_equal(after[SLUICE_MEET_dropped_budget] - before[SLUICE_MEET_dropped_budget], 3);
	/* refill all budgets, as time would */
	for (index = 0; index < SLUICE_MEET_BUDGETS; index++)
		bpf_map_update_elem(bpf_map__fd(skel->maps.sluice_m_budget), &index, &full,
				    BPF_ANY);
	assert_int_equal(verdict_of("198.51.100.1"), XDP_TX);
	set_budget(0, 0);
}

static void test_lease(void **state)
{
	struct request request;
	struct shape shape;
	struct frame frame;
	struct timespec now;

	bare(&request);
	shape = udp4(&request);
	build_frame(&shape, &frame);
	skel->bss->lease_until_ns = 0;
	want_passed(&frame, SLUICE_MEET_passed_lease);
	clock_gettime(CLOCK_MONOTONIC, &now);
	skel->bss->lease_until_ns = (__u64)now.tv_sec * 1000000000;
	want_passed(&frame, SLUICE_MEET_passed_lease);
	skel->bss->lease_until_ns = ((__u64)now.tv_sec + 3600) * 1000000000;
	want_answered(&shape);
	skel->bss->lease_until_ns = UINT64_MAX;
}

/* --- refreshes */

#define SLOT  2
#define EPOCH 0x80000001U

static const struct sluice_siphash_key refresh_key = { { 0x0706050403020100ULL,
							 0x0f0e0d0c0b0a0908ULL } };

static void put_peer(const struct shape *shape, __u32 slot, __u32 epoch)
{
	struct in6_addr addr = source_of(shape);
	struct sluice_meet_peer peer = { .key = refresh_key,
					 .port_be = htons(shape->source_port),
					 .epoch = epoch };

	memcpy(&peer.addr, &addr, sizeof(peer.addr));
	assert_int_equal(bpf_map__update_elem(skel->maps.sluice_m_peers, &slot, sizeof(slot), &peer,
					      sizeof(peer), BPF_ANY),
			 0);
}

static __u64 seen_ns(__u32 slot)
{
	struct sluice_meet_peer peer;

	assert_int_equal(bpf_map__lookup_elem(skel->maps.sluice_m_peers, &slot, sizeof(slot), &peer,
					      sizeof(peer), 0),
			 0);
	return peer.seen_ns;
}

static void put_token(struct request *request, const struct shape *from, __u32 slot, __u32 epoch)
{
	struct in6_addr addr = source_of(from);
	struct sluice_rendezvous_token token = { .id = { htonl(slot), htonl(epoch) } };

	token.mac_le = SLUICE_RENDEZVOUS_LE64(sluice_rendezvous_token_mac(
		&refresh_key, &token.id, addr.s6_addr32, htons(from->source_port)));
	stun_begin(&request->builder, request->data, sizeof(request->data),
		   SLUICE_RENDEZVOUS_REFRESH, SLUICE_STUN_REQUEST, (const uint8_t *)"transaction!");
	stun_put(&request->builder, SLUICE_RENDEZVOUS_REFRESH_TOKEN, &token, sizeof(token));
	assert_int_equal(stun_end(&request->builder), SLUICE_RENDEZVOUS_REFRESH_SIZE);
}

static void refreshed_frame(const struct shape *shape, struct frame *frame)
{
	const struct sluice_rendezvous_id id = { htonl(SLOT), htonl(EPOCH) };
	__be32 transaction_be[3];
	struct stun_builder builder;
	uint8_t answer[64];
	__u64 proof;

	memcpy(transaction_be, "transaction!", sizeof(transaction_be));
	proof = SLUICE_RENDEZVOUS_LE64(
		sluice_rendezvous_proof_mac(&refresh_key, &id, transaction_be));
	stun_begin(&builder, answer, sizeof(answer), SLUICE_RENDEZVOUS_REFRESH, SLUICE_STUN_SUCCESS,
		   (const uint8_t *)"transaction!");
	stun_put(&builder, SLUICE_RENDEZVOUS_REFRESH_PROOF, &proof, sizeof(proof));
	assert_int_equal(stun_end(&builder), SLUICE_RENDEZVOUS_REFRESHED_SIZE);
	frame_with(shape, answer, SLUICE_RENDEZVOUS_REFRESHED_SIZE, frame);
}

static void want_refreshed(struct shape (*shape_of)(const struct request *))
{
	__u64 before[SLUICE_MEET_COUNTERS_MAX], after[SLUICE_MEET_COUNTERS_MAX], now, seen;
	struct request request = { .length = 0 };
	struct shape shape = shape_of(&request);
	struct timespec time;
	struct frame want;

	put_peer(&shape, SLOT, EPOCH);
	put_token(&request, &shape, SLOT, EPOCH);
	shape = shape_of(&request);
	refreshed_frame(&shape, &want);
	counters(before);
	want_answer(&shape, &want);
	counters(after);
	/* a refresh does not count as a Binding request, and draws from no budget */
	assert_int_equal(after[SLUICE_MEET_refreshes] - before[SLUICE_MEET_refreshes], 2);
	assert_int_equal(after[SLUICE_MEET_bindings] - before[SLUICE_MEET_bindings], 0);
	assert_int_equal(after[SLUICE_MEET_out_bytes] - before[SLUICE_MEET_out_bytes], 0);
	clock_gettime(CLOCK_MONOTONIC, &time);
	now = (__u64)time.tv_sec * 1000000000 + (__u64)time.tv_nsec;
	seen = seen_ns(SLOT);
	assert_true(seen && seen <= now);
	shape.vlan_tags = 2;
	shape.padding = 9;
	refreshed_frame(&shape, &want);
	want_answer(&shape, &want);
}

static void test_refresh(void **state)
{
	set_budget(3600ULL * 1000000000, 1);
	want_refreshed(udp4);
	want_refreshed(udp6);
	set_budget(0, 0);
}

static void want_refresh_passed(const struct shape *shape, int which)
{
	struct frame frame;

	build_frame(shape, &frame);
	want_passed(&frame, which);
	assert_int_equal(seen_ns(SLOT), 0);
}

/* XDP passes all other refreshes to user space: no registration, or another source. */
static void test_refresh_passed(void **state)
{
	struct request request = { .length = 0 };
	struct shape shape = udp4(&request), other;
	size_t bit;

	put_peer(&shape, SLOT, EPOCH);
	put_token(&request, &shape, SLOT, EPOCH);
	shape = udp4(&request);
	/* flip each bit except those of the cookie and the transaction id */
	for (bit = 0; bit < request.builder.length * 8; bit++) {
		if (bit >= 4 * 8 && bit < 20 * 8)
			continue;
		request.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		want_refresh_passed(&shape, bit / 8 >= 24 ? SLUICE_MEET_passed_refresh
							  : SLUICE_MEET_passed_message);
		request.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	/* the NAT has created another mapping */
	other = shape;
	other.source_port++;
	want_refresh_passed(&other, SLUICE_MEET_passed_refresh);
	other = shape;
	other.source = "198.51.100.10";
	want_refresh_passed(&other, SLUICE_MEET_passed_refresh);
	other = shape;
	other.source_port++;
	put_token(&request, &other, SLOT, EPOCH);
	want_refresh_passed(&other, SLUICE_MEET_passed_refresh);
	other.source = "198.51.100.10";
	/*
	 * a token for the new mapping, which only the peer can create: the server must learn of it
	 */
	put_token(&request, &other, SLOT, EPOCH);
	want_refresh_passed(&other, SLUICE_MEET_passed_refresh);
	put_token(&request, &shape, SLOT, EPOCH + 1);
	want_refresh_passed(&shape, SLUICE_MEET_passed_refresh);
	put_token(&request, &shape, SLOT + 1, EPOCH);
	want_refresh_passed(&shape, SLUICE_MEET_passed_refresh);
	put_token(&request, &shape, SLOTS, EPOCH);
	want_refresh_passed(&shape, SLUICE_MEET_passed_refresh);
	put_token(&request, &shape, UINT32_MAX, EPOCH);
	want_refresh_passed(&shape, SLUICE_MEET_passed_refresh);
	/* a free slot has epoch 0 */
	put_peer(&shape, SLOT, 0);
	put_token(&request, &shape, SLOT, 0);
	want_refresh_passed(&shape, SLUICE_MEET_passed_refresh);
	/* longer than a short refresh */
	put_peer(&shape, SLOT, EPOCH);
	put_token(&request, &shape, SLOT, EPOCH);
	stun_put_fingerprint(&request.builder);
	shape = udp4(&request);
	want_refresh_passed(&shape, SLUICE_MEET_passed_message);
	put_token(&request, &shape, SLOT, EPOCH);
	shape = udp4(&request);
	skel->bss->lease_until_ns = 0;
	want_refresh_passed(&shape, SLUICE_MEET_passed_lease);
	skel->bss->lease_until_ns = UINT64_MAX;
}

/* At an address with an alternate (RFC 5780), user space answers Binding requests. */
static void test_services(void **state)
{
	struct request request = { .length = 0 };
	struct shape shape = udp4(&request);
	struct frame frame;

	listen_at(HOST4, PORT, SLUICE_MEET_REFRESH);
	want_refreshed(udp4);
	bare(&request);
	shape = udp4(&request);
	build_frame(&shape, &frame);
	want_passed(&frame, SLUICE_MEET_passed_message);
	listen_at(HOST4, PORT, SLUICE_MEET_BINDING);
	want_answered(&shape);
	put_peer(&shape, SLOT, EPOCH);
	put_token(&request, &shape, SLOT, EPOCH);
	shape = udp4(&request);
	want_refresh_passed(&shape, SLUICE_MEET_passed_message);
	listen_at(HOST4, PORT, ALL);
}

/* --- random requests: XDP gives the same answer, or none */

static uint64_t random_state = 88172645463325252ULL;

/* xorshift: each run generates the same requests. */
static uint32_t random_below(uint32_t limit)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return (uint32_t)(random_state >> 32) % limit;
}

static void random_request(struct request *request)
{
	static const uint16_t types[] = { SLUICE_STUN_SOFTWARE,		 SLUICE_STUN_CHANGE_REQUEST,
					  SLUICE_STUN_ICE_CONTROLLED,	 SLUICE_STUN_USERNAME,
					  SLUICE_STUN_FINGERPRINT,	 SLUICE_STUN_OTHER_ADDRESS,
					  SLUICE_STUN_MESSAGE_INTEGRITY, 0x8fff };
	uint32_t i, count = random_below(4) ? random_below(4) : random_below(12);
	uint8_t value[64];

	begin(request);
	for (i = 0; i < SLUICE_STUN_ID_SIZE; i++)
		request->data[8 + i] = (uint8_t)random_below(256);
	for (i = 0; i < count; i++) {
		uint32_t j, length = random_below(4) ? random_below(12) : random_below(64);

		for (j = 0; j < length; j++)
			value[j] = (uint8_t)random_below(256);
		stun_put(&request->builder,
			 random_below(2) ? SLUICE_STUN_SOFTWARE : types[random_below(8)], value,
			 length);
	}
	if (random_below(2))
		stun_put_fingerprint(&request->builder);
	/* sometimes corrupt the request */
	for (i = 0; !random_below(3) && i < 4; i++)
		request->data[random_below((uint32_t)request->builder.length)] ^=
			(uint8_t)(1 << random_below(8));
	if (!random_below(8))
		request->builder.length -= random_below((uint32_t)request->builder.length);
}

static void test_random(void **state)
{
	const char *wanted = getenv("MEET_CASES");
	long i, cases = wanted ? atol(wanted) : CASES, answered = 0, passed = 0;
	struct request request;
	struct frame in, out, want;
	struct shape shape;
	uint8_t answer[128];

	for (i = 0; i < cases; i++) {
		const struct bpf_program *prog = i & 1 ? skel->progs.sluice_meet
						       : skel->progs.sluice_meet_g;

		random_request(&request);
		shape = random_below(2) ? udp4(&request) : udp6(&request);
		shape.source_port = (uint16_t)(1 + random_below(65535));
		shape.vlan_tags = random_below(8) ? 0 : 1;
		shape.padding = random_below(2) ? 0 : random_below(32);
		build_frame(&shape, &in);
		address_frame(&in);
		switch (run(prog, &in, &out)) {
		case XDP_TX:
			answered++;
			answer_frame(&shape, &want);
			assert_int_equal(out.len, want.len);
			assert_memory_equal(out.byte, want.byte, want.len);
			break;
		case XDP_PASS:
			/* XDP must also answer what the codec answers, except beyond its limits */
			passed++;
			assert_int_equal(out.len, in.len);
			assert_memory_equal(out.byte, in.byte, in.len);
			if (answer_of(&shape, answer, sizeof(answer)))
				assert_true(shape.payload > SLUICE_STUN_ORDINARY_MAX ||
					    shape.payload >= 20 + 4 * SLUICE_STUN_ATTRS_MAX);
			break;
		default:
			fail();
		}
	}
	assert_true(answered > cases / 10 && passed > cases / 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_answers),	      cmocka_unit_test(test_counted),
		cmocka_unit_test(test_zero_checksum), cmocka_unit_test(test_other_messages),
		cmocka_unit_test(test_foreign),	      cmocka_unit_test(test_headers),
		cmocka_unit_test(test_sources),	      cmocka_unit_test(test_checksums),
		cmocka_unit_test(test_open_checksum), cmocka_unit_test(test_cut),
		cmocka_unit_test(test_budget),	      cmocka_unit_test(test_lease),
		cmocka_unit_test(test_refresh),	      cmocka_unit_test(test_refresh_passed),
		cmocka_unit_test(test_services),      cmocka_unit_test(test_random),
	};
	int failed = cmocka_run_group_tests(tests, set_up, NULL);

	meet_bpf__destroy(skel);
	server_free(server);
	return failed;
}
