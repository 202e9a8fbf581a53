// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/config.h"

#include "hold/options.h"
#include "reply/options.h"
#include "steer/cpu/spread_options.h"
#include "steer/options.h"
#include "wire/options.h"

#include <errno.h>
#include <string.h>

#define FILE_HINT "give the daemon's file with --config; sluice.conf(5) has an example"

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

const struct conf_table config_tables[] = {
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
	{ "peer", peer_identity_opts, CONFIG_FIELD(peer) },
	{ "peer", peer_run_opts, CONFIG_FIELD(exposed) },
	{ "peer", peer_connect_opts, CONFIG_FIELD(target) },
	{ .section = NULL },
};

const char *const config_section_names[SECTION_NAMES] = {
	[SECTION_REPLY] = "reply",
	[SECTION_WIRE] = "wire",
	[SECTION_HOLD] = "hold",
	[SECTION_STEER] = "steer",
	[SECTION_RENDEZVOUS] = "rendezvous",
	[SECTION_PEER] = "peer",
	[SECTION_GLOBAL] = "global",
};

/* --- constraints between keys */

static const char *wire_problem(const struct config *config)
{
	const struct conf *conf = &config->conf;
	bool gateway = conf_find(conf, "wire", "gateway");
	bool servers = conf_find(conf, "wire", "server");

	if (!gateway && !conf_find(conf, "wire", "iface") && !conf_find(conf, "wire", "follow"))
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

bool config_peer_connects(const struct config *config)
{
	const struct peer_target *target = &config->target;

	return target->to || target->service || target->listen.kind;
}

static int check_peer(const struct config *config, struct err *err)
{
	int result = peer_identity_check(&config->peer, err);

	if (result)
		return result;
	if (!config_peer_connects(config))
		return peer_exposed_check(&config->exposed, err);
	if (config->exposed.count)
		return err_hint(
			err,
			err_set(err, EXIT_USAGE, EINVAL,
				"expose and to, service or listen exclude each other"),
			"a peer either exposes services or connects to one; run another peer"
			" as a unit of systemd");
	return peer_target_check(&config->target, &config->peer, err);
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
		return conf_add_problem(
			conf, 0,
			"no [reply], [wire], [steer], [hold], [rendezvous] or [peer]"
			" section: nothing to do");
	if (!conf_find(conf, "reply", "mode"))
		problem[SECTION_REPLY] = "[reply] needs a mode: socket, or audit for a trial run";
	else if (valid && config->reply.any_peer_port && config->reply.mode != SLUICE_REPLY_SOCKET)
		problem[SECTION_REPLY] = "[reply] any_peer_port is for mode socket; mode audit"
					 " reports what it would fix";
	problem[SECTION_WIRE] = wire_problem(config);
	if (!conf_find(conf, "steer", "port"))
		problem[SECTION_STEER] = "[steer] needs a port: the servers' ports, or any";
	else if (valid && config->has[SECTION_STEER] &&
		 value_spread_check("", &config->spread, config->steer.policy, &err))
		result = conf_add_err(conf, conf_find(conf, "steer", NULL)->line, "[steer]", &err);
	if (!conf_find(conf, "hold", "port"))
		problem[SECTION_HOLD] = "[hold] needs a port: local or remote ones, or any";
	if (config->has[SECTION_RENDEZVOUS] && valid && !result &&
	    rendezvous_listeners(&config->rendezvous, &(struct server_config){ 0 }, &err))
		result = conf_add_err(conf, conf_find(conf, "rendezvous", NULL)->line,
				      "[rendezvous]", &err);
	if (config->has[SECTION_PEER] && valid && !result && check_peer(config, &err))
		result = conf_add_err(conf, conf_find(conf, "peer", NULL)->line, "[peer]", &err);
	for (i = 0; i < SECTIONS && !result; i++)
		if (config->has[i] && problem[i])
			result = conf_add_problem(
				conf, conf_find(conf, config_section_names[i], NULL)->line, "%s",
				problem[i]);
	return result;
}

int config_parse(FILE *file, const char *path, struct config *config, struct err *err)
{
	struct conf *conf = &config->conf;
	int i, result;

	*config = (struct config){ 0 };
	result = conf_parse(conf, file, config_tables, config);
	for (i = 0; i < SECTION_NAMES; i++)
		config->has[i] = conf_find(conf, config_section_names[i], NULL);
	if (!result && conf->problems < CONF_PROBLEMS_MAX)
		result = check_sections(config);
	return result ? conf_read_error(path, -result, FILE_HINT, err)
		      : conf_check(conf, path, err);
}

int config_read(const char *path, struct config *config, struct err *err)
{
	FILE *file;
	int result;

	*config = (struct config){ 0 };
	file = fopen(path, "re");
	if (!file)
		return conf_read_error(path, errno, FILE_HINT, err);
	result = config_parse(file, path, config, err);
	fclose(file);
	return result;
}

void config_free(struct config *config)
{
	conf_free(&config->conf);
}
