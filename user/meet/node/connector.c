// SPDX-License-Identifier: GPL-2.0-or-later
/* Implements peer connect: makes a service of another peer available on this host. */
#include "base/log.h"
#include "base/sd_notify.h"
#include "meet/forward/listener.h"
#include "meet/node/node.h"
#include "meet/peer/process.h"
#include "meet/privileges.h"
#include "meet/report/parent.h"
#include "meet/report/report.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>
#include <sys/random.h>
#include <unistd.h>

#define RETRY_FIRST_US 1000000
#define RETRY_MAX_US   30000000
#define MS_NS	       1000000ULL
#define SECOND_NS      1000000000ULL

/* A program's connection that waits for a member of the pool, or for a stream of the path. */
struct waiter {
	STAILQ_ENTRY(waiter) entry;
	int fd;
	bool refused; /* the pool has no member for it */
};

STAILQ_HEAD(waiters, waiter);

struct connector {
	struct node node;
	struct report report;
	struct parent parent; /* with --until-eof */
	const struct peer_target *target;
	struct link *link; /* NULL: not connected */
	struct listener_tcp tcp;
	struct waiters waiters;
	unsigned int waiting, waiting_max; /* waiters */
	bool passing;			   /* use_path_for_refused() runs */
	struct loop_timer *retry;
	uint64_t retry_us;
	struct log_condition condition;
	int listen_fd;
	bool succeeded; /* the service was available */
	int result;
	struct err *err;
};

static void on_random(void *buffer, size_t size, void *arg)
{
	if (getrandom(buffer, size, 0) != (ssize_t)size)
		abort(); /* fails only before Linux 3.17: up to 256 bytes cannot fail */
}

static const char *service_of(const struct connector *connector)
{
	return connector->target->service ? connector->target->service : "";
}

/* Ends the process after an error; connector->err is set. */
static void fail(struct connector *connector, int result)
{
	connector->result = result;
	loop_stop(connector->node.runtime.loop);
}

static void connect_now(void *arg)
{
	struct connector *connector = arg;

	peer_client_connect(connector->node.runtime.client, connector->target->to,
			    runtime_now_ns());
	node_update(&connector->node);
}

/* --- connections of programs */

/* Returns 0, -EAGAIN or -ENOMEM, as carrier_tcp(). */
static int use_path(struct connector *connector, int fd)
{
	struct carrier *carrier = connector->link ? link_carrier(connector->link) : NULL;

	return carrier ? carrier_tcp(carrier, service_of(connector), fd, fd) : -EAGAIN;
}

static void forget(struct connector *connector, struct waiter *waiter)
{
	STAILQ_REMOVE(&connector->waiters, waiter, waiter, entry);
	connector->waiting--;
	free(waiter);
}

static struct waiter *find_refused(const struct connector *connector)
{
	struct waiter *waiter = STAILQ_FIRST(&connector->waiters);

	while (waiter && !waiter->refused)
		waiter = STAILQ_NEXT(waiter, entry);
	return waiter;
}

/*
 * Passes the connections without a member to the path, as long as it has streams. A connection that
 * ends at once calls this function again, which must not pass it twice.
 */
static void use_path_for_refused(struct connector *connector)
{
	struct waiter *waiter;

	if (connector->passing)
		return;
	connector->passing = true;
	while ((waiter = find_refused(connector)) && use_path(connector, waiter->fd) != -EAGAIN)
		forget(connector, waiter);
	connector->passing = false;
}

static int on_connection(void *arg, int fd)
{
	struct connector *connector = arg;
	struct waiter *waiter;

	if (!node_pool_is_used(&connector->node) || connector->waiting >= connector->waiting_max)
		return use_path(connector, fd);
	waiter = malloc(sizeof(*waiter));
	if (!waiter || !node_pool_acquire(&connector->node, waiter)) {
		free(waiter);
		return use_path(connector, fd);
	}
	*waiter = (struct waiter){ .fd = fd };
	STAILQ_INSERT_TAIL(&connector->waiters, waiter, entry);
	connector->waiting++;
	return 0;
}

static void on_granted(void *arg, void *granted, struct link *member)
{
	struct connector *connector = arg;
	struct waiter *waiter = granted;

	if (member && carrier_tcp(link_carrier(member), service_of(connector), waiter->fd,
				  waiter->fd) != -EAGAIN) {
		forget(connector, waiter);
		return;
	}
	waiter->refused = true;
	use_path_for_refused(connector);
}

static void on_flush(void *arg)
{
	node_update(&((struct connector *)arg)->node);
}

/* --- failures */

