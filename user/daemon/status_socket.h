/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The daemon's end of the status socket (host/daemon_status.h). */
#ifndef SLUICE_DAEMON_STATUS_SOCKET_H
#define SLUICE_DAEMON_STATUS_SOCKET_H

#include "base/err.h"
#include "base/loop.h"
#include "daemon/status_view.h"

#include <sys/un.h>

struct status_socket {
	struct loop *loop;
	int fd; /* -1: closed */
	struct sockaddr_un address;
	struct status_view view; /* the answer */
};

/*
 * Listens at the address derived from the daemon's lock. Replaces the socket of an earlier daemon.
 * Only this user and root can connect. Returns 0, or -errno with *err set; the daemon can run
 * without the socket.
 */
int status_socket_open(struct status_socket *status, struct loop *loop, int lock_fd,
		       struct err *err);
/*
 * Records the state of the sections. If it has changed, updates the timestamps of the socket, so
 * that 'sluice monitor' queries the daemon again. Call it after each step that may change the
 * state.
 */
void status_socket_note(struct status_socket *status);
/* Closes and removes the socket. Call it before the lock is released. */
void status_socket_close(struct status_socket *status);

#endif
