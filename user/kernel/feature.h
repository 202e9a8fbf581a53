/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Probes single features of the running kernel by trying them: load a tiny program, create a map,
 * or make a call with an argument that the kernel must reject. Does not compare versions, since
 * distributions backport features and configurations disable them. No probe attaches to live
 * traffic, and each releases its programs and maps before it returns.
 *
 * libbpf_probe_bpf_helper() was rejected: it returns true on EPERM, and up to libbpf 1.3 it does
 * not recognise the verifier's message of kernels since 6.10.
 *
 * The caller must check capabilities first: without them, the kernel refuses a probe, or an old
 * kernel answers as if it lacked the feature.
 */
#ifndef SLUICE_KERNEL_FEATURE_H
#define SLUICE_KERNEL_FEATURE_H

#include <linux/bpf.h>
#include <stdbool.h>

struct btf;

enum feature {
	FEATURE_NO,
	FEATURE_YES,
	FEATURE_LIMITED, /* present, with a restriction */
	FEATURE_REFUSED, /* EPERM or EACCES: permission is missing */
};

/* Probes bpf(2) itself, which a seccomp filter or an LSM may block. */
enum feature feature_bpf(void);
/* Probes programs of a type and an attach type (0 if the program type has none). */
enum feature feature_hook(enum bpf_prog_type type, enum bpf_attach_type attach);
/* Probes whether programs of this type and attach type can call a helper. */
enum feature feature_helper(enum bpf_prog_type type, enum bpf_attach_type attach,
			    enum bpf_func_id helper);
/*
 * Probes whether a map of this size can be created. Kernels before 5.11 charge it to
 * RLIMIT_MEMLOCK.
 */
enum feature feature_memory(__u32 bytes);
/* Probes cgroup links, which can be pinned and updated. */
enum feature feature_cgroup_link(void);
/* Probes tcx links. */
enum feature feature_tcx(void);
/*
 * Probes iterator programs that walk the files of all processes and write a record for each file.
 */
enum feature feature_file_iterator(const struct btf *vmlinux);
/* Probes whether an sk_reuseport program can read kernel structures with plain loads. */
enum feature feature_reuseport_casts(const struct btf *vmlinux);
/* Probes whether a tc program can read kernel structures with plain loads. */
enum feature feature_tc_cast(const struct btf *vmlinux);
/* Probes attaching an sk_reuseport program to a group of sockets. */
enum feature feature_reuseport_attach(void);
enum feature feature_pidfd_getfd(void);
/* Probes a field of a kernel struct, at any depth: struct "net", field "ipv4.dev_addr_genid". */
enum feature feature_field(const struct btf *btf, const char *name, const char *path);
/* Probes a function in BTF, where programs look up kfuncs. */
enum feature feature_function(const struct btf *btf, const char *name);
/* Returns true if the BTF of vmlinux (not of a module) has this struct. */
bool feature_struct(const char *name);

#endif
