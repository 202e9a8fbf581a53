/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The limit on open files (RLIMIT_NOFILE). */
#ifndef SLUICE_BASE_FILES_H
#define SLUICE_BASE_FILES_H

/* Raises the soft limit, usually 1024, to the hard limit. */
void files_raise_limit(void);

#endif
