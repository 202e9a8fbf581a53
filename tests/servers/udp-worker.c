// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A server with several workers, each with its own socket on a shared port (SO_REUSEPORT).
 *
 *	udp-worker --port N [--bind ADDR] [--workers N] [--processes] [--delay USEC] [--stall INDEX]
 *		   [--rcvbuf BYTES] [--v6only] [--reopen MS] [--own classic|ebpf [--own-later]]
 *		   [--daemonize] [--exit-main] [--inherit]
 *
 * It behaves like a real server without support for sluice: SIGTERM kills it at once, and the
 * datagrams in its queues are lost. An answer is the request with the worker's PID and index
 * (tests/servers/udp-flows.c). Requests may ask for no answer.
 *
 * Workers are threads, or with --processes, children that exit with their parent. --delay delays
 * each answer; worker --stall INDEX never reads. With --reopen, each worker periodically drains its
 * socket, closes it and opens a new one. --own attaches the server's own program, which selects
 * worker 0 for every datagram; with --own-later, the server attaches it on SIGUSR1 and prints
 * `own`. With --daemonize, the process that has bound the sockets prints `bound` and exits on
 * SIGUSR1; a child serves the sockets, or with --processes, one grandchild per socket. With
 * --exit-main, the main thread exits and the workers continue. With --inherit, the sockets are
 * descriptors 3 and up, as systemd passes them to a service.
 *
 * Prints `worker INDEX PID` for each worker, then `ready`.
 */
#include "stamp.h"

#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <linux/bpf.h>
#include <linux/filter.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define WORKERS_MAX 1024

struct server {
	const char *bind, *port, *own;
	int workers, stall, rcvbuf, reopen_ms;
	long delay_us;
	bool processes, v6only, daemonize, exit_main, inherit, own_later;
};

struct worker {
	pthread_t thread;
	int index, fd;
	int64_t reopen_at_ms;
};

static struct server server = { .bind = "0.0.0.0", .workers = 1, .stall = -1 };
static struct worker workers[WORKERS_MAX];

static void set_option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		err(1, "setsockopt");
}

/* Loads a program that returns 0, which selects the first socket of the group. */
static int own_ebpf(void)
{
	static const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	union bpf_attr attr = {
		.prog_type = BPF_PROG_TYPE_SOCKET_FILTER,
		.insns = (uintptr_t)insns,
		.insn_cnt = 2,
		.license = (uintptr_t) "GPL",
		.prog_name = "server_own",
	};
	int fd = (int)syscall(SYS_bpf, BPF_PROG_LOAD, &attr, sizeof(attr));

	if (fd < 0)
		err(1, "BPF_PROG_LOAD");
	return fd;
}

static void own_attach(int fd)
{
	static struct sock_filter first[] = { { .code = BPF_RET | BPF_K } };
	const struct sock_fprog classic = { 1, first };

	if (!strcmp(server.own, "ebpf")) {
		int prog = own_ebpf();

		set_option(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, prog);
		close(prog);
	} else if (setsockopt(fd, SOL_SOCKET, SO_ATTACH_REUSEPORT_CBPF, &classic,
			      sizeof(classic))) {
		err(1, "SO_ATTACH_REUSEPORT_CBPF");
	}
}

static int socket_open(int index)
{
	const struct addrinfo hints = { .ai_socktype = SOCK_DGRAM,
					.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV };
	struct addrinfo *list;
	int fd, status = getaddrinfo(server.bind, server.port, &hints, &list);

	if (status)
		errx(2, "%s port %s: %s", server.bind, server.port, gai_strerror(status));
	fd = socket(list->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0)
		err(1, "socket");
	set_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (list->ai_family == AF_INET6)
		set_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, server.v6only);
	if (server.rcvbuf)
		set_option(fd, SOL_SOCKET, SO_RCVBUF, server.rcvbuf);
	if (bind(fd, list->ai_addr, list->ai_addrlen))
		err(1, "bind %s port %s", server.bind, server.port);
	freeaddrinfo(list);
	if (server.own && !server.own_later && !index)
		own_attach(fd);
	return fd;
}

