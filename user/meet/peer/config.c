// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/peer/config.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HINT "name the file of the peer with --config; sluice-peer(8) has an example"

#define CONFIG_FIELD(field) offsetof(struct peer_config, field)

const struct conf_table peer_run_keys[] = {
	{ "peer", peer_identity_opts, CONFIG_FIELD(identity) },
	{ "peer", peer_run_opts, CONFIG_FIELD(exposed) },
	{ .section = NULL },
};

const struct conf_table peer_connect_keys[] = {
	{ "peer", peer_identity_opts, CONFIG_FIELD(identity) },
	{ "peer", peer_connect_opts, CONFIG_FIELD(target) },
	{ .section = NULL },
};

static void describe(const struct conf *conf, const char *path, struct err *err)
{
	size_t i, used = 0;

	for (i = 0; i < conf->problems && used < sizeof(err->detail); i++)
		used += (size_t)snprintf(err->detail + used, sizeof(err->detail) - used,
					 "%s:%u: %s\n", path, conf->problem[i].line,
					 conf->problem[i].text);
}

int peer_config_read(const char *path, const struct conf_table *keys, struct peer_config *config,
		     struct err *err)
{
	struct conf *conf = &config->conf;
	const char *credentials = getenv("CREDENTIALS_DIRECTORY");
	FILE *file = fopen(path, "re");
	char *key_file;
	int result;

	*config = (struct peer_config){ .conf = { NULL } };
	if (!file)
		return conf_read_error(path, errno, HINT, err);
	result = conf_parse(conf, file, keys, config);
	fclose(file);
	if (!result && !conf->problems && !conf_find(conf, "peer", NULL))
		result = conf_add_problem(conf, 1, "no [peer] section: nothing to do");
	if (result)
		return conf_read_error(path, -result, HINT, err);
	result = conf_check(conf, path, err);
	if (result)
		describe(conf, path, err);
	if (!config->identity.key_file && credentials &&
	    asprintf(&key_file, "%s/key", credentials) > 0)
		config->identity.key_file = key_file;
	return result;
}
