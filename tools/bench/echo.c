// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * echo: the load of the benchmark, and its clock. The process is the client, and its child is the
 * server, each in its own namespace and cgroup. For each line "MILLISECONDS" on stdin, echo runs
 * for that time and prints one JSON line: operations, CPU time of both ends, wall time, losses, and
 * the cost of an operation in yardsticks.
 *
 * echo measures CPU time, with both ends pinned to one CPU. veth delivers a packet on the sender's
 * CPU, and the softirq for the receive path runs at the end of the send. The scheduler's clock of a
 * task (CLOCK_PROCESS_CPUTIME_ID, in nanoseconds, not ticks) includes softirqs. So the sum of the
 * two clocks is the complete cost of an operation, including the receive path and context switches,
 * but without idle time or other work of the machine.
 *
 * Rejected: wall time (includes other work of the machine), /proc/stat (counts ticks, and other
 * work), getrusage() of one end alone (the receive path of one end is charged to the send of the
 * other end), and ends on two CPUs (such a round trip is mostly idle states and wake-up interrupts,
 * the noisiest part of a virtual machine). A kernel with CONFIG_IRQ_TIME_ACCOUNTING excludes
 * softirqs from the clock of a task; then the ratios omit the receive path.
 *
 * The speed of a virtual CPU changes by half from second to second, because other guests of the
 * host affect its caches. So each short burst of the load is followed by a burst of a yardstick: a
 * kilobyte is written to a file in memory and read back, which takes system calls and copies, but
 * no hook or network code. The median of this ratio over all bursts is several times steadier than
 * nanoseconds. Rare costs show only in the nanoseconds, so both are printed. Rejected as
 * yardsticks: a loop in user space (it does not slow down with the kernel), and an AF_UNIX socket
 * pair (a fifth faster or slower with the hooks, without any pattern between processes).
 *
 * The process runs many measurements, so that variants are compared on the same sockets, ports and
 * memory. With --inline, one thread is both ends: without a context switch, the base cost of a
 * round trip is as small as possible. Then no datagram can be lost, so an operation can be a block
 * of datagrams, sent one by one, or as one packet that the kernel segments late or never
 * (UDP_SEGMENT, UDP_GRO).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define SIZE_MAX_BYTES 65536
#define NS_PER_MS      1000000ULL
#define NS_PER_S       1000000000ULL
/* Operations between two readings of the clock, and between runs of the yardstick. */
#define BURST	       32
#define YARDSTICK_SIZE 1024
/* UDP_MAX_SEGMENTS before kernel 6.9 */
#define SEGMENTS_MAX 64
/* Each loss costs a timeout of a second, so echo exits if no datagram gets through. */
#define LOST_MAX 5

struct end {
	const char *netns;
	const char *cgroup;
};

struct plan {
	const struct workload *workload;
	struct end client, server;
	struct sockaddr_storage target;
	socklen_t target_len;
	size_t size;
	unsigned int flows;	    /* 0: a new source port for each request */
	unsigned int targets;	    /* used in turn: the network `target` of IPv4 addresses */
	struct in_addr group_iface; /* the server joins the group `target` there; 0: no group */
	int cpu;
	unsigned int segments; /* datagrams per block */
	bool gso;
	bool bound; /* the server binds the requested address */
	bool dual_stack;
	bool inline_server;
};

struct workload {
	const char *name;
	int type;
	/* Serves one request; returns 0 or -errno. */
	int (*serve)(const struct plan *plan, int fd);
	/* Runs one operation of the client; returns 0 or -errno. */
	int (*ask)(const struct plan *plan, int fd);
	bool connected;
	bool pktinfo;
	bool block;
};

struct tally {
	unsigned long long operations, lost, cpu_ns, yardstick_ns, wall_ns;
	double *quotients; /* one per burst */
	size_t bursts, room;
};

static char buffer[SIZE_MAX_BYTES];
static int server_fd = -1;
static int yardstick;
static pid_t server_pid;

