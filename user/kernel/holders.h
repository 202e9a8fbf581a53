/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finds what keeps BPF objects in the kernel: pins on any bpffs, and descriptors of processes. */
#ifndef SLUICE_KERNEL_HOLDERS_H
#define SLUICE_KERNEL_HOLDERS_H

#include "kernel/pins.h"

#include <linux/types.h>
#include <stddef.h>

struct bpf_holder {
	enum pins_kind kind;
	__u32 id;   /* of the object */
	int pid;    /* 0: a pin */
	char *name; /* the path of the pin, or the name of the process */
};

struct holders {
	struct bpf_holder *list;
	size_t count, room;
};

/*
 * Adds the pins below all mounts of bpffs. Like the function below, leaves out those that this
 * process may not see. Returns 0 or -ENOMEM; the caller calls holders_free() in any case.
 */
int holders_add_pins(struct holders *holders);
/* Adds the BPF objects of all processes but this one. */
int holders_add_processes(struct holders *holders);
/*
 * Returns the next holder of an object after @last, or the first one if @last is NULL; NULL at the
 * end.
 */
const struct bpf_holder *holders_next(const struct holders *holders, enum pins_kind kind, __u32 id,
				      const struct bpf_holder *last);
void holders_free(struct holders *holders);

#endif
