/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lab for tests that act as client and server: a private network namespace with only lo, and
 * private cgroups for the sockets.
 *
 * On lo, the kernel's default source for an answer is the client's own address, since that address
 * is local too. So an answer leaves from the requested address only if sluice fixes it.
 *
 * This is a header, so that each test is built from a single source file. The functions fail the
 * running test if a system call fails.
 */
#ifndef SLUICE_TESTS_PROG_LAB_H
#define SLUICE_TESTS_PROG_LAB_H

#include "kernel/mounts.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <libmnl/libmnl.h>
#include <limits.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#define LAB_SKIPPED 77
#define LAB_WAIT_S  5

/* The client's address, and two more local addresses. */
#define NEAR4  "192.0.2.1"
#define FAR4   "198.51.100.2"
#define OTHER4 "203.0.113.3"
#define NEAR6  "2001:db8:1::1"
#define FAR6   "2001:db8:2::2"
#define OTHER6 "2001:db8:3::3"

/* --- network namespace */

static inline void lab_ioctl(unsigned long request, struct ifreq *lo)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	strcpy(lo->ifr_name, "lo");
	assert_return_code(fd, errno);
	assert_return_code(ioctl(fd, request, lo), errno);
	close(fd);
}

/* Takes rtnl, and so also waits for pending work on interfaces in the kernel. */
static inline void lab_lo_up(void)
{
	struct ifreq lo = { .ifr_flags = IFF_UP | IFF_RUNNING };

	lab_ioctl(SIOCSIFFLAGS, &lo);
}

static inline void lab_lo_mtu(int mtu)
{
	struct ifreq lo = { .ifr_mtu = mtu };

	lab_ioctl(SIOCSIFMTU, &lo);
}

static inline __u32 lab_netns(void)
{
	struct stat st;

	assert_return_code(stat("/proc/thread-self/ns/net", &st), errno);
	return (__u32)st.st_ino;
}

static inline int lab_family(const char *addr)
{
	return strchr(addr, ':') ? AF_INET6 : AF_INET;
}

static inline void lab_rtnl(struct nlmsghdr *header)
{
	struct mnl_socket *netlink = mnl_socket_open2(NETLINK_ROUTE, SOCK_CLOEXEC);
	char answer[4096];
	ssize_t size;

	assert_non_null(netlink);
	assert_return_code(mnl_socket_bind(netlink, 0, MNL_SOCKET_AUTOPID), errno);
	assert_return_code(mnl_socket_sendto(netlink, header, header->nlmsg_len), errno);
	size = mnl_socket_recvfrom(netlink, answer, sizeof(answer));
	assert_true(size > 0);
	assert_return_code(mnl_cb_run(answer, (size_t)size, header->nlmsg_seq,
				      mnl_socket_get_portid(netlink), NULL, NULL),
			   errno);
	mnl_socket_close(netlink);
}

/*
 * Returns true if an address is still tentative. A kernel worker ends this state later, which
 * counts as another change of addresses.
 */
static inline bool lab_tentative(void)
{
	FILE *list = fopen("/proc/thread-self/net/if_inet6", "re");
	unsigned int flags;
	bool found = false;

	assert_non_null(list);
	while (fscanf(list, "%*s %*s %*s %*s %x %*s", &flags) == 1)
		found = found || flags & IFA_F_TENTATIVE;
	fclose(list);
	return found;
}

static inline void lab_settle(void)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	while (lab_tentative())
		nanosleep(&pause, NULL);
	lab_lo_up();
}

