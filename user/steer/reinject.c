// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/reinject.h"

#include "base/netns.h"
#include "kernel/sockets.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/udp.h>
#include <poll.h>
#include <sluice/checksum.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef UDP_GRO /* linux 5.0 */
#define UDP_GRO 104
#endif

#define DATAGRAM_MAX 65535
#define HOP_LIMIT    64

/* The minimum receive memory that the kernel charges for a datagram: a struct sk_buff and data. */
#define MEMORY_MIN 256

struct outlet {
	int raw4;
	int raw6;
	__u16 port;
};

struct datagram {
	struct sockaddr_in6 from; /* IPv4 as ::ffff:a.b.c.d */
	struct in6_addr to;
	const __u8 *payload;
	size_t length;
};

bool reinject_waits(int socket_fd)
{
	struct pollfd wait = { .fd = socket_fd, .events = POLLIN };

	return poll(&wait, 1, 0) == 1 && wait.revents & POLLIN;
}

__u64 reinject_discard(int socket_fd)
{
	__u64 count = 0;
	char byte;

	while (recv(socket_fd, &byte, sizeof(byte), MSG_DONTWAIT) >= 0)
		count++;
	return count;
}

/* --- sending */

/* Computes the UDP checksum with the pseudo header (RFC 768, RFC 8200 section 8.1). */
static __be16 udp_checksum(const struct in6_addr *from, const struct in6_addr *to,
			   const struct udphdr *udp, size_t length)
{
	const __u8 *bytes = (const __u8 *)udp;
	__u64 sum = IPPROTO_UDP + length;
	size_t i;
	__u16 folded;

	for (i = 0; i < sizeof(*from); i += 2) {
		sum += (__u32)(from->s6_addr[i] << 8 | from->s6_addr[i + 1]);
		sum += (__u32)(to->s6_addr[i] << 8 | to->s6_addr[i + 1]);
	}
	for (i = 0; i < length; i++)
		sum += i & 1 ? bytes[i] : (__u32)(bytes[i] << 8);
	folded = (__u16)~checksum_fold(sum);
	return htons(folded ? folded : 0xffff);
}

static void udp_fill(struct udphdr *udp, const struct datagram *datagram, __u16 port,
		     const struct in6_addr *from, const struct in6_addr *to)
{
	size_t length = sizeof(*udp) + datagram->length;

	memcpy(udp + 1, datagram->payload, datagram->length);
	*udp = (struct udphdr){ .source = datagram->from.sin6_port,
				.dest = htons(port),
				.len = htons((__u16)length) };
	udp->check = udp_checksum(from, to, udp, length);
}

/* Returns the IPv4 address without its prefix, so that both families sum the same structure. */
static struct in6_addr only_ip4(const struct in6_addr *mapped)
{
	struct in6_addr addr = { 0 };

	addr.s6_addr32[3] = mapped->s6_addr32[3];
	return addr;
}

static int send4(const struct outlet *outlet, const struct datagram *datagram, void *packet)
{
	struct in6_addr from = only_ip4(&datagram->from.sin6_addr), to = only_ip4(&datagram->to);
	size_t length = sizeof(struct iphdr) + sizeof(struct udphdr) + datagram->length;
	struct sockaddr_in where = { .sin_family = AF_INET, .sin_addr.s_addr = to.s6_addr32[3] };
	struct iphdr *ip = packet;

	if (length > DATAGRAM_MAX)
		return -EMSGSIZE;
	/* the kernel fills in length, identification and checksum (raw(7)) */
	*ip = (struct iphdr){ .version = 4,
			      .ihl = sizeof(*ip) / 4,
			      .ttl = HOP_LIMIT,
			      .protocol = IPPROTO_UDP,
			      .saddr = from.s6_addr32[3],
			      .daddr = to.s6_addr32[3] };
	udp_fill((struct udphdr *)(ip + 1), datagram, outlet->port, &from, &to);
	return sendto(outlet->raw4, packet, length, 0, (struct sockaddr *)&where, sizeof(where)) < 0
		       ? -errno
		       : 0;
}

