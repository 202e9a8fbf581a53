/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The requirements of a subject on the host, one row each. The tables are in SUBJECT/needs.c;
 * host/check.c probes the rows and reports them.
 */
#ifndef SLUICE_KERNEL_NEED_H
#define SLUICE_KERNEL_NEED_H

#include "kernel/feature.h"

#include <stdbool.h>
#include <stddef.h>

struct btf;

/* What a probe itself requires; without it, the result would be wrong. */
enum {
	NEED_BPF = 1 << 0,
	NEED_PERFMON = 1 << 1,
	NEED_NET_ADMIN = 1 << 2,
	NEED_BTF = 1 << 3,
};
#define NEED_NET (NEED_BPF | NEED_NET_ADMIN)

/* The state of one run, shared by its probes. */
struct probe {
	const char *bpffs;	     /* the pin directory, which may not exist */
	const char *cgroup;	     /* NULL: the root, from mountinfo */
	const struct btf *vmlinux;   /* NULL: none */
	const struct btf *conntrack; /* BTF of nf_conntrack, built in or a module */
	bool bpf_refused;
	/* set by need_answer(); if empty, those of the row are used */
	char reason[256];
	char hint[512];
};

struct need {
	const char *name;
	const char *why;
	/* exactly one of these is set */
	enum feature (*has)(void);
	enum feature (*has_btf)(const struct btf *vmlinux);
	enum feature (*probe)(const struct need *need, struct probe *probe);
	int takes; /* NEED_… */
	/* arguments of the probe */
	int prog, attach, number;
	const char *type, *field;
	const char *since;    /* the first kernel with the feature; for display only */
	const char *fallback; /* NULL: the subject cannot work without it */
	/* in a table that several subjects share, the subjects that have the fallback; 0: all */
	unsigned int optional;
	const char *hint;
};

struct needs {
	const struct need *row;
	size_t count;
};

/* Defines the table NAME with these rows. */
#define NEEDS(name, rows) const struct needs name = { rows, sizeof(rows) / sizeof(*(rows)) }

/* Initialisers of rows. The last argument is the fallback, except in NEED_CAP(). */
#define NEED_CAP(cap, to)                                                     \
	{                                                                     \
		.name = #cap, .why = (to), .probe = need_cap, .number = (cap) \
	}
#define NEED_HOOK(hook, p, a, version, use, instead)                                 \
	{                                                                            \
		.name = (hook), .why = (use), .probe = need_hook, .takes = NEED_NET, \
		.prog = BPF_PROG_TYPE_##p, .attach = (a), .since = (version),        \
		.fallback = (instead)                                                \
	}
#define NEED_CGROUP_HOOK(hook, p, a, version, use, instead)                                     \
	{                                                                                       \
		.name = (hook), .why = (use), .probe = need_hook, .takes = NEED_NET,            \
		.prog = BPF_PROG_TYPE_CGROUP_##p, .attach = BPF_CGROUP_##a, .since = (version), \
		.fallback = (instead), .hint = NEED_CGROUP_HINT                                 \
	}
#define NEED_MAP(m, version, use, instead)                                             \
	{                                                                              \
		.name = #m " map", .why = (use), .probe = need_map, .takes = NEED_BPF, \
		.number = BPF_MAP_TYPE_##m, .since = (version), .fallback = (instead)  \
	}
#define NEED_HELPER(p, a, h, version, use, instead)                                         \
	{                                                                                   \
		.name = "bpf_" #h, .why = (use), .probe = need_helper,                      \
		.takes = NEED_NET | NEED_PERFMON, .prog = BPF_PROG_TYPE_##p, .attach = (a), \
		.number = BPF_FUNC_##h, .since = (version), .fallback = (instead)           \
	}

#define NEED_CGROUP_HINT "a kernel built with CONFIG_CGROUP_BPF"
#define NEED_SECCOMP_HINT \
	"allow it in the seccomp profile (securityContext.seccompProfile of a pod)"

/* Sets the probe's reason and, unless @hint is NULL, its hint. Returns @answer. */
__attribute__((format(printf, 4, 5))) enum feature need_answer(struct probe *probe,
							       enum feature answer,
							       const char *hint, const char *fmt,
							       ...);

enum feature need_cap(const struct need *need, struct probe *probe);
/* Probes loading a program of this type and attach type. */
enum feature need_hook(const struct need *need, struct probe *probe);
enum feature need_map(const struct need *need, struct probe *probe);
/* Probes whether a program of this type and attach type can call the helper. */
enum feature need_helper(const struct need *need, struct probe *probe);

#endif
