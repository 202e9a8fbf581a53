// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice nat probe: measures the behaviour of the NAT between this host and a STUN server. */
#include "nat/probe.h"

#include "base/addr.h"
#include "cmd/command.h"

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
	  "also measure the lifetime of an unused mapping, in twelve equal steps up to this time, which"
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

/* --- the report */

/* RFC 4787, REQ-5: a mapping must not expire earlier. */
#define LIFETIME_MIN_MS 120000

static const char *const lifetime_names[] = { "unknown", "alive", "expired", "remapped" };

struct endpoint_text {
	char text[ADDR_TEXT_MAX];
};

static const char *endpoint(const struct stun_endpoint *endpoint, struct endpoint_text *text)
{
	return addr_format_port(&endpoint->addr, endpoint->port_be, text->text);
}

static struct stun_endpoint local_of(const struct nat_findings *findings, int socket)
{
	return (struct stun_endpoint){ findings->local, findings->local_port_be[socket] };
}

/* Returns the outcome of a query as a word for text and JSON. */
static const char *outcome_of(const struct nat_findings *findings, enum nat_test test)
{
	switch (findings->tests[test].outcome) {
	case NAT_ANSWERED:
		return nat_is_answered(findings, test) ? "response" : "wrong source";
	case NAT_REFUSED:
		return "error";
	case NAT_LOOPED:
		return "arrived";
	case NAT_SILENT:
		return "none";
	default:
		return "not asked";
	}
}

/* --- the lifetime */

/* The longest idle time that a mapping has survived, and the shortest that expired it; 0: none. */
static void lifetime_bounds(const struct nat_lifetime_report *lifetime, uint32_t *alive_ms,
			    uint32_t *gone_ms)
{
	int i;

	*alive_ms = *gone_ms = 0;
	for (i = 0; i < lifetime->count && !*gone_ms; i++) {
		const struct nat_lifetime_step *step = &lifetime->steps[i];

		if (step->result == NAT_LIFETIME_ALIVE)
			*alive_ms = step->idle_ms;
		else if (step->result != NAT_LIFETIME_UNKNOWN)
			*gone_ms = step->idle_ms;
	}
}

/* --- text */

static void mapping_rows(struct table *table, const struct nat_probe_report *report)
{
	static const enum nat_test tests[] = { NAT_MAP, NAT_MAP_ADDR, NAT_MAP_PORT, NAT_MAP_BOTH };
	const struct nat_findings *findings = &report->findings;
	const char *name = nat_behaviour_names[report->behaviours.mapping];
	const struct stun_endpoint local = local_of(findings, 0);
	struct endpoint_text to, mapped, from;
	size_t i;

	for (i = 0; i < sizeof(tests) / sizeof(*tests); i++) {
		const struct nat_query *query = &findings->tests[tests[i]];

		if (query->outcome == NAT_NOT_ASKED)
			continue;
		table_row(table, "%s|%s|%s to %s: %s", i ? "" : "mapping", i ? "" : name,
			  endpoint(&local, &from), endpoint(&query->to, &to),
			  nat_is_answered(findings, tests[i]) ? endpoint(&query->mapped, &mapped)
							      : "no response");
	}
	if (report->behaviours.mapping_reason[0])
		table_row(table, "||%s", report->behaviours.mapping_reason);
}

static void filtering_rows(struct table *table, const struct nat_probe_report *report)
{
	static const struct {
		enum nat_test test, again;
	} rows[] = {
		{ NAT_FILTER_BOTH, NAT_FILTER_AGAIN_BOTH },
		{ NAT_FILTER_PORT, NAT_FILTER_AGAIN_PORT },
	};
	const struct nat_findings *findings = &report->findings;
	const struct nat_behaviours *behaviours = &report->behaviours;
	const char *name = nat_behaviour_names[behaviours->filtering], *first = "filtering";
	size_t i;

	for (i = 0; i < sizeof(rows) / sizeof(*rows); i++) {
		struct stun_endpoint from = nat_answerer(findings, rows[i].test);
		struct endpoint_text text;

		if (findings->tests[rows[i].test].outcome == NAT_NOT_ASKED)
			continue;
		table_row(table, "%s|%s|from %s: %s%s%s", first, name, endpoint(&from, &text),
			  outcome_of(findings, rows[i].test),
			  findings->tests[rows[i].again].outcome ? "; after a request to it: " : "",
			  findings->tests[rows[i].again].outcome
				  ? outcome_of(findings, rows[i].again)
				  : "");
		first = name = "";
	}
	if (behaviours->filtering_reason[0])
		table_row(table, "%s|%s|%s", first, name, behaviours->filtering_reason);
	else if (!behaviours->filtering_confirmed)
		table_row(table,
			  "||not confirmed: a request to another endpoint had a different mapping");
}

