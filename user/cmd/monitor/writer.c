// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/monitor/writer.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * Returns true if fd is the end of a pipe that polls readable, with an error, once the other end is
 * closed.
 */
static bool reports_close(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISFIFO(st.st_mode) &&
	       (fcntl(fd, F_GETFL) & O_ACCMODE) == O_WRONLY;
}

static int watch_for(const struct monitor_writer *writer, bool room)
{
	return loop_watch_want(writer->watch, reports_close(STDOUT_FILENO), room);
}

int monitor_writer_open(struct monitor_writer *writer, struct loop *loop, loop_fn fn, void *arg)
{
	*writer = (struct monitor_writer){ .watch = loop_watch(loop, STDOUT_FILENO, fn, arg) };
	writer->file = open_memstream(&writer->text, &writer->length);
	return writer->file && writer->watch ? watch_for(writer, false) : -ENOMEM;
}

void monitor_writer_close(struct monitor_writer *writer)
{
	if (writer->file)
		fclose(writer->file);
	free(writer->text);
	*writer = (struct monitor_writer){ .file = NULL };
}

int monitor_writer_flush(struct monitor_writer *writer)
{
	struct pollfd output = { .fd = STDOUT_FILENO, .events = POLLOUT };
	bool has_room;
	size_t part;
	ssize_t done;

	if (fflush(writer->file))
		return -errno;
	if (poll(&output, 1, 0) == 1 && output.revents & POLLERR)
		return -EPIPE;
	while (writer->written < writer->length) {
		/* a writable pipe or terminal accepts this much without blocking */
		part = writer->length - writer->written;
		part = part < PIPE_BUF ? part : PIPE_BUF;
		has_room = poll(&output, 1, 0) == 1;
		done = has_room ? write(STDOUT_FILENO, writer->text + writer->written, part) : 0;
		if (done < 0 && errno != EAGAIN && errno != EINTR)
			return -errno;
		if (done <= 0)
			return watch_for(writer, true) ? -EIO : 1;
		writer->written += (size_t)done;
	}
	rewind(writer->file);
	writer->written = 0;
	return watch_for(writer, false);
}
