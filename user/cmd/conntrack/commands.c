// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice conntrack show | audit | repair */
#include "base/addr.h"
#include "base/json_list.h"
#include "base/log.h"
#include "base/ports.h"
#include "cmd/command.h"
#include "cmd/conntrack/view.h"
#include "conntrack/repair.h"
#include "conntrack/snapshot.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WHY_SIZE 256

struct options {
	struct ports ports;
	bool by_addr;
	struct in6_addr addr;
	unsigned int reasons; /* bit 1 << enum audit_reason; 0: all */
	__u32 watch_s;
	bool dry_run;
};

static struct options options;

/* --- options */

static int parse_addr(const struct opt_value *v, struct err *err)
{
	struct options *o = v->field;
	struct in_addr ip4;

	o->by_addr = true;
	if (inet_pton(AF_INET6, v->text, &o->addr) == 1)
		return 0;
	if (inet_pton(AF_INET, v->text, &ip4) == 1) {
		o->addr = inet_from_ip4(ip4.s_addr);
		return 0;
	}
	return err_mend(
		err, err_set(err, EXIT_USAGE, EINVAL, "address '%s': not an IP address", v->text),
		"give one such as 172.17.0.3 or fd00::3");
}

/* In the order of enum audit_reason. */
static const char *const reasons[] = { "twin", "backend-gone", "socket-gone", "unanswered", NULL };
_Static_assert(sizeof(reasons) / sizeof(*reasons) == AUDIT_REASONS + 1, "reasons");

#define CT_FIELD(field) offsetof(struct options, field)

static const struct opt entry_opts[] = {
	{ "port", 0, "LIST", opt_ports, CT_FIELD(ports),
	  "entries with one of these ports at either end", .preset = "any" },
	{ "addr", 0, "ADDR", parse_addr, 0, "entries with this address at either end" },
	{ .name = NULL },
};

static const struct opt audit_opts[] = {
	{ "reason", 0, "LIST", opt_word_set, CT_FIELD(reasons),
	  "only for these reasons: twin, backend-gone, socket-gone, unanswered", .words = reasons,
	  .noun = "reason" },
	{ "watch", 0, "SECONDS", opt_u32, CT_FIELD(watch_s),
	  "time between two readings; 0: one reading", .max = 3600, .preset = "2" },
	{ .name = NULL },
};

static const struct opt repair_opts[] = {
	{ "dry-run", 'n', NULL, opt_switch, CT_FIELD(dry_run),
	  "print what would be deleted, and delete nothing" },
	{ .name = NULL },
};

static bool tuple_has(const struct ct_tuple *tuple, const struct options *o)
{
	bool port = ports_contain(&o->ports, ntohs(tuple->src_port_be)) ||
		    ports_contain(&o->ports, ntohs(tuple->dst_port_be));
	bool addr = !o->by_addr || IN6_ARE_ADDR_EQUAL(&tuple->src, &o->addr) ||
		    IN6_ARE_ADDR_EQUAL(&tuple->dst, &o->addr);

	return port && addr;
}

static bool is_wanted(const struct ct_entry *entry, const struct options *o)
{
	return tuple_has(&entry->original, o) || tuple_has(&entry->reply, o);
}

/* --- show */

static void show_text(const struct output *output, const struct ct_table *table,
		      const struct inet *inet, const struct options *o)
{
	struct table *rows = table_new(CONNTRACK_COLUMNS);
	size_t i, shown = 0;

	for (i = 0; i < table->count; i++) {
		if (!is_wanted(&table->entry[i], o))
			continue;
		conntrack_row(rows, &table->entry[i], inet);
		shown++;
	}
	table_print(rows, output, 0);
	fprintf(output->file, "%zu of %zu UDP entries\n", shown, table->count);
}

static void show_json(const struct output *output, const struct ct_table *table,
		      const struct inet *inet, const struct options *o)
{
	json_t *document = output_document();
	struct json_list list;
	size_t i;

	json_object_set_new(document, "total", json_integer((json_int_t)table->count));
	json_list_begin(&list, output, document, "entries");
	for (i = 0; i < table->count; i++)
		if (is_wanted(&table->entry[i], o))
			json_list_add(&list, conntrack_entry_json(&table->entry[i], inet));
	json_list_end(&list);
}

static int show(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct ct_table table = { .entry = NULL };
	struct inet inet = { .local = NULL };
	struct err unknown;
	int result = conntrack_read(&table, err);

	if (result)
		return result;
	if (inet_read(&inet, &unknown))
		log_warning("no processes: %s", unknown.what);
	if (context->output.json)
		show_json(&context->output, &table, &inet, into);
	else
		show_text(&context->output, &table, &inet, into);
	inet_free(&inet);
	conntrack_free(&table);
	return 0;
}

/* --- audit and repair */

