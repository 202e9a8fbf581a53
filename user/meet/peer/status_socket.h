/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Paths of the status sockets of peer processes (base/local_socket.h). A peer needs no privilege,
 * so several users may run peers: each socket is in a directory of its user.
 */
#ifndef SLUICE_MEET_PEER_STATUS_SOCKET_H
#define SLUICE_MEET_PEER_STATUS_SOCKET_H

#include <glob.h>
#include <stdbool.h>
#include <sys/un.h>

/*
 * Sets the socket address of this process, for the peer @id: in $RUNTIME_DIRECTORY, or otherwise in
 * /run/sluice for root and in $XDG_RUNTIME_DIR/sluice for other users. Removes stale sockets of
 * killed processes with this name. Returns false if there is no such directory.
 */
bool peer_status_address(const char *id, struct sockaddr_un *address);

/*
 * Finds the sockets of the peer @id, or of all peers (NULL), to which this user may connect.
 * Returns 0 or -ENOMEM; the caller calls globfree(3) in either case. The name of a peer has no
 * character that glob(3) expands.
 */
int peer_status_find(const char *id, glob_t *found);

#endif
