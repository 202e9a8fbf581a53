// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A client with many flows. It records the worker of the last answer for each flow;
 * tests/servers/udp-worker.c answers with its PID and worker index.
 *
 *	udp-flows --to ADDR:PORT [--from ADDR[:PORT]] [--sources N] [--flows N] [--rate N]
 *		  [--count N | --until-signal] [--window N] [--zipf S] [--burst N] [--timeout-ms N]
 *	udp-flows --to ADDR:PORT --flood N [--from ADDR[:PORT]] [--sources N] [--rate N]
 *		  [--burst N]
 *
 * A flow is a socket with its own source port, bound to one of --sources consecutive addresses. The
 * flows send numbered datagrams in turn, or by weights of 1/k^S (--zipf), in bursts of --burst; at
 * --rate per second, or as fast as answers arrive. At most --window datagrams are outstanding;
 * after --timeout-ms without an answer, those in flight count as lost. --count limits the number of
 * datagrams. Prints `ready` once every flow has received two answers (with --zipf: once the total
 * is twice the number of flows).
 *
 *	sent 3000 answered 3000 lost 0 moved 0 split 0 workers 4 max/mean 1.07
 *	worker 4711/2 answered 802 flows 25 left 0 came 0
 *
 * is printed at the end and on SIGUSR1; datagrams in flight count as lost. SIGUSR2 stops sending
 * until all datagrams are answered or timed out, and then prints the report. "moved" counts the
 * answers from a worker other than the flow's last one. For a worker, "flows" counts the flows
 * whose last answer it sent; "left" and "came" count the moves from and to it. "split" counts the
 * source addresses whose flows have several workers. The exit status is 0 if all datagrams were
 * answered, 1 if not.
 *
 * --flood sends datagrams that request no answer, --burst from each source: addresses in turn, and
 * a new port after each round, unless --from names the port. The addresses must be local
 * (127.0.0.0/8 is, or `ip route add local 10.77.0.0/16 dev lo`); no privilege is needed.
 */
#include "stamp.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <netdb.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define WORKERS_MAX 4096
#define READY	    2

struct endpoint {
	struct sockaddr_storage addr;
	socklen_t length;
};

struct worker {
	uint32_t pid, index;
	unsigned long answered, flows, left, came;
};

struct flow {
	int fd;
	uint32_t sent, last;  /* sequence of the newest answer */
	uint32_t given_up_to; /* datagrams up to this sequence have timed out */
	uint32_t answers;
	struct worker *worker; /* worker of the newest answer */
};

struct client {
	struct endpoint to, from;
	unsigned long flows, sources, rate, count, window, burst, flood;
	double zipf;
	int timeout_ms;
	bool until_signal, ready_printed;

	struct flow *flow;
	double *upto; /* cumulative weight of each flow */
	int epoll;
	unsigned long sent, answered, given_up, moved, ready;
	unsigned long next;  /* next flow */
	unsigned long ahead; /* datagrams left of the burst */
};

static struct worker workers[WORKERS_MAX];
static size_t worker_count;
static volatile sig_atomic_t stop, show, debounce;

static void on_signal(int number)
{
	if (number == SIGUSR1)
		show = 1;
	else if (number == SIGUSR2)
		debounce = 1;
	else
		stop = 1;
}

static int64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* --- addresses */

