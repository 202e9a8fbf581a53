// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The wire programs, packet by packet: in a network namespace with sockets of each kind, every
 *shape of header goes through them and comes out changed as described, byte for byte, or not at
 *all.
 *
 *	client 10.1.0.9, fd01::9 ── near 10.1.0.1, fd01::1 [host] far 10.2.0.1, fd02::1
 *
 * The host answers the client from the near address; the client asks the far one.
 */
#include "packet_build.h"
#include "wire.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <sluice/wire.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#define NEAR4	"10.1.0.1"
#define FAR4	"10.2.0.1"
#define CLIENT4 "10.1.0.9"
#define NEAR6	"fd01::1"
#define FAR6	"fd02::1"
#define CLIENT6 "fd01::9"

/* Sockets, by port. */
enum {
	WILDCARD = 1000,  /* [::]:1000, for both families */
	BOUND,		  /* at the far addresses alone */
	BOUND_NEAR,	  /* a wildcard one, and another at the near addresses */
	CONNECTED,	  /* a wildcard one that has connected to the client's port CONNECTED */
	CONNECTED_OTHERS, /* the same, and a new wildcard one for the next client, as iperf3 has */
	NOBODY,
	UNMANAGED, /* a wildcard one on a port that is not managed */
};

/* The programs for one role, with maps of their own. */
struct programs {
	struct wire_bpf *skel;
	int in, out;
};

static struct programs host, host_by_table, gateway;
static unsigned int near_index;

/* --- running */

static int setting(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);
	bool done = fd >= 0 && write(fd, value, strlen(value)) > 0;

	if (fd >= 0)
		close(fd);
	return done ? 0 : -errno;
}

static void forwarding(bool on)
{
	assert_int_equal(setting("/proc/sys/net/ipv4/ip_forward", on ? "1" : "0"), 0);
	assert_int_equal(setting("/proc/sys/net/ipv6/conf/all/forwarding", on ? "1" : "0"), 0);
}

static uint64_t counter(const struct programs *programs, enum sluice_wire_counter which)
{
	int cpus = libbpf_num_possible_cpus(), cpu, fd;
	struct sluice_wire_counters *each = calloc((size_t)cpus, sizeof(*each));
	uint64_t sum = 0;
	uint32_t zero = 0;

	fd = bpf_map__fd(programs->skel->maps.sluice_w_counts);
	assert_non_null(each);
	assert_int_equal(bpf_map_lookup_elem(fd, &zero, each), 0);
	for (cpu = 0; cpu < cpus; cpu++)
		sum += each[cpu].value[which];
	free(each);
	return sum;
}

/* `linear`: bytes that lie in the linear part; 0: all. Returns -errno if the kernel refuses. */
static int run_frame(int prog, const struct frame *in, size_t linear, struct frame *out)
{
	struct __sk_buff context = { .ifindex = near_index, .data_end = (uint32_t)linear };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->byte, .data_size_in = (uint32_t)in->len,
		    .data_out = out->byte, .data_size_out = sizeof(out->byte), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);

	memset(out, 0, sizeof(*out));
	if (bpf_prog_test_run_opts(prog, &opts))
		return -errno;
	out->len = opts.data_size_out;
	assert_int_equal((int)opts.retval, TC_ACT_UNSPEC);
	return 0;
}

static void dump(const char *what, const struct frame *frame)
{
	size_t i;

	fprintf(stderr, "%s (%zu):", what, frame->len);
	for (i = 0; i < frame->len && i < 160; i++)
		fprintf(stderr, "%s%02x", i % 16 ? " " : "\n  ", frame->byte[i]);
	fprintf(stderr, "\n");
}

static void assert_frame(const struct frame *got, const struct frame *wanted)
{
	if (got->len != wanted->len || memcmp(got->byte, wanted->byte, wanted->len)) {
		dump("wanted", wanted);
		dump("got", got);
		fail();
	}
}

/* `in` goes in, `wanted` comes out, and `which` has counted one. */
static void pass_frame(const struct programs *programs, int prog, const struct frame *in,
		       const struct frame *wanted, enum sluice_wire_counter which)
{
	uint64_t before = counter(programs, which);
	struct frame out;

	assert_int_equal(run_frame(prog, in, 0, &out), 0);
	assert_frame(&out, wanted);
	assert_int_equal(counter(programs, which), before + 1);
}

static void pass(const struct programs *programs, int prog, const struct shape *in,
		 const struct shape *wanted, enum sluice_wire_counter which)
{
	struct frame frame_in, frame_wanted;

	build_frame(in, &frame_in);
	build_frame(wanted, &frame_wanted);
	pass_frame(programs, prog, &frame_in, &frame_wanted, which);
}

/* Left as it is, and counted by nobody. */
static void pass_uncounted(const struct programs *programs, int prog, const struct shape *shape)
{
	uint64_t before = 0, after = 0;
	struct frame in, out;
	int i;

	build_frame(shape, &in);
	for (i = 0; i < SLUICE_WIRE_COUNTERS_MAX; i++)
		before += counter(programs, i);
	assert_int_equal(run_frame(prog, &in, 0, &out), 0);
	assert_frame(&out, &in);
	for (i = 0; i < SLUICE_WIRE_COUNTERS_MAX; i++)
		after += counter(programs, i);
	assert_int_equal(after, before);
}

