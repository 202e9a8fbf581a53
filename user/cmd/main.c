// SPDX-License-Identifier: GPL-2.0-or-later
/* The command line: parses the global options, runs the command, and prints its error. */
#include "base/log.h"
#include "cmd/commands.h"
#include "cmd/completion.h"
#include "cmd/help.h"
#include "net/netns.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

static int run(const struct command *command, struct globals *globals, int argc, char **argv,
	       struct err *err)
{
	struct opt_table tables[LINE_TABLES_MAX];
	const struct opt_table *table;
	struct context context = { .output = globals->output };
	struct location location;
	int first;

	for (table = command->tables; table->opts; table++)
		opt_defaults(table->opts, table->into);
	command_tables(command, globals, tables);
	first = opt_parse(tables, argc, argv, 0, err);
	if (first < 0)
		return first;
	if (globals->help) {
		help_print_command(stdout, command);
		return 0;
	}
	if (argc - first > command->max_words)
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL, "unexpected word '%s'",
					argv[first + command->max_words]),
				"see 'sluice %s%s%s --help'", command->object,
				command->name ? " " : "", command->name ? command->name : "");
	context.output.pretty = globals->pretty;
	context.output.json = globals->json || globals->pretty;
	location = environment_location(&globals->location, NULL);
	context.given = globals->location;
	context.bpffs = location.bpffs;
	context.cgroup = location.cgroup;
	context.netns = globals->netns;
	context.verbose = globals->verbose;
	context.argv = globals->argv;
	log_verbose(context.verbose);
	/* "all" is not a namespace; commands with all_netns interpret it. */
	if (context.netns && !(command->all_netns && !strcmp(context.netns, "all")) &&
	    netns_enter(context.netns, err))
		return strcmp(context.netns, "all")
			       ? -EINVAL
			       : err_hint(err, -EINVAL,
					  "only 'sluice steer load' and 'sluice hold load' take all"
					  " namespaces; omit --netns to read a loaded object");
	/* a broken pipe ('| head') must not abort a change half-way */
	if (command->changes)
		signal(SIGPIPE, SIG_IGN);
	return command->run(&context, command->options, argc - first, argv + first, err);
}

/* Returns true if --help follows an object that has several commands, without a command. */
static bool is_object_help(int words, char **word, const struct globals *globals)
{
	const char *known[COMMANDS_MAX];

	if (words < 1 || !command_words(word[0], known))
		return false;
	if (words == 1)
		return globals->help;
	return !strcmp(word[1], "--help") || !strcmp(word[1], "-h") || !strcmp(word[1], "help");
}

static int dispatch(struct globals *globals, int argc, char **argv, struct err *err)
{
	struct opt_table tables[LINE_TABLES_MAX];
	const struct command *command;
	int used = 0, first;

	/* The arguments are an incomplete command line and must not be parsed as options. */
	if (argc > 1 && !strcmp(argv[1], COMPLETION_CALL)) {
		completion_print(stdout, argc - 2, argv + 2);
		return 0;
	}
	command_tables(NULL, globals, tables);
	first = opt_parse(tables, argc, argv, 1, err);
	if (first < 0)
		return first;
	if (globals->version) {
		printf("sluice %s\n", SLUICE_VERSION);
		return 0;
	}
	if (globals->help && first == argc) {
		help_print_all(stdout);
		return 0;
	}
	if (is_object_help(argc - first, argv + first, globals)) {
		help_print_object(stdout, argv[first]);
		return 0;
	}
	command = command_find(argc - first, argv + first, &used, err);
	if (!command)
		return -EINVAL;
	return run(command, globals, argc - first - used + 1, argv + first + used - 1, err);
}

static int fail(const struct err *err)
{
	fflush(stdout);
	log_err(err);
	return err->code;
}

/*
 * Opens /dev/null for each standard stream that the caller has closed. Otherwise the first map or
 * socket would get that descriptor number, and messages would be written to it.
 */
static void open_standard_streams(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct globals globals = { .output = output_to(stdout), .argv = argv };
	struct err err = { .code = EXIT_ERROR, .what = "unknown error" };

	open_standard_streams();
	/* a write beyond RLIMIT_FSIZE then fails and is reported as an output error */
	signal(SIGXFSZ, SIG_IGN);
	if (dispatch(&globals, argc, argv, &err))
		return fail(&err);
	return output_finish(&globals.output, &err) ? fail(&err) : EXIT_OK;
}
