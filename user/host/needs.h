/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_HOST_NEEDS_H
#define SLUICE_HOST_NEEDS_H

#include "kernel/need.h"

enum check_plane {
	CHECK_REPLY,
	CHECK_STEER,
	CHECK_PLANES
};

/* What more than one plane needs. */
extern const struct needs host_needs;

#endif
