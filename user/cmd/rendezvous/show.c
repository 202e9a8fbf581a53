// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice rendezvous show: prints the status of a server on this host. */
#include "base/local_socket.h"
#include "base/text.h"
#include "cli/counters.h"
#include "cmd/answer.h"
#include "cmd/command.h"
#include "meet/rendezvous/status_socket.h"

#include <errno.h>
#include <sluice/meet.h>
#include <string.h>

#define WAIT_US	   10000000
#define ANSWER_MAX (1ULL << 30)

static struct rendezvous_options options;

static const struct counter counters[] = { RENDEZVOUS_COUNTERS(COUNTER) };
static const struct counter xdp_counters[] = { SLUICE_MEET_COUNTERS(COUNTER) };

/* Formats a rate in kilobytes per second. */
static const char *rate_of(const json_t *relays, const char *key, char text[32])
{
	double rate = answer_number(relays, key);

	if (rate > 0)
		snprintf(text, 32, "%.0f kB/s", rate);
	else
		strcpy(text, "no limit");
	return text;
}

static void print_summary(const struct output *output, const json_t *document)
{
	const json_t *registrations = json_object_get(document, "registrations");
	const json_t *sessions = json_object_get(document, "sessions");
	const json_t *relays = json_object_get(document, "relays");
	const json_t *connections = json_object_get(document, "connections");
	const json_t *budgets = json_object_get(document, "budgets");
	const json_t *addresses = json_object_get(document, "addresses");
	const json_t *amplification = json_object_get(document, "amplification");
	bool ready = answer_is_true(document, "ready");
	char name[64], age[24], key[64], bytes[24], refused[1024], peer_rate[32], rate[32];
	size_t i;

	fprintf(output->file, "rendezvous: %s, process %.0f, started %s ago, %s%s%s\n",
		answer_string(document, "name", name, sizeof(name)), answer_number(document, "pid"),
		answer_age(document, "running_for_s", age),
		output_tone(output, ready ? OUTPUT_GOOD : OUTPUT_WARNING),
		ready ? "ready" : "draining", output_plain(output));
	for (i = 0; i < json_array_size(addresses); i++) {
		const json_t *pair = json_array_get(addresses, i);
		bool has_alternate = json_is_string(json_object_get(pair, "alternate"));
		char listen[96], alternate[96];

		fprintf(output->file, "  listens on %s%s%s\n",
			answer_string(pair, "listen", listen, sizeof(listen)),
			has_alternate ? ", alternate " : "",
			has_alternate
				? answer_string(pair, "alternate", alternate, sizeof(alternate))
				: "");
	}
	fprintf(output->file, "  public key %s\n",
		answer_string(document, "public_key", key, sizeof(key)));
	if (json_is_string(json_object_get(document, "reload_refused")))
		fprintf(output->file, "  %sthe last reload was refused: %s%s\n",
			output_tone(output, OUTPUT_WARNING),
			answer_string(document, "reload_refused", refused, sizeof(refused)),
			output_plain(output));
	fprintf(output->file,
		"  peers        %.0f in the file, %.0f registered of at most %.0f (%s)\n",
		answer_number(document, "peers"), answer_number(registrations, "count"),
		answer_number(registrations, "limit"),
		bytes_format((__u64)answer_number(registrations, "bytes"), bytes));
	fprintf(output->file, "  sessions     %.0f of at most %.0f\n",
		answer_number(sessions, "count"), answer_number(sessions, "limit"));
	fprintf(output->file,
		"  relays       %.0f of at most %.0f; rate of a peer: %s, of all: %s\n",
		answer_number(relays, "count"), answer_number(relays, "limit"),
		rate_of(relays, "peer_rate_kb", peer_rate), rate_of(relays, "rate_kb", rate));
	fprintf(output->file, "  connections  %.0f of at most %.0f; %.0f refused\n",
		answer_number(connections, "count"), answer_number(connections, "limit"),
		answer_number(connections, "refused"));
	fprintf(output->file,
		"  budgets      %.0f answers per second and prefix; exhausted for %.0f prefixes\n",
		answer_number(budgets, "rate"), answer_number(budgets, "spent"));
	if (json_is_number(amplification))
		fprintf(output->file, "  strangers    got %.2f bytes per answered byte\n",
			json_number_value(amplification));
}

