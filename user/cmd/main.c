// SPDX-License-Identifier: GPL-2.0-or-later
/* The command table: parses the global options, finds the verb, prints its error. */
#include "base/log.h"
#include "base/netns.h"
#include "base/suggest.h"
#include "cmd/command.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BPFFS_DEFAULT "/sys/fs/bpf/sluice"

static const struct command *const commands[] = {
	&check_command,		  &status_command,	     &reply_load_command,
	&reply_show_command,	  &reply_flows_command,	     &reply_audit_command,
	&reply_unload_command,	  &steer_load_command,	     &steer_show_command,
	&steer_drain_command,	  &steer_unload_command,     &conntrack_show_command,
	&conntrack_audit_command, &conntrack_repair_command, &run_command,
	&cleanup_command,
};
#define COMMANDS (sizeof(commands) / sizeof(*commands))

struct globals {
	struct context context;
	bool help;
	bool version;
};

static int set_json(void *into, const char *value, struct err *err)
{
	((struct globals *)into)->context.output.json = true;
	return 0;
}

static int set_pretty(void *into, const char *value, struct err *err)
{
	((struct globals *)into)->context.output.pretty = true;
	return set_json(into, value, err);
}

static int set_verbose(void *into, const char *value, struct err *err)
{
	((struct globals *)into)->context.verbose = true;
	return 0;
}

static int set_version(void *into, const char *value, struct err *err)
{
	((struct globals *)into)->version = true;
	return 0;
}

static int set_help(void *into, const char *value, struct err *err)
{
	((struct globals *)into)->help = true;
	return 0;
}

static int set_netns(void *into, const char *value, struct err *err)
{
	((struct globals *)into)->context.netns = value;
	return 0;
}

static int set_bpffs(void *into, const char *value, struct err *err)
{
	struct globals *globals = into;

	globals->context.bpffs = value;
	globals->context.bpffs_given = true;
	return 0;
}

static int set_cgroup(void *into, const char *value, struct err *err)
{
	((struct globals *)into)->context.cgroup = value;
	return 0;
}

static const struct opt global_opts[] = {
	{ "json", 'j', NULL, "print JSON", set_json },
	{ "pretty", 'p', NULL, "print JSON for people to read", set_pretty },
	{ "verbose", 'v', NULL, "say what is being done, on stderr", set_verbose },
	{ "netns", 0, "NAME|PATH|PID", "act in this network namespace", set_netns },
	{ "bpffs", 0, "DIR", "folder of the pins (default " BPFFS_DEFAULT ")", set_bpffs },
	{ "cgroup", 0, "DIR", "attach to this cgroup2 (default: the host's root)", set_cgroup },
	{ "version", 'V', NULL, "print the version", set_version },
	{ "help", 'h', NULL, "print help", set_help },
	{ NULL, 0, NULL, NULL, NULL },
};

/* The commands of one object, or of all. */
static void help_all(FILE *file, const char *object)
{
	char words[64];
	size_t i;

	fputs("usage: sluice [GLOBAL OPTIONS] OBJECT COMMAND [OPTIONS]\n\n"
	      "UDP services that answer from the address that was asked (reply), and whose flows\n"
	      "stay with one of their workers (steer).\n\ncommands:\n",
	      file);
	for (i = 0; i < COMMANDS; i++) {
		if (object && strcmp(commands[i]->object, object))
			continue;
		snprintf(words, sizeof(words), "%s %s", commands[i]->object,
			 commands[i]->name ? commands[i]->name : "");
		fprintf(file, "  %-26s %s\n", words, commands[i]->summary);
	}
	fputs("\nglobal options:\n", file);
	opt_help(file, global_opts);
	fputs("\n'sluice OBJECT COMMAND --help' says more; so does sluice(8).  To begin with, see what\n"
	      "is wrong, which changes no packet: 'sluice reply load --mode audit', and some time\n"
	      "later 'sluice reply audit'.\n\n"
	      "exit codes: 0 done, 1 error, 2 usage, 3 the kernel lacks something, 4 permission,\n"
	      "5 conflict with another program\n",
	      file);
}

static void help_command(FILE *file, const struct command *command)
{
	fprintf(file, "usage: sluice %s%s%s%s%s%s\n\n%s\n", command->object,
		command->name ? " " : "", command->name ? command->name : "",
		command->opts ? " [OPTIONS]" : "", command->words ? " " : "",
		command->words ? command->words : "", command->summary);
	if (command->opts) {
		fputs("\noptions:\n", file);
		opt_help(file, command->opts);
	}
	fputs("\nglobal options:\n", file);
	opt_help(file, global_opts);
	if (command->help)
		fprintf(file, "\n%s", command->help);
}

/* The words that may stand at this place: all objects, or the commands of one. */
static size_t known_words(const char *object, const char **known)
{
	size_t i, count = 0;

	for (i = 0; i < COMMANDS; i++) {
		if (!object && (!i || strcmp(commands[i]->object, commands[i - 1]->object)))
			known[count++] = commands[i]->object;
		if (object && commands[i]->name && !strcmp(commands[i]->object, object))
			known[count++] = commands[i]->name;
	}
	return count;
}

