// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The wire programs, packet by packet: in a network namespace with sockets of each kind, every
 * shape of header goes through them and comes out changed as described, byte for byte, or not at
 * all.
 *
 *	client 10.1.0.9, fd01::9 ── near 10.1.0.1, fd01::1 [host] far 10.2.0.1, fd02::1
 *
 * The host answers the client from the near address; the client asks the far one.
 */
#include "bpf/wire/wire.skel.h"
#include "packet_build.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <pthread.h>
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
/* See frame_of(). */
#define BARE_CLIENT4 "8.0.0.9"
#define BARE_CLIENT6 "fd01:0:86dd::9"
#define BARE_NEAR4   "8.0.0.1"
#define BARE_NEAR6   "fd01:0:86dd::1"

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
static struct programs port;  /* of the bridge br0, which has the Ethernet address of our frames */
static struct programs plain; /* on an interface without Ethernet headers */
static unsigned int near_index, port_index;

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
	unsigned int ifindex = prog == port.in || prog == port.out ? port_index : near_index;
	struct __sk_buff context = { .ifindex = ifindex, .data_end = (uint32_t)linear };
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

/* --- the flow table */

#define SETS   8192
#define SEED   42
#define AGE_MS 120000

/* The set and the slot of the flow of a request; -1 if it has none. */
static int flow_find(const struct programs *programs, const struct shape *request,
		     struct sluice_wire_set *set, uint32_t *index)
{
	int way, fd = bpf_map__fd(programs->skel->maps.sluice_w_flows);

	for (*index = 0; *index < SETS; ++*index) {
		assert_int_equal(bpf_map_lookup_elem(fd, index, set), 0);
		for (way = 0; way < SLUICE_FLOW_WAYS; way++)
			if (set->tag[way] &&
			    set->flow[way].client_port_be == htons(request->source_port) &&
			    set->flow[way].server_port_be == htons(request->target_port))
				return way;
	}
	return -1;
}

/* Lets time go by for the flow of a request: since a datagram was seen, and since it was checked.
 */
static void flow_past(const struct programs *programs, const struct shape *request,
		      uint32_t seen_ms, uint32_t checked_ms)
{
	struct sluice_wire_set set;
	uint32_t index;
	int way = flow_find(programs, request, &set, &index);

	assert_true(way >= 0);
	set.seen[way] -= sluice_flow_clock(seen_ms * 1000000ULL);
	set.flow[way].checked -= sluice_flow_clock(checked_ms * 1000000ULL);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(programs->skel->maps.sluice_w_flows),
					     &index, &set, BPF_ANY),
			 0);
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

