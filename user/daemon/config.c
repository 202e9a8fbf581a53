// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config.h"

#include "base/suggest.h"
#include "hold/options.h"
#include "reply/options.h"
#include "steer/cpu/spread_options.h"
#include "steer/options.h"
#include "wire/options.h"

#include <errno.h>
#include <string.h>

/* --- tables */

/* Copies the name without a lookup: the namespace may be created after the daemon starts. */
static int parse_netns(const struct opt_value *v, struct err *err)
{
	*(const char **)v->field = strcmp(v->text, "this") ? v->text : NULL;
	return 0;
}

#define CONFIG_FIELD(field) offsetof(struct config, field)

static const struct opt global_opts[] = {
	{ "log_level", 0, "LEVEL", opt_word, CONFIG_FIELD(log_level),
	  "the lowest severity that is logged", .words = log_level_names, .noun = "level",
	  .preset = "info" },
	{ "metrics", 0, METRICS_OPT_ARG, metrics_opt, CONFIG_FIELD(metrics), METRICS_OPT_HELP },
	{ .name = NULL },
};

static const struct opt wire_netns_opts[] = {
	{ "netns", 0, "NAME|PATH|PID", opt_text, CONFIG_FIELD(netns),
	  "the network namespace of the interfaces (default: the daemon's own)" },
	{ .name = NULL },
};

static const struct opt steer_daemon_opts[] = {
	{ "netns", 0, "this|all|NAME|PATH|PID", parse_netns, CONFIG_FIELD(steer_netns),
	  "the network namespace of the servers (default: this, the daemon's own)" },
	{ "sweep", 0, "SECONDS", opt_u64, CONFIG_FIELD(steer_sweep_s),
	  "interval of the sweep over all sockets, up to 10 if it takes long; events report "
	  "most changes sooner",
	  .min = 1, .max = STEER_IDLE_MAX, .preset = OPT_TEXT(STEER_SWEEP_DEFAULT) },
	{ .name = NULL },
};

static const struct opt hold_daemon_opts[] = {
	{ "netns", 0, "this|all|NAME|PATH|PID", parse_netns, CONFIG_FIELD(hold_netns),
	  "the network namespace of the sockets (default: this, the daemon's own)" },
	{ "cgroup", 0, "DIR", opt_path, CONFIG_FIELD(hold_cgroup),
	  "the cgroup2 directory of the processes (default: that of [global])" },
	{ .name = NULL },
};

const struct config_table config_tables[] = {
	{ "global", location_opts, CONFIG_FIELD(location) },
	{ "global", global_opts, 0 },
	{ "reply", reply_opts, CONFIG_FIELD(reply) },
	{ "wire", wire_opts, CONFIG_FIELD(wire) },
	{ "wire", wire_netns_opts, 0 },
	{ "steer", steer_opts, CONFIG_FIELD(steer) },
	{ "steer", steer_spread_opts, CONFIG_FIELD(spread) },
	{ "steer", steer_daemon_opts, 0 },
	{ "hold", hold_opts, CONFIG_FIELD(hold) },
	{ "hold", hold_daemon_opts, 0 },
	{ "hold", hold_send_opts, CONFIG_FIELD(hold_send) },
	{ "rendezvous", rendezvous_opts, CONFIG_FIELD(rendezvous) },
	{ "rendezvous", rendezvous_name_opts, CONFIG_FIELD(rendezvous) },
	{ .section = NULL },
};

const char *const config_section_names[SECTION_NAMES] = {
	[SECTION_REPLY] = "reply",
	[SECTION_WIRE] = "wire",
	[SECTION_HOLD] = "hold",
	[SECTION_STEER] = "steer",
	[SECTION_RENDEZVOUS] = "rendezvous",
	[SECTION_GLOBAL] = "global",
};

#define KEYS_MAX 32

/* --- sections and keys */

/* Returns the first entry of a key, or of the section if @key is NULL. */
static const struct conf_entry *find_entry(const struct conf *conf, const char *section,
					   const char *key)
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

