/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lab for the wire programs, packet by packet: a network namespace with sockets of each kind.
 * Every header shape runs through the programs; each output is compared byte for byte with the
 * expected packet.
 *
 *	client 10.1.0.9, fd01::9 ── near 10.1.0.1, fd01::1 [host] far 10.2.0.1, fd02::1
 *	guest  10.6.0.9, fd06::9 ── port0 ═ br0 10.6.0.1, fd06::1
 *
 * The client sends to the far address; the host replies from the near address. Packets of
 * BPF_PROG_TEST_RUN have no sending socket. So the programs recognise a reply only if a request was
 * redirected to its server: the exchanges here use servers that have connected back.
 * test_wire_host.c tests other servers with real packets.
 *
 * This is a header, so that each test is built from a single source file. Each test loads the
 * programs that it needs.
 */
#ifndef SLUICE_TESTS_PROG_WIRE_LAB_H
#define SLUICE_TESTS_PROG_WIRE_LAB_H

#include "bpf/wire/wire.skel.h"
#include "kernel/ticks.h"
#include "packet_build.h"
#include "wire/needs.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <linux/pkt_cls.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <sluice/wire.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/resource.h>
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
#define GUEST4	     "10.6.0.9"
#define GUEST6	     "fd06::9"
#define BRIDGE4	     "10.6.0.1"
#define BRIDGE6	     "fd06::1"

#define B1 "10.8.0.1"
#define B2 "10.8.1.1"
#define B3 "10.8.2.1" /* not configured */

/* Sockets, listed by port. */
enum {
	WILDCARD = 1000, /* [::]:1000, for both families */
	BOUND,		 /* bound to the far addresses only */
	BACK,		 /* connected back to each client by converse() */
	NOBODY,
	UNMANAGED, /* a wildcard socket on an unmanaged port */
};

/* The programs for one role, with their own maps. */
struct programs {
	struct wire_bpf *skel;
	int in, out;
};

static struct programs host, gateway;
static struct programs port;  /* a port of the bridge br0; the frames have the MAC address of br0 */
static struct programs plain; /* on an interface without Ethernet headers */
static unsigned int near_index, port_index;

/* --- running */

static inline uint64_t counter(const struct programs *programs, enum sluice_wire_counter which)
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

/*
 * Runs a program. @linear is the length of the linear part; 0: all. Returns -errno if the kernel
 * refuses the run, 0 if the packet passes, or TC_ACT_SHOT.
 */
static inline int run_frame_on(unsigned int ifindex, int prog, const struct frame *in,
			       size_t linear, struct frame *out)
{
	struct __sk_buff context = { .ifindex = ifindex, .data_end = (uint32_t)linear };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->byte, .data_size_in = (uint32_t)in->len,
		    .data_out = out->byte, .data_size_out = sizeof(out->byte), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);

	memset(out, 0, sizeof(*out));
	if (bpf_prog_test_run_opts(prog, &opts))
		return -errno;
	out->len = opts.data_size_out;
	if (opts.retval == TC_ACT_SHOT)
		return TC_ACT_SHOT;
	assert_int_equal((int)opts.retval, TC_ACT_UNSPEC);
	return 0;
}

static inline int run_frame(int prog, const struct frame *in, size_t linear, struct frame *out)
{
	bool on_port = prog == port.in || prog == port.out;

	return run_frame_on(on_port ? port_index : near_index, prog, in, linear, out);
}

static inline void dump(const char *what, const struct frame *frame)
{
	size_t i;

	fprintf(stderr, "%s (%zu):", what, frame->len);
	for (i = 0; i < frame->len && i < 160; i++)
		fprintf(stderr, "%s%02x", i % 16 ? " " : "\n  ", frame->byte[i]);
	fprintf(stderr, "\n");
}

static inline void assert_frame(const struct frame *got, const struct frame *wanted)
{
	if (got->len != wanted->len || memcmp(got->byte, wanted->byte, wanted->len)) {
		dump("wanted", wanted);
		dump("got", got);
		fail();
	}
}

/* Runs @in, expects @wanted, and checks that counter @which has increased by one. */
static inline void pass_frame(const struct programs *programs, int prog, const struct frame *in,
			      const struct frame *wanted, enum sluice_wire_counter which)
{
	uint64_t before = counter(programs, which);
	struct frame out;

	assert_int_equal(run_frame(prog, in, 0, &out), 0);
	assert_frame(&out, wanted);
	assert_int_equal(counter(programs, which), before + 1);
}

