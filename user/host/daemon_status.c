// SPDX-License-Identifier: GPL-2.0-or-later
#include "host/daemon_status.h"

#include "base/clock.h"
#include "host/daemon_lock.h"
#include "kernel/pins.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* A daemon that is loading many groups answers late. */
#define WAIT_US	   2000000
#define ANSWER_MAX (1 << 20)

void daemon_status_address(const struct stat *lock_dir, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path, sizeof(address->sun_path),
		 DAEMON_STATUS_DIR "/run-%llx-%llx.sock", (unsigned long long)lock_dir->st_dev,
		 (unsigned long long)lock_dir->st_ino);
}

/* Returns a connection, or -errno. */
static int daemon_connect(const struct sockaddr_un *address)
{
	const struct timeval wait = { .tv_sec = WAIT_US / 1000000 };
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t length = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), result = 0;

	if (fd < 0)
		return -errno;
	/* bounds connect(2), which waits while the backlog is full */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		result = errno == EAGAIN ? -ETIMEDOUT : -errno;
	else if (peer.uid && peer.uid != geteuid())
		result = -EPERM;
	if (!result)
		return fd;
	close(fd);
	return result;
}

/* Reads up to the end of the answer. Returns its length, or -errno. */
static int answer_read(int fd, char *answer)
{
	__u64 now = clock_now_us(), end = now + WAIT_US;
	int length = 0;

	for (; now < end; now = clock_now_us()) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		int ready = poll(&wait, 1, (int)((end - now) / 1000) + 1);
		ssize_t got;

		if (ready <= 0)
			continue;
		got = recv(fd, answer + length, (size_t)(ANSWER_MAX - length), MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return got ? -errno : length;
		length += (int)got;
		if (length == ANSWER_MAX)
			return -EMSGSIZE;
	}
	return -ETIMEDOUT;
}

void daemon_status_read(const char *bpffs, struct daemon_status *status)
{
	char path[PATH_MAX], *answer = NULL;
	struct sockaddr_un address;
	int fd = -1, length = 0;
	struct stat lock_dir;

	*status = (struct daemon_status){ .pid = daemon_lock_holder(bpffs) };
	if (!status->pid)
		return;
	if (stat(pins_path(bpffs, DAEMON_LOCK_DIR, NULL, path), &lock_dir)) {
		/* the daemon has exited meanwhile */
		status->pid = 0;
		return;
	}
	daemon_status_address(&lock_dir, &address);
	fd = length = daemon_connect(&address);
	answer = fd < 0 ? NULL : malloc(ANSWER_MAX);
	if (fd >= 0)
		length = answer ? answer_read(fd, answer) : -ENOMEM;
	if (fd >= 0)
		close(fd);
	if (length >= 0)
		status->document = json_loadb(answer, (size_t)length, 0, NULL);
	if (length == -ETIMEDOUT)
		snprintf(status->reason, sizeof(status->reason),
			 "it is busy: no answer within %d seconds", WAIT_US / 1000000);
	else if (length < 0)
		snprintf(status->reason, sizeof(status->reason), "%s: %s", address.sun_path,
			 strerror(-length));
	else if (!json_is_object(status->document))
		snprintf(status->reason, sizeof(status->reason),
			 "%s: the answer is not a JSON object", address.sun_path);
	if (*status->reason) {
		json_decref(status->document);
		status->document = NULL;
	}
	free(answer);
}

void daemon_status_free(struct daemon_status *status)
{
	json_decref(status->document);
	status->document = NULL;
}
