// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold/hold.h"

#include "base/clock.h"
#include "bpf/hold/hold.skel.h"
#include "hold/needs.h"
#include "hold/pins.h"
#include "kernel/load_outcome.h"
#include "kernel/mounts.h"
#include "kernel/object.h"
#include "kernel/pins_lock.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

/*
 * Returns the memory of a hash table, in bytes, as htab_map_mem_usage() computes it: buckets and
 * preallocated elements.
 */
static __u64 hash_bytes(__u32 entries, size_t element)
{
	__u64 buckets = 1;

	while (buckets < entries)
		buckets *= 2;
	return buckets * 16 + entries * element;
}

__u64 hold_table_bytes(__u32 flows)
{
	__u32 entries = flows + 1;

	return entries * (sizeof(struct sluice_hold_flow) + sizeof(struct sluice_hold_kept)) +
	       hash_bytes(entries, 48 + sizeof(struct sluice_hold_key) + 8) +
	       hash_bytes(entries, 48 + sizeof(__u64) + 8) + hash_bytes(entries, 0);
}

struct load {
	const struct hold_options *options;
	struct hold_bpf *skel;
	struct sluice_hold_meta before; /* magic 0: nothing was loaded */
	struct sluice_hold_meta after;
};

static void configure(struct load *load)
{
	const struct hold_options *options = load->options;
	struct sluice_hold_meta *meta = &load->after;
	struct hold_bpf *skel = load->skel;
	struct stat st = { 0 };

	stat(options->cgroup, &st);
	*meta = (struct sluice_hold_meta){
		.magic = SLUICE_MAGIC,
		.abi = SLUICE_HOLD_ABI,
		.state = SLUICE_LOADED,
		.netns = options->netns,
		.seed = object_seed(load->before.seed),
		.max_ns = options->max_s * 1000000000ULL,
		.loaded_ns = clock_now_ns(CLOCK_BOOTTIME),
		.cgroup_id = st.st_ino,
		.table = options->table,
		.any_port = options->ports.any,
	};
	memcpy(meta->ports, options->ports.bit, sizeof(meta->ports));
	skel->rodata->netns = meta->netns;
	skel->rodata->max_ns = meta->max_ns;
	skel->rodata->table = meta->table;
	skel->rodata->any_port = meta->any_port;
	memcpy((void *)skel->rodata->ports, meta->ports, sizeof(meta->ports));
	/* all tables have the same size, so that a different size replaces all of them */
	bpf_map__set_max_entries(skel->maps.sluice_flows, meta->table + 1);
	bpf_map__set_max_entries(skel->maps.sluice_kept, meta->table + 1);
	bpf_map__set_max_entries(skel->maps.sluice_index, meta->table + 1);
	bpf_map__set_max_entries(skel->maps.sluice_socks, meta->table + 1);
	bpf_map__set_max_entries(skel->maps.sluice_netns, meta->table + 1);
}

static int attach(void *arg, struct err *err)
{
	struct load *load = arg;
	struct hook hooks[] = {
		/* attach this first: it must see the close of each tracked socket */
		{ PIN_CLOSED, load->skel->progs.sluice_closed, true },
		{ PIN_OUT, load->skel->progs.sluice_hold_out, true },
		{ PIN_IN, load->skel->progs.sluice_hold_in, true },
	};

	return links_apply_cgroup(load->options->bpffs, HOLD_OBJECT, load->options->cgroup, hooks,
				  sizeof(hooks) / sizeof(*hooks), err);
}

/*
 * Returns true if the cgroup was removed. The kernel detaches the links of a removed cgroup when
 * its last socket is closed; the process of this socket may have moved to another cgroup.
 */
static bool cgroup_is_gone(const struct load *load)
{
	struct hook_state hook = { .cgroup_id = 0 };
	char path[PATH_MAX];

	hook_read(load->options->bpffs, HOLD_OBJECT, PIN_CLOSED, &hook);
	return !hook.cgroup_id && mounts_cgroup2_path(load->before.cgroup_id, path) == -ENOENT;
}

