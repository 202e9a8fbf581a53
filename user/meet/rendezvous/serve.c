// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The server process. It opens its sockets and reads its key as the user who started it, and then
 * drops its privileges. It reads the peers file afterwards, as the user of all later reloads.
 */
#include "base/addr.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "base/sd_notify.h"
#include "meet/privileges.h"
#include "meet/rendezvous/metrics.h"
#include "meet/rendezvous/status_socket.h"
#include "meet/rendezvous/xdp.h"

#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

/* Descriptors besides the connections. */
#define FILES_SPARE 128
#define KILOBYTE    1000ULL

struct serve {
	const struct rendezvous_options *options;
	struct server_config config;
	struct endpoints endpoints;
	struct status status;
	struct rendezvous_metrics metrics;
	struct loop *loop;
	struct loop_timer *timer;
	uint64_t armed_ns; /* expiry of the timer; UINT64_MAX: not armed */
	struct server *server;
	struct udp *udp;
	struct tcp *tcp;
	struct meet_xdp *xdp; /* NULL: none */
	char refused[768];
};

static int loop_failed(int result, struct err *err)
{
	return err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result));
}

static uint64_t now_ns(void *arg)
{
	return clock_now_us() * 1000;
}

static void on_send(const struct path *path, const void *message, size_t length, void *arg)
{
	struct serve *serve = arg;

	if (path->stream)
		tcp_send(serve->tcp, path, message, length);
	else
		udp_send(serve->udp, path, message, length);
}

/* --- time */

/* Arms the timer for the next deadline, after each wake-up. */
static void arm(void *arg)
{
	struct serve *serve = arg;
	uint64_t at_ns = UINT64_MAX, other_ns, now;

	if (server_next(serve->server, &other_ns))
		at_ns = other_ns;
	if (tcp_next(serve->tcp, &other_ns) && other_ns < at_ns)
		at_ns = other_ns;
	/* a timer that expires too early arms itself again */
	if (at_ns >= serve->armed_ns)
		return;
	now = now_ns(NULL);
	serve->armed_ns = at_ns;
	loop_timer_start(serve->timer, at_ns > now ? (at_ns - now) / 1000 + 1 : 0);
}

static void on_timer(void *arg)
{
	struct serve *serve = arg;

	serve->armed_ns = UINT64_MAX;
	tcp_expire(serve->tcp, now_ns(NULL));
	server_expire(serve->server, now_ns(NULL));
	arm(serve);
}

/* --- signals */

static void notify(const struct serve *serve, const char *state)
{
	int result = sd_notify("%sSTATUS=%s, %zu peers in the file\n", state,
			       serve->status.draining ? "draining" : "serving",
			       server_peers(serve->server)->count);

	if (result < 0)
		log_warning("service manager: %s", strerror(-result));
}

static void on_reload(void *arg)
{
	struct serve *serve = arg;
	struct peers peers = { NULL };
	struct err err = { 0 };
	struct log_line line;
	size_t removed;

	sd_notify("RELOADING=1\nMONOTONIC_USEC=%llu\n", clock_now_us());
	serve->refused[0] = '\0';
	if (serve->options->peers_file && peers_load(serve->options->peers_file, &peers, &err)) {
		log_err(&err);
		log_warning("reload refused: the previous peers stay");
		snprintf(serve->refused, sizeof(serve->refused), "%s", err.what);
	} else {
		removed = server_set_peers(serve->server, &peers);
		log_begin(&line, LOG_LEVEL_INFO, "reloaded");
		log_field(&line, "peers", "%zu", server_peers(serve->server)->count);
		log_field(&line, "registrations_ended", "%zu", removed);
		log_end(&line);
	}
	notify(serve, "READY=1\n");
}

static void on_stop(void *arg)
{
	struct serve *serve = arg;

	sd_notify("STOPPING=1\nSTATUS=stopping\n");
	log_info("stopping");
	loop_stop(serve->loop);
}

/* A line acts as SIGHUP, end of file as SIGTERM. */
static void on_input(void *arg)
{
	struct serve *serve = arg;
	char ignored[64];
	ssize_t got = read(STDIN_FILENO, ignored, sizeof(ignored));

	if (got > 0)
		on_reload(serve);
	if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	loop_remove(serve->loop, STDIN_FILENO);
	on_stop(serve);
}

