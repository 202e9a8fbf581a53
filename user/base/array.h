/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Room in an array that grows at its end. */
#ifndef SLUICE_BASE_ARRAY_H
#define SLUICE_BASE_ARRAY_H

#include <stddef.h>

/*
 * Makes room in *array, of elements of `size` bytes, for one more than `count`; *room is what it
 * has room for.  0, or -ENOMEM with *array and *room as they were.
 */
int array_grow(void **array, size_t *room, size_t count, size_t size);

#endif