static int unknown_word(const char *kind, const char *object, const char *word, struct err *err)
{
	const char *known[COMMANDS], *nearest;
	size_t i, used = 0, count = known_words(object, known);
	char list[256] = "";

	nearest = word ? word_nearest(word, known, count) : NULL;
	for (i = 0; i < count && used < sizeof(list); i++)
		used += snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", known[i]);
	if (word)
		err_set(err, EXIT_USAGE, EINVAL, "unknown %s '%s'", kind, word);
	else
		err_set(err, EXIT_USAGE, EINVAL, "%s%s%s", object ? "'sluice " : "no object",
			object ? object : "", object ? "' needs a command" : "");
	if (nearest)
		return err_mend(err, -EINVAL, "did you mean '%s'?", nearest);
	return err_mend(err, -EINVAL, "give one of: %s", list);
}

/* The command that word[0] and perhaps word[1] name; *used says how many did. */
static const struct command *find(int words, char **word, int *used, struct err *err)
{
	const char *known[COMMANDS];
	bool object_known = false;
	size_t i;

	for (i = 0; words && i < COMMANDS; i++) {
		if (strcmp(commands[i]->object, word[0]))
			continue;
		object_known = true;
		*used = commands[i]->name ? 2 : 1;
		if (!commands[i]->name || (words > 1 && !strcmp(commands[i]->name, word[1])))
			return commands[i];
	}
	if (!object_known)
		unknown_word("object", NULL, words ? word[0] : NULL, err);
	else if (known_words(word[0], known))
		unknown_word("command", word[0], words > 1 ? word[1] : NULL, err);
	return NULL;
}

/* "all" is no namespace to enter, but a word that some commands know. */
static int place_enter(const struct command *command, const char *netns, struct err *err)
{
	if (!netns || (command->all_netns && !strcmp(netns, "all")))
		return 0;
	return netns_enter(netns, err);
}

static int run(const struct command *command, struct globals *globals, int argc, char **argv,
	       struct err *err)
{
	struct opt_table tables[] = { { global_opts, globals },
				      { command->opts, command->options } };
	int first = opt_parse(tables, command->opts ? 2 : 1, argc, argv, 0, err);

	if (first < 0)
		return first;
	if (globals->help) {
		help_command(stdout, command);
		return 0;
	}
	if (argc - first > command->max_words)
		return err_mend(err,
				err_set(err, EXIT_USAGE, EINVAL, "unexpected word '%s'",
					argv[first + command->max_words]),
				"see 'sluice %s%s%s --help'", command->object,
				command->name ? " " : "", command->name ? command->name : "");
	log_verbose(globals->context.verbose);
	if (place_enter(command, globals->context.netns, err))
		return -EINVAL;
	return command->run(&globals->context, command->options, argc - first, argv + first, err);
}

/* "sluice reply --help", "sluice help reply": an object that needs a command, and none given. */
static bool asks_for_object(int words, char **word, const struct globals *globals)
{
	const char *known[COMMANDS];

	if (words < 1 || !known_words(word[0], known))
		return false;
	if (words == 1)
		return globals->help;
	return !strcmp(word[1], "--help") || !strcmp(word[1], "-h") || !strcmp(word[1], "help");
}

static int dispatch(struct globals *globals, int argc, char **argv, struct err *err)
{
	struct opt_table table = { global_opts, globals };
	const struct command *command;
	int used = 0, first = opt_parse(&table, 1, argc, argv, 1, err);

	if (first < 0)
		return first;
	if (globals->version) {
		printf("sluice %s\n", SLUICE_VERSION);
		return 0;
	}
	if (first < argc && !strcmp(argv[first], "help")) {
		globals->help = true;
		first++;
	}
	if (globals->help && first == argc) {
		help_all(stdout, NULL);
		return 0;
	}
	if (asks_for_object(argc - first, argv + first, globals)) {
		help_all(stdout, argv[first]);
		return 0;
	}
	command = find(argc - first, argv + first, &used, err);
	if (!command)
		return -EINVAL;
	return run(command, globals, argc - first - used + 1, argv + first + used - 1, err);
}

static int complain(const struct err *err)
{
	fflush(stdout);
	log_err(err);
	return err->code;
}

int main(int argc, char **argv)
{
	struct globals globals = {
		.context.output = { .file = stdout,
				    .colour = isatty(STDOUT_FILENO) && !getenv("NO_COLOR") },
		.context.bpffs = BPFFS_DEFAULT,
	};
	struct err err = { .code = EXIT_ERROR, .what = "unknown error" };

	if (dispatch(&globals, argc, argv, &err))
		return complain(&err);
	if (fflush(stdout) || ferror(stdout)) {
		err_set(&err, EXIT_ERROR, EIO, "standard output: %s", strerror(errno));
		return complain(&err);
	}
	return EXIT_OK;
}
