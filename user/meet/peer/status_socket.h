/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Where the processes of peers have their status sockets (base/local_socket.h). A peer needs no
 * privilege, so that several users may have one: each socket is in a directory of its user.
 */
#ifndef SLUICE_MEET_PEER_STATUS_SOCKET_H
#define SLUICE_MEET_PEER_STATUS_SOCKET_H

#include <glob.h>
#include <stdbool.h>
#include <sys/un.h>

/*
 * Sets the address of this process, which is the peer @id: in $RUNTIME_DIRECTORY, else in
 * /run/sluice for root and $XDG_RUNTIME_DIR/sluice for other users. Removes what processes of this
 * name have left there that were killed. Returns false if there is no such directory.
 */
bool peer_status_address(const char *id, struct sockaddr_un *address);

/*
 * Finds the sockets of the peer @id, or of all peers (NULL), that this user may ask. Returns 0, or
 * -ENOMEM; globfree(3) is due in any case. The name of a peer has no character that glob(3)
 * expands.
 */
int peer_status_find(const char *id, glob_t *found);

#endif
