// SPDX-License-Identifier: GPL-2.0-or-later
#include "conntrack/repair.h"

#include "base/addr.h"
#include "net/nl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/*
 * Findings per batch, which is checked again and then deleted. Smaller batches would shorten the
 * time between check and deletion, but each batch must read all sockets and their owners.
 */
#define BATCH 2048

struct repair {
	const struct ct_snapshot *snap;
	struct nl *nl;
	bool dry_run;
	bool *deleted; /* deleted[i]: this run has deleted entry i of the table */
	enum repair_outcome *outcome;
	struct err *err;
	int failure; /* -errno of the first refused deletion, or 0 */
};

const char *repair_outcome_name(enum repair_outcome outcome, bool dry_run)
{
	static const char *const names[REPAIR_OUTCOMES] = {
		[REPAIR_SKIPPED] = "skipped",	[REPAIR_DELETED] = "deleted",
		[REPAIR_VANISHED] = "vanished", [REPAIR_CHANGED] = "changed",
		[REPAIR_FAILED] = "failed",
	};

	return dry_run && outcome == REPAIR_DELETED ? "would delete" : names[outcome];
}

/*
 * Appends the current state of an entry. If this run has deleted the entry, appends the old state:
 * half of a twin can only be classified together with the other half.
 */
static int read_again(const struct repair *repair, size_t index, struct ct_table *fresh)
{
	const struct ct_entry *old = &repair->snap->table.entry[index];
	struct ct_entry now = *old;
	int result = 0;

	if (!repair->deleted[index])
		result = conntrack_get(repair->nl, old, &now);
	if (result == -ENOENT)
		return 0;
	if (result)
		return conntrack_refused(result, repair->err);
	if (conntrack_same(old, &now)) {
		now.watched = old->watched;
		now.used = old->used;
		now.answered = old->answered || now.reply_count.packets > old->reply_count.packets;
	}
	if (conntrack_add(fresh, &now))
		return err_set(repair->err, EXIT_ERROR, ENOMEM, "conntrack repair: out of memory");
	return 0;
}

static int finding_compare(const void *a, const void *b)
{
	size_t x = ((const struct audit_finding *)a)->entry;
	size_t y = ((const struct audit_finding *)b)->entry;

	return (x > y) - (x < y);
}

/* Returns REPAIR_DELETED if the finding for @old is still true. */
static enum repair_outcome classify_again(const struct ct_snapshot *fresh,
					  const struct ct_entry *old,
					  const struct audit_finding *finding)
{
	const struct ct_entry *now = conntrack_find(&fresh->table, old);
	const struct audit_finding *found;
	struct audit_finding key;

	if (!now)
		return REPAIR_VANISHED;
	if (!conntrack_same(old, now) || !fresh->audit.count)
		return REPAIR_CHANGED;
	key.entry = (size_t)(now - fresh->table.entry);
	found = bsearch(&key, fresh->audit.finding, fresh->audit.count, sizeof(key),
			finding_compare);
	if (!found || found->reason != finding->reason || found->missing != finding->missing)
		return REPAIR_CHANGED;
	return REPAIR_DELETED;
}

static enum repair_outcome entry_delete(struct repair *repair, size_t index)
{
	const struct ct_entry *entry = &repair->snap->table.entry[index];
	const struct ct_tuple *tuple = &entry->original;
	int result = repair->dry_run ? 0 : conntrack_delete(repair->nl, entry);
	char src[ADDR_TEXT_MAX], dst[ADDR_TEXT_MAX];

	if (result == -ENOENT)
		return REPAIR_VANISHED;
	if (!result) {
		repair->deleted[index] = !repair->dry_run;
		return REPAIR_DELETED;
	}
	if (!repair->failure) {
		repair->failure = conntrack_refused(result, repair->err);
		if (repair->err->code == EXIT_ERROR)
			err_set(repair->err, EXIT_ERROR, -result,
				"deleting the conntrack entry %s to %s: %s",
				addr_format_port(&tuple->src, tuple->src_port_be, src),
				addr_format_port(&tuple->dst, tuple->dst_port_be, dst),
				strerror(-result));
	}
	return REPAIR_FAILED;
}

static int batch(struct repair *repair, size_t first, size_t end)
{
	const struct ct_snapshot *snap = repair->snap;
	const struct audit_finding *finding = snap->audit.finding;
	struct ct_snapshot fresh = { .table.entry = NULL };
	int result;
	size_t i;

	for (i = first; i < end; i++) {
		result = read_again(repair, finding[i].entry, &fresh.table);
		if (!result && finding[i].reason == AUDIT_TWIN)
			result = read_again(repair, finding[i].twin, &fresh.table);
		if (result)
			goto out;
	}
	conntrack_sort(&fresh.table);
	result = snapshot_classify(&fresh, &snap->inet, repair->err);
	if (result)
		goto out;
	for (i = first; i < end; i++) {
		size_t entry = finding[i].entry;

		repair->outcome[i] = classify_again(&fresh, &snap->table.entry[entry], &finding[i]);
		if (repair->outcome[i] == REPAIR_DELETED)
			repair->outcome[i] = entry_delete(repair, entry);
	}
out:
	snapshot_free(&fresh);
	return result;
}

int repair_run(const struct ct_snapshot *snap, bool dry_run, enum repair_outcome *outcome,
	       struct err *err)
{
	struct repair repair = { .snap = snap, .dry_run = dry_run, .outcome = outcome, .err = err };
	size_t first, count = snap->audit.count;
	int result;

	memset(outcome, 0, count * sizeof(*outcome));
	if (!count)
		return 0;
	repair.deleted = calloc(snap->table.count, sizeof(*repair.deleted));
	if (!repair.deleted)
		return err_set(err, EXIT_ERROR, ENOMEM, "conntrack repair: out of memory");
	result = conntrack_open(&repair.nl);
	if (result)
		result = conntrack_refused(result, err);
	for (first = 0; first < count && !result; first += BATCH)
		result = batch(&repair, first, first + BATCH < count ? first + BATCH : count);
	nl_close(repair.nl);
	free(repair.deleted);
	return result ? result : repair.failure;
}
