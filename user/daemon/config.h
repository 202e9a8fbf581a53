/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's configuration: an ini file with the options of the load commands. The same option
 * tables parse the command line and the file.
 */
#ifndef SLUICE_DAEMON_CONFIG_H
#define SLUICE_DAEMON_CONFIG_H

#include "base/err.h"
#include "base/log.h"
#include "cli/conf_keys.h"
#include "cli/context.h"
#include "hold/hold.h"
#include "hold/send_options.h"
#include "meet/peer/options.h"
#include "meet/rendezvous/rendezvous.h"
#include "metrics/options.h"
#include "reply/reply.h"
#include "steer/cpu/spread.h"
#include "steer/steer.h"
#include "wire/wire.h"

#include <stdbool.h>
#include <stdio.h>

#define STEER_SWEEP_DEFAULT 1

/*
 * The sections that load an object, in load order. Steering comes last, since each group takes a
 * tenth of a second.
 */
enum config_section {
	SECTION_REPLY,
	SECTION_WIRE,
	SECTION_HOLD,
	SECTION_STEER,
	SECTIONS,
	/* sections that load no object */
	SECTION_RENDEZVOUS = SECTIONS,
	SECTION_PEER,
	SECTION_GLOBAL,
	SECTION_NAMES
};

#define CHILDREN (SECTION_GLOBAL - SECTIONS)

/* Indexed by enum config_section. */
extern const char *const config_section_names[SECTION_NAMES];

struct config {
	enum log_level log_level;
	struct metrics_address metrics; /* port_be 0: no address */
	struct location location;	/* NULL: not given */
	const char *netns;		/* namespace of mode wire; NULL: the daemon's own */
	bool has[SECTION_NAMES];
	struct reply_options reply;
	struct wire_options wire;
	struct steer_options steer;
	struct spread_options spread; /* bpffs and ports are set at load */
	const char *steer_netns;      /* a name, or "all"; NULL: the daemon's own */
	__u64 steer_sweep_s;	      /* interval of the sweeps that no event triggers */
	struct hold_options hold;     /* bpffs, cgroup and netns are set at load */
	struct hold_send_options hold_send;
	const char *hold_netns;	 /* like steer_netns */
	const char *hold_cgroup; /* NULL: as in [global] */
	struct rendezvous_options rendezvous;
	struct peer_identity peer;
	struct peer_exposed exposed;
	struct peer_target target;
	struct conf conf; /* owns the strings above, and the file's problems */
};

/*
 * Reads a file. Returns 0, or -errno with *err set. If the file has errors, returns -EINVAL with
 * EXIT_USAGE, and config->conf lists them. The caller frees the configuration in either case.
 */
int config_read(const char *path, struct config *config, struct err *err);
/* Reads an open file. @path is only for messages. */
int config_parse(FILE *file, const char *path, struct config *config, struct err *err);
void config_free(struct config *config);
/* Returns true if the peer connects to a service, and false if it exposes services. */
bool config_peer_connects(const struct config *config);

extern const struct conf_table config_tables[]; /* ends with a NULL section */

#endif
