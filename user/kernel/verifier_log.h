/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_KERNEL_VERIFIER_LOG_H
#define SLUICE_KERNEL_VERIFIER_LOG_H

#include "base/err.h"

/*
 * Sets *err for a failed bpf_object__load(). err->detail has the end of the verifier's log; the
 * hint names a file with the whole log.
 */
int verifier_log_error(const char *what, int error, const char *verifier_log, struct err *err);

#endif
