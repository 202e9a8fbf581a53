// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The daemon writes each answer with one non-blocking send(2) and closes the connection, so a
 * client can neither delay the daemon nor leave state in it.
 */
#include "daemon/status_socket.h"

#include "base/local_socket.h"
#include "cli/output.h"
#include "host/daemon_status.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

void status_socket_note(struct status_socket *status)
{
	if (status_view_note(&status->view) && status->fd >= 0)
		utimensat(AT_FDCWD, status->address.sun_path, NULL, 0);
}

static void on_client(void *arg)
{
	struct status_socket *status = arg;
	int fd = local_socket_accept(status->fd, geteuid());
	json_t *answer;
	char *text;

	if (fd < 0)
		return;
	status_socket_note(status);
	answer = status_view_json(&status->view);
	text = json_dumps(answer, JSON_COMPACT | OUTPUT_JSON_FLAGS);
	if (text)
		send(fd, text, strlen(text), MSG_NOSIGNAL);
	free(text);
	json_decref(answer);
	close(fd);
}

int status_socket_open(struct status_socket *status, struct loop *loop, int lock_fd,
		       struct err *err)
{
	struct stat lock_dir;
	int result;

	if (fstat(lock_fd, &lock_dir))
		return err_set(err, EXIT_ERROR, errno, "status socket: %s", strerror(errno));
	daemon_status_address(&lock_dir, &status->address);
	result = local_socket_listen(&status->address, err);
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