/*
 * Refuses a change of the cgroup: the programs would no longer see sockets of the current cgroup
 * close, and the daemon would send keepalives for closed sockets.
 */
static int check_cgroup(const struct load *load, struct err *err)
{
	struct stat st = { 0 };

	if (!load->before.magic || stat(load->options->cgroup, &st) ||
	    load->before.cgroup_id == st.st_ino || cgroup_is_gone(load))
		return 0;
	return err_hint(err,
			err_set(err, EXIT_CONFLICT, EBUSY,
				"hold is attached to a cgroup other than %s",
				load->options->cgroup),
			"run 'sluice hold unload' first; tracking then starts with an empty table");
}

/* Returns true if the program that detects closed sockets was detached. */
static bool has_missed_closes(const struct load *load)
{
	struct hook_state hook = { .cgroup_id = 0 };

	if (!load->before.magic)
		return false;
	hook_read(load->options->bpffs, HOLD_OBJECT, PIN_CLOSED, &hook);
	return hook.cgroup_id != load->before.cgroup_id;
}

static void list_programs(const struct load *load, struct hold_result *result)
{
	struct bpf_program *prog;

	result->count = 0;
	bpf_object__for_each_program(prog, load->skel->obj) {
		struct hold_prog *entry = &result->progs[result->count++];
		struct bpf_prog_info info;

		prog_info_by_fd(bpf_program__fd(prog), &info);
		snprintf(entry->name, sizeof(entry->name), "%s", bpf_program__name(prog));
		entry->attach_type = bpf_program__expected_attach_type(prog);
		entry->verified_insns = info.verified_insns;
	}
}

/* Returns true if both loads have the same settings. */
static bool is_same_record(const struct sluice_hold_meta *before,
			   const struct sluice_hold_meta *after)
{
	struct sluice_hold_meta same = *before;

	same.loaded_ns = after->loaded_ns;
	return before->magic && !memcmp(&same, after, sizeof(same));
}

static int load_locked(struct load *load, struct object *object, struct hold_result *result,
		       struct err *err)
{
	const struct object_steps steps = { .attach = attach, .arg = load };
	static const char *const tables[] = { "sluice_flows", "sluice_index", "sluice_socks",
					      "sluice_netns", "sluice_kept",  NULL };
	int failed = object_inspect(object, err);

	if (!failed)
		failed = check_cgroup(load, err);
	if (failed)
		return failed;
	result->outcome = object->outcome;
	result->before = load->before;
	result->replaces = object->replaces;
	result->missed_closes = has_missed_closes(load);
	if (result->missed_closes)
		object->fresh = tables;
	load->skel = hold_bpf__open_opts(object_open_opts(object));
	if (load->skel)
		configure(load);
	failed = object_verify(object, load->skel ? load->skel->skeleton : NULL, err);
	if (failed)
		return failed;
	list_programs(load, result);
	result->as_before = is_same_record(&load->before, &load->after) && !object->lost &&
			    hold_attached(load->options->bpffs, &load->before);
	if (load->options->dry_run) {
		result->outcome = LOAD_VERIFIED;
		return 0;
	}
	return object_commit(object, &steps, err);
}

int hold_load(const struct hold_options *options, struct hold_result *result, struct err *err)
{
	struct load load = { .options = options };
	struct object object = {
		.state_dir = &hold_state_dir,
		.dir = options->bpffs,
		.what = "hold programs",
		.before = &load.before,
		.after = &load.after,
		.dry_run = options->dry_run,
		.by_daemon = options->by_daemon,
	};
	struct pins pins;
	int failed = hold_caps_require(err);

	if (!failed)
		failed = mounts_need_cgroup2(options->cgroup, err);
	if (failed)
		return failed;
	result->outcome = LOAD_LEFT;
	failed = pins_lock(&pins, options->bpffs, !options->follows, err);
	if (failed)
		return options->follows && failed == -ENOENT ? 0 : failed;
	if (!options->follows || state_dir_is_daemons(&hold_state_dir, options->bpffs))
		failed = load_locked(&load, &object, result, err);
	hold_bpf__destroy(load.skel);
	object_end(&object);
	pins_unlock(&pins);
	return failed;
}