static void die(const char *what)
{
	fprintf(stderr, "echo: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int result(ssize_t n)
{
	return n < 0 ? -errno : 0;
}

/* --- servers */

static int serve_sendto(const struct plan *plan, int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	ssize_t n = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&peer, &len);

	if (n < 0)
		return -errno;
	return result(sendto(fd, buffer, n, 0, (struct sockaddr *)&peer, len));
}

/* Connects back to the only client. */
static int serve_back(const struct plan *plan, int fd)
{
	static bool connected;
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	ssize_t n = recvfrom(fd, buffer, sizeof(buffer), 0, (struct sockaddr *)&peer, &len);

	if (n < 0 || (!connected && connect(fd, (struct sockaddr *)&peer, len)))
		return -errno;
	connected = true;
	return result(send(fd, buffer, n, 0));
}

/* Converts a received IP_PKTINFO for sending. Clears the interface, since the route selects it. */
static void pktinfo_turn(struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

	if (cmsg && cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO) {
		struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(cmsg);

		info->ipi_spec_dst = info->ipi_addr;
		info->ipi_ifindex = 0;
	} else if (cmsg && cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_PKTINFO) {
		((struct in6_pktinfo *)CMSG_DATA(cmsg))->ipi6_ifindex = 0;
	}
}

static int serve_pktinfo(const struct plan *plan, int fd)
{
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct sockaddr_storage peer;
	struct iovec iov = { .iov_base = buffer, .iov_len = sizeof(buffer) };
	struct msghdr msg = {
		.msg_name = &peer,
		.msg_namelen = sizeof(peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(fd, &msg, 0);

	if (n < 0)
		return -errno;
	pktinfo_turn(&msg);
	iov.iov_len = n;
	return result(sendmsg(fd, &msg, 0));
}

/* Leaves the socket open with a full queue: datagrams are dropped instead of queued. */
static int serve_sink(const struct plan *plan, int fd)
{
	pause();
	return 0;
}

static int serve_stream(const struct plan *plan, int fd)
{
	ssize_t n = recv(fd, buffer, sizeof(buffer), 0);

	return n <= 0 ? -ECONNRESET : result(send(fd, buffer, n, 0));
}

/* Answers each block with a byte, so that no operation overlaps the next. */
static int serve_bulk(const struct plan *plan, int fd)
{
	if (recv(fd, buffer, plan->size, MSG_WAITALL) != (ssize_t)plan->size)
		return -ECONNRESET;
	return result(send(fd, buffer, 1, 0));
}

/* --- blocks */

static int block_send(const struct plan *plan, int fd, const struct sockaddr *to, socklen_t len)
{
	size_t size = plan->gso ? plan->size * plan->segments : plan->size;
	unsigned int i, count = plan->gso ? 1 : plan->segments;

	for (i = 0; i < count; i++)
		if (sendto(fd, buffer, size, 0, to, len) < 0)
			return -errno;
	return 0;
}

static int block_receive(const struct plan *plan, int fd, struct sockaddr *from, socklen_t *len)
{
	size_t left = plan->size * plan->segments;

	while (left) {
		ssize_t n = recvfrom(fd, buffer, sizeof(buffer), 0, from, len);

		if (n < 0)
			return -errno;
		if ((size_t)n > left)
			return -EMSGSIZE;
		left -= n;
	}
	return 0;
}

static int serve_block(const struct plan *plan, int fd)
{
	return block_receive(plan, fd, NULL, NULL);
}

static int serve_block_back(const struct plan *plan, int fd)
{
	struct sockaddr_storage peer;
	socklen_t len = sizeof(peer);
	int err = block_receive(plan, fd, (struct sockaddr *)&peer, &len);

	return err ? err : block_send(plan, fd, (struct sockaddr *)&peer, len);
}

/* --- clients */

static int ask_echo(const struct plan *plan, int fd)
{
	int err;

	if (send(fd, buffer, plan->size, 0) < 0)
		return -errno;
	err = plan->inline_server ? plan->workload->serve(plan, server_fd) : 0;
	return err ? err : result(recv(fd, buffer, sizeof(buffer), 0));
}

static int ask_send(const struct plan *plan, int fd)
{
	static unsigned int turn;
	struct sockaddr_storage to = plan->target;

	if (plan->targets > 1)
		((struct sockaddr_in *)&to)->sin_addr.s_addr |= htonl(turn++ % plan->targets);
	return result(sendto(fd, buffer, plan->size, 0, (struct sockaddr *)&to, plan->target_len));
}

static int ask_block(const struct plan *plan, int fd)
{
	int err = block_send(plan, fd, NULL, 0);

	return err ? err : plan->workload->serve(plan, server_fd);
}

static int ask_block_back(const struct plan *plan, int fd)
{
	int err = ask_block(plan, fd);

	return err ? err : block_receive(plan, fd, NULL, NULL);
}

static const struct workload workloads[] = {
	{ "sendto", SOCK_DGRAM, serve_sendto, ask_echo, .connected = true },
	{ "back", SOCK_DGRAM, serve_back, ask_echo, .connected = true },
	{ "pktinfo", SOCK_DGRAM, serve_pktinfo, ask_echo, .connected = true, .pktinfo = true },
	{ "send", SOCK_DGRAM, serve_sink, ask_send, .connected = false },
	{ "pingpong", SOCK_STREAM, serve_stream, ask_echo, .connected = true },
	{ "bulk", SOCK_STREAM, serve_bulk, ask_echo, .connected = true },
	{ "block", SOCK_DGRAM, serve_block, ask_block, .connected = true, .block = true },
	{ "block-back", SOCK_DGRAM, serve_block_back, ask_block_back, .connected = true,
	  .block = true },
};

/* --- namespaces and sockets */

static void write_pid(const char *cgroup)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	file = fopen(path, "w");
	if (!file || fprintf(file, "%d\n", getpid()) < 0 || fclose(file))
		die(path);
}

/* Enters the namespace and the cgroup of an end. Sockets opened afterwards belong to them. */
static void enter(const struct end *end)
{
	char path[4096];
	int fd;

	if (end->cgroup)
		write_pid(end->cgroup);
	if (!end->netns)
		return;
	snprintf(path, sizeof(path), "/run/netns/%s", end->netns);
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

static in_port_t target_port_be(const struct plan *plan)
{
	if (plan->target.ss_family == AF_INET)
		return ((const struct sockaddr_in *)&plan->target)->sin_port;
	return ((const struct sockaddr_in6 *)&plan->target)->sin6_port;
}

static int bind_wildcard(const struct plan *plan, int fd, int family)
{
	struct sockaddr_in ip4 = { .sin_family = AF_INET, .sin_port = target_port_be(plan) };
	struct sockaddr_in6 ip6 = { .sin6_family = AF_INET6, .sin6_port = target_port_be(plan) };

	if (family == AF_INET)
		return bind(fd, (struct sockaddr *)&ip4, sizeof(ip4));
	return bind(fd, (struct sockaddr *)&ip6, sizeof(ip6));
}

static int bind_server(const struct plan *plan, int fd, int family)
{
	if (plan->bound)
		return bind(fd, (const struct sockaddr *)&plan->target, plan->target_len);
	return bind_wildcard(plan, fd, family);
}

static void join_group(const struct plan *plan, int fd)
{
	struct ip_mreq join = { .imr_interface = plan->group_iface };

	if (!plan->group_iface.s_addr)
		return;
	join.imr_multiaddr = ((const struct sockaddr_in *)&plan->target)->sin_addr;
	if (setsockopt(fd, IPPROTO_IP, IP_ADD_MEMBERSHIP, &join, sizeof(join)))
		die("IP_ADD_MEMBERSHIP");
}

/* Sizes the buffers for a block. The kernel charges the truesize of packets. */
static void set_up_blocks(const struct plan *plan, int fd)
{
	int room = 1 << 20, size = (int)plan->size, on = 1;

	if (!plan->workload->block)
		return;
	if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    setsockopt(fd, SOL_SOCKET, SO_SNDBUFFORCE, &room, sizeof(room)))
		die("SO_RCVBUFFORCE");
	if (plan->gso && (setsockopt(fd, SOL_UDP, UDP_SEGMENT, &size, sizeof(size)) ||
			  setsockopt(fd, SOL_UDP, UDP_GRO, &on, sizeof(on))))
		die("UDP_SEGMENT, UDP_GRO");
}

static int open_server(const struct plan *plan)
{
	int family = plan->dual_stack ? AF_INET6 : plan->target.ss_family;
	struct timeval patience = { .tv_sec = 1 };
	int fd = socket(family, plan->workload->type | SOCK_CLOEXEC, 0);
	int on = 1;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)))
		die("server socket");
	if (plan->workload->pktinfo &&
	    (family == AF_INET ? setsockopt(fd, IPPROTO_IP, IP_PKTINFO, &on, sizeof(on))
			       : setsockopt(fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, &on, sizeof(on))))
		die("IP_PKTINFO");
	set_up_blocks(plan, fd);
	join_group(plan, fd);
	if (plan->inline_server &&
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("SO_RCVTIMEO");
	if (bind_server(plan, fd, family))
		die("bind");
	if (plan->workload->type == SOCK_STREAM && listen(fd, 1))
		die("listen");
	return fd;
}