static void print_counters(const struct output *output, const json_t *counted,
			   const struct counter *counter, unsigned int count)
{
	__u64 values[RENDEZVOUS_COUNTERS_MAX + SLUICE_MEET_COUNTERS_MAX];
	unsigned int i;

	for (i = 0; i < count; i++)
		values[i] = (__u64)answer_number(counted, counter[i].key);
	counters_text(counter, values, count, output);
}

static void print_xdp(const struct output *output, const json_t *xdp)
{
	const json_t *interfaces = json_object_get(xdp, "interfaces");
	char name[IFNAMSIZ * 4], mode[16], reason[512];
	size_t i;

	if (!json_is_object(xdp))
		return;
	for (i = 0; i < json_array_size(interfaces); i++) {
		const json_t *interface = json_array_get(interfaces, i);
		bool has_reason = json_is_string(json_object_get(interface, "reason"));

		fprintf(output->file, "  XDP on %s: %s%s%s\n",
			answer_string(interface, "interface", name, sizeof(name)),
			answer_string(interface, "mode", mode, sizeof(mode)),
			has_reason ? ": " : "",
			has_reason ? answer_string(interface, "reason", reason, sizeof(reason))
				   : "");
	}
	print_counters(output, json_object_get(xdp, "counters"), xdp_counters,
		       SLUICE_MEET_COUNTERS_MAX);
}

static void print_text(const struct output *output, const json_t *document)
{
	const json_t *registered = json_object_get(document, "registered");
	struct table *table = table_new("peer|address|transport|NAT|>registered|>seen|>rtt|>relays|"
					"candidates");
	size_t i, k;

	print_summary(output, document);
	print_counters(output, json_object_get(document, "counters"), counters,
		       RENDEZVOUS_COUNTERS_MAX);
	print_xdp(output, json_object_get(document, "xdp"));
	for (i = 0; i < json_array_size(registered); i++) {
		const json_t *peer = json_array_get(registered, i);
		const json_t *candidates = json_object_get(peer, "candidates");
		char name[64], address[96], transport[8], since[24], seen[24], list[1024] = "";
		size_t used = 0;

		for (k = 0; k < json_array_size(candidates) && used < sizeof(list); k++) {
			const json_t *candidate = json_array_get(candidates, k);
			char kind[24], at[96];

			used += (size_t)snprintf(
				list + used, sizeof(list) - used, "%s%s %s", k ? ", " : "",
				answer_string(candidate, "kind", kind, sizeof(kind)),
				answer_string(candidate, "address", at, sizeof(at)));
		}
		table_row(table, "%s|%s|%s|%s|%s|%s|%.0fms|%.0f|%s",
			  answer_string(peer, "name", name, sizeof(name)),
			  answer_string(peer, "address", address, sizeof(address)),
			  answer_string(peer, "transport", transport, sizeof(transport)),
			  answer_is_true(peer, "behind_nat") ? "yes" : "no",
			  answer_age(peer, "registered_for_s", since),
			  answer_age(peer, "seen_for_s", seen), answer_number(peer, "rtt_ms"),
			  answer_number(peer, "relays"), *list ? list : "-");
	}
	table_print(table, output, 2);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct rendezvous_options *given = into;
	struct local_answer answer;
	struct sockaddr_un address;

	status_address(given->name, &address);
	local_socket_ask(&address, WAIT_US, ANSWER_MAX, &answer);
	if (!answer.document && (answer.error == ENOENT || answer.error == ECONNREFUSED))
		return err_hint(
			err,
			err_set(err, EXIT_ERROR, answer.error,
				"no rendezvous server with the name '%s' runs here", given->name),
			"'sluice rendezvous serve' runs one; --name selects one of several");
	if (!answer.document)
		return err_set(err, EXIT_ERROR, answer.error, "%s", answer.reason);
	if (context->output.json) {
		output_json(&context->output, answer.document);
		return 0;
	}
	print_text(&context->output, answer.document);
	json_decref(answer.document);
	return 0;
}

const struct command rendezvous_show_command = {
	.object = "rendezvous",
	.name = "show",
	.summary = "show the server: registered peers and their candidates, budgets, counters",
	.tables = { { rendezvous_name_opts, &options } },
	.options = &options,
	.run = run,
};
