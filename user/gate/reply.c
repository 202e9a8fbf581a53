// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Order of a load: check, open, share the maps that are pinned, verify, and only then touch what is
 * attached.  sluice_meta says SLUICE_LOADING in between, so that a loader that dies leaves a state
 * that the next one knows as unfinished.
 */
#include "reply.h"

#include "caps.h"
#include "feature.h"
#include "log.h"
#include "mounts.h"
#include "pins.h"
#include "plane.h"
#include "reply.skel.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#define PLANE		  "reply"
#define VERIFIER_LOG_SIZE (4 << 20)

/* The pins of this plane's links; a map's pin is the map's name. */
#define PIN_LEARN    "link_learn"
#define PIN_FIX4     "link_fix4"
#define PIN_FIX6     "link_fix6"
#define PIN_AUDIT    "link_audit"
#define PIN_CONNECT4 "link_connect4"
#define PIN_CONNECT6 "link_connect6"

static const struct plane plane = {
	.name = PLANE,
	.meta = "sluice_meta",
	.meta_size = sizeof(struct sluice_reply_meta),
	.abi = SLUICE_REPLY_ABI,
	.load = "sluice reply load --mode socket",
};

static const char *const link_pins[] = { PIN_LEARN, PIN_FIX4,	  PIN_FIX6,
					 PIN_AUDIT, PIN_CONNECT4, PIN_CONNECT6 };
#define LINK_PINS ((int)(sizeof(link_pins) / sizeof(*link_pins)))

const char *reply_mode_name(__u32 mode)
{
	return mode == SLUICE_REPLY_SOCKET ? "socket" : mode == SLUICE_REPLY_AUDIT ? "audit" : "?";
}

void reply_ports(const struct sluice_reply_meta *meta, struct ports *ports)
{
	ports->any = meta->any_port;
	memcpy(ports->bit, meta->ports, sizeof(ports->bit));
}

static __u32 flow_now(void)
{
	return sluice_flow_clock(plane_now_ns(CLOCK_MONOTONIC_COARSE));
}

/* --- what is loaded */

int reply_read(const char *bpffs, struct reply_state *state, struct err *err)
{
	int i, result = plane_meta_read(&plane, bpffs, &state->meta, err);

	if (result)
		return plane_not_loaded(&plane, bpffs, result, err);
	state->hook_count = 0;
	for (i = 0; i < LINK_PINS; i++)
		if (!hook_read(bpffs, PLANE, link_pins[i], &state->hooks[state->hook_count]))
			state->hook_count++;
	return plane_counters(&plane, bpffs, "sluice_counters", state->counters.value,
			      SLUICE_REPLY_COUNTERS_MAX, err);
}

int reply_cgroup_path(__u64 id, char path[PATH_MAX])
{
	char root[PATH_MAX], *const roots[] = { root, NULL };
	int result = mounts_cgroup2(root, sizeof(root));
	FTSENT *entry;
	FTS *tree;

	if (result)
		return result;
	tree = fts_open(roots, FTS_PHYSICAL | FTS_XDEV, NULL);
	if (!tree)
		return -errno;
	result = -ENOENT;
	while (result && (entry = fts_read(tree)))
		if (entry->fts_info == FTS_D && entry->fts_statp->st_ino == id) {
			snprintf(path, PATH_MAX, "%s", entry->fts_path);
			result = 0;
		}
	fts_close(tree);
	return result;
}

/* --- the table */

typedef int (*slot_fn)(const struct sluice_flow_set *set, __u32 way, void *arg);

struct slot_walk {
	slot_fn fn;
	void *arg;
};

static int set_visit(const void *copy, void *arg)
{
	const struct sluice_flow_set *set = copy;
	const struct slot_walk *walk = arg;
	int result = 0;
	__u32 way;

	for (way = 0; !result && way < SLUICE_FLOW_WAYS; way++)
		if (set->tag[way])
			result = walk->fn(set, way, walk->arg);
	return result;
}

static int sets_walk(int fd, slot_fn fn, void *arg)
{
	struct slot_walk walk = { fn, arg };

	return plane_sets_walk(fd, sizeof(struct sluice_flow_set), set_visit, &walk);
}

struct flow_visit {
	struct reply_fill *fill;
	reply_flow_fn fn;
	void *arg;
	__u32 now;
	__u32 age;
};

