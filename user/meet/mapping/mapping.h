/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The mapped candidate of a peer: a port that its gateway forwards to it, by NAT-PMP or UPnP. A
 * separate process talks to the gateway (helper.h), so nothing here blocks.
 */
#ifndef SLUICE_MEET_MAPPING_MAPPING_H
#define SLUICE_MEET_MAPPING_MAPPING_H

#include "base/loop.h"
#include "meet/candidate.h"
#include "meet/peer/options.h"

struct mapping;

/*
 * Starts the process. Call it before reading any key: it forks. Returns 0 with *mapping NULL for
 * PEER_PORT_MAPPING_OFF, or -errno. All other functions accept NULL.
 */
int mapping_start(struct mapping **mapping, enum peer_port_mapping wanted);
/* Selects the gateway: the next hop toward this server. Only the first IPv4 server counts. */
void mapping_toward(struct mapping *mapping, const struct stun_endpoint *server);
/*
 * Requests a mapping of this port. Calls changed(arg) whenever the result of mapping_candidate()
 * may have changed. Returns 0 or -errno.
 */
int mapping_watch(struct mapping *mapping, struct loop *loop, in_port_t port_be, loop_fn changed,
		  void *arg);
/* Checks the mapping, since a network change or a lost path may mean that it is gone. */
void mapping_doubt(struct mapping *mapping);
/* Records the address at which a server sees this peer. */
void mapping_seen(struct mapping *mapping, unsigned int server, const struct stun_endpoint *at);
/*
 * Returns true if there is a mapping that other peers may be able to use. A public address that no
 * server sees belongs to a second NAT or is false, and servers refuse it. A private address serves
 * peers behind the same second NAT.
 */
bool mapping_candidate(const struct mapping *mapping, struct candidate *candidate);
/* Releases the mapping. Waits at most two seconds. */
void mapping_stop(struct mapping *mapping);

#endif
