/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The option --metrics, and the key `metrics`. */
#ifndef SLUICE_METRICS_OPTIONS_H
#define SLUICE_METRICS_OPTIONS_H

#include "cli/opt.h"

#include <netinet/in.h>

struct metrics_address {
	struct in6_addr addr; /* IPv4 as ::ffff:a.b.c.d */
	in_port_t port_be;    /* 0: no server */
};

/* Parses ADDR:PORT, or PORT on 127.0.0.1, into a struct metrics_address. */
int metrics_opt(const struct opt_value *v, struct err *err);

#define METRICS_OPT_ARG "[ADDR:]PORT"
#define METRICS_OPT_HELP                                                                \
	"serve metrics for Prometheus, and probes, over HTTP at this address, without " \
	"authentication; a port without an address is a port of 127.0.0.1"

#endif
