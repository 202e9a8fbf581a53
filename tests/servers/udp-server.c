// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * A UDP echo server that imitates the ways in which real servers receive and answer.
 *
 *	udp-server --kind KIND --port N [--bind ADDR] [--device IF] [--source ADDR]
 *		   [--join GROUP%IF] [--hold] [--reuseport]
 *
 * The kinds differ only in the factors that determine the source address of an answer: the system
 * call, the socket, and the ancillary data. With --hold (sendto kinds), the server holds requests,
 * prints "held N" for each, and answers all on SIGUSR1. So a test controls the events between a
 * request and its answer. The server reports failed sends on stderr and continues.
 *
 * The programs in this directory depend only on the C library:
 *	cc -D_GNU_SOURCE -o build/tests/udp-server tests/servers/udp-server.c -lm -pthread
 */
#include <arpa/inet.h>
#include <err.h>
#include <errno.h>
#include <getopt.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define DATAGRAM_MAX 65535
#define BATCH	     16
#define HELD_MAX     20000

struct kind;

struct server {
	const struct kind *kind;
	const char *port;
	const char *bind;
	const char *device;
	const char *source;
	const char *join;
	bool hold;
	bool reuseport;
	int fd;
};

/* A kind of server: receives the pending datagrams on the socket and answers them. */
struct kind {
	const char *name;
	int family;
	bool v6only;
	bool pktinfo; /* enable the destination address in ancillary data */
	void (*serve)(struct server *server);
	const char *help;
};

struct held {
	struct sockaddr_storage peer;
	socklen_t peer_len;
	size_t len;
	char *data;
};

static char datagram[DATAGRAM_MAX];
static struct held held[HELD_MAX];
static size_t held_count;

static void complain(const char *call, ssize_t sent)
{
	if (sent < 0 && errno != EAGAIN && errno != EINTR)
		fprintf(stderr, "%s: %s\n", call, strerror(errno));
}

static void hold(const struct sockaddr_storage *peer, socklen_t peer_len, size_t len)
{
	struct held *request;

	if (held_count == HELD_MAX)
		errx(1, "more than %d requests held", HELD_MAX);
	request = &held[held_count++];
	request->peer = *peer;
	request->peer_len = peer_len;
	request->len = len;
	request->data = malloc(len ? len : 1);
	if (!request->data)
		err(1, "malloc");
	memcpy(request->data, datagram, len);
	printf("held %zu\n", held_count);
	fflush(stdout);
}

static void release(struct server *server)
{
	for (size_t i = 0; i < held_count; i++) {
		struct held *request = &held[i];

		complain("sendto", sendto(server->fd, request->data, request->len, 0,
					  (struct sockaddr *)&request->peer, request->peer_len));
		free(request->data);
	}
	printf("released %zu\n", held_count);
	fflush(stdout);
	held_count = 0;
}

static void serve_sendto(struct server *server)
{
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);
	ssize_t len;

	len = recvfrom(server->fd, datagram, sizeof(datagram), MSG_DONTWAIT,
		       (struct sockaddr *)&peer, &peer_len);
	if (len < 0) {
		complain("recvfrom", len);
		return;
	}
	if (server->hold) {
		hold(&peer, peer_len, len);
		return;
	}
	complain("sendto",
		 sendto(server->fd, datagram, len, 0, (struct sockaddr *)&peer, peer_len));
}

