/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growth of dynamic arrays. */
#ifndef SLUICE_BASE_ARRAY_H
#define SLUICE_BASE_ARRAY_H

#include <stddef.h>

/*
 * Ensures that *array has room for one more than `count` elements of `size` bytes; *room is its
 * capacity. Returns 0, or -ENOMEM and leaves *array and *room unchanged.
 */
int array_grow(void **array, size_t *room, size_t count, size_t size);

#endif
