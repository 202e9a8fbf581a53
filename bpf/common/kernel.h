/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/*
 * The kernel types that the programs read, reduced to the fields in use. libbpf inserts the running
 * kernel's offsets (CO-RE), so the build needs no BTF of any kernel.
 */
#ifndef SLUICE_BPF_COMMON_KERNEL_H
#define SLUICE_BPF_COMMON_KERNEL_H

#include <linux/bpf.h>
#include <linux/types.h>
#include <stdbool.h>

#define AF_INET	 2
#define AF_INET6 10

#define __core __attribute__((preserve_access_index))

struct ns_common {
	unsigned int inum;
} __core;

typedef struct {
	int counter;
} atomic_t;

struct ipv4_devconf {
	int data[1]; /* IPV4_DEVCONF_MAX values (linux/ip.h) */
} __core;

struct netns_ipv4 {
	struct ipv4_devconf *devconf_all;
	atomic_t dev_addr_genid;
} __core;

struct netns_ipv6 {
	atomic_t dev_addr_genid;
} __core;

struct list_head {
	struct list_head *next;
} __core;

struct net {
	struct ns_common ns;
	struct list_head dev_base_head;
	struct netns_ipv4 ipv4;
	struct netns_ipv6 ipv6;
} __core;

struct net_device;
struct in_device;

struct in_ifaddr {
	struct in_ifaddr *ifa_next;
	struct in_device *ifa_dev;
	__be32 ifa_local;
	__be32 ifa_mask;
} __core;

struct in_device {
	struct net_device *dev;
	struct in_ifaddr *ifa_list;
	struct ipv4_devconf cnf;
} __core;

struct inet6_dev {
	struct net_device *dev;
	struct list_head addr_list;
} __core;

struct inet6_ifaddr {
	struct {
		__u8 bytes[16];
	} addr;
	struct list_head if_list;
	struct inet6_dev *idev;
} __core;

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	possible_net_t nd_net;
	struct {
		struct list_head upper;
	} adj_list;
	const unsigned char *dev_addr;
	unsigned int flags;
	struct list_head dev_list;
	struct in_device *ip_ptr;
	struct inet6_dev *ip6_ptr;
} __core;

/* net/core/dev.c: an upper device of a device; its master is the first in the list */
struct netdev_adjacent {
	struct net_device *dev;
	bool master;
	struct list_head list;
} __core;

typedef struct {
	__s64 counter;
} atomic64_t;

struct kernel_in6_addr {
	__u8 bytes[16];
};

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	unsigned short skc_family;
	__u8 skc_state;
	__u8 skc_reuseport : 1;
	int skc_bound_dev_if;
	__be16 skc_dport;
	__u16 skc_num;
	possible_net_t skc_net;
	struct kernel_in6_addr skc_v6_daddr;
	struct kernel_in6_addr skc_v6_rcv_saddr;
	atomic64_t skc_cookie;
} __core;

struct sock_reuseport;

struct xfrm_state;

struct dst_entry {
	struct net_device *dev;
	struct xfrm_state *xfrm;
} __core;

struct sk_buff_head {
	__u32 qlen;
} __core;

/* since Linux 6.18 */
struct numa_drop_counters {
	atomic_t drops0;
	atomic_t drops1;
} __core;

struct sock {
	struct sock_common __sk_common;
	struct dst_entry *sk_dst_cache;
	atomic_t sk_drops;
	struct sk_buff_head sk_receive_queue;
	struct numa_drop_counters *sk_drop_counters;
	struct {
		atomic_t rmem_alloc;
	} sk_backlog;
	int sk_rcvbuf;
	__u8 sk_userlocks : 4;
	__u16 sk_protocol;
	struct sock_reuseport *sk_reuseport_cb;
} __core;

struct ipv6_pinfo {
	union {
		struct {
			__u16 rxinfo : 1;	 /* IPV6_RECVPKTINFO */
			__u16 rxoinfo : 1;	 /* IPV6_2292PKTINFO */
			__u16 rxorigdstaddr : 1; /* IPV6_RECVORIGDSTADDR */
		} bits;
	} rxopt;
} __core;

struct inet_sock {
	struct ipv6_pinfo *pinet6;
	unsigned long inet_flags;
} __core;

/* before 6.6 (c274af224269); INET_PKTINFO and INET_ORIGDSTADDR have the same bits in both fields */
struct inet_sock___cmsg_flags {
	__u16 cmsg_flags;
} __core;

struct bpf_prog_aux {
	atomic64_t refcnt;
	__u32 id;
} __core;

struct bpf_prog {
	struct bpf_prog_aux *aux;
} __core;

struct sock_reuseport {
	__u16 num_socks;
	__u16 incoming_cpu;
	unsigned int reuseport_id;
	struct bpf_prog *prog;
	struct sock *socks[];
} __core;

struct sk_buff {
	struct net_device *dev;
	struct sock *sk;
	unsigned long _nfct;
	__u8 ip_summed : 2;
	__u16 csum_start;
	unsigned char *head;
	unsigned char *data;
	__u16 network_header;
} __core;

/* include/linux/filter.h: the kernel's context of a program on sendmsg(2) or connect(2) */
struct bpf_sock_addr_kern {
	struct sock *sk;
	void *uaddr; /* the destination, a struct sockaddr_in or sockaddr_in6 */
} __core;

/* include/linux/filter.h: the kernel's context of an sk_reuseport program */
struct sk_reuseport_kern {
	struct sk_buff *skb;
	struct sock *sk;
} __core;

union nf_inet_addr {
	__u32 all[4];
} __core;

struct nf_conntrack_man {
	union nf_inet_addr u3;
} __core;

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
} __core;

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
} __core;

struct nf_conn {
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status;
} __core;

#undef __core

/* include/net/tcp_states.h; also the state of a connected UDP socket */
#define TCP_ESTABLISHED 1
/* include/net/sock.h: the socket was bound to an address, or to a port, by bind(2) */
#define SOCK_BINDADDR_LOCK 4
#define SOCK_BINDPORT_LOCK 8
/* include/net/inet_sock.h: IP_PKTINFO and IP_RECVORIGDSTADDR */
#define INET_PKTINFO	 (1UL << 0)
#define INET_ORIGDSTADDR (1UL << 6)
/* include/uapi/linux/netfilter/nf_conntrack_common.h */
#define IPS_SEEN_REPLY (1UL << 1)
#define IPS_DST_NAT    (1UL << 5)
#define IP_CT_IS_REPLY 3
#define NFCT_INFOMASK  7UL

#endif
