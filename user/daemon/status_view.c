// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/status_view.h"

#include "base/clock.h"
#include "cli/output.h"
#include "daemon/interfaces.h"
#include "daemon/netns.h"
#include "daemon/readiness.h"
#include "kernel/pins.h"
#include "metrics/process.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static void warning_add(json_t *warnings, const char *text)
{
	if (text && *text)
		json_array_append_new(warnings, output_name(text));
}

/* Returns true if the text contains one of the warnings. */
static bool is_known(const json_t *warnings, const char *text)
{
	size_t i;

	for (i = 0; i < json_array_size(warnings); i++)
		if (strstr(text, json_string_value(json_array_get(warnings, i))))
			return true;
	return false;
}

/* Adds the reasons of /readyz that are not among the warnings. */
static void add_reasons(const struct status_view *view, int section, json_t *warnings)
{
	char *text = NULL, *line, *rest, *reason;
	size_t length = 0;
	FILE *file = open_memstream(&text, &length);

	if (!file)
		return;
	readiness_reasons(view->sections, view->child, section, file);
	fclose(file);
	for (rest = text; (line = strsep(&rest, "\n")) && *line;) {
		reason = strchr(line, ' ');
		if (reason && !is_known(warnings, reason + 1))
			warning_add(warnings, reason + 1);
	}
	free(text);
}

static json_t *steer_warnings(const struct steer_section *steer)
{
	json_t *warnings = json_array();
	__u32 i;

	warning_add(warnings, steer->failure.text);
	if (steer->active && !steer->groups)
		warning_add(warnings, "no socket with SO_REUSEPORT is bound to its ports yet");
	warning_add(warnings, steer->events_failure.text);
	warning_add(warnings, steer->loader.consumers_failure.text);
	warning_add(warnings, steer->spread.failure.text);
	for (i = 0; i < steer->spread.wanted.ifcount; i++)
		warning_add(warnings, steer->spread.iface[i].failure.text);
	return warnings;
}

static json_t *wire_warnings(const struct watch *watch, const struct daemon_netns *netns)
{
	json_t *warnings = json_array();
	const char *absent = watch_absent(watch);
	char text[INTERFACES_ABSENT_MAX + 64];

	if (*absent) {
		snprintf(text, sizeof(text), "no interface yet, or no bridge to follow: %s",
			 absent);
		warning_add(warnings, text);
	}
	if (daemon_netns_is_replaced(netns))
		warning_add(warnings,
			    "its network namespace was deleted, and a new namespace has its"
			    " name: restart the daemon");
	return warnings;
}

static json_t *hold_warnings(const struct hold_section *hold)
{
	json_t *warnings = json_array();
	const char *probe = hold->probe ? hold->probe_failure.text : "";
	char text[sizeof(hold->probe_failure.text) + 32];

	warning_add(warnings, hold->failure.text);
	if (*probe) {
		snprintf(text, sizeof(text), "the probe has no result: %s", probe);
		warning_add(warnings, text);
	}
	return warnings;
}

/* The state of a section that loads an object. The texts are NULL or owned by the section. */
struct section_state {
	const char *state, *reason, *hint;
};

static struct section_state section_state(const struct status_view *view, int i)
{
	const struct section *section = &view->sections->section[i];
	const char *bpffs = view->sections->file->config.location.bpffs;

	if (section->pending)
		return (struct section_state){ "waiting", section->err.what,
					       section->err.hint[0] ? section->err.hint : NULL };
	if (!pins_exist(bpffs, config_section_names[i], &(struct err){ 0 }))
		return (struct section_state){ "unloaded", "unloaded by another process",
					       "send SIGHUP to the daemon to load it again" };
	return (struct section_state){ "loaded", NULL, NULL };
}

static struct section_state child_state(const struct child *child)
{
	const char *failure = child->failure.text;

	if (child->pid)
		return (struct section_state){ "running", NULL, NULL };
	return (struct section_state){ "waiting", *failure ? failure : NULL, NULL };
}

