// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/sections.h"

#include "base/log.h"
#include "kernel/pins.h"
#include "reply/pins.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An interface may go between being listed and being attached to. */
#define WIRE_TRIES 5

static const char *outcome_name(enum load_outcome outcome)
{
	static const char *const names[] = {
		[LOAD_VERIFIED] = "verified",
		[LOAD_FRESH] = "loaded",
		[LOAD_UPDATED] = "updated",
		[LOAD_RECOVERED] = "recovered",
	};

	return names[outcome];
}

static void log_loaded(const char *message, enum load_outcome outcome, const struct ports *ports,
		       const char *key, const char *value, int ifaces)
{
	struct log_line line;
	char text[512];

	ports_format(ports, text, sizeof(text));
	log_begin(&line, LOG_LEVEL_INFO, message);
	log_field(&line, "outcome", "%s", outcome_name(outcome));
	log_field(&line, key, "%s", value);
	log_field(&line, "ports", "%s", text);
	if (ifaces >= 0)
		log_field(&line, "ifaces", "%d", ifaces);
	log_end(&line);
}

static int reply_apply(struct sections *planes, struct config_file *file, struct err *err)
{
	struct reply_options options = file->config.reply;
	struct reply_result result = { .outcome = LOAD_LEFT };
	int failed = config_file_need_cgroup(file, planes->context, err);

	options.by_daemon = true;
	options.follows = planes->plane[SECTION_REPLY].detached;
	if (!failed)
		failed = reply_load(&options, &result, err);
	if (failed || result.outcome == LOAD_LEFT)
		return failed;
	log_loaded("reply is in force", result.outcome, &options.ports, "mode",
		   reply_mode_name(options.mode), -1);
	return 0;
}

static int wire_try(const struct wire_options *options, const struct daemon_netns *place,
		    struct wire_result *result, struct err *err)
{
	int tries, failed = daemon_netns_enter(place, err);

	if (failed)
		return failed;
	failed = -ENODEV;
	for (tries = 0; failed == -ENODEV && tries < WIRE_TRIES; tries++)
		failed = wire_load(options, result, err);
	daemon_netns_leave(place);
	return failed;
}

static int wire_apply(struct sections *planes, struct config_file *file, struct err *err)
{
	struct wire_options options = file->config.wire;
	struct wire_result result;
	int failed = daemon_netns_add_wire(planes->place, file->config.netns, err);

	options.absent_ok = true;
	options.by_daemon = true;
	if (!failed)
		failed = wire_try(&options, planes->place, &result, err);
	if (failed)
		return failed;
	log_loaded("wire is in force", result.outcome, &options.ports, "attached_by",
		   wire_attach_mode_name(result.attach_mode), result.count);
	if (result.routes_left_out)
		log_warning("more routes than there is room for, %zu are left out: answers follow"
			    " wider ones",
			    result.routes_left_out);
	free(result.ifaces);
	config_file_drop(planes->wire_file);
	planes->wire_file = config_file_hold(file);
	daemon_netns_settle(planes->place, file->config.netns);
	return 0;
}

static int steer_apply(struct sections *planes, struct config_file *file, struct err *err)
{
	return steer_section_apply(planes->steer, &file->config, err);
}

static void log_dropped(const char *section, int pins, const struct err *err)
{
	struct log_line line;

	if (!pins)
		return;
	if (pins < 0)
		log_err(err);
	log_begin(&line, pins < 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		  pins < 0 ? "still loaded, though its section has gone from the file"
			   : "unloaded: its section has gone from the file");
	log_field(&line, "section", "%s", section);
	if (pins < 0)
		log_field(&line, "hint", "sluice reply unload%s",
			  strcmp(section, "wire") ? "" : " --mode wire");
	log_end(&line);
}

/* What this daemon or one before it has loaded, and the file no longer wants. */
static void reply_drop(struct sections *planes)
{
	struct err err;
	int pins = reply_unload_own(planes->file->config.location.bpffs, &err);

	log_dropped("reply", pins, &err);
}

static void wire_drop(struct sections *planes)
{
	struct err err;
	int pins;

	config_file_drop(planes->wire_file);
	planes->wire_file = NULL;
	if (daemon_netns_enter(planes->place, &err))
		return;
	pins = wire_unload_own(planes->file->config.location.bpffs, &err);
	log_dropped("wire", pins, &err);
	daemon_netns_leave(planes->place);
}

static void steer_drop(struct sections *planes)
{
	steer_section_drop(planes->steer, planes->file->config.location.bpffs);
}

/* --- sections */

static const struct section_type {
	const char *name;
	size_t wanted_at; /* a bool in struct config */
	/* Loads it, or changes it in place, all or nothing. 0, or -errno with *err set. */
	int (*apply)(struct sections *planes, struct config_file *file, struct err *err);
	void (*drop)(struct sections *planes);
} section_types[SECTIONS] = {
	[SECTION_STEER] = { "steer", offsetof(struct config, has_steer), steer_apply, steer_drop },
	[SECTION_REPLY] = { "reply", offsetof(struct config, has_reply), reply_apply, reply_drop },
	[SECTION_WIRE] = { "wire", offsetof(struct config, has_wire), wire_apply, wire_drop },
};

