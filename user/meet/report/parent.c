// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/report/parent.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define REPORT_US 5000000

void parent_report(const char *text)
{
	send(STDIN_FILENO, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void on_timer(void *arg)
{
	const struct parent *parent = arg;
	char text[256] = "";
	FILE *reasons = fmemopen(text, sizeof(text), "w");

	if (!reasons)
		return;
	view_unready(parent->view, reasons);
	fclose(reasons);
	/* a ready peer reports an empty line */
	parent_report(*text ? text : "\n");
}

static void on_input(void *arg)
{
	struct parent *parent = arg;
	char ignored[64];
	ssize_t got = read(STDIN_FILENO, ignored, sizeof(ignored));

	/* the daemon has reloaded its configuration, without a change for this peer */
	if (got > 0 || (got < 0 && (errno == EAGAIN || errno == EINTR)))
		return;
	loop_remove(parent->view->node->runtime.loop, STDIN_FILENO);
	parent->stop(parent->arg);
}

int parent_watch(struct parent *parent)
{
	struct loop *loop = parent->view->node->runtime.loop;
	struct loop_timer *timer = loop_timer(loop, true, on_timer, parent);

	if (!timer || loop_timer_start(timer, REPORT_US))
		return -ENOMEM;
	return loop_read(loop, STDIN_FILENO, on_input, parent);
}
