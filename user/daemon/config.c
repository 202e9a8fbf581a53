// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config.h"

#include "base/suggest.h"
#include "steer/cpu/spread_options.h"
#include "steer/options.h"
#include "wire/options.h"

#include <errno.h>
#include <string.h>

/* --- values */

static int set_log_level(struct run_config *config, char *value, struct err *err)
{
	const char *names[8], *nearest;
	unsigned int level;

	for (level = 0; (names[level] = log_level_name(level)); level++)
		if (!strcmp(value, names[level])) {
			config->log_level = level;
			return 0;
		}
	err_set(err, EXIT_USAGE, EINVAL, "unknown level '%s'", value);
	nearest = word_nearest(value, names, level);
	return nearest ? err_mend(err, -EINVAL, "did you mean '%s'?", nearest)
		       : err_mend(err, -EINVAL, "give error, warning, info or debug");
}

/* The daemon's own folder is nothing that a file should depend on. */
static int set_path(const char **path, const char *value, struct err *err)
{
	if (*value != '/')
		return err_set(err, EXIT_USAGE, EINVAL, "'%s' is no absolute path", value);
	*path = value;
	return 0;
}

static int set_bpffs(struct run_config *config, char *value, struct err *err)
{
	return set_path(&config->bpffs, value, err);
}

static int set_cgroup(struct run_config *config, char *value, struct err *err)
{
	return set_path(&config->cgroup, value, err);
}

static int set_reply_mode(struct run_config *config, char *value, struct err *err)
{
	static const char *const modes[] = { "socket", "audit" };
	const char *nearest;

	if (!strcmp(value, "socket")) {
		config->reply.mode = SLUICE_REPLY_SOCKET;
		return 0;
	}
	if (!strcmp(value, "audit")) {
		config->reply.mode = SLUICE_REPLY_AUDIT;
		return 0;
	}
	nearest = word_nearest(value, modes, 2);
	err_set(err, EXIT_USAGE, EINVAL, "unknown mode '%s'", value);
	if (!strcmp(value, "wire"))
		return err_mend(err, -EINVAL, "wire mode has a section of its own, [wire]");
	return nearest ? err_mend(err, -EINVAL, "did you mean '%s'?", nearest)
		       : err_mend(err, -EINVAL, "give 'socket' or 'audit'");
}

static int set_reply_port(struct run_config *config, char *value, struct err *err)
{
	return ports_parse(value, &config->reply.ports, err);
}

static int set_reply_table(struct run_config *config, char *value, struct err *err)
{
	return flow_table_parse_size("number", value, &config->reply.table, err);
}

static int set_reply_age(struct run_config *config, char *value, struct err *err)
{
	return flow_table_parse_age("number", value, &config->reply.age_s, err);
}

static int set_wire_port(struct run_config *config, char *value, struct err *err)
{
	return ports_parse(value, &config->wire.ports, err);
}

static int set_wire_table(struct run_config *config, char *value, struct err *err)
{
	return flow_table_parse_size("number", value, &config->wire.table, err);
}

static int set_wire_age(struct run_config *config, char *value, struct err *err)
{
	return flow_table_parse_age("number", value, &config->wire.age_s, err);
}

static int set_wire_netns(struct run_config *config, char *value, struct err *err)
{
	config->netns = value;
	return 0;
}

static int set_wire_iface(struct run_config *config, char *value, struct err *err)
{
	return value_names("interfaces", value, &config->wire.ifaces, err);
}

static int set_wire_follow(struct run_config *config, char *value, struct err *err)
{
	return value_names("interfaces", value, &config->wire.follow, err);
}

static int set_wire_gateway(struct run_config *config, char *value, struct err *err)
{
	return value_names("interfaces", value, &config->wire.gateways, err);
}

static int set_wire_server(struct run_config *config, char *value, struct err *err)
{
	return value_servers("addresses", value, &config->wire, err);
}

static int set_wire_except(struct run_config *config, char *value, struct err *err)
{
	return value_except("addresses", value, &config->wire, err);
}

static int set_wire_attach(struct run_config *config, char *value, struct err *err)
{
	return value_via("attach", value, &config->wire.via, err);
}

static int set_steer_port(struct run_config *config, char *value, struct err *err)
{
	return ports_parse(value, &config->steer.ports, err);
}

static int set_steer_policy(struct run_config *config, char *value, struct err *err)
{
	return value_policy("policy", value, &config->steer.policy, err);
}

static int set_steer_generation(struct run_config *config, char *value, struct err *err)
{
	return value_generations("generation", value, &config->steer.generations, err);
}

static int set_steer_flows(struct run_config *config, char *value, struct err *err)
{
	return value_flows("number", value, &config->steer.flows, err);
}

static int set_steer_idle(struct run_config *config, char *value, struct err *err)
{
	return value_idle("number", value, &config->steer.idle_s, err);
}

