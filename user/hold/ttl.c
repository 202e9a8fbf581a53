// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold/ttl.h"

unsigned int hold_ttl_before_peer(__u8 in_ttl)
{
	unsigned int initial = in_ttl <= 64 ? 64 : in_ttl <= 128 ? 128 : 255;

	return initial - in_ttl;
}
