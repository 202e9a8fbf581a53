/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * An error for the user: the failure, a hint and the exit status. Functions below user/cmd set it
 * and return -errno; user/cmd prints it, once.
 */
#ifndef SLUICE_BASE_ERR_H
#define SLUICE_BASE_ERR_H

#include <stdbool.h>

enum exit_code {
	EXIT_OK = 0,
	EXIT_ERROR = 1,
	EXIT_USAGE = 2,
	EXIT_LACKING = 3,    /* the kernel lacks a feature */
	EXIT_PERMISSION = 4, /* the message names the capability */
	EXIT_CONFLICT = 5,   /* the message names the other program */
	EXIT_FOUND = 6,	     /* --exit-code: an audit has findings */
};

struct err {
	enum exit_code code;
	char what[768];	   /* the subject and the reason, one line without a full stop */
	char hint[512];	   /* a remedy for the user; may be empty */
	char detail[4096]; /* further lines, such as the end of a verifier log; may be empty */
};

/*
 * Sets *err and returns -error. EXIT_ERROR and EXIT_LACKING become EXIT_PERMISSION for EPERM and
 * EACCES, and EXIT_ERROR for an errno of err_is_limit(). Only limits on files or memory get a hint.
 */
__attribute__((format(printf, 4, 5))) int err_set(struct err *err, enum exit_code code, int error,
						  const char *fmt, ...);
/*
 * Sets *err for a request that the kernel has refused, and returns -error. The code is
 * EXIT_LACKING, or EXIT_PERMISSION or EXIT_ERROR as in err_set(). Sets @hint unless the code is
 * EXIT_ERROR.
 */
__attribute__((format(printf, 4, 5))) int err_kernel(struct err *err, int error, const char *hint,
						     const char *fmt, ...);
/* Returns true if @error is a limit on files or memory, or an interrupted call. */
bool err_is_limit(int error);
/* Sets the hint of an error from err_set(), and returns @result for the caller to pass on. */
__attribute__((format(printf, 3, 4))) int err_hint(struct err *err, int result, const char *fmt,
						   ...);

#endif