static void resolve(struct endpoint *endpoint, const char *host, const char *port)
{
	struct addrinfo hints = { .ai_socktype = SOCK_DGRAM,
				  .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *list;
	int status = getaddrinfo(host, port, &hints, &list);

	if (status)
		errx(2, "%s port %s: %s", host, port, gai_strerror(status));
	memcpy(&endpoint->addr, list->ai_addr, list->ai_addrlen);
	endpoint->length = list->ai_addrlen;
	freeaddrinfo(list);
}

/* Parses 1.2.3.4:5 or [::1]:5; the port defaults to 0. */
static void endpoint_parse(struct endpoint *endpoint, char *text)
{
	char *port = strrchr(text, ':'), *close = strchr(text, ']');

	if (*text == '[' && close) {
		*close = '\0';
		resolve(endpoint, text + 1, close[1] == ':' ? close + 2 : "0");
	} else if (port && strchr(text, ':') == port) {
		*port = '\0';
		resolve(endpoint, text, port + 1);
	} else {
		resolve(endpoint, text, "0");
	}
}

/* Returns a pointer to the last four bytes of the address, to which callers add a number. */
static uint32_t *low_word(struct endpoint *endpoint)
{
	if (endpoint->addr.ss_family == AF_INET6)
		return &((struct sockaddr_in6 *)&endpoint->addr)->sin6_addr.s6_addr32[3];
	return &((struct sockaddr_in *)&endpoint->addr)->sin_addr.s_addr;
}

static uint16_t *port_of(struct endpoint *endpoint)
{
	if (endpoint->addr.ss_family == AF_INET6)
		return &((struct sockaddr_in6 *)&endpoint->addr)->sin6_port;
	return &((struct sockaddr_in *)&endpoint->addr)->sin_port;
}

static struct endpoint source_of(const struct client *client, unsigned long number)
{
	struct endpoint from = client->from;
	uint32_t *low = low_word(&from);

	*low = htonl(ntohl(*low) + (uint32_t)(number % client->sources));
	if (*port_of(&from))
		*port_of(&from) =
			htons((uint16_t)(ntohs(*port_of(&from)) + number / client->sources));
	return from;
}

/* --- flows */

static int socket_open(const struct endpoint *from)
{
	int fd = socket(from->addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0), on = 1;

	if (fd < 0)
		err(1, "socket");
	/* IPv4 accepts addresses that are local only by a route, IPv6 does not */
	if (from->addr.ss_family == AF_INET6 &&
	    setsockopt(fd, IPPROTO_IPV6, IPV6_FREEBIND, &on, sizeof(on)))
		err(1, "IPV6_FREEBIND");
	if (bind(fd, (const struct sockaddr *)&from->addr, from->length))
		err(1, "bind");
	return fd;
}

static void raise_file_limit(unsigned long count)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		err(1, "getrlimit");
	if (limit.rlim_cur >= count)
		return;
	limit.rlim_cur = count;
	if (limit.rlim_max < count)
		limit.rlim_max = count;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		err(1, "%lu open files", count);
}

static void flows_open(struct client *client)
{
	double sum = 0;
	unsigned long i;

	raise_file_limit(client->flows + 16);
	client->flow = calloc(client->flows, sizeof(*client->flow));
	client->upto = calloc(client->flows, sizeof(*client->upto));
	client->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (!client->flow || !client->upto || client->epoll < 0)
		err(1, "flows");
	for (i = 0; i < client->flows; i++) {
		struct epoll_event event = { .events = EPOLLIN, .data.u64 = i };
		struct endpoint from = source_of(client, i);

		client->flow[i].fd = socket_open(&from);
		if (epoll_ctl(client->epoll, EPOLL_CTL_ADD, client->flow[i].fd, &event))
			err(1, "epoll_ctl");
		sum += pow((double)i + 1, -client->zipf);
		client->upto[i] = sum;
	}
}

/*
 * Returns a pseudo-random number. The private generator makes the order of the flows reproducible.
 */
static double draw(void)
{
	static uint64_t state = 88172645463325252ULL;

	state ^= state << 13;
	state ^= state >> 7;
	state ^= state << 17;
	return (double)(state >> 11) / (double)(1ULL << 53);
}

