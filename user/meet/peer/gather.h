/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gathers the host candidates of a peer: the addresses of the real interfaces of this host. */
#ifndef SLUICE_MEET_PEER_GATHER_H
#define SLUICE_MEET_PEER_GATHER_H

#include "base/err.h"
#include "meet/candidate.h"

/*
 * Reads the addresses of this network namespace. Skips interfaces that are down, and virtual
 * interfaces such as the bridge of docker, unless @interfaces names them (a list that NULL
 * terminates; NULL: all real interfaces). Temporary IPv6 addresses come before others; deprecated
 * addresses are skipped. @port_be: port of the registered socket. Returns the number of candidates,
 * at most CANDIDATES_MAX; or -errno with *err set.
 */
int gather_host(struct candidate candidates[CANDIDATES_MAX], const char *const *interfaces,
		in_port_t port_be, bool ip6, struct err *err);

#endif
