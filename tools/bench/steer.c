// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * steer: a reuseport group and its clients, in one process with a private network namespace, for
 * the benchmark of steering. Commands are lines on stdin, each answered with a JSON line:
 *
 *	workers N		close the group's sockets, open N
 *	clients N 4|6		N clients, each with its own address
 *	use kernel|cbpf|PATH	the selector: the kernel, a classic program (the client's address,
 *				hashed, modulo the workers), or the program that is pinned there
 *	even MS			all clients in turn; CPU time and received datagrams
 *	flood N			until N datagrams are received; on two CPUs, a thread per worker
 *	replay FILE RATE	a datagram of client n for each 16-bit n of the file, paced
 *	fresh N 4|6 TIMES	N new clients, each of which sends TIMES datagrams
 *	churn 4|6		short-lived flows, until the next line
 *	count			count time and runs of programs from now on
 *	cost			these counts, for the program in use
 *
 * The group is on a dual-stack port of the loopback device. The kernel runs the receive path,
 * including the selection, at the end of the send, and charges all of it to the sender's task (see
 * echo.c). In "even", one thread sends a burst and receives it: this measures the CPU time of the
 * whole path of a datagram, without waiting for a busy CPU. "flood" shows the view of an
 * administrator: the sender and the workers have one CPU each. The sender waits when it is a window
 * ahead, so only received datagrams count.
 *
 * The process that owns the sockets attaches the programs within microseconds, so that variants can
 * run in turn (see hooks.c).
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define NS_PER_MS    1000000ULL
#define NS_PER_S     1000000000ULL
#define WORKERS_MAX  64
#define FRESH_FROM   65536 /* clients with this number or above are new */
#define BURST	     32
#define WINDOW	     512 /* maximum lead in "flood", in datagrams */
#define RECEIVE_ROOM (16 << 20)
#define PAYLOAD	     32

/*
 * "churn": number of concurrent flows, and of datagrams per flow; each flow sends one datagram per
 * PERIOD_NS.
 */
#define CHURN_FLOWS	256
#define CHURN_DATAGRAMS 16
#define CHURN_PERIOD_NS (16 * NS_PER_MS)

struct worker {
	int fd;
	pthread_t thread;
	_Alignas(64) _Atomic unsigned long received;
};

static struct worker workers[WORKERS_MAX];
static int worker_count, epoll_fd;
static unsigned int client_count, client_next;
static unsigned long sent;
static __u16 port;
static int prog_fd = -1, cpu;
static atomic_bool flooding;

static void die(const char *what)
{
	fprintf(stderr, "steer: %s: %s\n", what, strerror(errno));
	exit(1);
}

static __u64 clock_ns(clockid_t clock)
{
	struct timespec at;

	clock_gettime(clock, &at);
	return at.tv_sec * NS_PER_S + at.tv_nsec;
}

static void answer(void)
{
	printf("{}\n");
}

/* --- the namespace */

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		die("lo");
	close(fd);
}

static void pin_to(pthread_t thread, int to)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(to, &set);
	errno = pthread_setaffinity_np(thread, sizeof(set), &set);
	if (errno)
		die("CPU");
}

/* Returns the loopback address of a family, to bind to or to send to. */
static socklen_t loopback(int family, __u16 of_port, struct sockaddr_storage *into)
{
	struct sockaddr_in *in = (void *)into;
	struct sockaddr_in6 *in6 = (void *)into;

	memset(into, 0, sizeof(*into));
	if (family == 4) {
		in->sin_family = AF_INET;
		in->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
		in->sin_port = htons(of_port);
		return sizeof(*in);
	}
	in6->sin6_family = AF_INET6;
	in6->sin6_addr = in6addr_loopback;
	in6->sin6_port = htons(of_port);
	return sizeof(*in6);
}

/* --- the group */

static void workers_close(void)
{
	while (worker_count)
		close(workers[--worker_count].fd);
	if (prog_fd >= 0)
		close(prog_fd);
	prog_fd = -1;
}

