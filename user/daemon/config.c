// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config.h"

#include "base/suggest.h"
#include "reply/options.h"
#include "steer/cpu/spread_options.h"
#include "steer/options.h"
#include "wire/options.h"

#include <errno.h>
#include <string.h>

/* --- tables */

/* What stands behind a name is looked up when it is loaded. */
static int parse_netns(const struct opt_value *v, struct err *err)
{
	*(const char **)v->field = strcmp(v->text, "this") ? v->text : NULL;
	return 0;
}

#define CONFIG_FIELD(field) offsetof(struct config, field)

static const struct opt global_opts[] = {
	{ "log_level", 0, "LEVEL", opt_word, CONFIG_FIELD(log_level),
	  "the least level that is logged", .words = log_level_names, .noun = "level",
	  .preset = "info" },
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
	  "interval of the sweep over all sockets, beside the events that report most changes",
	  .min = 1, .max = STEER_IDLE_MAX, .preset = OPT_TEXT(RUN_STEER_SWEEP_DEFAULT) },
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
	{ .section = NULL },
};

static const char *const section_names[] = { "global", "reply", "wire", "steer" };
#define SECTION_NAMES (sizeof(section_names) / sizeof(*section_names))
#define KEYS_MAX      32

/* --- section_names and keys */

/* Returns the line of a key, or of a section (`key` is NULL), among the first entries; or 0. */
static unsigned int line_of(const struct conf *conf, size_t entries, const char *section,
			    const char *key)
{
	size_t i;

	for (i = 0; i < entries; i++) {
		const struct conf_entry *entry = &conf->entry[i];

		if (!strcmp(entry->section, section) && !entry->key == !key &&
		    (!key || !strcmp(entry->key, key)))
			return entry->line;
	}
	return 0;
}

static unsigned int section_line(const struct conf *conf, const char *section)
{
	return line_of(conf, conf->entries, section, NULL);
}

static bool key_given(const struct conf *conf, const char *section, const char *key)
{
	return line_of(conf, conf->entries, section, key);
}

static int take_section(struct config *config, const struct conf_entry *entry)
{
	bool *const has[] = { NULL, &config->has_reply, &config->has_wire, &config->has_steer };
	const char *nearest;
	size_t i;

	for (i = 0; i < SECTION_NAMES; i++)
		if (!strcmp(entry->section, section_names[i])) {
			if (has[i])
				*has[i] = true;
			return 0;
		}
	nearest = suggest_nearest(entry->section, section_names, SECTION_NAMES);
	if (nearest)
		return conf_complain(&config->conf, entry->line,
				     "unknown section [%s]; did you mean [%s]?", entry->section,
				     nearest);
	return conf_complain(&config->conf, entry->line,
			     "unknown section [%s]; there are [global], [reply], [wire] and"
			     " [steer]",
			     entry->section);
}

static int bad_key(struct conf *conf, const struct conf_entry *entry, const char *const *known,
		   size_t count)
{
	const char *nearest = suggest_nearest(entry->key, known, count);
	char list[256] = "";
	size_t i, used = 0;

	if (nearest)
		return conf_complain(conf, entry->line,
				     "[%s]: unknown key '%s'; did you mean '%s'?", entry->section,
				     entry->key, nearest);
	for (i = 0; i < count && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 known[i]);
	return conf_complain(conf, entry->line, "[%s]: unknown key '%s'; there are %s",
			     entry->section, entry->key, list);
}

static int take_value(struct config *config, const struct conf_entry *entry, const struct opt *opt,
		      void *into)
{
	struct err err;
	char what[64];

	snprintf(what, sizeof(what), "[%s] %s", entry->section, opt->name);
	if (!*entry->value)
		return conf_complain(&config->conf, entry->line, "%s: no value", what);
	if (opt_set(opt, NULL, entry->value, into, &err))
		return conf_complain_err(&config->conf, entry->line, what, &err);
	return 0;
}

static int take_key(struct config *config, const struct conf_entry *entry)
{
	const struct config_table *table;
	const char *known[KEYS_MAX];
	const struct opt *opt;
	size_t count = 0;

	for (table = config_tables; table->section; table++) {
		if (strcmp(table->section, entry->section))
			continue;
		for (opt = table->opts; opt->name; opt++) {
			if (opt->side == OPT_LINE)
				continue;
			if (!strcmp(opt->name, entry->key))
				return take_value(config, entry, opt,
						  (char *)config + table->offset);
			if (count < KEYS_MAX)
				known[count++] = opt->name;
		}
	}
	/* No key at all: one complaint about the section is enough. */
	return count ? bad_key(&config->conf, entry, known, count) : 0;
}

