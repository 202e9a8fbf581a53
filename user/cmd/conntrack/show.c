// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice conntrack show: lists the UDP entries and the local processes at their ends. */
#include "base/log.h"
#include "cli/json_list.h"
#include "cmd/command.h"
#include "cmd/conntrack/options.h"
#include "cmd/conntrack/view.h"

static void show_text(const struct output *output, const struct ct_table *table,
		      const struct inet *inet, const struct conntrack_options *o)
{
	struct table *rows = table_new(CONNTRACK_COLUMNS);
	struct cgroup_names cgroups = { 0 };
	size_t i, shown = 0;

	for (i = 0; i < table->count; i++) {
		if (!conntrack_is_wanted(&table->entry[i], o))
			continue;
		conntrack_row(rows, &table->entry[i], inet, &cgroups);
		shown++;
	}
	cgroup_names_free(&cgroups);
	table_print(rows, output, 0);
	fprintf(output->file, "%zu of %zu UDP entries\n", shown, table->count);
}

static void show_json(const struct output *output, const struct ct_table *table,
		      const struct inet *inet, const struct conntrack_options *o)
{
	json_t *document = output_document();
	struct cgroup_names cgroups = { 0 };
	struct json_list list;
	size_t i;

	json_object_set_new(document, "total", json_integer((json_int_t)table->count));
	json_list_begin(&list, output, document, "entries");
	for (i = 0; i < table->count; i++)
		if (conntrack_is_wanted(&table->entry[i], o))
			json_list_add(&list,
				      conntrack_entry_json(&table->entry[i], inet, &cgroups));
	json_list_end(&list);
	cgroup_names_free(&cgroups);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	struct ct_table table = { .entry = NULL };
	struct inet inet = { .local = NULL };
	struct err reason;
	int result = conntrack_read(&table, err);

	if (result)
		return result;
	if (inet_read(&inet, &reason))
		log_warning("process names are unknown: %s", reason.what);
	if (context->output.json)
		show_json(&context->output, &table, &inet, into);
	else
		show_text(&context->output, &table, &inet, into);
	inet_free(&inet);
	conntrack_free(&table);
	return 0;
}

const struct command conntrack_show_command = {
	.object = "conntrack",
	.name = "show",
	.summary = "list UDP entries: state, timeout, NAT, zone, mark and local process",
	.help = "A namespace tracks connections only while a firewall or NAT rule in it requires it.\n",
	.tables = { { conntrack_entry_opts, &conntrack_options } },
	.options = &conntrack_options,
	.run = run,
};
