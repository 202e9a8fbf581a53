// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/options.h"

#include "kernel/flow_table.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>

bool wire_is_pattern(const char *name)
{
	return strpbrk(name, "*?[");
}

bool wire_follows(const struct wire_names *follow, const char *name)
{
	int i;

	for (i = 0; i < follow->count; i++)
		if (!fnmatch(follow->name[i], name, 0))
			return true;
	return false;
}

static int parse_names(const struct opt_value *v, struct err *err)
{
	struct wire_names *names = v->field;
	int count = opt_interfaces(v->what, v->text, names->name, names->count, WIRE_NAMES_MAX,
				   err);

	if (count < 0)
		return count;
	names->count = count;
	return 0;
}

/* Returns the reason to reject an address, or NULL. */
static const char *addr_fault(const struct wire_addrs *addrs, int count,
			      const struct sluice_addr *addr)
{
	struct in6_addr in6;
	struct in_addr in4 = { addr->word_be[3] };
	int i;

	memcpy(&in6, addr, sizeof(in6));
	for (i = 0; i < count; i++)
		if (!memcmp(&addrs->addr[i], addr, sizeof(*addr)))
			return "this address is given twice";
	if (IN6_IS_ADDR_V4MAPPED(&in6)
		    ? !in4.s_addr || ntohl(in4.s_addr) >= INADDR_UNSPEC_GROUP
		    : IN6_IS_ADDR_UNSPECIFIED(&in6) || IN6_IS_ADDR_MULTICAST(&in6))
		return "not the address of one host";
	return NULL;
}

/* Appends a list like "10.0.0.5,fd00::5"; on failure the options keep the old list. */
static int parse_addrs(const struct opt_value *v, struct err *err)
{
	const char *what = v->what, *text;
	char *copy = strdup(v->text), *rest = copy;
	struct wire_addrs *addrs = v->field;
	int result = 0, count = addrs->count;

	if (!copy)
		return err_set(err, EXIT_ERROR, ENOMEM, "%s%sout of memory", OPT_WHAT(what));
	while (!result && (text = strsep(&rest, ","))) {
		struct sluice_addr addr = { .word_be = { 0, 0, htonl(0xffff) } };
		const char *fault;

		text += strspn(text, " \t");
		if (inet_pton(AF_INET, text, &addr.word_be[3]) != 1 &&
		    inet_pton(AF_INET6, text, &addr) != 1)
			result = err_hint(err,
					  err_set(err, EXIT_USAGE, EINVAL,
						  "%s%s'%s': not an IP address", OPT_WHAT(what),
						  text),
					  "give addresses, as in 10.0.0.5,10.0.1.5");
		else if ((fault = addr_fault(addrs, count, &addr)))
			result = err_set(err, EXIT_USAGE, EINVAL, "%s%s'%s': %s", OPT_WHAT(what),
					 text, fault);
		else if (count == WIRE_ADDRS_MAX)
			result = err_set(err, EXIT_USAGE, E2BIG, "%s%smore than %d addresses",
					 OPT_WHAT(what), WIRE_ADDRS_MAX);
		else
			addrs->addr[count++] = addr;
	}
	if (!result)
		addrs->count = count;
	free(copy);
	return result;
}

static const char *const attach_modes[] = { "auto", "tcx", "clsact", NULL };

#define WIRE_FIELD(field) offsetof(struct wire_options, field)

/* On the command line, port, table and age are options of 'reply load' in any mode. */
const struct opt wire_opts[] = {
	{ "iface", 0, "IF,..", parse_names, WIRE_FIELD(ifaces), "interfaces toward clients" },
	{ "follow", 0, "BRIDGE,..", parse_names, WIRE_FIELD(follow),
	  "bridges whose ports all lead to clients; patterns as in docker0,br-* match bridges" },
	{ "gateway", 0, "IF,..", parse_names, WIRE_FIELD(gateways),
	  "interfaces toward the server whose addresses 'server' lists" },
	{ "server", 0, "ADDR,..", parse_addrs, WIRE_FIELD(servers),
	  "all addresses of the server behind the gateway, two or more" },
	{ "port", 0, "LIST", opt_ports, WIRE_FIELD(ports),
	  "the servers' ports, as in 53,5000-5100, or any", .side = OPT_FILE, .preset = "any" },
	{ "table", 0, "N", opt_u32, WIRE_FIELD(table),
	  "size of the flow table; a full set evicts its oldest flows", .side = OPT_FILE,
	  .min = FLOW_TABLE_MIN, .max = FLOW_TABLE_MAX, .preset = OPT_TEXT(FLOW_TABLE_DEFAULT) },
	{ "age", 0, "SECONDS", opt_u64, WIRE_FIELD(age_s),
	  "how long a flow is valid after its last datagram", .side = OPT_FILE, .min = 1,
	  .max = FLOW_AGE_MAX, .preset = OPT_TEXT(FLOW_AGE_DEFAULT) },
	{ "attach", 0, "MODE", opt_word, WIRE_FIELD(attach_mode),
	  "how to attach: tcx, clsact, or auto (tcx if the kernel supports it)",
	  .words = attach_modes, .noun = "attach mode", .preset = "auto" },
	{ .name = NULL },
};