/* Handles a temporary failure: --stdio exits, a listener retries. */
static void failed(struct connector *connector, const char *reason)
{
	struct log_line line;

	if (connector->target->stdio) {
		fail(connector, err_set(connector->err, EXIT_ERROR, EHOSTUNREACH, "%s: %s",
					connector->target->to, reason));
		return;
	}
	if (log_condition_set(&connector->condition, reason)) {
		log_begin(&line, LOG_LEVEL_WARNING, "not connected, retrying");
		log_field(&line, "peer", "%s", connector->target->to);
		log_field(&line, "reason", "%s", reason);
		log_end(&line);
	}
	loop_timer_start(connector->retry, connector->retry_us);
	connector->retry_us *= 2;
	if (connector->retry_us > RETRY_MAX_US)
		connector->retry_us = RETRY_MAX_US;
}

/* --- hooks */

/* Retries a failed connect at once, because the first server has answered. */
static void on_registered(void *arg)
{
	struct connector *connector = arg;

	if (!loop_timer_runs(connector->retry))
		return;
	loop_timer_stop(connector->retry);
	connect_now(connector);
}

static void on_refused(void *arg, unsigned int code)
{
	struct connector *connector = arg;
	const struct peer_identity *identity = connector->node.identity;

	if (code == PEER_CLIENT_CODE_UNKNOWN_IDENTITY && identity->servers == 1 &&
	    !connector->node.registered)
		fail(connector,
		     err_hint(connector->err,
			      err_set(connector->err, EXIT_PERMISSION, EACCES, "--id %s: %s",
				      identity->id, peer_client_code_text(code)),
			      "the peers file of the server needs a line with this name and the"
			      " public key of --key-file"));
}

static void on_connect_failed(void *arg, unsigned int code)
{
	struct connector *connector = arg;
	const char *to = connector->target->to, *text = peer_client_code_text(code);

	/* the session continues and requests another introduction */
	if (connector->link)
		return;
	switch (code) {
	case PEER_CLIENT_CODE_WRONG_KEY:
		fail(connector,
		     err_hint(connector->err,
			      err_set(connector->err, EXIT_PERMISSION, EACCES, "%s: %s", to, text),
			      "if %s has a new key, replace the known one; if not, the server is"
			      " not to be trusted",
			      to));
		break;
	case 403:
	case 480:
		fail(connector,
		     err_set(connector->err, EXIT_PERMISSION, EACCES, "%s: %s", to, text));
		break;
	default:
		failed(connector, text);
	}
}

static void on_ready(void *arg, struct link *link)
{
	struct connector *connector = arg;
	struct carrier *carrier = link_carrier(link);
	struct log_line line;
	int result = 0;

	connector->link = link;
	connector->retry_us = RETRY_FIRST_US;
	log_condition_set(&connector->condition, NULL);
	log_begin(&line, LOG_LEVEL_INFO, "connected");
	log_field(&line, "peer", "%s", link->name);
	log_end(&line);
	if (connector->target->stdio)
		result = carrier_tcp(carrier, service_of(connector), dup(STDIN_FILENO),
				     dup(STDOUT_FILENO));
	else if (connector->target->listen.kind == SERVICE_UDP)
		result = carrier_udp(carrier, service_of(connector), connector->listen_fd);
	else
		listener_tcp_use(&connector->tcp, true);
	use_path_for_refused(connector);
	if (result)
		fail(connector, err_set(connector->err, EXIT_ERROR, -result, "%s: %s",
					connector->target->to, strerror(-result)));
	else
		sd_notify("READY=1");
	report_path(&connector->report, link);
}

static void on_path_changed(void *arg, struct link *link)
{
	report_path(&((struct connector *)arg)->report, link);
}

static void on_answered(void *arg, unsigned int code)
{
	struct connector *connector = arg;
	const struct peer_target *target = connector->target;

	if (code == SERVICE_OK)
		connector->succeeded = true;
	else if (code < SERVICE_CODES &&
		 (target->stdio || (target->listen.kind == SERVICE_UDP && !connector->succeeded)))
		fail(connector,
		     err_set(connector->err, EXIT_ERROR, ECONNREFUSED, "%s: service '%s': %s",
			     target->to, service_of(connector), service_describe(code)));
}

/* Passes the connections that wait for a stream. */
static void pass_waiting(struct connector *connector)
{
	if (connector->target->listen.kind != SERVICE_TCP)
		return;
	use_path_for_refused(connector);
	listener_tcp_retry(&connector->tcp);
}

static void on_ended(void *arg)
{
	struct connector *connector = arg;

	if (connector->target->stdio)
		loop_stop(connector->node.runtime.loop);
	pass_waiting(connector);
}

/* Streams that have ended are available only when the other peer has permitted new ones. */
static void on_permitted(void *arg)
{
	pass_waiting(arg);
}

