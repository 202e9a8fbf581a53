/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Interprets a configuration file by tables of options: its sections, keys and values. */
#ifndef SLUICE_CLI_CONF_KEYS_H
#define SLUICE_CLI_CONF_KEYS_H

#include "cli/conf.h"
#include "cli/opt.h"

/* A table of a section's keys and the struct that its offsets refer to. */
struct conf_table {
	const char *section; /* NULL ends a list of tables */
	const struct opt *opts;
	size_t offset; /* of that struct in the whole */
};

/* Returns the first entry of a key, or of the section if @key is NULL; NULL: there is none. */
const struct conf_entry *conf_find(const struct conf *conf, const char *section, const char *key);

/*
 * Reads a file into *conf, and its values into the whole @into, which has the defaults before.
 * Mistakes become problems of *conf. Returns 0 or -errno. The caller frees *conf, which owns the
 * strings of @into.
 */
int conf_parse(struct conf *conf, FILE *file, const struct conf_table *tables, void *into);

/* Sets *err for a file that cannot be opened or read; @hint is for one that is absent. */
int conf_read_error(const char *path, int error, const char *hint, struct err *err);
/* Returns 0, or -EINVAL with *err set if there are problems, which it sorts. */
int conf_check(struct conf *conf, const char *path, struct err *err);

#endif
