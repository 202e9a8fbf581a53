// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/forward/pipe.h"

#include <errno.h>
#include <event2/buffer.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

/*
 * A write of up to this size does not block if poll() reports the descriptor as writable (pipe(7)).
 */
#define WRITE_MAX 4096

/*
 * Returns false for regular files and some devices, which epoll refuses because they are always
 * ready.
 */
static bool is_pollable(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && (S_ISSOCK(st.st_mode) || S_ISFIFO(st.st_mode) || isatty(fd));
}

int pipe_open(struct pipe *pipe, struct loop *loop, int in, int out, loop_fn fn, void *arg)
{
	*pipe = (struct pipe){ .loop = loop, .in = in, .out = out, .pending = evbuffer_new() };
	if (is_pollable(in))
		pipe->in_watch = loop_watch(loop, in, fn, arg);
	if (in == out)
		pipe->out_watch = pipe->in_watch;
	else if (is_pollable(out))
		pipe->out_watch = loop_watch(loop, out, fn, arg);
	if (pipe->pending && (pipe->in_watch || !is_pollable(in)) &&
	    (pipe->out_watch || !is_pollable(out)))
		return 0;
	pipe_close(pipe, true);
	return -ENOMEM;
}

void pipe_close(struct pipe *pipe, bool abort)
{
	const struct linger at_once = { .l_onoff = 1 };

	if (pipe->out_watch != pipe->in_watch)
		loop_watch_free(pipe->loop, pipe->out_watch);
	loop_watch_free(pipe->loop, pipe->in_watch);
	pipe->in_watch = pipe->out_watch = NULL;
	if (pipe->in >= 0 && abort)
		setsockopt(pipe->in, SOL_SOCKET, SO_LINGER, &at_once, sizeof(at_once));
	if (pipe->out >= 0 && pipe->out != pipe->in)
		close(pipe->out);
	if (pipe->in >= 0)
		close(pipe->in);
	pipe->in = pipe->out = -1;
	if (pipe->pending)
		evbuffer_free(pipe->pending);
	pipe->pending = NULL;
}

int pipe_put(struct pipe *pipe, const uint8_t *data, size_t length, bool fin)
{
	pipe->fin |= fin;
	return length && evbuffer_add(pipe->pending, data, length) ? -ENOMEM : 0;
}

/*
 * Returns true for a socket that the carrier has opened, which is non-blocking. Other descriptors
 * may be shared with a shell, so their flags are not changed.
 */
static bool is_socket(const struct pipe *pipe)
{
	return pipe->in == pipe->out;
}

static ssize_t read_some(const struct pipe *pipe, const struct iovec *piece, int count)
{
	struct msghdr message = { .msg_iov = (struct iovec *)piece, .msg_iovlen = (size_t)count };
	ssize_t got = recvmsg(pipe->in, &message, MSG_DONTWAIT);

	if (got < 0 && errno == ENOTSOCK)
		got = readv(pipe->in, piece, count);
	return got;
}

static bool is_transient(int error)
{
	return error == EAGAIN || error == EWOULDBLOCK || error == EINTR;
}

static bool is_ready(int fd, short events)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	return poll(&poll_fd, 1, 0) > 0;
}

static int pump_in(struct pipe *pipe, struct quic_stream *stream)
{
	struct iovec piece[2];
	ssize_t got;
	int count;

	while (!pipe->in_ended && (count = quic_stream_space(stream, piece)) > 0) {
		if (!is_socket(pipe) && pipe->in_watch && !is_ready(pipe->in, POLLIN))
			return 0;
		got = is_socket(pipe) ? readv(pipe->in, piece, count)
				      : read_some(pipe, piece, count);
		if (got < 0)
			return is_transient(errno) ? 0 : -errno;
		if (got)
			quic_stream_commit(stream, (size_t)got);
		else
			pipe->in_ended = true;
	}
	if (pipe->in_ended)
		quic_stream_finish(stream);
	return 0;
}

static int pump_out(struct pipe *pipe, struct quic_stream *stream)
{
	int sent;

	while (evbuffer_get_length(pipe->pending)) {
		if (!is_socket(pipe) && pipe->out_watch && !is_ready(pipe->out, POLLOUT))
			return 0;
		sent = evbuffer_write_atmost(pipe->pending, pipe->out,
					     is_socket(pipe) ? -1 : WRITE_MAX);
		if (sent < 0)
			return is_transient(errno) ? 0 : -errno;
		if (stream)
			quic_stream_consumed(stream, (size_t)sent);
	}
	if (pipe->fin && !pipe->out_ended) {
		pipe->out_ended = true;
		if (shutdown(pipe->out, SHUT_WR) && errno == ENOTSOCK && pipe->out != pipe->in) {
			loop_watch_free(pipe->loop, pipe->out_watch);
			pipe->out_watch = NULL;
			close(pipe->out);
			pipe->out = -1;
		}
	}
	return 0;
}

int pipe_pump(struct pipe *pipe, struct quic_stream *stream)
{
	struct iovec piece[2];
	bool want_in, want_out;
	int result = 0;

	if (stream)
		result = pump_in(pipe, stream);
	if (!result && !pipe->out_ended)
		result = pump_out(pipe, stream);
	if (result)
		return result;
	want_in = stream && !pipe->in_ended && quic_stream_space(stream, piece);
	want_out = evbuffer_get_length(pipe->pending);
	if (pipe->in_watch && pipe->in_watch == pipe->out_watch)
		result = loop_watch_want(pipe->in_watch, want_in, want_out);
	else if (pipe->in_watch)
		result = loop_watch_want(pipe->in_watch, want_in, false);
	if (!result && pipe->out_watch && pipe->out_watch != pipe->in_watch)
		result = loop_watch_want(pipe->out_watch, false, want_out);
	if (result)
		return result;
	return (pipe->in_ended || !stream) && pipe->out_ended;
}
