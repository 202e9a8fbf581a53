/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The status that only the daemon knows: its configuration file, and the sections that wait, with
 * the reason. The daemon answers each connection to its status socket with one JSON document and
 * reads nothing from the connection. All other state is in the kernel.
 *
 * The name of the socket contains device and inode of the directory that the daemon locks
 * (host/daemon_lock.h), so that daemons of different pin directories or bpffs do not collide.
 */
#ifndef SLUICE_HOST_DAEMON_STATUS_H
#define SLUICE_HOST_DAEMON_STATUS_H

#include <jansson.h>
#include <sys/stat.h>
#include <sys/un.h>

/* Sets the address of the daemon that locks this directory. */
void daemon_status_address(const struct stat *lock_dir, struct sockaddr_un *address);

struct daemon_status {
	int pid;	  /* 0: no daemon; -1: in another PID namespace */
	json_t *document; /* the daemon's answer, or NULL */
	char reason[256]; /* why `document` is NULL */
};

/*
 * Reads the status of the daemon of a pin directory, with a timeout of two seconds. Accepts answers
 * only from root and the caller's own user.
 */
void daemon_status_read(const char *bpffs, struct daemon_status *status);
void daemon_status_free(struct daemon_status *status);

#endif
