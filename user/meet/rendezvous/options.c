// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/addr.h"
#include "meet/rendezvous/rendezvous.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

/* Parses ADDR:PORT[,…]. */
static int parse_endpoints(const struct opt_value *v, struct err *err)
{
	struct endpoint_list list = { .count = 0 };
	const char *at = v->text;
	unsigned int i;

	for (;; at++) {
		struct stun_endpoint *endpoint = &list.at[list.count];
		size_t length = strcspn(at, ",");
		char text[ADDR_TEXT_MAX];

		if (list.count == LISTENERS_MAX)
			return err_set(err, EXIT_USAGE, E2BIG, "%s%sat most %d addresses",
				       OPT_WHAT(v->what), LISTENERS_MAX);
		snprintf(text, sizeof(text), "%.*s", (int)length, at);
		if (length >= sizeof(text) ||
		    !addr_parse_port(text, &endpoint->addr, &endpoint->port_be))
			return err_hint(err,
					err_set(err, EXIT_USAGE, EINVAL,
						"%s%s'%.*s' is not an address and a port",
						OPT_WHAT(v->what), (int)length, at),
					"give ADDR:PORT, as in 192.0.2.1:3478 or"
					" [2001:db8::1]:3478, and several between commas");
		for (i = 0; i < list.count; i++)
			if (stun_endpoint_is_same(&list.at[i], endpoint))
				return err_set(err, EXIT_USAGE, EINVAL,
					       "%s%s%s is given more than once", OPT_WHAT(v->what),
					       text);
		list.count++;
		at += length;
		if (!*at)
			break;
	}
	*(struct endpoint_list *)v->field = list;
	return 0;
}

static int parse_xdp(const struct opt_value *v, struct err *err)
{
	struct rendezvous_options *options = v->field;
	int count = opt_interfaces(v->what, v->text, options->ifname, 0, MEET_XDP_IFACES_MAX, err);

	if (count < 0)
		return count;
	options->ifcount = count;
	return 0;
}

/* A name becomes the name of a socket; those of the daemon begin with "run-". */
static int parse_name(const struct opt_value *v, struct err *err)
{
	size_t i, length = strlen(v->text);
	bool valid = length && length <= RENDEZVOUS_NAME_MAX && strncmp(v->text, "run-", 4);

	for (i = 0; i < length; i++)
		valid = valid && (isalnum((unsigned char)v->text[i]) || v->text[i] == '-');
	if (!valid)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL, "%s%s'%s' is not a name",
					OPT_WHAT(v->what), v->text),
				"give up to %d letters, digits and hyphens, other than run-...",
				RENDEZVOUS_NAME_MAX);
	return opt_text(v, err);
}

#define FIELD(field) offsetof(struct rendezvous_options, field)

const struct opt rendezvous_opts[] = {
	{ "listen", 0, "ADDR:PORT[,...]", parse_endpoints, FIELD(listen),
	  "UDP and TCP addresses to serve; required" },
	{ "alternate", 0, "ADDR:PORT[,...]", parse_endpoints, FIELD(alternate),
	  "a second address and port, for behaviour discovery (RFC 5780); one per address family,"
	  " for the first 'listen' address of that family" },
	{ "xdp", 0, "IF[,...]", parse_xdp, 0,
	  "interfaces on which XDP answers ordinary Binding requests and refreshes, without waking"
	  " the server" },
	{ "key-file", 0, "FILE", opt_path, FIELD(key_file),
	  "the server's private key, from 'sluice peer key'" },
	{ "peers", 0, "FILE", opt_path, FIELD(peers_file),
	  "the peers file, with a line NAME PUBLIC-KEY [allow=NAME,...] for each peer; without it,"
	  " the server only answers STUN requests" },
	{ "user", 0, "USER", opt_text, FIELD(user),
	  "the user to switch to once all sockets are open", .preset = "nobody" },
	{ "max-peers", 0, "N", opt_u32, FIELD(max_peers), "limit on registrations, in total",
	  .min = 1, .max = 16000000, .preset = "1000000" },
	{ "max-prefix", 0, "N", opt_u32, FIELD(max_prefix),
	  "limit on registrations, and on TCP connections, from a /24 of IPv4 or /56 of IPv6",
	  .min = 1, .max = 16000000, .preset = "4096" },
	{ "max-connections", 0, "N", opt_u32, FIELD(max_connections),
	  "limit on TCP connections, in total", .min = 1, .max = 1000000, .preset = "10000" },
	{ "rate", 0, "N", opt_u32, FIELD(rate),
	  "limit on answers per second to unauthenticated sources in a /24 of IPv4 or /56 of IPv6;"
	  " 0: no limit",
	  .max = 1000000, .preset = "1000" },
	{ "max-relays", 0, "N", opt_u32, FIELD(max_relays),
	  "limit on simultaneous sessions that use the relay; 0: no relay", .max = 1000000,
	  .preset = "1000" },
	{ "relay-peer-rate", 0, "KB", opt_u32, FIELD(relay_peer_rate),
	  "limit on kilobytes per second that the relay forwards for a peer; 0: no limit",
	  .max = 100000000, .preset = "1000" },
	{ "relay-rate", 0, "KB", opt_u32, FIELD(relay_rate),
	  "limit on kilobytes per second that the relay forwards for all peers; 0: no limit",
	  .max = 100000000, .preset = "100000" },
	{ "min-port", 0, "PORT", opt_u32, FIELD(port_min),
	  "the lowest port of a candidate that a peer may register", .min = 1, .max = 65535,
	  .preset = "1024" },
	{ "metrics", 0, METRICS_OPT_ARG, metrics_opt, FIELD(metrics), METRICS_OPT_HELP },
	{ "until-eof", 0, NULL, opt_switch, FIELD(until_eof),
	  "exit at the end of standard input, and reload the peers file at each line of it, for a"
	  " parent process that may not send signals to --user",
	  .side = OPT_LINE },
	{ .name = NULL },
};

