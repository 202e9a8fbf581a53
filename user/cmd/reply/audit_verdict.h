/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The sockets that mode audit recorded, with their verdicts. */
#ifndef SLUICE_CMD_REPLY_AUDIT_VERDICT_H
#define SLUICE_CMD_REPLY_AUDIT_VERDICT_H

#include "process/sockets.h"
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

/* The mode that fixes a server that sends wrong replies. */
enum audit_fix {
	AUDIT_FIX_NOT_NEEDED,
	AUDIT_FIX_SOCKET,
	AUDIT_FIX_WIRE,
	/* A per-client socket does not receive datagrams sent to the requested address. */
	AUDIT_FIX_NONE,
	AUDIT_FIXES,
};

struct audit_row {
	__u64 cookie;
	struct sluice_audit audit;
	const struct sluice_socket_record *owner; /* NULL: no known process holds the socket */
	enum audit_verdict replies;		  /* verdict on unconnected replies */
	enum audit_verdict connected; /* verdict on replies since the socket connected */
	enum audit_fix fix;
	/* source address since the socket connected; NULL if unknown */
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
/* Returns the mode that fixes the server of a row. The verdicts of the row must be set. */
enum audit_fix audit_fix_of(const struct audit_row *row);
/* Returns the verdict on the replies of an unconnected socket. */
enum audit_verdict audit_classify_replies(const struct sluice_audit *audit,
					  enum wire_covers covers);
/*
 * Returns the verdict on a socket that has connected to a peer. @source is the socket's source
 * address, or NULL if unknown. Replies take precedence over @source.
 */
enum audit_verdict audit_classify_connected(const struct sluice_audit *audit,
					    const struct sluice_addr *source,
					    enum wire_covers covers);

/*
 * Reads and classifies all rows, which point into @sockets. Returns 0, or -errno with *err set. The
 * caller frees the rows in either case.
 */
int audit_rows_read(const char *bpffs, const struct sockets *sockets, struct audit_rows *rows,
		    struct err *err);
void audit_rows_free(struct audit_rows *rows);

#endif