static int open_client(const struct plan *plan)
{
	struct timeval patience = { .tv_sec = 1 };
	int on = 1;
	int fd = socket(plan->target.ss_family, plan->workload->type | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("client socket");
	set_up_blocks(plan, fd);
	if (plan->workload->connected &&
	    connect(fd, (const struct sockaddr *)&plan->target, plan->target_len))
		die("connect");
	if (plan->workload->type == SOCK_STREAM)
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
	return fd;
}

static void server_main(const struct plan *plan, int ready)
{
	int fd;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	enter(&plan->server);
	fd = open_server(plan);
	if (write(ready, "", 1) != 1)
		die("pipe");
	if (plan->workload->type == SOCK_STREAM)
		fd = accept(fd, NULL, NULL);
	while (!plan->workload->serve(plan, fd))
		;
	die("server");
}

static void start_server(const struct plan *plan)
{
	int ready[2];
	char byte;

	if (plan->inline_server) {
		enter(&plan->server);
		server_fd = open_server(plan);
		return;
	}
	if (pipe(ready))
		die("pipe");
	server_pid = fork();
	if (server_pid < 0)
		die("fork");
	if (!server_pid)
		server_main(plan, ready[1]);
	close(ready[1]);
	if (read(ready[0], &byte, 1) != 1)
		exit(1);
	close(ready[0]);
}

static void stop_server(void)
{
	if (server_pid <= 0)
		return;
	kill(server_pid, SIGKILL);
	waitpid(server_pid, NULL, 0);
}

/* --- measurement */

static unsigned long long clock_ns(clockid_t clock)
{
	struct timespec ts;

	if (clock_gettime(clock, &ts))
		die("clock_gettime");
	return ts.tv_sec * NS_PER_S + ts.tv_nsec;
}

static unsigned long long own_ns(void)
{
	return clock_ns(CLOCK_PROCESS_CPUTIME_ID);
}

static unsigned long long server_ns(void)
{
	clockid_t clock;

	if (!server_pid)
		return 0;
	if (clock_getcpuclockid(server_pid, &clock))
		die("clock_getcpuclockid");
	return clock_ns(clock);
}

static int operate(const struct plan *plan, const int *fds, unsigned int turn)
{
	int fd, err;

	if (plan->flows)
		return plan->workload->ask(plan, fds[turn % plan->flows]);
	fd = open_client(plan);
	err = plan->workload->ask(plan, fd);
	close(fd);
	return err;
}

static void count(struct tally *tally, int err)
{
	if (!err) {
		tally->operations++;
	} else if (err == -EAGAIN && tally->lost < LOST_MAX) {
		tally->lost++;
	} else {
		errno = -err;
		die("operation");
	}
}

static void measure_yardstick(void)
{
	int i;

	for (i = 0; i < BURST; i++)
		if (pwrite(yardstick, buffer, YARDSTICK_SIZE, 0) != YARDSTICK_SIZE ||
		    pread(yardstick, buffer, YARDSTICK_SIZE, 0) != YARDSTICK_SIZE)
			die("yardstick");
}

static void note_quotient(struct tally *tally, double quotient)
{
	if (tally->bursts == tally->room) {
		tally->room = 2 * tally->room + 64;
		tally->quotients = realloc(tally->quotients,
					   tally->room * sizeof(*tally->quotients));
		if (!tally->quotients)
			die("realloc");
	}
	tally->quotients[tally->bursts++] = quotient;
}

/*
 * Returns the operations in a burst. Two blocks of single datagrams suffice: the yardstick must
 * follow the load closely.
 */
static int burst_size(const struct plan *plan)
{
	return plan->segments > 1 && !plan->gso ? 2 : BURST;
}

/* Runs a burst. The server's remaining work during the yardstick is charged to the load. */
static void burst(const struct plan *plan, const int *fds, unsigned int *turn, struct tally *tally)
{
	unsigned long long server_start_ns = server_ns(), start_ns = own_ns(), load_ns, yard_ns;
	int i, size = burst_size(plan);

	for (i = 0; i < size; i++)
		count(tally, operate(plan, fds, (*turn)++));
	load_ns = own_ns();
	measure_yardstick();
	yard_ns = own_ns() - load_ns;
	load_ns = load_ns - start_ns + server_ns() - server_start_ns;
	tally->cpu_ns += load_ns;
	tally->yardstick_ns += yard_ns;
	note_quotient(tally, (double)load_ns / yard_ns);
}

static struct tally work(const struct plan *plan, const int *fds, unsigned long long duration_ns)
{
	struct tally tally = { 0 };
	unsigned long long start_ns = clock_ns(CLOCK_MONOTONIC);
	unsigned int turn = 0;

	while (tally.wall_ns < duration_ns || turn < plan->flows) {
		burst(plan, fds, &turn, &tally);
		tally.wall_ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
	}
	return tally;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static double median(double *values, size_t count)
{
	qsort(values, count, sizeof(*values), compare);
	return (values[count / 2] + values[(count - 1) / 2]) / 2;
}

/*
 * Measures after a warm-up: a tenth of the time, and each flow once, so that all flows are learned.
 */
static void measure(const struct plan *plan, const int *fds, unsigned long long duration_ns)
{
	struct tally tally = work(plan, fds, duration_ns / 10);

	free(tally.quotients);
	tally = work(plan, fds, duration_ns);
	printf("{\"operations\": %llu, \"lost\": %llu, \"cpu_ns\": %llu, \"wall_ns\": %llu, "
	       "\"yardstick_ns\": %llu, \"yardsticks\": %.5f}\n",
	       tally.operations, tally.lost, tally.cpu_ns, tally.wall_ns, tally.yardstick_ns,
	       median(tally.quotients, tally.bursts));
	fflush(stdout);
	free(tally.quotients);
}

static void client_main(const struct plan *plan)
{
	int *fds = calloc(plan->flows + 1, sizeof(*fds));
	char line[64];
	unsigned int i;

	if (!fds)
		die("calloc");
	enter(&plan->client);
	for (i = 0; i < plan->flows; i++)
		fds[i] = open_client(plan);
	printf("{\"ready\": true}\n");
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin))
		measure(plan, fds, strtoull(line, NULL, 10) * NS_PER_MS);
	free(fds);
}

