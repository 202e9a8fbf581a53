/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An error on its way up: what went wrong, how to mend it, and the exit code that says it to
 * scripts.  Functions below user/cmd fill one in and return -errno; user/cmd prints it, once.
 */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

enum exit_code {
	EXIT_OK = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_LACKING = 3,    /* the kernel lacks something */
	EXIT_PERMISSION = 4, /* the message names the capability */
	EXIT_CONFLICT = 5,   /* the message names the other program */
};

struct err {
	enum exit_code code;
	char what[768];	   /* the thing and the reason, one line without a full stop */
	char hint[512];	   /* what the reader can do; may be empty */
	char detail[4096]; /* further lines to show, such as the end of a verifier log; may be empty
			    */
};

/* Fills *err and returns -error. */
__attribute__((format(printf, 4, 5))) int err_set(struct err *err, enum exit_code code, int error,
						  const char *fmt, ...);
/* Adds the mend to an error that is set, and returns `result` for the caller to pass on. */
__attribute__((format(printf, 3, 4))) int err_hint(struct err *err, int result, const char *fmt,
						   ...);

#endif