static inline void pass(const struct programs *programs, int prog, const struct shape *in,
			const struct shape *wanted, enum sluice_wire_counter which)
{
	struct frame frame_in, frame_wanted;

	build_frame(in, &frame_in);
	build_frame(wanted, &frame_wanted);
	pass_frame(programs, prog, &frame_in, &frame_wanted, which);
}

/* Expects an unchanged packet and unchanged counters. */
static inline void pass_uncounted(const struct programs *programs, int prog,
				  const struct shape *shape)
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

#define SETS   1024
#define SEED   42
#define AGE_MS 120000

/* Returns the slot of a request's flow, and sets the index of its set; -1 if there is no flow. */
static inline int flow_find(const struct programs *programs, const struct shape *request,
			    struct sluice_wire_set *set, uint32_t *index)
{
	int way, fd = bpf_map__fd(programs->skel->maps.sluice_w_flows);

	for (*index = 0; *index < SETS; ++*index) {
		assert_int_equal(bpf_map_lookup_elem(fd, index, set), 0);
		for (way = 0; way < SLUICE_FLOW_WAYS; way++)
			if (set->tag[way] &&
			    set->flow[way].peer_port_be == htons(request->source_port) &&
			    set->flow[way].port_be == htons(request->target_port))
				return way;
	}
	return -1;
}

static inline void flow_store(const struct programs *programs, uint32_t index,
			      const struct sluice_wire_set *set)
{
	assert_int_equal(bpf_map_update_elem(bpf_map__fd(programs->skel->maps.sluice_w_flows),
					     &index, set, BPF_ANY),
			 0);
}

/* Moves all times of a request's flow into the past. */
static inline void flow_past(const struct programs *programs, const struct shape *request,
			     uint32_t ms)
{
	uint32_t index, ago = sluice_flow_clock(ms * 1000000ULL);
	struct sluice_wire_flow *flow;
	struct sluice_wire_set set;
	int way = flow_find(programs, request, &set, &index);

	assert_true(way >= 0);
	flow = &set.flow[way];
	set.seen[way] -= ago;
	flow->pending[0] -= flow->pending[0] ? ago : 0;
	flow->pending[1] -= flow->pending[1] ? ago : 0;
	flow->judged -= ago;
	flow->routed -= ago;
	flow_store(programs, index, &set);
}

/* --- sockets */

static inline int open_socket(int family, const char *addr, uint16_t port)
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

static inline int connect_socket(int fd, int family, const char *addr, uint16_t port)
{
	struct sockaddr_in6 six = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	struct sockaddr_in four = { .sin_family = AF_INET, .sin_port = htons(port) };
	bool is6 = family == AF_INET6;

	inet_pton(family, addr, is6 ? (void *)&six.sin6_addr : (void *)&four.sin_addr);
	return connect(fd, is6 ? (void *)&six : (void *)&four, is6 ? sizeof(six) : sizeof(four));
}

/* --- exchanges */

/* Returns a new client port for each call. */
static inline uint16_t next_port(void)
{
	static uint16_t port = 20000;

	return port++;
}

static inline struct shape request4(uint16_t client_port, uint16_t port)
{
	return (struct shape){ .source = CLIENT4,
			       .target = FAR4,
			       .source_port = client_port,
			       .target_port = port,
			       .payload = 33 };
}

static inline struct shape request6(uint16_t client_port, uint16_t port)
{
	return (struct shape){ .source = CLIENT6,
			       .target = FAR6,
			       .source_port = client_port,
			       .target_port = port,
			       .payload = 33 };
}

static inline struct shape request_of(int version, uint16_t client_port, uint16_t port)
{
	return version == 4 ? request4(client_port, port) : request6(client_port, port);
}

/*
 * Returns the local address from which the kernel answers the client of a request. Not inlined,
 * because the compiler would warn about a comparison with a constant address that never matches.
 */
static __attribute__((noinline, unused)) const char *near_of(const struct shape *shape)
{
	if (!strcmp(shape->source, BARE_CLIENT4))
		return BARE_NEAR4;
	if (!strcmp(shape->source, BARE_CLIENT6))
		return BARE_NEAR6;
	if (!strcmp(shape->source, GUEST4))
		return BRIDGE4;
	if (!strcmp(shape->source, GUEST6))
		return BRIDGE6;
	return shape_is6(shape) ? NEAR6 : NEAR4;
}