static int parse_section(struct config *config, const struct conf_entry *entry)
{
	const char *nearest;
	int i;

	for (i = 0; i < SECTION_NAMES; i++)
		if (!strcmp(entry->section, config_section_names[i])) {
			config->has[i] = true;
			return 0;
		}
	nearest = suggest_nearest(entry->section, config_section_names, SECTION_NAMES);
	if (nearest)
		return conf_add_problem(&config->conf, entry->line,
					"unknown section [%s]; did you mean [%s]?", entry->section,
					nearest);
	return conf_add_problem(&config->conf, entry->line,
				"unknown section [%s]; valid sections are [global], [reply],"
				" [wire], [steer], [hold] and [rendezvous]",
				entry->section);
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

static int parse_value(struct config *config, const struct conf_entry *entry, const struct opt *opt,
		       void *into)
{
	struct err err;
	char what[64];

	snprintf(what, sizeof(what), "[%s] %s", entry->section, entry->key);
	if (!*entry->value)
		return conf_add_problem(&config->conf, entry->line, "%s: no value", what);
	if (has_comment(entry->value))
		return conf_add_problem(
			&config->conf, entry->line,
			"%s: '%s': a comment with '#' needs a line of its own; after"
			" a value, a comment starts with ' ;'",
			what, entry->value);
	if (opt_set(opt, NULL, entry->value, into, &err))
		return conf_add_err(&config->conf, entry->line, what, &err);
	return 0;
}

static int parse_key(struct config *config, const struct conf_entry *entry)
{
	const struct config_table *table;
	char keys[KEYS_MAX][OPT_KEY_MAX], key[OPT_KEY_MAX];
	const char *known[KEYS_MAX], *nearest;
	const struct opt *opt;
	size_t i, count = 0, used = 0;
	char list[256] = "";

	for (table = config_tables; table->section; table++) {
		if (strcmp(table->section, entry->section))
			continue;
		for (opt = table->opts; opt->name; opt++) {
			if (opt->side == OPT_LINE)
				continue;
			if (!strcmp(opt_key(opt, key), entry->key))
				return parse_value(config, entry, opt,
						   (char *)config + table->offset);
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
		return conf_add_problem(&config->conf, entry->line,
					"[%s]: unknown key '%s'; did you mean '%s'?",
					entry->section, entry->key, nearest);
	for (i = 0; i < count && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 known[i]);
	return conf_add_problem(&config->conf, entry->line,
				"[%s]: unknown key '%s'; valid keys are %s", entry->section,
				entry->key, list);
}

static int parse_entry(struct config *config, const struct conf_entry *entry)
{
	const struct conf_entry *first = find_entry(&config->conf, entry->section, entry->key);

	if (first == entry)
		return entry->key ? parse_key(config, entry) : parse_section(config, entry);
	if (entry->key)
		return conf_add_problem(&config->conf, entry->line,
					"[%s] %s: already set on line %u", entry->section,
					entry->key, first->line);
	return conf_add_problem(&config->conf, entry->line, "[%s]: already started on line %u",
				entry->section, first->line);
}

/* --- constraints between keys */

static const char *wire_problem(const struct config *config)
{
	const struct conf *conf = &config->conf;
	bool gateway = find_entry(conf, "wire", "gateway");
	bool servers = find_entry(conf, "wire", "server");

	if (!gateway && !find_entry(conf, "wire", "iface") && !find_entry(conf, "wire", "follow"))
		return "[wire] needs iface, follow or gateway";
	if (gateway && !servers)
		return "[wire] gateway needs the addresses of the server; give two or more with"
		       " 'server'";
	if (gateway && !conf->problems && config->wire.servers.count == 1)
		return "[wire] server: one address is not enough; give every address that the"
		       " server replies from";
	if (!gateway && servers)
		return "[wire] server needs the interface that leads to it; give it with 'gateway'";
	return NULL;
}

static int check_sections(struct config *config)
{
	struct conf *conf = &config->conf;
	const char *problem[SECTIONS] = { NULL };
	/* other values cannot be checked against an invalid value */
	bool valid = !conf->problems;
	struct err err = { 0 };
	int i, result = 0;

	for (i = 0; i < SECTION_GLOBAL && !config->has[i];)
		i++;
	if (i == SECTION_GLOBAL && !conf->problems)
		return conf_add_problem(conf, 0,
					"no [reply], [wire], [steer], [hold] or [rendezvous]"
					" section: nothing to do");
	if (!find_entry(conf, "reply", "mode"))
		problem[SECTION_REPLY] = "[reply] needs a mode: socket, or audit for a trial run";
	else if (valid && config->reply.any_peer_port && config->reply.mode != SLUICE_REPLY_SOCKET)
		problem[SECTION_REPLY] = "[reply] any_peer_port is for mode socket; mode audit"
					 " reports what it would fix";
	problem[SECTION_WIRE] = wire_problem(config);
	if (!find_entry(conf, "steer", "port"))
		problem[SECTION_STEER] = "[steer] needs a port: the servers' ports, or any";
	else if (valid && config->has[SECTION_STEER] &&
		 value_spread_check("", &config->spread, config->steer.policy, &err))
		result = conf_add_err(conf, find_entry(conf, "steer", NULL)->line, "[steer]", &err);
	if (!find_entry(conf, "hold", "port"))
		problem[SECTION_HOLD] = "[hold] needs a port: local or remote ones, or any";
	if (config->has[SECTION_RENDEZVOUS] && valid && !result &&
	    rendezvous_listeners(&config->rendezvous, &(struct server_config){ 0 }, &err))
		result = conf_add_err(conf, find_entry(conf, "rendezvous", NULL)->line,
				      "[rendezvous]", &err);
	for (i = 0; i < SECTIONS && !result; i++)
		if (config->has[i] && problem[i])
			result = conf_add_problem(
				conf, find_entry(conf, config_section_names[i], NULL)->line, "%s",
				problem[i]);
	return result;
}

/* Sets *err if the file cannot be opened or read. */
static int read_error(const char *path, int error, struct err *err)
{
	enum exit_code code = EXIT_ERROR;

	if (error == EACCES || error == EPERM)
		return err_hint(err,
				err_set(err, EXIT_PERMISSION, error, "%s: cannot read the file: %s",
					path, strerror(error)),
				"give the user that sluice runs as read permission");
	if (error == ENOENT || error == ENOTDIR || error == EISDIR || error == EFBIG)
		code = EXIT_USAGE;
	return err_hint(
		err,
		err_set(err, code, error, "%s: cannot read the file: %s", path, strerror(error)),
		"give the daemon's file with --config; sluice.conf(5) has an example");
}

int config_parse(FILE *file, const char *path, struct config *config, struct err *err)
{
	const struct config_table *table;
	struct conf *conf = &config->conf;
	int result;
	size_t i;

	*config = (struct config){ 0 };
	for (table = config_tables; table->section; table++)
		opt_defaults(table->opts, (char *)config + table->offset);
	result = conf_read(file, conf);
	if (result)
		return read_error(path, -result, err);
	for (i = 0; i < conf->entries && !result && conf->problems < CONF_PROBLEMS_MAX; i++)
		result = parse_entry(config, &conf->entry[i]);
	if (!result && conf->problems < CONF_PROBLEMS_MAX)
		result = check_sections(config);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "%s: %s", path, strerror(-result));
	if (!conf->problems)
		return 0;
	conf_sort_problems(conf);
	return err_set(err, EXIT_USAGE, EINVAL, "%s: %s%zu problem%s, nothing was changed", path,
		       conf->problems < CONF_PROBLEMS_MAX ? "" : "stopped after ", conf->problems,
		       conf->problems > 1 ? "s" : "");
}

int config_read(const char *path, struct config *config, struct err *err)
{
	FILE *file;
	int result;

	*config = (struct config){ 0 };
	file = fopen(path, "re");
	if (!file)
		return read_error(path, errno, err);
	result = config_parse(file, path, config, err);
	fclose(file);
	return result;
}

void config_free(struct config *config)
{
	conf_free(&config->conf);
}
