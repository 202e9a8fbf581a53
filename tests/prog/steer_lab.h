/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The steering program for tests, without the loader: both variants, and their keys. */
#ifndef SLUICE_TESTS_PROG_STEER_LAB_H
#define SLUICE_TESTS_PROG_STEER_LAB_H

#include <sluice/steer.h>

#include "bpf/steer/steer.skel.h"
#include "kernel/feature.h"
#include "kernel/ticks.h"
#include "lab.h"
#include "process/sockets.h"

#include <bpf/btf.h>
#include <sys/random.h>

/* Returns true if the kernel accepts the program that reads kernel structures by casts. */
static inline bool steer_lab_casts(void)
{
	struct btf *vmlinux = btf__load_vmlinux_btf();
	bool casts = vmlinux && feature_reuseport_casts(vmlinux) == FEATURE_YES;

	btf__free(vmlinux);
	return casts;
}

/*
 * Opens both program variants with new keys and the kernel's ticks. The caller loads one of them.
 */
static inline struct steer_bpf *steer_lab_open(bool by_helpers, struct sluice_steer_keys *keys)
{
	struct steer_bpf *skel = steer_bpf__open();

	assert_non_null(skel);
	bpf_program__set_autoload(skel->progs.sluice_steer, !by_helpers);
	bpf_program__set_autoload(skel->progs.sluice_steer_h, by_helpers);
	assert_int_equal(getrandom(keys, sizeof(*keys), 0), sizeof(*keys));
	memcpy((void *)&skel->rodata->keys, keys, sizeof(*keys));
	skel->rodata->tick_ns = ticks_length_ns();
	skel->rodata->queues_readable = true;
	return skel;
}

static inline struct bpf_program *steer_lab_program(const struct steer_bpf *skel, bool by_helpers)
{
	return by_helpers ? skel->progs.sluice_steer_h : skel->progs.sluice_steer;
}

/* Returns the kernel address of a socket, which the loader also gets from the iterator. */
static inline __u64 steer_lab_address(__u64 cookie)
{
	const struct sluice_socket_record *record;
	struct sockets *sockets;
	struct err err;
	__u64 address;

	assert_int_equal(sockets_read(&sockets, NULL, &err), 0);
	record = sockets_find(sockets, cookie);
	assert_non_null(record);
	address = record->sock;
	sockets_free(sockets);
	return address;
}

#endif
