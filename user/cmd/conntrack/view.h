/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text and JSON output of a conntrack entry. */
#ifndef SLUICE_CMD_CONNTRACK_VIEW_H
#define SLUICE_CMD_CONNTRACK_VIEW_H

#include "cli/output.h"
#include "net/conntrack.h"
#include "net/inet.h"
#include "process/cgroup_names.h"

/* Returns UNREPLIED, SEEN_REPLY, ASSURED or OFFLOAD, the names that conntrack(8) prints. */
const char *conntrack_state_name(const struct ct_entry *entry);

#define CONNTRACK_COLUMNS "state|>timeout|source|destination|nat|zone|>mark|process, pid, cgroup"
/* Adds a row to a table of CONNTRACK_COLUMNS. */
void conntrack_row(struct table *rows, const struct ct_entry *entry, const struct inet *inet,
		   struct cgroup_names *cgroups);

json_t *conntrack_tuple_json(const struct ct_tuple *tuple);
/* Includes the local sockets and processes at the ends of the entry. */
json_t *conntrack_entry_json(const struct ct_entry *entry, const struct inet *inet,
			     struct cgroup_names *cgroups);

#endif
