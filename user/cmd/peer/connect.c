// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice peer connect: makes a service of another peer available on this host. */
#include "cmd/command.h"
#include "cmd/peer/execute.h"
#include "cmd/peer/file.h"
#include "meet/peer/process.h"

static struct peer_config config;
static struct peer_file file;

static void merge_u32(__u32 *into, __u32 line)
{
	if (line)
		*into = line;
}

static void merge_pool(struct peer_pool *pool, const struct peer_pool *line)
{
	merge_u32(&pool->max, line->max);
	merge_u32(&pool->min_idle, line->min_idle);
	merge_u32(&pool->queue, line->queue);
	merge_u32(&pool->acquire_ms, line->acquire_ms);
	merge_u32(&pool->idle_s, line->idle_s);
	merge_u32(&pool->life_s, line->life_s);
	merge_u32(&pool->order, line->order);
}

/* The command line takes precedence over the file, so that a file serves several commands. */
static void merge(struct peer_target *target, const struct peer_target *line)
{
	if (line->to)
		target->to = line->to;
	if (line->service)
		target->service = line->service;
	target->until_eof = line->until_eof;
	merge_pool(&target->pool, &line->pool);
	if (!line->listen.kind && !line->stdio)
		return;
	target->listen = line->listen;
	target->stdio = line->stdio;
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct peer_target line = config.target;
	int result;

	/* the file may be a pipe, which only one of the two programs can read */
	if (!peer_connect && file.path && !file.check)
		return peer_execute(context, err);
	result = peer_file_read(&file, peer_connect_keys, &config, err);
	merge(&config.target, &line);
	if (!result)
		result = peer_target_check(&config.target, &config.identity, err);
	if (!result)
		result = peer_identity_check(&config.identity, err);
	if (result || file.check)
		return result ? result : peer_file_checked(&file, context);
	return peer_connect ? peer_connect(&config.identity, &config.target, context->verbose, err)
			    : peer_execute(context, err);
}

const struct command peer_connect_command = {
	.object = "peer",
	.name = "connect",
	.summary = "make a service of another peer available on this host",
	.tables = { { peer_file_opts, &file },
		    { peer_connect_opts, &config.target },
		    { peer_identity_opts, &config.identity, .given = &file.identity_given } },
	.run = run,
	.help = "The two peers find each other through the rendezvous server, and a path through\n"
		"the NATs between them.  See sluice-peer(8).\n"
		"\n"
		"example:\n"
		"  sluice peer connect --server rendezvous.example.net:3478 --server-key KEY \\\n"
		"    --id alice --key-file alice.key --peer-key bob=KEY \\\n"
		"    --to bob --service ssh --listen tcp:127.0.0.1:2222\n",
};
