/* SPDX-License-Identifier: GPL-2.0-or-later */
#ifndef SLUICE_CMD_HELP_H
#define SLUICE_CMD_HELP_H

#include "cmd/command.h"

void help_print_all(FILE *file);
void help_print_command(FILE *file, const struct command *command);
/* Prints the help of an object that has several commands. */
void help_print_object(FILE *file, const char *object);

#endif
