/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The rendezvous server as a process: its options, and its main loop. */
#ifndef SLUICE_MEET_RENDEZVOUS_RENDEZVOUS_H
#define SLUICE_MEET_RENDEZVOUS_RENDEZVOUS_H

#include "base/err.h"
#include "cli/opt.h"
#include "meet/rendezvous/server.h"
#include "metrics/options.h"

#include <stdbool.h>

#define RENDEZVOUS_NAME_DEFAULT "rendezvous"
#define RENDEZVOUS_NAME_MAX	32

struct endpoint_list {
	struct stun_endpoint at[LISTENERS_MAX];
	unsigned int count;
};

struct rendezvous_options {
	struct endpoint_list listen, alternate;
	char ifname[MEET_XDP_IFACES_MAX][IFNAMSIZ]; /* of --xdp */
	int ifcount;
	const char *key_file, *peers_file;
	const char *user;
	const char *name;
	__u32 max_peers, max_prefix, max_connections;
	__u32 rate, port_min;
	__u32 max_relays, relay_peer_rate, relay_rate; /* rates are in kB a second */
	struct metrics_address metrics;		       /* port_be 0: none */
	bool until_eof; /* commands on standard input replace signals */
};

extern const struct opt rendezvous_opts[];
/* --name, of all commands */
extern const struct opt rendezvous_name_opts[];

/*
 * Checks options that depend on each other, and sets the listeners of *config. Returns 0, or
 * -EINVAL with *err set.
 */
int rendezvous_listeners(const struct rendezvous_options *options, struct server_config *config,
			 struct err *err);

/*
 * Serves until SIGTERM, SIGINT or a second SIGUSR1. Returns 0, or -errno with *err set.
 */
int rendezvous_serve(const struct rendezvous_options *options, bool verbose, struct err *err);

#endif