/* --- what goes through */

/* A new client port for each conversation. */
static uint16_t next_port(void)
{
	static uint16_t port = 20000;

	return port++;
}

static struct shape request4(uint16_t client_port, uint16_t port)
{
	return (struct shape){ .source = CLIENT4,
			       .target = FAR4,
			       .source_port = client_port,
			       .target_port = port,
			       .payload = 33 };
}

static struct shape request6(uint16_t client_port, uint16_t port)
{
	return (struct shape){ .source = CLIENT6,
			       .target = FAR6,
			       .source_port = client_port,
			       .target_port = port,
			       .payload = 33 };
}

static struct shape request_of(int version, uint16_t client_port, uint16_t port)
{
	return version == 4 ? request4(client_port, port) : request6(client_port, port);
}

static const char *near_of(const struct shape *shape)
{
	return shape_is6(shape) ? NEAR6 : NEAR4;
}

static struct shape to_target(struct shape shape, const char *target)
{
	shape.target = target;
	return shape;
}

static struct shape from_source(struct shape shape, const char *source)
{
	shape.source = source;
	return shape;
}

/* The way back, as the server sends it. */
static struct shape answer(const struct shape *request, const char *server)
{
	struct shape shape = *request;

	shape.source = server;
	shape.target = request->source;
	shape.source_port = request->target_port;
	shape.target_port = request->source_port;
	return shape;
}

/* A request and its answer, both of the shape described. */
static void converse(const struct programs *programs, const struct shape *request)
{
	struct shape inside = to_target(*request, near_of(request));
	struct shape reply = answer(request, near_of(request));
	struct shape mended = answer(request, request->target);

	pass(programs, programs->in, request, &inside, SLUICE_WIRE_request_rewritten);
	pass(programs, programs->out, &reply, &mended, SLUICE_WIRE_reply_rewritten);
	/* again, by the flow table alone */
	pass(programs, programs->in, request, &inside, SLUICE_WIRE_request_rewritten);
	pass(programs, programs->out, &reply, &mended, SLUICE_WIRE_reply_rewritten);
}

/* --- shapes that are followed */

static void test_plain(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		size_t payload;

		for (payload = 0; payload < 70; payload++) {
			request.payload = payload;
			request.source_port = next_port();
			converse(&host, &request);
		}
		request.payload = 1400;
		converse(&host, &request);
	}
}

static void test_no_checksum(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);

		request.no_checksum = true;
		converse(&host, &request);
	}
}

/*
 * A checksum that comes out as 0 is sent as 0xffff: among 65,536 payloads of two bytes, one makes
 * it so. The source port plays the part of the payload here.
 */
static void test_checksum_zero(void **state)
{
	unsigned int found = 0, port;

	for (port = 1; port < 65536 && !found; port++) {
		struct shape request = request4((uint16_t)port, WILDCARD);
		struct shape inside = to_target(request, NEAR4);
		struct frame frame;

		request.payload = inside.payload = 0;
		build_frame(&inside, &frame);
		if (frame.byte[14 + 20 + 6] != 0xff || frame.byte[14 + 20 + 7] != 0xff)
			continue;
		found++;
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
	}
	assert_int_equal(found, 1);
}

static void test_options(void **state)
{
	struct shape request = request4(0, WILDCARD);

	for (request.options = 0; request.options <= 40; request.options += 4) {
		request.source_port = next_port();
		converse(&host, &request);
	}
}

static void test_extension_headers(void **state)
{
	static const char *const chains[] = { "h",  "d",  "r",	 "f",	 "hd",
					      "hr", "hf", "hdr", "hrdf", "hdrfd" };
	struct shape request = request6(0, WILDCARD);
	size_t i;

	for (i = 0; i < sizeof(chains) / sizeof(*chains); i++) {
		request.source_port = next_port();
		request.chain = chains[i];
		converse(&host, &request);
	}
}

static void test_vlan(void **state)
{
	int version, tags;

	for (version = 4; version <= 6; version += 2)
		for (tags = 1; tags <= 2; tags++) {
			struct shape request = request_of(version, next_port(), WILDCARD);

			request.vlan_tags = tags;
			converse(&host, &request);
		}
}

static void test_padding(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);

		request.payload = 1;
		request.padding = 17;
		converse(&host, &request);
	}
}

/* The headers need not lie in the linear part of a packet (test_run makes such since 6.18). */
static void test_not_linear(void **state)
{
	int version, refused = 0;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct shape inside = to_target(request, near_of(&request));
		struct frame in, out, wanted;

		build_frame(&request, &in);
		build_frame(&inside, &wanted);
		if (run_frame(host.in, &in, 14, &out)) {
			refused++;
			continue;
		}
		assert_int_equal(out.len, wanted.len);
		assert_frame(&out, &wanted);
	}
	if (refused)
		print_message("this kernel's test_run makes linear packets only\n");
}

