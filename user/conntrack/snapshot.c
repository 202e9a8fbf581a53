// SPDX-License-Identifier: GPL-2.0-or-later
#include "conntrack/snapshot.h"

#include "net/nl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

/*
 * Drops findings of a missing socket if the kernel's own lookup, which is authoritative, finds one.
 */
static int drop_refuted(struct ct_snapshot *snap, struct err *err)
{
	struct audit *audit = &snap->audit;
	struct nl *diag = NULL;
	size_t i, kept = 0;
	int result = nl_open(&diag, NETLINK_SOCK_DIAG);

	for (i = 0; i < audit->count && result >= 0; i++) {
		const struct audit_finding *finding = &audit->finding[i];
		const struct ct_entry *entry = &snap->table.entry[finding->entry];
		const struct ct_tuple *sender = NULL;

		if (finding->missing == AUDIT_MISSING_RESPONDER)
			sender = &entry->reply;
		else if (finding->missing == AUDIT_MISSING_ORIGINATOR)
			sender = &entry->original;
		result = sender ? inet_query_socket(diag, &sender->src, sender->src_port_be,
						    &sender->dst, sender->dst_port_be)
				: 0;
		if (!result)
			audit->finding[kept++] = *finding;
	}
	audit->count = kept;
	nl_close(diag);
	if (result < 0)
		return err_set(err, EXIT_ERROR, -result, "sock_diag lookup of a UDP socket: %s",
			       strerror(-result));
	return 0;
}

int snapshot_classify(struct ct_snapshot *snap, const struct inet *earlier, struct err *err)
{
	struct in6_addr *backend = NULL;
	size_t count = 0;
	int result = inet_read(&snap->inet, err);

	if (result)
		return result;
	inet_drop_slow(&snap->inet, earlier);
	if (audit_backends(&snap->table, &snap->inet, &backend, &count)) {
		result = err_set(err, EXIT_ERROR, ENOMEM, "conntrack audit: out of memory");
		goto out;
	}
	result = inet_query_hosts(&snap->inet, backend, count, err);
	if (result)
		goto out;
	if (audit_classify(&snap->table, &snap->inet, &snap->audit))
		result = err_set(err, EXIT_ERROR, ENOMEM, "conntrack audit: out of memory");
	else
		result = drop_refuted(snap, err);
out:
	free(backend);
	if (result) {
		audit_free(&snap->audit);
		inet_free(&snap->inet);
	}
	return result;
}

int snapshot_take(struct ct_snapshot *snap, unsigned int watch_ms, struct err *err)
{
	struct timespec left = { .tv_sec = watch_ms / 1000,
				 .tv_nsec = (long)(watch_ms % 1000) * 1000000 };
	struct ct_table before = { .entry = NULL };
	struct inet earlier = { .local = NULL };
	int result;

	if (watch_ms) {
		result = conntrack_read(&before, err);
		if (result)
			goto out;
		result = inet_read_neighbours(&earlier, err);
		if (result)
			goto out;
		while (nanosleep(&left, &left) && errno == EINTR)
			continue;
	}
	result = conntrack_read(&snap->table, err);
	if (result)
		goto out;
	if (watch_ms)
		audit_compare(&before, &snap->table);
	result = snapshot_classify(snap, watch_ms ? &earlier : NULL, err);
	if (result)
		snapshot_free(snap);
out:
	conntrack_free(&before);
	inet_free(&earlier);
	return result;
}

void snapshot_free(struct ct_snapshot *snap)
{
	conntrack_free(&snap->table);
	inet_free(&snap->inet);
	audit_free(&snap->audit);
}
