/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The output of 'sluice monitor'. A slow consumer does not block the command, so a signal can end
 * it even while the pipe is full.
 *
 * Rejected: O_NONBLOCK, because all processes that share the open file description would inherit
 * it.
 */
#ifndef SLUICE_CMD_MONITOR_WRITER_H
#define SLUICE_CMD_MONITOR_WRITER_H

#include "base/loop.h"

#include <stddef.h>
#include <stdio.h>

struct monitor_writer {
	FILE *file; /* collects the pending text */
	char *text;
	size_t length, written; /* length of the text */
	struct loop_watch *watch;
};

/*
 * Prepares to write to standard output. Calls @fn when the rest of the text can be written, or when
 * the consumer closes the pipe, even if no event is pending. Returns 0 or -errno.
 */
int monitor_writer_open(struct monitor_writer *writer, struct loop *loop, loop_fn fn, void *arg);
/* Closes the writer and drops the unwritten text. Call it before loop_free(). */
void monitor_writer_close(struct monitor_writer *writer);
/*
 * Writes as much as possible without blocking. Returns 1 if text is left, 0 if all is written, or
 * -errno. Returns -EPIPE if the consumer is gone, even without text.
 */
int monitor_writer_flush(struct monitor_writer *writer);

#endif