static int take(struct config *config, size_t at)
{
	const struct conf_entry *entry = &config->conf.entry[at];
	unsigned int before = line_of(&config->conf, at, entry->section, entry->key);

	if (before && entry->key)
		return conf_complain(&config->conf, entry->line,
				     "[%s] %s: given already, in line %u", entry->section,
				     entry->key, before);
	if (before)
		return conf_complain(&config->conf, entry->line, "[%s]: begun already, in line %u",
				     entry->section, before);
	return entry->key ? take_key(config, entry) : take_section(config, entry);
}

/* --- what must go together */

static int check_wire(struct config *config)
{
	struct conf *conf = &config->conf;
	unsigned int line = section_line(conf, "wire");
	bool gateway = key_given(conf, "wire", "gateway");
	bool servers = key_given(conf, "wire", "server");

	if (!gateway && !key_given(conf, "wire", "iface") && !key_given(conf, "wire", "follow"))
		return conf_complain(conf, line, "[wire] needs an iface, a follow or a gateway");
	if (gateway && !servers)
		return conf_complain(conf, line,
				     "[wire] gateway needs the addresses of the server,"
				     " two or more; give them with 'server'");
	if (gateway && config->wire.servers.count == 1)
		return conf_complain(conf, line,
				     "[wire] server: one address is not enough; give"
				     " all that the server answers from");
	if (!gateway && servers)
		return conf_complain(conf, line,
				     "[wire] server needs the interface that it is"
				     " behind; give it with 'gateway'");
	return 0;
}

static int check_steer(struct config *config)
{
	struct conf *conf = &config->conf;
	struct err err = { 0 };

	if (!key_given(conf, "steer", "port"))
		return conf_complain(conf, section_line(conf, "steer"),
				     "[steer] needs a port: the servers', or any");
	if (!value_spread_check("", &config->spread, config->steer.policy, &err))
		return 0;
	return conf_complain(conf, section_line(conf, "steer"), "[steer]: %s: %s", err.what,
			     err.hint);
}

static int check_whole(struct config *config)
{
	struct conf *conf = &config->conf;
	int result;

	if (!config->has_reply && !config->has_wire && !config->has_steer && !conf->problems)
		return conf_complain(conf, 0,
				     "neither a [reply] nor a [wire] nor a [steer] section: there"
				     " is nothing to do");
	if (config->has_reply && !key_given(conf, "reply", "mode")) {
		result = conf_complain(conf, section_line(conf, "reply"),
				       "[reply] needs a mode: socket, or audit to look first");
		if (result)
			return result;
	}
	result = config->has_wire ? check_wire(config) : 0;
	if (result)
		return result;
	return config->has_steer ? check_steer(config) : 0;
}

static void defaults(struct config *config)
{
	const struct config_table *table;

	*config = (struct config){ 0 };
	for (table = config_tables; table->section; table++)
		opt_defaults(table->opts, (char *)config + table->offset);
}

static int verdict(struct config *config, const char *path, struct err *err)
{
	struct conf *conf = &config->conf;

	if (!conf->problems)
		return 0;
	conf_sort_problems(conf);
	return err_set(err, EXIT_USAGE, EINVAL, "%s: %zu problem%s, nothing was changed", path,
		       conf->problems, conf->problems > 1 ? "s" : "");
}

/* What stands behind the path, and not in the file. */
static int unreadable(const char *path, int error, struct err *err)
{
	err_set(err,
		error == EACCES || error == EPERM			 ? EXIT_PERMISSION
		: error == ENOENT || error == ENOTDIR || error == EISDIR ? EXIT_USAGE
									 : EXIT_ERROR,
		error, "%s: the file can't be read: %s", path, strerror(error));
	if (error == EACCES || error == EPERM)
		return err_hint(err, -error, "let the user that sluice runs as read it");
	return err_hint(err, -error,
			"name the daemon's file with --config; sluice.conf(5) has an example");
}

int config_parse(FILE *file, const char *path, struct config *config, struct err *err)
{
	size_t i;
	int result;

	defaults(config);
	result = conf_read(file, &config->conf);
	if (result)
		return unreadable(path, -result, err);
	for (i = 0; i < config->conf.entries; i++) {
		result = take(config, i);
		if (result)
			goto failed;
	}
	result = check_whole(config);
	if (result)
		goto failed;
	return verdict(config, path, err);

failed:
	return err_set(err, EXIT_ERROR, -result, "%s: %s", path, strerror(-result));
}

int config_read(const char *path, struct config *config, struct err *err)
{
	FILE *file;
	int result;

	defaults(config);
	file = fopen(path, "re");
	if (!file)
		return unreadable(path, errno, err);
	result = config_parse(file, path, config, err);
	fclose(file);
	return result;
}

void config_free(struct config *config)
{
	conf_free(&config->conf);
}
