/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The options of mode wire, from the command line or the configuration file. */
#ifndef SLUICE_WIRE_OPTIONS_H
#define SLUICE_WIRE_OPTIONS_H

#include "base/ports.h"
#include "cli/opt.h"

#include <sluice/wire.h>
#include <stdbool.h>

#define WIRE_NAMES_MAX 64
#define WIRE_ADDRS_MAX 256

struct wire_names {
	char name[WIRE_NAMES_MAX][IFNAMSIZ];
	int count;
};

struct wire_addrs {
	struct sluice_addr addr[WIRE_ADDRS_MAX];
	int count;
};

struct wire_options {
	struct ports ports;
	__u32 table; /* flows, within FLOW_TABLE_MIN and FLOW_TABLE_MAX */
	__u64 age_s;
	const char *bpffs; /* pin directory */
	bool dry_run;	   /* verify only */
	struct wire_names ifaces;
	struct wire_names follow;   /* bridges, or patterns (glob(7)), whose ports are attached */
	struct wire_names gateways; /* interfaces toward the server */
	struct wire_addrs servers;  /* all addresses of the server behind the gateways */
	enum sluice_wire_attach_mode attach_mode; /* 0: tcx if the kernel supports it */
	bool by_daemon;				  /* for wire_unload_own() */
	bool follows;	/* do nothing if the daemon was not the last to load mode wire */
	bool absent_ok; /* skip missing interfaces: the daemon attaches them later */
};

/* Returns true if the name is a pattern, which any number of bridges may match. */
bool wire_is_pattern(const char *name);
/* Returns true if a name or pattern in @follow matches @name. */
bool wire_follows(const struct wire_names *follow, const char *name);

/* Parses options of 'reply load' and keys of section [wire] into struct wire_options. */
extern const struct opt wire_opts[];

#endif
