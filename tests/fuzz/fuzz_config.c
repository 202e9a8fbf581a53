// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Parses arbitrary bytes as the daemon's file. Each problem names a line of the file and has a
 * one-line text. A file with a problem is rejected.
 *
 * with: user/cli/conf_keys.c user/meet/rendezvous/options.c user/meet/peer/options.c
 * with: user/meet/peer/service.c user/meet/key.c user/metrics/options.c
 */
#include "fuzz.h"

#include "../../user/base/addr.c"
#include "../../user/base/array.c"
#include "../../user/base/err.c"
#include "../../user/base/log.c"
#include "../../user/base/ports.c"
#include "../../user/base/text.c"
#include "../../user/cli/conf.c"
#include "../../user/cli/environment.c"
#include "../../user/cli/opt.c"
#include "../../user/cli/suggest.c"
#include "../../user/daemon/config.c"
#include "../../user/hold/options.c"
#include "../../user/net/netns.c"
#include "../../user/reply/options.c"
#include "../../user/steer/cpu/spread_options.c"
#include "../../user/steer/options.c"
#include "../../user/wire/options.c"

#include <stdint.h>
#include <stdlib.h>

static unsigned int lines_of(const uint8_t *data, size_t size)
{
	unsigned int lines = 1;
	size_t i;

	for (i = 0; i < size; i++)
		lines += data[i] == '\n';
	return lines;
}

static void check_problems(const struct conf *conf, unsigned int lines)
{
	unsigned int last = 0;
	size_t i;

	for (i = 0; i < conf->problems; i++) {
		if (conf->problem[i].line > lines || conf->problem[i].line < last)
			abort();
		if (!*conf->problem[i].text || strchr(conf->problem[i].text, '\n'))
			abort();
		last = conf->problem[i].line;
	}
}

static void check_taken(const struct config *config)
{
	if (!config->has[SECTION_REPLY] && !config->has[SECTION_WIRE] &&
	    !config->has[SECTION_STEER])
		abort();
	if (config->has[SECTION_REPLY] &&
	    (config->reply.table < FLOW_TABLE_MIN || config->reply.table > FLOW_TABLE_MAX ||
	     !config->reply.age_s))
		abort();
	if (config->has[SECTION_STEER] &&
	    (config->steer.flows < STEER_FLOWS_MIN || config->steer.flows > STEER_FLOWS_MAX ||
	     !config->steer.idle_s || !config->steer_sweep_s))
		abort();
	if (config->has[SECTION_WIRE] && (config->wire.ifaces.count > WIRE_NAMES_MAX ||
					  config->wire.servers.count > WIRE_ADDRS_MAX))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct config config;
	struct err err;
	FILE *file = size ? fmemopen((void *)data, size, "r") : NULL;
	int result;

	if (!file)
		return 0;
	result = config_parse(file, "fuzz", &config, &err);
	fclose(file);
	if (result && !config.conf.problems)
		abort();
	check_problems(&config.conf, lines_of(data, size));
	if (!result)
		check_taken(&config);
	config_free(&config);
	return 0;
}
