// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * steer_worker: an instance of a server with several reuseport sockets, for the benchmark's rolling
 * restarts. It does not depend on sluice, and exits like a well-behaved server: at a line on stdin
 * (or its end), it reads the rest of its queues, closes them, and prints how many datagrams it
 * received.
 *
 * All instances map a file that contains the last socket of each flow. So an instance detects a
 * flow that moves to it from another socket.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/types.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#define SOCKETS 4
#define FLOWS	(1U << 20)
/*
 * Large enough that no datagram is lost while the server waits for a CPU: only restarts may cause
 * losses.
 */
#define RECEIVE_ROOM (16 << 20)

static __u32 *owner; /* pid and socket number per flow; 0: none */
static unsigned long received, moved;

static void die(const char *what)
{
	fprintf(stderr, "steer_worker: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void netns_enter(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0 || setns(fd, CLONE_NEWNET))
		die(path);
	close(fd);
}

static void owners_map(const char *path)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (fd < 0 || ftruncate(fd, FLOWS * sizeof(*owner)))
		die(path);
	owner = mmap(NULL, FLOWS * sizeof(*owner), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (owner == MAP_FAILED)
		die(path);
	close(fd);
}

static int socket_open(int family, __u16 port)
{
	/* in both families, the port has the same offset, and the wildcard address is all zero */
	struct sockaddr_in6 any = { .sin6_family = family, .sin6_port = htons(port) };
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int off = 0, on = 1, room = RECEIVE_ROOM;

	if (fd < 0 ||
	    (family == AF_INET6 && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off))) ||
	    setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    bind(fd, (struct sockaddr *)&any, sizeof(any)))
		die("socket");
	return fd;
}

static void socket_read(int fd, __u32 number)
{
	__u32 flow, mine = (__u32)getpid() * SOCKETS + number, before;

	while (recv(fd, &flow, sizeof(flow), 0) >= (ssize_t)sizeof(flow)) {
		before = __atomic_exchange_n(&owner[flow % FLOWS], mine, __ATOMIC_RELAXED);
		moved += before && before != mine;
		received++;
	}
}

int main(int argc, char **argv)
{
	struct pollfd wait[SOCKETS + 1] = { [SOCKETS] = { STDIN_FILENO, POLLIN, 0 } };
	int i, family;

	if (argc != 5) {
		fprintf(stderr, "usage: steer_worker PORT NETNS FILE 4|6\n");
		return 2;
	}
	/* an IPv6 socket is dual-stack */
	family = atoi(argv[4]) == 4 ? AF_INET : AF_INET6;
	netns_enter(argv[2]);
	owners_map(argv[3]);
	for (i = 0; i < SOCKETS; i++)
		wait[i] = (struct pollfd){ socket_open(family, atoi(argv[1])), POLLIN, 0 };
	printf("{}\n");
	fflush(stdout);
	while (!wait[SOCKETS].revents) {
		poll(wait, SOCKETS + 1, -1);
		for (i = 0; i < SOCKETS; i++)
			if (wait[i].revents)
				socket_read(wait[i].fd, i);
	}
	for (i = 0; i < SOCKETS; i++) {
		socket_read(wait[i].fd, i);
		close(wait[i].fd);
	}
	printf("{\"received\":%lu,\"moved\":%lu}\n", received, moved);
	return 0;
}
