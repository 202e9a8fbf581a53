// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon writes each answer with one non-blocking send(2) and closes the connection, so that a
 * client can neither delay it nor leave state in it.
 */
#include "daemon/status_socket.h"

#include "base/output.h"
#include "host/daemon_status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG 16

/* Accepts only root and the daemon's own user, whatever the mode of the socket file. */
static bool is_allowed(int fd)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t length = sizeof(peer);

	return !getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) &&
	       (!peer.uid || peer.uid == geteuid());
}

static void on_client(void *arg)
{
	const struct status_socket *status = arg;
	int fd = accept4(status->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	json_t *answer;
	char *text;

	if (fd < 0)
		return;
	if (is_allowed(fd)) {
		answer = status_view_json(&status->view);
		text = json_dumps(answer, JSON_COMPACT | OUTPUT_JSON_FLAGS);
		if (text)
			send(fd, text, strlen(text), MSG_NOSIGNAL);
		free(text);
		json_decref(answer);
	}
	close(fd);
}

/* Creates the directory. Refuses a directory in which another user could replace the socket. */
static int dir_prepare(struct err *err)
{
	struct stat st;

	if (mkdir(DAEMON_STATUS_DIR, 0700) && errno != EEXIST)
		return err_set(err, EXIT_ERROR, errno, DAEMON_STATUS_DIR ": %s", strerror(errno));
	if (lstat(DAEMON_STATUS_DIR, &st))
		return err_set(err, EXIT_ERROR, errno, DAEMON_STATUS_DIR ": %s", strerror(errno));
	if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	return err_set(err, EXIT_CONFLICT, EPERM,
		       DAEMON_STATUS_DIR ": not a directory that this user alone may write to");
}

static int socket_listen(const struct sockaddr_un *address, struct err *err)
{
	mode_t before = umask(0177);
	int fd, result = 0;

	/* left by an earlier daemon that was killed */
	unlink(address->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) ||
	    listen(fd, BACKLOG))
		result = err_set(err, EXIT_ERROR, errno, "%s: %s", address->sun_path,
				 strerror(errno));
	umask(before);
	if (!result)
		return fd;
	if (fd >= 0)
		close(fd);
	return result;
}

int status_socket_open(struct status_socket *status, struct loop *loop, int lock_fd,
		       struct err *err)
{
	struct stat lock_dir;
	int result;

	if (fstat(lock_fd, &lock_dir))
		return err_set(err, EXIT_ERROR, errno, "status socket: %s", strerror(errno));
	daemon_status_address(&lock_dir, &status->address);
	result = dir_prepare(err);
	if (result)
		return result;
	result = socket_listen(&status->address, err);
	if (result < 0)
		return result;
	status->loop = loop;
	status->fd = result;
	result = loop_read(loop, status->fd, on_client, status);
	if (!result)
		return 0;
	status_socket_close(status);
	return err_set(err, EXIT_ERROR, -result, "status socket: %s", strerror(-result));
}

void status_socket_close(struct status_socket *status)
{
	if (status->fd < 0)
		return;
	loop_remove(status->loop, status->fd);
	close(status->fd);
	status->fd = -1;
	unlink(status->address.sun_path);
}
