// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * packets: measures the cost of each program of mode wire per kind of packet, by BPF_PROG_TEST_RUN.
 * For each line "N" on stdin it runs each kind N times and prints one JSON line of medians, in ns,
 * beside those of an empty program.
 *
 * Each run is a system call with a fresh packet: with the kernel's repetition, the program would
 * run on a packet that it has just rewritten, and take another path. Unlike packets from the wire,
 * all data is cached. The empty program runs right after each run, so that both include the cost of
 * the clock and of cold caches.
 *
 * Each figure belongs to the path in its label: each run checks whether the packet was changed, and
 * the counter of the expected outcome must increase by the number of runs.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/bpf.h>
#include <linux/if_ether.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <sluice/wire.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Addresses of bed.py: the client's, the source of the host's replies, and another address of the
 * host.
 */
#define GUEST4	"198.18.16.3"
#define BRIDGE4 "198.18.16.1"
#define HOST4	"198.18.0.2"
#define FAR4	"198.18.0.1"  /* of another host */
#define OTHER4	"198.18.16.4" /* of the guest, a server behind this host */
#define GUEST6	"2001:2:0:1::3"
#define BRIDGE6 "2001:2:0:1::1"
#define HOST6	"2001:2::2"

#define SERVER	    5099 /* managed, with a wildcard socket */
#define BACK	    5098 /* managed, with a socket connected back to the client's port CLIENT */
#define NEW_SERVER  5060 /* the first managed port without a socket; loads use the lower ones */
#define NEW_SERVERS 30
#define CLIENT	    20001
#define OTHER	    6099 /* not managed */
#define PAYLOAD	    64
#define NEW_PORT    30000
#define NEW_PORTS   30000
#define FRAGMENT    512 /* size of the first fragment */
#define RUNS_MAX    100000

#define UNCOUNTED SLUICE_WIRE_COUNTERS_MAX /* for a packet that no counter counts */

struct frame {
	uint8_t byte[2048];
	size_t len;
};

enum piece {
	WHOLE,
	FIRST, /* fragment */
	LATER,
};

/* Packets that must precede a packet of this kind, for its record. */
enum before {
	NOTHING,
	REQUEST,
	RIGHT_REPLY,
	WRONG_REPLY,
	REDIRECT, /* a request and a redirected one */
};

struct kind {
	const char *label;
	const char *source, *target;
	uint16_t source_port, target_port;
	enum sluice_wire_counter outcome;
	bool out;
	bool rewritten;
	bool gateway;
	bool new_flow; /* used for each run */
	bool tcp;
	enum piece piece;
	enum before before;
	const char *other; /* requested address of a reply; source of replies to a request */
};

