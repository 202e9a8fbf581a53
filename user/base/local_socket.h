/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Status sockets: a process answers each connection to its socket with one JSON document, and reads
 * nothing from it. Only root, and the user that the process was started by, get answers.
 */
#ifndef SLUICE_BASE_LOCAL_SOCKET_H
#define SLUICE_BASE_LOCAL_SOCKET_H

#include "base/err.h"

#include <jansson.h>
#include <stdbool.h>
#include <sys/types.h>
#include <sys/un.h>

#define LOCAL_SOCKET_DIR "/run/sluice"

/*
 * Creates the directory of the socket and listens, in place of a process that has ended; refuses a
 * directory in which another user could replace the socket. Returns the descriptor, or -errno with
 * *err set.
 */
int local_socket_listen(const struct sockaddr_un *address, struct err *err);
/*
 * Accepts a client. Checks the mode of the socket once more: only a process of root or of @owner
 * gets an answer. Returns a descriptor, or -1.
 */
int local_socket_accept(int fd, uid_t owner);

/* Does a process listen at this address? */
bool local_socket_is_served(const struct sockaddr_un *address);

struct local_answer {
	json_t *document; /* NULL: there is none */
	int error;	  /* 0, or why: ENOENT or ECONNREFUSED if no process listens */
	char reason[256];
};

/*
 * Asks the process at this address, and waits for @wait_us at most. Takes answers of up to @max
 * bytes, from root and from the caller's own user alone.
 */
void local_socket_ask(const struct sockaddr_un *address, __useconds_t wait_us, size_t max,
		      struct local_answer *answer);
/* Asks in the same way; takes answers from @owner as well. */
void local_socket_ask_owner(const struct sockaddr_un *address, __useconds_t wait_us, size_t max,
			    uid_t owner, struct local_answer *answer);
/*
 * Asks in the same way, but reads only up to the list that the document ends with, which may be
 * long: the answer has an empty list of the key @list.
 */
void local_socket_ask_head(const struct sockaddr_un *address, __useconds_t wait_us, size_t max,
			   const char *list, struct local_answer *answer);

#endif