/* --- fragments */

/* Three fragments of a datagram, each with and without the change of one address. */
static void fragments(const struct programs *programs, int prog, struct shape whole,
		      const char *source, const char *target, enum sluice_wire_counter first)
{
	static const size_t cuts[] = { 0, 512, 1024, 2000 };
	struct shape changed;
	int i;

	whole.payload = 1400;
	whole.fragment = true;
	whole.chain = shape_is6(&whole) ? "f" : NULL;
	whole.id = 0x1234;
	for (i = 0; i < 3; i++) {
		whole.from = cuts[i];
		whole.to = cuts[i + 1];
		changed = to_target(from_source(whole, source), target);
		/* the checksum is over the whole datagram, and so has changed in the first alone */
		pass(programs, prog, &whole, &changed, i ? SLUICE_WIRE_fragment_followed : first);
	}
}

static void test_fragments(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct shape reply = answer(&request, near_of(&request));

		fragments(&host, host.in, request, request.source, near_of(&request),
			  SLUICE_WIRE_request_rewritten);
		fragments(&host, host.out, reply, request.target, reply.target,
			  SLUICE_WIRE_reply_rewritten);
		/* one that is right as it is: its fragments are followed, and not changed */
		request.target = near_of(&request);
		request.source_port = next_port();
		fragments(&host, host.in, request, request.source, request.target,
			  SLUICE_WIRE_request_right);
	}
}

/* A later fragment that comes first cannot be known. */
static void test_fragment_early(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape early = request_of(version, next_port(), WILDCARD);

		early.payload = 1400;
		early.fragment = true;
		early.chain = version == 6 ? "f" : NULL;
		early.id = 0x9999;
		early.from = 512;
		early.to = 2000;
		pass(&host, host.in, &early, &early, SLUICE_WIRE_fragment_early);
		pass(&host, host.out, &early, &early, SLUICE_WIRE_fragment_early);
	}
}

/* More datagrams at a time than there is room for: the oldest are forgotten, and counted. */
static void test_fragment_evicted(void **state)
{
	struct shape first = request4(next_port(), WILDCARD);
	uint64_t before = counter(&host, SLUICE_WIRE_fragment_evicted);
	struct frame in, out;

	first.payload = 1400;
	first.fragment = true;
	first.to = 512;
	for (first.id = 1; first.id < SLUICE_FRAGMENT_SETS * SLUICE_FLOW_WAYS * 2; first.id++) {
		build_frame(&first, &in);
		assert_int_equal(run_frame(host.in, &in, 0, &out), 0);
	}
	assert_true(counter(&host, SLUICE_WIRE_fragment_evicted) - before >=
		    SLUICE_FRAGMENT_SETS * SLUICE_FLOW_WAYS - SLUICE_FLOW_WAYS);
}

/* --- ICMP errors */

struct error_kind {
	uint8_t type4, code4, type6, code6;
};

static const struct error_kind errors[] = {
	{ 3, 3, 1, 4 },	 /* port unreachable */
	{ 3, 4, 2, 0 },	 /* fragmentation needed, packet too big */
	{ 11, 0, 3, 0 }, /* time exceeded */
	{ 12, 0, 4, 1 }, /* parameter problem */
};

static struct shape error_about(const struct shape *quoted, const char *source, const char *target,
				const struct error_kind *kind)
{
	bool six = shape_is6(quoted);

	return (struct shape){ .source = source,
			       .target = target,
			       .body = BODY_ICMP,
			       .type = six ? kind->type6 : kind->type4,
			       .code = six ? kind->code6 : kind->code4,
			       .quoted = quoted };
}

/*
 * Both errors about a conversation in both directions; `change` alters the quoted datagrams,
 * `quote` says how much of them is there.
 */
static void error_pair(const struct shape *request, const struct error_kind *kind, size_t quote,
		       const char *router)
{
	const char *near = near_of(request), *far = request->target, *client = request->source;
	struct shape inside = to_target(*request, near);
	struct shape reply = answer(request, near), mended = answer(request, far);
	struct shape error, wanted;
	struct frame in, out;

	build_frame(request, &in);
	assert_int_equal(run_frame(host.in, &in, 0, &out), 0);

	/* the client, or a router before it, about the answer that came from the far address */
	error = error_about(&mended, router ? router : client, far, kind);
	wanted = error_about(&reply, router ? router : client, near, kind);
	error.quote = wanted.quote = quote;
	pass(&host, host.in, &error, &wanted, SLUICE_WIRE_error_translated);

	/* this host about the request that came to the near address */
	error = error_about(&inside, near, client, kind);
	wanted = error_about(request, far, client, kind);
	error.quote = wanted.quote = quote;
	pass(&host, host.out, &error, &wanted, SLUICE_WIRE_error_translated);
}

