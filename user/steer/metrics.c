// SPDX-License-Identifier: GPL-2.0-or-later
#include "steer/metrics.h"

#include "net/netdev.h"
#include "steer/poll.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Limit on managed ports that have series before they have a group. */
#define PORTS_ADDED 64

static const char *const states[POLL_STATES] = { NULL, "active", "retired", "draining", "drained" };

/* The groups of a port in a namespace, which differ in address and family. */
struct row {
	char netns[NAME_MAX + 1];
	unsigned int port;
	char port_text[8];
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
	snprintf(row->port_text, sizeof(row->port_text), "%u", port);
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

static void add_ports(struct rows *rows, const struct sluice_steer_meta *meta)
{
	unsigned int port, added = 0;
	char netns[NAME_MAX + 1];

	if (meta->any_port)
		return;
	steer_poll_netns(meta->netns ? meta->netns : (__u32)netdev_netns(), netns);
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

/* Sorts the rows, and merges rows with the same port and namespace. */
static void sort(struct rows *rows)
{
	size_t i, kept = 0;

	qsort(rows->row, rows->count, sizeof(*rows->row), by_port);
	for (i = 1; i < rows->count; i++)
		if (by_port(&rows->row[kept], &rows->row[i]))
			rows->row[++kept] = rows->row[i];
		else
			merge(&rows->row[kept], &rows->row[i]);
	rows->count = rows->count ? kept + 1 : 0;
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

void steer_metrics(struct steer_poll *poll, struct metrics *metrics,
		   struct metrics_objects *objects, const char *bpffs)
{
	int result = poll ? steer_poll_read(poll, bpffs) : -ENOMEM;
	__u64 live = 0, capacity = 0;
	struct rows rows = { NULL };
	size_t i;

	objects_add_program(objects, STEER_OBJECT, "sluice_steer", 0, 0);
	objects_add_program(objects, STEER_OBJECT, "sluice_steer_h", 0, 0);
	if (!result) {
		rows.room = poll->count + PORTS_ADDED;
		rows.row = calloc(rows.room, sizeof(*rows.row));
		rows.room = rows.row ? rows.room : 0;
		add_ports(&rows, &poll->meta);
	}
	for (i = 0; !result && i < poll->count; i++) {
		const struct poll_group *group = &poll->group[i];
		bool has_helpers = !strcmp(group->program, "sluice_steer_h");

		add_group(&rows, group);
		live += group->live;
		capacity += (__u64)group->info.sets * SLUICE_STEER_WAYS;
		objects_add_program(objects, STEER_OBJECT,
				    has_helpers ? "sluice_steer_h" : "sluice_steer", group->run_ns,
				    group->runs);
	}
	objects_add(objects, STEER_OBJECT, result != -ENOENT, !result || result == -ENOENT);
	objects_add_table(objects, STEER_OBJECT, "flows", live, capacity,
			  capacity / SLUICE_STEER_WAYS * sizeof(struct sluice_steer_set));
	if (rows.row)
		sort(&rows);
	add_rows(metrics, &rows);
	free(rows.row);
}
