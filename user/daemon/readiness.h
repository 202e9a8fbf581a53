/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is each section attached as the file says? Decided from the kernel's state at the time of the
 * call, for the probe /readyz, the metric sluice_section_applied, and the warnings of
 * 'sluice status' alike.
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
 * is no reason, nor is a server that steering waits for: otherwise a rolling update would wait for
 * what starts later. Nor is a fallback that the manual describes. @children: by section, after
 * SECTIONS.
 */
void readiness_reasons(const struct sections *sections, const struct child *children, int section,
		       FILE *reasons);
/* Returns true if the file has the section, and there is no such reason. */
bool readiness_is_applied(const struct sections *sections, const struct child *children,
			  int section);

#endif