/* The address of this host that the client of a request is answered from. */
static const char *near_of(const struct shape *shape)
{
	if (!strcmp(shape->source, BARE_CLIENT4))
		return BARE_NEAR4;
	if (!strcmp(shape->source, BARE_CLIENT6))
		return BARE_NEAR6;
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
			request.source_port = next_port();
			converse(&port, &request);
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
	error.vlan_tags = wanted.vlan_tags = request->vlan_tags;
	pass(&host, host.in, &error, &wanted, SLUICE_WIRE_error_translated);

	/* this host about the request that came to the near address */
	error = error_about(&inside, near, client, kind);
	wanted = error_about(request, far, client, kind);
	error.quote = wanted.quote = quote;
	error.vlan_tags = wanted.vlan_tags = request->vlan_tags;
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

/* --- the server behind the gateway */

static int server_add(const char *addr)
{
	struct sluice_addr key = { .word_be = { 0, 0, htonl(0xffff) } };
	uint32_t one = 1;

	addr_put(addr, key.byte + 12);
	return bpf_map_update_elem(bpf_map__fd(gateway.skel->maps.sluice_w_server), &key, &one,
				   BPF_ANY);
}

static void server_remove(const char *addr)
{
	struct sluice_addr key = { .word_be = { 0, 0, htonl(0xffff) } };

	addr_put(addr, key.byte + 12);
	assert_int_equal(bpf_map_delete_elem(bpf_map__fd(gateway.skel->maps.sluice_w_server), &key),
			 0);
}

/* --- what each program would change: the start for all that it must not */

struct changed {
	const char *name;
	const struct programs *programs;
	int prog;
	struct shape shape;
	bool bare; /* without an Ethernet header */
};

/*
 * test_run takes the first 14 bytes for an Ethernet header, which here are those of the IP header:
 * its EtherType is part of the source address, and an odd first byte would be that of a group.
 */
static void frame_of(const struct changed *changed, const struct shape *shape, struct frame *frame)
{
	build_frame(shape, frame);
	if (changed->bare) {
		frame->len -= 14;
		memmove(frame->byte, frame->byte + 14, frame->len);
	}
}

static void run_through(const struct changed *changed, int prog, const struct shape *shape,
			struct frame *out)
{
	struct frame in;

	frame_of(changed, shape, &in);
	assert_int_equal(run_frame(prog, &in, 0, out), 0);
}

static struct shape bare_request(int version, uint16_t client_port)
{
	struct shape request = request_of(version, client_port, WILDCARD);

	request.source = version == 4 ? BARE_CLIENT4 : BARE_CLIENT6;
	request.options = 4;
	return request;
}

static struct shape tagged(struct shape shape, int tags)
{
	shape.vlan_tags = tags;
	return shape;
}

#define B1 "10.8.0.1"
#define B2 "10.8.1.1"
#define B3 "10.8.2.1" /* not named */

static struct shape request_behind(void)
{
	return (struct shape){ .source = "192.0.2.7",
			       .target = B1,
			       .source_port = next_port(),
			       .target_port = 53,
			       .payload = 33 };
}

#define CHANGED_MAX 8

/* A request and a reply for each pair of programs, of which the flow is known. */
static int changed_make(struct changed *list, int version, int tags)
{
	struct shape request = tagged(request_of(version, next_port(), WILDCARD), tags);
	struct shape inside = answer(&request, near_of(&request)), bare, behind;
	struct shape behind_reply;
	struct frame out;
	int count = 0, i;

	list[count++] = (struct changed){ "host in", &host, host.in, request, false };
	list[count++] = (struct changed){ "host out", &host, host.out, inside, false };
	list[count++] = (struct changed){ "port in", &port, port.in, request, false };
	list[count++] = (struct changed){ "port out", &port, port.out, inside, false };
	if (!tags) {
		bare = bare_request(version, next_port());
		list[count++] = (struct changed){ "plain in", &plain, plain.in, bare, true };
		bare = answer(&bare, near_of(&bare));
		list[count++] = (struct changed){ "plain out", &plain, plain.out, bare, true };
	}
	if (version == 4) {
		behind = tagged(request_behind(), tags);
		behind_reply = answer(&behind, B2);
		list[count++] = (struct changed){ "gateway out", &gateway, gateway.out, behind,
						  false };
		list[count] = (struct changed){ "gateway in", &gateway, gateway.in, behind_reply,
						false };
		run_through(&list[count - 1], gateway.out, &behind, &out);
		run_through(&list[count], gateway.in, &behind_reply, &out);
		count++;
	}
	for (i = 0; i < count; i++) {
		struct frame in;

		frame_of(&list[i], &list[i].shape, &in);
		run_through(&list[i], list[i].prog, &list[i].shape, &out);
		if (!memcmp(in.byte, out.byte, in.len)) {
			print_error("%s, IPv%d, %d tags\n", list[i].name, version, tags);
			fail();
		}
	}
	return count;
}

/* Fragments and errors behind tags, and what a gateway does: the other tests have them bare. */
static void test_vlan_all(void **state)
{
	int version, tags;

	for (version = 4; version <= 6; version += 2)
		for (tags = 1; tags <= 2; tags++) {
			struct shape request = tagged(request_of(version, next_port(), WILDCARD),
						      tags);
			struct shape reply = answer(&request, near_of(&request));

			fragments(&host, host.in, request, request.source, near_of(&request),
				  SLUICE_WIRE_request_rewritten);
			fragments(&host, host.out, reply, request.target, reply.target,
				  SLUICE_WIRE_reply_rewritten);
			request.source_port = next_port();
			error_pair(&request, &errors[0], 0, NULL);
		}
	for (tags = 1; tags <= 2; tags++) {
		struct shape request = tagged(request_behind(), tags);
		struct shape onward = to_target(request, B2), reply = answer(&request, B2);
		struct shape mended = answer(&request, B1), error, wanted;

		pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_right);
		pass(&gateway, gateway.in, &reply, &mended, SLUICE_WIRE_reply_rewritten);
		pass(&gateway, gateway.out, &request, &onward, SLUICE_WIRE_request_rewritten);
		error = tagged(error_about(&onward, B2, request.source, &errors[0]), tags);
		wanted = tagged(error_about(&request, B1, request.source, &errors[0]), tags);
		pass(&gateway, gateway.in, &error, &wanted, SLUICE_WIRE_error_translated);
		fragments(&gateway, gateway.in, reply, B1, reply.target,
			  SLUICE_WIRE_reply_rewritten);
	}
}

/* The programs that see no Ethernet header: byte for byte, as the others do behind theirs. */
static void test_bare(void **state)
{
	struct shape request, inside, reply, mended;
	struct changed changed = { .bare = true };
	struct frame out, wanted;
	int version;

	for (version = 4; version <= 6; version += 2) {
		request = bare_request(version, next_port());
		inside = to_target(request, near_of(&request));
		reply = answer(&request, near_of(&request));
		mended = answer(&request, request.target);
		run_through(&changed, plain.in, &request, &out);
		frame_of(&changed, &inside, &wanted);
		assert_frame(&out, &wanted);
		run_through(&changed, plain.out, &reply, &out);
		frame_of(&changed, &mended, &wanted);
		assert_frame(&out, &wanted);
	}
}

