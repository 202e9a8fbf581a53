/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Finds the references that keep BPF objects alive: pins on any bpffs, and descriptors of
 * processes.
 */
#ifndef SLUICE_KERNEL_HOLDERS_H
#define SLUICE_KERNEL_HOLDERS_H

#include "kernel/pins.h"

#include <linux/types.h>
#include <stddef.h>

struct bpf_holder {
	enum pins_kind kind;
	__u32 id;   /* id of the object */
	int pid;    /* 0: a pin */
	char *name; /* the path of the pin, or the name of the process */
};

struct holders {
	struct bpf_holder *list;
	size_t count, room;
};

/*
 * Adds the pins below all mounts of bpffs. Skips pins that this process has no access to. Returns 0
 * or -ENOMEM; the caller must always call holders_free().
 */
int holders_add_pins(struct holders *holders);
/* Adds the BPF objects of all other processes. Skips and returns as holders_add_pins() does. */
int holders_add_processes(struct holders *holders);
/*
 * Returns the next holder of an object after @last, or the first holder if @last is NULL. Returns
 * NULL at the end.
 */
const struct bpf_holder *holders_next(const struct holders *holders, enum pins_kind kind, __u32 id,
				      const struct bpf_holder *last);
void holders_free(struct holders *holders);

#endif
