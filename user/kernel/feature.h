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

/* Is bpf(2) available at all? A seccomp filter or an LSM may block it. */
enum feature feature_bpf(void);
/* Can a program of this type be loaded for this attach type (0 where the type has none)? */
enum feature feature_hook(enum bpf_prog_type type, enum bpf_attach_type attach);
/* Can such a program call the helper? */
enum feature feature_helper(enum bpf_prog_type type, enum bpf_attach_type attach,
			    enum bpf_func_id helper);
/* Can maps of this size be created? Until 5.11 they are charged to RLIMIT_MEMLOCK. */
enum feature feature_memory(__u32 bytes);
/* Can programs be attached to a cgroup by bpf_link, to be pinned and updated? */
enum feature feature_cgroup_link(void);
/* Can programs be attached to an interface by a tcx link? */
enum feature feature_tcx(void);
/* Can an iterator program visit all processes' files and write records about them? */
enum feature feature_file_iterator(const struct btf *vmlinux);
/* Can an sk_reuseport program read kernel structures by plain loads? */
enum feature feature_reuseport_casts(const struct btf *vmlinux);
/* Can a tc program do the same? */
enum feature feature_tc_cast(const struct btf *vmlinux);
/* Can an sk_reuseport program be attached to a group of sockets? */
enum feature feature_reuseport_attach(void);
enum feature feature_pidfd_getfd(void);
/* Does the kernel struct have this field, at any depth: "net", "ipv4.dev_addr_genid"? */
enum feature feature_field(const struct btf *btf, const char *name, const char *path);
/* Does BTF have this function? Programs find kfuncs by BTF. */
enum feature feature_function(const struct btf *btf, const char *name);
/* Does the BTF of vmlinux (not of a module) have this struct? */
bool feature_struct(const char *name);

#endif