static int flow_visit(const struct sluice_flow_set *set, __u32 way, void *arg)
{
	struct flow_visit *visit = arg;
	__u32 idle = visit->now - set->seen[way];

	if ((__s32)idle < 0) /* heard while the table is being read */
		idle = 0;
	if (idle <= visit->age)
		visit->fill->live++;
	else
		visit->fill->expired++;
	if (visit->fn)
		visit->fn(&set->flow[way], (__u64)idle << SLUICE_FLOW_CLOCK_SHIFT, visit->arg);
	return 0;
}

int reply_flows(const char *bpffs, struct reply_fill *fill, reply_flow_fn fn, void *arg,
		struct err *err)
{
	struct flow_visit visit = { fill, fn, arg, flow_now(), 0 };
	struct sluice_reply_meta meta;
	int fd, result = plane_meta_read(&plane, bpffs, &meta, err);

	if (result)
		return plane_not_loaded(&plane, bpffs, result, err);
	fd = plane_map_open(&plane, bpffs, "sluice_flows", 4, sizeof(struct sluice_flow_set), err);
	if (fd < 0)
		return fd;
	*fill = (struct reply_fill){ .size = meta.sets * SLUICE_FLOW_WAYS };
	visit.age = sluice_flow_clock(meta.age_ns);
	result = sets_walk(fd, flow_visit, &visit);
	close(fd);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "flow table: %s", strerror(-result));
	return 0;
}

int reply_flows_fd(const char *bpffs, struct err *err)
{
	struct sluice_reply_meta meta;
	int result = plane_meta_read(&plane, bpffs, &meta, err);

	if (result)
		return plane_not_loaded(&plane, bpffs, result, err);
	return plane_map_open(&plane, bpffs, "sluice_flows", 4, sizeof(struct sluice_flow_set),
			      err);
}

int reply_audits(const char *bpffs, reply_audit_fn fn, void *arg, struct err *err)
{
	struct sluice_reply_meta meta;
	struct sluice_audit audit;
	__u64 cookie, *last = NULL;
	int fd, result = plane_meta_read(&plane, bpffs, &meta, err);

	if (result)
		return plane_not_loaded(&plane, bpffs, result, err);
	fd = plane_map_open(&plane, bpffs, "sluice_audits", sizeof(cookie), sizeof(audit), err);
	if (fd < 0)
		return fd;
	while (!bpf_map_get_next_key(fd, last, &cookie)) {
		if (!bpf_map_lookup_elem(fd, &cookie, &audit))
			fn(cookie, &audit, arg);
		last = &cookie;
	}
	close(fd);
	return 0;
}

/* --- load */

struct load {
	const struct reply_options *options;
	struct reply_bpf *skel;
	struct sluice_reply_meta before; /* magic 0: nothing was loaded */
	struct sluice_reply_meta after;
	int old_flows_fd; /* the table that gives way to one of another size, or -1 */
	char *verifier_log;
};

static const int caps_needed[] = { CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON };

static int check_place(const struct reply_options *options, struct err *err)
{
	int on = mounts_is_cgroup2(options->cgroup);

	if (on == 1)
		return 0;
	if (on < 0)
		err_set(err, EXIT_ERROR, -on, "cgroup %s: %s", options->cgroup, strerror(-on));
	else
		err_set(err, EXIT_ERROR, ENOTDIR, "cgroup %s: not on a cgroup2 file system",
			options->cgroup);
	return err_mend(err, on < 0 ? on : -ENOTDIR,
			"name a cgroup2 directory with --cgroup; 'sluice check' shows the root");
}

static void meta_fill(struct load *load)
{
	const struct reply_options *options = load->options;
	struct sluice_reply_meta *meta = &load->after;
	struct stat st = { 0 };

	stat(options->cgroup, &st);
	*meta = (struct sluice_reply_meta){
		.magic = SLUICE_MAGIC,
		.abi = SLUICE_REPLY_ABI,
		.state = SLUICE_LOADED,
		.mode = options->mode,
		.seed = load->before.seed,
		.age_ns = options->age_s * 1000000000ULL,
		.loaded_ns = plane_now_ns(CLOCK_REALTIME),
		.cgroup_id = st.st_ino,
		.sets = (options->table + SLUICE_FLOW_WAYS - 1) / SLUICE_FLOW_WAYS,
		.any_port = options->ports.any,
	};
	memcpy(meta->ports, options->ports.bit, sizeof(meta->ports));
	while (!meta->seed)
		if (getrandom(&meta->seed, sizeof(meta->seed), 0) < 0)
			meta->seed = plane_now_ns(CLOCK_MONOTONIC);
}

