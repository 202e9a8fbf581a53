// SPDX-License-Identifier: GPL-2.0-or-later
#include "reply/options.h"

#include "cli/suggest.h"
#include "reply/reply.h"

#include <errno.h>
#include <string.h>

/*
 * Parses the key mode of [reply]. Mode wire has a separate section; 'reply load' parses its own
 * --mode, which has all modes.
 */
static int parse_mode(const struct opt_value *v, struct err *err)
{
	int result = opt_word(v, err);

	return result && !strcmp(v->text, "wire")
		       ? err_hint(err, result, "mode wire has its own section, [wire]")
		       : result;
}

static const char *const modes[] = { "socket", "audit", NULL };

#define REPLY_FIELD(field) offsetof(struct reply_options, field)

const struct opt reply_opts[] = {
	{ "mode", 0, "socket | audit", parse_mode, REPLY_FIELD(mode),
	  "mode socket sets the source of replies; mode audit changes no packet, and counts"
	  " wrong replies; required",
	  .side = OPT_FILE, .words = modes, .noun = "mode", .min = SLUICE_REPLY_SOCKET },
	{ "port", 0, "LIST", opt_ports, REPLY_FIELD(ports),
	  "the servers' ports, as in 53,5000-5100, or any", .preset = "any" },
	{ "table", 0, "N", opt_u32, REPLY_FIELD(table),
	  "size of the flow table; a full set evicts its oldest flow", .min = FLOW_TABLE_MIN,
	  .max = FLOW_TABLE_MAX, .preset = OPT_TEXT(FLOW_TABLE_DEFAULT) },
	{ "age", 0, "SECONDS", opt_u64, REPLY_FIELD(age_s),
	  "how long a flow is valid after its peer's last packet", .min = 1, .max = FLOW_AGE_MAX,
	  .preset = OPT_TEXT(FLOW_AGE_DEFAULT) },
	{ "any-peer-port", 0, NULL, opt_switch, REPLY_FIELD(any_peer_port),
	  "mode socket: also fix datagrams to a port that the peer has not sent from" },
	{ "dry-run", 'n', NULL, opt_switch, REPLY_FIELD(dry_run),
	  "run the verifier, list the programs to attach, change nothing", .side = OPT_LINE },
	{ .name = NULL },
};
