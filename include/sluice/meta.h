/* SPDX-License-Identifier: (GPL-2.0-or-later OR BSD-2-Clause) */
/* The head of every object's pinned meta record, the same in every version. */
#ifndef SLUICE_META_H
#define SLUICE_META_H

#include <linux/types.h>

#define SLUICE_MAGIC 0x65636975 /* "uice" */

enum sluice_load_state {
	/* A load is in progress, or its loader has died. The upper 24 bits are random per load. */
	SLUICE_LOADING = 1,
	SLUICE_LOADED = 2,
};

/* The ABI version of an object. A test raises all versions with SLUICE_ABI_RAISE. */
#ifndef SLUICE_ABI_RAISE
#define SLUICE_ABI_RAISE 0
#endif
#define SLUICE_ABI(number) ((number) + SLUICE_ABI_RAISE)

struct sluice_meta {
	__u32 magic;
	__u32 abi;
	__u32 state; /* enum sluice_load_state */
};

#endif
