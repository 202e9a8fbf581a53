// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/conntrack/findings.h"

#include "base/addr.h"
#include "base/log.h"
#include "cli/json_list.h"
#include "cmd/conntrack/view.h"

#define WHY_SIZE 256

int findings_read(struct ct_snapshot *snapshot, const struct conntrack_options *o,
		  unsigned int reasons, size_t *kept, struct err *err)
{
	size_t i, count = 0;
	int result;

	*kept = 0;
	if (o->reasons)
		reasons = o->reasons;
	log_info("reading twice, %u seconds apart", o->watch_s);
	result = snapshot_take(snapshot, o->watch_s * 1000, err);
	if (result)
		return result;
	for (i = 0; i < snapshot->audit.count; i++) {
		const struct audit_finding *finding = &snapshot->audit.finding[i];

		if (!conntrack_is_wanted(&snapshot->table.entry[finding->entry], o))
			continue;
		if (reasons >> finding->reason & 1)
			snapshot->audit.finding[count++] = *finding;
		else
			++*kept;
	}
	snapshot->audit.count = count;
	return 0;
}

void findings_table(const struct output *output, const struct ct_snapshot *snapshot,
		    const enum repair_outcome *outcome, bool dry_run)
{
	struct table *rows = table_new(outcome ? "outcome|reason|state|source|destination|why"
					       : "reason|state|source|destination|why");
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX], why[WHY_SIZE];
	size_t i;

	for (i = 0; i < snapshot->audit.count; i++) {
		const struct audit_finding *finding = &snapshot->audit.finding[i];
		const struct ct_entry *entry = &snapshot->table.entry[finding->entry];
		const struct ct_tuple *original = &entry->original;

		table_row(rows, "%s%s%s|%s|%s|%s|%s",
			  outcome ? repair_outcome_name(outcome[i], dry_run) : "",
			  outcome ? "|" : "", audit_reason_name(finding->reason),
			  conntrack_state_name(entry),
			  addr_format_port(&original->src, original->src_port_be, src),
			  addr_format_port(&original->dst, original->dst_port_be, dst),
			  audit_explain(&snapshot->table, finding, why, sizeof(why)));
	}
	table_print(rows, output, 0);
}

void findings_json(const struct output *output, json_t *document,
		   const struct ct_snapshot *snapshot, const enum repair_outcome *outcome,
		   bool dry_run)
{
	struct cgroup_names cgroups = { 0 };
	struct json_list list;
	char why[WHY_SIZE];
	size_t i;

	json_list_begin(&list, output, document, "findings");
	for (i = 0; i < snapshot->audit.count; i++) {
		const struct audit_finding *finding = &snapshot->audit.finding[i];
		const struct ct_entry *entry = snapshot->table.entry;

		json_list_add(
			&list,
			json_pack("{s:s, s:s, s:o, s:o*, s:s*}", "reason",
				  audit_reason_name(finding->reason), "why",
				  audit_explain(&snapshot->table, finding, why, sizeof(why)),
				  "entry",
				  conntrack_entry_json(&entry[finding->entry], &snapshot->inet,
						       &cgroups),
				  "twin",
				  finding->reason != AUDIT_TWIN
					  ? NULL
					  : conntrack_tuple_json(&entry[finding->twin].original),
				  "outcome",
				  outcome ? repair_outcome_name(outcome[i], dry_run) : NULL));
	}
	json_list_end(&list);
	cgroup_names_free(&cgroups);
}

void findings_count(const struct ct_snapshot *snapshot, size_t count[AUDIT_REASONS])
{
	size_t i;

	for (i = 0; i < snapshot->audit.count; i++)
		count[snapshot->audit.finding[i].reason]++;
}

json_t *findings_document(const struct ct_snapshot *snapshot, const struct conntrack_options *o)
{
	json_t *document = output_document(), *reasons = json_object();
	size_t count[AUDIT_REASONS] = { 0 };
	enum audit_reason i;

	findings_count(snapshot, count);
	for (i = 0; i < AUDIT_REASONS; i++)
		json_object_set_new(reasons, audit_reason_name(i),
				    json_integer((json_int_t)count[i]));
	json_object_update_new(document,
			       json_pack("{s:I, s:i, s:I, s:o}", "total",
					 (json_int_t)snapshot->table.count, "watch_s", o->watch_s,
					 "uncounted", (json_int_t)snapshot->audit.uncounted,
					 "reasons", reasons));
	return document;
}
