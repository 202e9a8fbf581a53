/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_HOST_NEEDS_H
#define SLUICE_HOST_NEEDS_H

#include "kernel/need.h"

enum check_object {
	CHECK_REPLY,
	CHECK_STEER,
	CHECK_HOLD,
	CHECK_RENDEZVOUS,
	CHECK_OBJECTS
};

/* The requirements that all objects share, and those of the objects that have pins. */
extern const struct needs host_needs;
extern const struct needs pinned_needs;

#endif