static void test_errors(void **state)
{
	size_t i;
	int version;

	for (version = 4; version <= 6; version += 2)
		for (i = 0; i < sizeof(errors) / sizeof(*errors); i++) {
			struct shape request = request_of(version, next_port(), WILDCARD);

			error_pair(&request, &errors[i], 0, NULL);
			error_pair(&request, &errors[i], 0,
				   version == 4 ? "10.1.0.77" : "fd01::77");
			/* the IP header and 8 bytes, all that RFC 792 promises; and odd lengths */
			error_pair(&request, &errors[i], version == 4 ? 28 : 48, NULL);
			error_pair(&request, &errors[i], version == 4 ? 33 : 53, NULL);
			request.no_checksum = true;
			error_pair(&request, &errors[i], 0, NULL);
		}
}

static void test_errors_with_options(void **state)
{
	struct shape request4s = request4(next_port(), WILDCARD);
	struct shape request6s = request6(next_port(), WILDCARD);

	request4s.options = 40;
	error_pair(&request4s, &errors[0], 0, NULL);
	request6s.chain = "hdr";
	error_pair(&request6s, &errors[0], 0, NULL);
}

/* Errors about what is not ours, or not changed. */
static void test_errors_left(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct shape unknown = answer(&request, request.target), error;

		error = error_about(&unknown, request.source, request.target, &errors[0]);
		pass(&host, host.in, &error, &error, SLUICE_WIRE_error_left);
		unknown.body = BODY_TCP;
		pass_uncounted(&host, host.in, &error);
		/* no error, and nothing quoted */
		error.quoted = NULL;
		error.type = version == 4 ? 8 : 128;
		pass_uncounted(&host, host.in, &error);
	}
}

/* --- headers that lie, and what is cut off */

/* False if the kernel's test_run takes no such frame: it wants some of the headers to be there. */
static bool is_left(const struct programs *programs, const struct frame *in)
{
	struct frame out;

	if (run_frame(programs->in, in, 0, &out))
		return false;
	assert_frame(&out, in);
	assert_int_equal(run_frame(programs->out, in, 0, &out), 0);
	assert_frame(&out, in);
	return true;
}

/* Cut off anywhere, a packet is left alone. */
static void test_truncated(void **state)
{
	int version, kind;

	for (version = 4; version <= 6; version += 2)
		for (kind = 0; kind < 4; kind++) {
			struct shape quoted = request_of(version, next_port(), WILDCARD), shape;
			struct frame frame;

			shape = quoted;
			if (kind == 1)
				shape.vlan_tags = 2;
			if (kind == 2 && version == 4)
				shape.options = 40;
			if (kind == 2 && version == 6)
				shape.chain = "hdrf";
			if (kind == 3)
				shape = error_about(&quoted, quoted.target, quoted.source,
						    &errors[0]);
			build_frame(&shape, &frame);
			while (--frame.len > 14)
				if (!is_left(&host, &frame))
					break;
			/* at least down to the fixed IP header */
			assert_true(frame.len < 14 + 40);
		}
}

struct lie {
	int version;
	const char *what;
	size_t at; /* behind the Ethernet header */
	uint8_t value;
};

static void test_lies(void **state)
{
	/* of a datagram of 20 + 8 + 33 or 40 + 8 + 33 bytes */
	static const struct lie lies[] = {
		{ 4, "version 6", 0, 0x65 },
		{ 4, "version 0", 0, 0x05 },
		{ 4, "header of 16 bytes", 0, 0x44 },
		{ 4, "header of 0 bytes", 0, 0x40 },
		{ 4, "header of 60 bytes, into the data", 0, 0x4f },
		{ 4, "total length 0", 3, 0 },
		{ 4, "total length within the header", 3, 19 },
		{ 4, "total length within the UDP header", 3, 27 },
		{ 4, "total length one too many", 3, 62 },
		{ 4, "total length 256 too many", 2, 1 },
		{ 4, "offset beyond 65535", 6, 0x1f },
		{ 4, "UDP length 0", 25, 0 },
		{ 4, "UDP length 7", 25, 7 },
		{ 4, "UDP length one too many", 25, 42 },
		{ 4, "UDP length 256 too many", 24, 1 },
		{ 6, "version 4", 0, 0x40 },
		{ 6, "payload length 0", 5, 0 },
		{ 6, "payload length within the UDP header", 5, 7 },
		{ 6, "payload length one too many", 5, 42 },
		{ 6, "payload length 256 too many", 4, 1 },
		{ 6, "hop-by-hop options that are a UDP header", 6, IPPROTO_HOPOPTS },
		{ 6, "a fragment header that is a UDP header", 6, IPPROTO_FRAGMENT },
		{ 6, "UDP length 0", 45, 0 },
		{ 6, "UDP length 7", 45, 7 },
		{ 6, "UDP length one too many", 45, 42 },
		{ 6, "UDP length 256 too many", 44, 1 },
	};
	size_t i;

	for (i = 0; i < sizeof(lies) / sizeof(*lies); i++) {
		struct shape request = request_of(lies[i].version, next_port(), WILDCARD);
		struct frame frame;

		build_frame(&request, &frame);
		frame.byte[14 + lies[i].at] = lies[i].value;
		if (lies[i].at == 0 && lies[i].value == 0x4f)
			frame.byte[14 + 3] = 61;
		assert_true(is_left(&host, &frame));
	}
}