/* --- headers that lie, and what is cut off */

/* False if the kernel's test_run takes no such frame: it wants some of the headers to be there. */
static bool is_left(const struct changed *changed, const struct frame *in)
{
	struct frame out;

	if (run_frame(changed->prog, in, 0, &out))
		return false;
	assert_frame(&out, in);
	return true;
}

static void cut(const struct changed *changed, const struct shape *shape)
{
	struct frame frame;

	frame_of(changed, shape, &frame);
	while (--frame.len > 14)
		if (!is_left(changed, &frame))
			break;
	/* at least down to the fixed IP header */
	assert_true(frame.len < 14 + 40 + 4 * (size_t)shape->vlan_tags);
}

/* Cut off anywhere, a packet is left alone. */
static void test_truncated(void **state)
{
	struct changed list[CHANGED_MAX];
	int version, tags, count, i;

	for (version = 4; version <= 6; version += 2)
		for (tags = 0; tags <= 2; tags++) {
			count = changed_make(list, version, tags);
			for (i = 0; i < count; i++) {
				struct shape shape = list[i].shape;

				cut(&list[i], &shape);
				shape.options = 40;
				shape.chain = version == 6 ? "hdrf" : NULL;
				if (!list[i].bare)
					cut(&list[i], &shape);
			}
		}
}

struct lie {
	int version;
	const char *what;
	size_t at; /* behind the Ethernet header and the tags */
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
	struct changed list[CHANGED_MAX];
	int version, tags, count, i;
	size_t n;

	for (version = 4; version <= 6; version += 2)
		for (tags = 0; tags <= 2; tags++) {
			count = changed_make(list, version, tags);
			for (n = 0; n < sizeof(lies) / sizeof(*lies) * (size_t)count; n++) {
				const struct lie *lie = &lies[n / (size_t)count];
				struct frame frame;
				uint8_t *at;

				i = (int)(n % (size_t)count);
				/* the bare ones have options, which they need to be taken */
				if (lie->version != version || list[i].bare)
					continue;
				frame_of(&list[i], &list[i].shape, &frame);
				at = frame.byte + 14 + 4 * (size_t)tags;
				at[lie->at] = lie->value;
				if (lie->at == 0 && lie->value == 0x4f)
					at[3] = 61;
				assert_true(is_left(&list[i], &frame));
			}
		}
}

/*
 * An error that comes in and is translated, for the host's, a port's or the gateway's program;
 * false if there is none.  What it quotes stays valid until the next call.
 */
static bool error_make(struct changed *changed, struct shape *error, int version, int which)
{
	static struct shape quoted;
	const struct programs *programs[] = { &host, &port, &gateway };
	struct shape request = request_of(version, next_port(), WILDCARD), reply;
	struct frame in, out;

	*changed = (struct changed){ .programs = programs[which], .prog = programs[which]->in };
	if (programs[which] != &gateway) {
		quoted = answer(&request, request.target);
		run_through(changed, changed->prog, &request, &out);
	} else {
		if (version == 6)
			return false;
		request = request_behind();
		reply = answer(&request, B2);
		quoted = to_target(request, B2);
		run_through(changed, gateway.out, &request, &out);
		run_through(changed, gateway.in, &reply, &out);
	}
	*error = error_about(&quoted, quoted.target, quoted.source, &errors[0]);
	frame_of(changed, error, &in);
	run_through(changed, changed->prog, error, &out);
	assert_memory_not_equal(out.byte, in.byte, in.len);
	return true;
}

static void lie_quoted(const struct changed *changed, const struct shape *error,
		       const struct lie *lie)
{
	size_t quoted = 14 + 4 * (size_t)error->vlan_tags + (lie->version == 4 ? 20 : 40) + 8;
	struct frame frame;

	frame_of(changed, error, &frame);
	frame.byte[quoted + lie->at] = lie->value;
	assert_true(is_left(changed, &frame));
}