/* Adds an address to lo, or removes it. */
static inline void lab_address(const char *addr, bool add)
{
	int family = lab_family(addr);
	size_t size = family == AF_INET ? 4 : 16;
	char request[256], bytes[16];
	struct nlmsghdr *header = mnl_nlmsg_put_header(request);
	struct ifaddrmsg *message;

	header->nlmsg_type = add ? RTM_NEWADDR : RTM_DELADDR;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | (add ? NLM_F_CREATE | NLM_F_EXCL : 0);
	header->nlmsg_seq = 1;
	message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	message->ifa_family = family;
	message->ifa_prefixlen = size * 8;
	message->ifa_index = if_nametoindex("lo");
	assert_int_equal(inet_pton(family, addr, bytes), 1);
	mnl_attr_put(header, IFA_LOCAL, size, bytes);
	mnl_attr_put(header, IFA_ADDRESS, size, bytes);
	lab_rtnl(header);
	lab_settle();
}

/* Makes an address local by a route only, as AnyIP does. */
static inline void lab_route_local(const char *addr)
{
	int family = lab_family(addr);
	size_t size = family == AF_INET ? 4 : 16;
	char request[256], bytes[16];
	struct nlmsghdr *header = mnl_nlmsg_put_header(request);
	struct rtmsg *message;

	header->nlmsg_type = RTM_NEWROUTE;
	header->nlmsg_flags = NLM_F_REQUEST | NLM_F_ACK | NLM_F_CREATE;
	header->nlmsg_seq = 1;
	message = mnl_nlmsg_put_extra_header(header, sizeof(*message));
	message->rtm_family = family;
	message->rtm_dst_len = size * 8;
	message->rtm_table = RT_TABLE_LOCAL;
	message->rtm_protocol = RTPROT_STATIC;
	message->rtm_scope = RT_SCOPE_HOST;
	message->rtm_type = RTN_LOCAL;
	assert_int_equal(inet_pton(family, addr, bytes), 1);
	mnl_attr_put(header, RTA_DST, size, bytes);
	mnl_attr_put_u32(header, RTA_OIF, if_nametoindex("lo"));
	lab_rtnl(header);
}

/*
 * Enters a new namespace with the six addresses. The kernel frees the namespace with its last
 * socket.
 */
static inline void lab_net(void)
{
	static const char *const addrs[] = { NEAR4, FAR4, OTHER4, NEAR6, FAR6, OTHER6 };
	size_t i;

	assert_return_code(unshare(CLONE_NEWNET), errno);
	lab_lo_up();
	for (i = 0; i < sizeof(addrs) / sizeof(*addrs); i++)
		lab_address(addrs[i], true);
}

/* --- cgroups */

/* Returns the cgroup in which this process was started. */
static inline const char *lab_home(void)
{
	static char home[PATH_MAX];
	char root[PATH_MAX], line[PATH_MAX];
	FILE *list;

	if (*home)
		return home;
	assert_int_equal(mounts_cgroup2(root, sizeof(root)), 0);
	list = fopen("/proc/self/cgroup", "re");
	assert_non_null(list);
	while (fgets(line, sizeof(line), list))
		if (!strncmp(line, "0::", 3)) {
			line[strcspn(line, "\n")] = '\0';
			assert_true(snprintf(home, sizeof(home), "%s%s", root, line + 3) <
				    (int)sizeof(home));
		}
	fclose(list);
	assert_true(*home);
	return home;
}

/* Moves this process to the cgroup. Sockets that it opens afterwards belong to the cgroup. */
static inline void lab_enter(const char *cgroup)
{
	char path[PATH_MAX + 16];
	int fd;

	lab_home();
	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	assert_return_code(fd, errno);
	assert_int_equal(write(fd, "0", 1), 1);
	close(fd);
}

/* Creates a cgroup below the runner's cgroup, or below the root. */
static inline void lab_cgroup(const char *name, char path[PATH_MAX])
{
	const char *above = getenv("TEST_CGROUP");
	char root[PATH_MAX];

	if (!above) {
		assert_int_equal(mounts_cgroup2(root, sizeof(root)), 0);
		above = root;
	}
	assert_true(snprintf(path, PATH_MAX, "%s/sluice-%s.%d", above, name, getpid()) < PATH_MAX);
	assert_return_code(mkdir(path, 0755), errno);
}

