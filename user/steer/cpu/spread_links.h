/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The XDP links of one load of the spread: resolve, attach, pin, undo. */
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
	int fd;		 /* the link, or -1 */
	bool was_there;	 /* the link is from a previous load */
	int old_prog_fd; /* its previous program; -1 without CAP_SYS_ADMIN */
};

struct spread_load {
	const struct spread_options *options;
	struct spread_bpf *skel;
	struct spread_link links[SLUICE_SPREAD_LINKS];
	__u32 count;
	bool keep_programs;		  /* false if the maps of the programs are not pinned */
	bool replaces;			  /* replaces the object of another ABI version */
	struct sluice_spread_meta before; /* all zero if not loaded, or if `replaces` */
	struct sluice_spread_meta after;
};

/* Returns the recorded link of an interface, or NULL. */
const struct sluice_spread_link *spread_link_recorded(const struct sluice_spread_meta *meta,
						      __u32 ifindex, __u32 netns);
/* Opens the pinned link. Returns -ENOENT if the link is not pinned or is detached. */
int spread_link_open(const char *bpffs, const struct sluice_spread_link *to,
		     struct hook_link *link);

/* Reads the recorded links: their programs, and whether they are gone or lose VLAN tags. */
void spread_links_read(const char *bpffs, struct spread *xdp);

/* Finds the interfaces in the options and their links. Returns 0, or -errno with *err set. */
int spread_links_resolve(struct spread_load *load, struct err *err);
/* Attaches the programs. On failure, the caller calls spread_links_undo(). */
int spread_links_attach(struct spread_load *load, struct err *err);
int spread_links_pin(const struct spread_load *load, struct err *err);
/*
 * Restores the programs of older links and unpins new links. Used as undo() of struct object_steps.
 */
void spread_links_undo(void *load);
/* Unpins the links that are not part of this load. */
void spread_links_trim(const struct spread_load *load);
/* Closes the links. The kernel detaches links that are not pinned. */
void spread_links_close(struct spread_load *load);

#endif
