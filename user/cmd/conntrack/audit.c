// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice conntrack audit: the entries that contradict this host. */
#include "cmd/command.h"
#include "cmd/conntrack/findings.h"

static void audit_text(const struct output *output, const struct ct_snapshot *look)
{
	size_t count[AUDIT_REASONS] = { 0 };
	const char *before = ": ";
	enum audit_reason i;

	findings_table(output, look, NULL, false);
	findings_count(look, count);
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

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct ct_snapshot look = { .table.entry = NULL };
	int result = findings_read(&look, into, err);

	if (result)
		return result;
	if (context->output.json)
		findings_json(&context->output, findings_document(&look, into), &look, NULL, false);
	else
		audit_text(&context->output, &look);
	snapshot_free(&look);
	return 0;
}

const struct command conntrack_audit_command = {
	.object = "conntrack",
	.name = "audit",
	.summary = "list UDP entries that contradict the sockets and routes of this host",
	.help = FINDINGS_HELP,
	.tables = { { conntrack_audit_opts, &conntrack_options },
		    { conntrack_entry_opts, &conntrack_options } },
	.options = &conntrack_options,
	.run = run,
};