/* --- command line */

static const char help[] =
	"usage: echo WORKLOAD --to ADDR --port PORT --cpu N [OPTIONS]\n"
	"workloads: sendto, pktinfo      datagram round trips to such a server\n"
	"           back                 the same; the server connects to the client\n"
	"           send                 unconnected sends to a sink\n"
	"           pingpong, bulk       TCP round trips; TCP blocks, each answered by a byte\n"
	"           block, block-back    blocks of datagrams one way, or there and back; --inline\n"
	"options:   --flows N            client sockets used in turn; 0: a new one each time\n"
	"           --size BYTES         --dual-stack   --inline\n"
	"           --segments N         datagrams of a block   --gso: as one packet\n"
	"           --bound              the server binds the requested address\n"
	"           --targets N          send: to the first N addresses of the network --to\n"
	"           --join ADDR          the server joins the group --to on the interface of ADDR\n"
	"           --client-netns NAME  --server-netns NAME\n"
	"           --client-cgroup DIR  --server-cgroup DIR\n"
	"Reads a duration in milliseconds from each line of stdin, prints a JSON line for each.\n";

static int usage(void)
{
	fputs(help, stderr);
	return 2;
}

static const struct option options[] = {
	{ "to", required_argument, NULL, 't' },
	{ "port", required_argument, NULL, 'p' },
	{ "cpu", required_argument, NULL, 'c' },
	{ "flows", required_argument, NULL, 'f' },
	{ "size", required_argument, NULL, 's' },
	{ "segments", required_argument, NULL, 'S' },
	{ "gso", no_argument, NULL, 'o' },
	{ "bound", no_argument, NULL, 'b' },
	{ "targets", required_argument, NULL, 'T' },
	{ "join", required_argument, NULL, 'j' },
	{ "dual-stack", no_argument, NULL, 'd' },
	{ "inline", no_argument, NULL, 'i' },
	{ "client-netns", required_argument, NULL, 'n' },
	{ "server-netns", required_argument, NULL, 'N' },
	{ "client-cgroup", required_argument, NULL, 'g' },
	{ "server-cgroup", required_argument, NULL, 'G' },
	{ 0 },
};