static int send6(const struct outlet *outlet, const struct datagram *datagram, void *packet)
{
	size_t payload = sizeof(struct udphdr) + datagram->length;
	struct sockaddr_in6 where = { .sin6_family = AF_INET6,
				      .sin6_addr = datagram->to,
				      .sin6_scope_id = datagram->from.sin6_scope_id };
	struct ip6_hdr *ip = packet;

	if (payload > DATAGRAM_MAX)
		return -EMSGSIZE;
	*ip = (struct ip6_hdr){ .ip6_flow = htonl(6U << 28),
				.ip6_plen = htons((__u16)payload),
				.ip6_nxt = IPPROTO_UDP,
				.ip6_hlim = HOP_LIMIT,
				.ip6_src = datagram->from.sin6_addr,
				.ip6_dst = datagram->to };
	udp_fill((struct udphdr *)(ip + 1), datagram, outlet->port, &ip->ip6_src, &ip->ip6_dst);
	return sendto(outlet->raw6, packet, sizeof(*ip) + payload, 0, (struct sockaddr *)&where,
		      sizeof(where)) < 0
		       ? -errno
		       : 0;
}

static int datagram_send(const struct outlet *outlet, const struct datagram *datagram)
{
	static __u8 packet[sizeof(struct ip6_hdr) + sizeof(struct udphdr) + DATAGRAM_MAX]
		__attribute__((aligned(8)));

	return IN6_IS_ADDR_V4MAPPED(&datagram->to) ? send4(outlet, datagram, packet)
						   : send6(outlet, datagram, packet);
}

/* --- reading */

static void map_ip4(struct in6_addr *to, const struct in_addr *addr)
{
	*to = (struct in6_addr){ 0 };
	to->s6_addr[10] = to->s6_addr[11] = 0xff;
	memcpy(&to->s6_addr[12], addr, sizeof(*addr));
}

static void from_fill(struct datagram *datagram, const struct sockaddr_storage *from)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)from;

	if (from->ss_family == AF_INET6) {
		memcpy(&datagram->from, from, sizeof(datagram->from));
		return;
	}
	datagram->from = (struct sockaddr_in6){ .sin6_family = AF_INET6,
						.sin6_port = in->sin_port };
	map_ip4(&datagram->from.sin6_addr, &in->sin_addr);
}

/* Reads the destination address, and the segment size if the kernel has merged datagrams (GRO). */
static bool control_read(struct msghdr *message, struct datagram *datagram, size_t *part)
{
	struct cmsghdr *item;
	bool found = false;

	for (item = CMSG_FIRSTHDR(message); item; item = CMSG_NXTHDR(message, item)) {
		const void *data = CMSG_DATA(item);

		if (item->cmsg_level == SOL_IP && item->cmsg_type == IP_PKTINFO) {
			map_ip4(&datagram->to, &((const struct in_pktinfo *)data)->ipi_addr);
			found = true;
		} else if (item->cmsg_level == SOL_IPV6 && item->cmsg_type == IPV6_PKTINFO) {
			datagram->to = ((const struct in6_pktinfo *)data)->ipi6_addr;
			found = true;
		} else if (item->cmsg_level == SOL_UDP && item->cmsg_type == UDP_GRO) {
			int size;

			memcpy(&size, data, sizeof(size));
			*part = size > 0 ? (size_t)size : *part;
		}
	}
	return found;
}

/*
 * Multicast and broadcast datagrams are not reinjected: every socket has its own copy already, the
 * copy would also leave the host, and this socket would receive it again, without end.
 */
static bool is_for_many(const struct in6_addr *to)
{
	__u32 ip4 = ntohl(to->s6_addr32[3]);

	if (!IN6_IS_ADDR_V4MAPPED(to))
		return IN6_IS_ADDR_MULTICAST(to);
	return IN_MULTICAST(ip4) || ip4 == INADDR_BROADCAST;
}

static void parts_send(const struct outlet *outlet, struct datagram *datagram, const __u8 *payload,
		       size_t length, size_t part, struct reinjected *reinjected)
{
	size_t at = 0;
	int result;

	if (is_for_many(&datagram->to))
		return;
	do {
		datagram->payload = payload + at;
		datagram->length = length - at < part ? length - at : part;
		result = datagram_send(outlet, datagram);
		/* raw(7): the address is a network's broadcast address */
		reinjected->lost += result && result != -EACCES;
		reinjected->moved += !result;
		at += datagram->length;
	} while (at < length);
}