/* The same for what an error quotes, where less can be a lie: of the lengths, none is looked at. */
static void test_lies_quoted(void **state)
{
	static const struct lie lies[] = {
		{ 4, "version 6", 0, 0x65 },
		{ 4, "version 0", 0, 0x05 },
		{ 4, "header of 16 bytes", 0, 0x44 },
		{ 4, "header of 60 bytes, behind the end", 0, 0x4f },
		{ 4, "total length within the header", 3, 19 },
		{ 4, "total length within the UDP header", 3, 27 },
		{ 4, "a later fragment", 7, 1 },
		{ 4, "another protocol", 9, IPPROTO_TCP },
		{ 4, "UDP length 7", 25, 7 },
		{ 4, "UDP length one too many", 25, 42 },
		{ 6, "version 4", 0, 0x40 },
		{ 6, "payload length within the UDP header", 5, 7 },
		{ 6, "extension headers behind the end", 6, IPPROTO_DSTOPTS },
		{ 6, "a fragment header that is a UDP header", 6, IPPROTO_FRAGMENT },
		{ 6, "another protocol", 6, IPPROTO_TCP },
		{ 6, "UDP length 7", 45, 7 },
		{ 6, "UDP length one too many", 45, 42 },
	};
	int version, tags, which;

	for (version = 4; version <= 6; version += 2)
		for (tags = 0; tags <= 2; tags++)
			for (which = 0; which < 3; which++) {
				struct shape error;
				struct changed changed;
				size_t n;

				if (!error_make(&changed, &error, version, which))
					continue;
				error.vlan_tags = tags;
				cut(&changed, &error);
				for (n = 0; n < sizeof(lies) / sizeof(*lies); n++)
					if (lies[n].version == version)
						lie_quoted(&changed, &error, &lies[n]);
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

/*
 * One client port that asks two addresses in a row, as ntpd does: what the first owes still is not
 * taken for an answer of the second.
 */
static void test_owed(void **state)
{
	int version, i;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct shape inside = to_target(request, near_of(&request)), direct = inside;
		struct shape reply = answer(&request, near_of(&request));
		struct shape mended = answer(&request, request.target);

		pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		/* also where the second is judged anew meanwhile */
		flow_past(&host, &request, 300, 300);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_right);
		pass(&host, host.out, &reply, &mended, SLUICE_WIRE_reply_rewritten);
		pass(&host, host.out, &reply, &mended, SLUICE_WIRE_reply_rewritten);
		/* again, in the other order, by a server that knows better */
		pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		pass(&host, host.out, &mended, &mended, SLUICE_WIRE_reply_right);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_right);
		/* what has not come for long is owed no more */
		pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		flow_past(&host, &request, 4000, 4000);
		pass(&host, host.out, &reply, &mended, SLUICE_WIRE_reply_rewritten);
		pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
		flow_past(&host, &request, 4000, 4000);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		pass(&host, host.out, &reply, &mended, SLUICE_WIRE_reply_rewritten);
		/* nor for longer where the client goes on asking */
		pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
		for (i = 0; i < 8; i++) {
			pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
			flow_past(&host, &request, 500, 500);
		}
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		pass(&host, host.out, &reply, &mended, SLUICE_WIRE_reply_rewritten);
	}
}

#define RACES 1000

/* A thread that sends an answer each time that the other one does. */
struct race {
	struct frame reply;
	_Atomic int started, done;
	_Atomic int left; /* answers that were left as they are */
};

static void race_send(struct race *race)
{
	struct frame out;

	if (!run_frame(host.out, &race->reply, 0, &out) &&
	    !memcmp(out.byte, race->reply.byte, race->reply.len))
		race->left++;
}

static void *race_follow(void *arg)
{
	struct race *race = arg;
	int i;

	for (i = 1; i <= RACES; i++) {
		/* it does not yield: as little as possible lies between the two */
		while (race->started < i)
			;
		race_send(race);
		race->done = i;
	}
	return NULL;
}

/* Of two answers that leave at the same time, one at most is taken for the one that is owed. */
static void test_owed_once(void **state)
{
	struct shape request = request4(next_port(), WILDCARD);
	struct shape direct = to_target(request, NEAR4), reply = answer(&request, NEAR4);
	int i, taken = 0, twice = 0, fd = bpf_map__fd(host.skel->maps.sluice_w_flows);
	static struct race race; /* the thread may outlive a failure */
	struct sluice_wire_set set;
	pthread_t thread;
	uint32_t index;

	build_frame(&reply, &race.reply);
	assert_int_equal(pthread_create(&thread, NULL, race_follow, &race), 0);
	for (i = 1; i <= RACES; i++) {
		/* now and then, as it is owed for three seconds */
		if (i % 100 == 1) {
			pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
			pass(&host, host.in, &request, &direct, SLUICE_WIRE_request_rewritten);
			assert_true(flow_find(&host, &request, &set, &index) >= 0);
		}
		assert_int_equal(bpf_map_update_elem(fd, &index, &set, BPF_ANY), 0);
		race.left = 0;
		race.started = i;
		race_send(&race);
		while (race.done < i)
			sched_yield();
		taken += race.left > 0;
		twice += race.left > 1;
	}
	pthread_join(thread, NULL);
	assert_true(taken > 0);
	assert_int_equal(twice, 0);
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

/* An answer that comes late is put right for as long as the flow has its slot. */
static void test_aged(void **state)
{
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct shape direct = to_target(request, near_of(&request));
		struct shape reply = answer(&request, near_of(&request));
		struct shape mended = answer(&request, request.target), other;

		converse(&host, &request);
		flow_past(&host, &request, AGE_MS + 5000, AGE_MS + 5000);
		pass(&host, host.out, &reply, &mended, SLUICE_WIRE_reply_rewritten);
		/* and the next one, by what the first has touched */
		pass(&host, host.out, &reply, &mended, SLUICE_WIRE_reply_rewritten);
		flow_past(&host, &request, 40 * AGE_MS, 0);
		pass(&host, host.out, &reply, &mended, SLUICE_WIRE_reply_rewritten);
		other = answer(&request, version == 4 ? "10.4.0.1" : "fd04::1");
		flow_past(&host, &request, 2 * AGE_MS, 0);
		pass(&host, host.out, &other, &other, SLUICE_WIRE_reply_expired);
		/* one that is right needs nothing */
		pass(&host, host.in, &direct, &direct, SLUICE_WIRE_request_right);
		flow_past(&host, &request, 2 * AGE_MS, 2 * AGE_MS);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_expired);
	}
}

