/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The output of 'sluice monitor'. A slow consumer does not block the command, so that a signal ends
 * it also while the pipe is full.
 *
 * Rejected: O_NONBLOCK, which is a property of the open file, so that all processes share it.
 */
#ifndef SLUICE_CMD_MONITOR_WRITER_H
#define SLUICE_CMD_MONITOR_WRITER_H

#include "base/loop.h"

#include <stddef.h>
#include <stdio.h>

struct monitor_writer {
	FILE *file; /* collects the text */
	char *text;
	size_t length, written; /* of the text */
	struct loop_watch *watch;
};

/*
 * Prepares to write to standard output. Calls @fn when the rest of the text can be written, or when
 * the consumer of a pipe has closed it, so that no event is needed to find that out. Returns 0 or
 * -errno.
 */
int monitor_writer_open(struct monitor_writer *writer, struct loop *loop, loop_fn fn, void *arg);
/* Closes it without the text that the consumer has not taken. Call it before loop_free(). */
void monitor_writer_close(struct monitor_writer *writer);
/*
 * Writes what does not block. Returns 1 if a part of the text is left, 0 if none is, or -errno;
 * -EPIPE also if the consumer is gone and there is no text.
 */
int monitor_writer_flush(struct monitor_writer *writer);

#endif
