// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice rendezvous serve: runs the server. */
#include "cmd/command.h"
#include "meet/rendezvous/rendezvous.h"

static struct rendezvous_options options;

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	return rendezvous_serve(into, context->verbose, err);
}

const struct command rendezvous_serve_command = {
	.object = "rendezvous",
	.name = "serve",
	.summary = "run a STUN server, at which peers also register and find each other",
	.tables = { { rendezvous_opts, &options }, { rendezvous_name_opts, &options } },
	.options = &options,
	.run = run,
	.help = "The server answers all STUN Binding requests (RFC 8489, RFC 5780, RFC 3489)\n"
		"over UDP and TCP. The peers of its file register with their keys, and the server\n"
		"introduces one to another; sluice-protocol(7) describes the messages.\n"
		"\n"
		"SIGHUP reads the peers file again. SIGUSR1 drains: the server is not ready any more,\n"
		"but answers until SIGTERM, or a second SIGUSR1, ends it.\n"
		"\n"
		"example:\n"
		"  umask 077; sluice peer key >server.key\n"
		"  sluice rendezvous serve --listen 192.0.2.1:3478 --key-file server.key \\\n"
		"    --peers peers\n",
};
