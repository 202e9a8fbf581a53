// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * close: shows that the kernel loses datagrams when a socket of a reuseport group is closed, even
 * if no program ever selects that socket.
 *
 * udp_lib_unhash() removes the socket from its group (reuseport_detach_sock()) before it removes
 * the socket from the hash chain of the port. In between, udp4_lib_lookup2() and udp6_lib_lookup2()
 * find a socket without a group, and return it if it is the first in the chain. udp_lib_get_port()
 * adds IPv4 sockets at the head of the chain, so the newest socket comes first, and IPv6 sockets at
 * the tail, so the oldest comes first.
 *
 * One thread sends as fast as it can. The other thread opens and closes sockets of the group, while
 * a program selects the socket that stays open. It reads each queue before it closes the socket, so
 * any lost datagram was delivered to a closing socket. It repeatedly closes either the newest
 * socket, or the oldest; then the program selects the successor.
 */
#include <arpa/inet.h>
#include <bpf/bpf.h>
#include <errno.h>
#include <linux/sock_diag.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define PORT	     7000
#define RECEIVE_ROOM (64 << 20)
/* Time for datagrams in flight to reach the queue of the last selected socket. */
#define SETTLE_US 200

static atomic_bool sending;
static unsigned long sent, received, dropped, closed;

static void die(const char *what)
{
	fprintf(stderr, "close: %s: %s\n", what, strerror(errno));
	exit(1);
}

static socklen_t address(int family, bool any, struct sockaddr_storage *into)
{
	struct sockaddr_in *in = (void *)into;
	struct sockaddr_in6 *in6 = (void *)into;

	memset(into, 0, sizeof(*into));
	into->ss_family = family;
	if (family == AF_INET) {
		in->sin_addr.s_addr = htonl(any ? INADDR_ANY : INADDR_LOOPBACK);
		in->sin_port = htons(PORT);
		return sizeof(*in);
	}
	in6->sin6_addr = any ? in6addr_any : in6addr_loopback;
	in6->sin6_port = htons(PORT);
	return sizeof(*in6);
}

static void loopback_up(void)
{
	struct ifreq request = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || ioctl(fd, SIOCSIFFLAGS, &request))
		die("lo");
	close(fd);
}

static int member_open(int family)
{
	struct sockaddr_storage any;
	socklen_t size = address(family, true, &any);
	int fd = socket(family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1, room = RECEIVE_ROOM;

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, &on, sizeof(on)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)) ||
	    bind(fd, (struct sockaddr *)&any, size))
		die("socket");
	return fd;
}

static void member_read(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) >= 0)
		received++;
}

static void member_close(int fd)
{
	__u32 memory[SK_MEMINFO_VARS] = { 0 };
	socklen_t size = sizeof(memory);

	member_read(fd);
	if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, memory, &size))
		die("SO_MEMINFO");
	dropped += memory[SK_MEMINFO_DROPS];
	close(fd);
}

static void *send_all(void *arg)
{
	const int *family = arg;
	struct sockaddr_storage to;
	socklen_t size = address(*family, false, &to);
	int fd = socket(*family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		die("socket");
	while (atomic_load_explicit(&sending, memory_order_relaxed))
		if (sendto(fd, "x", 1, 0, (struct sockaddr *)&to, size) == 1)
			sent++;
		else
			die("send");
	close(fd);
	return NULL;
}

/* Selects the socket in slot 0 for every datagram. */
static int selector(int map)
{
	const struct bpf_insn code[] = {
		/* r3 = &key, with key = 0 */
		{ .code = BPF_ST | BPF_MEM | BPF_W, .dst_reg = BPF_REG_10, .off = -4 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X,
		  .dst_reg = BPF_REG_3,
		  .src_reg = BPF_REG_10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = BPF_REG_3, .imm = -4 },
		/* bpf_sk_select_reuseport(r1, map, r3, 0) */
		{ .code = BPF_LD | BPF_DW | BPF_IMM,
		  .dst_reg = BPF_REG_2,
		  .src_reg = BPF_PSEUDO_MAP_FD,
		  .imm = map },
		{ 0 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_4 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_sk_select_reuseport },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0, .imm = SK_PASS },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_SK_REUSEPORT, "close", "GPL", code,
			       sizeof(code) / sizeof(*code), NULL);

	if (fd < 0)
		die("program");
	return fd;
}

static void selected_set(int map, int fd)
{
	const __u64 value = fd;
	const __u32 zero = 0;

	if (bpf_map_update_elem(map, &zero, &value, BPF_ANY))
		die("map");
}

static __u64 now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void run(int family, bool newest, unsigned int seconds)
{
	int map = bpf_map_create(BPF_MAP_TYPE_REUSEPORT_SOCKARRAY, "close", 4, 8, 1, NULL);
	int stays = member_open(family), fresh, prog;
	__u64 end = now_ns() + seconds * 1000000000ULL;
	pthread_t sender;

	if (map < 0)
		die("map");
	prog = selector(map);
	selected_set(map, stays);
	if (setsockopt(stays, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, &prog, sizeof(prog)))
		die("SO_ATTACH_REUSEPORT_EBPF");
	sent = received = dropped = closed = 0;
	sending = true;
	errno = pthread_create(&sender, NULL, send_all, &family);
	if (errno)
		die("thread");
	for (; now_ns() < end; closed++) {
		fresh = member_open(family);
		if (!newest) {
			selected_set(map, fresh);
			usleep(SETTLE_US);
			member_close(stays);
			stays = fresh;
		} else {
			member_close(fresh);
			member_read(stays);
		}
	}
	sending = false;
	pthread_join(sender, NULL);
	member_close(stays);
	close(prog);
	close(map);
	printf("%-6s %-8s %9lu %12lu %9lu %6ld\n", family == AF_INET ? "IPv4" : "IPv6",
	       newest ? "newest" : "oldest", closed, sent, dropped,
	       (long)(sent - received - dropped));
	fflush(stdout);
}

int main(int argc, char **argv)
{
	unsigned int seconds = argc > 1 ? atoi(argv[1]) : 5;
	int family;

	if (argc > 2 || !seconds || unshare(CLONE_NEWNET)) {
		fprintf(stderr, "usage, as root: close [SECONDS]\n");
		return 2;
	}
	loopback_up();
	printf("%-6s %-8s %9s %12s %9s %6s\n", "family", "closes", "closed", "datagrams", "full",
	       "lost");
	for (family = 0; family < 2; family++) {
		run(family ? AF_INET6 : AF_INET, false, seconds);
		run(family ? AF_INET6 : AF_INET, true, seconds);
	}
	return 0;
}
