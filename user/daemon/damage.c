// SPDX-License-Identifier: GPL-2.0-or-later
/* Detects damage to loaded objects by other processes, and decides who repairs it. */
#include "daemon/sections.h"
#include "hold/hold.h"
#include "hold/pins.h"
#include "kernel/meta.h"
#include "kernel/mounts.h"
#include "kernel/pins.h"
#include "kernel/state_dir.h"
#include "reply/pins.h"
#include "steer/group/groups.h"
#include "wire/pins.h"

#include <errno.h>

static const struct state_dir *const state_dirs[SECTIONS] = {
	[SECTION_REPLY] = &reply_state_dir,
	[SECTION_WIRE] = &wire_state_dir,
	[SECTION_HOLD] = &hold_state_dir,
	[SECTION_STEER] = &steer_state_dir,
};

/* Returns the message for a detached program. The kernel detaches all links of a removed cgroup. */
static const char *detached_by(__u64 cgroup_id)
{
	char path[PATH_MAX];

	return mounts_cgroup2_path(cgroup_id, path) == -ENOENT ? "detached: the cgroup is gone"
							       : "detached by another process";
}

/*
 * Returns a description of the damage to a loaded object, or NULL if it is intact. Sets @pin to the
 * name of a lost pin. With @own, compares the pins with the pins after the daemon's own load.
 */
static const char *find_damage(const struct sections *sections, int i, bool own, char pin[NAME_MAX])
{
	const char *pins = own ? sections->section[i].pins : NULL;
	const char *bpffs = sections->file->config.location.bpffs;
	const struct state_dir *sd = state_dirs[i];
	union {
		struct sluice_meta head;
		struct sluice_reply_meta reply;
		struct sluice_wire_meta wire;
		struct sluice_hold_meta hold;
		struct sluice_steer_meta steer;
	} meta;
	int result = meta_read(sd, bpffs, &meta, &(struct err){ 0 });

	if (result == -EUCLEAN && pins_lost(bpffs, sd->name, pins, pin))
		return "pin removed by another process";
	if (result == -EUCLEAN)
		return "only leftovers remain";
	/* if the check itself fails, assume no damage */
	if (result)
		return NULL;
	if (state_dir_is_abandoned(sd, bpffs, &meta.head))
		return "incomplete: a command was killed half-way";
	if (meta.head.state != SLUICE_LOADED)
		return NULL;
	if (pins_lost(bpffs, sd->name, pins, pin))
		return "pin removed by another process";
	/* watch_check() finds detached interfaces of mode wire */
	if (i == SECTION_REPLY && !reply_attached(bpffs, &meta.reply))
		return detached_by(meta.reply.cgroup_id);
	if (i == SECTION_HOLD && !hold_attached(bpffs, &meta.hold))
		return detached_by(meta.hold.cgroup_id);
	return NULL;
}

bool sections_is_replaced(const struct sections *sections, int i)
{
	const char *bpffs = sections->file->config.location.bpffs;

	return !state_dir_is_daemons(state_dirs[i], bpffs) &&
	       pins_exist(bpffs, config_section_names[i], &(struct err){ 0 }) > 0;
}

void sections_check_damage(struct sections *sections, int i)
{
	struct section *section = &sections->section[i];
	const char *bpffs = sections->file->config.location.bpffs, *damage;
	char pin[NAME_MAX] = "";
	struct log_line line;

	if (!section->loaded || section->pending)
		return;
	damage = find_damage(sections, i, state_dir_is_daemons(state_dirs[i], bpffs), pin);
	if (!damage) {
		section->damaged = section->logged_damage = false;
		return;
	}
	/* Read the owner last, because an unload removes it first. */
	section->repairs = state_dir_is_daemons(state_dirs[i], bpffs);
	section->pending = section->repairs;
	if (!section->repairs && (!section->damaged || section->logged_damage)) {
		/* Wait for the next check: an unload may be in progress. */
		section->damaged = true;
		return;
	}
	section->logged_damage = !section->repairs;
	log_begin(&line, LOG_LEVEL_WARNING, damage);
	log_field(&line, "section", "%s", config_section_names[i]);
	if (*pin)
		log_field(&line, "pin", "%s", pin);
	if (!section->repairs)
		log_field(
			&line, "hint",
			"a command loaded it last: load it again, or send SIGHUP to apply the file");
	log_end(&line);
}

static void log_unloaded(const char *section)
{
	struct log_line line;

	log_begin(&line, LOG_LEVEL_WARNING, "unloaded by another process");
	log_field(&line, "section", "%s", section);
	log_field(&line, "hint", "send SIGHUP to load it again");
	log_end(&line);
}

void sections_check_unloaded(struct sections *sections, int i)
{
	struct section *section = &sections->section[i];
	const char *bpffs = sections->file->config.location.bpffs;
	/* an error does not prove that the object is gone */
	bool exists = pins_exist(bpffs, config_section_names[i], &(struct err){ 0 }) != 0;

	if (!exists && !section->unloaded)
		log_unloaded(config_section_names[i]);
	section->unloaded = !exists;
}