/* Kernels let programs on connect(2) ask who calls it only since 6.10. */
static bool connect_knows_process(void)
{
	return feature_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT,
			      BPF_FUNC_get_current_pid_tgid) == FEATURE_YES &&
	       feature_helper(BPF_PROG_TYPE_CGROUP_SOCK_ADDR, BPF_CGROUP_INET4_CONNECT,
			      BPF_FUNC_get_current_comm) == FEATURE_YES;
}

static void configure(struct load *load)
{
	const struct sluice_reply_meta *meta = &load->after;
	struct reply_bpf *skel = load->skel;
	bool fixes = meta->mode == SLUICE_REPLY_SOCKET;

	skel->rodata->seed = meta->seed;
	skel->rodata->age = sluice_flow_clock(meta->age_ns);
	skel->rodata->sets = meta->sets;
	skel->rodata->any_port = meta->any_port;
	skel->rodata->rdonly_cast = hooks_kernel_has("bpf_rdonly_cast");
	memcpy((void *)skel->rodata->ports, meta->ports, sizeof(meta->ports));
	bpf_program__set_autoload(skel->progs.sluice_fix4, fixes);
	bpf_program__set_autoload(skel->progs.sluice_fix6, fixes);
	bpf_program__set_autoload(skel->progs.sluice_audit, !fixes);
	bpf_program__set_autoload(skel->progs.sluice_connect4, !fixes);
	bpf_program__set_autoload(skel->progs.sluice_connect6, !fixes);
	skel->rodata->process_known = !fixes && connect_knows_process();
	bpf_map__set_max_entries(skel->maps.sluice_flows, meta->sets);
}

/* Takes over the maps that are pinned; a flow table of another size is made anew and filled later.
 */
static int share_maps(struct load *load, struct err *err)
{
	const char *bpffs = load->options->bpffs;
	struct bpf_map *map;

	if (!load->before.magic)
		return 0;
	bpf_object__for_each_map(map, load->skel->obj) {
		int result = 0, fd;

		if (bpf_map__is_internal(map))
			continue;
		fd = pins_get(bpffs, PLANE, bpf_map__name(map));
		if (fd >= 0 && map == load->skel->maps.sluice_flows &&
		    load->before.sets != load->after.sets) {
			load->old_flows_fd = fd;
			continue;
		}
		if (fd >= 0)
			result = bpf_map__reuse_fd(map, fd);
		if (fd >= 0)
			close(fd);
		if (result)
			return err_set(err, EXIT_ERROR, -result, "%s/" PLANE "/%s: %s", bpffs,
				       bpf_map__name(map), strerror(-result));
	}
	return 0;
}

static int verify(struct load *load, struct err *err)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts, .kernel_log_size = VERIFIER_LOG_SIZE);
	int result;

	load->verifier_log = calloc(1, VERIFIER_LOG_SIZE);
	opts.kernel_log_buf = load->verifier_log;
	load->skel = load->verifier_log ? reply_bpf__open_opts(&opts) : NULL;
	if (!load->skel)
		return err_set(err, EXIT_ERROR, ENOMEM, "reply programs: %s", strerror(errno));
	configure(load);
	result = share_maps(load, err);
	if (result)
		return result;
	result = reply_bpf__load(load->skel);
	return result ? hooks_load_error("reply programs", -result, load->verifier_log, err) : 0;
}

static void report(const struct load *load, struct reply_result *result)
{
	struct bpf_program *prog;

	result->count = 0;
	bpf_object__for_each_program(prog, load->skel->obj) {
		struct reply_prog *entry = &result->progs[result->count];
		struct bpf_prog_info info = { 0 };
		__u32 length = sizeof(info);

		if (!bpf_program__autoload(prog))
			continue;
		bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &length);
		snprintf(entry->name, sizeof(entry->name), "%s", bpf_program__name(prog));
		entry->attach_type = bpf_program__expected_attach_type(prog);
		entry->verified_insns = info.verified_insns;
		result->count++;
	}
}