static void test_deep_and_signed(void **state)
{
	struct shape request = request6(next_port(), WILDCARD);

	request.chain = "hddddddddd";
	pass(&host, host.in, &request, &request, SLUICE_WIRE_skipped_header);
	request.chain = "dh"; /* hop-by-hop options stand first or nowhere */
	pass(&host, host.in, &request, &request, SLUICE_WIRE_skipped_header);
	request.chain = "a";
	pass(&host, host.in, &request, &request, SLUICE_WIRE_skipped_signed);
	request.chain = "R";
	pass(&host, host.in, &request, &request, SLUICE_WIRE_skipped_signed);
	request = request4(next_port(), WILDCARD);
	request.vlan_tags = 3;
	pass(&host, host.in, &request, &request, SLUICE_WIRE_skipped_header);
}

/* Whatever is in a packet, it keeps its length, and no more than addresses and checksums change. */
static void test_noise(void **state)
{
	uint64_t random = 0x9e3779b97f4a7c15ULL;
	int round;

	for (round = 0; round < 20000; round++) {
		struct shape quoted = request_of(round % 2 ? 4 : 6, 19000, WILDCARD), shape;
		size_t i, changes = 0;
		struct frame in, out;

		shape = quoted;
		if (round % 3 == 1)
			shape.chain = "hdf", shape.options = 8;
		if (round % 3 == 2)
			shape = error_about(&quoted, quoted.target, quoted.source, &errors[0]);
		build_frame(&shape, &in);
		for (i = 0; i < 1 + (size_t)round % 4; i++) {
			random = random * 6364136223846793005ULL + 1442695040888963407ULL;
			in.byte[12 + (random >> 33) % (in.len - 12)] ^= (uint8_t)(random >> 20) | 1;
		}
		assert_int_equal(run_frame(round % 5 ? host.in : host.out, &in, 0, &out), 0);
		assert_int_equal(out.len, in.len);
		for (i = 0; i < in.len; i++)
			changes += out.byte[i] != in.byte[i];
		assert_true(changes <= 2 * 16 + 4 * 2);
	}
}

/* --- what is left alone */

static void test_not_ours(void **state)
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

static void left(const char *source, const char *target, uint16_t port,
		 enum sluice_wire_counter which)
{
	struct shape request = { .source = source,
				 .target = target,
				 .source_port = next_port(),
				 .target_port = port,
				 .payload = 5 };

	pass(&host, host.in, &request, &request, which);
	pass(&host, host.in, &request, &request, which);
}

static void test_targets(void **state)
{
	left(CLIENT4, NEAR4, WILDCARD, SLUICE_WIRE_request_right);
	left(CLIENT6, NEAR6, WILDCARD, SLUICE_WIRE_request_right);
	left(CLIENT4, "10.3.0.1", WILDCARD, SLUICE_WIRE_request_not_local);
	left(CLIENT4, "10.1.0.10", WILDCARD, SLUICE_WIRE_request_not_local);
	left(CLIENT6, "fd03::1", WILDCARD, SLUICE_WIRE_request_not_local);
	/* networks of this host, as a whole */
	left(CLIENT4, "10.2.0.255", WILDCARD, SLUICE_WIRE_request_not_local);
	left(CLIENT6, "fd02::", WILDCARD, SLUICE_WIRE_request_not_local);
	left(CLIENT4, "255.255.255.255", WILDCARD, SLUICE_WIRE_request_not_unicast);
	left(CLIENT4, "224.0.0.251", WILDCARD, SLUICE_WIRE_request_not_unicast);
	left(CLIENT4, "127.0.0.1", WILDCARD, SLUICE_WIRE_request_not_unicast);
	left("0.0.0.0", FAR4, WILDCARD, SLUICE_WIRE_request_not_unicast);
	left("169.254.7.7", FAR4, WILDCARD, SLUICE_WIRE_request_not_unicast);
	left(CLIENT6, "ff02::fb", WILDCARD, SLUICE_WIRE_request_not_unicast);
	left(CLIENT6, "fe80::1", WILDCARD, SLUICE_WIRE_request_not_unicast);
	left(CLIENT6, "::1", WILDCARD, SLUICE_WIRE_request_not_unicast);
	left("fe80::9", FAR6, WILDCARD, SLUICE_WIRE_request_not_unicast);
	/* a client that this host has no route to */
	left("203.0.113.9", FAR4, WILDCARD, SLUICE_WIRE_request_no_source);
	left("2001:db8::9", FAR6, WILDCARD, SLUICE_WIRE_request_no_source);
}

/* A broadcast on Ethernet is one, whatever the IP address. */
static void test_broadcast(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct frame frame;

		build_frame(&request, &frame);
		memset(frame.byte, 0xff, 6);
		pass_frame(&host, host.in, &frame, &frame, SLUICE_WIRE_request_not_unicast);
		frame.byte[0] = 0x33;
		pass_frame(&host, host.in, &frame, &frame, SLUICE_WIRE_request_not_unicast);
	}
}

