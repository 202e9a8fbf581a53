// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/local_socket.h"

#include "base/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#define BACKLOG	   16
#define READ_FIRST 65536

/* --- server */

/* A descriptor for drop_client() to free, when the process has no other one left. -1: none. */
static int spare = -1;

static void spare_open(void)
{
	if (spare < 0)
		spare = open("/dev/null", O_RDONLY | O_CLOEXEC);
}

/* Creates the directory. Refuses a directory in which another user could replace the socket. */
static int dir_prepare(const struct sockaddr_un *address, struct err *err)
{
	char dir[sizeof(address->sun_path)];
	struct stat st;

	strcpy(dir, address->sun_path);
	*strrchr(dir, '/') = '\0';
	if (mkdir(dir, 0700) && errno != EEXIST)
		return err_set(err, EXIT_ERROR, errno, "%s: %s", dir, strerror(errno));
	if (lstat(dir, &st))
		return err_set(err, EXIT_ERROR, errno, "%s: %s", dir, strerror(errno));
	if (S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & (S_IWGRP | S_IWOTH)))
		return 0;
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, EPERM,
				"%s: not a directory that only this user can write to", dir),
			"run as its owner, or set RuntimeDirectory= in the systemd unit");
}

int local_socket_listen(const struct sockaddr_un *address, struct err *err)
{
	mode_t before;
	int fd, result = dir_prepare(address, err);

	if (result)
		return result;
	before = umask(0177);
	/* a process that was killed leaves its socket file */
	unlink(address->sun_path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0 || bind(fd, (const struct sockaddr *)address, sizeof(*address)) ||
	    listen(fd, BACKLOG))
		result = err_set(err, EXIT_ERROR, errno, "%s: %s", address->sun_path,
				 strerror(errno));
	umask(before);
	if (!result) {
		spare_open();
		return fd;
	}
	if (fd >= 0)
		close(fd);
	return result;
}

/* Closes a pending client, which would otherwise wake the event loop in a busy loop. */
static void drop_client(int listening)
{
	if (spare < 0)
		return;
	close(spare);
	spare = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
	if (spare >= 0)
		close(spare);
	spare = -1;
	spare_open();
}

int local_socket_accept(int listening, uid_t owner)
{
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t length = sizeof(peer);
	int fd = accept4(listening, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd < 0) {
		if (errno == EMFILE || errno == ENFILE)
			drop_client(listening);
		return -1;
	}
	if (!getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length) &&
	    (!peer.uid || peer.uid == owner))
		return fd;
	close(fd);
	return -1;
}

/* --- client */

/*
 * Returns a descriptor that is connected to a process of root, this user or @owner, or -errno;
 * -ETIMEDOUT if the backlog stays full for @wait_us.
 */
static int connect_to(const struct sockaddr_un *address, __useconds_t wait_us, uid_t owner)
{
	const struct timeval wait = { .tv_sec = wait_us / 1000000, .tv_usec = wait_us % 1000000 };
	struct ucred peer = { .uid = (uid_t)-1 };
	socklen_t length = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), result = 0;

	if (fd < 0)
		return -errno;
	/* the timeout of connect(2), which blocks while the backlog is full */
	setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof(wait));
	if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) ||
	    getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &length))
		result = errno == EAGAIN ? -ETIMEDOUT : -errno;
	else if (peer.uid && peer.uid != geteuid() && peer.uid != owner)
		result = -EPERM;
	if (!result)
		return fd;
	close(fd);
	return result;
}

bool local_socket_is_served(const struct sockaddr_un *address)
{
	int fd = connect_to(address, 1000000, geteuid());

	if (fd >= 0)
		close(fd);
	/* ETIMEDOUT: a process listens, but its backlog is full */
	return fd >= 0 || fd == -ETIMEDOUT;
}

#define CUT "]}"

/*
 * Replaces all text after @mark, which opens the last list, with CUT. Returns the new length, or 0
 * if the text does not contain @mark.
 */
static ssize_t cut(char *text, size_t length, const char *mark)
{
	char *at = memmem(text, length, mark, strlen(mark));

	if (!at)
		return 0;
	at += strlen(mark);
	memcpy(at, CUT, strlen(CUT));
	return at - text + (ssize_t)strlen(CUT);
}

/*
 * Reads the answer to its end or, unless @mark is NULL, up to @mark. Returns the length, or -errno;
 * the caller frees *text.
 */
static ssize_t answer_read(int fd, __useconds_t wait_us, size_t max, const char *mark, char **text)
{
	__u64 now = clock_now_us(), end = now + wait_us;
	size_t length = 0, room = READ_FIRST;

	*text = malloc(room + strlen(CUT));
	for (; *text && now < end; now = clock_now_us()) {
		struct pollfd wait = { .fd = fd, .events = POLLIN };
		int ready = poll(&wait, 1, (int)((end - now) / 1000) + 1);
		ssize_t got, end_at;
		char *grown;

		if (ready <= 0)
			continue;
		got = recv(fd, *text + length, room - length, MSG_DONTWAIT);
		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			continue;
		if (got <= 0)
			return got ? -errno : (ssize_t)length;
		length += (size_t)got;
		end_at = mark ? cut(*text, length, mark) : 0;
		if (end_at)
			return end_at;
		if (length >= max)
			return -EMSGSIZE;
		if (length < room)
			continue;
		grown = realloc(*text, room * 2 + strlen(CUT));
		if (!grown)
			return -ENOMEM;
		*text = grown;
		room *= 2;
	}
	return *text ? -ETIMEDOUT : -ENOMEM;
}

static void ask(const struct sockaddr_un *address, __useconds_t wait_us, size_t max, uid_t owner,
		const char *mark, struct local_answer *answer)
{
	int fd = connect_to(address, wait_us, owner);
	ssize_t length = fd;
	char *text = NULL;

	*answer = (struct local_answer){ .error = 0 };
	if (fd >= 0) {
		length = answer_read(fd, wait_us, max, mark, &text);
		close(fd);
	}
	if (length >= 0)
		answer->document = json_loadb(text, (size_t)length, 0, NULL);
	free(text);
	if (json_is_object(answer->document))
		return;
	json_decref(answer->document);
	answer->document = NULL;
	answer->error = length < 0 ? (int)-length : EBADMSG;
	if (length == -ETIMEDOUT)
		snprintf(answer->reason, sizeof(answer->reason),
			 "it is busy: no answer within %u seconds", wait_us / 1000000);
	else if (length < 0)
		snprintf(answer->reason, sizeof(answer->reason), "%s: %s", address->sun_path,
			 strerror((int)-length));
	else
		snprintf(answer->reason, sizeof(answer->reason),
			 "%s: the answer is not a JSON object", address->sun_path);
}

void local_socket_ask(const struct sockaddr_un *address, __useconds_t wait_us, size_t max,
		      struct local_answer *answer)
{
	ask(address, wait_us, max, geteuid(), NULL, answer);
}

void local_socket_ask_owner(const struct sockaddr_un *address, __useconds_t wait_us, size_t max,
			    uid_t owner, struct local_answer *answer)
{
	ask(address, wait_us, max, owner, NULL, answer);
}

void local_socket_ask_head(const struct sockaddr_un *address, __useconds_t wait_us, size_t max,
			   const char *list, struct local_answer *answer)
{
	char mark[64];

	/* no string contains the mark, since JSON escapes its quotes */
	snprintf(mark, sizeof(mark), "\"%s\":[", list);
	ask(address, wait_us, max, geteuid(), mark, answer);
}
