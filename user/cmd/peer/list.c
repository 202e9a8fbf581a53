// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice peer list: the paths of the peers of this host. */
#include "base/clock.h"
#include "base/local_socket.h"
#include "base/text.h"
#include "cmd/answer.h"
#include "cmd/command.h"
#include "meet/peer/options.h"
#include "meet/peer/status_socket.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/* The timeout for all sockets of one user. Each socket gets half of the remaining time. */
#define WAIT_US	    20000000
#define WAIT_MIN_US 10000
#define ANSWER_MAX  (16 << 20)

static struct peer_list_options options;

/* --- the processes */

/* The remaining time of the current user, so that silent sockets cannot block the command. */
struct patience {
	uid_t uid;
	uint64_t left_us;
};

static void ask_patiently(struct patience *patience, const struct sockaddr_un *address, uid_t uid,
			  struct local_answer *answer)
{
	uint64_t began_us = clock_now_us(), took_us, wait_us;

	if (uid != patience->uid)
		*patience = (struct patience){ uid, WAIT_US };
	wait_us = patience->left_us / 2 > WAIT_MIN_US ? patience->left_us / 2 : WAIT_MIN_US;
	local_socket_ask_owner(address, (__useconds_t)wait_us, ANSWER_MAX, uid, answer);
	took_us = clock_now_us() - began_us;
	patience->left_us -= took_us < patience->left_us ? took_us : patience->left_us;
}

/* Adds the answer of the process at this socket to @peers, or why there is none to @unreadable. */
static void ask(struct patience *patience, const char *path, json_t *peers, json_t *unreadable)
{
	struct sockaddr_un address = { .sun_family = AF_UNIX };
	struct local_answer answer;
	struct stat st;

	if (strlen(path) >= sizeof(address.sun_path) || lstat(path, &st) || !S_ISSOCK(st.st_mode))
		return;
	strcpy(address.sun_path, path);
	ask_patiently(patience, &address, st.st_uid, &answer);
	/* it has ended, or ends */
	if (answer.error == ENOENT || answer.error == ECONNREFUSED)
		return;
	if (!answer.document) {
		json_array_append_new(unreadable,
				      json_pack("{s:o, s:o}", "socket", output_name(path), "reason",
						output_name(answer.reason)));
		return;
	}
	json_object_del(answer.document, "schema_version");
	/* one user could pose as a peer of another one */
	json_object_set_new(answer.document, "uid", json_integer(st.st_uid));
	json_array_append_new(peers, answer.document);
}

/* --- text */

/* Formats a number of milliseconds, "-" if there is none. */
static const char *ms_of(const json_t *object, const char *key, char text[24])
{
	if (json_is_number(json_object_get(object, key)))
		snprintf(text, 24, "%.1fms", answer_number(object, key));
	else
		strcpy(text, "-");
	return text;
}

static void print_process(const struct output *output, const json_t *process)
{
	const json_t *servers = json_object_get(process, "servers");
	const json_t *services = json_object_get(process, "services");
	char id[80], text[80], address[96], public[96], age[24], rtt[24];
	size_t i;

	fprintf(output->file, "peer %s: process %.0f, started %s ago",
		answer_string(process, "id", id, sizeof(id)), answer_number(process, "pid"),
		answer_age(process, "running_for_s", age));
	if (json_is_string(json_object_get(process, "to")))
		fprintf(output->file, ", connects to %s",
			answer_string(process, "to", text, sizeof(text)));
	fprintf(output->file, "\n");
	for (i = 0; i < json_array_size(services); i++) {
		const json_t *service = json_array_get(services, i);

		fprintf(output->file, "  exposes %s %s", //
			answer_string(service, "protocol", text, sizeof(text)),
			answer_string(service, "address", address, sizeof(address)));
		answer_string(service, "name", text, sizeof(text));
		fprintf(output->file, "%s%s\n", *text ? " as " : "", text);
	}
	for (i = 0; i < json_array_size(servers); i++) {
		const json_t *server = json_array_get(servers, i);
		bool registered = answer_is_true(server, "registered");

		fprintf(output->file,
			"  server %s (%s) by %s: ", answer_string(server, "server", id, sizeof(id)),
			answer_string(server, "address", address, sizeof(address)),
			answer_string(server, "transport", text, sizeof(text)));
		if (registered)
			fprintf(output->file, "seen as %s, %s NAT, round trip %s\n",
				answer_string(server, "public", public, sizeof(public)),
				answer_is_true(server, "behind_nat") ? "behind a" : "no",
				ms_of(server, "rtt_ms", rtt));
		else
			fprintf(output->file, "%snot registered%s\n",
				output_tone(output, OUTPUT_WARNING), output_plain(output));
	}
	if (json_is_string(json_object_get(process, "mapped")))
		fprintf(output->file, "  the gateway forwards %s\n",
			answer_string(process, "mapped", address, sizeof(address)));
}

