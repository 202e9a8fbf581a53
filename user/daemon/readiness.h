/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Checks whether each section is attached as the file says, from the kernel's state at the time of
 * the call. The probe /readyz, the metric sluice_section_applied and the warnings of 'sluice
 * status' share these checks.
 */
#ifndef SLUICE_DAEMON_READINESS_H
#define SLUICE_DAEMON_READINESS_H

#include "daemon/child.h"
#include "daemon/sections.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * Writes a line for each reason why a section is not attached as the file says, or nothing. Each
 * line begins with the name of the section, as in "[reply] ". An interface that does not exist yet
 * is not a reason, and neither is a server that steering waits for: otherwise a rolling update
 * would wait for a process that starts later. A fallback that the manual describes is not a reason
 * either. @children is indexed by section minus SECTIONS.
 */
void readiness_reasons(const struct sections *sections, const struct child *children, int section,
		       FILE *reasons);
/* Returns true if the file has the section, and readiness_reasons() has no reason for it. */
bool readiness_is_applied(const struct sections *sections, const struct child *children,
			  int section);

#endif
