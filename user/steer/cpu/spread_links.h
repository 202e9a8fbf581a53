/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The XDP links of one load that spreads flows: each is found, made or updated, pinned, undone. */
#ifndef SLUICE_STEER_CPU_SPREAD_LINKS_H
#define SLUICE_STEER_CPU_SPREAD_LINKS_H

#include "base/err.h"
#include "kernel/links.h"
#include "steer/cpu/spread.h"

#include <limits.h>
#include <sluice/spread.h>
#include <stdbool.h>

#define SPREAD_PIN_LINK "sluice_x_link_"

struct spread_bpf;

struct spread_link {
	struct sluice_spread_link to;
	int fd;		 /* of the link; -1: none yet */
	bool was_there;	 /* before this load */
	int old_prog_fd; /* what it had then; -1 without CAP_SYS_ADMIN, too */
};

struct spread_load {
	const struct spread_options *options;
	struct spread_bpf *skel;
	struct spread_link links[SLUICE_SPREAD_LINKS];
	__u32 count;
	struct sluice_spread_meta before; /* all 0 if nothing was loaded */
	struct sluice_spread_meta after;
};

/* The link on that interface, as a load has recorded it; NULL if none is. */
const struct sluice_spread_link *spread_link_recorded(const struct sluice_spread_meta *meta,
						      __u32 ifindex, __u32 netns);
/* The descriptor of its link; -ENOENT if that is not pinned, or not on the interface any more. */
int spread_link_open(const char *bpffs, const struct sluice_spread_link *to,
		     struct hook_link *link);

/* Finds the interfaces of the options, and their links of before. 0, or -errno with *err set. */
int spread_links_resolve(struct spread_load *load, struct err *err);
/* Puts the programs on them. 0, or -errno with *err set and spread_links_undo() due. */
int spread_links_attach(struct spread_load *load, struct err *err);
int spread_links_pin(const struct spread_load *load, struct err *err);
/* Puts the programs of before on the links of before, and removes those that are new. */
void spread_links_undo(const struct spread_load *load);
/* Removes the pinned links that are not of this load. */
void spread_links_trim(const struct spread_load *load);
/* A new link that is not pinned detaches. */
void spread_links_close(struct spread_load *load);

#endif