static int worker_open(void)
{
	struct sockaddr_in6 any = { .sin6_family = AF_INET6, .sin6_port = htons(port) };
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int off = 0, on = 1, room = RECEIVE_ROOM;

	if (fd < 0 || setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("worker");
	return fd;
}

static void do_workers(int count)
{
	if (count > WORKERS_MAX)
		count = WORKERS_MAX;
	workers_close();
	close(epoll_fd);
	epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	while (worker_count < count) {
		struct epoll_event event = { .events = EPOLLIN, .data.u32 = worker_count };
		struct worker *worker = &workers[worker_count];

		worker->fd = worker_open();
		if (epoll_ctl(epoll_fd, EPOLL_CTL_ADD, worker->fd, &event))
			die("epoll");
		worker_count++;
	}
	answer();
}

/*
 * Hashes the client's address. Here, SKF_AD_RXHASH would be the hash of the sending socket, the
 * same for all clients.
 */
static void use_classic(void)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_B | BPF_ABS, (__u32)SKF_NET_OFF),
		BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, 0x60, 2, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (__u32)SKF_NET_OFF + 12),
		BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, (__u32)SKF_NET_OFF + 20),
		BPF_STMT(BPF_ALU | BPF_MUL | BPF_K, 0x9e3779b1),
		BPF_STMT(BPF_ALU | BPF_RSH | BPF_K, 16),
		BPF_STMT(BPF_ALU | BPF_MOD | BPF_K, (__u32)worker_count),
		BPF_STMT(BPF_RET | BPF_A, 0),
	};
	struct sock_fprog program = { .len = sizeof(code) / sizeof(*code), .filter = code };

	if (setsockopt(workers[0].fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &program,
		       sizeof(program)))
		die("SO_ATTACH_REUSEPORT_CBPF");
}

static void use_pinned(const char *path)
{
	prog_fd = bpf_obj_get(path);
	if (prog_fd < 0 || setsockopt(workers[0].fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &prog_fd,
				      sizeof(prog_fd)))
		die(path);
}

static void do_use(const char *what)
{
	int none = 0;

	if (prog_fd >= 0)
		close(prog_fd);
	prog_fd = -1;
	if (!strcmp(what, "cbpf"))
		use_classic();
	else if (strcmp(what, "kernel"))
		use_pinned(what);
	else if (setsockopt(workers[0].fd, SOL_SOCKET, SO_DETACH_REUSEPORT_BPF, &none,
			    sizeof(none)) &&
		 errno != ENOENT)
		die("SO_DETACH_REUSEPORT_BPF");
	answer();
}

/* Reads all datagrams in a queue. */
static unsigned int worker_drain(struct worker *worker)
{
	static char payload[BURST][PAYLOAD];
	static struct iovec parts[BURST];
	static struct mmsghdr messages[BURST];
	unsigned int total = 0;
	int i, got = 0;

	for (i = 0; i < BURST; i++) {
		parts[i] = (struct iovec){ payload[i], PAYLOAD };
		messages[i].msg_hdr = (struct msghdr){ .msg_iov = &parts[i], .msg_iovlen = 1 };
	}
	while ((got = recvmmsg(worker->fd, messages, BURST, MSG_DONTWAIT, NULL)) > 0) {
		total += got;
		if (got < BURST)
			break;
	}
	worker->received += total;
	return total;
}

static unsigned long drain(void)
{
	struct epoll_event ready[WORKERS_MAX];
	int i, count = epoll_wait(epoll_fd, ready, WORKERS_MAX, 0);
	unsigned long total = 0;

	for (i = 0; i < count; i++)
		total += worker_drain(&workers[ready[i].data.u32]);
	return total;
}

static unsigned long received_all(void)
{
	unsigned long total = 0;
	int i;

	for (i = 0; i < worker_count; i++)
		total += atomic_load_explicit(&workers[i].received, memory_order_relaxed);
	return total;
}

static void tallies_clear(void)
{
	int i;

	while (drain())
		;
	for (i = 0; i < worker_count; i++)
		workers[i].received = 0;
	sent = 0;
}

/* --- clients */

/*
 * Numbered clients, which differ by address. One socket sends for all of them. Rejected: a socket
 * per client. A thousand sockets would evict the receiver's data from the CPU caches, which a real
 * server does not share with its clients.
 */
struct crowd {
	int family;
	int fd;
	struct sockaddr_storage to;
	socklen_t to_len;
};

static struct crowd clients = { .fd = -1 };

static void crowd_open(struct crowd *crowd, int family)
{
	int on = 1;

	crowd->family = family;
	crowd->to_len = loopback(family, port, &crowd->to);
	crowd->fd = socket(crowd->to.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (crowd->fd < 0 || setsockopt(crowd->fd, IPPROTO_IP, IP_FREEBIND, &on, sizeof(on)))
		die("client");
}

static void crowd_source4(struct msghdr *message, __u32 number)
{
	struct in_pktinfo info = { .ipi_spec_dst.s_addr = htonl(0x7f100000 + number % 0xe00000) };
	struct cmsghdr *control = message->msg_control;

	message->msg_controllen = CMSG_SPACE(sizeof(info));
	*control = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO };
	memcpy(CMSG_DATA(control), &info, sizeof(info));
}

