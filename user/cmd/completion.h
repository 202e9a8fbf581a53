/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_CMD_COMPLETION_H
#define SLUICE_CMD_COMPLETION_H

#include <stdio.h>

/* The hidden command that the scripts run to request candidates. */
#define COMPLETION_CALL "__complete"

/*
 * Prints the candidates for the last word, one per line, each followed by a tab and its
 * description, if any. The lines ":file" and ":dir" request that the shell completes file names.
 */
void completion_print(FILE *file, int words, char **word);

#endif
