// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice run: options and help. */
#include "cmd/command.h"
#include "daemon/config_file.h"
#include "daemon/daemon.h"
#include "metrics/options.h"

#include <errno.h>

static struct options {
	const char *path;
	bool check;
	struct metrics_address metrics;
} options;

static const struct opt opts[] = {
	{ "config", 'c', "FILE", opt_path, offsetof(struct options, path),
	  "the configuration file (required)" },
	{ "check-config", 0, NULL, opt_switch, offsetof(struct options, check),
	  "report errors in the file, and change nothing" },
	{ "metrics", 0, METRICS_OPT_ARG, metrics_opt, offsetof(struct options, metrics),
	  METRICS_OPT_HELP " (default: as in the file)" },
	{ .name = NULL },
};

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *wanted = into;

	if (!wanted->path)
		return err_hint(err, err_set(err, EXIT_USAGE, EINVAL, "run needs a --config"),
				"give a file, as in --config /etc/sluice/sluice.conf");
	return wanted->check ? config_file_check(context, wanted->path, err)
			     : daemon_run(context, wanted->path,
					  wanted->metrics.port_be ? &wanted->metrics : NULL, err);
}

const struct command run_command = {
	.object = "run",
	.summary =
		"run the node daemon: load the objects of a file, and follow changes of the host",
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
	.help = "The file has the sections [global], [reply], [wire], [steer], [hold],\n"
		"[rendezvous] and [peer]. Their keys are the options of the commands that load or serve;\n"
		"sluice.conf(5) lists them. SIGHUP reloads the file and applies it in place; a new size\n"
		"in 'table' starts an empty table. If the file has a mistake, the loaded objects stay\n"
		"unchanged.\n"
		"When a section is removed from the file, its object is unloaded, unless a command\n"
		"loaded it last. SIGTERM ends the daemon, and the objects stay loaded: to unload them\n"
		"use 'sluice reply unload', 'sluice steer unload' and 'sluice hold unload'.\n\n"
		"The options --bpffs and --cgroup override the file, and the file overrides the\n"
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
