/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What is asked of wire mode. */
#ifndef SLUICE_WIRE_OPTIONS_H
#define SLUICE_WIRE_OPTIONS_H

#include "base/opt.h"
#include "base/ports.h"

#include <sluice/wire.h>
#include <stdbool.h>

#define WIRE_NAMES_MAX	 64
#define WIRE_SERVERS_MAX 256
#define WIRE_EXCEPT_MAX	 256

struct wire_names {
	char name[WIRE_NAMES_MAX][IFNAMSIZ];
	int count;
};

struct wire_options {
	struct ports ports;
	__u32 table; /* flows, within FLOW_TABLE_MIN and FLOW_TABLE_MAX */
	__u64 age_s;
	const char *bpffs; /* folder of the pins */
	bool dry_run;	   /* verify, and change nothing */
	struct wire_names ifaces;
	struct wire_names follow;   /* bridges, of which the ports are taken */
	struct wire_names gateways; /* interfaces that the server is behind */
	struct sluice_addr server[WIRE_SERVERS_MAX];
	int servers;
	struct sluice_addr except[WIRE_EXCEPT_MAX]; /* of this host, to be left alone */
	int excepts;
	enum sluice_wire_attach_mode attach_mode; /* 0: tcx where the kernel has it */
	bool by_daemon;				  /* for wire_unload_own() */
	bool absent_ok; /* pass over interfaces that are not there (yet): for the daemon */
};

/* Of 'reply load' and of section [wire], into struct wire_options. */
extern const struct opt wire_opts[];

#endif
