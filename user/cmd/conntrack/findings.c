// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/conntrack/findings.h"

#include "base/addr.h"
#include "base/json_list.h"
#include "base/log.h"
#include "cmd/conntrack/view.h"

#define WHY_SIZE 256

int findings_read(struct ct_snapshot *look, const struct conntrack_options *o, struct err *err)
{
	size_t i, kept = 0;
	int result;

	log_info("two readings, %u seconds apart", o->watch_s);
	result = snapshot_take(look, o->watch_s * 1000, err);
	if (result)
		return result;
	for (i = 0; i < look->audit.count; i++) {
		const struct audit_finding *finding = &look->audit.finding[i];

		if ((!o->reasons || o->reasons >> finding->reason & 1) &&
		    conntrack_is_wanted(&look->table.entry[finding->entry], o))
			look->audit.finding[kept++] = *finding;
	}
	look->audit.count = kept;
	return 0;
}

void findings_table(const struct output *output, const struct ct_snapshot *look,
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

static json_t *finding_json(const struct ct_snapshot *look, const struct audit_finding *finding)
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

void findings_json(const struct output *output, json_t *document, const struct ct_snapshot *look,
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

void findings_count(const struct ct_snapshot *look, size_t count[AUDIT_REASONS])
{
	size_t i;

	for (i = 0; i < look->audit.count; i++)
		count[look->audit.finding[i].reason]++;
}

json_t *findings_document(const struct ct_snapshot *look, const struct conntrack_options *o)
{
	json_t *document = output_document(), *reasons = json_object();
	size_t count[AUDIT_REASONS] = { 0 };
	enum audit_reason i;

	findings_count(look, count);
	for (i = 0; i < AUDIT_REASONS; i++)
		json_object_set_new(reasons, audit_reason_name(i),
				    json_integer((json_int_t)count[i]));
	json_object_set_new(document, "total", json_integer((json_int_t)look->table.count));
	json_object_set_new(document, "watch_s", json_integer(o->watch_s));
	json_object_set_new(document, "reasons", reasons);
	return document;
}
