/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What mode audit has seen of each socket, judged: are its answers right, and if not, does mode
 * wire see to them by now?
 */
#ifndef SLUICE_CMD_REPLY_AUDIT_ROWS_H
#define SLUICE_CMD_REPLY_AUDIT_ROWS_H

#include "kernel/sockets.h"
#include "reply/reply.h"
#include "wire/coverage.h"

#include <stddef.h>

enum audit_verdict {
	AUDIT_UNKNOWN, /* nothing was sent, or can be told */
	AUDIT_RIGHT,
	AUDIT_WRONG,
	AUDIT_COVERED, /* by mode wire, now */
	AUDIT_VERDICTS,
};

struct audit_row {
	__u64 cookie;
	struct sluice_audit audit;
	const struct sluice_socket_record *owner; /* NULL: nobody that is known holds it now */
	enum audit_verdict answers;		  /* sent by the unconnected socket */
	enum audit_verdict connected;		  /* of the socket since it has connected */
	/* what it sends from, connected; NULL if that is not known */
	const struct sluice_addr *source;
};

struct audit_rows {
	struct audit_row *row;
	size_t count;
	size_t room;
	bool no_memory;
};

/* "unknown", "right", "wrong", "covered" */
const char *audit_verdict_name(enum audit_verdict verdict);
/* Of the answers that an unconnected socket gave. */
enum audit_verdict audit_classify_answers(const struct sluice_audit *audit,
					  enum wire_covers covers);
/*
 * Of a socket that connected to a peer.  `source` is what it sends from, NULL if that is not known;
 * what it has sent counts for more.
 */
enum audit_verdict audit_classify_connected(const struct sluice_audit *audit,
					    const struct sluice_addr *source,
					    enum wire_covers covers);

/* 0, or -errno with *err set.  The caller frees, also on failure; `sockets` must live as long. */
int audit_rows_read(const char *bpffs, const struct sockets *sockets, struct audit_rows *rows,
		    struct err *err);
void audit_rows_free(struct audit_rows *rows);

#endif