/* Reinjects one datagram.  Returns false if the queue is empty. */
static bool queue_move(int socket_fd, const struct outlet *outlet, struct reinjected *reinjected)
{
	static __u8 payload[DATAGRAM_MAX];
	char control[512];
	struct sockaddr_storage from = { 0 };
	struct iovec room = { payload, sizeof(payload) };
	struct msghdr message = { .msg_name = &from,
				  .msg_namelen = sizeof(from),
				  .msg_iov = &room,
				  .msg_iovlen = 1,
				  .msg_control = control,
				  .msg_controllen = sizeof(control) };
	struct datagram datagram = { 0 };
	ssize_t length = recvmsg(socket_fd, &message, MSG_DONTWAIT);
	size_t part;

	/* recvmsg() returns a pending error once (IP_RECVERR); the queue may still hold datagrams
	 */
	if (length < 0)
		return errno != EAGAIN;
	part = (size_t)length;
	from_fill(&datagram, &from);
	if (control_read(&message, &datagram, &part))
		parts_send(outlet, &datagram, payload, (size_t)length, part, reinjected);
	else
		reinjected->lost++;
	return true;
}

/* --- in the network namespace of the socket */

static int outlet_open(struct outlet *outlet)
{
	int one = 1;

	outlet->raw4 = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	if (outlet->raw4 < 0 || setsockopt(outlet->raw4, SOL_IP, IP_HDRINCL, &one, sizeof(one)))
		return -errno;
	/* without IPv6 in the kernel, no datagram needs this socket */
	outlet->raw6 = socket(AF_INET6, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
	return 0;
}

static void outlet_close(const struct outlet *outlet)
{
	if (outlet->raw4 >= 0)
		close(outlet->raw4);
	if (outlet->raw6 >= 0)
		close(outlet->raw6);
}

static int outlet_open_at(int socket_fd, struct outlet *outlet)
{
	struct err ignored;
	int there = ioctl(socket_fd, SIOCGSKNS), here, result;

	if (there < 0)
		return -errno;
	here = netns_open(NULL, &ignored);
	result = here < 0 ? here : netns_switch(there);
	if (!result) {
		result = outlet_open(outlet);
		netns_switch(here);
	}
	if (here >= 0)
		close(here);
	close(there);
	return result;
}

/*
 * The socket option that makes recvmsg() return the destination address.  The kernel keeps the
 * address of each datagram, so the option also works for those queued before it was set.
 */
struct destination {
	int level;
	int option;
	int before;
};

static int destination_ask(int socket_fd, struct destination *destination)
{
	int one = 1, family = 0;
	socklen_t length = sizeof(family), size = sizeof(destination->before);

	if (getsockopt(socket_fd, SOL_SOCKET, SO_DOMAIN, &family, &length))
		return -errno;
	*destination = family == AF_INET6 ? (struct destination){ SOL_IPV6, IPV6_RECVPKTINFO, 0 }
					  : (struct destination){ SOL_IP, IP_PKTINFO, 0 };
	if (getsockopt(socket_fd, destination->level, destination->option, &destination->before,
		       &size) ||
	    setsockopt(socket_fd, destination->level, destination->option, &one, sizeof(one)))
		return -errno;
	return 0;
}

/* The process may keep running, and must not receive control messages that it did not request. */
static void destination_restore(int socket_fd, const struct destination *destination)
{
	if (!destination->before)
		setsockopt(socket_fd, destination->level, destination->option, &destination->before,
			   sizeof(destination->before));
}

/*
 * Stops with -ELOOP after as many datagrams as the queue can have held: without another worker, the
 * reinjected datagrams return to this socket.
 */
static int queue_empty(int socket_fd, const struct outlet *outlet, struct reinjected *reinjected)
{
	struct socket_memory memory;
	int result = sockets_memory(socket_fd, &memory);
	__u32 left;

	if (result)
		return result;
	for (left = memory.used / MEMORY_MIN + 1; left; left--)
		if (!queue_move(socket_fd, outlet, reinjected))
			return 0;
	return -ELOOP;
}

int reinject(int socket_fd, __u16 port, struct reinjected *reinjected)
{
	struct outlet outlet = { -1, -1, port };
	struct destination destination;
	int result = outlet_open_at(socket_fd, &outlet);

	if (!result)
		result = destination_ask(socket_fd, &destination);
	if (!result) {
		result = queue_empty(socket_fd, &outlet, reinjected);
		destination_restore(socket_fd, &destination);
	}
	outlet_close(&outlet);
	return result;
}