/* Not from an address that has left this host since. */
static void test_aged_address_gone(void **state)
{
	struct shape request = to_target(request4(next_port(), WILDCARD), "10.2.0.78");
	struct shape reply = answer(&request, NEAR4);
	struct shape mended = answer(&request, request.target);

	assert_int_equal(system("ip addr add 10.2.0.78/24 dev far"), 0);
	forget_away();
	converse(&host, &request);
	flow_past(&host, &request, 2 * AGE_MS, 2 * AGE_MS);
	pass(&host, host.out, &reply, &mended, SLUICE_WIRE_reply_rewritten);
	assert_int_equal(system("ip addr del 10.2.0.78/24 dev far"), 0);
	forget_away();
	pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_address_gone);
}

/* Makes the flow of a request one that this host began, from the address now asked. */
static void flow_host_first(const struct shape *request)
{
	struct sluice_wire_set set;
	struct sluice_wire_flow *flow;
	uint32_t index;
	uint64_t hash;
	int way = flow_find(&host, request, &set, &index);

	assert_true(way >= 0);
	flow = &set.flow[way];
	flow->server = flow->asked;
	flow->zone |= SLUICE_WIRE_HOST_FIRST;
	hash = sluice_wire_hash(SEED, &flow->client, flow->client_port_be, flow->server_port_be,
				flow->zone);
	flow->seal = sluice_wire_seal(hash, &flow->asked, &flow->server, SLUICE_WIRE_HOST_FIRST);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(host.skel->maps.sluice_w_flows), &index,
					     &set, BPF_ANY),
			 0);
}

/*
 * Where this host spoke first, answers come to where it spoke from.  That it did so cannot be had
 * from test_run, which has no socket that sends: tests/net/wire/host-first.sh has that part.
 */
static void test_host_first(void **state)
{
	uint64_t before = counter(&host, SLUICE_WIRE_host_first);
	int version;

	for (version = 4; version <= 6; version += 2) {
		struct shape request = request_of(version, next_port(), WILDCARD);
		struct shape inside = to_target(request, near_of(&request));
		struct shape reply = answer(&request, near_of(&request));
		struct shape own = answer(&request, request.target);
		struct sluice_wire_set set;
		uint32_t index;

		/* what is not sent by a socket of this host leaves no flow */
		pass(&host, host.out, &own, &own, SLUICE_WIRE_reply_no_flow);
		assert_int_equal(flow_find(&host, &request, &set, &index), -1);
		converse(&host, &request);
		flow_host_first(&request);
		flow_past(&host, &request, 0, 60000);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_right);
		pass(&host, host.out, &own, &own, SLUICE_WIRE_reply_right);
		pass(&host, host.in, &request, &request, SLUICE_WIRE_request_right);
		/* now it speaks from elsewhere */
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_other_source);
		flow_past(&host, &request, 0, 1000);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
		/* the peer asks another address, or too late */
		flow_host_first(&request);
		pass(&host, host.in, &inside, &inside, SLUICE_WIRE_request_right);
		pass(&host, host.out, &reply, &reply, SLUICE_WIRE_reply_right);
		converse(&host, &request);
		flow_host_first(&request);
		flow_past(&host, &request, 2 * AGE_MS, 2 * AGE_MS);
		pass(&host, host.in, &request, &inside, SLUICE_WIRE_request_rewritten);
	}
	assert_int_equal(counter(&host, SLUICE_WIRE_host_first), before);
}

/* --- a port of a bridge */