/* Targets that were other hosts' a moment ago count as such. */
static void forget_away(void)
{
	int fd = bpf_map__fd(host.skel->maps.sluice_w_away);
	struct sluice_away *each = calloc((size_t)libbpf_num_possible_cpus(),
					  sizeof(struct sluice_away));
	uint32_t slot;

	for (slot = 0; slot < SLUICE_AWAY_SLOTS; slot++)
		assert_int_equal(bpf_map_update_elem(fd, &slot, each, BPF_ANY), 0);
	free(each);
}

/* An address that came after user space had read the routes. */
static void test_new_address(void **state)
{
	struct shape request = to_target(request4(next_port(), WILDCARD), "10.2.0.77");
	struct shape inside = to_target(request, NEAR4);

	pass(&host, host.in, &request, &request, SLUICE_WIRE_request_not_local);
	assert_int_equal(system("ip addr add 10.2.0.77/24 dev far"), 0);
	forget_away();
	pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
	assert_int_equal(system("ip addr del 10.2.0.77/24 dev far"), 0);
	request.source_port = next_port();
	pass(&host, host.in, &request, &request, SLUICE_WIRE_request_not_local);
	pass(&host, host.in, &request, &request, SLUICE_WIRE_request_not_local);
}

static void test_sockets(void **state)
{
	struct shape request;
	int version;

	left(CLIENT4, FAR4, NOBODY, SLUICE_WIRE_request_no_socket);
	left(CLIENT6, FAR6, NOBODY, SLUICE_WIRE_request_no_socket);
	left(CLIENT4, FAR4, BOUND, SLUICE_WIRE_request_right);
	left(CLIENT6, FAR6, BOUND, SLUICE_WIRE_request_right);
	left(CLIENT4, NEAR4, BOUND, SLUICE_WIRE_request_no_socket);
	for (version = 4; version <= 6; version += 2) {
		/* the wildcard socket is asked, and another service is at the near address */
		request = request_of(version, next_port(), BOUND_NEAR);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_other_socket);
		request = request_of(version, CONNECTED, CONNECTED);
		converse(&host, &request);
		request = request_of(version, CONNECTED_OTHERS, CONNECTED_OTHERS);
		converse(&host, &request);
		request = request_of(version, next_port(), CONNECTED_OTHERS);
		converse(&host, &request);
		/* the socket belongs to another client */
		request = request_of(version, next_port(), CONNECTED);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_no_socket);
	}
}

/* One client port that asks two addresses: the one asked last. */
static void test_moved(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct shape direct = to_target(request, near_of(&request));
		struct shape reply = answer(&request, near_of(&request));

		converse(&host, &request);
		pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_right);
		converse(&host, &request);
	}
}

static void test_replies(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct shape inside = to_target(request, near_of(&request)), reply;

		reply = answer(&request, near_of(&request));
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_no_flow);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		/* a server that knows better */
		reply = answer(&request, request.target);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_right);
		reply = answer(&request, version == 4 ? "10.4.0.1" : "fd04::1");
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_other_source);
	}
}

/* Without forwarding the kernel's look-up is closed, and the routes of user space decide. */
static void test_routes_by_table(void **state)
{
	uint64_t before = counter(&host_by_table, SLUICE_WIRE_routes_by_table);
	struct shape request;

	forwarding(false);
	request = request4(next_port(), WILDCARD);
	converse(&host_by_table, &request);
	request = request6(next_port(), WILDCARD);
	converse(&host_by_table, &request);
	request = to_target(request4(next_port(), WILDCARD), "10.2.0.255");
	pass(&host_by_table, host_by_table.in, &request, &request, SLUICE_WIRE_request_not_local);
	request = to_target(request4(next_port(), WILDCARD), "10.3.0.1");
	pass(&host_by_table, host_by_table.in, &request, &request, SLUICE_WIRE_request_not_local);
	assert_true(counter(&host_by_table, SLUICE_WIRE_routes_by_table) > before);
	forwarding(true);
}

/* --- gateway: the server 10.8.0.1, 10.8.1.1 is behind the interface */

#define B1 "10.8.0.1"
#define B2 "10.8.1.1"
#define B3 "10.8.2.1" /* not named */

