// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Sends requests to a UDP echo server and reports the sources of the answers.
 *
 *	udp-client --to ADDR:PORT[,ADDR:PORT…] [--from ADDR[:PORT]] [--count N] [--size N]
 *		   [--timeout-ms N] [--any] [--flows N] [--burst] [--until-signal] [--broadcast]
 *
 * The socket is connected, as in most real clients, so an answer from an address other than the
 * requested one never arrives. With --any, the socket is unconnected: it accepts answers from any
 * address, prints each answering address, and may send to several addresses in turn. --flows N uses
 * N consecutive source ports; --burst sends the requests of all flows before it waits for answers.
 * --until-signal sends until SIGTERM, with pauses that leave CPU time to the server. Each payload
 * is unique, and each answer is compared byte by byte.
 *
 * Prints one line; with --any, also one line per answering address:
 *
 *	sent 3 right 3 wrong 0 refused 0 lost 0 corrupt 0
 *	answered 172.16.13.13:56789 3
 *
 * "right": answers from the requested address; "wrong": answers from another address; "lost": no
 * answer in time. The exit status is 0 if every request got the right answer, 1 if not, 2 for a
 * usage error.
 */
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define DATAGRAM_MAX  65535
#define TARGETS_MAX   16
#define ANSWERERS_MAX 64

struct endpoint {
	struct sockaddr_storage addr;
	socklen_t len;
};

struct answerer {
	struct endpoint endpoint;
	unsigned long count;
};

struct result {
	unsigned long sent, right, wrong, refused, lost, corrupt;
	struct answerer answerers[ANSWERERS_MAX];
	size_t answerer_count;
};

struct client {
	struct endpoint from;
	bool has_from;
	struct endpoint targets[TARGETS_MAX];
	size_t target_count;
	unsigned long count, flows;
	size_t size;
	int timeout_ms;
	bool any, burst, until_signal, broadcast;
	struct result result;
};

/* The head of the payload; the other bytes are derived from it. */
struct stamp {
	uint32_t flow, round, target, fill;
};

static volatile sig_atomic_t stop;
static char payload[DATAGRAM_MAX], answer[DATAGRAM_MAX];

static void on_signal(int number)
{
	(void)number;
	stop = 1;
}

static void payload_fill(size_t size, uint32_t flow, uint32_t round, uint32_t target)
{
	struct stamp stamp = { .flow = flow, .round = round, .target = target };
	uint32_t state = flow * 2654435761u ^ round * 40503u ^ target;

	for (size_t i = 0; i < size; i++) {
		state = state * 1664525u + 1013904223u;
		payload[i] = (char)(state >> 24);
	}
	memcpy(payload, &stamp, sizeof(stamp));
}

static void resolve(struct endpoint *endpoint, const char *host, const char *port)
{
	struct addrinfo hints = {
		.ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
	};
	struct addrinfo *list;
	int status = getaddrinfo(host, port, &hints, &list);

	if (status)
		errx(2, "%s port %s: %s", host, port, gai_strerror(status));
	memcpy(&endpoint->addr, list->ai_addr, list->ai_addrlen);
	endpoint->len = list->ai_addrlen;
	freeaddrinfo(list);
}

