// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/forward/listener.h"

#include "base/addr.h"
#include "net/sockaddr.h"
#include "net/udp_io.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <unistd.h>

#define BACKLOG 128
#define ACCEPTS 16     /* at a wake-up */
#define WAIT_US 100000 /* before the next accept, if no descriptor was available */

int listener_open(const struct service_address *address, struct err *err)
{
	const int yes = 1, type = address->kind == SERVICE_TCP ? SOCK_STREAM : SOCK_DGRAM;
	char text[ADDR_TEXT_MAX];
	union any_sockaddr addr;
	socklen_t size = endpoint_to_sockaddr(&address->at, 0, &addr);
	int fd, error;

	fd = socket(addr.sa.sa_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return err_set(err, EXIT_ERROR, errno, "cannot open a socket: %s", strerror(errno));
	if (addr.sa.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof(yes));
	if (type == SOCK_STREAM)
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof(yes));
	else
		udp_io_prepare(fd);
	if (!bind(fd, &addr.sa, size) && (type == SOCK_DGRAM || !listen(fd, BACKLOG)))
		return fd;
	error = errno;
	close(fd);
	err_set(err, error == EADDRINUSE ? EXIT_CONFLICT : EXIT_ERROR, error, "--listen %s:%s: %s",
		service_kinds[address->kind],
		addr_format_port(&address->at.addr, address->at.port_be, text), strerror(error));
	if (error == EADDRINUSE)
		return err_hint(err, -error,
				"another program has this address: choose another port");
	return -error;
}

/* Passes a connection on. Returns false if no stream is available now. */
static bool hand_over(struct listener_tcp *listener, int fd)
{
	if (listener->take(listener->arg, fd) != -EAGAIN)
		return true;
	listener->held = fd;
	loop_watch_want(listener->watch, false, false);
	return false;
}

static void on_connection(void *arg)
{
	struct listener_tcp *listener = arg;
	const int yes = 1;
	int i, fd;

	for (i = 0; i < ACCEPTS && listener->open && listener->held < 0; i++) {
		fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
		if (fd < 0) {
			/* without a descriptor or memory, the event loop would spin */
			if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS ||
			    errno == ENOMEM) {
				loop_watch_want(listener->watch, false, false);
				loop_timer_start(listener->timer, WAIT_US);
			}
			break;
		}
		setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &yes, sizeof(yes));
		hand_over(listener, fd);
	}
	listener->flush(listener->arg);
}

static void on_timer(void *arg)
{
	struct listener_tcp *listener = arg;

	listener_tcp_retry(listener);
	listener->flush(listener->arg);
}

int listener_tcp_init(struct listener_tcp *listener)
{
	listener->held = -1;
	listener->watch = loop_watch(listener->loop, listener->fd, on_connection, listener);
	listener->timer = loop_timer(listener->loop, false, on_timer, listener);
	return listener->watch && listener->timer ? 0 : -ENOMEM;
}

void listener_tcp_retry(struct listener_tcp *listener)
{
	int fd = listener->held;

	if (!listener->open)
		return;
	listener->held = -1;
	if (fd < 0 || hand_over(listener, fd))
		loop_watch_want(listener->watch, true, false);
}

void listener_tcp_use(struct listener_tcp *listener, bool open)
{
	listener->open = open;
	loop_watch_want(listener->watch, false, false);
	listener_tcp_retry(listener);
}

void listener_tcp_close(struct listener_tcp *listener)
{
	loop_watch_free(listener->loop, listener->watch);
	loop_timer_free(listener->loop, listener->timer);
	listener->watch = NULL;
	listener->timer = NULL;
	if (listener->held >= 0)
		close(listener->held);
	listener->held = -1;
}
