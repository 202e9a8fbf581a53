/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_KERNEL_VERIFIER_LOG_H
#define SLUICE_KERNEL_VERIFIER_LOG_H

#include "base/err.h"

/*
 * Describes a failed bpf_object__load(): err->detail gets the end of the verifier's log, and the
 * message names a file with the whole log.
 */
int verifier_log_error(const char *what, int error, const char *verifier_log, struct err *err);

#endif
