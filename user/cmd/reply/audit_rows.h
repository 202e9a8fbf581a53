/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The sockets that mode audit has recorded, with a verdict each: right, wrong, or covered by mode
 * wire.
 */
#ifndef SLUICE_CMD_REPLY_AUDIT_ROWS_H
#define SLUICE_CMD_REPLY_AUDIT_ROWS_H

#include "kernel/sockets.h"
#include "reply/reply.h"
#include "wire/coverage.h"

#include <stddef.h>

enum audit_verdict {
	AUDIT_UNKNOWN, /* the socket has sent nothing, or its source is unknown */
	AUDIT_RIGHT,
	AUDIT_WRONG,
	AUDIT_COVERED, /* wrong, but now fixed by mode wire */
	AUDIT_VERDICTS,
};

/* What fixes a wrong server. */
enum audit_fix {
	AUDIT_FIX_NOT_NEEDED,
	AUDIT_FIX_SOCKET,
	AUDIT_FIX_WIRE,
	/* A socket for each client does not receive what the client sends to the requested address.
	 */
	AUDIT_FIX_NONE,
	AUDIT_FIXES,
};

struct audit_row {
	__u64 cookie;
	struct sluice_audit audit;
	const struct sluice_socket_record *owner; /* NULL: no known process holds it now */
	enum audit_verdict replies;		  /* of the unconnected socket */
	enum audit_verdict connected;		  /* of the socket since it connected */
	enum audit_fix fix;
	/* the source address since it connected; NULL if unknown */
	const struct sluice_addr *source;
};

struct audit_rows {
	struct audit_row *row;
	size_t count;
	size_t room;
	bool no_memory;
	bool counts_replies; /* mode audit is loaded */
};

/* "unknown", "right", "wrong", "covered" */
const char *audit_verdict_name(enum audit_verdict verdict);
/* "socket", "wire", "none" or NULL */
const char *audit_fix_name(enum audit_fix fix);
/* Returns what fixes the row, whose verdicts are set. */
enum audit_fix audit_fix_of(const struct audit_row *row);
/* Returns the verdict on the replies of an unconnected socket. */
enum audit_verdict audit_classify_replies(const struct sluice_audit *audit,
					  enum wire_covers covers);
/*
 * Returns the verdict on a socket that connected to a peer.  `source` is its source address, or
 * NULL if unknown; replies that it has sent take precedence.
 */
enum audit_verdict audit_classify_connected(const struct sluice_audit *audit,
					    const struct sluice_addr *source,
					    enum wire_covers covers);

/*
 * Reads and classifies all rows, which refer to `sockets`.  Returns 0, or -errno with *err set; the
 * caller frees in both cases.
 */
int audit_rows_read(const char *bpffs, const struct sockets *sockets, struct audit_rows *rows,
		    struct err *err);
void audit_rows_free(struct audit_rows *rows);

#endif
