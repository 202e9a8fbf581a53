// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice status: prints the daemon, modes, table usage and counters, and the order of the programs
 * on each hook. An unreadable object, such as an object of another version, does not hide the rest.
 */
#include "cmd/command.h"
#include "cmd/hold/show.h"
#include "cmd/reply/view.h"
#include "cmd/status_daemon.h"
#include "cmd/status_hooks.h"
#include "cmd/status_steer.h"
#include "hold/pins.h"
#include "host/cleanup.h"
#include "kernel/links.h"
#include "kernel/pins.h"
#include "kernel/state_dir.h"
#include "reply/pins.h"
#include "steer/group/groups.h"
#include "wire/pins.h"

#include <errno.h>
#include <string.h>

/* The objects in output order. */
enum {
	REPLY,
	WIRE,
	STEER,
	HOLD,
	OBJECTS
};

static const struct state_dir *const state_dirs[OBJECTS] = {
	[REPLY] = &reply_state_dir,
	[WIRE] = &wire_state_dir,
	[STEER] = &steer_state_dir,
	[HOLD] = &hold_state_dir,
};

/* The state of the daemon and of all objects. */
struct status {
	struct daemon_status daemon;
	struct reply_loaded loaded;
	struct steer_view steer;
	struct hold_view hold;
	bool has_steer;
	bool has_hold;
	bool by_daemon[OBJECTS];     /* last loaded by a daemon */
	struct err failure[OBJECTS]; /* why it cannot be read; code EXIT_OK: readable or absent */
};

/* --- JSON */

static json_t *by_daemon_json(const struct status *status)
{
	json_t *names = json_array();
	int i;

	for (i = 0; i < OBJECTS; i++)
		if (status->by_daemon[i])
			json_array_append_new(names, json_string(state_dirs[i]->name));
	return names;
}

static json_t *failures_json(const struct status *status)
{
	json_t *failures = json_array();
	int i;

	for (i = 0; i < OBJECTS; i++) {
		const struct err *err = &status->failure[i];

		if (err->code)
			json_array_append_new(
				failures,
				json_pack("{s:s, s:o, s:o}", "object", state_dirs[i]->name,
					  "reason", output_name(err->what), "hint",
					  *err->hint ? output_name(err->hint) : json_null()));
	}
	return failures;
}

static void print_json(const struct output *output, const struct status *status)
{
	const struct reply_loaded *loaded = &status->loaded;
	json_t *document = output_document();

	json_object_set_new(document, "version", json_string(SLUICE_VERSION));
	json_object_set_new(document, "daemon", status_daemon_json(&status->daemon));
	json_object_set_new(document, "by_daemon", by_daemon_json(status));
	json_object_set_new(document, "unreadable", failures_json(status));
	reply_loaded_json(loaded, document);
	json_object_set_new(document, "steer",
			    status->has_steer ? status_steer_json(&status->steer) : json_null());
	json_object_set_new(document, "hold",
			    status->has_hold ? hold_view_json(&status->hold) : json_null());
	json_object_set_new(document, "hooks", status_hooks_json(loaded));
	output_json(output, document);
}

/* --- text */

/* Warns about objects that a daemon has loaded, if no daemon is running. */
static void print_left(const struct output *output, const struct status *status)
{
	char names[64] = "";
	int i, used = 0;

	for (i = 0; i < OBJECTS; i++)
		if (status->by_daemon[i])
			used += snprintf(names + used, sizeof(names) - (size_t)used, "%s%s",
					 used ? ", " : "", state_dirs[i]->name);
	if (status->daemon.pid || !used)
		return;
	fprintf(output->file,
		"  %swarning%s: a daemon has loaded %s: the programs stay attached, but nothing"
		" follows changes of the host%s; start 'sluice run'\n",
		output_tone(output, OUTPUT_WARNING), output_plain(output), names,
		status->by_daemon[HOLD] ? ", or sends keepalives" : "");
}

static void print_failures(const struct output *output, const struct status *status)
{
	int i;

	for (i = 0; i < OBJECTS; i++) {
		const struct err *err = &status->failure[i];

		if (err->code)
			fprintf(output->file, "%s: %scannot be read%s: %s%s%s\n",
				state_dirs[i]->name, output_tone(output, OUTPUT_BAD),
				output_plain(output), err->what, *err->hint ? "; " : "", err->hint);
	}
}

static void print_text(const struct output *output, const struct status *status, const char *bpffs)
{
	const struct reply_loaded *loaded = &status->loaded;
	const struct err *failure = status->failure;
	bool found = loaded->has_reply || loaded->has_wire || status->has_steer || status->has_hold;
	struct err elsewhere = { 0 };
	int i;

	status_daemon_text(&status->daemon, output);
	print_left(output, status);
	print_failures(output, status);
	if (!loaded->has_reply && !loaded->has_wire && !failure[REPLY].code && !failure[WIRE].code)
		fprintf(output->file, "reply: not loaded (no %s/reply, no %s/wire)\n", bpffs,
			bpffs);
	if (loaded->has_reply)
		reply_view_text(&loaded->reply, output);
	if (loaded->has_wire)
		wire_view_text(&loaded->wire, output);
	if (loaded->has_reply || loaded->has_wire)
		status_hooks_text(loaded, output);
	if (status->has_steer)
		status_steer_text(&status->steer, output);
	else if (!failure[STEER].code)
		fprintf(output->file, "steer: not loaded (no %s/steer)\n", bpffs);
	if (status->has_hold)
		hold_view_text(&status->hold, output);
	else if (!failure[HOLD].code)
		fprintf(output->file, "hold: not loaded (no %s/hold)\n", bpffs);
	for (i = 0; i < OBJECTS; i++)
		found |= failure[i].code != EXIT_OK;
	if (found)
		return;
	/* Without this hint, a wrong --bpffs would look like a clean host. */
	cleanup_hint_elsewhere(bpffs, &elsewhere);
	if (elsewhere.hint[0])
		fprintf(output->file, "%s\n", elsewhere.hint);
}

/* --- the command */

static void read_objects(struct status *status, const char *bpffs)
{
	struct err *failure = status->failure;
	int i, result;

	for (i = 0; i < OBJECTS; i++)
		status->by_daemon[i] = state_dir_is_daemons(state_dirs[i], bpffs);
	reply_loaded_read_each(bpffs, &status->loaded, &failure[REPLY], &failure[WIRE]);
	if (status_steer_read(bpffs, &status->steer, &status->has_steer, &failure[STEER])) {
		steer_view_free(&status->steer);
		status->has_steer = false;
	}
	result = pins_exist(bpffs, "hold", &failure[HOLD]);
	status->has_hold = result > 0 && !hold_view_read(bpffs, &status->hold, &failure[HOLD]);
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	static struct status status;
	int i, failed = 0, result = pins_exist(context->bpffs, "reply", err);

	if (result < 0)
		return result;
	links_libbpf_log();
	read_objects(&status, context->bpffs);
	daemon_status_read(context->bpffs, &status.daemon);
	if (context->output.json)
		print_json(&context->output, &status);
	else
		print_text(&context->output, &status, context->bpffs);
	for (i = OBJECTS; i--;)
		if (status.failure[i].code) {
			*err = status.failure[i];
			failed++;
		}
	daemon_status_free(&status.daemon);
	reply_loaded_free(&status.loaded);
	steer_view_free(&status.steer);
	return failed ? -EIO : 0;
}

const struct command status_command = {
	.object = "status",
	.summary =
		"show the daemon, modes, table usage, counters, and the order of programs on each hook",
	.run = run,
};
