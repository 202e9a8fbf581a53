// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice peer connect: makes a service of another peer available on this host. */
#include "cmd/command.h"
#include "cmd/peer/execute.h"
#include "meet/peer/process.h"

static struct peer_identity identity;
static struct peer_target target;

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	int result = peer_target_check(&target, &identity, err);

	if (!result)
		result = peer_identity_check(&identity, err);
	if (result)
		return result;
	return peer_connect ? peer_connect(&identity, &target, context->verbose, err)
			    : peer_execute(context, err);
}

const struct command peer_connect_command = {
	.object = "peer",
	.name = "connect",
	.summary = "make a service of another peer available on this host",
	.tables = { { peer_connect_opts, &target }, { peer_identity_opts, &identity } },
	.run = run,
	.help = "The two peers find each other through the rendezvous server, and a path through\n"
		"the NATs between them.  See sluice-peer(8).\n"
		"\n"
		"example:\n"
		"  sluice peer connect --server rendezvous.example.net:3478 --server-key KEY \\\n"
		"    --id alice --key-file alice.key --peer-key bob=KEY \\\n"
		"    --to bob --service ssh --listen tcp:127.0.0.1:2222\n",
};
