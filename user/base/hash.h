/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Hash tables (uthash) that do not exit on ENOMEM: if HASH_ADD fails, hh.tbl of the item is NULL.
 */
#ifndef SLUICE_BASE_HASH_H
#define SLUICE_BASE_HASH_H

#define HASH_NONFATAL_OOM 1

#include <uthash.h>

#endif
