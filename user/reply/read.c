// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the state of the loaded object from its pins. */
#include "reply/reply.h"

#include "kernel/maps.h"
#include "kernel/meta.h"
#include "reply/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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

int reply_read(const char *bpffs, struct reply_state *state, struct err *err)
{
	int i, result = meta_read(&reply_state_dir, bpffs, &state->meta, err);

	if (result)
		return meta_not_loaded(&reply_state_dir, bpffs, result, err);
	state->hook_count = 0;
	for (i = 0; i < LINK_PINS; i++)
		if (!hook_read(bpffs, REPLY_OBJECT, link_pins[i], &state->hooks[state->hook_count]))
			state->hook_count++;
	return state_dir_counters(&reply_state_dir, bpffs, "sluice_counters", state->counters.value,
				  SLUICE_REPLY_COUNTERS_MAX, err);
}

bool reply_attached(const char *bpffs, const struct sluice_reply_meta *meta)
{
	static const char *const fixes[] = { PIN_LEARN,	   PIN_FIX4,	 PIN_FIX6,
					     PIN_CONNECT4, PIN_CONNECT6, NULL };
	static const char *const audits[] = { PIN_LEARN, PIN_AUDIT, PIN_CONNECT4, PIN_CONNECT6,
					      NULL };
	const char *const *pin = meta->mode == SLUICE_REPLY_SOCKET ? fixes : audits;
	struct hook_state hook;

	for (; *pin; pin++)
		if (hook_read(bpffs, REPLY_OBJECT, *pin, &hook) ||
		    hook.cgroup_id != meta->cgroup_id)
			return false;
	return true;
}

struct flow_visit {
	struct flow_table_usage *usage;
	reply_flow_fn fn;
	void *arg;
	__u64 age_ns;
	struct flow_table_clock clock;
};

static int set_visit(const void *copy, void *arg)
{
	const struct sluice_flow_set *set = copy;
	const struct flow_visit *visit = arg;
	__u32 way;

	for (way = 0; way < SLUICE_FLOW_WAYS; way++) {
		__u64 idle_ns = flow_table_idle_ns(&visit->clock, set->seen[way]);

		if (!set->tag[way])
			continue;
		if (idle_ns <= visit->age_ns)
			visit->usage->live++;
		else
			visit->usage->expired++;
		if (visit->fn)
			visit->fn(&set->flow[way], idle_ns, visit->arg);
	}
	return 0;
}

int reply_flows(const char *bpffs, struct flow_table_usage *usage, reply_flow_fn fn, void *arg,
		struct err *err)
{
	struct sluice_reply_meta meta;
	struct flow_visit visit = { .usage = usage, .fn = fn, .arg = arg };
	int result = meta_read(&reply_state_dir, bpffs, &meta, err), fd;

	if (result)
		return meta_not_loaded(&reply_state_dir, bpffs, result, err);
	fd = reply_table(bpffs, err);
	if (fd < 0)
		return fd;
	*usage = (struct flow_table_usage){
		.size = meta.sets * SLUICE_FLOW_WAYS,
		.bytes = (__u64)meta.sets * sizeof(struct sluice_flow_set),
	};
	visit.age_ns = meta.age_ns;
	result = flow_table_clock_read(&visit.clock);
	if (!result)
		result = flow_table_walk(fd, sizeof(struct sluice_flow_set), BPF_F_LOCK, set_visit,
					 &visit);
	close(fd);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "flow table: %s", strerror(-result));
	return 0;
}

int reply_table(const char *bpffs, struct err *err)
{
	return state_dir_map_open(&reply_state_dir, bpffs, "sluice_flows", BPF_MAP_TYPE_ARRAY,
				  sizeof(__u32), sizeof(struct sluice_flow_set), err);
}

__u32 reply_last_ifindex(int fd, const struct sluice_reply_meta *meta, __u64 cookie,
			 const struct sluice_audit *audit, const struct sluice_addr *peer,
			 __be16 peer_port_be)
{
	__u64 hash = sluice_flow_hash(meta->seed, audit->netns, audit->port, peer, peer_port_be, 0);
	__u32 way, index = sluice_flow_set_index(hash, map_entries(fd));
	struct sluice_flow_set set;

	if (fd < 0 || bpf_map_lookup_elem_flags(fd, &index, &set, BPF_F_LOCK))
		return 0;
	for (way = 0; way < SLUICE_FLOW_WAYS; way++)
		if (set.tag[way] && set.flow[way].cookie == cookie &&
		    set.flow[way].peer_port_be == peer_port_be &&
		    !memcmp(&set.flow[way].peer, peer, sizeof(*peer)))
			return set.flow[way].ifindex;
	return 0;
}

int reply_audits(const char *bpffs, reply_audit_fn fn, void *arg, struct err *err)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	struct sluice_audit *audits = NULL;
	struct sluice_reply_meta meta;
	__u64 *cookies = NULL;
	__u32 cursor = 0, i, count;
	int fd, result = meta_read(&reply_state_dir, bpffs, &meta, err);

	if (result)
		return meta_not_loaded(&reply_state_dir, bpffs, result, err);
	fd = state_dir_map_open(&reply_state_dir, bpffs, "sluice_audits", BPF_MAP_TYPE_LRU_HASH,
				sizeof(*cookies), sizeof(*audits), err);
	if (fd < 0)
		return fd;
	count = map_entries(fd);
	audits = calloc(count, sizeof(*audits));
	cookies = calloc(count, sizeof(*cookies));
	/*
	 * Read the whole table in one batch: a walk from key to key restarts when its current entry
	 * is deleted, and then returns other entries twice.
	 */
	if (!audits || !cookies ||
	    (bpf_map_lookup_batch(fd, NULL, &cursor, cookies, audits, &count, &opts) &&
	     errno != ENOENT))
		result = err_set(err, EXIT_ERROR, errno, "audit table: %s", strerror(errno));
	for (i = 0; !result && i < count; i++)
		fn(cookies[i], &audits[i], arg);
	free(audits);
	free(cookies);
	close(fd);
	return result;
}
