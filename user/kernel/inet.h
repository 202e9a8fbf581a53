/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this network namespace knows of IP and UDP: its own addresses, its sockets and who owns
 * them, and whether another host can be reached.  One snapshot, sorted, so that a hundred thousand
 * questions cost little; kernel/inet_dump.c fills it from the kernel, tests fill it by hand.
 */
#ifndef SLUICE_KERNEL_INET_H
#define SLUICE_KERNEL_INET_H

#include "base/err.h"

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define INET_BITS_MAX	  128
#define INET_PROCESS_SIZE 16 /* TASK_COMM_LEN */

/* Addresses that are ours, or (broadcast) those of a whole network of ours. */
struct inet_local {
	struct in6_addr addr; /* IPv4 as ::ffff:a.b.c.d, as everywhere */
	uint8_t bits;	      /* of the prefix; one IPv4 address has 128, too */
	bool broadcast;
};

struct inet_socket {
	struct in6_addr local; /* :: or ::ffff:0.0.0.0 for the wildcard */
	struct in6_addr peer;  /* all zero, and peer_port_be 0, unless connected */
	in_port_t local_port_be;
	in_port_t peer_port_be;
	uint32_t ifindex; /* it is bound to; 0: to none */
	uint32_t inode;
	uint64_t cookie;
	bool v6only;
	pid_t pid; /* 0: no process holds it, or none that can be seen: the kernel's own */
	char process[INET_PROCESS_SIZE];
};

/* A neighbour whose link address the kernel asks for, or has given up to ask for (failed). */
struct inet_neighbour {
	struct in6_addr addr;
	uint32_t ifindex;
	bool failed;
};

/* Why a host can't be reached; INET_REACH_OPEN unless the kernel leaves no doubt. */
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
	struct inet_host *host; /* those asked about with inet_query_hosts() */
	size_t hosts, host_room;
	bool ruled; /* there are routing rules beyond those that every host has */
};

/* Adds a copy. 0 or -ENOMEM. Nothing is found before inet_sort(). */
int inet_add_local(struct inet *inet, const struct inet_local *local);
int inet_add_socket(struct inet *inet, const struct inet_socket *socket);
int inet_add_neighbour(struct inet *inet, const struct inet_neighbour *neighbour);
int inet_add_host(struct inet *inet, const struct inet_host *host);
void inet_sort(struct inet *inet);
void inet_free(struct inet *inet);

/* IPv4 address in network order as 16 bytes. */
struct in6_addr inet_from_ip4(in_addr_t addr_be);
/* Is it a unicast address of this namespace? */
bool inet_is_local(const struct inet *inet, const struct in6_addr *addr);
/* Do many hear it: multicast, the limited broadcast, or the broadcast address of a network here? */
bool inet_is_shared(const struct inet *inet, const struct in6_addr *addr);
/*
 * The socket that a datagram from the peer to the local address would reach, as in the kernel's
 * __udp4_lib_lookup() and __udp6_lib_lookup(): a connected one before one bound to the address
 * before a wildcard one.  NULL if there is none.  A device it is bound to is not looked at.
 */
const struct inet_socket *inet_find_socket(const struct inet *inet, const struct in6_addr *local,
					   in_port_t local_port_be, const struct in6_addr *peer,
					   in_port_t peer_port_be);
/* Does the kernel itself receive on the port, as for VXLAN?  Then it sends from any port. */
bool inet_is_kernel_port(const struct inet *inet, in_port_t port_be);
bool inet_has_neighbour(const struct inet *inet, const struct in6_addr *addr, uint32_t ifindex);
/* What inet_query_hosts() found; INET_REACH_OPEN for an address that was not asked about. */
enum inet_reach inet_host_reach(const struct inet *inet, const struct in6_addr *addr);

/*
 * Reads the silent neighbours alone, or all but the hosts, of the calling thread's namespace into
 * *inet, sorted.  0, or -errno with *err set and *inet empty.
 */
int inet_read_neighbours(struct inet *inet, struct err *err);
int inet_read(struct inet *inet, struct err *err);
/*
 * Drops neighbours that may merely be slow: those that are still being asked for and were not
 * silent when *earlier was read, which may be NULL.  (A host that lives answers in milliseconds;
 * while packets are sent to one that does not, it fails for a moment only every few seconds.)
 */
void inet_drop_slow(struct inet *inet, const struct inet *earlier);
/* Asks the kernel for the way to each of the addresses, which may repeat. The same result. */
int inet_query_hosts(struct inet *inet, const struct in6_addr *addr, size_t count, struct err *err);

struct nl;
/*
 * Asks the kernel itself whether a datagram would find a socket; it knows of BPF programs that
 * choose one (sk_lookup).  1, 0, or -errno.  `diag` is a NETLINK_SOCK_DIAG socket.
 */
int inet_query_socket(struct nl *diag, const struct in6_addr *local, in_port_t local_port_be,
		      const struct in6_addr *peer, in_port_t peer_port_be);

#endif