/* What stands behind a name is looked up when it is loaded. */
static int set_steer_netns(struct run_config *config, char *value, struct err *err)
{
	config->steer_netns = strcmp(value, "this") ? value : NULL;
	return 0;
}

static int set_steer_sweep(struct run_config *config, char *value, struct err *err)
{
	return value_idle("number", value, &config->steer_sweep_s, err);
}

static int set_steer_xdp(struct run_config *config, char *value, struct err *err)
{
	return value_spread_interfaces("xdp", value, &config->steer_xdp, err);
}

static int set_steer_cpus(struct run_config *config, char *value, struct err *err)
{
	return value_spread_cpus("cpus", value, &config->steer_xdp, err);
}

/* --- keys */

static const struct key {
	const char *section;
	const char *name;
	int (*set)(struct run_config *config, char *value, struct err *err);
} keys[] = {
	{ "global", "bpffs", set_bpffs },	  { "global", "cgroup", set_cgroup },
	{ "global", "log_level", set_log_level }, { "reply", "mode", set_reply_mode },
	{ "reply", "port", set_reply_port },	  { "reply", "table", set_reply_table },
	{ "reply", "age", set_reply_age },	  { "wire", "netns", set_wire_netns },
	{ "wire", "iface", set_wire_iface },	  { "wire", "follow", set_wire_follow },
	{ "wire", "port", set_wire_port },	  { "wire", "table", set_wire_table },
	{ "wire", "age", set_wire_age },	  { "wire", "gateway", set_wire_gateway },
	{ "wire", "server", set_wire_server },	  { "wire", "except", set_wire_except },
	{ "wire", "attach", set_wire_attach },	  { "steer", "port", set_steer_port },
	{ "steer", "policy", set_steer_policy },  { "steer", "generation", set_steer_generation },
	{ "steer", "flows", set_steer_flows },	  { "steer", "idle", set_steer_idle },
	{ "steer", "netns", set_steer_netns },	  { "steer", "sweep", set_steer_sweep },
	{ "steer", "xdp", set_steer_xdp },	  { "steer", "cpus", set_steer_cpus },
};
#define KEYS (sizeof(keys) / sizeof(*keys))

static const char *const sections[] = { "global", "reply", "wire", "steer" };
#define SECTIONS (sizeof(sections) / sizeof(*sections))

static bool section_known(const char *section)
{
	size_t i;

	for (i = 0; i < SECTIONS; i++)
		if (!strcmp(sections[i], section))
			return true;
	return false;
}

static int bad_section(struct conf *conf, const struct conf_entry *entry)
{
	const char *nearest = word_nearest(entry->section, sections, SECTIONS);

	if (nearest)
		return conf_complain(conf, entry->line, "unknown section [%s]; did you mean [%s]?",
				     entry->section, nearest);
	return conf_complain(conf, entry->line,
			     "unknown section [%s]; there are [global], [reply], [wire] and"
			     " [steer]",
			     entry->section);
}

static const struct key *key_find(const struct conf_entry *entry)
{
	size_t i;

	for (i = 0; i < KEYS; i++)
		if (!strcmp(keys[i].section, entry->section) && !strcmp(keys[i].name, entry->key))
			return &keys[i];
	return NULL;
}

static int bad_key(struct conf *conf, const struct conf_entry *entry)
{
	const char *known[KEYS], *nearest;
	char list[256] = "";
	size_t i, count = 0, used = 0;

	for (i = 0; i < KEYS; i++)
		if (!strcmp(keys[i].section, entry->section))
			known[count++] = keys[i].name;
	nearest = word_nearest(entry->key, known, count);
	for (i = 0; i < count && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 known[i]);
	if (nearest)
		return conf_complain(conf, entry->line,
				     "[%s]: unknown key '%s'; did you mean '%s'?", entry->section,
				     entry->key, nearest);
	return conf_complain(conf, entry->line, "[%s]: unknown key '%s'; there are %s",
			     entry->section, entry->key, list);
}

/* The line where the same stood before, or 0. */
static unsigned int given_before(const struct conf *conf, size_t at)
{
	const struct conf_entry *entry = &conf->entry[at];
	size_t i;

	for (i = 0; i < at; i++) {
		const struct conf_entry *other = &conf->entry[i];

		if (!strcmp(other->section, entry->section) && !other->key == !entry->key &&
		    (!entry->key || !strcmp(other->key, entry->key)))
			return other->line;
	}
	return 0;
}

static int take_section(struct run_config *config, const struct conf_entry *entry)
{
	if (!section_known(entry->section))
		return bad_section(&config->conf, entry);
	config->has_reply |= !strcmp(entry->section, "reply");
	config->has_wire |= !strcmp(entry->section, "wire");
	config->has_steer |= !strcmp(entry->section, "steer");
	return 0;
}