static void on_over(void *arg, struct link *link)
{
	struct connector *connector = arg;

	report_over(&connector->report, link);
	connector->link = NULL;
	if (connector->target->listen.kind == SERVICE_TCP)
		listener_tcp_use(&connector->tcp, false);
	failed(connector, link->end);
}

/* --- life */

static int open_pool(struct connector *connector)
{
	const struct peer_pool *from = &connector->target->pool;
	const struct pool_options options = {
		.max = from->max,
		.min_idle = from->min_idle ? from->min_idle : PEER_POOL_MIN_IDLE,
		.queue = from->queue ? from->queue : PEER_POOL_QUEUE,
		.acquire_ns = (from->acquire_ms ? from->acquire_ms : PEER_POOL_ACQUIRE_MS) * MS_NS,
		.idle_ns = (from->idle_s ? from->idle_s : PEER_POOL_IDLE_S) * SECOND_NS,
		.life_ns = (from->life_s ? from->life_s : PEER_POOL_LIFE_S) * SECOND_NS,
		.fifo = from->order == PEER_POOL_FIFO,
		.random = on_random,
	};

	/* those that the pool has refused wait for a stream of the path */
	connector->waiting_max = options.queue;
	return from->max ? node_pool_open(&connector->node, &options) : 0;
}

static void close_waiters(struct connector *connector)
{
	struct waiter *waiter;

	while ((waiter = STAILQ_FIRST(&connector->waiters))) {
		close(waiter->fd);
		forget(connector, waiter);
	}
}

static void on_stop(void *arg)
{
	loop_stop(((struct connector *)arg)->node.runtime.loop);
}

static int start(struct connector *connector)
{
	struct node *node = &connector->node;
	int result = loop_signal(node->runtime.loop, SIGTERM, on_stop, connector);

	if (!result)
		result = loop_signal(node->runtime.loop, SIGINT, on_stop, connector);
	if (!result && connector->target->until_eof)
		result = parent_watch(&connector->parent);
	connector->retry = loop_timer(node->runtime.loop, false, connect_now, connector);
	connector->tcp = (struct listener_tcp){ .loop = node->runtime.loop,
						.take = on_connection,
						.flush = on_flush,
						.arg = connector,
						.fd = connector->listen_fd,
						.held = -1 };
	if (!connector->retry)
		result = -ENOMEM;
	if (!result && connector->target->listen.kind == SERVICE_TCP)
		result = listener_tcp_init(&connector->tcp);
	if (!result)
		result = open_pool(connector);
	if (!result)
		connect_now(connector);
	return result;
}

int peer_connect(const struct peer_identity *identity, const struct peer_target *target,
		 bool verbose, struct err *err)
{
	struct connector connector = {
		.node = { .identity = identity,
			  .runtime = { .ready = on_ready,
				       .path_changed = on_path_changed,
				       .answered = on_answered,
				       .ended = on_ended,
				       .permitted = on_permitted },
			  .hooks = { .registered = on_registered,
				     .refused = on_refused,
				     .over = on_over,
				     .connect_failed = on_connect_failed,
				     .granted = on_granted } },
		.report = { .view = { .node = &connector.node, .target = target } },
		.parent = { .view = &connector.report.view, .stop = on_stop, .arg = &connector },
		.target = target,
		.retry_us = RETRY_FIRST_US,
		.listen_fd = -1,
		.err = err,
	};
	int result = 0;

	connector.node.runtime.arg = &connector;
	STAILQ_INIT(&connector.waiters);
	signal(SIGPIPE, SIG_IGN);
	log_logfmt(verbose ? LOG_LEVEL_DEBUG : target->stdio ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO);
	if (target->listen.kind) {
		connector.listen_fd = listener_open(&target->listen, err);
		if (connector.listen_fd < 0)
			result = connector.listen_fd;
	}
	if (!result)
		result = node_open(&connector.node, err);
	if (!result)
		result = report_open(&connector.report, err);
	if (!result && identity->user)
		result = privileges_drop(identity->user, err);
	if (!result) {
		result = start(&connector);
		if (!result)
			result = loop_run(connector.node.runtime.loop);
		if (result)
			err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result));
		else
			result = connector.result;
		listener_tcp_close(&connector.tcp);
	}
	if (result && target->until_eof)
		parent_report(err->what);
	report_close(&connector.report);
	/* the hooks would report connections that are closed here */
	connector.node.runtime.answered = NULL;
	connector.node.runtime.ended = NULL;
	connector.node.runtime.permitted = NULL;
	node_close(&connector.node);
	close_waiters(&connector);
	if (connector.listen_fd >= 0)
		close(connector.listen_fd);
	return result;
}
