// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * libevent's server parses the requests and bounds their size. It bounds neither the number of
 * connections nor their duration: a client that sends a byte each second holds its connection for
 * hours. So a guard holds a reference to the bufferevent of each connection. When libevent frees a
 * connection, it clears the callbacks, which the guard detects. Until the guard drops its
 * reference, the bufferevent keeps the descriptor open, so that no later connection gets the same
 * number: it would receive no events.
 */
#include "metrics/server.h"

#include "base/addr.h"
#include "base/clock.h"
#include "metrics/accept.h"
#include "metrics/process.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/http.h>
#include <event2/keyvalq_struct.h>
#include <event2/listener.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONNECTIONS_MAX 32
#define BACKLOG		16
#define HEADERS_MAX	8192
#define INPUT_MAX	65536
#define GUARD_US	2000000
/*
 * Number of guard runs that a connection survives, about five seconds. Rejected: the age of the
 * connection, and evhttp_set_timeout(), since a delayed daemon would close connections before it
 * has processed their pending data.
 */
#define LIFE_GUARDS 2
/* Lifetime of the cached metrics, which bounds the time that the daemon spends on reads. */
#define FRESH_US 1000000
#define FORMATS	 2

struct connection {
	struct bufferevent *bev; /* NULL: free */
	__u64 since_us;
	unsigned int guards; /* guard runs since the connection began */
};

struct metrics_server {
	struct metrics_provider provider;
	struct loop *loop;
	struct loop_timer *guard;
	struct evhttp *http;
	struct evconnlistener *listener;
	struct connection connection[CONNECTIONS_MAX];
	struct {
		struct evbuffer *text; /* last metrics; NULL: none yet */
		__u64 read_us;
	} cache[FORMATS];
	double read_s; /* duration of the last read */
};

/* --- connections */

/* Returns true if libevent has freed the connection. */
static bool is_closed(struct bufferevent *bev)
{
	bufferevent_event_cb failed = NULL;

	bufferevent_getcb(bev, NULL, NULL, &failed, NULL);
	return !failed;
}

static void end(struct connection *connection)
{
	/* after the shutdown, libevent reads the end of the stream, and frees the connection */
	if (!is_closed(connection->bev))
		shutdown(bufferevent_getfd(connection->bev), SHUT_RDWR);
	bufferevent_decref(connection->bev);
	connection->bev = NULL;
}

static void on_guard(void *arg)
{
	struct metrics_server *server = arg;
	int i;

	for (i = 0; i < CONNECTIONS_MAX; i++) {
		struct connection *connection = &server->connection[i];

		if (connection->bev &&
		    (is_closed(connection->bev) || connection->guards++ == LIFE_GUARDS))
			end(connection);
	}
	evconnlistener_enable(server->listener);
}

/* Makes the bufferevent of a new connection. */
static struct bufferevent *on_connection(struct event_base *base, void *arg)
{
	struct metrics_server *server = arg;
	struct connection *oldest = server->connection;
	struct bufferevent *bev = bufferevent_socket_new(base, -1, BEV_OPT_CLOSE_ON_FREE);
	int i;

	if (!bev)
		return NULL;
	for (i = 0; i < CONNECTIONS_MAX && oldest->bev; i++) {
		struct connection *connection = &server->connection[i];

		if (connection->bev && is_closed(connection->bev))
			end(connection);
		if (!connection->bev || connection->since_us < oldest->since_us)
			oldest = connection;
	}
	if (oldest->bev)
		end(oldest);
	/* data that arrives after libevent has freed the connection stays in the socket */
	bufferevent_setwatermark(bev, EV_READ, 0, INPUT_MAX);
	bufferevent_incref(bev);
	*oldest = (struct connection){ .bev = bev, .since_us = clock_now_us() };
	return bev;
}

/*
 * Stops accepting until on_guard(): without free descriptors, the listening socket would stay
 * readable, and the loop would spin.
 */
static void on_accept_failed(struct evconnlistener *listener, void *arg)
{
	evconnlistener_disable(listener);
}

/* --- answers */