static int take_key(struct run_config *config, const struct conf_entry *entry)
{
	const struct key *key = key_find(entry);
	struct err err;
	char what[64];

	/* One complaint about the section is enough. */
	if (!section_known(entry->section))
		return 0;
	if (!key)
		return bad_key(&config->conf, entry);
	snprintf(what, sizeof(what), "[%s] %s", key->section, key->name);
	if (!*entry->value)
		return conf_complain(&config->conf, entry->line, "%s: no value", what);
	if (key->set(config, entry->value, &err))
		return conf_complain_err(&config->conf, entry->line, what, &err);
	return 0;
}

static int take(struct run_config *config, size_t at)
{
	const struct conf_entry *entry = &config->conf.entry[at];
	unsigned int before = given_before(&config->conf, at);

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

static unsigned int section_line(const struct conf *conf, const char *section)
{
	size_t i;

	for (i = 0; i < conf->entries; i++)
		if (!conf->entry[i].key && !strcmp(conf->entry[i].section, section))
			return conf->entry[i].line;
	return 0;
}

static bool key_given(const struct conf *conf, const char *section, const char *key)
{
	size_t i;

	for (i = 0; i < conf->entries; i++)
		if (conf->entry[i].key && !strcmp(conf->entry[i].section, section) &&
		    !strcmp(conf->entry[i].key, key))
			return true;
	return false;
}

static int check_wire(struct run_config *config)
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
	if (gateway && config->wire.servers == 1)
		return conf_complain(conf, line,
				     "[wire] server: one address is not enough; give"
				     " all that the server answers from");
	if (!gateway && servers)
		return conf_complain(conf, line,
				     "[wire] server needs the interface that it is"
				     " behind; give it with 'gateway'");
	return 0;
}

static int check_steer(struct run_config *config)
{
	struct conf *conf = &config->conf;
	struct err err = { 0 };

	if (!key_given(conf, "steer", "port"))
		return conf_complain(conf, section_line(conf, "steer"),
				     "[steer] needs a port: the servers', or any");
	if (!value_spread_check("", &config->steer_xdp, config->steer.policy, &err))
		return 0;
	return conf_complain(conf, section_line(conf, "steer"), "[steer]: %s: %s", err.what,
			     err.mend);
}

static int check_whole(struct run_config *config)
{
	struct conf *conf = &config->conf;
	int result = 0;

	if (!config->has_reply && !config->has_wire && !config->has_steer && !conf->problems)
		return conf_complain(conf, 0,
				     "neither a [reply] nor a [wire] nor a [steer] section: there"
				     " is nothing to do");
	if (config->has_reply && !key_given(conf, "reply", "mode"))
		result = conf_complain(conf, section_line(conf, "reply"),
				       "[reply] needs a mode: socket, or audit to look first");
	if (!result && config->has_wire)
		result = check_wire(config);
	if (!result && config->has_steer)
		result = check_steer(config);
	return result;
}

static void defaults(struct run_config *config)
{
	*config = (struct run_config){
		.log_level = LOG_LEVEL_INFO,
		.reply = { .ports.any = true,
			   .table = FLOW_TABLE_DEFAULT,
			   .age_s = FLOW_AGE_DEFAULT },
		.wire = { .ports.any = true,
			  .table = FLOW_TABLE_DEFAULT,
			  .age_s = FLOW_AGE_DEFAULT },
		.steer = { .policy = SLUICE_STEER_FLOW,
			   .generations = SLUICE_STEER_BY_PROCESS,
			   .flows = STEER_FLOWS_DEFAULT,
			   .idle_s = STEER_IDLE_DEFAULT },
		.steer_sweep_s = RUN_STEER_SWEEP_DEFAULT,
	};
}

static int verdict(struct run_config *config, const char *path, struct err *err)
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
		return err_mend(err, -error, "let the user that sluice runs as read it");
	return err_mend(err, -error,
			"name the daemon's file with --config; sluice(8), CONFIGURATION FILE, has"
			" an example");
}

int run_config_parse(FILE *file, const char *path, struct run_config *config, struct err *err)
{
	size_t i;
	int result;

	defaults(config);
	result = conf_read(file, &config->conf);
	if (result)
		return unreadable(path, -result, err);
	for (i = 0; !result && i < config->conf.entries; i++)
		result = take(config, i);
	if (!result)
		result = check_whole(config);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "%s: %s", path, strerror(-result));
	return verdict(config, path, err);
}

int run_config_read(const char *path, struct run_config *config, struct err *err)
{
	FILE *file = fopen(path, "re");
	int result;

	defaults(config);
	if (!file)
		return unreadable(path, errno, err);
	result = run_config_parse(file, path, config, err);
	fclose(file);
	return result;
}

void run_config_free(struct run_config *config)
{
	conf_free(&config->conf);
}