static void forget_bridge(void)
{
	struct sluice_bridge each[128] = { 0 };
	uint32_t slot = port_index % SLUICE_BRIDGE_SLOTS;

	assert_in_range(libbpf_num_possible_cpus(), 1, 128);
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(port.skel->maps.sluice_w_bridge), &slot,
					     each, BPF_ANY),
			 0);
}

/* A frame to the Ethernet address that ends so is the bridge's, or is not. */
static void pass_to(const struct shape *in, const struct shape *wanted, uint8_t last,
		    enum sluice_wire_counter which)
{
	struct frame frame_in, frame_wanted;

	build_frame(in, &frame_in);
	build_frame(wanted, &frame_wanted);
	frame_in.byte[5] = frame_wanted.byte[5] = last;
	pass_frame(&port, port.in, &frame_in, &frame_wanted, which);
}

#define BRIDGE	0x02 /* the last byte of the Ethernet address */
#define PORT	0x33
#define ANOTHER 0x77

/* What the bridge hands on to another host is left alone, even if it has an address of ours. */
static void test_bridge_port(void **state)
{
	struct shape request, inside, first, later, error, wanted, reply, mended;
	int version;

	for (version = 4; version <= 6; version += 2) {
		request = request_of(version, next_port(), WILDCARD);
		inside = to_target(request, near_of(&request));
		reply = answer(&request, near_of(&request));
		mended = answer(&request, request.target);
		pass_to(&request, &request, ANOTHER, SLUICE_WIRE_request_not_local);
		pass_to(&request, &inside, BRIDGE, SLUICE_WIRE_request_rewritten);
		pass_to(&request, &inside, PORT, SLUICE_WIRE_request_rewritten);
		/* also of a flow that is known */
		pass_to(&request, &request, ANOTHER, SLUICE_WIRE_request_not_local);
		error = error_about(&mended, request.source, request.target, &errors[0]);
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
		pass_to(&first, &first, ANOTHER, SLUICE_WIRE_request_not_local);
		pass_to(&later, &later, ANOTHER, SLUICE_WIRE_fragment_followed);
	}
}

/* It is read from the kernel, so that a change of it needs no loader. */
static void test_bridge_changes(void **state)
{
	struct shape request = request4(next_port(), WILDCARD);
	struct shape inside = to_target(request, NEAR4);

	pass_to(&request, &inside, BRIDGE, SLUICE_WIRE_request_rewritten);
	assert_int_equal(system("ip link set br0 address 02:02:02:02:02:77"), 0);
	forget_bridge();
	pass_to(&request, &request, BRIDGE, SLUICE_WIRE_request_not_local);
	pass_to(&request, &inside, ANOTHER, SLUICE_WIRE_request_rewritten);
	/* a port no more */
	assert_int_equal(system("ip link set port0 nomaster"), 0);
	forget_bridge();
	pass_to(&request, &request, ANOTHER, SLUICE_WIRE_request_not_local);
	pass_to(&request, &inside, PORT, SLUICE_WIRE_request_rewritten);
	assert_int_equal(system("ip link set dev port0 master br0 &&"
				" ip link set br0 address 02:02:02:02:02:02"),
			 0);
	forget_bridge();
	pass_to(&request, &inside, BRIDGE, SLUICE_WIRE_request_rewritten);
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

/* A client port that turns to another of the addresses reaches that one, and none else. */
static void test_gateway_turns(void **state)
{
	struct shape to_b1 = request_behind(), to_b2 = to_target(to_b1, B2);
	struct shape from_b1 = answer(&to_b1, B1), from_b2 = answer(&to_b2, B2);
	struct shape onward = to_b2;

	/* B1 is down: no answer has come, or one from B2, where another server listens */
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.out, &to_b2, &to_b2, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.in, &from_b2, &from_b2, SLUICE_WIRE_reply_right);
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.out, &to_b2, &to_b2, SLUICE_WIRE_request_right);
	/* a late answer is not taken for that of the address asked last, but only one of them */
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.in, &from_b2, &from_b2, SLUICE_WIRE_reply_right);
	pass(&gateway, gateway.in, &from_b2, &from_b1, SLUICE_WIRE_reply_rewritten);
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);

	/* one server on both, which answers from B2: asked at B1, then at B2 */
	to_b1 = request_behind();
	to_b2 = onward = to_target(to_b1, B2);
	from_b1 = answer(&to_b1, B1);
	from_b2 = answer(&to_b2, B2);
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.in, &from_b2, &from_b1, SLUICE_WIRE_reply_rewritten);
	pass(&gateway, gateway.out, &to_b1, &onward, SLUICE_WIRE_request_rewritten);
	pass(&gateway, gateway.in, &from_b2, &from_b1, SLUICE_WIRE_reply_rewritten);
	pass(&gateway, gateway.out, &to_b2, &to_b2, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.in, &from_b2, &from_b2, SLUICE_WIRE_reply_right);
}