static void test_gateway(void **state)
{
	struct shape request = { .source = "192.0.2.7",
				 .target = B1,
				 .source_port = next_port(),
				 .target_port = 53,
				 .payload = 40 };
	struct shape onward = to_target(request, B2), reply = answer(&request, B2);
	struct shape mended = answer(&request, B1), right = mended, other = answer(&request, B3);
	struct shape error, wanted;

	/* nothing was asked */
	pass(&gateway, gateway.in, &reply, &reply, SLUICE_WIRE_reply_no_flow);
	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_right);
	pass_uncounted(&gateway, gateway.in, &other);
	pass(&gateway, gateway.in, &right, &right, SLUICE_WIRE_reply_right);
	pass(&gateway, gateway.in, &reply, &mended, SLUICE_WIRE_reply_rewritten);
	/* its socket may be connected by now, and then it is found at B2 alone */
	pass(&gateway, gateway.out, &request, &onward, SLUICE_WIRE_request_rewritten);
	pass(&gateway, gateway.in, &reply, &mended, SLUICE_WIRE_reply_rewritten);

	/* the server about a request, and a router about an answer */
	error = error_about(&onward, B2, "192.0.2.7", &errors[0]);
	wanted = error_about(&request, B1, "192.0.2.7", &errors[0]);
	pass(&gateway, gateway.in, &error, &wanted, SLUICE_WIRE_error_translated);
	error = error_about(&mended, "192.0.2.1", B1, &errors[1]);
	wanted = error_about(&reply, "192.0.2.1", B2, &errors[1]);
	pass(&gateway, gateway.out, &error, &wanted, SLUICE_WIRE_error_translated);

	/* not one of the server's addresses */
	other = to_target(request, B3);
	pass_uncounted(&gateway, gateway.out, &other);
	/* back to the address asked */
	pass(&gateway, gateway.in, &right, &right, SLUICE_WIRE_reply_right);
	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_right);
}

static void test_gateway_fragments(void **state)
{
	struct shape request = {
		.source = "192.0.2.7", .target = B1, .source_port = next_port(), .target_port = 53
	};
	struct shape reply = answer(&request, B2);

	fragments(&gateway, gateway.out, request, request.source, B1, SLUICE_WIRE_request_right);
	fragments(&gateway, gateway.in, reply, B1, reply.target, SLUICE_WIRE_reply_rewritten);
	fragments(&gateway, gateway.out, request, request.source, B2,
		  SLUICE_WIRE_request_rewritten);
}

/* --- setup */

static int sh(const char *command)
{
	int status = system(command);

	if (status)
		fprintf(stderr, "failed: %s\n", command);
	return status;
}

static int open_socket(int family, const char *addr, uint16_t port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	int fd = socket(family, SOCK_DGRAM, 0), one = 1;
	bool is6 = family == AF_INET6;

	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one));
	if (inet_pton(family, addr, is6 ? (void *)&six.sin6_addr : (void *)&four.sin_addr) != 1 ||
	    bind(fd, is6 ? (void *)&six : (void *)&four, is6 ? sizeof(six) : sizeof(four)))
		return -1;
	return fd;
}

static int connect_socket(int fd, int family, const char *addr, uint16_t port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	bool is6 = family == AF_INET6;

	inet_pton(family, addr, is6 ? (void *)&six.sin6_addr : (void *)&four.sin_addr);
	return connect(fd, is6 ? (void *)&six : (void *)&four, is6 ? sizeof(six) : sizeof(four));
}

/* They stay open until the process ends. */
static int open_sockets(void)
{
	int failed = 0;

	failed |= open_socket(AF_INET6, "::", WILDCARD) < 0;
	failed |= open_socket(AF_INET6, "::", UNMANAGED) < 0;
	failed |= open_socket(AF_INET, FAR4, BOUND) < 0;
	failed |= open_socket(AF_INET6, FAR6, BOUND) < 0;
	failed |= open_socket(AF_INET6, "::", BOUND_NEAR) < 0;
	failed |= open_socket(AF_INET, NEAR4, BOUND_NEAR) < 0;
	failed |= open_socket(AF_INET6, NEAR6, BOUND_NEAR) < 0;
	failed |= connect_socket(open_socket(AF_INET, "0.0.0.0", CONNECTED), AF_INET, CLIENT4,
				 CONNECTED);
	failed |= connect_socket(open_socket(AF_INET6, "::", CONNECTED), AF_INET6, CLIENT6,
				 CONNECTED);
	failed |= connect_socket(open_socket(AF_INET, "0.0.0.0", CONNECTED_OTHERS), AF_INET,
				 CLIENT4, CONNECTED_OTHERS);
	failed |= connect_socket(open_socket(AF_INET6, "::", CONNECTED_OTHERS), AF_INET6, CLIENT6,
				 CONNECTED_OTHERS);
	failed |= open_socket(AF_INET6, "::", CONNECTED_OTHERS) < 0;
	return failed;
}

static int programs_load(struct programs *programs, uint32_t role)
{
	struct wire_bpf *skel = wire_bpf__open();

	if (!skel)
		return -1;
	skel->rodata->role = role;
	skel->rodata->seed = 42;
	skel->rodata->age = sluice_flow_clock(120000000000ULL);
	skel->rodata->sets = 8192;
	memset((void *)skel->rodata->ports, 0xff, sizeof(skel->rodata->ports));
	((uint64_t *)skel->rodata->ports)[UNMANAGED / 64] &= ~(1ULL << UNMANAGED % 64);
	bpf_map__set_max_entries(skel->maps.sluice_w_flows, 8192);
	programs->skel = skel;
	if (wire_bpf__load(skel))
		return -1;
	programs->in = bpf_program__fd(skel->progs.sluice_wire_in);
	programs->out = bpf_program__fd(skel->progs.sluice_wire_out);
	return 0;
}