static void print_paths(const struct output *output, const json_t *paths)
{
	struct table *table = table_new("peer|path|by|local|remote|>rtt|>MTU|>consent|>in|>out|"
					"trust");
	size_t i;

	for (i = 0; i < json_array_size(paths); i++) {
		const json_t *path = json_array_get(paths, i);
		char peer[80], kind[32], by[8], local[96], remote[96], rtt[24], mtu[24] = "-";
		char consent[24], in[24], out[24], trust[16];

		if (!json_is_string(json_object_get(path, "kind")))
			answer_string(path, "state", kind, sizeof(kind));
		else
			answer_string(path, "kind", kind, sizeof(kind));
		if (json_is_number(json_object_get(path, "mtu")))
			snprintf(mtu, sizeof(mtu), "%.0f", answer_number(path, "mtu"));
		answer_string(path, "trust", trust, sizeof(trust));
		table_row(table, "%s|%s|%s|%s|%s|%s|%s|%s|%s|%s|%s",
			  answer_string(path, "peer", peer, sizeof(peer)), kind,
			  answer_string(path, "transport", by, sizeof(by)),
			  answer_string(path, "local", local, sizeof(local)),
			  answer_string(path, "remote", remote, sizeof(remote)),
			  ms_of(path, "rtt_ms", rtt), mtu,
			  answer_age(path, "consent_for_s", consent),
			  bytes_format((__u64)answer_number(path, "bytes_in"), in),
			  bytes_format((__u64)answer_number(path, "bytes_out"), out),
			  strcmp(trust, "server") != 0 ? trust : "server's word");
	}
	table_print(table, output, 2);
}

static void print_keepalives(const struct output *output, const json_t *paths)
{
	struct table *table = table_new("peer|own NAT|its NAT|>keepalive|source|>sent|>saved|"
					">re-punched|>moved");
	size_t i;

	for (i = 0; i < json_array_size(paths); i++) {
		const json_t *path = json_array_get(paths, i);
		const json_t *keepalive = json_object_get(path, "keepalive");
		char peer[80], own[32], its[32], interval[24], source[16];

		table_row(table, "%s|%s|%s|%s|%s|%.0f|%.0f|%.0f|%.0f",
			  answer_string(path, "peer", peer, sizeof(peer)),
			  answer_string(path, "own_nat", own, sizeof(own)),
			  answer_string(path, "peer_nat", its, sizeof(its)),
			  answer_age(keepalive, "interval_s", interval),
			  answer_string(keepalive, "source", source, sizeof(source)),
			  answer_number(keepalive, "sent"), answer_number(keepalive, "saved"),
			  answer_number(path, "repunches"), answer_number(path, "path_changes"));
	}
	table_print(table, output, 2);
}

static void print_pool(const struct output *output, const json_t *pool)
{
	fprintf(output->file,
		"  pool%s: %.0f lent, %.0f idle, %.0f connecting, %.0f programs waiting;"
		" %.0f given, %.0f refused, %.0f lost, %.0f failed\n",
		answer_is_true(pool, "in_use") ? "" : " (unused, no TCP path)",
		answer_number(pool, "lent"),
		answer_number(pool, "idle") + answer_number(pool, "testing"),
		answer_number(pool, "connecting"), answer_number(pool, "waiting"),
		answer_number(pool, "given"), answer_number(pool, "refused"),
		answer_number(pool, "lost") + answer_number(pool, "tests_failed"),
		answer_number(pool, "failed"));
}

/* Prints how many connections of their pools other peers have. */
static void print_members(const struct output *output, const json_t *paths)
{
	char peer[80];
	size_t i;

	for (i = 0; i < json_array_size(paths); i++) {
		const json_t *path = json_array_get(paths, i);

		if (answer_number(path, "members") > 0)
			fprintf(output->file, "  pool of %s: %.0f connections\n",
				answer_string(path, "peer", peer, sizeof(peer)),
				answer_number(path, "members"));
	}
}

