/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mapped candidate of a peer: a port that its gateway forwards to it, by NAT-PMP or UPnP. A
 * process of its own talks to the gateway (helper.h); nothing here blocks.
 */
#ifndef SLUICE_MEET_MAPPING_MAPPING_H
#define SLUICE_MEET_MAPPING_MAPPING_H

#include "base/loop.h"
#include "meet/candidate.h"
#include "meet/peer/options.h"

struct mapping;

/*
 * Starts the process. Call it before any key is read: the process is a copy of this one. Returns 0
 * with *mapping NULL for PEER_PORT_MAPPING_OFF, or -errno. All other functions accept NULL.
 */
int mapping_start(struct mapping **mapping, enum peer_port_mapping wanted);
/* The gateway is the next router toward this server. The first one with IPv4 counts. */
void mapping_toward(struct mapping *mapping, const struct stun_endpoint *server);
/*
 * Wants a mapping of this port, and calls changed(arg) when mapping_candidate() may return
 * something else. Returns 0 or -errno.
 */
int mapping_watch(struct mapping *mapping, struct loop *loop, in_port_t port_be, loop_fn changed,
		  void *arg);
/* The network has changed or a path was lost: the mapping may be lost, too. */
void mapping_doubt(struct mapping *mapping);
/* A server sees this peer at this address. */
void mapping_seen(struct mapping *mapping, unsigned int server, const struct stun_endpoint *at);
/*
 * Returns whether there is a mapping that others may be able to use. A public address that is not
 * the one that the servers see is that of another NAT beyond the gateway, or a false one; servers
 * refuse it. A private address is of use to peers behind the same NAT beyond the gateway.
 */
bool mapping_candidate(const struct mapping *mapping, struct candidate *candidate);
/* Releases the mapping, and waits for that, two seconds at most. */
void mapping_stop(struct mapping *mapping);

#endif