bool section_wanted(const struct config *config, int plane)
{
	return *(const bool *)((const char *)config + section_types[plane].wanted_at);
}

const char *section_name(int plane)
{
	return section_types[plane].name;
}

/* What lasts is said once. */
static void say_trouble(struct sections *planes, int i)
{
	struct section *plane = &planes->plane[i];
	struct log_line line;

	if (!strcmp(plane->said, plane->err.what))
		return;
	memcpy(plane->said, plane->err.what, sizeof(plane->said));
	log_begin(&line, LOG_LEVEL_WARNING, "not loaded as the file has it; to be tried again");
	log_field(&line, "section", "%s", section_types[i].name);
	log_field(&line, "reason", "%s", plane->err.what);
	if (plane->err.hint[0])
		log_field(&line, "hint", "%s", plane->err.hint);
	log_end(&line);
}

static void apply(struct sections *planes, int i, struct config_file *file)
{
	struct section *plane = &planes->plane[i];

	plane->pending = section_types[i].apply(planes, file, &plane->err) != 0;
	if (plane->pending)
		return;
	plane->loaded = true;
	plane->detached = false;
	plane->said[0] = '\0';
}

/* The first error of a file of which nothing can be loaded. */
static int nothing_loaded(const struct sections *planes, const struct config *config,
			  struct err *err)
{
	const struct section *first = NULL;
	int i;

	for (i = 0; i < SECTIONS; i++) {
		if (!section_wanted(config, i))
			continue;
		if (!planes->plane[i].pending)
			return 0;
		if (!first)
			first = &planes->plane[i];
	}
	*err = first->err;
	return -EIO;
}

/* Whether all of its sections are in force or not: it is what is tried again. */
static void take(struct sections *planes, struct config_file *file)
{
	int i;

	config_file_drop(planes->file);
	planes->file = config_file_hold(file);
	for (i = 0; i < SECTIONS; i++) {
		struct section *plane = &planes->plane[i];

		if (plane->pending)
			say_trouble(planes, i);
		if (section_wanted(&file->config, i))
			continue;
		section_types[i].drop(planes);
		*plane = (struct section){ 0 };
	}
}

int sections_apply(struct sections *planes, struct config_file *file, struct err *err)
{
	int i;

	for (i = 0; i < SECTIONS; i++)
		if (section_wanted(&file->config, i)) {
			planes->plane[i].detached = false;
			apply(planes, i, file);
		}
	if (!planes->file && nothing_loaded(planes, &file->config, err))
		return -EIO;
	take(planes, file);
	return 0;
}

/* --- what becomes of them */

static void log_gone(const char *section, bool unloaded)
{
	struct log_line line;

	log_begin(&line, LOG_LEVEL_WARNING,
		  unloaded ? "no longer loaded, and not by this daemon"
			   : "found detached, and not by this daemon");
	log_field(&line, "section", "%s", section);
	if (unloaded)
		log_field(&line, "hint", "SIGHUP loads it again");
	log_end(&line);
}

/* Steering tells by itself, as it looks more often. */
static void look_for_unloaded(struct sections *planes, int i)
{
	struct section *plane = &planes->plane[i];
	struct err err = { 0 };
	bool there;

	if (i == SECTION_STEER || !plane->loaded)
		return;
	/* what can't be seen is not known to be gone */
	there = pins_exist(planes->file->config.location.bpffs, section_types[i].name, &err) != 0;
	if (!there && !plane->unloaded)
		log_gone(section_types[i].name, true);
	plane->unloaded = !there;
}

/* Wire mode has a look at its interfaces of its own (daemon/interfaces.h). */
static void look_for_detached(struct sections *planes)
{
	struct reply_state state;
	struct section *plane = &planes->plane[SECTION_REPLY];
	const char *bpffs = planes->file->config.location.bpffs;
	bool detached = false;
	int i;

	if (!plane->loaded || plane->pending || reply_read(bpffs, &state, &(struct err){ 0 }))
		return;
	for (i = 0; i < state.hook_count; i++)
		detached |= !state.hooks[i].cgroup_id;
	/* the mark is asked for last, as it is the first to go */
	if (!detached || !state_dir_is_daemons(&reply_state_dir, bpffs))
		return;
	log_gone("reply", false);
	plane->pending = plane->detached = true;
}

bool sections_check(struct sections *planes)
{
	bool tried = false;
	int i;

	look_for_detached(planes);
	for (i = 0; i < SECTIONS; i++) {
		struct section *plane = &planes->plane[i];

		if (plane->pending) {
			tried = true;
			apply(planes, i, planes->file);
		}
		if (plane->pending)
			say_trouble(planes, i);
		else
			look_for_unloaded(planes, i);
	}
	return tried;
}

void sections_end(struct sections *planes)
{
	config_file_drop(planes->file);
	config_file_drop(planes->wire_file);
}
