/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Growth of dynamic arrays. */
#ifndef SLUICE_BASE_ARRAY_H
#define SLUICE_BASE_ARRAY_H

#include <stddef.h>

/*
 * Grows *array to hold @count + 1 elements of @size bytes if its capacity *room is smaller. Returns
 * 0, or -ENOMEM with *array and *room unchanged.
 */
int array_grow(void **array, size_t *room, size_t count, size_t size);

#endif