static bool parse(struct plan *plan, int argc, char **argv, const char **addr, const char **port)
{
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (c) {
		case 't':
			*addr = optarg;
			break;
		case 'p':
			*port = optarg;
			break;
		case 'c':
			plan->cpu = atoi(optarg);
			break;
		case 'f':
			plan->flows = strtoul(optarg, NULL, 10);
			break;
		case 's':
			plan->size = strtoul(optarg, NULL, 10);
			break;
		case 'S':
			plan->segments = strtoul(optarg, NULL, 10);
			break;
		case 'o':
			plan->gso = true;
			break;
		case 'b':
			plan->bound = true;
			break;
		case 'T':
			plan->targets = strtoul(optarg, NULL, 10);
			break;
		case 'j':
			if (inet_pton(AF_INET, optarg, &plan->group_iface) != 1)
				return false;
			break;
		case 'd':
			plan->dual_stack = true;
			break;
		case 'i':
			plan->inline_server = true;
			break;
		case 'n':
			plan->client.netns = optarg;
			break;
		case 'N':
			plan->server.netns = optarg;
			break;
		case 'g':
			plan->client.cgroup = optarg;
			break;
		case 'G':
			plan->server.cgroup = optarg;
			break;
		default:
			return false;
		}
	}
	return optind == argc && *addr && *port && plan->cpu >= 0 && plan->size > 0 &&
	       plan->segments > 0 && plan->segments <= SEGMENTS_MAX &&
	       plan->size * plan->segments <= SIZE_MAX_BYTES;
}