/* Parses 1.2.3.4:5 or [fe80::1%eth0]:5; the port defaults to 0. */
static void endpoint_parse(struct endpoint *endpoint, char *text)
{
	char *port = strrchr(text, ':');
	char *close = strchr(text, ']');

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

static uint16_t *port_of(struct endpoint *endpoint)
{
	if (endpoint->addr.ss_family == AF_INET6)
		return &((struct sockaddr_in6 *)&endpoint->addr)->sin6_port;
	return &((struct sockaddr_in *)&endpoint->addr)->sin_port;
}

static bool endpoint_equal(const struct endpoint *a, const struct endpoint *b)
{
	const struct sockaddr_in6 *a6 = (const void *)&a->addr, *b6 = (const void *)&b->addr;
	const struct sockaddr_in *a4 = (const void *)&a->addr, *b4 = (const void *)&b->addr;

	if (a->addr.ss_family != b->addr.ss_family)
		return false;
	if (a->addr.ss_family == AF_INET)
		return a4->sin_port == b4->sin_port && a4->sin_addr.s_addr == b4->sin_addr.s_addr;
	return a6->sin6_port == b6->sin6_port && a6->sin6_scope_id == b6->sin6_scope_id &&
	       !memcmp(&a6->sin6_addr, &b6->sin6_addr, sizeof(a6->sin6_addr));
}

static void endpoint_print(const struct endpoint *endpoint)
{
	char host[NI_MAXHOST], port[NI_MAXSERV];

	if (getnameinfo((const struct sockaddr *)&endpoint->addr, endpoint->len, host, sizeof(host),
			port, sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV | NI_DGRAM))
		errx(1, "an address that cannot be formatted");
	printf(endpoint->addr.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s", host, port);
}

static void answerer_count(struct result *result, const struct endpoint *from)
{
	for (size_t i = 0; i < result->answerer_count; i++) {
		if (endpoint_equal(&result->answerers[i].endpoint, from)) {
			result->answerers[i].count++;
			return;
		}
	}
	if (result->answerer_count == ANSWERERS_MAX)
		errx(1, "more than %d addresses answered", ANSWERERS_MAX);
	result->answerers[result->answerer_count++] = (struct answerer){ *from, 1 };
}

static int flow_open(struct client *client, unsigned long flow)
{
	struct endpoint from = client->from;
	const struct endpoint *target = &client->targets[0];
	int on = 1;
	int fd = socket(target->addr.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		err(1, "socket");
	if (client->broadcast && setsockopt(fd, SOL_SOCKET, SO_BROADCAST, &on, sizeof(on)))
		err(1, "SO_BROADCAST");
	if (client->has_from) {
		if (*port_of(&from))
			*port_of(&from) = htons(ntohs(*port_of(&from)) + flow);
		if (bind(fd, (struct sockaddr *)&from.addr, from.len))
			err(1, "bind");
	}
	if (!client->any && connect(fd, (const struct sockaddr *)&target->addr, target->len))
		err(1, "connect");
	return fd;
}

static void request_send(struct client *client, int fd, const struct endpoint *target)
{
	ssize_t len;

	client->result.sent++;
	if (client->any)
		len = sendto(fd, payload, client->size, 0, (const struct sockaddr *)&target->addr,
			     target->len);
	else
		len = send(fd, payload, client->size, 0);
	/*
	 * a connected socket may report an earlier ECONNREFUSED here; the answer may still arrive
	 */
	if (len < 0 && errno != ECONNREFUSED)
		err(1, "send");
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

/* Waits until the socket is readable. Returns 1, or 0 at the deadline. */
static int wait_readable(int fd, int64_t deadline_ms)
{
	struct pollfd pollfd = { .fd = fd, .events = POLLIN };

	for (;;) {
		int64_t left = deadline_ms - now_ms();
		int ready = poll(&pollfd, 1, left > 0 ? (int)left : 0);

		if (ready >= 0)
			return ready;
		if (errno != EINTR)
			err(1, "poll");
	}
}

/* Returns true if the datagram answers the request in @payload, false for a late answer. */
static bool answer_is_current(ssize_t len)
{
	return len < (ssize_t)sizeof(struct stamp) ||
	       !memcmp(answer, payload, sizeof(struct stamp));
}

static void answer_classify(struct client *client, const struct endpoint *target,
			    const struct endpoint *from, ssize_t len)
{
	struct result *result = &client->result;

	answerer_count(result, from);
	if ((size_t)len != client->size || memcmp(answer, payload, len))
		result->corrupt++;
	else if (endpoint_equal(from, target))
		result->right++;
	else
		result->wrong++;
}

static void answer_wait(struct client *client, int fd, const struct endpoint *target)
{
	int64_t deadline_ms = now_ms() + client->timeout_ms;

	while (wait_readable(fd, deadline_ms)) {
		struct endpoint from = { .len = sizeof(from.addr) };
		ssize_t len = recvfrom(fd, answer, sizeof(answer), MSG_DONTWAIT,
				       (struct sockaddr *)&from.addr, &from.len);

		if (len < 0 && errno == ECONNREFUSED) {
			client->result.refused++;
			return;
		}
		if (len < 0 && errno != EAGAIN)
			err(1, "recvfrom");
		if (len >= 0 && answer_is_current(len)) {
			answer_classify(client, target, &from, len);
			return;
		}
	}
	client->result.lost++;
}

static bool more(const struct client *client, unsigned long round)
{
	return client->until_signal ? !stop : round < client->count;
}

static void pause_between(const struct client *client)
{
	const struct timespec pause = { .tv_nsec = 500000 };

	if (client->until_signal)
		nanosleep(&pause, NULL);
}

static void run_in_turn(struct client *client)
{
	for (unsigned long flow = 0; flow < client->flows; flow++) {
		int fd = flow_open(client, flow);

		for (unsigned long round = 0; more(client, round); round++) {
			for (size_t target = 0; target < client->target_count; target++) {
				payload_fill(client->size, flow, round, target);
				request_send(client, fd, &client->targets[target]);
				answer_wait(client, fd, &client->targets[target]);
				pause_between(client);
			}
		}
		close(fd);
	}
}

static void raise_file_limit(unsigned long count)
{
	struct rlimit limit = { .rlim_cur = count, .rlim_max = count };
	struct rlimit old;

	if (getrlimit(RLIMIT_NOFILE, &old))
		err(1, "getrlimit");
	if (old.rlim_cur >= count)
		return;
	if (old.rlim_max > count)
		limit.rlim_max = old.rlim_max;
	if (setrlimit(RLIMIT_NOFILE, &limit))
		err(1, "%lu open files", count);
}

static void run_burst(struct client *client)
{
	int *fds = calloc(client->flows, sizeof(*fds));

	if (!fds)
		err(1, "calloc");
	raise_file_limit(client->flows + 16);
	for (unsigned long flow = 0; flow < client->flows; flow++) {
		fds[flow] = flow_open(client, flow);
		payload_fill(client->size, flow, 0, 0);
		request_send(client, fds[flow], &client->targets[0]);
	}
	for (unsigned long flow = 0; flow < client->flows; flow++) {
		payload_fill(client->size, flow, 0, 0);
		answer_wait(client, fds[flow], &client->targets[0]);
		close(fds[flow]);
	}
	free(fds);
}

static void result_print(const struct client *client)
{
	const struct result *result = &client->result;

	printf("sent %lu right %lu wrong %lu refused %lu lost %lu corrupt %lu\n", result->sent,
	       result->right, result->wrong, result->refused, result->lost, result->corrupt);
	if (!client->any)
		return;
	for (size_t i = 0; i < result->answerer_count; i++) {
		printf("answered ");
		endpoint_print(&result->answerers[i].endpoint);
		printf(" %lu\n", result->answerers[i].count);
	}
}

static const char usage_text[] =
	"usage: udp-client --to ADDR:PORT[,ADDR:PORT…] [--from ADDR[:PORT]] [--count N] [--size N]\n"
	"                  [--timeout-ms N] [--any] [--flows N] [--burst] [--until-signal]\n"
	"                  [--broadcast]\n";

static unsigned long parse_number(const char *text, unsigned long min, unsigned long max)
{
	char *end;
	unsigned long number;

	errno = 0;
	number = strtoul(text, &end, 10);
	if (errno || end == text || *end || number < min || number > max)
		errx(2, "'%s': want a number from %lu to %lu", text, min, max);
	return number;
}

static void parse_targets(struct client *client, char *list)
{
	for (char *text = strtok(list, ","); text; text = strtok(NULL, ",")) {
		if (client->target_count == TARGETS_MAX)
			errx(2, "more than %d targets", TARGETS_MAX);
		endpoint_parse(&client->targets[client->target_count++], text);
	}
}

static void check_options(const struct client *client, int rest)
{
	if (!client->target_count || rest) {
		fputs(usage_text, stderr);
		exit(2);
	}
	if (client->target_count > 1 && !client->any)
		errx(2, "several targets need --any: a connected socket has only one");
	if (client->burst && (client->count != 1 || client->target_count > 1))
		errx(2, "--burst sends one request for each flow, to one target");
}

static void parse_options(struct client *client, int argc, char **argv)
{
	static const struct option options[] = {
		{ "to", required_argument, NULL, 't' },
		{ "from", required_argument, NULL, 'f' },
		{ "count", required_argument, NULL, 'c' },
		{ "size", required_argument, NULL, 's' },
		{ "timeout-ms", required_argument, NULL, 'w' },
		{ "flows", required_argument, NULL, 'n' },
		{ "any", no_argument, NULL, 'a' },
		{ "burst", no_argument, NULL, 'b' },
		{ "until-signal", no_argument, NULL, 'u' },
		{ "broadcast", no_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 't':
			parse_targets(client, optarg);
			break;
		case 'f':
			endpoint_parse(&client->from, optarg);
			client->has_from = true;
			break;
		case 'c':
			client->count = parse_number(optarg, 1, 100000000);
			break;
		case 's':
			client->size = parse_number(optarg, sizeof(struct stamp), DATAGRAM_MAX);
			break;
		case 'w':
			client->timeout_ms = parse_number(optarg, 1, 600000);
			break;
		case 'n':
			client->flows = parse_number(optarg, 1, 60000);
			break;
		case 'a':
			client->any = true;
			break;
		case 'b':
			client->burst = true;
			break;
		case 'u':
			client->until_signal = true;
			break;
		case 'r':
			client->broadcast = true;
			break;
		case 'h':
			fputs(usage_text, stdout);
			exit(0);
		default:
			fputs(usage_text, stderr);
			exit(2);
		}
	}
	check_options(client, argc - optind);
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct client client = { .count = 1, .flows = 1, .size = 64, .timeout_ms = 10000 };

	parse_options(&client, argc, argv);
	sigaction(SIGTERM, &action, NULL);
	if (client.burst)
		run_burst(&client);
	else
		run_in_turn(&client);
	result_print(&client);
	return client.result.right == client.result.sent ? 0 : 1;
}
