/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What this kernel, these capabilities and these mounts allow, against what each plane needs.  One
 * table (host/check.c) lists the needs; a finding is one of its lines, put to the test.
 */
#ifndef SLUICE_HOST_CHECK_H
#define SLUICE_HOST_CHECK_H

#include <stdbool.h>
#include <stddef.h>

enum probe_plane {
	PROBE_REPLY,
	PROBE_STEER,
	PROBE_MEET,
	PROBE_PLANES
};

enum probe_result {
	PROBE_OK,
	PROBE_WARN, /* missing, and done without */
	PROBE_FAIL, /* missing, and a plane that was asked for can't do without */
};

enum probe_state {
	PROBE_READY,
	PROBE_FALLBACK, /* runs, but not with all it could have */
	PROBE_MISSING,
};

#define PROBE_FINDINGS_MAX 64

struct probe_finding {
	const char *plane; /* "host" where more than one plane needs it */
	const char *name;
	enum probe_result result;
	bool permission; /* what is missing is a permission, not a part of the kernel */
	bool unknown;	 /* a permission is missing to find out */
	char reason[512];
	char mend[256]; /* empty if ok */
};

struct probe_verdict {
	bool asked;
	enum probe_state state;
	bool permission; /* PROBE_MISSING, for want of permissions alone */
	int fallbacks;
	const char *fallback[PROBE_FINDINGS_MAX]; /* each once; NULL: only part of what is needed */
	char missing[256]; /* the names of what is missing; empty if nothing is */
};

struct probe_report {
	size_t count;
	struct probe_finding finding[PROBE_FINDINGS_MAX];
	struct probe_verdict verdict[PROBE_PLANES];
};

struct probe_settings {
	unsigned int planes; /* bit 1 << enum probe_plane */
	const char *bpffs;   /* folder of the pins, which need not exist */
	const char *cgroup;  /* NULL: as in mountinfo */
};

/* "reply", "steer" or "meet" */
const char *probe_plane_name(enum probe_plane plane);
/* Puts the whole table to the test. Leaves nothing behind, and changes nothing that is there. */
void probe_run(const struct probe_settings *settings, struct probe_report *report);

#endif