const struct opt rendezvous_name_opts[] = {
	{ "name", 0, "NAME", parse_name, FIELD(name),
	  "the name of the server, and of its status socket below /run/sluice",
	  .preset = RENDEZVOUS_NAME_DEFAULT },
	{ .name = NULL },
};

static bool is_wildcard(const struct in6_addr *addr)
{
	return IN6_IS_ADDR_UNSPECIFIED(addr) || (addr_is_ip4(addr) && !addr->s6_addr32[3]);
}

static int set_alternate(const struct stun_endpoint *alternate, struct server_config *config,
			 struct err *err)
{
	char text[ADDR_TEXT_MAX], own[ADDR_TEXT_MAX];
	struct listener *listener = NULL;
	unsigned int i;

	for (i = 0; i < config->listeners && !listener; i++)
		if (addr_is_ip4(&config->listener[i].at.addr) == addr_is_ip4(&alternate->addr))
			listener = &config->listener[i];
	addr_format_port(&alternate->addr, alternate->port_be, text);
	if (!listener || listener->has_alternate)
		return err_set(err, EXIT_USAGE, EINVAL, "--alternate %s: %s", text,
			       listener ? "one address of a family is enough"
					: "no --listen address is of this family");
	if (is_wildcard(&alternate->addr) || is_wildcard(&listener->at.addr))
		return err_hint(
			err,
			err_set(err, EXIT_USAGE, EINVAL,
				"--alternate %s: the wildcard is no address that a client could use",
				text),
			"give addresses of this host instead of the wildcard");
	if (IN6_ARE_ADDR_EQUAL(&alternate->addr, &listener->at.addr) ||
	    alternate->port_be == listener->at.port_be)
		return err_hint(
			err,
			err_set(err, EXIT_USAGE, EINVAL,
				"--alternate %s: both address and port must differ from"
				" those of --listen %s",
				text,
				addr_format_port(&listener->at.addr, listener->at.port_be, own)),
			"RFC 5780 compares four sources: two addresses, two ports each");
	listener->has_alternate = true;
	listener->alternate = *alternate;
	return 0;
}

int rendezvous_listeners(const struct rendezvous_options *options, struct server_config *config,
			 struct err *err)
{
	unsigned int i;
	int result;

	if (!options->listen.count)
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "a --listen is needed"),
				"give the public address, as in --listen 192.0.2.1:3478");
	if (!options->key_file != !options->peers_file)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL, "--%s needs a --%s",
					options->peers_file ? "peers" : "key-file",
					options->peers_file ? "key-file" : "peers"),
				"give both for peers to register, or neither to serve STUN alone");
	config->listeners = options->listen.count;
	for (i = 0; i < options->listen.count; i++)
		config->listener[i] = (struct listener){ .at = options->listen.at[i] };
	for (i = 0; i < options->alternate.count; i++) {
		result = set_alternate(&options->alternate.at[i], config, err);
		if (result)
			return result;
	}
	return 0;
}
