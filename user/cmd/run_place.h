/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The network namespaces that the daemon acts in: its own, and that of wire mode if it is another
 * one.  Wire mode acts where the calling thread is.
 */
#ifndef SLUICE_RUN_PLACE_H
#define SLUICE_RUN_PLACE_H

#include "err.h"

#include <linux/types.h>

struct run_place {
	int home_fd;
	int wire_fd; /* -1: the same */
};

/* `netns` as for --netns, or NULL: wire mode is at home. 0, or -errno with *err set. */
int run_place_open(struct run_place *place, const char *netns, struct err *err);
void run_place_close(struct run_place *place);
/* Goes there, and back; the way back ends the process if it is barred. */
int run_place_enter(const struct run_place *place, struct err *err);
void run_place_leave(const struct run_place *place);
/* The inode number by which BPF programs know a namespace. */
__u32 run_place_number(int netns_fd);

#endif
