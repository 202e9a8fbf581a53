// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/sections.h"

#include "base/log.h"
#include "hold/hold.h"
#include "kernel/load_outcome.h"
#include "kernel/pins.h"
#include "net/netns.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* An interface may disappear between the listing and the attachment. */
#define WIRE_TRIES 5

/* --- load and unload */

static void log_loaded(const char *message, enum load_outcome outcome, bool as_before,
		       const struct ports *ports, const char *key, const char *value, int ifaces,
		       __u64 table_bytes)
{
	struct log_line line;
	char text[512];

	ports_format(ports, text, sizeof(text));
	log_begin(&line, LOG_LEVEL_INFO, message);
	log_field(&line, "outcome", "%s", load_outcome_name(outcome, as_before));
	log_field(&line, key, "%s", value);
	log_field(&line, "ports", "%s", text);
	if (ifaces >= 0)
		log_field(&line, "ifaces", "%d", ifaces);
	log_field(&line, "table_bytes", "%llu", table_bytes);
	log_end(&line);
}

static int reply_apply(struct sections *sections, struct config_file *file, struct err *err)
{
	struct reply_options options = file->config.reply;
	struct reply_result result = { .outcome = LOAD_LEFT };
	int error = config_file_need_cgroup(file, sections->context, err);

	if (error)
		return error;
	options.by_daemon = true;
	options.follows = sections->section[SECTION_REPLY].repairs;
	error = reply_load(&options, &result, err);
	if (error || result.outcome == LOAD_LEFT)
		return error;
	log_loaded("reply is active", result.outcome, result.as_before, &options.ports, "mode",
		   reply_mode_name(options.mode), -1, reply_table_bytes(options.table));
	return 0;
}

static int wire_apply(struct sections *sections, struct config_file *file, struct err *err)
{
	struct wire_options options = file->config.wire;
	struct wire_result result;
	int tries, error = daemon_netns_add_wire(sections->netns, file->config.netns, err);

	if (!error)
		error = daemon_netns_enter(sections->netns, err);
	if (error)
		return error;
	options.absent_ok = true;
	options.by_daemon = true;
	options.follows = sections->section[SECTION_WIRE].repairs;
	error = -ENODEV;
	for (tries = 0; error == -ENODEV && tries < WIRE_TRIES; tries++)
		error = wire_load(&options, &result, err);
	daemon_netns_leave(sections->netns);
	if (error || result.outcome == LOAD_LEFT)
		return error;
	log_loaded("wire is active", result.outcome, result.as_before, &options.ports,
		   "attached_by", wire_attach_mode_name(result.attach_mode), result.count,
		   wire_table_bytes(options.table));
	free(result.ifaces);
	config_file_put(sections->wire_file);
	sections->wire_file = config_file_get(file);
	daemon_netns_fix(sections->netns, file->config.netns);
	return 0;
}

/* Returns the name or path of the network namespace of a section, or NULL. */
static const char *netns_named(const struct config *config, int i)
{
	const char *name = i == SECTION_STEER  ? config->steer_netns
			   : i == SECTION_HOLD ? config->hold_netns
					       : NULL;

	return config->has[i] && name && strcmp(name, "all") != 0 ? name : NULL;
}

/* Loads the object of a section, or updates it in place. A failure changes nothing. */
static void apply(struct sections *sections, int i, struct config_file *file)
{
	struct section *section = &sections->section[i];
	const char *name = netns_named(&file->config, i);
	/* sections_follow() detects if the name later refers to another namespace */
	int error = name ? netns_number(name, &section->netns, &section->err) : 0;

	if (!error)
		error = i == SECTION_STEER
				? steer_section_apply(sections->steer, file, sections->context,
						      section->repairs, &section->err)
			: i == SECTION_REPLY ? reply_apply(sections, file, &section->err)
			: i == SECTION_HOLD
				? hold_section_apply(sections->hold, file, sections->context,
						     section->repairs, &section->err)
				: wire_apply(sections, file, &section->err);

	if (error == -ECANCELED) {
		/* a concurrent load or unload by a command takes precedence */
		log_err(&section->err);
		error = 0;
	}
	section->pending = error != 0;
	section->waits = error == -EAGAIN;
	if (error)
		return;
	section->loaded = true;
	section->repairs = section->damaged = section->logged_damage = section->unloaded = false;
	log_condition_set(&section->failure, NULL);
	free(section->pins);
	/* leave out transient pins: the links of mode wire, and all pins of steering */
	section->pins = i == SECTION_STEER
				? NULL
				: pins_list(file->config.location.bpffs, config_section_names[i],
					    NULL, i == SECTION_WIRE ? "link_" : NULL);
}

