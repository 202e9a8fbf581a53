// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/rendezvous/status_socket.h"

#include "base/addr.h"
#include "base/clock.h"
#include "base/local_socket.h"
#include "cli/counters.h"
#include "cli/json_list.h"
#include "meet/rendezvous/session.h"
#include "meet/rendezvous/xdp.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define SECOND_NS 1000000000ULL
#define WRITE_S	  10 /* for a client to read everything */

static const struct counter counters[] = { RENDEZVOUS_COUNTERS(COUNTER) };
static const struct counter xdp_counters[] = { SLUICE_MEET_COUNTERS(COUNTER) };

/* --- the document */

static json_t *endpoint_json(const struct stun_endpoint *endpoint)
{
	char text[ADDR_TEXT_MAX];

	return json_string(addr_format_port(&endpoint->addr, endpoint->port_be, text));
}

static json_t *listeners_json(const struct server_config *config)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < config->listeners; i++) {
		const struct listener *listener = &config->listener[i];

		json_array_append_new(list, json_pack("{s:o, s:o}", "listen",
						      endpoint_json(&listener->at), "alternate",
						      listener->has_alternate
							      ? endpoint_json(&listener->alternate)
							      : json_null()));
	}
	return list;
}

/* Sums of this process and XDP. */
static json_t *amplification_json(const uint64_t *counter, const __u64 *xdp)
{
	uint64_t in = counter[COUNT_stranger_in_bytes] + xdp[SLUICE_MEET_in_bytes];
	uint64_t out = counter[COUNT_stranger_out_bytes] + xdp[SLUICE_MEET_out_bytes];

	return in ? json_real((double)out / (double)in) : json_null();
}

static json_t *xdp_json(const struct meet_xdp *xdp, const __u64 *value)
{
	json_t *list = json_array();
	const struct meet_xdp_iface *iface;
	unsigned int i, count;

	if (!xdp)
		return json_null();
	iface = meet_xdp_ifaces(xdp, &count);
	for (i = 0; i < count; i++)
		json_array_append_new(list,
				      json_pack("{s:s, s:s, s:s?}", "interface", iface[i].name,
						"mode", iface[i].native ? "native" : "generic",
						"reason", *iface[i].why ? iface[i].why : NULL));
	return json_pack("{s:o, s:o}", "interfaces", list, "counters",
			 counters_json(xdp_counters, value, SLUICE_MEET_COUNTERS_MAX));
}

static json_t *limits_json(const struct status *status, uint64_t now_ns)
{
	const struct rendezvous_options *options = status->options;
	const struct store *store = server_store(status->server);

	return json_pack(
		"{s:{s:I, s:I, s:I}, s:{s:I, s:I}, s:{s:I, s:I, s:I, s:I}, s:{s:I, s:I, s:I},"
		" s:{s:I, s:I}}",
		"registrations", "count", (json_int_t)store_count(store), "limit",
		(json_int_t)options->max_peers, "bytes", (json_int_t)store_bytes(store), "sessions",
		"count", (json_int_t)server_sessions(status->server), "limit",
		(json_int_t)SESSIONS_MAX, "relays", "count",
		(json_int_t)server_relays(status->server), "limit", (json_int_t)options->max_relays,
		"peer_rate_kb", (json_int_t)options->relay_peer_rate, "rate_kb",
		(json_int_t)options->relay_rate, "connections", "count",
		(json_int_t)tcp_connections(status->tcp), "limit",
		(json_int_t)tcp_limit(status->tcp), "refused", (json_int_t)tcp_refused(status->tcp),
		"budgets", "rate", (json_int_t)options->rate, "spent",
		(json_int_t)server_budgets_spent(status->server, now_ns));
}

static json_t *registration_json(const struct status *status,
				 const struct registration *registration, uint64_t now_ns)
{
	json_t *candidates = json_array();
	int i;

	for (i = 0; i < registration->candidates; i++) {
		const struct candidate *candidate = &registration->candidate[i];

		json_array_append_new(
			candidates, json_pack("{s:s, s:s, s:o}", "kind",
					      candidate_kinds[candidate->kind], "transport",
					      candidate->transport == CANDIDATE_TCP ? "tcp" : "udp",
					      "address", endpoint_json(&candidate->at)));
	}
	return json_pack("{s:s, s:o, s:s, s:b, s:f, s:f, s:i, s:i, s:o}", "name",
			 registration->peer->name, "address",
			 endpoint_json(&registration->path.client), "transport",
			 registration->path.stream ? "tcp" : "udp", "behind_nat",
			 registration->behind_nat, "registered_for_s",
			 (double)(now_ns - registration->since_ns) / SECOND_NS, "seen_for_s",
			 (double)server_idle_ns(status->server, registration, now_ns) / SECOND_NS,
			 "rtt_ms", (int)registration->rtt_ms, "relays",
			 (int)registration->peer->relays, "candidates", candidates);
}