/* A source port or target port of 0 means: the port of a client without a record. */
static const struct kind kinds[] = {
	{ "IPv4, to a server that connected back", GUEST4, HOST4, CLIENT, BACK,
	  SLUICE_WIRE_request_rewritten, .rewritten = true, .before = REDIRECT },
	{ "IPv6, to a server that connected back", GUEST6, HOST6, CLIENT, BACK,
	  SLUICE_WIRE_request_rewritten, .rewritten = true, .before = REDIRECT },
	{ "IPv4, no reply yet", GUEST4, HOST4, 0, SERVER, SLUICE_WIRE_request_passed,
	  .before = REQUEST },
	{ "IPv6, no reply yet", GUEST6, HOST6, 0, SERVER, SLUICE_WIRE_request_passed,
	  .before = REQUEST },
	{ "IPv4, a new flow", GUEST4, HOST4, .outcome = SLUICE_WIRE_half_open, .new_flow = true },
	{ "IPv6, a new flow", GUEST6, HOST6, .outcome = SLUICE_WIRE_half_open, .new_flow = true },
	{ "IPv4, a right flow", GUEST4, BRIDGE4, 0, SERVER, SLUICE_WIRE_request_right,
	  .before = RIGHT_REPLY },
	{ "IPv6, a right flow", GUEST6, BRIDGE6, 0, SERVER, SLUICE_WIRE_request_right,
	  .before = RIGHT_REPLY },
	{ "UDP forwarded, a managed port", GUEST4, FAR4, 0, NEW_SERVER, SLUICE_WIRE_request_passed,
	  .before = REQUEST },
	{ "UDP, not managed", GUEST4, HOST4, 0, OTHER, UNCOUNTED },
	{ "UDP over IPv6, not managed", GUEST6, HOST6, 0, OTHER, UNCOUNTED },
	{ "TCP", GUEST4, HOST4, 0, SERVER, UNCOUNTED, .tcp = true },
	{ "IPv4, the first fragment", GUEST4, HOST4, CLIENT, BACK, SLUICE_WIRE_request_rewritten,
	  .rewritten = true, .piece = FIRST, .before = REDIRECT },
	{ "IPv4, a later fragment", GUEST4, HOST4, CLIENT, BACK, SLUICE_WIRE_fragment_followed,
	  .rewritten = true, .piece = LATER, .before = REDIRECT },
	{ "gateway: IPv4, a wrong reply", GUEST4, FAR4, SERVER, 0, SLUICE_WIRE_reply_rewritten,
	  .rewritten = true, .gateway = true, .before = WRONG_REPLY, .other = OTHER4 },
	{ "gateway: IPv4, a right reply", GUEST4, FAR4, SERVER, 0, SLUICE_WIRE_reply_right,
	  .gateway = true, .before = RIGHT_REPLY },
	{ "gateway: UDP, not managed", GUEST4, FAR4, OTHER, 0, UNCOUNTED, .gateway = true },
	{ "IPv4, from a server that connected back", BRIDGE4, GUEST4, BACK, CLIENT,
	  SLUICE_WIRE_reply_rewritten, .out = true, .rewritten = true, .before = REDIRECT,
	  .other = HOST4 },
	{ "IPv6, from a server that connected back", BRIDGE6, GUEST6, BACK, CLIENT,
	  SLUICE_WIRE_reply_rewritten, .out = true, .rewritten = true, .before = REDIRECT,
	  .other = HOST6 },
	{ "IPv4, a right flow", BRIDGE4, GUEST4, SERVER, 0, SLUICE_WIRE_reply_right, .out = true,
	  .before = RIGHT_REPLY },
	{ "IPv6, a right flow", BRIDGE6, GUEST6, SERVER, 0, SLUICE_WIRE_reply_right, .out = true,
	  .before = RIGHT_REPLY },
	{ "IPv4, a wrong source, another sender", BRIDGE4, GUEST4, SERVER, 0,
	  SLUICE_WIRE_reply_other_sender, .out = true, .before = REQUEST, .other = HOST4 },
	{ "IPv4, no such flow", BRIDGE4, GUEST4, SERVER, 0, SLUICE_WIRE_reply_no_flow,
	  .out = true },
	{ "UDP, not managed", HOST4, GUEST4, OTHER, 0, UNCOUNTED, .out = true },
	{ "UDP over IPv6, not managed", HOST6, GUEST6, OTHER, 0, UNCOUNTED, .out = true },
	{ "TCP", HOST4, GUEST4, SERVER, 0, UNCOUNTED, .out = true, .tcp = true },
	{ "gateway: IPv4, a new flow", FAR4, GUEST4, .outcome = SLUICE_WIRE_half_open, .out = true,
	  .gateway = true, .new_flow = true },
	{ "gateway: IPv4, replies are wrong", FAR4, OTHER4, 0, SERVER, SLUICE_WIRE_request_passed,
	  .out = true, .gateway = true, .before = WRONG_REPLY, .other = GUEST4 },
	{ "gateway: IPv4, a right flow", FAR4, GUEST4, 0, SERVER, SLUICE_WIRE_request_right,
	  .out = true, .gateway = true, .before = RIGHT_REPLY },
	{ "gateway: UDP, not managed", FAR4, GUEST4, 0, OTHER, UNCOUNTED, .out = true,
	  .gateway = true },
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

struct pair {
	int prog[2]; /* ingress, egress */
	int counters;
};

static struct pair host, gateway, empty;
static unsigned int ifindex;
static uint32_t ours_ns[RUNS_MAX], empty_ns[RUNS_MAX];

static void die(const char *what)
{
	fprintf(stderr, "packets: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void fail(const struct kind *kind, const char *format, ...)
{
	va_list args;

	fprintf(stderr, "packets: %s, %s: ", kind->label, kind->out ? "egress" : "ingress");
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

/* --- namespaces and sockets */

static void enter(const char *netns)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "/run/netns/%s", netns);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

/* Opens a socket on the wildcard address of both families. No process needs to read from it. */
static void open_server(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(SERVER) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("server");
}

/* Opens a server socket that has connected back to the client. */
static void open_back(int family, const char *guest)
{
	struct sockaddr_in6 to6 = { .sin6_family = AF_INET6, .sin6_port = htons(CLIENT) };
	struct sockaddr_in6 any6 = { .sin6_family = AF_INET6, .sin6_port = htons(BACK) };
	struct sockaddr_in to4 = { .sin_family = AF_INET, .sin_port = htons(CLIENT) };
	struct sockaddr_in any4 = { .sin_family = AF_INET, .sin_port = htons(BACK) };
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC, 0), one = 1;
	bool six = family == AF_INET6;

	inet_pton(family, guest, six ? (void *)&to6.sin6_addr : (void *)&to4.sin_addr);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) ||
	    bind(fd, six ? (void *)&any6 : (void *)&any4, six ? sizeof(any6) : sizeof(any4)) ||
	    connect(fd, six ? (void *)&to6 : (void *)&to4, six ? sizeof(to6) : sizeof(to4)))
		die("connected server");
}

