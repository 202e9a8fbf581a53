/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of `sluice conntrack`, and the selection of entries. */
#ifndef SLUICE_CMD_CONNTRACK_OPTIONS_H
#define SLUICE_CMD_CONNTRACK_OPTIONS_H

#include "base/ports.h"
#include "cli/opt.h"
#include "conntrack/audit.h"

struct conntrack_options {
	struct ports ports;
	struct opt_addr addr;
	unsigned int reasons; /* bit 1 << enum audit_reason; 0: all */
	__u32 watch_s;
	bool dry_run;
	bool exit_code;
};

extern struct conntrack_options conntrack_options;
extern const struct opt conntrack_entry_opts[];
extern const struct opt conntrack_audit_opts[];
extern const struct opt conntrack_repair_opts[];
extern const struct opt conntrack_exit_opts[];

/* Returns true if one direction of the entry has both a selected port and the address. */
bool conntrack_is_wanted(const struct ct_entry *entry, const struct conntrack_options *options);

#endif