/* Drops the findings that the options do not ask for. */
static void select_findings(struct look *look, const struct options *o)
{
	size_t i, kept = 0;

	for (i = 0; i < look->audit.count; i++) {
		const struct audit_finding *finding = &look->audit.finding[i];

		if ((!o->reasons || o->reasons >> finding->reason & 1) &&
		    is_wanted(&look->table.entry[finding->entry], o))
			look->audit.finding[kept++] = *finding;
	}
	look->audit.count = kept;
}

static int look_at(struct look *look, const struct options *o, struct err *err)
{
	int result;

	log_info("two readings, %u seconds apart", o->watch_s);
	result = look_take(look, o->watch_s * 1000, err);
	if (!result)
		select_findings(look, o);
	return result;
}

/* `outcome` is NULL for an audit. */
static void findings_table(const struct output *output, const struct look *look,
			   const enum repair_outcome *outcome, bool dry_run)
{
	struct table *rows = table_new(outcome ? "outcome|reason|state|source|destination|why"
					       : "reason|state|source|destination|why");
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX], why[WHY_SIZE];
	size_t i;

	for (i = 0; i < look->audit.count; i++) {
		const struct audit_finding *finding = &look->audit.finding[i];
		const struct ct_entry *entry = &look->table.entry[finding->entry];
		const struct ct_tuple *original = &entry->original;

		table_row(rows, "%s%s%s|%s|%s|%s|%s",
			  outcome ? repair_outcome_name(outcome[i], dry_run) : "",
			  outcome ? "|" : "", audit_reason_name(finding->reason),
			  conntrack_state_name(entry),
			  addr_format_port(&original->src, original->src_port_be, src),
			  addr_format_port(&original->dst, original->dst_port_be, dst),
			  audit_explain(&look->table, finding, why, sizeof(why)));
	}
	table_print(rows, output, 0);
}

static json_t *finding_json(const struct look *look, const struct audit_finding *finding)
{
	char why[WHY_SIZE];
	json_t *object =
		json_pack("{s:s, s:s, s:o}", "reason", audit_reason_name(finding->reason), "why",
			  audit_explain(&look->table, finding, why, sizeof(why)), "entry",
			  conntrack_entry_json(&look->table.entry[finding->entry], &look->inet));

	if (finding->reason == AUDIT_TWIN)
		json_object_set_new(
			object, "twin",
			conntrack_tuple_json(&look->table.entry[finding->twin].original));
	return object;
}

/* Prints the document with the findings as its last key. */
static void findings_json(const struct output *output, json_t *document, const struct look *look,
			  const enum repair_outcome *outcome, bool dry_run)
{
	struct json_list list;
	size_t i;

	json_list_begin(&list, output, document, "findings");
	for (i = 0; i < look->audit.count; i++) {
		json_t *object = finding_json(look, &look->audit.finding[i]);

		if (outcome)
			json_object_set_new(object, "outcome",
					    json_string(repair_outcome_name(outcome[i], dry_run)));
		json_list_add(&list, object);
	}
	json_list_end(&list);
}

static void count_reasons(const struct look *look, size_t count[AUDIT_REASONS])
{
	size_t i;

	for (i = 0; i < look->audit.count; i++)
		count[look->audit.finding[i].reason]++;
}

static void audit_text(const struct output *output, const struct look *look)
{
	size_t count[AUDIT_REASONS] = { 0 };
	const char *before = ": ";
	enum audit_reason i;

	findings_table(output, look, NULL, false);
	count_reasons(look, count);
	fprintf(output->file, "%zu of %zu UDP entries contradict this host", look->audit.count,
		look->table.count);
	for (i = 0; i < AUDIT_REASONS; i++) {
		if (!count[i])
			continue;
		fprintf(output->file, "%s%zu %s", before, count[i], audit_reason_name(i));
		before = ", ";
	}
	fputc('\n', output->file);
}

static json_t *audit_document(const struct look *look, const struct options *o)
{
	json_t *document = output_document(), *reasons = json_object();
	size_t count[AUDIT_REASONS] = { 0 };
	enum audit_reason i;

	count_reasons(look, count);
	for (i = 0; i < AUDIT_REASONS; i++)
		json_object_set_new(reasons, audit_reason_name(i),
				    json_integer((json_int_t)count[i]));
	json_object_set_new(document, "total", json_integer((json_int_t)look->table.count));
	json_object_set_new(document, "watch_s", json_integer(o->watch_s));
	json_object_set_new(document, "reasons", reasons);
	return document;
}

static int audit(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct look look = { .table.entry = NULL };
	int result = look_at(&look, into, err);

	if (result)
		return result;
	if (context->output.json)
		findings_json(&context->output, audit_document(&look, into), &look, NULL, false);
	else
		audit_text(&context->output, &look);
	look_free(&look);
	return 0;
}