static void hairpin_rows(struct table *table, const struct nat_probe_report *report)
{
	const struct nat_findings *findings = &report->findings;
	const char *name = nat_hairpin_names[report->behaviours.hairpin];
	struct endpoint_text source, to, from;
	int i;

	if (report->behaviours.hairpin_reason[0])
		table_row(table, "hairpin|%s|%s", name, report->behaviours.hairpin_reason);
	for (i = 0; i < 2; i++) {
		const struct nat_query *query = &findings->tests[NAT_HAIRPIN + i];
		struct stun_endpoint local = local_of(findings, 2 + i);

		if (query->outcome == NAT_NOT_ASKED)
			continue;
		table_row(table, "%s|%s|%s to %s: %s%s", i ? "" : "hairpin", i ? "" : name,
			  endpoint(&local, &source), endpoint(&query->to, &to),
			  query->outcome == NAT_LOOPED ? "arrived from " : "",
			  query->outcome == NAT_LOOPED ? endpoint(&query->from, &from)
						       : outcome_of(findings, NAT_HAIRPIN + i));
	}
}

static void lifetime_rows(struct table *table, const struct nat_lifetime_report *lifetime)
{
	uint32_t alive_ms, gone_ms;
	char range[64] = "unknown";
	int i, next;

	lifetime_bounds(lifetime, &alive_ms, &gone_ms);
	if (gone_ms)
		snprintf(range, sizeof(range), "%g to %g s", alive_ms / 1000.0, gone_ms / 1000.0);
	else if (alive_ms)
		snprintf(range, sizeof(range), "at least %g s", alive_ms / 1000.0);
	if (!lifetime->count)
		table_row(table, "lifetime|unknown|%s",
			  lifetime->failure[0] ? lifetime->failure : "not measured (--lifetime)");
	for (i = 0; i < lifetime->count; i = next) {
		const struct nat_lifetime_step *step = &lifetime->steps[i];
		char until[32] = "";

		/* merge consecutive equal results into one row */
		next = i + 1;
		while (next < lifetime->count && lifetime->steps[next].result == step->result)
			next++;
		if (next > i + 1)
			snprintf(until, sizeof(until), " to %g",
				 lifetime->steps[next - 1].idle_ms / 1000.0);
		table_row(table, "%s|%s|unused for %g%s s: %s", i ? "" : "lifetime", i ? "" : range,
			  step->idle_ms / 1000.0, until, lifetime_names[step->result]);
	}
	if (lifetime->count && lifetime->failure[0])
		table_row(table, "||of the server: %s", lifetime->failure);
	if (gone_ms && gone_ms <= LIFETIME_MIN_MS)
		table_row(table, "||RFC 4787 demands at least 120 s");
}

static void report_text(const struct nat_probe_report *report, const struct output *output)
{
	const struct nat_findings *findings = &report->findings;
	const struct nat_behaviours *behaviours = &report->behaviours;
	struct table *table = table_new("test|result|observed");
	struct endpoint_text server, other;

	fprintf(output->file, "server %s, %s%s\n", endpoint(&findings->server, &server),
		findings->other.port_be ? "second address " : "no second address",
		findings->other.port_be ? endpoint(&findings->other, &other) : "");
	mapping_rows(table, report);
	filtering_rows(table, report);
	hairpin_rows(table, report);
	table_row(table, "ports|%s|%u of %u sockets", nat_ports_names[behaviours->ports],
		  behaviours->ports_preserved, behaviours->ports_seen);
	lifetime_rows(table, &report->lifetime);
	if (behaviours->rewritten)
		table_row(table, "payload|changed|addresses in responses were replaced on the way");
	table_print(table, output, 2);
}

/* --- JSON */

static json_t *endpoint_json(const struct stun_endpoint *at)
{
	struct endpoint_text text;

	return at->port_be ? json_string(endpoint(at, &text)) : json_null();
}

static json_t *string_or_null(const char *text)
{
	return *text ? json_string(text) : json_null();
}

/* Returns the name of a behaviour; null if unknown. */
static json_t *name_json(const char *const *names, unsigned int index)
{
	return index ? json_string(names[index]) : json_null();
}

static json_t *query_json(const struct nat_findings *findings, enum nat_test test)
{
	const struct nat_query *query = &findings->tests[test];
	bool answered = nat_is_answered(findings, test),
	     is_hairpin = test == NAT_HAIRPIN || test == NAT_HAIRPIN_OTHER;
	struct stun_endpoint answerer = nat_answerer(findings, test);

	return json_pack("{s:o, s:o, s:s, s:o, s:o, s:o}", "to", endpoint_json(&query->to),
			 "respond_from", is_hairpin ? json_null() : endpoint_json(&answerer),
			 "outcome", outcome_of(findings, test), "from",
			 query->arrived_fd < 0 ? json_null() : endpoint_json(&query->from),
			 "mapped", answered ? endpoint_json(&query->mapped) : json_null(), "error",
			 query->outcome == NAT_REFUSED ? json_integer(query->code) : json_null());
}

