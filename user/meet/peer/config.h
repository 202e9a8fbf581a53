/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The config file of a peer: the options of `peer run` or `peer connect` as keys of [peer]. */
#ifndef SLUICE_MEET_PEER_CONFIG_H
#define SLUICE_MEET_PEER_CONFIG_H

#include "cli/conf_keys.h"
#include "meet/peer/options.h"

struct peer_config {
	struct peer_identity identity;
	struct peer_exposed exposed; /* of `peer run` */
	struct peer_target target;   /* of `peer connect` */
	struct conf conf;	     /* owns the strings above */
};

/* The keys of either command; into a struct peer_config. */
extern const struct conf_table peer_run_keys[], peer_connect_keys[];

/*
 * Reads a file. Without a key_file, the key is the systemd credential `key`, if it exists. Returns
 * 0, or -errno with *err set; its details list each error with its line.
 */
int peer_config_read(const char *path, const struct conf_table *keys, struct peer_config *config,
		     struct err *err);

#endif
