/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The option --config of 'peer run' and 'peer connect'. */
#ifndef SLUICE_CMD_PEER_FILE_H
#define SLUICE_CMD_PEER_FILE_H

#include "cli/context.h"
#include "meet/peer/config.h"

struct peer_file {
	const char *path; /* NULL: the options are on the command line */
	bool check;
	/* An option of these on the command line, or NULL. */
	const char *identity_given, *exposed_given;
};

extern const struct opt peer_file_opts[];

/* Reads the file into *config, if it is given. Returns 0, or -errno with *err set. */
int peer_file_read(const struct peer_file *file, const struct conf_table *keys,
		   struct peer_config *config, struct err *err);
/* Prints that the file has no mistake, for --check-config. Returns 0. */
int peer_file_checked(const struct peer_file *file, const struct context *context);

#endif