static void crowd_source6(struct msghdr *message, __u32 number)
{
	struct in6_pktinfo info = { .ipi6_addr.s6_addr = { 0x20, 0x01, 0, 0x02 } };
	struct cmsghdr *control = message->msg_control;

	number = htonl(number + 1);
	memcpy(&info.ipi6_addr.s6_addr[12], &number, sizeof(number));
	message->msg_controllen = CMSG_SPACE(sizeof(info));
	*control = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IPV6, IPV6_PKTINFO };
	memcpy(CMSG_DATA(control), &info, sizeof(info));
}

/* Sends a datagram that begins with the client's number, for the workers of restarts. */
static void crowd_send(const struct crowd *crowd, __u32 number)
{
	_Alignas(struct cmsghdr) char control[128] = { 0 };
	char payload[PAYLOAD] = { 0 };
	struct iovec part = { payload, sizeof(payload) };
	struct msghdr message = { .msg_name = (void *)&crowd->to,
				  .msg_namelen = crowd->to_len,
				  .msg_iov = &part,
				  .msg_iovlen = 1,
				  .msg_control = control };

	memcpy(payload, &number, sizeof(number));
	if (crowd->family == 4)
		crowd_source4(&message, number);
	else
		crowd_source6(&message, number);
	if (sendmsg(crowd->fd, &message, 0) < 0)
		die("send");
	sent++;
}

static void do_clients(int count, int family)
{
	if (clients.fd >= 0)
		close(clients.fd);
	crowd_open(&clients, family);
	client_count = count;
	client_next = 0;
	answer();
}

static void burst_send(void)
{
	int i;

	for (i = 0; i < BURST; i++) {
		crowd_send(&clients, client_next);
		if (++client_next >= client_count)
			client_next = 0;
	}
}

/* --- measurements */

static void do_even(unsigned int ms)
{
	__u64 cpu_before, start, end;

	tallies_clear();
	pin_to(pthread_self(), cpu);
	cpu_before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	start = clock_ns(CLOCK_MONOTONIC);
	end = start + ms * NS_PER_MS;
	while (clock_ns(CLOCK_MONOTONIC) < end) {
		burst_send();
		drain();
	}
	printf("{\"sent\":%lu,\"received\":%lu,\"cpu_ns\":%llu}\n", sent, received_all(),
	       clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_before);
}

static void *worker_run(void *arg)
{
	struct worker *worker = arg;
	char payload[PAYLOAD];
	struct pollfd wait = { .fd = worker->fd, .events = POLLIN };

	while (atomic_load_explicit(&flooding, memory_order_relaxed)) {
		if (recv(worker->fd, payload, sizeof(payload), MSG_DONTWAIT) >= 0)
			atomic_fetch_add_explicit(&worker->received, 1, memory_order_relaxed);
		else
			poll(&wait, 1, 10);
	}
	return NULL;
}

static void workers_start(int on)
{
	int i;

	flooding = true;
	for (i = 0; i < worker_count; i++) {
		errno = pthread_create(&workers[i].thread, NULL, worker_run, &workers[i]);
		if (errno)
			die("thread");
		pin_to(workers[i].thread, on);
	}
}

static void workers_stop(void)
{
	int i;

	flooding = false;
	for (i = 0; i < worker_count; i++)
		pthread_join(workers[i].thread, NULL);
}

static void do_flood(unsigned long count)
{
	__u64 cpu_before, start;

	tallies_clear();
	pin_to(pthread_self(), cpu);
	workers_start(cpu ? cpu - 1 : cpu + 1);
	cpu_before = clock_ns(CLOCK_PROCESS_CPUTIME_ID);
	start = clock_ns(CLOCK_MONOTONIC);
	while (received_all() < count) {
		if (sent - received_all() <= WINDOW)
			burst_send();
		else
			sched_yield();
	}
	printf("{\"sent\":%lu,\"received\":%lu,\"wall_ns\":%llu,\"cpu_ns\":%llu}\n", sent,
	       received_all(), clock_ns(CLOCK_MONOTONIC) - start,
	       clock_ns(CLOCK_PROCESS_CPUTIME_ID) - cpu_before);
	workers_stop();
}

static void tallies_print(void)
{
	int i;

	printf("{\"sent\":%lu,\"received\":[", sent);
	for (i = 0; i < worker_count; i++)
		printf("%s%lu", i ? "," : "", workers[i].received);
	printf("]}\n");
}

static void drain_all(void)
{
	int patience;

	for (patience = 0; patience < 100 && received_all() < sent; patience++)
		if (!drain())
			usleep(1000);
}

static void replay(const __u16 *client, size_t count, unsigned long rate)
{
	__u64 start = clock_ns(CLOCK_MONOTONIC);
	size_t next = 0;

	while (next < count) {
		__u64 due = (clock_ns(CLOCK_MONOTONIC) - start) * rate / NS_PER_S;
		int burst;

		for (burst = 0; burst < BURST && next < count && next < due; burst++)
			crowd_send(&clients, client[next++]);
		drain();
		if (!burst)
			usleep(100);
	}
}