/* Returns the counters of a program of sluice. */
static int open_counters(int prog)
{
	struct bpf_map_info map;
	struct bpf_prog_info info = { 0 };
	__u32 ids[64], len = sizeof(info), i;
	int fd;

	info.nr_map_ids = sizeof(ids) / sizeof(*ids);
	info.map_ids = (__u64)(unsigned long)ids;
	if (bpf_obj_get_info_by_fd(prog, &info, &len))
		die("program");
	for (i = 0; i < info.nr_map_ids; i++) {
		fd = bpf_map_get_fd_by_id(ids[i]);
		memset(&map, 0, sizeof(map));
		len = sizeof(map);
		if (fd < 0 || bpf_obj_get_info_by_fd(fd, &map, &len))
			die("map");
		if (!strcmp(map.name, "sluice_w_counts"))
			return fd;
		close(fd);
	}
	errno = ENOENT;
	die("sluice_w_counts");
	return -1;
}

static void open_programs(const char *folder, struct pair *pair)
{
	static const char *const hooks[] = { "tcx_ingress", "tcx_egress" };
	char path[4096];
	int i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, hooks[i]);
		pair->prog[i] = bpf_obj_get(path);
		if (pair->prog[i] < 0)
			die(path);
	}
}

/* Returns a counter, or the sum of all for UNCOUNTED. */
static uint64_t read_counter(const struct pair *pair, enum sluice_wire_counter which)
{
	static struct sluice_wire_counters each[1024]; /* CPUs */
	uint64_t sum = 0;
	__u32 zero = 0;
	size_t cpu, i;

	if (libbpf_num_possible_cpus() > 1024 || bpf_map_lookup_elem(pair->counters, &zero, each))
		die("sluice_w_counts");
	for (cpu = 0; cpu < 1024; cpu++)
		for (i = 0; i < SLUICE_WIRE_COUNTERS_MAX; i++)
			sum += which == i || which == UNCOUNTED ? each[cpu].value[i] : 0;
	return sum;
}

/* --- packets: with arbitrary checksums, which programs update but never verify */

static size_t put_udp(const struct kind *kind, uint8_t *at)
{
	struct udphdr udp = { .source = htons(kind->source_port),
			      .dest = htons(kind->target_port),
			      .len = htons(sizeof(udp) + (kind->piece ? 2 * FRAGMENT : PAYLOAD)),
			      .check = htons(0x1234) };

	memcpy(at, &udp, sizeof(udp));
	return sizeof(udp);
}

