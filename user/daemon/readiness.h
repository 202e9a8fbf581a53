/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Is each section attached as the file says? Decided from the kernel's state at the time of the
 * call, for the probe /readyz, the metric sluice_section_applied, and the warnings of
 * 'sluice status' alike.
 */
#ifndef SLUICE_DAEMON_READINESS_H
#define SLUICE_DAEMON_READINESS_H

#include "daemon/rendezvous.h"
#include "daemon/sections.h"

#include <stdbool.h>
#include <stdio.h>

/*
 * Writes a line for each reason why a section is not attached as the file says; none if it is. Each
 * begins with the name of the section, as in "[reply] ". An
 * interface that does not exist yet, or a server that steering waits for, is no reason: otherwise a
 * rolling update would wait for what starts later. So is a fallback that the manual describes.
 */
void readiness_reasons(const struct sections *sections, const struct rendezvous_section *rendezvous,
		       int section, FILE *reasons);
/* Does the file have the section, and readiness_reasons() no reason? */
bool readiness_is_applied(const struct sections *sections,
			  const struct rendezvous_section *rendezvous, int section);

#endif