/* Returns the tests among @tests that were run. */
static json_t *queries_json(const struct nat_findings *findings, const enum nat_test *tests,
			    size_t count)
{
	json_t *list = json_array();
	size_t i;

	for (i = 0; i < count; i++)
		if (findings->tests[tests[i]].outcome != NAT_NOT_ASKED)
			json_array_append_new(list, query_json(findings, tests[i]));
	return list;
}

static json_t *lifetime_json(const struct nat_lifetime_report *lifetime)
{
	json_t *observed = json_array();
	uint32_t alive_ms, gone_ms;
	int i;

	lifetime_bounds(lifetime, &alive_ms, &gone_ms);
	for (i = 0; i < lifetime->count; i++)
		json_array_append_new(observed,
				      json_pack("{s:f, s:s}", "unused_s",
						lifetime->steps[i].idle_ms / 1000.0, "result",
						lifetime_names[lifetime->steps[i].result]));
	return json_pack("{s:o, s:o, s:o, s:o}", "alive_s",
			 alive_ms ? json_real(alive_ms / 1000.0) : json_null(), "gone_s",
			 gone_ms ? json_real(gone_ms / 1000.0) : json_null(), "reason",
			 lifetime->failure[0] ? json_string(lifetime->failure)
			 : lifetime->count    ? json_null()
					      : json_string("not measured"),
			 "observed", observed);
}

static json_t *ports_json(const struct nat_findings *findings, enum nat_ports ports)
{
	json_t *observed = json_array();
	int i;

	for (i = 0; i < NAT_SOCKETS; i++)
		if (nat_is_answered(findings, NAT_MAP + i))
			json_array_append_new(
				observed,
				json_pack("{s:i, s:i}", "local_port",
					  ntohs(findings->local_port_be[i]), "mapped_port",
					  ntohs(findings->tests[NAT_MAP + i].mapped.port_be)));
	return json_pack("{s:o, s:o}", "behaviour", name_json(nat_ports_names, ports), "observed",
			 observed);
}

static json_t *report_json(const struct nat_probe_report *report)
{
	static const enum nat_test mapping[] = { NAT_MAP, NAT_MAP_ADDR, NAT_MAP_PORT,
						 NAT_MAP_BOTH };
	static const enum nat_test filtering[] = { NAT_FILTER_BOTH, NAT_FILTER_PORT };
	static const enum nat_test again[] = { NAT_FILTER_AGAIN_BOTH, NAT_FILTER_AGAIN_PORT };
	static const enum nat_test hairpin[] = { NAT_HAIRPIN, NAT_HAIRPIN_OTHER };
	const struct nat_findings *findings = &report->findings;
	const struct nat_behaviours *found = &report->behaviours;
	struct stun_endpoint local = local_of(findings, 0);
	json_t *document = output_document();

	json_object_update_new(
		document, json_pack("{s:o, s:o, s:o, s:o, s:b}", "server",
				    endpoint_json(&findings->server), "second_address",
				    endpoint_json(&findings->other), "local", endpoint_json(&local),
				    "mapped", endpoint_json(&findings->tests[NAT_MAP].mapped),
				    "payload_changed", found->rewritten));
	json_object_set_new(document, "mapping",
			    json_pack("{s:o, s:o, s:o}", "behaviour",
				      name_json(nat_behaviour_names, found->mapping), "reason",
				      string_or_null(found->mapping_reason), "observed",
				      queries_json(findings, mapping, 4)));
	json_object_set_new(document, "filtering",
			    json_pack("{s:o, s:b, s:o, s:o, s:o}", "behaviour",
				      name_json(nat_behaviour_names, found->filtering), "confirmed",
				      found->filtering_confirmed, "reason",
				      string_or_null(found->filtering_reason), "observed",
				      queries_json(findings, filtering, 2),
				      "observed_after_opening", queries_json(findings, again, 2)));
	json_object_set_new(document, "hairpin",
			    json_pack("{s:o, s:o, s:o}", "behaviour",
				      name_json(nat_hairpin_names, found->hairpin), "reason",
				      string_or_null(found->hairpin_reason), "observed",
				      queries_json(findings, hairpin, 2)));
	json_object_set_new(document, "ports", ports_json(findings, found->ports));
	json_object_set_new(document, "lifetime", lifetime_json(&report->lifetime));
	return document;
}

/* --- the command */

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
		output_json(&context->output, report_json(&report));
	else
		report_text(&report, &context->output);
	return 0;
}

const struct command nat_probe_command = {
	.object = "nat",
	.name = "probe",
	.summary =
		"measure mapping, filtering, hairpinning, ports and lifetime of the NAT of this host",
	.words = "ADDR:PORT",
	.max_words = 1,
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "ADDR:PORT is a STUN server.  Mapping and filtering need one with two addresses\n"
		"(RFC 5780), the lifetime one that knows RESPONSE-PORT.  See sluice-nat(8).\n",
};