static unsigned long flow_pick(const struct client *client)
{
	double wanted = draw() * client->upto[client->flows - 1];
	unsigned long low = 0, high = client->flows - 1;

	if (client->zipf == 0.0)
		return (client->next + 1) % client->flows;
	while (low < high) {
		unsigned long middle = (low + high) / 2;

		if (client->upto[middle] < wanted)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static void flow_send(struct client *client)
{
	struct stamp stamp = { 0 };
	struct flow *flow;

	if (!client->ahead) {
		client->next = flow_pick(client);
		client->ahead = client->burst;
	}
	client->ahead--;
	flow = &client->flow[client->next];
	stamp.flow = (uint32_t)client->next;
	stamp.sequence = ++flow->sent;
	client->sent++;
	if (sendto(flow->fd, &stamp, sizeof(stamp), 0, (struct sockaddr *)&client->to.addr,
		   client->to.length) < 0 &&
	    errno != ECONNREFUSED)
		err(1, "sendto");
}

static struct worker *worker_of(const struct stamp *stamp)
{
	size_t i;

	for (i = 0; i < worker_count; i++)
		if (workers[i].pid == stamp->pid && workers[i].index == stamp->index)
			return &workers[i];
	if (worker_count == WORKERS_MAX)
		errx(1, "more than %d workers answered", WORKERS_MAX);
	workers[worker_count] = (struct worker){ .pid = stamp->pid, .index = stamp->index };
	return &workers[worker_count++];
}

/* Ignores an answer older than the newest one for the flow's worker. */
static void flow_answered(struct client *client, struct flow *flow, const struct stamp *stamp)
{
	struct worker *worker = worker_of(stamp);

	client->answered++;
	worker->answered++;
	if (stamp->sequence <= flow->given_up_to && client->given_up)
		client->given_up--;
	client->ready += client->zipf != 0.0 || ++flow->answers <= READY;
	if (client->ready == READY * client->flows && !client->ready_printed) {
		client->ready_printed = true;
		puts("ready");
		fflush(stdout);
	}
	if (stamp->sequence <= flow->last)
		return;
	flow->last = stamp->sequence;
	if (flow->worker == worker)
		return;
	if (flow->worker) {
		client->moved++;
		flow->worker->left++;
		flow->worker->flows--;
		worker->came++;
	}
	worker->flows++;
	flow->worker = worker;
}

static void flow_receive(struct client *client, unsigned long index)
{
	struct flow *flow = &client->flow[index];
	struct stamp stamp;

	while (recv(flow->fd, &stamp, sizeof(stamp), MSG_DONTWAIT) == sizeof(stamp))
		if (stamp.flow == index)
			flow_answered(client, flow, &stamp);
}

/* Receives the answers that arrive within the time. Returns true if any arrived. */
static bool receive(struct client *client, int wait_ms)
{
	struct epoll_event events[256];
	int i, count = epoll_wait(client->epoll, events, 256, wait_ms);

	for (i = 0; i < count; i++)
		flow_receive(client, events[i].data.u64);
	return count > 0;
}

/* --- the result */

static unsigned long split_sources(const struct client *client)
{
	unsigned long source, i, split = 0;

	for (source = 0; source < client->sources; source++) {
		const struct worker *first = NULL;
		bool differs = false;

		for (i = source; i < client->flows; i += client->sources) {
			first = first ? first : client->flow[i].worker;
			differs |= client->flow[i].worker && client->flow[i].worker != first;
		}
		split += differs;
	}
	return split;
}

static void result_print(const struct client *client)
{
	unsigned long most = 0;
	size_t i;

	for (i = 0; i < worker_count; i++)
		most = workers[i].answered > most ? workers[i].answered : most;
	printf("sent %lu answered %lu lost %lu moved %lu split %lu workers %zu max/mean %.2f\n",
	       client->sent, client->answered, client->sent - client->answered, client->moved,
	       split_sources(client), worker_count,
	       client->answered ? (double)most * (double)worker_count / (double)client->answered
				: 0.0);
	for (i = 0; i < worker_count; i++)
		printf("worker %u/%u answered %lu flows %lu left %lu came %lu\n", workers[i].pid,
		       workers[i].index, workers[i].answered, workers[i].flows, workers[i].left,
		       workers[i].came);
	fflush(stdout);
}

/* --- running */

static unsigned long outstanding(const struct client *client)
{
	unsigned long over = client->answered + client->given_up;

	return client->sent > over ? client->sent - over : 0;
}

/* Counts the datagrams in flight as lost. A later answer decrements the count. */
static void give_up(struct client *client)
{
	unsigned long i;

	for (i = 0; i < client->flows; i++)
		client->flow[i].given_up_to = client->flow[i].sent;
	client->given_up = client->sent - client->answered;
}

static bool over(const struct client *client)
{
	return client->until_signal ? stop : client->sent >= client->count;
}

static bool is_due(const struct client *client, int64_t start_ns)
{
	if (debounce || outstanding(client) >= client->window)
		return false;
	return !client->rate ||
	       (double)client->sent < (double)(now_ns() - start_ns) / 1e9 * (double)client->rate;
}

static void run(struct client *client)
{
	int64_t start_ns = now_ns(), last_seen_ns = start_ns;

	while (!over(client) || (outstanding(client) && !stop)) {
		bool full = debounce || over(client) || outstanding(client) >= client->window;

		while (!over(client) && is_due(client, start_ns))
			flow_send(client);
		if (receive(client, client->rate || full ? 1 : 0) || !outstanding(client))
			last_seen_ns = now_ns();
		if (now_ns() - last_seen_ns > client->timeout_ms * 1000000LL) {
			give_up(client);
			/* do not flood a late server: the next window gets the same time */
			last_seen_ns = now_ns();
		}
		if (show || (debounce && !outstanding(client))) {
			show = 0;
			debounce = debounce && outstanding(client);
			result_print(client);
		}
	}
	/* waits for datagrams in flight, even after a signal */
	while (outstanding(client) && receive(client, client->timeout_ms))
		;
}

/* --- floods */

static void control_fill(struct msghdr *msg, struct endpoint *from)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

	if (from->addr.ss_family == AF_INET) {
		struct in_pktinfo info = { .ipi_spec_dst =
						   ((struct sockaddr_in *)&from->addr)->sin_addr };

		*cmsg = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IP, IP_PKTINFO };
		memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
		msg->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = {
			.ipi6_addr = ((struct sockaddr_in6 *)&from->addr)->sin6_addr
		};

		*cmsg = (struct cmsghdr){ CMSG_LEN(sizeof(info)), IPPROTO_IPV6, IPV6_PKTINFO };
		memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
		msg->msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

static void flood_send(struct client *client, int fd, unsigned long number)
{
	struct stamp stamp = { .flow = (uint32_t)number, .quiet = 1 };
	struct endpoint from = source_of(client, number);
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { 0 };
	struct iovec iov = { &stamp, sizeof(stamp) };
	struct msghdr msg = { .msg_name = &client->to.addr,
			      .msg_namelen = client->to.length,
			      .msg_iov = &iov,
			      .msg_iovlen = 1,
			      .msg_control = control.bytes,
			      .msg_controllen = sizeof(control.bytes) };

	control_fill(&msg, &from);
	if (sendmsg(fd, &msg, 0) < 0 && errno != ECONNREFUSED)
		err(1, "sendmsg");
}

static void flood(struct client *client)
{
	struct endpoint any = { .length = client->from.length };
	int64_t start_ns = now_ns();
	int fd = -1;

	any.addr.ss_family = client->from.addr.ss_family;
	*port_of(&any) = *port_of(&client->from);
	for (; client->sent < client->flood && !stop; client->sent++) {
		while (!is_due(client, start_ns))
			nanosleep(&(struct timespec){ .tv_nsec = 1000000 }, NULL);
		client->given_up = client->sent;
		if (client->sent % (client->sources * client->burst) == 0) {
			if (fd >= 0)
				close(fd);
			fd = socket_open(&any);
		}
		flood_send(client, fd, client->sent / client->burst);
	}
	printf("flooded %lu\n", client->sent);
}

/* --- options */

static const char usage_text[] =
	"usage: udp-flows --to ADDR:PORT [--from ADDR[:PORT]] [--sources N] [--flows N] [--rate N]\n"
	"                 [--count N | --until-signal] [--window N] [--zipf S] [--burst N]\n"
	"                 [--timeout-ms N]\n"
	"       udp-flows --to ADDR:PORT --flood N [--from ADDR[:PORT]] [--sources N] [--rate N]\n"
	"                 [--burst N]\n";

static unsigned long number(const char *text, unsigned long max)
{
	char *end;
	unsigned long value = strtoul(text, &end, 10);

	if (end == text || *end || !value || value > max)
		errx(2, "'%s': want a number from 1 to %lu", text, max);
	return value;
}

static void parse_option(struct client *client, int option)
{
	switch (option) {
	case 't':
		endpoint_parse(&client->to, optarg);
		break;
	case 'f':
		endpoint_parse(&client->from, optarg);
		break;
	case 'a':
		client->sources = number(optarg, 1000000);
		break;
	case 'n':
		client->flows = number(optarg, 60000);
		break;
	case 'r':
		client->rate = number(optarg, 100000000);
		break;
	case 'c':
		client->count = number(optarg, 1000000000);
		break;
	case 'u':
		client->until_signal = true;
		break;
	case 'w':
		client->window = number(optarg, 1000000);
		break;
	case 'z':
		client->zipf = strtod(optarg, NULL);
		break;
	case 'b':
		client->burst = number(optarg, 100000);
		break;
	case 'm':
		client->timeout_ms = (int)number(optarg, 600000);
		break;
	case 'x':
		client->flood = number(optarg, 100000000);
		break;
	default:
		errx(2, "%s", usage_text);
	}
}

static void parse_options(struct client *client, int argc, char **argv)
{
	static const struct option options[] = {
		{ "to", required_argument, NULL, 't' },
		{ "from", required_argument, NULL, 'f' },
		{ "sources", required_argument, NULL, 'a' },
		{ "flows", required_argument, NULL, 'n' },
		{ "rate", required_argument, NULL, 'r' },
		{ "count", required_argument, NULL, 'c' },
		{ "until-signal", no_argument, NULL, 'u' },
		{ "window", required_argument, NULL, 'w' },
		{ "zipf", required_argument, NULL, 'z' },
		{ "burst", required_argument, NULL, 'b' },
		{ "timeout-ms", required_argument, NULL, 'm' },
		{ "flood", required_argument, NULL, 'x' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		parse_option(client, option);
	if (!client->to.length || optind != argc)
		errx(2, "%s", usage_text);
	if (!client->from.length)
		resolve(&client->from, client->to.addr.ss_family == AF_INET6 ? "::" : "0.0.0.0",
			"0");
	if (!client->count)
		client->count = 10 * client->flows;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct client client = {
		.flows = 100, .sources = 1, .window = 16, .burst = 1, .timeout_ms = 1000
	};

	parse_options(&client, argc, argv);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGUSR2, &action, NULL);
	if (client.flood) {
		flood(&client);
		return 0;
	}
	flows_open(&client);
	run(&client);
	result_print(&client);
	return client.answered == client.sent ? 0 : 1;
}
