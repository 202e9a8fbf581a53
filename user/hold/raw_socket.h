/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's access to one network namespace: the raw sockets that send keepalives.
 *
 * A raw socket sends with the addresses and ports of the application's socket, and through the same
 * routes, netfilter hooks and conntrack. A NAT thus sees no difference. The application's socket is
 * not changed. The kernel closes the raw sockets when this process exits.
 *
 * The raw sockets hold a reference to the namespace, so the caller must close the outlet when no
 * tracked socket is open in the namespace.
 */
#ifndef SLUICE_HOLD_RAW_SOCKET_H
#define SLUICE_HOLD_RAW_SOCKET_H

#include "base/err.h"
#include "hold/send_options.h"

#include <sluice/hold.h>
#include <stdbool.h>
#include <stddef.h>

struct outlet;

#define OUTLET_BATCH 64

/* A keepalive and its result. */
struct outlet_send {
	struct sluice_hold_flow flow;
	unsigned int ttl;
	int result; /* 0 or -errno */
};

/*
 * Opens an outlet in the namespace @netns, and returns the thread to the namespace @home_fd.
 * Returns 0, or -errno with *err set; -ENOENT if the namespace has neither a name nor a process.
 */
int outlet_open(struct outlet **outlet, __u32 netns, int home_fd, struct err *err);
void outlet_close(struct outlet *outlet);

/* Sends up to OUTLET_BATCH keepalives, and sets the result of each. */
void outlet_send(struct outlet *outlet, struct outlet_send *sends, size_t count,
		 enum hold_payload payload, __u64 seed);

/* Enters the namespace. Returns 0 or -errno. */
int outlet_enter(const struct outlet *outlet);
/* Returns to the home namespace. Exits on failure: the daemon must not run in another namespace. */
void outlet_leave(const struct outlet *outlet);

struct nl;
/* Returns a ctnetlink socket in the namespace, or NULL. */
struct nl *outlet_conntrack(struct outlet *outlet);

#endif