static json_t *section_json(const struct status_view *view, int i)
{
	struct section_state is = section_state(view, i);
	json_t *object, *warnings;

	/* what the section lacks no longer matters after an unload */
	warnings = !strcmp(is.state, "unloaded") ? json_array()
		   : i == SECTION_STEER		 ? steer_warnings(view->steer)
		   : i == SECTION_WIRE		 ? wire_warnings(view->watch, view->sections->netns)
		   : i == SECTION_HOLD		 ? hold_warnings(view->hold)
						 : json_array();
	if (!strcmp(is.state, "loaded"))
		add_reasons(view, i, warnings);
	object = json_pack("{s:s, s:s, s:o, s:o, s:o}", "section", config_section_names[i], "state",
			   is.state, "reason", is.reason ? output_name(is.reason) : json_null(),
			   "hint", is.hint ? output_name(is.hint) : json_null(), "warnings",
			   warnings);
	if (i == SECTION_STEER)
		json_object_set_new(object, "groups", json_integer(view->steer->groups));
	if (i == SECTION_WIRE)
		json_object_set_new(object, "interfaces", json_integer(watch_count(view->watch)));
	if (i == SECTION_HOLD)
		json_object_set_new(object, "sending", json_boolean(view->hold->sender));
	return object;
}

static json_t *child_json(const struct status_view *view, const struct child *child)
{
	struct section_state is = child_state(child);
	json_t *warnings = json_array();

	/* a process without a report has just started */
	if (child->pid && child->reported_us)
		add_reasons(view, child->section, warnings);
	return json_pack("{s:s, s:s, s:o, s:o, s:o}", "section",
			 config_section_names[child->section], "state", is.state, "reason",
			 is.reason ? output_name(is.reason) : json_null(), "hint", json_null(),
			 "warnings", warnings);
}

static json_t *last_problem_json(void)
{
	uint64_t at_us;
	const char *line = log_last_problem(&at_us);

	if (!*line)
		return json_null();
	return json_pack("{s:o, s:f}", "line", output_name(line), "ago_s",
			 (double)(clock_now_us() - at_us) / 1e6);
}

bool status_view_note(struct status_view *view)
{
	const struct config_file *file = view->sections->file;
	bool changed = log_condition_set(&view->refused_noted, view->refused);
	char text[1024];
	int i;

	for (i = 0; file && i < SECTION_GLOBAL; i++) {
		struct section_state is = { "", NULL, NULL };

		if (file->config.has[i])
			is = i >= SECTIONS ? child_state(&view->child[i - SECTIONS])
					   : section_state(view, i);
		snprintf(text, sizeof(text), "%s%s%s", is.state, is.reason ? ": " : "",
			 is.reason ? is.reason : "");
		if (!log_condition_set(&view->noted[i], text))
			continue;
		view->changes[i]++;
		changed = true;
	}
	return changed;
}

/* Adds a section to the list, with its number of changes. */
static void section_add(json_t *sections, const struct status_view *view, int i, json_t *section)
{
	json_object_set_new(section, "changes", json_integer((json_int_t)view->changes[i]));
	json_array_append_new(sections, section);
}

json_t *status_view_json(const struct status_view *view)
{
	const struct config_file *file = view->sections->file;
	json_t *document = output_document(), *sections = json_array();
	struct process_usage usage;
	int i;

	for (i = 0; file && i < SECTION_GLOBAL; i++)
		if (file->config.has[i])
			section_add(sections, view, i,
				    i >= SECTIONS ? child_json(view, &view->child[i - SECTIONS])
						  : section_json(view, i));
	process_usage_read(&usage);
	json_object_update_new(
		document,
		json_pack(
			"{s:s, s:i, s:o, s:f, s:o, s:o, s:I, s:o, s:o}", "version", SLUICE_VERSION,
			"pid", (int)getpid(), "config", output_name(view->config), "running_for_s",
			(double)(clock_now_ns(CLOCK_MONOTONIC) - view->started_ns) / 1e9,
			"reload_refused", *view->refused ? output_name(view->refused) : json_null(),
			"sections", sections, "memory_bytes", (json_int_t)usage.resident_bytes,
			"rates",
			file ? rates_json(&view->rates, file->config.location.bpffs) : json_null(),
			"last_problem", last_problem_json()));
	return document;
}
