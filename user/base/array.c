// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/array.h"

#include <errno.h>
#include <stdlib.h>

#define ROOM_FIRST 64

int array_grow(void **array, size_t *room, size_t count, size_t size)
{
	size_t wanted = *room ? *room * 2 : ROOM_FIRST;
	void *moved;

	if (count < *room)
		return 0;
	moved = reallocarray(*array, wanted, size);
	if (!moved)
		return -ENOMEM;
	*array = moved;
	*room = wanted;
	return 0;
}