static int meta_write(const struct load *load, const struct sluice_reply_meta *meta,
		      enum sluice_load_state state, struct err *err)
{
	return plane_meta_write(&plane, bpf_map__fd(load->skel->maps.sluice_meta), meta, state,
				err);
}

struct move {
	const struct load *load;
	__u32 now;
	__u32 most_idle; /* flows idle for longer are left behind, or are there already */
};

/* The slot that the flow has or may take in its new set; SLUICE_FLOW_WAYS if all are newer. */
static __u32 slot_for(const struct sluice_flow_set *set, const struct sluice_flow *flow, __u16 tag,
		      __u32 idle, __u32 now)
{
	__u32 way, slot = SLUICE_FLOW_WAYS;
	__u64 most = idle;

	for (way = 0; way < SLUICE_FLOW_WAYS; way++) {
		const struct sluice_flow *there = &set->flow[way];
		__u64 there_idle = set->tag[way] ? now - set->seen[way] : 1ULL << 32;

		if (set->tag[way] == tag && there->cookie == flow->cookie &&
		    there->peer_port_be == flow->peer_port_be &&
		    !memcmp(&there->peer, &flow->peer, sizeof(flow->peer)))
			return there_idle > idle ? way : SLUICE_FLOW_WAYS;
		if (there_idle > most) {
			most = there_idle;
			slot = way;
		}
	}
	return slot;
}

static int flow_move(const struct sluice_flow_set *from, __u32 from_way, void *arg)
{
	const struct move *move = arg;
	const struct sluice_reply_meta *meta = &move->load->after;
	const struct sluice_flow *flow = &from->flow[from_way];
	int fd = bpf_map__fd(move->load->skel->maps.sluice_flows);
	__u64 hash = sluice_flow_hash(meta->seed, flow->cookie, &flow->peer, flow->peer_port_be);
	__u32 idle = move->now - from->seen[from_way];
	__u32 way, index = sluice_flow_set_index(hash, meta->sets);
	struct sluice_flow_set set;

	if ((__s32)idle < 0)
		idle = 0;
	if (idle > move->most_idle)
		return 0;
	if (bpf_map_lookup_elem_flags(fd, &index, &set, BPF_F_LOCK))
		return -errno;
	way = slot_for(&set, flow, sluice_flow_tag(hash), idle, move->now);
	if (way == SLUICE_FLOW_WAYS)
		return 0;
	set.flow[way] = *flow;
	set.tag[way] = sluice_flow_tag(hash);
	set.seen[way] = from->seen[from_way];
	return bpf_map_update_elem(fd, &index, &set, BPF_EXIST | BPF_F_LOCK) ? -errno : 0;
}

/*
 * A table of another size is filled from the old one before any program uses it.  Then a second
 * sluice_learn fills it beside the first, and what was heard meanwhile follows: so no program ever
 * looks into a table that lacks a flow.
 */
static int change_table(struct load *load, struct bpf_link **bridge, struct err *err)
{
	struct move move = { load, flow_now(), sluice_flow_clock(load->after.age_ns) };
	__u32 start = move.now;
	int cgroup_fd = open(load->options->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int result = sets_walk(load->old_flows_fd, flow_move, &move);

	if (!result) {
		*bridge = bpf_program__attach_cgroup(load->skel->progs.sluice_learn, cgroup_fd);
		move.now = flow_now();
		move.most_idle = move.now - start + 1;
		result = *bridge ? sets_walk(load->old_flows_fd, flow_move, &move) : -errno;
	}
	if (cgroup_fd >= 0)
		close(cgroup_fd);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "flow table: moving it: %s",
			       strerror(-result));
	return 0;
}

static int table_swap_pin(const struct load *load, struct err *err)
{
	char fresh[PATH_MAX], path[PATH_MAX];
	const char *bpffs = load->options->bpffs;

	pins_path(bpffs, PLANE, "sluice_flows_new", fresh);
	pins_path(bpffs, PLANE, "sluice_flows", path);
	unlink(fresh);
	if (bpf_obj_pin(bpf_map__fd(load->skel->maps.sluice_flows), fresh) || rename(fresh, path))
		return err_set(err, EXIT_ERROR, errno, "pin %s: %s", path, strerror(errno));
	return 0;
}

