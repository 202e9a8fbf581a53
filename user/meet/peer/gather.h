/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Gathers the host candidates of a peer: the addresses of the real interfaces of this host. */
#ifndef SLUICE_MEET_PEER_GATHER_H
#define SLUICE_MEET_PEER_GATHER_H

#include "base/err.h"
#include "meet/candidate.h"

/*
 * Reads the addresses of this network namespace. Leaves out interfaces that are down, and those
 * that do not lead to other hosts by themselves: bridges, docker's and other virtual ones, unless
 * @interfaces names them (a list of names that NULL ends; NULL: the real ones). Temporary IPv6
 * addresses come first, deprecated ones are left out. @port_be: of the socket that has registered.
 * Returns the number of candidates, at most CANDIDATES_MAX; or -errno with *err set.
 */
int gather_host(struct candidate candidates[CANDIDATES_MAX], const char *const *interfaces,
		in_port_t port_be, bool ip6, struct err *err);

#endif