static void serve_sendmsg(struct server *server)
{
	struct sockaddr_storage peer;
	struct iovec iov = { .iov_base = datagram, .iov_len = sizeof(datagram) };
	struct msghdr msg = {
		.msg_name = &peer,
		.msg_namelen = sizeof(peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
	};
	ssize_t len = recvmsg(server->fd, &msg, MSG_DONTWAIT);

	if (len < 0) {
		complain("recvmsg", len);
		return;
	}
	iov.iov_len = len;
	msg.msg_flags = 0;
	complain("sendmsg", sendmsg(server->fd, &msg, 0));
}

static void serve_mmsg(struct server *server)
{
	static char data[BATCH][DATAGRAM_MAX];
	struct sockaddr_storage peers[BATCH];
	struct iovec iov[BATCH];
	struct mmsghdr msgs[BATCH] = { 0 };
	int received, sent = 0;

	for (int i = 0; i < BATCH; i++) {
		iov[i] = (struct iovec){ .iov_base = data[i], .iov_len = sizeof(data[i]) };
		msgs[i].msg_hdr.msg_name = &peers[i];
		msgs[i].msg_hdr.msg_namelen = sizeof(peers[i]);
		msgs[i].msg_hdr.msg_iov = &iov[i];
		msgs[i].msg_hdr.msg_iovlen = 1;
	}
	received = recvmmsg(server->fd, msgs, BATCH, MSG_DONTWAIT, NULL);
	complain("recvmmsg", received);
	for (int i = 0; i < received; i++)
		iov[i].iov_len = msgs[i].msg_len;
	while (sent < received) {
		int count = sendmmsg(server->fd, msgs + sent, received - sent, 0);

		if (count <= 0) {
			complain("sendmmsg", count);
			return;
		}
		sent += count;
	}
}

/*
 * Converts the received destination to the source. For IPv4, copies the address to ipi_spec_dst
 * (see ip(7)). Clears the interface, which would override the route; only a link-local address
 * needs it.
 */
static void answer_with_pktinfo(struct server *server, struct msghdr *msg)
{
	for (struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg); cmsg; cmsg = CMSG_NXTHDR(msg, cmsg)) {
		if (cmsg->cmsg_level == IPPROTO_IP && cmsg->cmsg_type == IP_PKTINFO) {
			struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(cmsg);

			info->ipi_spec_dst = info->ipi_addr;
			info->ipi_ifindex = 0;
		}
		if (cmsg->cmsg_level == IPPROTO_IPV6 && cmsg->cmsg_type == IPV6_PKTINFO) {
			struct in6_pktinfo *info = (struct in6_pktinfo *)CMSG_DATA(cmsg);

			if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr))
				info->ipi6_ifindex = 0;
		}
	}
	complain("sendmsg", sendmsg(server->fd, msg, 0));
}

static void serve_pktinfo(struct server *server)
{
	struct sockaddr_storage peer;
	char control[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	struct iovec iov = { .iov_base = datagram, .iov_len = sizeof(datagram) };
	struct msghdr msg = {
		.msg_name = &peer,
		.msg_namelen = sizeof(peer),
		.msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control),
	};
	ssize_t len = recvmsg(server->fd, &msg, MSG_DONTWAIT);

	if (len < 0) {
		complain("recvmsg", len);
		return;
	}
	iov.iov_len = len;
	msg.msg_flags = 0;
	answer_with_pktinfo(server, &msg);
}

static void source_control(const struct server *server, struct msghdr *msg)
{
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(msg);

	if (server->kind->family == AF_INET) {
		struct in_pktinfo info = { 0 };

		if (inet_pton(AF_INET, server->source, &info.ipi_spec_dst) != 1)
			errx(2, "--source %s: no IPv4 address", server->source);
		cmsg->cmsg_level = IPPROTO_IP;
		cmsg->cmsg_type = IP_PKTINFO;
		cmsg->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
		msg->msg_controllen = CMSG_SPACE(sizeof(info));
	} else {
		struct in6_pktinfo info = { 0 };

		if (inet_pton(AF_INET6, server->source, &info.ipi6_addr) != 1)
			errx(2, "--source %s: no IPv6 address", server->source);
		cmsg->cmsg_level = IPPROTO_IPV6;
		cmsg->cmsg_type = IPV6_PKTINFO;
		cmsg->cmsg_len = CMSG_LEN(sizeof(info));
		memcpy(CMSG_DATA(cmsg), &info, sizeof(info));
		msg->msg_controllen = CMSG_SPACE(sizeof(info));
	}
}

static void serve_source(struct server *server)
{
	struct sockaddr_storage peer;
	union {
		struct cmsghdr align;
		char bytes[CMSG_SPACE(sizeof(struct in6_pktinfo))];
	} control = { 0 };
	struct iovec iov = { .iov_base = datagram };
	struct msghdr msg = { .msg_name = &peer, .msg_iov = &iov, .msg_iovlen = 1 };
	socklen_t peer_len = sizeof(peer);
	ssize_t len;

	len = recvfrom(server->fd, datagram, sizeof(datagram), MSG_DONTWAIT,
		       (struct sockaddr *)&peer, &peer_len);
	if (len < 0) {
		complain("recvfrom", len);
		return;
	}
	msg.msg_namelen = peer_len;
	iov.iov_len = len;
	msg.msg_control = control.bytes;
	msg.msg_controllen = sizeof(control.bytes);
	source_control(server, &msg);
	complain("sendmsg", sendmsg(server->fd, &msg, 0));
}