/* Unloads the object of a section that was removed from the file, unless a command loaded it. */
static void drop(struct sections *sections, int i)
{
	const char *bpffs = sections->file->config.location.bpffs;
	struct log_line line;
	struct err err;
	int pins;

	if (i == SECTION_STEER) {
		steer_section_drop(sections->steer, bpffs);
		return;
	}
	if (i == SECTION_HOLD) {
		hold_section_drop(sections->hold, bpffs);
		return;
	}
	if (i == SECTION_REPLY) {
		pins = reply_unload_own(bpffs, &err);
	} else {
		config_file_put(sections->wire_file);
		sections->wire_file = NULL;
		if (daemon_netns_enter(sections->netns, &err))
			return;
		pins = wire_unload_own(bpffs, &err);
		daemon_netns_leave(sections->netns);
	}
	if (!pins)
		return;
	if (pins < 0)
		log_err(&err);
	log_begin(&line, pins < 0 ? LOG_LEVEL_WARNING : LOG_LEVEL_INFO,
		  pins < 0 ? "section removed from the file, but its object is still loaded"
			   : "unloaded: section removed from the file");
	log_field(&line, "section", "%s", config_section_names[i]);
	if (pins < 0)
		log_field(&line, "hint", "sluice reply unload%s",
			  i == SECTION_WIRE ? " --mode wire" : "");
	log_end(&line);
}

/* --- sections */

static void log_failure(struct sections *sections, int i)
{
	struct section *section = &sections->section[i];
	struct log_line line;

	if (!log_condition_set(&section->failure, section->err.what))
		return;
	log_begin(&line, LOG_LEVEL_WARNING, "section not applied, retrying");
	log_field(&line, "section", "%s", config_section_names[i]);
	log_field_err(&line, &section->err);
	log_end(&line);
}

bool sections_name_netns(const struct sections *sections)
{
	int i;

	for (i = 0; i < SECTIONS; i++)
		if (netns_named(&sections->file->config, i))
			return true;
	return false;
}

void sections_follow(struct sections *sections)
{
	int i;

	for (i = 0; i < SECTIONS; i++) {
		struct section *section = &sections->section[i];
		const char *name = netns_named(&sections->file->config, i);
		struct log_line line;

		if (!name || !section->loaded || section->pending ||
		    !daemon_netns_has_moved(name, section->netns))
			continue;
		log_begin(&line, LOG_LEVEL_INFO,
			  "network namespace name now refers to another namespace");
		log_field(&line, "section", "%s", config_section_names[i]);
		log_field(&line, "netns", "%s", name);
		log_end(&line);
		section->repairs = true;
		apply(sections, i, sections->file);
		if (section->pending)
			log_failure(sections, i);
	}
}

int sections_apply(struct sections *sections, struct config_file *file, struct err *err)
{
	const struct section *failed = NULL;
	bool loaded = false;
	int i;

	/* each server reports its own failures, and is restarted */
	for (i = SECTIONS; i < SECTION_GLOBAL; i++)
		loaded |= file->config.has[i];

	for (i = 0; i < SECTIONS; i++) {
		struct section *section = &sections->section[i];

		if (!file->config.has[i])
			continue;
		section->repairs = false;
		apply(sections, i, file);
		loaded |= !section->pending || section->waits;
		if (section->pending && !failed)
			failed = section;
	}
	if (!sections->file && !loaded) {
		*err = failed->err;
		return -EIO;
	}
	/* Keep the file even if a section failed, because that section is retried. */
	config_file_put(sections->file);
	sections->file = config_file_get(file);
	for (i = 0; i < SECTIONS; i++) {
		if (sections->section[i].pending)
			log_failure(sections, i);
		if (file->config.has[i])
			continue;
		drop(sections, i);
		free(sections->section[i].pins);
		sections->section[i] = (struct section){ 0 };
	}
	return 0;
}

/* --- checks */

bool sections_check(struct sections *sections)
{
	bool retried = false;
	int i;

	for (i = 0; i < SECTIONS; i++) {
		struct section *section = &sections->section[i];

		sections_check_damage(sections, i);
		if (section->pending) {
			retried = true;
			apply(sections, i, sections->file);
		}
		if (section->pending)
			log_failure(sections, i);
		if (section->pending || !section->loaded)
			continue;
		/* The sweeps of steering detect an unload sooner. */
		if (i == SECTION_STEER) {
			steer_section_check(sections->steer, sections->file, sections->context);
			continue;
		}
		sections_check_unloaded(sections, i);
		if (i == SECTION_HOLD)
			hold_section_check(sections->hold, &sections->file->config,
					   !section->unloaded);
	}
	return retried;
}

void sections_end(struct sections *sections)
{
	int i;

	for (i = 0; i < SECTIONS; i++)
		free(sections->section[i].pins);
	config_file_put(sections->file);
	config_file_put(sections->wire_file);
}
