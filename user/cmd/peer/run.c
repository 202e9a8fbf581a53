// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice peer run: exposes services to other peers. */
#include "cmd/command.h"
#include "cmd/peer/execute.h"
#include "meet/peer/process.h"

static struct peer_identity identity;
static struct peer_exposed exposed;

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	int result = peer_identity_check(&identity, err);

	if (!result)
		result = peer_exposed_check(&exposed, err);
	if (result)
		return result;
	return peer_serve ? peer_serve(&identity, &exposed, context->verbose, err)
			  : peer_execute(context, err);
}

const struct command peer_run_command = {
	.object = "peer",
	.name = "run",
	.summary = "expose local services to other peers, over encrypted paths through NATs",
	.tables = { { peer_run_opts, &exposed }, { peer_identity_opts, &identity } },
	.run = run,
	.help = "The peer registers with the rendezvous server, and other peers reach its services\n"
		"without a forwarded port: directly, or through its relay.  See sluice-peer(8).\n"
		"\n"
		"example:\n"
		"  sluice peer run --server rendezvous.example.net:3478 --server-key KEY \\\n"
		"    --id bob --key-file bob.key --peer-key alice=KEY \\\n"
		"    --expose ssh=tcp:127.0.0.1:22\n",
};