static int attach(struct load *load, struct err *err)
{
	bool fixes = load->after.mode == SLUICE_REPLY_SOCKET;
	struct hook hooks[] = {
		/* Learning last: a reply must never be fixed from a table that is not filled. */
		{ PIN_FIX4, load->skel->progs.sluice_fix4, fixes },
		{ PIN_FIX6, load->skel->progs.sluice_fix6, fixes },
		{ PIN_AUDIT, load->skel->progs.sluice_audit, !fixes },
		{ PIN_CONNECT4, load->skel->progs.sluice_connect4, !fixes },
		{ PIN_CONNECT6, load->skel->progs.sluice_connect6, !fixes },
		{ PIN_LEARN, load->skel->progs.sluice_learn, true },
	};

	return hooks_apply_cgroup(load->options->bpffs, PLANE, load->options->cgroup, hooks,
				  sizeof(hooks) / sizeof(*hooks), err);
}

/* Changes the kernel; all that can be verified beforehand has been. */
static int commit(struct load *load, struct err *err)
{
	bool fresh = !load->before.magic;
	struct bpf_link *bridge = NULL;
	int result = plane_pin_maps(&plane, load->options->bpffs, load->skel->obj, err);

	if (!result)
		result = meta_write(load, fresh ? &load->after : &load->before, SLUICE_LOADING,
				    err);
	if (!result && load->old_flows_fd >= 0)
		result = change_table(load, &bridge, err);
	if (!result)
		result = attach(load, err);
	if (!result && load->old_flows_fd >= 0)
		result = table_swap_pin(load, err);
	if (!result)
		result = meta_write(load, &load->after, SLUICE_LOADED, err);
	bpf_link__destroy(bridge);
	if (result && fresh)
		pins_remove(load->options->bpffs, PLANE, &(struct err){ 0 });
	else if (result)
		meta_write(load, &load->before, load->before.state, &(struct err){ 0 });
	return result;
}

/* What stands there: nothing, a load to update, or remains to clear. */
static int inspect(struct load *load, enum reply_outcome *outcome, struct err *err)
{
	const char *bpffs = load->options->bpffs;
	int result = plane_meta_read(&plane, bpffs, &load->before, err);

	*outcome = REPLY_LOADED;
	if (result == -ENOENT || result == -EUCLEAN)
		load->before = (struct sluice_reply_meta){ 0 };
	else if (result)
		return result;
	else
		*outcome = load->before.state == SLUICE_LOADED ? REPLY_UPDATED : REPLY_RECOVERED;
	if (result != -EUCLEAN)
		return 0;
	*outcome = REPLY_RECOVERED;
	if (load->options->dry_run)
		return 0;
	result = pins_remove(bpffs, PLANE, err);
	return result < 0 ? result : 0;
}

static int load_locked(struct load *load, struct reply_result *result, struct err *err)
{
	int failed = inspect(load, &result->outcome, err);

	if (failed)
		return failed;
	meta_fill(load);
	failed = verify(load, err);
	if (failed)
		return failed;
	report(load, result);
	if (load->options->dry_run) {
		result->outcome = REPLY_VERIFIED;
		return 0;
	}
	return commit(load, err);
}

int reply_load(const struct reply_options *options, struct reply_result *result, struct err *err)
{
	struct load load = { .options = options, .old_flows_fd = -1 };
	struct pins pins;
	int failed;

	failed = caps_require("reply load", caps_needed, sizeof(caps_needed) / sizeof(*caps_needed),
			      err);
	if (!failed)
		failed = check_place(options, err);
	if (!failed)
		failed = pins_lock(&pins, options->bpffs, true, err);
	if (failed)
		return failed;
	failed = load_locked(&load, result, err);
	reply_bpf__destroy(load.skel);
	free(load.verifier_log);
	if (load.old_flows_fd >= 0)
		close(load.old_flows_fd);
	pins_unlock(&pins);
	return failed;
}

int reply_unload(const char *bpffs, struct err *err)
{
	int result = pins_exist(bpffs, PLANE, err);
	struct pins pins;

	if (result <= 0)
		return result;
	result = pins_lock(&pins, bpffs, false, err);
	if (result)
		return result;
	result = pins_remove(bpffs, PLANE, err);
	pins_unlock(&pins);
	return result;
}
