// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/metrics.h"

#include "kernel/links.h"
#include "kernel/pins.h"
#include "net/netdev.h"
#include "steer/cpu/consumers.h"
#include "steer/cpu/spread.h"
#include "steer/group/ended.h"
#include "steer/poll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Limit on the managed ports whose series exist before their first group. */
#define PORTS_ADDED 64

static const struct counter spread_counters[] = { SLUICE_SPREAD_COUNTERS(COUNTER) };

/* The programs of the groups, of policy cpu, and of the spread. */
static const char *const programs[] = { "sluice_steer", "sluice_steer_h", "sluice_recv4",
					"sluice_recv6", "sluice_spread",  "sluice_spread_g",
					"sluice_lost" };
#define PROGRAMS (sizeof(programs) / sizeof(*programs))

static const char *const states[POLL_STATES] = { NULL, "active", "retired", "draining", "drained" };

/* The groups of a port in a namespace, which differ in address or family. */
struct row {
	char netns[NAME_MAX + 1];
	unsigned int port;
	char port_text[12];
	__u64 groups;
	__u64 counters[STEER_COUNTERS];
	__u64 workers[POLL_STATES];
	__u64 flows, capacity;
};

struct rows {
	struct row *row;
	size_t count, room;
};

/* Adds a row. Returns it, or NULL if there is no room. */
static struct row *add_row(struct rows *rows, const char *netns, unsigned int port)
{
	struct row *row = &rows->row[rows->count];

	if (rows->count == rows->room)
		return NULL;
	rows->count++;
	*row = (struct row){ .port = port };
	snprintf(row->netns, sizeof(row->netns), "%s", netns);
	if (port)
		snprintf(row->port_text, sizeof(row->port_text), "%u", port);
	else
		strcpy(row->port_text, STEER_ENDED_OTHER);
	return row;
}

static void add_group(struct rows *rows, const struct poll_group *group)
{
	struct row *row = add_row(rows, group->netns, group->info.port);

	if (!row)
		return;
	row->groups = 1;
	row->flows = group->live;
	row->capacity = (__u64)group->info.sets * SLUICE_STEER_WAYS;
	memcpy(row->counters, group->counters, sizeof(row->counters));
	memcpy(row->workers, group->workers, sizeof(row->workers));
}

/*
 * Adds the sums of ended groups. Always adds the row STEER_ENDED_OTHER, so that each family has a
 * series from the start.
 */
static void add_ended(struct rows *rows, const struct steer_ended *ended, size_t count)
{
	struct row *row;
	size_t i;

	row = add_row(rows, STEER_ENDED_OTHER, 0);
	for (i = 0; row && i < count; i++) {
		row = add_row(rows, ended[i].netns, ended[i].port);
		if (row)
			memcpy(row->counters, ended[i].counters, sizeof(row->counters));
	}
}

static void add_ports(struct rows *rows, const struct sluice_steer_meta *meta)
{
	unsigned int port, added = 0;
	char netns[NAME_MAX + 1];

	if (meta->any_port)
		return;
	steer_netns_name(meta->netns ? meta->netns : (__u32)netdev_netns(), netns);
	for (port = 1; port < 65536 && added < PORTS_ADDED; port++)
		if (meta->ports[port >> 6] & 1ULL << (port & 63)) {
			add_row(rows, netns, port);
			added++;
		}
}

static int by_port(const void *a, const void *b)
{
	const struct row *left = a, *right = b;

	if (left->port != right->port)
		return left->port < right->port ? -1 : 1;
	return strcmp(left->netns, right->netns);
}

static void merge(struct row *into, const struct row *row)
{
	int i;

	into->groups += row->groups;
	into->flows += row->flows;
	into->capacity += row->capacity;
	for (i = 0; i < STEER_COUNTERS; i++)
		into->counters[i] += row->counters[i];
	for (i = 0; i < POLL_STATES; i++)
		into->workers[i] += row->workers[i];
}

/* Sorts the rows (at least one), and merges rows with the same port and namespace. */
static void sort(struct rows *rows)
{
	size_t i, kept = 0;

	qsort(rows->row, rows->count, sizeof(*rows->row), by_port);
	for (i = 1; i < rows->count; i++)
		if (by_port(&rows->row[kept], &rows->row[i]))
			rows->row[++kept] = rows->row[i];
		else
			merge(&rows->row[kept], &rows->row[i]);
	rows->count = kept + 1;
}

static void add_states(struct metrics *metrics, const struct rows *rows)
{
	const struct row *row;
	int i;

	metrics_family(metrics, METRICS_GAUGE, "sluice_steer_workers", NULL,
		       "sockets of the groups, by state; only active ones get new flows");
	for (row = rows->row; row < rows->row + rows->count; row++)
		for (i = SLUICE_STEER_ACTIVE; i < POLL_STATES; i++)
			metrics_add(metrics, row->workers[i], "netns", row->netns, "port",
				    row->port_text, "state", states[i], NULL);
}

static void add_gauge(struct metrics *metrics, const struct rows *rows, const char *name,
		      const char *help, size_t offset)
{
	const struct row *row;

	metrics_family(metrics, METRICS_GAUGE, name, NULL, help);
	for (row = rows->row; row < rows->row + rows->count; row++)
		metrics_add(metrics, *(const __u64 *)((const char *)row + offset), "netns",
			    row->netns, "port", row->port_text, NULL);
}