/* Reports to the daemon, whose end of the standard input is a socket; it reads a line. */
static void report(const struct serve *serve, const char *text)
{
	if (serve->options->until_eof)
		send(STDIN_FILENO, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

/*
 * Reports whether the server is ready, as /readyz has it, each time: without reports, the server
 * hangs.
 */
static void on_checked(void *arg)
{
	struct serve *serve = arg;
	const struct self_check *check = serve->metrics.check;
	char why[256] = "\n";

	if (serve->status.draining)
		report(serve, "draining");
	else if (!self_check_is_early(check)) {
		self_check_passes(check, why, sizeof(why));
		report(serve, why);
	}
}

static void on_drain(void *arg)
{
	struct serve *serve = arg;

	if (serve->status.draining) {
		on_stop(serve);
		return;
	}
	serve->status.draining = true;
	on_checked(serve);
	log_info("draining: not ready, answers until it is stopped");
	notify(serve, "");
}

static void on_watchdog(void *arg)
{
	sd_notify("WATCHDOG=1\n");
}

/* --- the start */

static int setup_loop(struct serve *serve, struct err *err)
{
	uint64_t watchdog_us = sd_notify_watchdog_us();
	struct loop_timer *watchdog;
	int result = loop_new(&serve->loop);

	/* the process that reads stderr may exit first */
	signal(SIGPIPE, SIG_IGN);
	/* the kernel reaps the children that write the status */
	signal(SIGCHLD, SIG_IGN);
	if (!result)
		result = loop_signal(serve->loop, SIGTERM, on_stop, serve);
	if (!result)
		result = loop_signal(serve->loop, SIGINT, on_stop, serve);
	if (!result)
		result = loop_signal(serve->loop, SIGHUP, on_reload, serve);
	if (!result)
		result = loop_signal(serve->loop, SIGUSR1, on_drain, serve);
	if (!result && serve->options->until_eof)
		result = loop_read(serve->loop, STDIN_FILENO, on_input, serve);
	if (!result && watchdog_us) {
		watchdog = loop_timer(serve->loop, true, on_watchdog, serve);
		result = watchdog ? loop_timer_start(watchdog, watchdog_us / 2) : -ENOMEM;
	}
	if (!result)
		serve->timer = loop_timer(serve->loop, false, on_timer, serve);
	if (!result && !serve->timer)
		result = -ENOMEM;
	return result ? loop_failed(result, err) : 0;
}

/* Returns the number of connections that the process limits allow. */
static uint32_t connections_max(const struct rendezvous_options *options)
{
	struct rlimit files = { .rlim_cur = 1024 };
	uint64_t allowed;

	files_raise_limit();
	getrlimit(RLIMIT_NOFILE, &files);
	allowed = files.rlim_cur > FILES_SPARE ? files.rlim_cur - FILES_SPARE : 1;
	if (options->max_connections <= allowed)
		return options->max_connections;
	log_warning("--max-connections is %u, and the limit of open files allows %llu",
		    options->max_connections, (unsigned long long)allowed);
	return (uint32_t)allowed;
}

/* Does what needs the privileges of the caller. */
static int start_privileged(struct serve *serve, struct err *err)
{
	const struct rendezvous_options *options = serve->options;
	int result = rendezvous_listeners(options, &serve->config, err);

	if (result)
		return result;
	if (options->key_file)
		result = key_load(options->key_file, serve->config.secret, err);
	else if ((result = key_generate(serve->config.secret)))
		err_set(err, EXIT_ERROR, -result, "no random numbers: %s", strerror(-result));
	if (!result)
		result = endpoints_open(&serve->endpoints, &serve->config, err);
	if (!result)
		result = status_open(&serve->status, err);
	if (!result)
		result = rendezvous_metrics_open(&serve->metrics, serve->loop, &serve->status, err);
	if (!result)
		result = meet_xdp_start(&serve->xdp, options, &serve->config, &serve->endpoints,
					serve->loop, err);
	return result;
}

static int start(struct serve *serve, struct err *err)
{
	const struct rendezvous_options *options = serve->options;
	const struct transport_hooks hooks = { now_ns, arm, serve };
	struct tcp_limits limits = { .prefix = options->max_prefix };
	struct peers peers = { NULL };
	uint8_t key[KEY_SIZE];
	int result = setup_loop(serve, err);

	if (!result)
		result = start_privileged(serve, err);
	if (result)
		return result;
	limits.total = connections_max(options);
	result = privileges_drop(options->user, err);
	if (!result && options->peers_file)
		result = peers_load(options->peers_file, &peers, err);
	if (!result)
		result = server_new(&serve->server, &serve->config, &peers, on_send, serve,
				    now_ns(NULL), err);
	peers_free(&peers);
	if (result)
		return result;
	result = udp_start(&serve->udp, serve->loop, &serve->endpoints, serve->server, &hooks);
	if (!result)
		result = tcp_start(&serve->tcp, serve->loop, &serve->endpoints, serve->server,
				   &limits, &hooks);
	if (!result)
		result = status_start(&serve->status, serve->loop);
	if (result)
		return loop_failed(result, err);
	key_public(key, serve->config.secret);
	key_format(key, serve->status.public_key);
	serve->status.server = serve->server;
	serve->status.tcp = serve->tcp;
	serve->status.xdp = serve->xdp;
	serve->status.started_ns = now_ns(NULL);
	if (serve->xdp)
		meet_xdp_renew(serve->xdp);
	return rendezvous_metrics_start(&serve->metrics, serve->loop, &serve->endpoints, on_checked,
					serve, err);
}

static void log_started(const struct serve *serve)
{
	char addresses[LISTENERS_MAX * SOCKET_ROLES * (ADDR_TEXT_MAX + 1)] = "";
	struct log_line line;
	unsigned int i;
	size_t used = 0;

	for (i = 0; i < serve->endpoints.count; i++) {
		const struct stun_endpoint *at = &serve->endpoints.endpoint[i].at;
		char text[ADDR_TEXT_MAX];

		used += (size_t)snprintf(addresses + used, sizeof(addresses) - used, "%s%s",
					 i ? "," : "",
					 addr_format_port(&at->addr, at->port_be, text));
	}

	log_begin(&line, LOG_LEVEL_INFO, "started");
	log_field(&line, "version", "%s", SLUICE_VERSION);
	log_field(&line, "name", "%s", serve->options->name);
	log_field(&line, "addresses", "%s", addresses);
	log_field(&line, "peers", "%zu", server_peers(serve->server)->count);
	log_field(&line, "public_key", "%s", serve->status.public_key);
	log_end(&line);
}

int rendezvous_serve(const struct rendezvous_options *options, bool verbose, struct err *err)
{
	struct serve serve = {
		.options = options,
		.armed_ns = UINT64_MAX,
		.config = { .limits = { .total = options->max_peers,
					.prefix = options->max_prefix },
			    .rate = options->rate,
			    .relay = { .pairs = options->max_relays,
				       .peer_rate = options->relay_peer_rate * KILOBYTE,
				       .rate = options->relay_rate * KILOBYTE },
			    .port_min = options->port_min },
		.status = { .options = options,
			    .config = &serve.config,
			    .refused = serve.refused,
			    .fd = -1 },
	};
	int result;

	/* the daemon runs /proc/self/exe, so the process would be named "exe" */
	prctl(PR_SET_NAME, "sluice");
	log_logfmt(verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO);
	result = start(&serve, err);
	if (!result) {
		meet_xdp_log(serve.xdp);
		log_started(&serve);
		notify(&serve, "READY=1\n");
		arm(&serve);
		result = loop_run(serve.loop);
		if (result)
			loop_failed(result, err);
	}
	if (result)
		report(&serve, err->what);
	rendezvous_metrics_close(&serve.metrics);
	tcp_free(serve.tcp);
	udp_free(serve.udp);
	server_free(serve.server);
	meet_xdp_close(serve.xdp);
	status_close(&serve.status);
	endpoints_close(&serve.endpoints);
	loop_free(serve.loop);
	explicit_bzero(&serve.config, sizeof(serve.config));
	return result;
}