static void count_outcomes(const enum repair_outcome *outcome, size_t outcomes,
			   size_t count[REPAIR_OUTCOMES])
{
	size_t i;

	for (i = 0; i < outcomes; i++)
		count[outcome[i]]++;
}

static void repair_text(const struct output *output, const struct look *look,
			const enum repair_outcome *outcome, bool dry_run)
{
	size_t count[REPAIR_OUTCOMES] = { 0 };
	enum repair_outcome i;

	findings_table(output, look, outcome, dry_run);
	count_outcomes(outcome, look->audit.count, count);
	fprintf(output->file, "%s %zu of %zu UDP entries", dry_run ? "would delete" : "deleted",
		count[REPAIR_DELETED], look->table.count);
	for (i = 0; i < REPAIR_OUTCOMES; i++)
		if (count[i] && i != REPAIR_DELETED)
			fprintf(output->file, ", %s %zu", repair_outcome_name(i, dry_run),
				count[i]);
	fputc('\n', output->file);
}

static void repair_json(const struct output *output, const struct look *look,
			const struct options *o, const enum repair_outcome *outcome)
{
	json_t *document = audit_document(look, o);
	size_t count[REPAIR_OUTCOMES] = { 0 };
	enum repair_outcome i;

	count_outcomes(outcome, look->audit.count, count);
	json_object_set_new(document, "dry_run", json_boolean(o->dry_run));
	json_object_set_new(document, "would_delete",
			    json_integer(o->dry_run ? (json_int_t)count[REPAIR_DELETED] : 0));
	if (o->dry_run)
		count[REPAIR_DELETED] = 0;
	for (i = 0; i < REPAIR_OUTCOMES; i++)
		json_object_set_new(document, repair_outcome_name(i, false),
				    json_integer((json_int_t)count[i]));
	findings_json(output, document, look, outcome, o->dry_run);
}

static int repair(const struct context *context, void *into, int words, char **word,
		  struct err *err)
{
	struct look look = { .table.entry = NULL };
	const struct options *o = into;
	enum repair_outcome *outcome;
	int result = look_at(&look, o, err);

	if (result)
		return result;
	outcome = calloc(look.audit.count + 1, sizeof(*outcome));
	if (!outcome) {
		look_free(&look);
		return err_set(err, EXIT_ERROR, ENOMEM, "conntrack repair: out of memory");
	}
	result = repair_run(&look, o->dry_run, outcome, err);
	if (context->output.json)
		repair_json(&context->output, &look, o, outcome);
	else
		repair_text(&context->output, &look, outcome, o->dry_run);
	free(outcome);
	look_free(&look);
	return result;
}

#define ABOUT_REASONS                                                                             \
	"reasons:\n"                                                                              \
	"  twin          the pair of unanswered entries that a reply from the wrong address\n"    \
	"                leaves: the request, and the answer as a conversation of its own\n"      \
	"  backend-gone  DNAT binds a client to a backend of this host that has no socket, or\n"  \
	"                to another host that has no route or does not answer its neighbours\n"   \
	"  socket-gone   the socket at the end that is on this host has been closed\n"            \
	"  unanswered    no answer ever came, yet datagrams keep the entry alive; services\n"     \
	"                that answer nobody, such as syslog, look the same\n"                     \
	"\n"                                                                                      \
	"Two readings tell which entries are in use: by their counters where\n"                   \
	"net.netfilter.nf_conntrack_acct is on, else by their timeouts, which takes a datagram\n" \
	"more than a second after the first reading. With --watch 0 'unanswered', and the\n"      \
	"closed sockets of clients on this host, are not looked for.\n"

const struct command conntrack_show_command = {
	.object = "conntrack",
	.name = "show",
	.summary = "list UDP entries: state, timeout, NAT, zone, mark and local process",
	.help = "A namespace tracks connections only while a firewall or NAT rule there asks for it.\n",
	.tables = { { entry_opts, &options } },
	.options = &options,
	.run = show,
};

const struct command conntrack_audit_command = {
	.object = "conntrack",
	.name = "audit",
	.summary = "list UDP entries that contradict the sockets and routes of this host",
	.help = ABOUT_REASONS,
	.tables = { { audit_opts, &options }, { entry_opts, &options } },
	.options = &options,
	.run = audit,
};

const struct command conntrack_repair_command = {
	.object = "conntrack",
	.name = "repair",
	.summary = "delete the UDP entries that audit lists, and no other",
	.help = ABOUT_REASONS
	"\nEach entry is read and judged again right before it is deleted, by its tuple, its zone\n"
	"and its id. Those that have vanished or changed meanwhile are counted, and left alone.\n",
	.tables = { { audit_opts, &options }, { entry_opts, &options }, { repair_opts, &options } },
	.options = &options,
	.run = repair,
};
