/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Makes the verifier refuse a program of each load: this process calls the function below instead
 * of libbpf's, which it calls in turn.
 */
#ifndef SLUICE_TESTS_PROG_VERIFIER_LAB_H
#define SLUICE_TESTS_PROG_VERIFIER_LAB_H

#include <bpf/libbpf.h>
#include <dlfcn.h>
#include <linux/bpf.h>
#include <stdbool.h>
#include <stdlib.h>

#include <cmocka.h>

static bool verifier_refuses;

int bpf_object__load_skeleton(struct bpf_object_skeleton *skeleton)
{
	int (*load)(struct bpf_object_skeleton *) = dlsym(RTLD_NEXT, "bpf_object__load_skeleton");
	struct bpf_program *prog, *last = NULL;
	struct bpf_insn *insns;

	assert_non_null(load);
	bpf_object__for_each_program(prog, *skeleton->obj)
		if (bpf_program__autoload(prog))
			last = prog;
	/* without its exit instruction, the last program runs past its end */
	if (verifier_refuses && last) {
		insns = (struct bpf_insn *)bpf_program__insns(last);
		insns[bpf_program__insn_cnt(last) - 1] =
			(struct bpf_insn){ .code = BPF_ALU64 | BPF_MOV | BPF_K };
	}
	return load(skeleton);
}

/* Switches the refusal, and keeps no log of it. */
static inline void verifier_refuse(bool refuses)
{
	verifier_refuses = refuses;
	setenv("TMPDIR", refuses ? "/nonexistent" : "/tmp", 1);
}

#endif