static void do_replay(const char *path, unsigned long rate)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	void *client;

	if (fd < 0 || fstat(fd, &st))
		die(path);
	client = mmap(NULL, st.st_size, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
	if (client == MAP_FAILED)
		die(path);
	close(fd);
	tallies_clear();
	replay(client, st.st_size / sizeof(__u16), rate);
	drain_all();
	munmap(client, st.st_size);
	tallies_print();
}

/* Sends the datagrams of each client with pauses in between, like those of a real flow. */
static void do_fresh(__u32 count, int family, int times)
{
	static __u32 from = FRESH_FROM;
	struct crowd crowd;
	__u32 i, end = from + count;
	int time;

	tallies_clear();
	crowd_open(&crowd, family);
	for (; from < end; from += BURST)
		for (time = 0; time < times; time++) {
			for (i = 0; i < BURST; i++)
				crowd_send(&crowd, from + i);
			drain();
		}
	close(crowd.fd);
	drain_all();
	tallies_print();
}

static bool line_waits(void)
{
	struct pollfd wait = { .fd = STDIN_FILENO, .events = POLLIN };

	return poll(&wait, 1, 0) > 0;
}

/* Runs flows that start and end at different times. */
static void do_churn(int family)
{
	static __u32 number[CHURN_FLOWS];
	__u32 flows = 0, tick;
	struct crowd crowd;
	__u64 next;

	sent = 0;
	crowd_open(&crowd, family);
	printf("{}\n");
	fflush(stdout);
	next = clock_ns(CLOCK_MONOTONIC);
	for (tick = 0; !line_waits(); tick++) {
		__u32 at = tick % CHURN_FLOWS, round = tick / CHURN_FLOWS;

		if (!round || (round + at) % CHURN_DATAGRAMS == 0)
			number[at] = flows++;
		crowd_send(&crowd, number[at]);
		next += CHURN_PERIOD_NS / CHURN_FLOWS;
		while (clock_ns(CLOCK_MONOTONIC) < next && !line_waits())
			usleep(50);
	}
	close(crowd.fd);
	printf("{\"sent\":%lu,\"flows\":%u}\n", sent, flows);
}

/* --- the kernel's statistics */

/*
 * Enables statistics by BPF_ENABLE_STATS (kernel 5.8). Unlike the sysctl, this ends with the
 * process.
 */
static void do_count(void)
{
	if (bpf_enable_stats(BPF_STATS_RUN_TIME) < 0)
		die("BPF_ENABLE_STATS");
	answer();
}

static void do_cost(void)
{
	struct bpf_prog_info info = { 0 };
	__u32 size = sizeof(info);

	if (bpf_obj_get_info_by_fd(prog_fd, &info, &size))
		die("program");
	printf("{\"run_cnt\":%llu,\"run_time_ns\":%llu}\n", info.run_cnt, info.run_time_ns);
}

static void obey(const char *line)
{
	unsigned long number, other = 0, third = 0;
	char text[1024];

	if (sscanf(line, "workers %lu", &number) == 1)
		do_workers(number);
	else if (sscanf(line, "clients %lu %lu", &number, &other) == 2)
		do_clients(number, other);
	else if (sscanf(line, "use %1023s", text) == 1)
		do_use(text);
	else if (sscanf(line, "even %lu", &number) == 1)
		do_even(number);
	else if (sscanf(line, "flood %lu", &number) == 1)
		do_flood(number);
	else if (sscanf(line, "replay %1023s %lu", text, &number) == 2)
		do_replay(text, number);
	else if (sscanf(line, "fresh %lu %lu %lu", &number, &other, &third) == 3)
		do_fresh(number, other, third);
	else if (sscanf(line, "churn %lu", &number) == 1)
		do_churn(number);
	else if (!strcmp(line, "count\n"))
		do_count();
	else if (!strcmp(line, "cost\n"))
		do_cost();
	else if (strcmp(line, "end\n"))
		die(line);
}

int main(int argc, char **argv)
{
	char line[2048];

	if (argc != 3 || unshare(CLONE_NEWNET)) {
		fprintf(stderr, "usage, as root: steer PORT CPU\n");
		return 2;
	}
	port = atoi(argv[1]);
	cpu = atoi(argv[2]);
	epoll_fd = -1;
	loopback_up();
	answer();
	fflush(stdout);
	/* not stdio, which would buffer the line for which "churn" polls */
	while (true) {
		ssize_t got = read(STDIN_FILENO, line, sizeof(line) - 1);

		if (got <= 0)
			return 0;
		line[got] = '\0';
		obey(line);
		fflush(stdout);
	}
}
