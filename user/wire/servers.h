/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_WIRE_SERVERS_H
#define SLUICE_WIRE_SERVERS_H

#include "base/err.h"
#include "wire/options.h"

/*
 * Checks that no address of the server behind a gateway is local in the network namespace of the
 * calling thread. Returns 0, or -errno with *err set.
 */
int wire_servers_check(const struct wire_addrs *servers, struct err *err);

#endif