/* A client port that asks two of the addresses in a row, each of which answers by itself. */
static void test_gateway_owed(void **state)
{
	struct shape to_b1 = request_behind(), to_b2 = to_target(to_b1, B2), error;
	struct shape from_b1 = answer(&to_b1, B1), from_b2 = answer(&to_b2, B2);
	uint64_t moved = counter(&gateway, SLUICE_WIRE_moved);
	int round;

	for (round = 0; round < 3; round++) {
		pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
		pass(&gateway, gateway.out, &to_b2, &to_b2, SLUICE_WIRE_request_right);
		/* nor is an error about the first one about the second */
		error = error_about(&to_b1, B1, to_b1.source, &errors[0]);
		pass(&gateway, gateway.in, &error, &error, SLUICE_WIRE_error_left);
		error = error_about(&from_b2, from_b2.target, B2, &errors[0]);
		pass(&gateway, gateway.out, &error, &error, SLUICE_WIRE_error_left);
		pass(&gateway, gateway.in, round ? &from_b2 : &from_b1, round ? &from_b2 : &from_b1,
		     SLUICE_WIRE_reply_right);
		pass(&gateway, gateway.in, round ? &from_b1 : &from_b2, round ? &from_b1 : &from_b2,
		     SLUICE_WIRE_reply_right);
	}
	/* each turn of the client, and nothing else */
	assert_int_equal(counter(&gateway, SLUICE_WIRE_moved) - moved, 5);
	/* what has not come for long is owed no more, and stays so */
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.out, &to_b2, &to_b2, SLUICE_WIRE_request_right);
	flow_past(&gateway, &to_b1, 4000, 4000);
	pass(&gateway, gateway.in, &from_b2, &from_b2, SLUICE_WIRE_reply_right);
	pass(&gateway, gateway.in, &from_b1, &from_b2, SLUICE_WIRE_reply_rewritten);
	/* nor is it an answer of one that is too old */
	pass(&gateway, gateway.out, &to_b1, &to_b1, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.out, &to_b2, &to_b2, SLUICE_WIRE_request_right);
	flow_past(&gateway, &to_b1, 2 * AGE_MS, 2 * AGE_MS);
	pass(&gateway, gateway.in, &from_b1, &from_b1, SLUICE_WIRE_reply_expired);
}