static inline void lab_cgroup_remove(const char *path)
{
	if (!*path)
		return;
	lab_enter(lab_home());
	assert_return_code(rmdir(path), errno);
}

/* --- sockets */

struct lab_end {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
	};
	socklen_t size;
};

static inline struct lab_end lab_end(const char *addr, unsigned int port)
{
	struct lab_end end = { 0 };

	if (lab_family(addr) == AF_INET) {
		end.size = sizeof(end.in);
		end.in.sin_family = AF_INET;
		end.in.sin_port = htons(port);
		assert_int_equal(inet_pton(AF_INET, addr, &end.in.sin_addr), 1);
	} else {
		end.size = sizeof(end.in6);
		end.in6.sin6_family = AF_INET6;
		end.in6.sin6_port = htons(port);
		assert_int_equal(inet_pton(AF_INET6, addr, &end.in6.sin6_addr), 1);
	}
	return end;
}

static inline void lab_option(int fd, int level, int option, int value)
{
	assert_return_code(setsockopt(fd, level, option, &value, sizeof(value)), errno);
}

/* Opens a bound UDP socket; with port 0, the kernel selects the port. "::" is dual-stack. */
static inline int lab_socket(const char *addr, unsigned int port)
{
	const struct timeval wait = { .tv_sec = LAB_WAIT_S };
	struct lab_end end = lab_end(addr, port);
	int fd = socket(end.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_return_code(fd, errno);
	assert_return_code(setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &wait, sizeof(wait)), errno);
	assert_return_code(bind(fd, &end.any, end.size), errno);
	return fd;
}

static inline __u64 lab_cookie(int fd)
{
	__u64 cookie = 0;
	socklen_t size = sizeof(cookie);

	assert_return_code(getsockopt(fd, SOL_SOCKET, SO_COOKIE, &cookie, &size), errno);
	return cookie;
}

static inline __be16 lab_port_be(int fd)
{
	struct lab_end end = { .size = sizeof(end.in6) };

	assert_return_code(getsockname(fd, &end.any, &end.size), errno);
	return end.in.sin_port;
}

static inline void lab_send(int fd, const struct lab_end *to, size_t size)
{
	static const char payload[65536] = "sluice";

	assert_int_equal(sendto(fd, payload, size, 0, &to->any, to->size), size);
}

static inline void lab_request(int client, const char *addr, unsigned int port)
{
	struct lab_end to = lab_end(addr, port);

	lab_send(client, &to, 8);
}

/* Receives a datagram. Returns its source. */
static inline struct lab_end lab_receive(int fd)
{
	struct lab_end from = { .size = sizeof(from.in6) };
	char payload[65536];

	assert_return_code(recvfrom(fd, payload, sizeof(payload), 0, &from.any, &from.size), errno);
	return from;
}

static inline const char *lab_text(const struct lab_end *end, char text[INET6_ADDRSTRLEN])
{
	if (end->any.sa_family == AF_INET)
		inet_ntop(AF_INET, &end->in.sin_addr, text, INET6_ADDRSTRLEN);
	else
		inet_ntop(AF_INET6, &end->in6.sin6_addr, text, INET6_ADDRSTRLEN);
	return text;
}

/* Receives an answer and checks its source. */
static inline void lab_expect(int client, const char *wanted)
{
	struct lab_end from = lab_receive(client);
	char text[INET6_ADDRSTRLEN];

	assert_string_equal(lab_text(&from, text), wanted);
}

/* Sends a request to @addr and checks that the answer comes from @wanted. */
static inline void lab_exchange(int client, int server, const char *addr, const char *wanted)
{
	struct lab_end peer;

	lab_request(client, addr, ntohs(lab_port_be(server)));
	peer = lab_receive(server);
	lab_send(server, &peer, 8);
	lab_expect(client, wanted);
}

#endif