static void send_text(struct evhttp_request *request, int code, const char *reason,
		      const char *type, struct evbuffer *body)
{
	struct evkeyvalq *headers = evhttp_request_get_output_headers(request);
	bool is_head = evhttp_request_get_command(request) == EVHTTP_REQ_HEAD;

	evhttp_add_header(headers, "Content-Type", type);
	evhttp_add_header(headers, "Cache-Control", "no-store");
	/* one request per connection: see LIFE_GUARDS */
	evhttp_add_header(headers, "Connection", "close");
	evhttp_send_reply(request, code, reason, is_head ? NULL : body);
}

#define PLAIN "text/plain; charset=utf-8"

static void answer(struct evhttp_request *request, int code, const char *reason, const char *text)
{
	struct evbuffer *body = evbuffer_new();

	if (body)
		evbuffer_add(body, text, strlen(text));
	send_text(request, code, reason, PLAIN, body);
	if (body)
		evbuffer_free(body);
}

static void free_text(const void *data, size_t length, void *arg)
{
	free(arg);
}

/* Returns the metrics, or NULL on ENOMEM. */
static struct evbuffer *metrics_read(struct metrics_server *server, enum metrics_format format)
{
	struct evbuffer *text = server->cache[format].text;
	__u64 now = clock_now_us();
	struct metrics *metrics;
	size_t length;
	char *document;

	if (text && now - server->cache[format].read_us < FRESH_US)
		return text;
	if (text)
		evbuffer_free(text);
	server->cache[format].text = NULL;
	metrics = metrics_new(format);
	if (!metrics)
		return NULL;
	process_metrics(metrics);
	metrics_gauge_real(metrics, "sluice_metrics_read_seconds", "seconds",
			   "duration of the previous read of the metrics", server->read_s);
	server->provider.collect(metrics, server->provider.arg);
	document = metrics_end(metrics, &length);
	server->read_s = (double)(clock_now_us() - now) / 1e6;
	text = document ? evbuffer_new() : NULL;
	if (text && !evbuffer_add_reference(text, document, length, free_text, document)) {
		server->cache[format].text = text;
		server->cache[format].read_us = clock_now_us();
		return text;
	}
	free(document);
	if (text)
		evbuffer_free(text);
	return NULL;
}

static void on_metrics(struct evhttp_request *request, void *arg)
{
	struct metrics_server *server = arg;
	const char *accept = evhttp_find_header(evhttp_request_get_input_headers(request),
						"Accept");
	enum metrics_format format = accept_format(accept);
	struct evbuffer *text = metrics_read(server, format), *body = evbuffer_new();

	if (text && body && !evbuffer_add_buffer_reference(body, text))
		send_text(request, HTTP_OK, "OK", metrics_content_type(format), body);
	else
		answer(request, HTTP_INTERNAL, "Internal Server Error", "out of memory\n");
	if (body)
		evbuffer_free(body);
}

static void on_livez(struct evhttp_request *request, void *arg)
{
	answer(request, HTTP_OK, "OK", "ok\n");
}

static void on_readyz(struct evhttp_request *request, void *arg)
{
	struct metrics_server *server = arg;
	char *reasons = NULL;
	size_t length = 0;
	FILE *file = open_memstream(&reasons, &length);

	if (file) {
		server->provider.unready(file, server->provider.arg);
		if (fclose(file))
			length = 0;
	}
	if (!file || !reasons)
		answer(request, HTTP_SERVUNAVAIL, "Service Unavailable", "out of memory\n");
	else if (length)
		answer(request, HTTP_SERVUNAVAIL, "Service Unavailable", reasons);
	else
		answer(request, HTTP_OK, "OK", "ok\n");
	free(reasons);
}

static void on_startupz(struct evhttp_request *request, void *arg)
{
	const struct metrics_provider *provider = &((struct metrics_server *)arg)->provider;

	if (!provider->started || provider->started(provider->arg))
		answer(request, HTTP_OK, "OK", "ok\n");
	else
		answer(request, HTTP_SERVUNAVAIL, "Service Unavailable", "starting\n");
}

static void on_other(struct evhttp_request *request, void *arg)
{
	answer(request, HTTP_NOTFOUND, "Not Found",
	       "sluice " SLUICE_VERSION ": /metrics, /livez, /readyz, /startupz\n");
}

