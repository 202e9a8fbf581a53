// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice run: its options and help. */
#include "cmd/command.h"
#include "daemon/config_file.h"
#include "daemon/daemon.h"

#include <errno.h>

static struct options {
	const char *path;
	bool check;
} options;

static const struct opt opts[] = {
	{ "config", 'c', "FILE", opt_text, offsetof(struct options, path),
	  "what to load, and where; must be given" },
	{ "check-config", 0, NULL, opt_switch, offsetof(struct options, check),
	  "say what is wrong with the file, and change nothing" },
	{ .name = NULL },
};

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *wanted = into;

	if (!wanted->path)
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "run needs a --config"),
				"give a file, as in --config /etc/sluice/sluice.conf");
	return wanted->check ? config_file_check(context, wanted->path, err)
			     : daemon_run(context, wanted->path, err);
}

const struct command run_command = {
	.object = "run",
	.summary = "the node daemon: load what a file says, and follow the host",
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "The file has the sections [global], [reply], [wire] and [steer]; their keys are the\n"
		"options of 'reply load' and 'steer load', and sluice.conf(5) has them all.  SIGHUP reads\n"
		"it again, with no moment uncovered; a file with a mistake is refused, and what was\n"
		"in force stays in force.  A section that goes from the file goes from the kernel,\n"
		"unless a command was the last to load it.  SIGTERM ends the daemon and changes\n"
		"nothing else: 'sluice reply unload' does.\n\n"
		"The options --bpffs and --cgroup go before the file, which goes before the\n"
		"variables SLUICE_BPFFS and SLUICE_CGROUP.\n\n"
		"example:\n"
		"  [reply]\n"
		"  mode = socket\n"
		"  port = 53,5060\n\n"
		"  [wire]\n"
		"  follow = docker0\n"
		"  port = 5201\n\n"
		"  [steer]\n"
		"  port = 53\n",
};
