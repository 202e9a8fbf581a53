// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * packets: measures the cost of each program of mode wire per kind of packet, by BPF_PROG_TEST_RUN.
 * For each line "N" on stdin it runs each kind N times and prints one JSON line of medians, in ns,
 * beside those of an empty program.
 *
 * Each run is a system call with a fresh packet: with the kernel's own repetition, the program
 * would run on a packet that it has just rewritten, and take another path. Unlike with packets from
 * the wire, all data is in the caches. The empty program runs right after each run, so that both
 * include the cost of the clock and of cold caches.
 *
 * Each run checks whether the packet was changed, so that a figure always belongs to the path in
 * its label.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
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
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/*
 * Addresses of bed.py: that of the client, the one that the host replies from, and another one of
 * the host.
 */
#define GUEST4	"198.18.16.3"
#define BRIDGE4 "198.18.16.1"
#define HOST4	"198.18.0.2"
#define FAR4	"198.18.0.1" /* another host's */
#define GUEST6	"2001:2:0:1::3"
#define BRIDGE6 "2001:2:0:1::1"
#define HOST6	"2001:2::2"

#define SERVER	  5099 /* managed, with a wildcard socket */
#define BACK	  5098 /* managed, with a socket connected back to the client's port CLIENT */
#define CLIENT	  20001
#define OTHER	  6099 /* not managed */
#define PAYLOAD	  64
#define NEW_PORTS 30000
#define FRAGMENT  512 /* size of the first fragment */
#define RUNS_MAX  100000

struct frame {
	uint8_t byte[2048];
	size_t len;
};

enum piece {
	WHOLE,
	FIRST, /* fragment */
	LATER,
};

struct kind {
	const char *label;
	const char *source, *target;
	uint16_t source_port, target_port;
	bool out;
	bool rewritten;
	bool new_port; /* a new client port, without a flow, for each run */
	bool tcp;
	enum piece piece;
};

/* The order matters: a reply needs its request, and a request of a right flow needs its reply. */
static struct kind kinds[] = {
	{ "IPv4, to a server that connected back", GUEST4, HOST4, CLIENT, BACK, .rewritten = true },
	{ "IPv6, to a server that connected back", GUEST6, HOST6, CLIENT, BACK, .rewritten = true },
	{ "IPv4, no reply yet", GUEST4, BRIDGE4, 20002, SERVER, .out = false },
	{ "IPv4, a new flow", GUEST4, HOST4, NEW_PORTS, SERVER, .new_port = true },
	{ "IPv6, a new flow", GUEST6, HOST6, NEW_PORTS, SERVER, .new_port = true },
	{ "UDP forwarded, a managed port", GUEST4, FAR4, 20003, SERVER, .out = false },
	{ "UDP, not managed", GUEST4, HOST4, 20003, OTHER, .out = false },
	{ "UDP over IPv6, not managed", GUEST6, HOST6, 20003, OTHER, .out = false },
	{ "TCP", GUEST4, HOST4, 20004, SERVER, .tcp = true },
	{ "IPv4, the first fragment", GUEST4, HOST4, CLIENT, BACK, .rewritten = true,
	  .piece = FIRST },
	{ "IPv4, a later fragment", GUEST4, HOST4, CLIENT, BACK, .rewritten = true,
	  .piece = LATER },
	{ "IPv4, from a server that connected back", BRIDGE4, GUEST4, BACK, CLIENT, .out = true,
	  .rewritten = true },
	{ "IPv6, from a server that connected back", BRIDGE6, GUEST6, BACK, CLIENT, .out = true,
	  .rewritten = true },
	{ "IPv4, from the right address", BRIDGE4, GUEST4, SERVER, 20002, .out = true },
	{ "IPv4, a right flow", GUEST4, BRIDGE4, 20002, SERVER, .out = false },
	{ "IPv4, no such flow", BRIDGE4, GUEST4, SERVER, 20006, .out = true },
	{ "UDP, not managed", HOST4, GUEST4, OTHER, 20003, .out = true },
	{ "UDP over IPv6, not managed", HOST6, GUEST6, OTHER, 20003, .out = true },
	{ "TCP", HOST4, GUEST4, SERVER, 20004, .out = true, .tcp = true },
};

#define KINDS (sizeof(kinds) / sizeof(*kinds))

static int programs[2], empty[2]; /* ingress, egress */
static unsigned int ifindex;
static uint32_t ours_ns[RUNS_MAX], empty_ns[RUNS_MAX];

static void die(const char *what)
{
	fprintf(stderr, "packets: %s: %s\n", what, strerror(errno));
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

/* Opens a socket on the wildcard address of both families; no process has to read from it. */
static void open_server(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(SERVER) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("server");
}

/* Opens the socket of a server that has connected back to the client. */
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

static void open_programs(const char *folder, int *fds)
{
	static const char *const hooks[] = { "tcx_ingress", "tcx_egress" };
	char path[4096];
	int i;

	for (i = 0; i < 2; i++) {
		snprintf(path, sizeof(path), "%s/%s", folder, hooks[i]);
		fds[i] = bpf_obj_get(path);
		if (fds[i] < 0)
			die(path);
	}
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

	if (same != kind->rewritten)
		return;
	fprintf(stderr, "packets: %s: came out %s\n", kind->label,
		same ? "as it went in" : "changed");
	exit(1);
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

static void measure(struct kind *kind, size_t count)
{
	static uint16_t port = NEW_PORTS;
	struct frame in, out;
	size_t i;

	build(kind, &in);
	/* the first request to a server that connects back, or the look-up of its socket */
	for (i = 0; i < 2 && kind->rewritten; i++)
		run_once(programs[kind->out], &in, &out);
	for (i = 0; i < count; i++) {
		if (kind->new_port) {
			port = port == UINT16_MAX ? NEW_PORTS : port + 1;
			kind->source_port = port;
			build(kind, &in);
		}
		ours_ns[i] = run_once(programs[kind->out], &in, &out);
		check(kind, &in, &out);
		empty_ns[i] = run_once(empty[kind->out], &in, &out);
	}
	printf("{\"program\": \"%s\", \"label\": \"%s\", \"ours_ns\": %.1f, \"empty_ns\": %.1f}",
	       kind->out ? "wire_out" : "wire_in", kind->label, median(ours_ns, count),
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

	if (argc != 6) {
		fputs("usage: packets CPU NETNS INTERFACE DIR EMPTY-DIR\n", stderr);
		return 2;
	}
	pin(atoi(argv[1]));
	enter(argv[2]);
	ifindex = if_nametoindex(argv[3]);
	if (!ifindex)
		die(argv[3]);
	open_programs(argv[4], programs);
	open_programs(argv[5], empty);
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