/* --- the server */

static int open_socket(const struct metrics_address *address, struct err *err)
{
	struct sockaddr_in6 ip6 = { .sin6_family = AF_INET6,
				    .sin6_port = address->port_be,
				    .sin6_addr = address->addr };
	struct sockaddr_in ip4 = { .sin_family = AF_INET,
				   .sin_port = address->port_be,
				   .sin_addr.s_addr = address->addr.s6_addr32[3] };
	bool is_ip4 = addr_is_ip4(&address->addr);
	const struct sockaddr *to = is_ip4 ? (void *)&ip4 : (void *)&ip6;
	socklen_t length = is_ip4 ? sizeof(ip4) : sizeof(ip6);
	char text[ADDR_TEXT_MAX];
	int fd, on = 1, error;

	addr_format_port(&address->addr, address->port_be, text);
	fd = socket(to->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	/* allow a restart while connections of the previous process are in TIME_WAIT */
	if (fd >= 0 && !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) &&
	    (is_ip4 || !setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on))) &&
	    !bind(fd, to, length) && !listen(fd, BACKLOG))
		return fd;
	error = errno;
	if (fd >= 0)
		close(fd);
	if (error == EADDRINUSE)
		return err_hint(err,
				err_set(err, EXIT_CONFLICT, error, "metrics: %s is in use", text),
				"'ss -ltnp' shows by which process; give another port");
	return err_set(err, EXIT_ERROR, error, "metrics: %s: %s", text, strerror(error));
}

static int start(struct metrics_server *server, int fd)
{
	struct event_base *base = loop_base(server->loop);

	server->guard = loop_timer(server->loop, true, on_guard, server);
	server->http = evhttp_new(base);
	if (!server->guard || !server->http || loop_timer_start(server->guard, GUARD_US))
		return -ENOMEM;
	server->listener = evconnlistener_new(base, NULL, NULL,
					      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (!server->listener)
		return -ENOMEM;
	/* from here on, evhttp_free() frees the listener */
	if (!evhttp_bind_listener(server->http, server->listener)) {
		evconnlistener_free(server->listener);
		return -ENOMEM;
	}
	evconnlistener_set_error_cb(server->listener, on_accept_failed);
	evhttp_set_allowed_methods(server->http, EVHTTP_REQ_GET | EVHTTP_REQ_HEAD);
	evhttp_set_max_headers_size(server->http, HEADERS_MAX);
	evhttp_set_max_body_size(server->http, 0);
	evhttp_set_bevcb(server->http, on_connection, server);
	if (evhttp_set_cb(server->http, "/metrics", on_metrics, server) ||
	    evhttp_set_cb(server->http, "/livez", on_livez, server) ||
	    evhttp_set_cb(server->http, "/readyz", on_readyz, server) ||
	    evhttp_set_cb(server->http, "/startupz", on_startupz, server))
		return -ENOMEM;
	evhttp_set_gencb(server->http, on_other, server);
	return 0;
}

int metrics_listen(struct metrics_server **server, struct loop *loop,
		   const struct metrics_address *address, const struct metrics_provider *provider,
		   struct err *err)
{
	struct metrics_server *created;
	int fd = open_socket(address, err), result;

	if (fd < 0)
		return fd;
	created = calloc(1, sizeof(*created));
	result = created ? 0 : -ENOMEM;
	if (created) {
		created->loop = loop;
		created->provider = *provider;
		result = start(created, fd);
	}
	if (!result) {
		*server = created;
		return 0;
	}
	if (!created || !created->listener)
		close(fd);
	metrics_close(created);
	return err_set(err, EXIT_ERROR, -result, "metrics: %s", strerror(-result));
}

void metrics_close(struct metrics_server *server)
{
	int i;

	if (!server)
		return;
	if (server->http)
		evhttp_free(server->http);
	for (i = 0; i < CONNECTIONS_MAX; i++)
		if (server->connection[i].bev)
			bufferevent_decref(server->connection[i].bev);
	for (i = 0; i < FORMATS; i++)
		if (server->cache[i].text)
			evbuffer_free(server->cache[i].text);
	loop_timer_free(server->loop, server->guard);
	free(server);
}
