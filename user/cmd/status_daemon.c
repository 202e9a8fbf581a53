// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/status_daemon.h"

#include "base/text.h"

#include <string.h>

json_t *status_daemon_json(const struct daemon_status *status)
{
	static const char *const keys[] = { "version",	      "config",	     "running_for_s",
					    "reload_refused", "sections",    "memory_bytes",
					    "rates",	      "last_problem" };
	json_t *object, *value;
	size_t i;

	if (!status->pid)
		return json_null();
	object = json_pack("{s:o, s:o}", "pid",
			   status->pid > 0 ? json_integer(status->pid) : json_null(), "no_answer",
			   *status->reason ? output_name(status->reason) : json_null());
	for (i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		value = json_object_get(status->document, keys[i]);
		json_object_set_new(object, keys[i], value ? json_incref(value) : json_null());
	}
	return object;
}

/* Returns a string from the daemon's answer, safe for a terminal; "" if the key is missing. */
static const char *string_of(const json_t *object, const char *key, char *text, size_t size)
{
	const char *value = json_string_value(json_object_get(object, key));

	return text_plain_copy(text, size, value ? value : "");
}

static void section_text(const json_t *section, const struct output *output)
{
	char name[32], state[32], reason[1024], hint[1024];
	const json_t *warnings = json_object_get(section, "warnings");
	enum output_tone tone;
	size_t i;

	string_of(section, "section", name, sizeof(name));
	string_of(section, "state", state, sizeof(state));
	string_of(section, "reason", reason, sizeof(reason));
	string_of(section, "hint", hint, sizeof(hint));
	tone = strcmp(state, "loaded") && strcmp(state, "running") ? OUTPUT_WARNING : OUTPUT_GOOD;
	fprintf(output->file, "  [%s] %s%s%s%s%s%s%s\n", name, output_tone(output, tone), state,
		output_plain(output), *reason ? ": " : "", reason, *hint ? "; " : "", hint);
	for (i = 0; i < json_array_size(warnings); i++) {
		const char *warning = json_string_value(json_array_get(warnings, i));

		fprintf(output->file, "    %swarning%s: %s\n", output_tone(output, OUTPUT_WARNING),
			output_plain(output),
			text_plain_copy(reason, sizeof(reason), warning ? warning : ""));
	}
}

/* Prints the rates that are not zero. */
static void rates_text(const json_t *rates, const struct output *output)
{
	static const struct {
		const char *key, *text;
	} shown[] = {
		{ "replies_fixed_per_s", "replies fixed" },
		{ "packets_rewritten_per_s", "packets rewritten" },
		{ "datagrams_steered_per_s", "datagrams steered" },
		{ "keepalives_sent_per_s", "keepalives sent" },
	};
	const char *before = "  ";
	size_t i;

	for (i = 0; i < sizeof(shown) / sizeof(*shown); i++) {
		double rate = json_number_value(json_object_get(rates, shown[i].key));

		if (rate <= 0)
			continue;
		fprintf(output->file, "%s%.1f %s", before, rate, shown[i].text);
		before = ", ";
	}
	if (*before == ',')
		fprintf(output->file, " per second, over the last %.0f s\n",
			json_number_value(json_object_get(rates, "over_s")));
}

static void last_problem_text(const json_t *problem, const struct output *output)
{
	char line[1024], age[24];
	double ago = json_number_value(json_object_get(problem, "ago_s"));

	if (*string_of(problem, "line", line, sizeof(line)))
		fprintf(output->file, "  last problem, %s ago: %s\n",
			age_format(ago > 0 ? (__u64)(ago * 1e9) : 0, age), line);
}

void status_daemon_text(const struct daemon_status *status, const struct output *output)
{
	const json_t *document = status->document, *sections;
	char config[1024], version[32], refused[1024], age[24], reason[sizeof(status->reason)];
	char memory[24];
	double running;
	size_t i;

	if (!status->pid) {
		fprintf(output->file, "daemon: not running\n");
		return;
	}
	if (status->pid > 0)
		fprintf(output->file, "daemon: process %d", status->pid);
	else
		fprintf(output->file, "daemon: in another PID namespace");
	if (!document) {
		fprintf(output->file, "; its state is not known: %s\n",
			text_plain_copy(reason, sizeof(reason), status->reason));
		return;
	}
	running = json_number_value(json_object_get(document, "running_for_s"));
	fprintf(output->file, ", config %s, version %s, running for %s, memory %s\n",
		string_of(document, "config", config, sizeof(config)),
		string_of(document, "version", version, sizeof(version)),
		age_format(running > 0 ? (__u64)(running * 1e9) : 0, age),
		bytes_format((__u64)json_integer_value(json_object_get(document, "memory_bytes")),
			     memory));
	rates_text(json_object_get(document, "rates"), output);
	if (*string_of(document, "reload_refused", refused, sizeof(refused)))
		fprintf(output->file, "  %sthe last reload was refused%s: %s\n",
			output_tone(output, OUTPUT_WARNING), output_plain(output), refused);
	sections = json_object_get(document, "sections");
	for (i = 0; i < json_array_size(sections); i++)
		section_text(json_array_get(sections, i), output);
	last_problem_text(json_object_get(document, "last_problem"), output);
}
