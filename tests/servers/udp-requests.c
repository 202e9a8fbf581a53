// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * udp-requests ADDR PORT MS [MAX]: sends requests to a server for MS milliseconds, or until MAX
 * answers, and prints the results as JSON. Each line of stdin describes one socket: its local port
 * (0: any) and the datagram in hex that it repeats.
 *
 * A socket sends BATCH datagrams in one call, and the next batch after the answers. So the batches
 * of the other sockets keep the server busy, and its receive buffer does not overflow.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

#define SOCKETS_MAX  1024
#define BATCH	     16
#define DATAGRAM_MAX 512
#define PATIENCE_US  200000

struct sender {
	int fd;
	size_t length;
	uint8_t data[DATAGRAM_MAX];
};

static struct sender senders[SOCKETS_MAX];
static unsigned int count;
static uint64_t sent, answered, bytes_out, bytes_in;

static void die(const char *what)
{
	fprintf(stderr, "udp-requests: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static size_t from_hex(const char *hex, uint8_t *to)
{
	size_t length = 0;
	unsigned int byte;

	while (length < DATAGRAM_MAX && sscanf(hex + 2 * length, "%2x", &byte) == 1)
		to[length++] = (uint8_t)byte;
	return length;
}

static int open_socket(const struct addrinfo *server, unsigned int port)
{
	const struct timeval patience = { .tv_usec = PATIENCE_US };
	struct sockaddr_in6 local = { .sin6_family = (sa_family_t)server->ai_family,
				      .sin6_port = htons((uint16_t)port) };
	int fd = socket(server->ai_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	/* sin_port and sin6_port have the same offset */
	if (fd < 0 || bind(fd, (struct sockaddr *)&local, server->ai_addrlen) ||
	    connect(fd, server->ai_addr, server->ai_addrlen) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience)))
		die("socket");
	return fd;
}

static void send_batch(const struct sender *sender)
{
	struct mmsghdr message[BATCH];
	struct iovec iov = { (void *)sender->data, sender->length };
	unsigned int i;
	int done;

	memset(message, 0, sizeof(message));
	for (i = 0; i < BATCH; i++)
		message[i].msg_hdr = (struct msghdr){ .msg_iov = &iov, .msg_iovlen = 1 };
	done = sendmmsg(sender->fd, message, BATCH, 0);
	/* ECONNREFUSED: the server has closed its socket */
	if (done < 0)
		die("send");
	sent += (unsigned int)done;
	bytes_out += (uint64_t)done * sender->length;
}

/* Receives the answers to a batch; answers after the timeout are lost. */
static void receive_batch(const struct sender *sender)
{
	static uint8_t data[BATCH][DATAGRAM_MAX];
	struct mmsghdr message[BATCH];
	struct iovec iov[BATCH];
	int i, got, have;

	memset(message, 0, sizeof(message));
	for (i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ data[i], DATAGRAM_MAX };
		message[i].msg_hdr = (struct msghdr){ .msg_iov = &iov[i], .msg_iovlen = 1 };
	}
	for (have = 0; have < BATCH; have += got) {
		got = recvmmsg(sender->fd, message + have, (unsigned int)(BATCH - have),
			       MSG_WAITFORONE, NULL);
		if (got < 0)
			break;
	}
	for (i = 0; i < have; i++)
		bytes_in += message[i].msg_len;
	answered += (unsigned int)have;
}

int main(int argc, char **argv)
{
	const struct addrinfo hints = { .ai_flags = AI_NUMERICHOST | AI_NUMERICSERV,
					.ai_socktype = SOCK_DGRAM };
	uint64_t began, until, most = argc > 4 ? strtoull(argv[4], NULL, 10) : UINT64_MAX;
	struct addrinfo *server;
	char line[2 * DATAGRAM_MAX + 16];
	unsigned int i, port;
	int at;

	if (argc < 4 || getaddrinfo(argv[1], argv[2], &hints, &server)) {
		fprintf(stderr, "usage: udp-requests ADDR PORT MS [MAX]\n");
		return 2;
	}
	while (count < SOCKETS_MAX && fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%u %n", &port, &at) != 1)
			die("stdin");
		senders[count].length = from_hex(line + at, senders[count].data);
		senders[count++].fd = open_socket(server, port);
	}
	began = now_ns();
	until = began + strtoull(argv[3], NULL, 10) * 1000000;
	for (i = 0; i < count; i++)
		send_batch(&senders[i]);
	for (i = 0; answered < most && now_ns() < until; i = (i + 1) % count) {
		receive_batch(&senders[i]);
		send_batch(&senders[i]);
	}
	for (i = 0; i < count; i++)
		receive_batch(&senders[i]);
	printf("{\"seconds\": %.6f, \"sent\": %llu, \"answered\": %llu, \"bytes_out\": %llu, "
	       "\"bytes_in\": %llu}\n",
	       (double)(now_ns() - began) / 1e9, (unsigned long long)sent,
	       (unsigned long long)answered, (unsigned long long)bytes_out,
	       (unsigned long long)bytes_in);
	return 0;
}
