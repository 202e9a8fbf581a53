// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice nat probe: the behaviour of the NAT between this host and a STUN server. */
#include "nat/probe.h"

#include "base/addr.h"
#include "cmd/command.h"
#include "cmd/nat/view.h"

#include <errno.h>
#include <string.h>

#define LIFETIME_MAX 3600

struct options {
	struct opt_addr source;
	__u32 lifetime_s;
};

static struct options options;

static const struct opt opts[] = {
	{ "lifetime", 0, "SECONDS", opt_u32, offsetof(struct options, lifetime_s),
	  "also measure how long an unused mapping lives, in twelve equal steps up to this time, which"
	  " the command then takes",
	  .side = OPT_LINE, .min = 1, .max = LIFETIME_MAX },
	{ "source", 0, "ADDR", opt_addr, offsetof(struct options, source),
	  "send from this address of the host, instead of that of the route", .side = OPT_LINE },
	{ .name = NULL },
};

static int parse(const struct options *given, int words, char **word,
		 struct nat_probe_options *probe, struct err *err)
{
	static const char hint[] =
		"give the address of a STUN server, as in 192.0.2.1:3478 or [2001:db8::1]:3478";
	struct stun_endpoint *server = &probe->server;

	if (!words)
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "nat probe needs a server"),
				"%s", hint);
	if (!addr_parse_port(word[0], &server->addr, &server->port_be))
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"'%s' is not an address and a port", word[0]),
				"%s", hint);
	if (!nat_is_usable(server, &server->addr) || IN6_IS_ADDR_LINKLOCAL(&server->addr))
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL,
					"'%s' is not a unicast address beyond this link", word[0]),
				"%s", hint);
	probe->lifetime_s = given->lifetime_s;
	if (!given->source.given)
		return 0;
	probe->source = given->source.addr;
	if (addr_is_ip4(&probe->source) == addr_is_ip4(&server->addr))
		return 0;
	return err_set(err, EXIT_USAGE, EINVAL,
		       "--source: not of the same address family as the server");
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	static struct nat_probe_report report;
	struct nat_probe_options probe = { .lifetime_s = 0 };
	int result = parse(into, words, word, &probe, err);

	if (!result)
		result = nat_probe(&probe, &report, err);
	if (result)
		return result;
	if (context->output.json)
		output_json(&context->output, nat_view_json(&report));
	else
		nat_view_text(&report, &context->output);
	return 0;
}

const struct command nat_probe_command = {
	.object = "nat",
	.name = "probe",
	.summary =
		"mapping, filtering, hairpinning, ports and lifetime of the NAT before this host",
	.words = "ADDR:PORT",
	.max_words = 1,
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "ADDR:PORT is a STUN server.  Mapping and filtering need one with two addresses\n"
		"(RFC 5780), the lifetime one that knows RESPONSE-PORT.  See sluice-nat(8).\n",
};
