/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The fast path of the rendezvous server: an XDP program that answers ordinary requests without
 * waking the server (bpf/meet/meet.bpf.c).
 *
 * Nothing is pinned. The kernel detaches the program when this process exits for any reason. If the
 * process hangs, the program stops answering within MEET_XDP_LEASE_S. After meet_xdp_open() and
 * meet_xdp_listen(), no capabilities are needed any more.
 */
#ifndef SLUICE_MEET_RENDEZVOUS_XDP_H
#define SLUICE_MEET_RENDEZVOUS_XDP_H

#include "base/err.h"
#include "meet/rendezvous/config.h"
#include "net/stun.h"

#include <linux/bpf.h>
#include <net/if.h>
#include <sluice/meet.h>
#include <stdbool.h>

/* Seconds that the program answers after meet_xdp_renew(), which must be called more often. */
#define MEET_XDP_LEASE_S 10
#define MEET_XDP_RENEW_S 3

struct meet_xdp;

struct meet_xdp_options {
	const char (*ifname)[IFNAMSIZ];
	unsigned int ifcount; /* at most MEET_XDP_IFACES_MAX */
	uint32_t peers;	      /* registrations, by slot */
	uint32_t rate;	      /* answers a second to an unauthenticated prefix; 0: no limit */
};

struct meet_xdp_iface {
	char name[IFNAMSIZ];
	__u32 ifindex;
	bool native;   /* in the driver, without an skb */
	char why[128]; /* why it is not native, or "" */
};

/*
 * Loads the program and attaches it to all interfaces, or to none. It answers nothing yet. Returns
 * 0, or -errno with *err set: EXIT_CONFLICT if an interface has the XDP program of another owner.
 */
int meet_xdp_open(struct meet_xdp **xdp, const struct meet_xdp_options *options, struct err *err);
/* Detaches the program. @xdp may be NULL. */
void meet_xdp_close(struct meet_xdp *xdp);
/*
 * Adds an address of the server, with bits of enum sluice_meet_service. It must not be the
 * wildcard: the program could not know which datagrams are for this host.
 */
int meet_xdp_listen(struct meet_xdp *xdp, const struct stun_endpoint *at, __u32 services,
		    struct err *err);

/* Extends the lease. */
void meet_xdp_renew(struct meet_xdp *xdp);
/* Lets the program answer the UDP refreshes of a registration. Ignores slots beyond the table. */
void meet_xdp_put_peer(struct meet_xdp *xdp, __u32 slot, const struct sluice_meet_peer *peer);
void meet_xdp_remove_peer(struct meet_xdp *xdp, __u32 slot);
/*
 * Returns the time since the program last answered a refresh of a registration, or UINT64_MAX if it
 * never has.
 */
uint64_t meet_xdp_idle_ns(const struct meet_xdp *xdp, __u32 slot);
/* Sums the counters over all CPUs. */
void meet_xdp_counters(const struct meet_xdp *xdp, __u64 sum[SLUICE_MEET_COUNTERS_MAX]);
#define MEET_XDP_PROGRAMS 2 /* native, generic */
/*
 * Reads name and run time of a program. Returns 0 or -errno: -EPERM before Linux 5.19 if the
 * process has no CAP_BPF and kernel.unprivileged_bpf_disabled is set (kernel/bpf/syscall.c,
 * __sys_bpf()).
 */
int meet_xdp_program(const struct meet_xdp *xdp, unsigned int i, struct bpf_prog_info *info);
const struct meet_xdp_iface *meet_xdp_ifaces(const struct meet_xdp *xdp, unsigned int *count);

struct endpoints;
struct loop;
struct rendezvous_options;
struct server_config;
/*
 * Sets all of this up for a server with XDP interfaces. The program answers refreshes, and Binding
 * requests at addresses without an alternate. Returns 0, or -errno with *err set. The caller must
 * call meet_xdp_close() in either case.
 */
int meet_xdp_start(struct meet_xdp **xdp, const struct rendezvous_options *options,
		   struct server_config *config, const struct endpoints *endpoints,
		   struct loop *loop, struct err *err);
/* Logs how the program is attached. @xdp may be NULL. */
void meet_xdp_log(const struct meet_xdp *xdp);

#endif
