// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics/objects.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

void objects_add(struct metrics_objects *objects, const char *name, bool loaded, bool readable)
{
	int at = objects->objects;

	if (at == OBJECTS_MAX)
		return;
	objects->object[at].name = name;
	objects->object[at].loaded = loaded;
	objects->object[at].readable = readable;
	objects->objects++;
}

void objects_add_table(struct metrics_objects *objects, const char *object, const char *table,
		       uint64_t entries, uint64_t capacity, uint64_t bytes)
{
	int at = objects->tables;

	if (at == TABLES_MAX)
		return;
	objects->table[at].object = object;
	objects->table[at].table = table;
	objects->table[at].entries = entries;
	objects->table[at].capacity = capacity;
	objects->table[at].bytes = bytes;
	objects->tables++;
}

void objects_add_program(struct metrics_objects *objects, const char *object, const char *name,
			 uint64_t run_ns, uint64_t runs)
{
	int i;

	for (i = 0; i < objects->programs; i++)
		if (!strcmp(objects->program[i].name, name))
			break;
	if (i == PROGRAMS_MAX)
		return;
	if (i == objects->programs)
		objects->programs++;
	objects->program[i].object = object;
	objects->program[i].name = name;
	objects->program[i].run_ns += run_ns;
	objects->program[i].runs += runs;
}

bool objects_are_measured(void)
{
	int fd = open("/proc/sys/kernel/bpf_stats_enabled", O_RDONLY | O_CLOEXEC);
	char value = '0';

	if (fd < 0)
		return false;
	if (read(fd, &value, 1) != 1)
		value = '0';
	close(fd);
	return value == '1';
}

static void add_tables(struct metrics *metrics, const struct metrics_objects *objects)
{
	int i;

	metrics_family(metrics, METRICS_GAUGE, "sluice_table_entries", NULL,
		       "live entries of a table; of a large table, estimated from a part");
	for (i = 0; i < objects->tables; i++)
		metrics_add(metrics, objects->table[i].entries, "object", objects->table[i].object,
			    "table", objects->table[i].table, NULL);
	metrics_family(metrics, METRICS_GAUGE, "sluice_table_capacity", NULL,
		       "entries that a table has room for");
	for (i = 0; i < objects->tables; i++)
		metrics_add(metrics, objects->table[i].capacity, "object", objects->table[i].object,
			    "table", objects->table[i].table, NULL);
	metrics_family(metrics, METRICS_GAUGE, "sluice_table_size_bytes", "bytes",
		       "kernel memory of a table, whether used or not");
	for (i = 0; i < objects->tables; i++)
		metrics_add(metrics, objects->table[i].bytes, "object", objects->table[i].object,
			    "table", objects->table[i].table, NULL);
}

static void add_programs(struct metrics *metrics, const struct metrics_objects *objects)
{
	int i;

	metrics_gauge(
		metrics, "sluice_program_statistics_enabled", NULL,
		"1 if the sysctl kernel.bpf_stats_enabled is on; a process can also have programs measured",
		objects_are_measured());
	metrics_family(metrics, METRICS_COUNTER, "sluice_program_run_seconds", "seconds",
		       "CPU time of a BPF program while the kernel measured it");
	for (i = 0; i < objects->programs; i++)
		metrics_add_real(metrics, (double)objects->program[i].run_ns / 1e9, "object",
				 objects->program[i].object, "program", objects->program[i].name,
				 NULL);
	metrics_family(metrics, METRICS_COUNTER, "sluice_program_runs", NULL,
		       "runs of a BPF program while the kernel measured it");
	for (i = 0; i < objects->programs; i++)
		metrics_add(metrics, objects->program[i].runs, "object", objects->program[i].object,
			    "program", objects->program[i].name, NULL);
}

void objects_metrics(struct metrics *metrics, const struct metrics_objects *objects)
{
	int i;

	metrics_family(metrics, METRICS_GAUGE, "sluice_object_loaded", NULL,
		       "1 if the object is loaded, by the daemon or by a command");
	for (i = 0; i < objects->objects; i++)
		metrics_add(metrics, objects->object[i].loaded, "object", objects->object[i].name,
			    NULL);
	metrics_family(metrics, METRICS_GAUGE, "sluice_object_readable", NULL,
		       "0 if the object is loaded and its maps cannot be read");
	for (i = 0; i < objects->objects; i++)
		metrics_add(metrics, objects->object[i].readable, "object", objects->object[i].name,
			    NULL);
	add_tables(metrics, objects);
	add_programs(metrics, objects);
}
