/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Status sockets: a process answers each connection to its socket with one JSON document, and reads
 * nothing from it. Only root and the user that started the process get answers.
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
 * Creates the directory of the socket and listens. Replaces the socket of a process that has
 * exited. Refuses a directory in which another user could replace the socket. Returns the
 * descriptor, or -errno with *err set.
 */
int local_socket_listen(const struct sockaddr_un *address, struct err *err);
/*
 * Accepts a client. Drops it unless its user (SO_PEERCRED) is root or @owner, whatever the mode of
 * the socket; also if there is no descriptor for it. Returns a descriptor, or -1.
 */
int local_socket_accept(int fd, uid_t owner);

/* Returns true if a process listens at this address. */
bool local_socket_is_served(const struct sockaddr_un *address);

struct local_answer {
	json_t *document; /* NULL: no valid answer */
	int error;	  /* errno, or 0; ENOENT or ECONNREFUSED: no process listens */
	char reason[256];
};

/*
 * Queries the process at this address, for at most @wait_us. Accepts an answer of up to @max bytes,
 * and only from root or the caller's own user.
 */
void local_socket_ask(const struct sockaddr_un *address, __useconds_t wait_us, size_t max,
		      struct local_answer *answer);
/* Asks in the same way; takes answers from @owner as well. */
void local_socket_ask_owner(const struct sockaddr_un *address, __useconds_t wait_us, size_t max,
			    uid_t owner, struct local_answer *answer);
/*
 * Works as local_socket_ask(), but stops reading at @list, the key of a list at the end of the
 * document that may be long. The answer has an empty list in its place.
 */
void local_socket_ask_head(const struct sockaddr_un *address, __useconds_t wait_us, size_t max,
			   const char *list, struct local_answer *answer);

#endif
