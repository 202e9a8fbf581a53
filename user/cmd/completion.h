/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_CMD_COMPLETION_H
#define SLUICE_CMD_COMPLETION_H

#include <stdio.h>

/* The word by which the shells' scripts call back. */
#define COMPLETION_CALL "__complete"

/*
 * Prints what the last of the words may become, one a line, with a tab and a description behind it.
 * The lines ":file" and ":dir" ask the shell for file names.
 */
void completion_print(FILE *file, int words, char **word);

#endif
