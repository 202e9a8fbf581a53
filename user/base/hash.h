/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hash tables (uthash), which do not end the process on ENOMEM: after HASH_ADD, a NULL hh.tbl of
 * the item means that it was not added.
 */
#ifndef SLUICE_BASE_HASH_H
#define SLUICE_BASE_HASH_H

#define HASH_NONFATAL_OOM 1

#include <uthash.h>

#endif