/* No answer from where requests are sent on to: they go to the address asked, and back, in turn. */
static void test_gateway_waits(void **state)
{
	struct shape request = request_behind(), onward = to_target(request, B2);
	struct shape reply = answer(&request, B2), right = answer(&request, B1);
	int turn;

	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.in, &reply, &right, SLUICE_WIRE_reply_rewritten);
	flow_past(&gateway, &request, 10000, 10000);
	/* a pause is no silence of the server's */
	for (turn = 0; turn < 4; turn++) {
		pass(&gateway, gateway.out, &request, turn % 2 ? &request : &onward,
		     turn % 2 ? SLUICE_WIRE_request_right : SLUICE_WIRE_request_rewritten);
		flow_past(&gateway, &request, 0, 3000);
	}
	/* B2 answers */
	pass(&gateway, gateway.in, &reply, &right, SLUICE_WIRE_reply_rewritten);
	pass(&gateway, gateway.out, &request, &onward, SLUICE_WIRE_request_rewritten);
	/* B2 has gone, and B1 answers */
	flow_past(&gateway, &request, 0, 1000);
	pass(&gateway, gateway.out, &request, &onward, SLUICE_WIRE_request_rewritten);
	flow_past(&gateway, &request, 0, 3000);
	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_right);
	pass(&gateway, gateway.in, &right, &right, SLUICE_WIRE_reply_right);
	flow_past(&gateway, &request, 0, 9000);
	pass(&gateway, gateway.out, &request, &request, SLUICE_WIRE_request_right);

	/* after an age the server may still be connected at B2, and answer from there */
	pass(&gateway, gateway.in, &reply, &right, SLUICE_WIRE_reply_rewritten);
	flow_past(&gateway, &request, 2 * AGE_MS, 2 * AGE_MS);
	pass(&gateway, gateway.in, &reply, &right, SLUICE_WIRE_reply_rewritten);
	flow_past(&gateway, &request, 2 * AGE_MS, 2 * AGE_MS);
	pass(&gateway, gateway.out, &request, &onward, SLUICE_WIRE_request_rewritten);
	/* unless the address asked is no longer named */
	flow_past(&gateway, &request, 2 * AGE_MS, 2 * AGE_MS);
	server_remove(B1);
	pass(&gateway, gateway.in, &reply, &reply, SLUICE_WIRE_reply_address_gone);
	assert_int_equal(server_add(B1), 0);
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
	skel->rodata->seed = SEED;
	skel->rodata->age = sluice_flow_clock(AGE_MS * 1000000ULL);
	skel->rodata->sets = SETS;
	memset((void *)skel->rodata->ports, 0xff, sizeof(skel->rodata->ports));
	((uint64_t *)skel->rodata->ports)[UNMANAGED / 64] &= ~(1ULL << UNMANAGED % 64);
	bpf_map__set_max_entries(skel->maps.sluice_w_flows, SETS);
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
	       route_add(programs, "8.0.0.0", 24, SLUICE_ROUTE_AWAY, BARE_NEAR4) ||
	       route_add(programs, "10.1.0.255", 32, SLUICE_ROUTE_BROADCAST, NULL) ||
	       route_add(programs, "10.2.0.0", 24, SLUICE_ROUTE_AWAY, FAR4) ||
	       route_add(programs, "10.2.0.255", 32, SLUICE_ROUTE_BROADCAST, NULL) ||
	       route_add(programs, NEAR4, 32, SLUICE_ROUTE_LOCAL, NULL) ||
	       route_add(programs, FAR4, 32, SLUICE_ROUTE_LOCAL, NULL) ||
	       route_add(programs, "fd01::", 64, SLUICE_ROUTE_AWAY, NEAR6) ||
	       route_add(programs, "fd01:0:86dd::", 64, SLUICE_ROUTE_AWAY, BARE_NEAR6) ||
	       route_add(programs, "fd02::", 64, SLUICE_ROUTE_AWAY, FAR6) ||
	       route_add(programs, "fd02::", 128, SLUICE_ROUTE_BROADCAST, NULL) ||
	       route_add(programs, NEAR6, 128, SLUICE_ROUTE_LOCAL, NULL) ||
	       route_add(programs, FAR6, 128, SLUICE_ROUTE_LOCAL, NULL);
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
	       " ip addr add " NEAR6 "/64 dev near nodad && ip addr add " FAR6
	       "/64 dev far nodad &&"
	       " ip addr add " BARE_NEAR4 "/24 brd + dev near &&"
	       " ip addr add " BARE_NEAR6 "/64 dev near nodad &&"
	       " ip link add name br0 address 02:02:02:02:02:02 type bridge &&"
	       " ip link add name port0 address 02:02:02:02:02:33 type veth peer name port0_peer &&"
	       " ip link set dev port0 master br0"))
		return -1;
	near_index = if_nametoindex("near");
	port_index = if_nametoindex("port0");
	forwarding(true);
	if (open_sockets()) {
		fprintf(stderr, "sockets: %s\n", strerror(errno));
		return -1;
	}
	if (programs_load(&host, SLUICE_WIRE_HOST | SLUICE_WIRE_ETHERNET) ||
	    programs_load(&host_by_table, SLUICE_WIRE_HOST | SLUICE_WIRE_ETHERNET) ||
	    programs_load(&gateway, SLUICE_WIRE_GATEWAY | SLUICE_WIRE_ETHERNET) ||
	    programs_load(&port, SLUICE_WIRE_HOST | SLUICE_WIRE_ETHERNET | SLUICE_WIRE_PORT) ||
	    programs_load(&plain, SLUICE_WIRE_HOST))
		return -1;
	return routes_add(&host) || routes_add(&host_by_table) || routes_add(&port) ||
	       routes_add(&plain) || server_add(B1) || server_add(B2);
}

static int teardown(void **state)
{
	wire_bpf__destroy(host.skel);
	wire_bpf__destroy(host_by_table.skel);
	wire_bpf__destroy(gateway.skel);
	wire_bpf__destroy(port.skel);
	wire_bpf__destroy(plain.skel);
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
		cmocka_unit_test(test_vlan_all),
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
		cmocka_unit_test(test_lies_quoted),
		cmocka_unit_test(test_bare),
		cmocka_unit_test(test_deep_and_signed),
		cmocka_unit_test(test_noise),
		cmocka_unit_test(test_not_ours),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_broadcast),
		cmocka_unit_test(test_new_address),
		cmocka_unit_test(test_sockets),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_owed),
		cmocka_unit_test(test_owed_once),
		cmocka_unit_test(test_replies),
		cmocka_unit_test(test_aged),
		cmocka_unit_test(test_aged_address_gone),
		cmocka_unit_test(test_host_first),
		cmocka_unit_test(test_bridge_port),
		cmocka_unit_test(test_bridge_changes),
		cmocka_unit_test(test_routes_by_table),
		cmocka_unit_test(test_gateway),
		cmocka_unit_test(test_gateway_fragments),
		cmocka_unit_test(test_gateway_turns),
		cmocka_unit_test(test_gateway_owed),
		cmocka_unit_test(test_gateway_waits),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
