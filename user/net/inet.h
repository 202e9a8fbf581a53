/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The IP and UDP state of a network namespace: its addresses, its sockets with their owners, and
 * unreachable hosts. The snapshot is sorted, so that 100,000 lookups are cheap. net/inet_dump.c
 * fills it from the kernel; tests fill it by hand.
 */
#ifndef SLUICE_NET_INET_H
#define SLUICE_NET_INET_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define INET_BITS_MAX	  128
#define INET_PROCESS_SIZE 16 /* TASK_COMM_LEN */

/* A local address, or the broadcast address of a local network. */
struct inet_local {
	struct in6_addr addr; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;	      /* prefix length; 128 also for a single IPv4 address */
	bool broadcast;
};

struct inet_socket {
	struct in6_addr local; /* :: or ::ffff:0.0.0.0 for the wildcard */
	struct in6_addr peer;  /* all zero, and peer_port_be 0, unless connected */
	in_port_t local_port_be;
	in_port_t peer_port_be;
	uint32_t ifindex; /* SO_BINDTODEVICE; 0: not bound to a device */
	uint32_t inode;
	uint64_t cookie;
	bool v6only;
	pid_t pid; /* 0: a kernel socket, or its process is not visible */
	char process[INET_PROCESS_SIZE];
};

/* A neighbour that does not answer ARP or NDP: still being probed, or failed. */
struct inet_neighbour {
	struct in6_addr addr;
	uint32_t ifindex;
	bool failed;
};

/* The reachability of a host; INET_REACH_OPEN if unknown. */
enum inet_reach {
	INET_REACH_OPEN,
	INET_REACH_NO_ROUTE,
	INET_REACH_NO_NEIGHBOUR,
};

struct inet_host {
	struct in6_addr addr;
	enum inet_reach reach;
};

struct inet {
	struct inet_local *local;
	size_t locals, local_room, local_hosts; /* the first local_hosts are single addresses */
	struct inet_socket *socket;
	size_t sockets, socket_room;
	struct inet_neighbour *neighbour;
	size_t neighbours, neighbour_room;
	struct inet_host *host; /* the addresses given to inet_query_hosts() */
	size_t hosts, host_room;
	bool ruled; /* there are routing rules ahead of main, other than local */
};

/* Add a copy; lookups find it only after inet_sort(). Return 0 or -ENOMEM. */
int inet_add_local(struct inet *inet, const struct inet_local *local);
int inet_add_socket(struct inet *inet, const struct inet_socket *socket);
int inet_add_neighbour(struct inet *inet, const struct inet_neighbour *neighbour);
int inet_add_host(struct inet *inet, const struct inet_host *host);
void inet_sort(struct inet *inet);
void inet_free(struct inet *inet);

/* Maps an IPv4 address to IPv6. */
struct in6_addr inet_from_ip4(in_addr_t addr_be);
/* Returns true if @addr is a unicast address of this namespace. */
bool inet_is_local(const struct inet *inet, const struct in6_addr *addr);
/*
 * Returns true for a multicast address, 255.255.255.255, or the broadcast address of a local
 * network.
 */
bool inet_is_shared(const struct inet *inet, const struct in6_addr *addr);
/*
 * Finds the socket that a datagram from the peer to the local address would reach, in the order of
 * __udp4_lib_lookup() and __udp6_lib_lookup(): connected, bound to the address, wildcard. Ignores
 * SO_BINDTODEVICE. Returns NULL if no socket matches.
 */
const struct inet_socket *inet_find_socket(const struct inet *inet, const struct in6_addr *local,
					   in_port_t local_port_be, const struct in6_addr *peer,
					   in_port_t peer_port_be);
/*
 * Returns true if a kernel socket, such as that of VXLAN, receives on the port. The kernel may then
 * send from any port.
 */
bool inet_is_kernel_port(const struct inet *inet, in_port_t port_be);
bool inet_has_neighbour(const struct inet *inet, const struct in6_addr *addr, uint32_t ifindex);
/* Returns the result of inet_query_hosts(); INET_REACH_OPEN for any other address. */
enum inet_reach inet_host_reach(const struct inet *inet, const struct in6_addr *addr);

/*
 * Read tables of the calling thread's namespace into *inet and sort them: only the unresolved
 * neighbours, or all tables except the hosts. Return 0, or -errno with *err set and *inet empty.
 */
int inet_read_neighbours(struct inet *inet, struct err *err);
int inet_read(struct inet *inet, struct err *err);
/*
 * Drops neighbours that may only be slow: those that are still being probed, unless @earlier (which
 * may be NULL) has them too. A live host answers within milliseconds. A dead host to which packets
 * are sent is in state FAILED only briefly, every few seconds.
 */
void inet_drop_slow(struct inet *inet, const struct inet *earlier);
/*
 * Queries the route to each address; @addr may contain duplicates. Returns 0, or -errno with *err
 * set.
 */
int inet_query_hosts(struct inet *inet, const struct in6_addr *addr, size_t count, struct err *err);

struct nl;
/*
 * Queries the kernel's socket lookup, which includes BPF programs (sk_lookup), for a datagram from
 * the peer to the local address. Returns 1 if the kernel finds a socket, 0 if not, or -errno. @diag
 * is a NETLINK_SOCK_DIAG socket.
 */
int inet_query_socket(struct nl *diag, const struct in6_addr *local, in_port_t local_port_be,
		      const struct in6_addr *peer, in_port_t peer_port_be);

#endif