static void delay(void)
{
	const struct timespec time = { server.delay_us / 1000000,
				       server.delay_us % 1000000 * 1000 };

	if (server.delay_us)
		nanosleep(&time, NULL);
}

/* Answers one datagram. Returns false if none was pending. */
static bool answer(const struct worker *worker)
{
	struct {
		struct stamp stamp;
		char rest[1024];
	} datagram = { .stamp = { 0 } };
	struct sockaddr_storage peer;
	socklen_t length = sizeof(peer);
	ssize_t got = recvfrom(worker->fd, &datagram, sizeof(datagram), MSG_DONTWAIT,
			       (struct sockaddr *)&peer, &length);

	if (got < 0)
		return errno != EAGAIN;
	delay();
	if (got < (ssize_t)sizeof(datagram.stamp) || datagram.stamp.quiet)
		return true;
	datagram.stamp.pid = (uint32_t)getpid();
	datagram.stamp.index = (uint32_t)worker->index;
	/* a send to a client that has exited may fail */
	sendto(worker->fd, &datagram, (size_t)got, 0, (struct sockaddr *)&peer, length);
	return true;
}

static int64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static int reopen_wait_ms(const struct worker *worker)
{
	int64_t left = worker->reopen_at_ms - now_ms();

	return !server.reopen_ms ? -1 : left > 0 ? (int)left : 0;
}

static void reopen(struct worker *worker)
{
	while (answer(worker))
		;
	close(worker->fd);
	worker->fd = socket_open(worker->index);
	worker->reopen_at_ms = now_ms() + server.reopen_ms;
}

static void *serve(void *arg)
{
	struct worker *worker = arg;

	worker->reopen_at_ms = now_ms() + server.reopen_ms * (worker->index + 1) / server.workers;
	while (worker->index == server.stall)
		pause();
	for (;;) {
		struct pollfd ready = { .fd = worker->fd, .events = POLLIN };

		poll(&ready, 1, reopen_wait_ms(worker));
		while (answer(worker) && reopen_wait_ms(worker))
			;
		if (!reopen_wait_ms(worker))
			reopen(worker);
	}
	return NULL;
}

static void print_worker(int index, pid_t pid)
{
	printf("worker %d %d\n", index, (int)pid);
	fflush(stdout);
}

/* Binds the sockets in order, so that worker N is the Nth socket of the kernel's group. */
static void bind_all(void)
{
	int i;

	for (i = 0; i < server.workers; i++)
		workers[i] = (struct worker){
			.index = i,
			.fd = server.inherit ? 3 + i : socket_open(i),
		};
}

/* Blocks the signal, also for threads that are started later. */
static sigset_t block_sigusr1(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigprocmask(SIG_BLOCK, &set, NULL);
	return set;
}

static void wait_for_sigusr1(void)
{
	const sigset_t set = block_sigusr1();
	int number;

	sigwait(&set, &number);
}

static void daemonize(void)
{
	pid_t pid;

	block_sigusr1();
	puts("bound");
	fflush(stdout);
	wait_for_sigusr1();
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (pid)
		_exit(0);
	setsid();
}

static void start_threads(void)
{
	int i;

	for (i = 0; i < server.workers; i++)
		print_worker(i, getpid());
	for (i = 0; i < server.workers; i++)
		if (pthread_create(&workers[i].thread, NULL, serve, &workers[i]))
			errx(1, "pthread_create");
}