static void print(const struct status *status, FILE *file)
{
	const struct output output = { .file = file, .json = true };
	const uint64_t now_ns = clock_now_us() * 1000, *values = server_counters(status->server);
	const struct registration *registration = store_first(server_store(status->server));
	json_t *document = output_document(), *limits = limits_json(status, now_ns);
	__u64 value[RENDEZVOUS_COUNTERS_MAX], xdp[SLUICE_MEET_COUNTERS_MAX] = { 0 };
	struct json_list list;
	int i;

	for (i = 0; i < RENDEZVOUS_COUNTERS_MAX; i++)
		value[i] = values[i];
	if (status->xdp)
		meet_xdp_counters(status->xdp, xdp);
	json_object_update_new(
		document,
		json_pack("{s:s, s:s, s:i, s:f, s:b, s:o, s:o, s:s, s:I, s:o, s:o, s:o, s:o}",
			  "name", status->options->name, "version", SLUICE_VERSION, "pid",
			  (int)getppid(), "running_for_s",
			  (double)(now_ns - status->started_ns) / SECOND_NS, "ready",
			  !status->draining, "addresses", listeners_json(status->config),
			  "reload_refused",
			  *status->refused ? output_name(status->refused) : json_null(),
			  "public_key", status->public_key, "peers",
			  (json_int_t)server_peers(status->server)->count, "peers_file",
			  status->options->peers_file ? output_name(status->options->peers_file)
						      : json_null(),
			  "amplification", amplification_json(values, xdp), "xdp",
			  xdp_json(status->xdp, xdp), "counters",
			  counters_json(counters, value, RENDEZVOUS_COUNTERS_MAX)));
	json_object_update_new(document, limits);
	json_list_begin(&list, &output, document, "registered");
	/* a client that wants no list has closed its end */
	for (; registration && !ferror(file); registration = registration->hh.next)
		json_list_add(&list, registration_json(status, registration, now_ns));
	json_list_end(&list);
}

/* --- the socket */

/* Runs in the child. */
static void write_answer(const struct status *status, int fd)
{
	FILE *file;

	/* kills this child if the client does not read */
	alarm(WRITE_S);
	/* otherwise a new server would find the addresses in use */
	if (dup2(fd, STDERR_FILENO + 1) < 0 || close_range(STDERR_FILENO + 2, ~0U, 0))
		_exit(1);
	fcntl(STDERR_FILENO + 1, F_SETFL, 0);
	file = fdopen(STDERR_FILENO + 1, "w");
	if (file)
		print(status, file);
	_exit(!file || fclose(file));
}

static void on_client(void *arg)
{
	struct status *status = arg;
	int fd = local_socket_accept(status->fd, status->owner);

	if (fd < 0)
		return;
	/* the child needs no wait; SIGCHLD is ignored */
	if (!fork())
		write_answer(status, fd);
	close(fd);
}

void status_address(const char *name, struct sockaddr_un *address)
{
	*address = (struct sockaddr_un){ .sun_family = AF_UNIX };
	snprintf(address->sun_path, sizeof(address->sun_path), LOCAL_SOCKET_DIR "/%s.sock", name);
}

int status_open(struct status *status, struct err *err)
{
	status_address(status->options->name, &status->address);
	status->owner = geteuid();
	if (local_socket_is_served(&status->address))
		return err_hint(err,
				err_set(err, EXIT_CONFLICT, EADDRINUSE,
					"%s: another rendezvous server has the name '%s'",
					status->address.sun_path, status->options->name),
				"stop it, or give this one another --name");
	status->fd = local_socket_listen(&status->address, err);
	return status->fd < 0 ? status->fd : 0;
}

int status_start(struct status *status, struct loop *loop)
{
	status->loop = loop;
	return loop_read(loop, status->fd, on_client, status);
}

void status_close(struct status *status)
{
	if (status->fd < 0)
		return;
	if (status->loop)
		loop_remove(status->loop, status->fd);
	close(status->fd);
	status->fd = -1;
	/* fails after the privileges have been dropped: the next server of this name replaces it */
	unlink(status->address.sun_path);
}