static void add_rows(struct metrics *metrics, const struct rows *rows)
{
	const struct row *row;
	char name[128];
	int i;

	add_gauge(metrics, rows, "sluice_steer_groups", "steered SO_REUSEPORT groups",
		  offsetof(struct row, groups));
	add_states(metrics, rows);
	add_gauge(metrics, rows, "sluice_steer_flows",
		  "live flows of the groups; in a large table, estimated from a part",
		  offsetof(struct row, flows));
	add_gauge(metrics, rows, "sluice_steer_flows_capacity",
		  "capacity of the flow tables of the groups", offsetof(struct row, capacity));
	for (i = 0; i < STEER_COUNTERS; i++) {
		snprintf(name, sizeof(name), "sluice_steer_%s", steer_counters[i].key);
		metrics_family(metrics, METRICS_COUNTER, name, NULL, steer_counters[i].help);
		for (row = rows->row; row < rows->row + rows->count; row++)
			metrics_add(metrics, row->counters[i], "netns", row->netns, "port",
				    row->port_text, NULL);
	}
}

/* --- programs and the spread */

static void add_program(struct metrics_objects *objects, const char *name, __u64 run_ns, __u64 runs)
{
	size_t i;

	for (i = 0; i < PROGRAMS; i++)
		if (!strcmp(name, programs[i]))
			objects_add_program(objects, STEER_OBJECT, programs[i], run_ns, runs);
}

/* Adds the program of a pinned link, if the link exists. */
static void add_pinned(struct metrics_objects *objects, const char *bpffs, const char *pin)
{
	int fd = pins_get(bpffs, STEER_OBJECT, pin, PINS_LINK);
	struct bpf_prog_info info;
	struct hook_link link;

	if (fd < 0)
		return;
	if (!hook_link_read(fd, &link) && !prog_info_by_id(link.prog_id, &info))
		add_program(objects, info.name, info.run_time_ns, info.run_cnt);
	close(fd);
}

/* Adds each program only once: the interfaces of a mode share it. */
static void add_spread(struct metrics *metrics, struct metrics_objects *objects, const char *bpffs)
{
	int cpus = libbpf_num_possible_cpus(), cpu;
	struct bpf_prog_info info;
	struct spread spread;
	char text[12];
	__u32 i, k;

	/* all counters are 0 if the spread is not loaded */
	spread_read(bpffs, &spread, &(struct err){ 0 });
	for (i = 0; i < spread.meta.link_count; i++) {
		for (k = 0; k < i && spread.prog_id[k] != spread.prog_id[i];)
			k++;
		if (k == i && !prog_info_by_id(spread.prog_id[i], &info))
			add_program(objects, info.name, info.run_time_ns, info.run_cnt);
	}
	metrics_counters(metrics, "sluice_steer_spread", spread_counters, spread.counters.value,
			 SLUICE_SPREAD_COUNTERS_MAX);
	metrics_family(metrics, METRICS_COUNTER, "sluice_steer_spread_cpu_datagrams", NULL,
		       "datagrams that the spread has assigned to each CPU");
	for (cpu = 0; cpu < cpus && cpu < SLUICE_SPREAD_CPUS; cpu++) {
		snprintf(text, sizeof(text), "%d", cpu);
		metrics_add(metrics, spread.sent[cpu], "cpu", text, NULL);
	}
}

void steer_metrics(struct steer_poll *poll, struct metrics *metrics,
		   struct metrics_objects *objects, const char *bpffs)
{
	int result = poll ? steer_poll_read(poll, bpffs) : -ENOMEM;
	size_t groups = result ? 0 : poll->count, ended_count, i;
	struct steer_ended *ended;
	__u64 live = 0, capacity = 0;
	struct rows rows = { NULL };

	for (i = 0; i < PROGRAMS; i++)
		add_program(objects, programs[i], 0, 0);
	ended_count = steer_ended_read(bpffs, &ended);
	rows.room = groups + ended_count + PORTS_ADDED + 1;
	rows.row = calloc(rows.room, sizeof(*rows.row));
	rows.room = rows.row ? rows.room : 0;
	add_ended(&rows, ended, ended_count);
	free(ended);
	if (!result)
		add_ports(&rows, &poll->meta);
	for (i = 0; i < groups; i++) {
		const struct poll_group *group = &poll->group[i];

		add_group(&rows, group);
		live += group->live;
		capacity += (__u64)group->info.sets * SLUICE_STEER_WAYS;
		add_program(objects, group->program, group->run_ns, group->runs);
	}
	objects_add(objects, STEER_OBJECT, result != -ENOENT, !result || result == -ENOENT);
	objects_add_table(objects, STEER_OBJECT, "flows", live, capacity,
			  capacity / SLUICE_STEER_WAYS * sizeof(struct sluice_steer_set));
	if (rows.count)
		sort(&rows);
	add_rows(metrics, &rows);
	free(rows.row);
	add_pinned(objects, bpffs, CONSUMERS_PIN_RECV4);
	add_pinned(objects, bpffs, CONSUMERS_PIN_RECV6);
	add_pinned(objects, bpffs, SPREAD_PIN_LOST);
	add_spread(metrics, objects, bpffs);
}
