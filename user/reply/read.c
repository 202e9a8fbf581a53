// SPDX-License-Identifier: GPL-2.0-or-later
/* What the reply plane's pins say, for those who look at it. */
#include "reply/reply.h"

#include "base/mounts.h"
#include "kernel/pins.h"
#include "reply/pins.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <fts.h>
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
	int i, result = plane_meta_read(&reply_plane, bpffs, &state->meta, err);

	if (result)
		return plane_not_loaded(&reply_plane, bpffs, result, err);
	state->hook_count = 0;
	for (i = 0; i < LINK_PINS; i++)
		if (!hook_read(bpffs, REPLY_PLANE, link_pins[i], &state->hooks[state->hook_count]))
			state->hook_count++;
	return plane_counters(&reply_plane, bpffs, "sluice_counters", state->counters.value,
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

struct flow_visit {
	struct flow_table_usage *fill;
	reply_flow_fn fn;
	void *arg;
	const struct sluice_reply_meta *meta;
	int newer_fd; /* of a previous table: flows that the newer one has, too, are not counted */
	__u32 newer_sets;
	__u32 now;
	__u32 age;
};

static int flow_visit(const struct sluice_flow_set *set, __u32 way, void *arg)
{
	struct flow_visit *visit = arg;
	__u32 idle = sluice_flow_idle(visit->now, set->seen[way]);

	/* What a previous table has is there for as long as it is of use. */
	if (visit->newer_fd >= 0 &&
	    (idle > visit->age || reply_table_has(visit->newer_fd, visit->meta->seed,
						  visit->newer_sets, &set->flow[way])))
		return 0;
	if (idle <= visit->age)
		visit->fill->live++;
	else
		visit->fill->expired++;
	if (visit->fn)
		visit->fn(&set->flow[way], (__u64)idle << SLUICE_FLOW_CLOCK_SHIFT, visit->arg);
	return 0;
}

int reply_flows(const char *bpffs, struct flow_table_usage *fill, reply_flow_fn fn, void *arg,
		struct err *err)
{
	struct sluice_reply_meta meta;
	struct flow_visit visit = { fill, fn, arg, &meta, -1, 0, reply_flow_now(), 0 };
	int fd, previous, result = plane_meta_read(&reply_plane, bpffs, &meta, err);

	if (result)
		return plane_not_loaded(&reply_plane, bpffs, result, err);
	fd = plane_map_open(&reply_plane, bpffs, "sluice_flows", 4, sizeof(struct sluice_flow_set),
			    err);
	if (fd < 0)
		return fd;
	*fill = (struct flow_table_usage){ .size = meta.sets * SLUICE_FLOW_WAYS };
	visit.age = sluice_flow_clock(meta.age_ns);
	result = reply_slots_walk(fd, flow_visit, &visit);
	previous = pins_get(bpffs, REPLY_PLANE, "sluice_previous");
	visit.newer_fd = fd;
	visit.newer_sets = plane_map_entries(fd);
	if (!result && previous >= 0 &&
	    plane_map_has_size(previous, 4, sizeof(struct sluice_flow_set)))
		result = reply_slots_walk(previous, flow_visit, &visit);
	if (previous >= 0)
		close(previous);
	close(fd);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "flow table: %s", strerror(-result));
	return 0;
}

int reply_tables(const char *bpffs, int fd[2], struct err *err)
{
	struct sluice_reply_meta meta;
	int result = plane_meta_read(&reply_plane, bpffs, &meta, err);

	if (result)
		return plane_not_loaded(&reply_plane, bpffs, result, err);
	fd[0] = plane_map_open(&reply_plane, bpffs, PIN_FLOWS, 4, sizeof(struct sluice_flow_set),
			       err);
	if (fd[0] < 0)
		return fd[0];
	fd[1] = plane_map_open(&reply_plane, bpffs, PIN_PREVIOUS, 4, sizeof(struct sluice_flow_set),
			       &(struct err){ 0 });
	return 0;
}

__u32 reply_heard_by(const int fd[2], const struct sluice_reply_meta *meta, __u64 cookie,
		     const struct sluice_addr *peer, __be16 peer_port_be)
{
	struct sluice_flow flow = { .cookie = cookie, .peer = *peer, .peer_port_be = peer_port_be };
	int i;

	for (i = 0; i < 2; i++)
		if (fd[i] >= 0 &&
		    reply_table_find(fd[i], meta->seed, plane_map_entries(fd[i]), &flow))
			return flow.ifindex;
	return 0;
}

/*
 * All at once: a walk from key to key would begin anew whenever the entry it stands on goes, and
 * tell of others twice.
 */
static int audits_walk(int fd, reply_audit_fn fn, void *arg)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	__u32 cursor = 0, i, count = plane_map_entries(fd);
	struct sluice_audit *audits = calloc(count, sizeof(*audits));
	__u64 *cookies = calloc(count, sizeof(*cookies));
	int result = audits && cookies ? 0 : -ENOMEM;

	if (!result && bpf_map_lookup_batch(fd, NULL, &cursor, cookies, audits, &count, &opts) &&
	    errno != ENOENT)
		result = -errno;
	for (i = 0; !result && i < count; i++)
		fn(cookies[i], &audits[i], arg);
	free(audits);
	free(cookies);
	return result;
}

int reply_audits(const char *bpffs, reply_audit_fn fn, void *arg, struct err *err)
{
	struct sluice_reply_meta meta;
	int fd, result = plane_meta_read(&reply_plane, bpffs, &meta, err);

	if (result)
		return plane_not_loaded(&reply_plane, bpffs, result, err);
	fd = plane_map_open(&reply_plane, bpffs, "sluice_audits", sizeof(__u64),
			    sizeof(struct sluice_audit), err);
	if (fd < 0)
		return fd;
	result = audits_walk(fd, fn, arg);
	close(fd);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "audit table: %s", strerror(-result));
	return 0;
}
