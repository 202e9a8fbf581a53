/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares what this kernel, these capabilities and these mounts allow with what each plane needs.
 * The planes' tables of needs (SUBJECT/needs.c) have a row for each; a finding is a probed row.
 */
#ifndef SLUICE_HOST_CHECK_H
#define SLUICE_HOST_CHECK_H

#include "host/needs.h"

#include <stdbool.h>
#include <stddef.h>

enum check_result {
	CHECK_OK,
	CHECK_WARN, /* missing, and there is a fallback */
	CHECK_FAIL, /* missing, and a plane that was asked for cannot work without it */
};

enum check_state {
	CHECK_READY,
	CHECK_FALLBACK, /* works, with one fallback or more */
	CHECK_MISSING,
};

#define CHECK_FINDINGS_MAX 64

struct check_finding {
	const char *plane; /* "host" where more than one plane needs it */
	const char *name;
	enum check_result result;
	bool permission; /* a permission is missing, not a part of the kernel */
	bool unknown;	 /* a permission is missing to find out */
	char reason[512];
	char hint[256]; /* empty if ok */
};

struct check_verdict {
	bool asked;
	enum check_state state;
	bool permission; /* CHECK_MISSING for want of permissions only */
	int fallbacks;
	const char *fallback[CHECK_FINDINGS_MAX]; /* each once; NULL: only part of a need is met */
	char missing[256]; /* the names of what is missing; empty if nothing is */
};

struct check_report {
	size_t count;
	struct check_finding finding[CHECK_FINDINGS_MAX];
	struct check_verdict verdict[CHECK_OBJECTS];
};

struct check_settings {
	unsigned int planes; /* bit 1 << enum check_object */
	const char *bpffs;   /* the pins folder, which need not exist */
	const char *cgroup;  /* NULL: as in mountinfo */
};

/* "reply" or "steer" */
const char *check_object_name(enum check_object plane);
/* Probes the rows of the planes that are asked for.  Leaves nothing behind, changes nothing. */
void check_run(const struct check_settings *settings, struct check_report *report);

#endif