static int route_add(const struct programs *programs, const char *addr, uint32_t prefix_len,
		     enum sluice_route_kind kind, const char *source)
{
	struct sluice_route_key key = { .prefix_len = prefix_len };
	struct sluice_route route = { .kind = kind };
	uint8_t *at = (uint8_t *)key.word_be;
	bool six = strchr(addr, ':');

	if (!six) {
		key.prefix_len += 96;
		key.word_be[2] = htonl(0xffff);
		at += 12;
		route.source.word_be[2] = htonl(source ? 0xffff : 0);
	}
	addr_put(addr, at);
	if (source)
		addr_put(source, route.source.byte + (six ? 0 : 12));
	return bpf_map_update_elem(bpf_map__fd(programs->skel->maps.sluice_w_routes), &key, &route,
				   BPF_ANY);
}

/* What the loader would write for the namespace below. */
static int routes_add(const struct programs *programs)
{
	return route_add(programs, "0.0.0.0", 0, SLUICE_ROUTE_NONE, NULL) ||
	       route_add(programs, "10.1.0.0", 24, SLUICE_ROUTE_AWAY, NEAR4) ||
	       route_add(programs, "10.1.0.255", 32, SLUICE_ROUTE_BROADCAST, NULL) ||
	       route_add(programs, "10.2.0.0", 24, SLUICE_ROUTE_AWAY, FAR4) ||
	       route_add(programs, "10.2.0.255", 32, SLUICE_ROUTE_BROADCAST, NULL) ||
	       route_add(programs, NEAR4, 32, SLUICE_ROUTE_LOCAL, NULL) ||
	       route_add(programs, FAR4, 32, SLUICE_ROUTE_LOCAL, NULL) ||
	       route_add(programs, "fd01::", 64, SLUICE_ROUTE_AWAY, NEAR6) ||
	       route_add(programs, "fd02::", 64, SLUICE_ROUTE_AWAY, FAR6) ||
	       route_add(programs, "fd02::", 128, SLUICE_ROUTE_BROADCAST, NULL) ||
	       route_add(programs, NEAR6, 128, SLUICE_ROUTE_LOCAL, NULL) ||
	       route_add(programs, FAR6, 128, SLUICE_ROUTE_LOCAL, NULL);
}

static int server_add(const char *addr)
{
	struct sluice_addr key = { .word_be = { 0, 0, htonl(0xffff) } };
	uint32_t one = 1;

	addr_put(addr, key.byte + 12);
	return bpf_map_update_elem(bpf_map__fd(gateway.skel->maps.sluice_w_server), &key, &one,
				   BPF_ANY);
}

static int setup(void **state)
{
	if (unshare(CLONE_NEWNET))
		return -1;
	if (sh("ip link set lo up && ip link add near type veth peer name near_peer &&"
	       " ip link add far type veth peer name far_peer &&"
	       " for i in near near_peer far far_peer; do"
	       "   ip link set $i addrgenmode none && ip link set $i up || exit 1; done &&"
	       " ip addr add " NEAR4 "/24 brd + dev near && ip addr add " FAR4
	       "/24 brd + dev far &&"
	       " ip addr add " NEAR6 "/64 dev near nodad && ip addr add " FAR6 "/64 dev far nodad"))
		return -1;
	near_index = if_nametoindex("near");
	forwarding(true);
	if (open_sockets()) {
		fprintf(stderr, "sockets: %s\n", strerror(errno));
		return -1;
	}
	if (programs_load(&host, SLUICE_WIRE_HOST | SLUICE_WIRE_ETHERNET) ||
	    programs_load(&host_by_table, SLUICE_WIRE_HOST | SLUICE_WIRE_ETHERNET) ||
	    programs_load(&gateway, SLUICE_WIRE_GATEWAY | SLUICE_WIRE_ETHERNET))
		return -1;
	return routes_add(&host) || routes_add(&host_by_table) || server_add(B1) || server_add(B2);
}

static int teardown(void **state)
{
	wire_bpf__destroy(host.skel);
	wire_bpf__destroy(host_by_table.skel);
	wire_bpf__destroy(gateway.skel);
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_plain),
		cmocka_unit_test(test_no_checksum),
		cmocka_unit_test(test_checksum_zero),
		cmocka_unit_test(test_options),
		cmocka_unit_test(test_extension_headers),
		cmocka_unit_test(test_vlan),
		cmocka_unit_test(test_padding),
		cmocka_unit_test(test_not_linear),
		cmocka_unit_test(test_fragments),
		cmocka_unit_test(test_fragment_early),
		cmocka_unit_test(test_fragment_evicted),
		cmocka_unit_test(test_errors),
		cmocka_unit_test(test_errors_with_options),
		cmocka_unit_test(test_errors_left),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_lies),
		cmocka_unit_test(test_deep_and_signed),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_broadcast),
		cmocka_unit_test(test_new_address),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_routes_by_table),
		cmocka_unit_test(test_gateway),
		cmocka_unit_test(test_gateway_fragments),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
