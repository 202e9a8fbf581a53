/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Asks the running kernel one question at a time, by trying it: a tiny program is loaded, a map
 * made, a call tried with an argument that it must refuse.  Version numbers are never compared,
 * since distributions carry features back and configurations leave them out.  Nothing is attached
 * to anything that traffic passes, and each program and map is gone when the function returns.
 *
 * libbpf_probe_bpf_helper() was rejected: it takes EPERM for a yes, and up to libbpf 1.3 it does
 * not know how kernels since 6.10 word the verifier's no.
 *
 * The caller sees to the capabilities: without them a question about BPF is answered with a
 * refusal, or by an old kernel with a plain no.
 */
#ifndef SLUICE_KERNEL_FEATURE_H
#define SLUICE_KERNEL_FEATURE_H

#include <linux/bpf.h>

struct btf;

enum feature {
	FEATURE_NO,
	FEATURE_YES,
	FEATURE_REFUSED, /* EPERM or EACCES: a question of permission */
};

/* Does bpf(2) answer at all? A seccomp filter or an LSM may stand before it. */
enum feature feature_bpf(void);
/* Can a program of this type be loaded for this attach type (0 where the type has none)? */
enum feature feature_hook(enum bpf_prog_type type, enum bpf_attach_type attach);
/* May such a program call the helper? */
enum feature feature_helper(enum bpf_prog_type type, enum bpf_attach_type attach,
			    enum bpf_func_id helper);
enum feature feature_map(enum bpf_map_type type);
/* May so much memory be taken for maps?  Until 5.11 it counts against RLIMIT_MEMLOCK. */
enum feature feature_memory(__u32 bytes);
/* An array whose values hold a bpf_spin_lock, taken by a program of that type. */
enum feature feature_spin_lock(enum bpf_prog_type type, enum bpf_attach_type attach);
/* Are programs attached to a cgroup by bpf_link, so that they can be pinned and updated? */
enum feature feature_cgroup_link(void);
/* Are programs attached to an interface by a tcx link? */
enum feature feature_tcx(void);
/* Does bpf_fib_lookup() take BPF_FIB_LOOKUP_SRC? */
enum feature feature_fib_source(void);
/* Can a program walk over all processes' files, and write of them? */
enum feature feature_file_iterator(const struct btf *vmlinux);
/* Can an sk_reuseport program read the kernel's own structures by plain loads? */
enum feature feature_reuseport_casts(const struct btf *vmlinux);
/* Can an sk_reuseport program be attached to a group of sockets? */
enum feature feature_reuseport_attach(void);
enum feature feature_pidfd_getfd(void);
/* Can a UDP socket of that family be made? */
enum feature feature_udp(int family);
/* A field of a kernel struct, in any depth: "net", "ipv4.dev_addr_genid". */
enum feature feature_field(const struct btf *btf, const char *name, const char *path);
/* A function that BTF lists, which is where programs find kfuncs. */
enum feature feature_function(const struct btf *btf, const char *name);

#endif