static size_t put_tcp(const struct kind *kind, uint8_t *at)
{
	struct tcphdr tcp = { .source = htons(kind->source_port),
			      .dest = htons(kind->target_port),
			      .doff = sizeof(tcp) / 4,
			      .check = htons(0x1234) };

	memcpy(at, &tcp, sizeof(tcp));
	return sizeof(tcp);
}

static size_t put_body(const struct kind *kind, uint8_t *at)
{
	size_t head;

	if (kind->piece == LATER)
		return FRAGMENT;
	head = kind->tcp ? put_tcp(kind, at) : put_udp(kind, at);
	return kind->piece == FIRST ? FRAGMENT : head + PAYLOAD;
}

static size_t put_ip4(const struct kind *kind, uint8_t *at)
{
	size_t len = sizeof(struct iphdr) + put_body(kind, at + sizeof(struct iphdr));
	struct iphdr ip = { .version = 4,
			    .ihl = sizeof(ip) / 4,
			    .tot_len = htons(len),
			    .id = htons(7),
			    .ttl = 64,
			    .protocol = kind->tcp ? IPPROTO_TCP : IPPROTO_UDP,
			    .check = htons(0x1234),
			    .saddr = inet_addr(kind->source),
			    .daddr = inet_addr(kind->target) };

	if (kind->piece)
		ip.frag_off = htons(kind->piece == FIRST ? IP_MF : IP_MF | FRAGMENT / 8);
	memcpy(at, &ip, sizeof(ip));
	return len;
}

static size_t put_ip6(const struct kind *kind, uint8_t *at)
{
	size_t len = put_body(kind, at + sizeof(struct ip6_hdr));
	struct ip6_hdr ip = { .ip6_flow = htonl(6U << 28),
			      .ip6_plen = htons(len),
			      .ip6_nxt = IPPROTO_UDP,
			      .ip6_hlim = 64 };

	inet_pton(AF_INET6, kind->source, &ip.ip6_src);
	inet_pton(AF_INET6, kind->target, &ip.ip6_dst);
	memcpy(at, &ip, sizeof(ip));
	return sizeof(ip) + len;
}

static void build(const struct kind *kind, struct frame *frame)
{
	bool six = strchr(kind->source, ':');
	struct ethhdr eth = { .h_dest = { 2 },
			      .h_source = { 2 },
			      .h_proto = htons(six ? ETH_P_IPV6 : ETH_P_IP) };
	uint8_t *at = frame->byte + sizeof(eth);

	memset(frame, 0, sizeof(*frame));
	memcpy(frame->byte, &eth, sizeof(eth));
	frame->len = sizeof(eth) + (six ? put_ip6(kind, at) : put_ip4(kind, at));
}

/* --- measuring */

static uint32_t run_once(int prog, const struct frame *in, struct frame *out)
{
	struct __sk_buff context = { .ifindex = ifindex };
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = in->byte, .data_size_in = (uint32_t)in->len,
		    .data_out = out->byte, .data_size_out = sizeof(out->byte), .ctx_in = &context,
		    .ctx_size_in = sizeof(context), .repeat = 1);

	if (bpf_prog_test_run_opts(prog, &opts))
		die("BPF_PROG_TEST_RUN");
	out->len = opts.data_size_out;
	return opts.duration;
}

static void check(const struct kind *kind, const struct frame *in, const struct frame *out)
{
	bool same = in->len == out->len && !memcmp(in->byte, out->byte, in->len);

	if (same == kind->rewritten)
		fail(kind, "the packet came out %s", same ? "as it went in" : "changed");
}

static void check_outcome(const struct kind *kind, uint64_t counted, uint64_t wanted)
{
	static const char *const names[] = {
#define X(name, help) #name,
		SLUICE_WIRE_COUNTERS(X)
#undef X
			"sum of the counters",
	};

	if (counted != wanted)
		fail(kind, "%s rose by %llu, not by %llu", names[kind->outcome],
		     (unsigned long long)counted, (unsigned long long)wanted);
}

static int compare(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return (x > y) - (x < y);
}

static double median(uint32_t *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return (values[count / 2] + (double)values[(count - 1) / 2]) / 2;
}

/* --- the records that a packet finds */

