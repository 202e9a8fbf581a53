// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice peer run: exposes services to other peers. */
#include "cmd/command.h"
#include "cmd/peer/execute.h"
#include "cmd/peer/file.h"
#include "meet/peer/process.h"

static struct peer_config config;
static struct peer_file file;

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	int result;

	/* the file may be a pipe, which only one of the two programs can read */
	if (!peer_serve && file.path && !file.check)
		return peer_execute(context, err);
	result = peer_file_read(&file, peer_run_keys, &config, err);
	if (!result)
		result = peer_identity_check(&config.identity, err);
	if (!result)
		result = peer_exposed_check(&config.exposed, err);
	if (result || file.check)
		return result ? result : peer_file_checked(&file, context);
	return peer_serve ? peer_serve(&config.identity, &config.exposed, context->verbose, err)
			  : peer_execute(context, err);
}

const struct command peer_run_command = {
	.object = "peer",
	.name = "run",
	.summary = "expose local services to other peers, over encrypted paths through NATs",
	.tables = { { peer_file_opts, &file },
		    { peer_run_opts, &config.exposed, .given = &file.exposed_given },
		    { peer_identity_opts, &config.identity, .given = &file.identity_given } },
	.run = run,
	.help = "The peer registers with the rendezvous server, and other peers reach its services\n"
		"without a forwarded port: directly, or through its relay.  See sluice-peer(8).\n"
		"\n"
		"example:\n"
		"  sluice peer run --server rendezvous.example.net:3478 --server-key KEY \\\n"
		"    --id bob --key-file bob.key --peer-key alice=KEY \\\n"
		"    --expose ssh=tcp:127.0.0.1:22\n",
};
