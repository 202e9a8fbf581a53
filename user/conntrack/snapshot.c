// SPDX-License-Identifier: GPL-2.0-or-later
#include "conntrack/snapshot.h"

#include "base/nl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static int out_of_memory(struct err *err)
{
	return err_set(err, EXIT_ERROR, ENOMEM, "conntrack audit: out of memory");
}

/* Where the entry misses a socket, asks the kernel, whose word is the last: 1, 0 or -errno. */
static int has_socket(struct nl *diag, const struct ct_entry *entry, enum audit_missing missing)
{
	const struct ct_tuple *sender = missing == AUDIT_MISSING_RESPONDER    ? &entry->reply
					: missing == AUDIT_MISSING_ORIGINATOR ? &entry->original
									      : NULL;

	return sender ? inet_query_socket(diag, &sender->src, sender->src_port_be, &sender->dst,
					  sender->dst_port_be)
		      : 0;
}

static int drop_those_with_socket(const struct ct_table *table, struct audit *audit,
				  struct err *err)
{
	struct nl *diag = NULL;
	size_t i, kept = 0;
	int result = nl_open(&diag, NETLINK_SOCK_DIAG);

	for (i = 0; i < audit->count && result >= 0; i++) {
		const struct audit_finding *finding = &audit->finding[i];

		result = has_socket(diag, &table->entry[finding->entry], finding->missing);
		if (!result)
			audit->finding[kept++] = *finding;
	}
	audit->count = kept;
	nl_close(diag);
	if (result < 0)
		return err_set(err, EXIT_ERROR, -result, "asking for a UDP socket: %s",
			       strerror(-result));
	return 0;
}

static int ask_backends(const struct ct_table *table, struct inet *inet, struct err *err)
{
	struct in6_addr *addr = NULL;
	size_t count = 0;
	int result;

	if (audit_backends(table, inet, &addr, &count))
		return out_of_memory(err);
	result = inet_query_hosts(inet, addr, count, err);
	free(addr);
	return result;
}

int snapshot_classify(struct look *look, const struct inet *earlier, struct err *err)
{
	int result = inet_read(&look->inet, err);

	if (result)
		return result;
	inet_drop_slow(&look->inet, earlier);
	result = ask_backends(&look->table, &look->inet, err);
	if (result)
		goto fail;
	if (audit_classify(&look->table, &look->inet, &look->audit)) {
		result = out_of_memory(err);
		goto fail;
	}
	result = drop_those_with_socket(&look->table, &look->audit, err);
	if (!result)
		return 0;
fail:
	audit_free(&look->audit);
	inet_free(&look->inet);
	return result;
}

int snapshot_take(struct look *look, unsigned int watch_ms, struct err *err)
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
	result = conntrack_read(&look->table, err);
	if (result)
		goto out;
	if (watch_ms)
		audit_compare(&before, &look->table);
	result = snapshot_classify(look, watch_ms ? &earlier : NULL, err);
	if (result)
		snapshot_free(look);
out:
	conntrack_free(&before);
	inet_free(&earlier);
	return result;
}

void snapshot_free(struct look *look)
{
	conntrack_free(&look->table);
	inet_free(&look->inet);
	audit_free(&look->audit);
}
