// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice conntrack audit: lists the entries that contradict the sockets and routes of this host. */
#include "cmd/command.h"
#include "cmd/conntrack/findings.h"

#include <errno.h>

static void audit_text(const struct output *output, const struct ct_snapshot *snapshot,
		       const struct conntrack_options *o)
{
	size_t count[AUDIT_REASONS] = { 0 };
	const char *before = ": ";
	enum audit_reason i;

	findings_table(output, snapshot, NULL, false);
	findings_count(snapshot, count);
	fprintf(output->file, "%zu of %zu UDP entries contradict this host", snapshot->audit.count,
		snapshot->table.count);
	for (i = 0; i < AUDIT_REASONS; i++) {
		if (!count[i])
			continue;
		fprintf(output->file, "%s%zu %s", before, count[i], audit_reason_name(i));
		before = ", ";
	}
	fputc('\n', output->file);
	if (o->watch_s && snapshot->audit.uncounted)
		fprintf(output->file,
			"%zu entries of backends on other hosts have no packet counters, so"
			" backend-silent is not detected:\n"
			"'sysctl net.netfilter.nf_conntrack_acct=1' counts the packets of new"
			" entries\n",
			snapshot->audit.uncounted);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct conntrack_options *given = into;
	struct ct_snapshot snapshot = { .table.entry = NULL };
	size_t kept;
	int result = findings_read(&snapshot, given, ~0U, &kept, err);

	if (result)
		return result;
	if (context->output.json)
		findings_json(&context->output, findings_document(&snapshot, into), &snapshot, NULL,
			      false);
	else
		audit_text(&context->output, &snapshot, given);
	if (given->exit_code && snapshot.audit.count) {
		err_set(err, EXIT_FOUND, EUCLEAN,
			"conntrack audit: %zu of %zu UDP entries contradict this host",
			snapshot.audit.count, snapshot.table.count);
		result = err_hint(err, -EUCLEAN, "'sluice conntrack repair' deletes them");
	}
	snapshot_free(&snapshot);
	return result;
}

const struct command conntrack_audit_command = {
	.object = "conntrack",
	.name = "audit",
	.summary = "list UDP entries that contradict the sockets and routes of this host",
	.help = FINDINGS_HELP,
	.tables = { { conntrack_audit_opts, &conntrack_options },
		    { conntrack_entry_opts, &conntrack_options },
		    { conntrack_exit_opts, &conntrack_options } },
	.options = &conntrack_options,
	.run = run,
};