static void start_process(int index)
{
	int bound[2], i;
	char byte;
	pid_t pid;

	if (pipe(bound))
		err(1, "pipe");
	pid = fork();
	if (pid < 0)
		err(1, "fork");
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(bound[0]);
		if (!server.daemonize)
			workers[index] = (struct worker){ .index = index,
							  .fd = socket_open(index) };
		for (i = 0; server.daemonize && i < server.workers; i++)
			if (i != index)
				close(workers[i].fd);
		close(bound[1]);
		serve(&workers[index]);
	}
	close(bound[1]);
	/* exits when the child has bound its socket, or has failed */
	if (read(bound[0], &byte, 1) < 0)
		err(1, "read");
	close(bound[0]);
	print_worker(index, pid);
}

static const char usage_text[] =
	"usage: udp-worker --port N [--bind ADDR] [--workers N] [--processes] [--delay USEC]\n"
	"                  [--stall INDEX] [--rcvbuf BYTES] [--v6only] [--reopen MS]\n"
	"                  [--own classic|ebpf [--own-later]] [--daemonize] [--exit-main] [--inherit]\n";

static int number(const char *text, long min, long max)
{
	char *end;
	long value = strtol(text, &end, 10);

	if (end == text || *end || value < min || value > max)
		errx(2, "'%s': want a number from %ld to %ld", text, min, max);
	return (int)value;
}

static void parse_options(int argc, char **argv)
{
	static const struct option options[] = {
		{ "port", required_argument, NULL, 'p' },
		{ "bind", required_argument, NULL, 'b' },
		{ "workers", required_argument, NULL, 'w' },
		{ "processes", no_argument, NULL, 'f' },
		{ "delay", required_argument, NULL, 'd' },
		{ "stall", required_argument, NULL, 's' },
		{ "rcvbuf", required_argument, NULL, 'r' },
		{ "v6only", no_argument, NULL, '6' },
		{ "reopen", required_argument, NULL, 'c' },
		{ "own", required_argument, NULL, 'o' },
		{ "own-later", no_argument, NULL, 'l' },
		{ "daemonize", no_argument, NULL, 'D' },
		{ "exit-main", no_argument, NULL, 'x' },
		{ "inherit", no_argument, NULL, 'i' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'p':
			server.port = optarg;
			break;
		case 'b':
			server.bind = optarg;
			break;
		case 'w':
			server.workers = number(optarg, 1, WORKERS_MAX);
			break;
		case 'f':
			server.processes = true;
			break;
		case 'd':
			server.delay_us = number(optarg, 0, 10000000);
			break;
		case 's':
			server.stall = number(optarg, 0, WORKERS_MAX - 1);
			break;
		case 'r':
			server.rcvbuf = number(optarg, 1, 1 << 30);
			break;
		case '6':
			server.v6only = true;
			break;
		case 'c':
			server.reopen_ms = number(optarg, 1, 3600000);
			break;
		case 'o':
			server.own = optarg;
			break;
		case 'l':
			server.own_later = true;
			break;
		case 'D':
			server.daemonize = true;
			break;
		case 'x':
			server.exit_main = true;
			break;
		case 'i':
			server.inherit = true;
			break;
		default:
			errx(2, "%s", usage_text);
		}
	}
	if (!server.port || optind != argc)
		errx(2, "%s", usage_text);
}

int main(int argc, char **argv)
{
	int i;

	parse_options(argc, argv);
	signal(SIGCHLD, SIG_IGN);
	if (server.own_later)
		block_sigusr1();
	if (server.daemonize || !server.processes)
		bind_all();
	if (server.daemonize)
		daemonize();
	for (i = 0; server.processes && i < server.workers; i++)
		start_process(i);
	if (!server.processes)
		start_threads();
	puts("ready");
	fflush(stdout);
	if (server.exit_main)
		pthread_exit(NULL);
	/* the children serve the sockets */
	for (i = 0; server.daemonize && server.processes && i < server.workers; i++)
		close(workers[i].fd);
	if (server.own_later) {
		wait_for_sigusr1();
		own_attach(workers[0].fd);
		puts("own");
		fflush(stdout);
	}
	for (;;)
		pause();
}