/* Imitates `nc -u -l`: connects the socket to the first client, permanently. */
static void serve_connect(struct server *server)
{
	struct sockaddr_storage peer;
	socklen_t peer_len = sizeof(peer);
	ssize_t len;

	len = recvfrom(server->fd, datagram, sizeof(datagram), MSG_DONTWAIT,
		       (struct sockaddr *)&peer, &peer_len);
	if (len < 0) {
		complain("recvfrom", len);
		return;
	}
	if (connect(server->fd, (struct sockaddr *)&peer, peer_len))
		err(1, "connect");
	complain("send", send(server->fd, datagram, len, 0));
}

static const struct kind kinds[] = {
	{ "sendto4", AF_INET, false, false, serve_sendto, "recvfrom, sendto" },
	{ "sendto6", AF_INET6, true, false, serve_sendto, "the same, IPv6 only" },
	{ "dual6", AF_INET6, false, false, serve_sendto, "the same, IPv6 and v4-mapped" },
	{ "sendmsg4", AF_INET, false, false, serve_sendmsg, "recvmsg, sendmsg, no control data" },
	{ "sendmsg6", AF_INET6, false, false, serve_sendmsg, "the same, IPv6 and v4-mapped" },
	{ "mmsg4", AF_INET, false, false, serve_mmsg, "recvmmsg, sendmmsg" },
	{ "mmsg6", AF_INET6, false, false, serve_mmsg, "the same, IPv6 and v4-mapped" },
	{ "pktinfo4", AF_INET, false, true, serve_pktinfo, "IP_PKTINFO: right by itself" },
	{ "pktinfo6", AF_INET6, false, true, serve_pktinfo, "IPV6_PKTINFO, and v4-mapped" },
	{ "source4", AF_INET, false, false, serve_source, "always answers from --source" },
	{ "source6", AF_INET6, false, false, serve_source, "the same, IPv6" },
	{ "connect4", AF_INET, false, false, serve_connect, "connects back, like nc -u -l" },
	{ "connect6", AF_INET6, false, false, serve_connect, "the same, IPv6 and v4-mapped" },
};

static const struct kind *kind_find(const char *name)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	errx(2, "no kind '%s' (see --help)", name);
}

static void usage(FILE *out)
{
	fputs("usage: udp-server --kind KIND --port N [--bind ADDR] [--source ADDR]\n"
	      "                  [--device IF] [--join GROUP%IF] [--hold] [--reuseport]\n\n"
	      "kinds:\n",
	      out);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		fprintf(out, "  %-9s  %s\n", kinds[i].name, kinds[i].help);
}

static void set_option(int fd, int level, int name, int value)
{
	if (setsockopt(fd, level, name, &value, sizeof(value)))
		err(1, "setsockopt");
}

static void socket_options(const struct server *server)
{
	const struct kind *kind = server->kind;

	if (server->reuseport)
		set_option(server->fd, SOL_SOCKET, SO_REUSEPORT, 1);
	if (server->device && setsockopt(server->fd, SOL_SOCKET, SO_BINDTODEVICE, server->device,
					 strlen(server->device)))
		err(1, "device %s", server->device);
	if (kind->family == AF_INET6)
		set_option(server->fd, IPPROTO_IPV6, IPV6_V6ONLY, kind->v6only);
	if (kind->pktinfo && kind->family == AF_INET)
		set_option(server->fd, IPPROTO_IP, IP_PKTINFO, 1);
	if (kind->pktinfo && kind->family == AF_INET6)
		set_option(server->fd, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1);
}

static struct addrinfo *resolve(const char *host, const char *port, int family)
{
	struct addrinfo hints = {
		.ai_family = family,
		.ai_socktype = SOCK_DGRAM,
		.ai_flags = AI_PASSIVE | AI_NUMERICHOST | AI_NUMERICSERV,
	};
	struct addrinfo *list;
	int status = getaddrinfo(host, port, &hints, &list);

