// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The verdict on a connected socket depends on its replies since it connected. Without replies, the
 * source address of an open socket decides: a socket whose source is not the requested address does
 * not receive the client's further requests.
 */
#include "cmd/reply/audit_verdict.h"

#include "base/array.h"
#include "base/log.h"
#include "kernel/pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

const char *audit_verdict_name(enum audit_verdict verdict)
{
	static const char *const names[] = {
		[AUDIT_UNKNOWN] = "unknown",
		[AUDIT_RIGHT] = "right",
		[AUDIT_WRONG] = "wrong",
		[AUDIT_COVERED] = "covered",
	};

	return names[verdict];
}

const char *audit_fix_name(enum audit_fix fix)
{
	static const char *const names[] = {
		[AUDIT_FIX_SOCKET] = "socket",
		[AUDIT_FIX_WIRE] = "wire",
		[AUDIT_FIX_NONE] = "none",
	};

	return names[fix];
}

/* Mode socket cannot fix a server that connects, even if the first reply is sent unconnected. */
enum audit_fix audit_fix_of(const struct audit_row *row)
{
	if (row->connected == AUDIT_WRONG)
		return row->audit.siblings ? AUDIT_FIX_NONE : AUDIT_FIX_WIRE;
	return row->replies == AUDIT_WRONG ? AUDIT_FIX_SOCKET : AUDIT_FIX_NOT_NEEDED;
}

enum audit_verdict audit_classify_replies(const struct sluice_audit *audit, enum wire_covers covers)
{
	if (audit->wrong)
		return covers == WIRE_COVERS_NOT ? AUDIT_WRONG : AUDIT_COVERED;
	return audit->right ? AUDIT_RIGHT : AUDIT_UNKNOWN;
}

enum audit_verdict audit_classify_connected(const struct sluice_audit *audit,
					    const struct sluice_addr *source,
					    enum wire_covers covers)
{
	bool sent = audit->connect_right || audit->connect_wrong;
	bool right = sent ? !audit->connect_wrong
			  : source && !memcmp(source, &audit->connect_asked, sizeof(*source));

	/* the replies are right because mode wire rewrites the client's requests */
	if (covers == WIRE_COVERS_BY_REWRITING)
		return AUDIT_COVERED;
	if (right)
		return AUDIT_RIGHT;
	if (covers == WIRE_COVERS_CLIENT)
		return AUDIT_COVERED;
	return sent || source ? AUDIT_WRONG : AUDIT_UNKNOWN;
}

/* --- the rows */

static void row_add(__u64 cookie, const struct sluice_audit *audit, void *arg)
{
	struct audit_rows *rows = arg;
	struct audit_row *added;
	void *row = rows->row;

	if (!rows->counts_replies && !audit->connects)
		return;
	if (array_grow(&row, &rows->room, rows->count, sizeof(*rows->row))) {
		rows->no_memory = true;
		return;
	}
	rows->row = row;
	added = &rows->row[rows->count++];
	*added = (struct audit_row){ .cookie = cookie, .audit = *audit };
	/* ignore the counts of an earlier mode audit: mode socket now fixes such replies */
	if (!rows->counts_replies)
		added->audit.right = added->audit.wrong = added->audit.other_port = 0;
}

static int by_port(const void *a, const void *b)
{
	const struct audit_row *left = a, *right = b;

	if (left->audit.port != right->audit.port)
		return left->audit.port < right->audit.port ? -1 : 1;
	return (left->cookie > right->cookie) - (left->cookie < right->cookie);
}

/* --- clients covered by mode wire */

struct coverage {
	bool wire;
	struct wire_cover cover;
	struct sluice_reply_meta meta;
	int table;
};

/* Logs a warning on failure; no client counts as covered then. */
static void coverage_open(const char *bpffs, struct coverage *coverage)
{
	struct err err = { 0 };

	if (pins_exist(bpffs, "wire", &err) == 0)
		return;
	if (wire_cover_open(bpffs, &coverage->cover, &err)) {
		log_warning("the coverage by mode wire is unknown: %s", err.what);
		return;
	}
	coverage->wire = true;
	coverage->table = reply_table(bpffs, &err);
	if (coverage->table < 0)
		log_warning("the clients' interfaces are unknown: %s", err.what);
}

static enum wire_covers covers(const struct coverage *coverage, const struct audit_row *row,
			       const struct sluice_addr *peer, __be16 port_be)
{
	struct wire_client client = {
		.addr = *peer,
		.port_be = port_be,
		.server_port = row->audit.port,
		.netns = row->audit.netns,
	};

	if (!coverage->wire)
		return WIRE_COVERS_NOT;
	client.ifindex = reply_last_ifindex(coverage->table, &coverage->meta, row->cookie,
					    &row->audit, peer, port_be);
	return wire_cover_of(&coverage->cover, &client);
}

/* Returns the source of the socket that has connected to the row's last peer, or NULL. */
static const struct sluice_addr *connected_source(const struct sockets *sockets,
						  const struct audit_row *row)
{
	const struct sluice_audit *audit = &row->audit;
	const struct sluice_socket_record *socket;
	size_t i;

	for (i = 0; sockets && (socket = sockets_at(sockets, i)); i++)
		if (socket->connected && socket->netns == audit->netns &&
		    socket->port == audit->port && socket->peer_port_be == audit->connect_port_be &&
		    !memcmp(&socket->peer, &audit->connect_peer, sizeof(socket->peer)))
			return &socket->local;
	return NULL;
}

static void row_classify(const struct coverage *coverage, const struct sockets *sockets,
			 struct audit_row *row)
{
	const struct sluice_audit *audit = &row->audit;
	enum wire_covers by = WIRE_COVERS_NOT;

	row->owner = sockets_find(sockets, row->cookie);
	if (audit->wrong)
		by = covers(coverage, row, &audit->peer, audit->peer_port_be);
	row->replies = audit_classify_replies(audit, by);
	if (audit->connects) {
		row->source = audit->connect_used.half[0] || audit->connect_used.half[1]
				      ? &audit->connect_used
				      : connected_source(sockets, row);
		by = audit->siblings
			     ? WIRE_COVERS_NOT
			     : covers(coverage, row, &audit->connect_peer, audit->connect_port_be);
		row->connected = audit_classify_connected(audit, row->source, by);
	}
	row->fix = audit_fix_of(row);
}

int audit_rows_read(const char *bpffs, const struct sockets *sockets, struct audit_rows *rows,
		    struct err *err)
{
	struct coverage coverage = { .table = -1 };
	struct reply_state state;
	size_t i;
	int result;

	*rows = (struct audit_rows){ 0 };
	result = reply_read(bpffs, &state, err);
	if (result)
		return result;
	rows->counts_replies = state.meta.mode == SLUICE_REPLY_AUDIT;
	result = reply_audits(bpffs, row_add, rows, err);
	if (result)
		return result;
	if (rows->no_memory)
		return err_set(err, EXIT_ERROR, ENOMEM, "audit: out of memory");
	if (rows->count)
		qsort(rows->row, rows->count, sizeof(*rows->row), by_port);
	coverage_open(bpffs, &coverage);
	coverage.meta = state.meta;
	for (i = 0; i < rows->count; i++)
		row_classify(&coverage, sockets, &rows->row[i]);
	if (coverage.table >= 0)
		close(coverage.table);
	if (coverage.wire)
		wire_cover_close(&coverage.cover);
	return 0;
}

void audit_rows_free(struct audit_rows *rows)
{
	free(rows->row);
	*rows = (struct audit_rows){ 0 };
}