/* Selects a client port, and for new_flow also a server port, without a record. */
static void take_ports(struct kind *kind)
{
	static unsigned int flow;
	uint16_t port = (uint16_t)(NEW_PORT + flow % NEW_PORTS);

	if (kind->new_flow) {
		kind->source_port = port;
		kind->target_port = (uint16_t)(NEW_SERVER + 1 + flow / NEW_PORTS % NEW_SERVERS);
		flow++;
	} else if (!kind->source_port || !kind->target_port) {
		*(kind->source_port ? &kind->target_port : &kind->source_port) = port;
		flow++;
	}
}

static void send_before(const struct pair *pair, const struct kind *kind)
{
	struct frame in, out;

	build(kind, &in);
	run_once(pair->prog[kind->out], &in, &out);
}

static struct kind turned(const struct kind *kind, const char *source)
{
	struct kind other = *kind;

	other.source = source;
	other.target = kind->source;
	other.source_port = kind->target_port;
	other.target_port = kind->source_port;
	other.out = !kind->out;
	return other;
}

/* Sends the request, and all other packets that must precede a packet of this kind. */
static void prepare(const struct pair *pair, const struct kind *kind)
{
	bool is_reply = kind->out != kind->gateway;
	struct kind request = *kind, reply;

	if (kind->before == NOTHING)
		return;
	if (is_reply) {
		request = turned(kind, kind->target);
		request.target = kind->other ? kind->other : kind->source;
	}
	request.piece = WHOLE;
	send_before(pair, &request);
	if (kind->before == REDIRECT)
		send_before(pair, &request);
	if (kind->before == RIGHT_REPLY || kind->before == WRONG_REPLY) {
		reply = turned(&request, is_reply		       ? kind->source
					 : kind->before == WRONG_REPLY ? kind->other
								       : kind->target);
		send_before(pair, &reply);
	}
	if (kind->piece == LATER) {
		request.piece = FIRST;
		send_before(pair, &request);
	}
}

/* --- one kind, and all */

static void measure(const struct kind *which, size_t count)
{
	const struct pair *pair = which->gateway ? &gateway : &host;
	struct kind kind = *which;
	struct frame in, out;
	uint64_t before;
	size_t i;

	take_ports(&kind);
	prepare(pair, &kind);
	build(&kind, &in);
	before = read_counter(pair, kind.outcome);
	for (i = 0; i < count; i++) {
		if (kind.new_flow) {
			take_ports(&kind);
			build(&kind, &in);
		}
		ours_ns[i] = run_once(pair->prog[kind.out], &in, &out);
		check(&kind, &in, &out);
		empty_ns[i] = run_once(empty.prog[kind.out], &in, &out);
	}
	check_outcome(&kind, read_counter(pair, kind.outcome) - before,
		      kind.outcome == UNCOUNTED ? 0 : count);
	printf("{\"program\": \"%s\", \"label\": \"%s\", \"ours_ns\": %.1f, \"empty_ns\": %.1f}",
	       kind.out ? "wire_out" : "wire_in", kind.label, median(ours_ns, count),
	       median(empty_ns, count));
}

static void measure_all(size_t count)
{
	size_t i;

	printf("{\"kinds\": [");
	for (i = 0; i < KINDS; i++) {
		printf("%s", i ? ", " : "");
		measure(&kinds[i], count);
	}
	printf("]}\n");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	char line[64];

	if (argc != 7) {
		fputs("usage: packets CPU NETNS INTERFACE DIR GATEWAY-DIR EMPTY-DIR\n", stderr);
		return 2;
	}
	pin(atoi(argv[1]));
	enter(argv[2]);
	ifindex = if_nametoindex(argv[3]);
	if (!ifindex)
		die(argv[3]);
	open_programs(argv[4], &host);
	open_programs(argv[5], &gateway);
	open_programs(argv[6], &empty);
	host.counters = open_counters(host.prog[0]);
	gateway.counters = open_counters(gateway.prog[0]);
	open_server();
	open_back(AF_INET, GUEST4);
	open_back(AF_INET6, GUEST6);
	printf("{}\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin)) {
		unsigned long count = strtoul(line, NULL, 10);

		if (!count || count > RUNS_MAX)
			die(line);
		measure_all(count);
	}
	return 0;
}