/* Adds the addresses that failed. */
static void add_failed(struct table *table, const json_t *path)
{
	const json_t *candidates = json_object_get(path, "candidates");
	size_t i;

	for (i = 0; i < json_array_size(candidates); i++) {
		const json_t *candidate = json_array_get(candidates, i);
		char peer[80], kind[32], by[8], address[96], reason[32];

		if (!json_is_string(json_object_get(candidate, "reason")))
			continue;
		table_row(table, "%s|%s|%s|%s|%s|%.0f|%.0f",
			  answer_string(path, "peer", peer, sizeof(peer)),
			  answer_string(candidate, "kind", kind, sizeof(kind)),
			  answer_string(candidate, "transport", by, sizeof(by)),
			  answer_string(candidate, "address", address, sizeof(address)),
			  answer_string(candidate, "reason", reason, sizeof(reason)),
			  answer_number(candidate, "checks"), answer_number(candidate, "answers"));
	}
}

/* Prints a line for each entry that has this key. */
static void print_reasons(const struct output *output, const json_t *list, const char *key,
			  const char *what)
{
	char peer[80], reason[256];
	size_t i;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *entry = json_array_get(list, i);

		if (json_is_string(json_object_get(entry, key)))
			fprintf(output->file, "  %s: %s%s\n",
				answer_string(entry, "peer", peer, sizeof(peer)), what,
				answer_string(entry, key, reason, sizeof(reason)));
	}
}

static void print_text(const struct output *output, const json_t *process)
{
	const json_t *paths = json_object_get(process, "paths");
	const json_t *ended = json_object_get(process, "ended");
	struct table *failed =
		table_new("peer|failed candidate|by|address|reason|>checks|>answers");
	size_t i;

	print_process(output, process);
	print_paths(output, paths);
	print_keepalives(output, paths);
	if (json_is_object(json_object_get(process, "pool")))
		print_pool(output, json_object_get(process, "pool"));
	else
		print_members(output, paths);
	print_reasons(output, paths, "relayed_because", "relayed, since ");
	print_reasons(output, ended, "end", "ended: ");
	for (i = 0; i < json_array_size(paths); i++)
		add_failed(failed, json_array_get(paths, i));
	for (i = 0; i < json_array_size(ended); i++)
		add_failed(failed, json_array_get(ended, i));
	table_print(failed, output, 2);
}

static void print_all(const struct output *output, const json_t *peers, const json_t *unreadable)
{
	char socket[256], reason[256];
	size_t i;

	for (i = 0; i < json_array_size(peers); i++)
		print_text(output, json_array_get(peers, i));
	for (i = 0; i < json_array_size(unreadable); i++) {
		const json_t *entry = json_array_get(unreadable, i);

		fprintf(output->file, "%s%s: %s%s\n", output_tone(output, OUTPUT_WARNING),
			answer_string(entry, "socket", socket, sizeof(socket)),
			answer_string(entry, "reason", reason, sizeof(reason)),
			output_plain(output));
	}
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct peer_list_options *given = into;
	json_t *peers = json_array(), *unreadable = json_array(), *document;
	struct patience patience = { .uid = (uid_t)-1 };
	int result;
	glob_t found;
	size_t i;

	result = peer_status_find(given->id, &found);
	for (i = 0; i < found.gl_pathc; i++)
		ask(&patience, found.gl_pathv[i], peers, unreadable);
	globfree(&found);
	if (result) {
		err_set(err, EXIT_ERROR, -result, "status sockets: %s", strerror(-result));
	} else if (given->id && !json_array_size(peers) && !json_array_size(unreadable)) {
		result = err_hint(err,
				  err_set(err, EXIT_ERROR, ENOENT,
					  "no peer with the name '%s' runs here", given->id),
				  "'sluice peer list' shows all; those of other users are visible"
				  " to root only");
	} else if (context->output.json) {
		document = output_document();
		json_object_set(document, "peers", peers);
		json_object_set(document, "unreadable", unreadable);
		output_json(&context->output, document);
	} else {
		print_all(&context->output, peers, unreadable);
	}
	json_decref(peers);
	json_decref(unreadable);
	return result;
}

const struct command peer_list_command = {
	.object = "peer",
	.name = "list",
	.summary = "show the paths of the peers that run here",
	.tables = { { peer_list_opts, &options } },
	.options = &options,
	.run = run,
	.help = "Shows each path with its kind, addresses, keepalives and traffic, why it is relayed,\n"
		"and the addresses of the other peer that failed.  Root sees the peers of all users.\n",
};