static bool resolve(struct plan *plan, const char *addr, const char *port)
{
	struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
				  .ai_socktype = SOCK_DGRAM };
	struct addrinfo *found;

	if (getaddrinfo(addr, port, &hints, &found))
		return false;
	memcpy(&plan->target, found->ai_addr, found->ai_addrlen);
	plan->target_len = found->ai_addrlen;
	freeaddrinfo(found);
	return true;
}

static const struct workload *workload_find(const char *name)
{
	size_t i;

	for (i = 0; i < sizeof(workloads) / sizeof(*workloads); i++)
		if (!strcmp(workloads[i].name, name))
			return &workloads[i];
	return NULL;
}

int main(int argc, char **argv)
{
	struct plan plan = { .size = 64, .flows = 1, .segments = 1, .cpu = -1 };
	const char *addr = NULL, *port = NULL;

	if (argc < 2 || !(plan.workload = workload_find(argv[1])))
		return usage();
	if (!parse(&plan, argc - 1, argv + 1, &addr, &port) || !resolve(&plan, addr, port))
		return usage();
	if (plan.inline_server && !(plan.workload->connected && plan.workload->type == SOCK_DGRAM))
		return usage();
	if (plan.workload->block && !plan.inline_server)
		return usage();
	pin(plan.cpu);
	yardstick = memfd_create("yardstick", MFD_CLOEXEC);
	if (yardstick < 0)
		die("memfd_create");
	start_server(&plan);
	atexit(stop_server);
	client_main(&plan);
	return 0;
}
