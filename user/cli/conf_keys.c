// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/conf_keys.h"

#include "cli/suggest.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEYS_MAX     32
#define SECTIONS_MAX 16

const struct conf_entry *conf_find(const struct conf *conf, const char *section, const char *key)
{
	size_t i;

	for (i = 0; i < conf->entries; i++) {
		const struct conf_entry *entry = &conf->entry[i];

		if (!strcmp(entry->section, section) && !entry->key == !key &&
		    (!key || !strcmp(entry->key, key)))
			return entry;
	}
	return NULL;
}

/* Sets the names of the sections, each once. Returns their number. */
static size_t section_names(const struct conf_table *tables, const char *name[SECTIONS_MAX])
{
	size_t count = 0;

	for (; tables->section && count < SECTIONS_MAX; tables++)
		if (!count || strcmp(name[count - 1], tables->section) != 0)
			name[count++] = tables->section;
	return count;
}

static int parse_section(struct conf *conf, const struct conf_table *tables,
			 const struct conf_entry *entry)
{
	const char *known[SECTIONS_MAX] = { NULL }, *nearest;
	size_t i, used = 0, count = section_names(tables, known);
	char list[256] = "";

	for (i = 0; i < count; i++)
		if (!strcmp(entry->section, known[i]))
			return 0;
	nearest = suggest_nearest(entry->section, known, count);
	if (nearest)
		return conf_add_problem(conf, entry->line,
					"unknown section [%s]; did you mean [%s]?", entry->section,
					nearest);
	for (i = 0; i < count && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s[%s]",
					 !i		  ? ""
					 : i + 1 == count ? " and "
							  : ", ",
					 known[i]);
	return conf_add_problem(conf, entry->line, "unknown section [%s]; valid %s %s",
				entry->section, count > 1 ? "sections are" : "is", list);
}

/*
 * Returns true if '#' begins the value or follows a blank. conf_read() has already removed ';'
 * comments.
 */
static bool has_comment(const char *value)
{
	const char *at = value;

	while ((at = strchr(at, '#')) && at > value && at[-1] != ' ' && at[-1] != '\t')
		at++;
	return at;
}

static int parse_value(struct conf *conf, const struct conf_entry *entry, const struct opt *opt,
		       void *into)
{
	struct err err;
	char what[64];

	snprintf(what, sizeof(what), "[%s] %s", entry->section, entry->key);
	if (!*entry->value)
		return conf_add_problem(conf, entry->line, "%s: no value", what);
	if (has_comment(entry->value))
		return conf_add_problem(
			conf, entry->line,
			"%s: '%s': a comment with '#' needs a line of its own; after"
			" a value, a comment starts with ' ;'",
			what, entry->value);
	if (opt_set(opt, NULL, entry->value, into, &err))
		return conf_add_err(conf, entry->line, what, &err);
	return 0;
}

static int parse_key(struct conf *conf, const struct conf_table *tables,
		     const struct conf_entry *entry, void *into)
{
	const struct conf_table *table;
	char keys[KEYS_MAX][OPT_KEY_MAX], key[OPT_KEY_MAX];
	const char *known[KEYS_MAX], *nearest;
	const struct opt *opt;
	size_t i, count = 0, used = 0;
	char list[256] = "";

	for (table = tables; table->section; table++) {
		if (strcmp(table->section, entry->section))
			continue;
		for (opt = table->opts; opt->name; opt++) {
			if (opt->side == OPT_LINE)
				continue;
			if (!strcmp(opt_key(opt, key), entry->key))
				return parse_value(conf, entry, opt, (char *)into + table->offset);
			if (count < KEYS_MAX) {
				known[count] = opt_key(opt, keys[count]);
				count++;
			}
		}
	}
	/* An unknown section has no keys; parse_section() has reported it. */
	if (!count)
		return 0;
	nearest = suggest_nearest(entry->key, known, count);
	if (nearest)
		return conf_add_problem(conf, entry->line,
					"[%s]: unknown key '%s'; did you mean '%s'?",
					entry->section, entry->key, nearest);
	for (i = 0; i < count && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 known[i]);
	return conf_add_problem(conf, entry->line, "[%s]: unknown key '%s'; valid keys are %s",
				entry->section, entry->key, list);
}

static int parse_entry(struct conf *conf, const struct conf_table *tables,
		       const struct conf_entry *entry, void *into)
{
	const struct conf_entry *first = conf_find(conf, entry->section, entry->key);

	if (first == entry)
		return entry->key ? parse_key(conf, tables, entry, into)
				  : parse_section(conf, tables, entry);
	if (entry->key)
		return conf_add_problem(conf, entry->line, "[%s] %s: already set on line %u",
					entry->section, entry->key, first->line);
	return conf_add_problem(conf, entry->line, "[%s]: already started on line %u",
				entry->section, first->line);
}

int conf_parse(struct conf *conf, FILE *file, const struct conf_table *tables, void *into)
{
	const struct conf_table *table;
	int result;
	size_t i;

	for (table = tables; table->section; table++)
		opt_defaults(table->opts, (char *)into + table->offset);
	result = conf_read(file, conf);
	for (i = 0; !result && i < conf->entries && conf->problems < CONF_PROBLEMS_MAX; i++)
		result = parse_entry(conf, tables, &conf->entry[i], into);
	return result;
}

int conf_read_error(const char *path, int error, const char *hint, struct err *err)
{
	enum exit_code code = EXIT_ERROR;

	if (error == EACCES || error == EPERM)
		return err_hint(err,
				err_set(err, EXIT_PERMISSION, error, "%s: cannot read the file: %s",
					path, strerror(error)),
				"give read permission to the user that sluice runs as");
	if (error == ENOENT || error == ENOTDIR || error == EISDIR || error == EFBIG)
		code = EXIT_USAGE;
	return err_hint(
		err,
		err_set(err, code, error, "%s: cannot read the file: %s", path, strerror(error)),
		"%s", hint);
}

int conf_check(struct conf *conf, const char *path, struct err *err)
{
	if (!conf->problems)
		return 0;
	conf_sort_problems(conf);
	return err_set(err, EXIT_USAGE, EINVAL, "%s: %s%zu problem%s, nothing was changed", path,
		       conf->problems < CONF_PROBLEMS_MAX ? "" : "stopped after ", conf->problems,
		       conf->problems > 1 ? "s" : "");
}
