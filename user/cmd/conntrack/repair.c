// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice conntrack repair: deletes the entries that audit proves wrong. */
#include "cmd/command.h"
#include "cmd/conntrack/findings.h"

#include <errno.h>
#include <stdlib.h>

static void print_text(const struct output *output, const struct ct_snapshot *snapshot,
		       const enum repair_outcome *outcome, const size_t count[REPAIR_OUTCOMES],
		       size_t kept, bool dry_run)
{
	enum repair_outcome i;

	findings_table(output, snapshot, outcome, dry_run);
	fprintf(output->file, "%s %zu of %zu UDP entries", dry_run ? "would delete" : "deleted",
		count[REPAIR_DELETED], snapshot->table.count);
	for (i = 0; i < REPAIR_OUTCOMES; i++)
		if (count[i] && i != REPAIR_DELETED)
			fprintf(output->file, ", %s %zu", repair_outcome_name(i, dry_run),
				count[i]);
	fputc('\n', output->file);
	if (kept)
		fprintf(output->file,
			"kept %zu that may be live flows without replies; see 'sluice conntrack"
			" audit', and name\ntheir reason with --reason to delete them\n",
			kept);
}

static void print_json(const struct output *output, const struct ct_snapshot *snapshot,
		       const struct conntrack_options *o, const enum repair_outcome *outcome,
		       const size_t count[REPAIR_OUTCOMES], size_t kept)
{
	json_t *document = findings_document(snapshot, o);
	enum repair_outcome i;

	json_object_update_new(document,
			       json_pack("{s:b, s:I, s:I}", "dry_run", o->dry_run, "would_delete",
					 o->dry_run ? (json_int_t)count[REPAIR_DELETED] : 0, "kept",
					 (json_int_t)kept));
	for (i = 0; i < REPAIR_OUTCOMES; i++)
		json_object_set_new(
			document, repair_outcome_name(i, false),
			json_integer(o->dry_run && i == REPAIR_DELETED ? 0 : (json_int_t)count[i]));
	findings_json(output, document, snapshot, outcome, o->dry_run);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	size_t i, count[REPAIR_OUTCOMES] = { 0 };
	struct ct_snapshot snapshot = { .table.entry = NULL };
	const struct conntrack_options *o = into;
	enum repair_outcome *outcome;
	size_t kept;
	int result = findings_read(&snapshot, o, AUDIT_PROVEN, &kept, err);

	if (result)
		return result;
	outcome = calloc(snapshot.audit.count + 1, sizeof(*outcome));
	if (!outcome) {
		result = err_set(err, EXIT_ERROR, ENOMEM, "conntrack repair: out of memory");
		goto out;
	}
	result = repair_run(&snapshot, o->dry_run, outcome, err);
	for (i = 0; i < snapshot.audit.count; i++)
		count[outcome[i]]++;
	if (context->output.json)
		print_json(&context->output, &snapshot, o, outcome, count, kept);
	else
		print_text(&context->output, &snapshot, outcome, count, kept, o->dry_run);
	free(outcome);
out:
	snapshot_free(&snapshot);
	return result;
}

const struct command conntrack_repair_command = {
	.object = "conntrack",
	.name = "repair",
	.summary = "delete the UDP entries that audit proves wrong, and no others",
	.help = FINDINGS_HELP
	"\nWithout --reason, repair deletes twin, backend-gone and socket-gone.  It keeps the others,\n"
	"which may be live flows: a new entry may take another backend.\n"
	"\nrepair reads and checks each entry again right before it deletes it by tuple, zone and\n"
	"id. It skips entries that have vanished or changed since the audit, and counts them.\n",
	.tables = { { conntrack_audit_opts, &conntrack_options },
		    { conntrack_entry_opts, &conntrack_options },
		    { conntrack_repair_opts, &conntrack_options } },
	.options = &conntrack_options,
	.changes = true,
	.run = run,
};