	if (status)
		errx(2, "%s port %s: %s", host ? host : "*", port, gai_strerror(status));
	return list;
}

static void join_group(const struct server *server)
{
	char group[INET6_ADDRSTRLEN + IF_NAMESIZE + 1];
	struct group_req request = { 0 };
	struct addrinfo *list;
	char *interface;

	snprintf(group, sizeof(group), "%s", server->join);
	interface = strchr(group, '%');
	if (!interface)
		errx(2, "--join %s: want GROUP%%IF", server->join);
	*interface++ = '\0';
	request.gr_interface = if_nametoindex(interface);
	list = resolve(group, server->port, server->kind->family);
	memcpy(&request.gr_group, list->ai_addr, list->ai_addrlen);
	freeaddrinfo(list);
	if (setsockopt(server->fd, server->kind->family == AF_INET ? IPPROTO_IP : IPPROTO_IPV6,
		       MCAST_JOIN_GROUP, &request, sizeof(request)))
		err(1, "join %s", server->join);
}

static void server_open(struct server *server)
{
	struct addrinfo *list = resolve(server->bind, server->port, server->kind->family);

	server->fd = socket(server->kind->family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (server->fd < 0)
		err(1, "socket");
	socket_options(server);
	if (bind(server->fd, list->ai_addr, list->ai_addrlen))
		err(1, "bind port %s", server->port);
	freeaddrinfo(list);
	if (server->join)
		join_group(server);
}

static int release_signal(void)
{
	sigset_t set;
	int fd;

	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		err(1, "sigprocmask");
	fd = signalfd(-1, &set, SFD_CLOEXEC);
	if (fd < 0)
		err(1, "signalfd");
	return fd;
}

static void server_run(struct server *server, int signal_fd)
{
	struct pollfd fds[] = {
		{ .fd = server->fd, .events = POLLIN },
		{ .fd = signal_fd, .events = POLLIN },
	};
	struct signalfd_siginfo info;

	for (;;) {
		if (poll(fds, 2, -1) < 0)
			err(1, "poll");
		if (fds[0].revents)
			server->kind->serve(server);
		if (fds[1].revents && read(signal_fd, &info, sizeof(info)) == sizeof(info))
			release(server);
	}
}

static void parse_options(struct server *server, int argc, char **argv)
{
	static const struct option options[] = {
		{ "kind", required_argument, NULL, 'k' },
		{ "port", required_argument, NULL, 'p' },
		{ "bind", required_argument, NULL, 'b' },
		{ "device", required_argument, NULL, 'd' },
		{ "join", required_argument, NULL, 'j' },
		{ "source", required_argument, NULL, 's' },
		{ "hold", no_argument, NULL, 'o' },
		{ "reuseport", no_argument, NULL, 'r' },
		{ "help", no_argument, NULL, 'h' },
		{ NULL, 0, NULL, 0 },
	};
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		switch (option) {
		case 'k':
			server->kind = kind_find(optarg);
			break;
		case 'p':
			server->port = optarg;
			break;
		case 'b':
			server->bind = optarg;
			break;
		case 'd':
			server->device = optarg;
			break;
		case 'j':
			server->join = optarg;
			break;
		case 's':
			server->source = optarg;
			break;
		case 'o':
			server->hold = true;
			break;
		case 'r':
			server->reuseport = true;
			break;
		case 'h':
			usage(stdout);
			exit(0);
		default:
			usage(stderr);
			exit(2);
		}
	}
	if (!server->kind || !server->port || optind != argc) {
		usage(stderr);
		exit(2);
	}
	if (server->kind->serve == serve_source && !server->source)
		errx(2, "kind %s needs --source", server->kind->name);
	if (server->hold && server->kind->serve != serve_sendto)
		errx(2, "--hold works only with the sendto kinds");
}

int main(int argc, char **argv)
{
	struct server server = { 0 };
	int signal_fd;

	parse_options(&server, argc, argv);
	/* before bind(), because a test may send the signal as soon as the port is bound */
	signal_fd = release_signal();
	server_open(&server);
	server_run(&server, signal_fd);
}