static inline struct shape to_target(struct shape shape, const char *target)
{
	shape.target = target;
	return shape;
}

static inline struct shape from_source(struct shape shape, const char *source)
{
	shape.source = source;
	return shape;
}

/* Returns the reply as the server sends it. */
static inline struct shape answer(const struct shape *request, const char *server)
{
	struct shape shape = *request;

	shape.source = server;
	shape.target = request->source;
	shape.source_port = request->target_port;
	shape.target_port = request->source_port;
	return shape;
}

/* Opens a server socket that has connected back to the sender of a request. */
static inline int connect_back(const struct shape *request)
{
	int family = shape_is6(request) ? AF_INET6 : AF_INET;
	int fd = open_socket(family, family == AF_INET ? "0.0.0.0" : "::", request->target_port);

	assert_true(fd >= 0);
	assert_int_equal(connect_socket(fd, family, request->source, request->source_port), 0);
	return fd;
}

/*
 * Sends a request and its reply, both of the given shape, after a first request to which the server
 * has connected back. The server's socket stays open until the process exits.
 */
static inline void converse(const struct programs *programs, const struct shape *request)
{
	struct shape inside = to_target(*request, near_of(request));
	struct shape reply = answer(request, near_of(request));
	struct shape fixed = answer(request, request->target);
	struct sluice_wire_set set;
	uint32_t index;
	int i;

	if (flow_find(programs, request, &set, &index) < 0) {
		pass(programs, programs->in, request, request, SLUICE_WIRE_half_open);
		connect_back(request);
	}
	/* once with a lookup, and once from the flow table only */
	for (i = 0; i < 2; i++) {
		pass(programs, programs->in, request, &inside, SLUICE_WIRE_request_rewritten);
		pass(programs, programs->out, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
	}
}

/* --- fragments */

/* Sends three fragments of a datagram, with and without the change of one address. */
static inline void fragments(const struct programs *programs, int prog, struct shape whole,
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
		/* only the first fragment contains the checksum */
		pass(programs, prog, &whole, &changed, i ? SLUICE_WIRE_fragment_followed : first);
	}
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

static inline struct shape error_about(const struct shape *quoted, const char *source,
				       const char *target, const struct error_kind *kind)
{
	bool six = shape_is6(quoted);

	return (struct shape){ .source = source,
			       .target = target,
			       .body = BODY_ICMP,
			       .type = six ? kind->type6 : kind->type4,
			       .code = six ? kind->code6 : kind->code4,
			       .quoted = quoted };
}

/* --- the server behind the gateway */

static inline int server_add(const char *addr)
{
	struct sluice_addr key = { .word_be = { 0, 0, htonl(0xffff) } };
	uint32_t one = 1;

	addr_put(addr, key.byte + 12);
	return bpf_map_update_elem(bpf_map__fd(gateway.skel->maps.sluice_w_server), &key, &one,
				   BPF_ANY);
}

static inline struct shape request_behind(void)
{
	return (struct shape){ .source = "192.0.2.7",
			       .target = B1,
			       .source_port = next_port(),
			       .target_port = 53,
			       .payload = 33 };
}

static inline struct shape tagged(struct shape shape, int tags)
{
	shape.vlan_tags = tags;
	return shape;
}

/* Sends an error that the gateway drops. */
static inline void pass_withheld(const struct shape *error)
{
	uint64_t before = counter(&gateway, SLUICE_WIRE_error_withheld);
	struct frame in, out;

	build_frame(error, &in);
	assert_int_equal(run_frame(gateway.in, &in, 0, &out), TC_ACT_SHOT);
	assert_int_equal(counter(&gateway, SLUICE_WIRE_error_withheld), before + 1);
}

/* Sends a request to a server that replies from B2 and then refuses the requested address. */
static inline void gateway_converse(const struct shape *request)
{
	struct shape onward = to_target(*request, B2), reply = answer(request, B2);
	struct shape fixed = answer(request, request->target);
	struct shape error = error_about(request, request->target, request->source, &errors[0]);

	error.vlan_tags = request->vlan_tags;
	pass(&gateway, gateway.out, request, request, SLUICE_WIRE_half_open);
	pass(&gateway, gateway.in, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
	pass(&gateway, gateway.out, request, request, SLUICE_WIRE_request_passed);
	pass_withheld(&error);
	pass(&gateway, gateway.out, request, &onward, SLUICE_WIRE_request_rewritten);
	pass(&gateway, gateway.in, &reply, &fixed, SLUICE_WIRE_reply_rewritten);
}

/* --- setup */

static inline int sh(const char *command)
{
	int status = system(command);

	if (status)
		fprintf(stderr, "failed: %s\n", command);
	return status;
}

/* Opens the sockets, which stay open until the process exits. */
static inline int open_sockets(void)
{
	int failed = 0;

	failed |= open_socket(AF_INET6, "::", WILDCARD) < 0;
	failed |= open_socket(AF_INET6, "::", UNMANAGED) < 0;
	failed |= open_socket(AF_INET, FAR4, BOUND) < 0;
	failed |= open_socket(AF_INET6, FAR6, BOUND) < 0;
	return failed;
}

static inline int programs_load(struct programs *programs, uint32_t role)
{
	struct wire_bpf *skel = wire_bpf__open();
	struct wire_kfuncs kfuncs = wire_kfuncs_probe();
	/* on other interfaces, use the programs for kernels without kfuncs */
	bool ct = programs == &host && kfuncs.conntrack;

	if (!skel)
		return -1;
	skel->rodata->casts = ct && kfuncs.cast;
	bpf_program__set_autoload(skel->progs.sluice_wire_in, !ct);
	bpf_program__set_autoload(skel->progs.sluice_wire_out, !ct);
	bpf_program__set_autoload(skel->progs.sluice_ct_in, ct);
	bpf_program__set_autoload(skel->progs.sluice_ct_out, ct);
	skel->rodata->role = role;
	skel->rodata->seed = SEED;
	skel->rodata->tick_ns = ticks_length_ns();
	skel->rodata->age = sluice_flow_clock(AGE_MS * 1000000ULL);
	skel->rodata->sets = SETS;
	memset((void *)skel->rodata->ports, 0xff, sizeof(skel->rodata->ports));
	((uint64_t *)skel->rodata->ports)[UNMANAGED / 64] &= ~(1ULL << UNMANAGED % 64);
	bpf_map__set_max_entries(skel->maps.sluice_w_flows, SETS);
	programs->skel = skel;
	if (wire_bpf__load(skel))
		return -1;
	programs->in = bpf_program__fd(ct ? skel->progs.sluice_ct_in : skel->progs.sluice_wire_in);
	programs->out = bpf_program__fd(ct ? skel->progs.sluice_ct_out
					   : skel->progs.sluice_wire_out);
	return 0;
}

/* Creates the namespace with its interfaces and sockets. */
static inline int wire_lab_up(void)
{
	const struct rlimit files = { 8192, 8192 };

	if (unshare(CLONE_NEWNET) || setrlimit(RLIMIT_NOFILE, &files))
		return -1;
	if (sh("ip link set lo up &&"
	       " ip link add near address 02:02:02:02:02:02 type veth peer name near_peer &&"
	       " ip link add far address 02:02:02:02:02:02 type veth peer name far_peer &&"
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
	       " ip link set dev port0 master br0 &&"
	       " for i in br0 port0 port0_peer; do"
	       "   ip link set $i addrgenmode none && ip link set $i up || exit 1; done &&"
	       " ip addr add " BRIDGE4 "/24 dev br0 && ip addr add " BRIDGE6 "/64 dev br0 nodad"))
		return -1;
	near_index = if_nametoindex("near");
	port_index = if_nametoindex("port0");
	if (open_sockets()) {
		fprintf(stderr, "sockets: %s\n", strerror(errno));
		return -1;
	}
	return 0;
}

/* Loads the programs for a role, with its server. */
static inline int wire_lab_load(struct programs *programs, uint32_t role)
{
	if (programs_load(programs, role | (programs == &plain ? 0 : SLUICE_WIRE_ETHERNET)))
		return -1;
	if (role & SLUICE_WIRE_GATEWAY)
		return server_add(B1) || server_add(B2);
	return 0;
}

static inline int wire_lab_down(void **state)
{
	wire_bpf__destroy(host.skel);
	wire_bpf__destroy(gateway.skel);
	wire_bpf__destroy(port.skel);
	wire_bpf__destroy(plain.skel);
	return 0;
}
#endif
