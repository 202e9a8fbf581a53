// SPDX-License-Identifier: GPL-2.0-or-later
#include "kernel/meta.h"

#include "base/log.h"
#include "kernel/maps.h"
#include "kernel/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

bool meta_head(const struct state_dir *sd, const char *bpffs, void *head, size_t size)
{
	int fd = pins_get(bpffs, sd->name, sd->meta, PINS_MAP);
	struct bpf_map_info info = { 0 };
	__u32 length = sizeof(info), zero = 0;
	struct sluice_meta *record;
	bool is_ours = false;

	if (fd < 0)
		return false;
	if (!bpf_obj_get_info_by_fd(fd, &info, &length) && info.type == BPF_MAP_TYPE_ARRAY &&
	    info.key_size == sizeof(zero) && info.value_size >= size) {
		record = malloc(info.value_size);
		is_ours = record && !bpf_map_lookup_elem(fd, &zero, record) &&
			  record->magic == SLUICE_MAGIC;
		if (is_ours)
			memcpy(head, record, size);
		free(record);
	}
	close(fd);
	return is_ours;
}

/* Returns the ABI version of the record, or 0 if it is unknown. */
static __u32 record_abi(const struct state_dir *sd, const char *bpffs)
{
	struct sluice_meta head;

	return meta_head(sd, bpffs, &head, sizeof(head)) ? head.abi : 0;
}

__u32 meta_other_abi(const struct state_dir *sd, const char *bpffs)
{
	__u32 abi = record_abi(sd, bpffs);

	return abi == sd->abi ? 0 : abi;
}

void meta_warn_replaced(const struct state_dir *sd, __u32 other_abi, bool dry_run)
{
	log_warning("%s: another version of sluice has loaded it (ABI %u, this is ABI %u), and this"
		    " load %s it: %s",
		    sd->name, other_abi, sd->abi, dry_run ? "would replace" : "replaces", sd->lost);
}

int meta_refuse_abi(const struct state_dir *sd, const char *bpffs, struct err *err)
{
	__u32 abi = record_abi(sd, bpffs);
	char known[48] = "";

	if (abi)
		snprintf(known, sizeof(known), " (ABI %u, this is ABI %u)", abi, sd->abi);
	err_set(err, EXIT_CONFLICT, EPROTO, "%s/%s: pinned by another version of sluice%s", bpffs,
		sd->name, known);
	if (abi && abi != sd->abi)
		return err_hint(err, -EPROTO,
				"'%s …' replaces it (--dry-run shows what is lost), 'sluice"
				" cleanup' removes it",
				sd->load);
	return err_hint(err, -EPROTO,
			"'sluice cleanup' removes it, whatever its version; then load again");
}

int meta_pin_error(const struct state_dir *sd, const char *bpffs, const char *name, int error,
		   struct err *err)
{
	if (error == -EMEDIUMTYPE)
		return meta_refuse_abi(sd, bpffs, err);
	err_set(err, EXIT_ERROR, -error, "%s/%s/%s: %s", bpffs, sd->name, name, strerror(-error));
	return error == -ENOENT ? err_hint(err, error, "'%s …' pins it again", sd->load) : error;
}

static bool lacks_vital(const struct state_dir *sd, const char *bpffs)
{
	const char *const *name = sd->vital;
	char path[PATH_MAX];

	for (; name && *name; name++)
		if (access(pins_path(bpffs, sd->name, *name, path), F_OK) && errno == ENOENT)
			return true;
	return false;
}

int meta_read(const struct state_dir *sd, const char *bpffs, void *meta, struct err *err)
{
	const struct sluice_meta *head = meta;
	__u32 zero = 0;
	int fd, result = pins_exist(bpffs, sd->name, err);

	if (result <= 0)
		return result ? result : -ENOENT;
	fd = pins_get(bpffs, sd->name, sd->meta, PINS_MAP);
	if (fd == -ENOENT)
		return -EUCLEAN;
	if (fd < 0)
		return meta_pin_error(sd, bpffs, sd->meta, fd, err);
	if (!map_is(fd, BPF_MAP_TYPE_ARRAY, sizeof(zero), sd->meta_size))
		result = meta_refuse_abi(sd, bpffs, err);
	else if (bpf_map_lookup_elem(fd, &zero, meta))
		result = err_set(err, EXIT_ERROR, errno, "%s/%s/%s: %s", bpffs, sd->name, sd->meta,
				 strerror(errno));
	else if (head->magic && (head->magic != SLUICE_MAGIC || head->abi != sd->abi))
		result = meta_refuse_abi(sd, bpffs, err);
	else
		result = !head->magic || lacks_vital(sd, bpffs) ? -EUCLEAN : 0;
	if (result)
		memset(meta, 0, sd->meta_size);
	close(fd);
	return result;
}

int meta_not_loaded(const struct state_dir *sd, const char *bpffs, int why, struct err *err)
{
	if (why == -EUCLEAN)
		return err_hint(err,
				err_set(err, EXIT_ERROR, EUCLEAN,
					"%s/%s: remains of an interrupted load", bpffs, sd->name),
				"'%s …' replaces them, 'sluice cleanup' removes them", sd->load);
	if (why == -ENOENT)
		return err_hint(err,
				err_set(err, EXIT_ERROR, ENOENT, "%s is not loaded (no %s/%s)",
					sd->name, bpffs, sd->name),
				"load it with '%s'", sd->load);
	return why;
}

int meta_write(const struct state_dir *sd, int fd, const void *meta, __u32 state, struct err *err)
{
	struct sluice_meta *copy = malloc(sd->meta_size);
	__u32 zero = 0;
	int result = -ENOMEM;

	if (copy) {
		memcpy(copy, meta, sd->meta_size);
		copy->state = state;
		result = bpf_map_update_elem(fd, &zero, copy, BPF_ANY) ? -errno : 0;
		free(copy);
	}
	return result ? err_set(err, EXIT_ERROR, -result, "%s: %s", sd->meta, strerror(-result))
		      : 0;
}
