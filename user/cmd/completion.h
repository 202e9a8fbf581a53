/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_CMD_COMPLETION_H
#define SLUICE_CMD_COMPLETION_H

#include <stdio.h>

/* The command of the scripts that requests candidates. */
#define COMPLETION_CALL "__complete"

/*
 * Prints the candidates for the last word, one per line, followed by a tab and a description where
 * there is one. The lines ":file" and ":dir" request file names from the shell.
 */
void completion_print(FILE *file, int words, char **word);

#endif
