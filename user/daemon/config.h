/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The daemon's configuration: an ini file that says what the options of 'reply load' and
 * 'steer load' say, parsed by the same functions, into the same structs.
 */
#ifndef SLUICE_DAEMON_CONFIG_H
#define SLUICE_DAEMON_CONFIG_H

#include "base/conf.h"
#include "base/context.h"
#include "base/err.h"
#include "base/log.h"
#include "reply/reply.h"
#include "steer/cpu/spread.h"
#include "steer/steer.h"
#include "wire/wire.h"

#include <stdbool.h>
#include <stdio.h>

#define RUN_STEER_SWEEP_DEFAULT 1

struct config {
	enum log_level log_level;
	struct location location; /* NULL: not given */
	const char *netns;	  /* of wire mode; NULL: this one */
	bool has_reply;
	bool has_wire;
	bool has_steer;
	struct reply_options reply;
	struct wire_options wire;
	struct steer_options steer;
	struct spread_options spread; /* what it shares with `steer` is set at the load */
	const char *steer_netns;      /* a name, or "all"; NULL: this one */
	__u64 steer_sweep_s;	      /* between looks at all sockets that no news ask for */
	struct conf conf;	      /* the strings of all the above; and the file's problems */
};

/*
 * Reads a file.  0, or -errno with *err set: -EINVAL with EXIT_USAGE if it was read and
 * config->conf holds problems.  The caller frees in any case.
 */
int config_read(const char *path, struct config *config, struct err *err);
/* The same from an open file; `path` is for messages alone. */
int config_parse(FILE *file, const char *path, struct config *config, struct err *err);
void config_free(struct config *config);

/* The tables of a section's keys, and the struct that each fills; their offsets are from there. */
struct config_table {
	const char *section;
	const struct opt *opts;
	size_t offset; /* of the struct in struct config */
};
extern const struct config_table config_tables[]; /* up to a section that is NULL */

#endif
