// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/options.h"

#include "steer/steer.h"

static const char *const policies[] = { "flow", "load", "source", "cpu", NULL };
static const char *const generations[] = { "process", "cgroup", "none", NULL };

#define STEER_FIELD(field) offsetof(struct steer_options, field)

const struct opt steer_opts[] = {
	{ "port", 0, "LIST", opt_ports, STEER_FIELD(ports),
	  "the servers' ports, as in 53,5000-5100, or any; required" },
	{ "policy", 0, "POLICY", opt_word, STEER_FIELD(policy),
	  "which worker gets a new flow: flow, by addresses and ports; load, the least busy of"
	  " four; source, by client address; cpu, the worker on the receiving CPU",
	  .words = policies, .min = SLUICE_STEER_FLOW, .preset = "flow" },
	{ "flows", 0, "N", opt_u32, STEER_FIELD(flows),
	  "size of the flow table of a group, in flows of 16 bytes", .min = STEER_FLOWS_MIN,
	  .max = STEER_FLOWS_MAX, .preset = OPT_TEXT(STEER_FLOWS_DEFAULT) },
	{ "idle", 0, "SECONDS", opt_u64, STEER_FIELD(idle_s),
	  "how long a flow is valid after its last datagram", .min = 1, .max = STEER_IDLE_MAX,
	  .preset = OPT_TEXT(STEER_IDLE_DEFAULT) },
	{ "generation", 0, "BY", opt_word, STEER_FIELD(generations),
	  "what distinguishes a new instance of the server: process, cgroup, or none",
	  .words = generations, .min = SLUICE_STEER_BY_PROCESS, .preset = "process" },
	{ "dry-run", 'n', NULL, opt_switch, STEER_FIELD(dry_run),
	  "run the verifier, print what would be steered, change nothing", .side = OPT_LINE },
	{ .name = NULL },
};

const char *steer_policy_name(__u32 policy)
{
	return opt_word_name(policies, policy - SLUICE_STEER_FLOW);
}

const char *steer_generations_name(__u32 by)
{
	return opt_word_name(generations, by - SLUICE_STEER_BY_PROCESS);
}
