/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Compares the kernel, the capabilities and the mounts with the requirements of each object. Each
 * requirement is a row of a table in SUBJECT/needs.c. A finding is the result of a row.
 */
#ifndef SLUICE_HOST_CHECK_H
#define SLUICE_HOST_CHECK_H

#include "host/needs.h"

#include <stdbool.h>
#include <stddef.h>

enum check_result {
	CHECK_OK,
	CHECK_WARN, /* missing, but there is a fallback */
	CHECK_FAIL, /* missing, and a requested object cannot work without it */
};

enum check_state {
	CHECK_READY,
	CHECK_FALLBACK, /* works, with at least one fallback */
	CHECK_MISSING,
};

#define CHECK_FINDINGS_MAX 96

struct check_finding {
	const char *object; /* "host" if several objects need it */
	const char *name;
	enum check_result result;
	bool permission; /* a permission is missing, not a kernel feature */
	bool unknown;	 /* the probe itself lacks a permission */
	char reason[512];
	char hint[512]; /* empty if nothing is missing */
};

struct check_verdict {
	bool asked; /* the object was requested */
	enum check_state state;
	bool permission; /* CHECK_MISSING, but only permissions are missing */
	int fallbacks;
	const char *fallback[CHECK_FINDINGS_MAX]; /* unique; NULL: a row is only partly met */
	char missing[256];			  /* names of the failed rows; may be empty */
};

struct check_report {
	size_t count;
	struct check_finding finding[CHECK_FINDINGS_MAX];
	struct check_verdict verdict[CHECK_OBJECTS];
};

struct check_settings {
	unsigned int objects; /* bits 1 << enum check_object */
	const char *bpffs;    /* the pin directory; may not exist */
	const char *cgroup;   /* NULL: the root, from mountinfo */
};

/* Returns the name of an object, such as "reply". */
const char *check_object_name(enum check_object object);
/* Probes the rows of the requested objects. Does not change the state of the host. */
void check_run(const struct check_settings *settings, struct check_report *report);

#endif
