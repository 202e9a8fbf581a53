// SPDX-License-Identifier: GPL-2.0-or-later
/* sluice help: the help texts of commands and objects, and the option lists of the man pages. */
#include "cmd/help.h"

#include "cmd/commands.h"
#include "daemon/config.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

static const struct object {
	const char *name, *summary, *example;
} objects[] = {
	{ "reply",
	  "Makes UDP servers that are bound to the wildcard address reply from the address that\n"
	  "the client sent its request to, whatever the route back.\n",
	  "  sluice reply load --mode audit && sleep 60 && sluice reply audit\n"
	  "  sluice reply load --mode socket --port 53,5060\n"
	  "  sluice reply show\n" },
	{ "steer",
	  "Keeps each flow with one worker of a server whose workers share a port by SO_REUSEPORT.\n",
	  "  sluice steer load --port 53\n"
	  "  sluice steer show --watch\n"
	  "a restart:\n"
	  "  OLD=$(pgrep -o -x unbound)\n"
	  "  unbound -d &\n"
	  "  sluice steer drain $OLD --wait 10 && kill $OLD\n" },
	{ "conntrack",
	  "Shows and deletes entries of the connection tracking table that contradict the sockets\n"
	  "and routes of this host.\n",
	  "  sluice conntrack audit\n"
	  "  sluice conntrack repair --reason twin --dry-run\n" },
	{ "hold",
	  "Keeps the NAT mappings of silent UDP flows open.  'hold load' tracks the flows; only 'sluice\n"
	  "run' with a section [hold] sends keepalives.\n",
	  "  printf '[hold]\\nport = 5060\\n' >hold.conf && sluice run --config hold.conf\n"
	  "  sluice hold show\n"
	  "  sluice hold flows\n" },
	{ "nat",
	  "Measures how the NAT in front of this host maps and filters UDP, using a STUN server on\n"
	  "the Internet.  Loads no program and changes nothing.\n",
	  "  sluice nat probe 192.0.2.1:3478\n"
	  "  sluice nat probe 192.0.2.1:3478 --lifetime 180\n" },
	{ "peer",
	  "Peers are hosts that find each other through a rendezvous server.  A peer is identified\n"
	  "by its key.\n",
	  "  umask 077; sluice peer key >alice.key\n"
	  "  sluice peer key --public <alice.key\n"
	  "  sluice peer list\n" },
	{ "rendezvous",
	  "Returns public addresses to hosts behind NATs (STUN), and introduces peers.\n",
	  "  (umask 077; sluice peer key >server.key; sluice peer key >alice.key)\n"
	  "  echo alice $(sluice peer key --public <alice.key) >peers\n"
	  "  sluice rendezvous serve --listen 192.0.2.1:3478 --key-file server.key --peers peers &\n"
	  "  sluice rendezvous show\n" },
};

/* Prints the options of a command, and the global options. */
static void print_options(FILE *file, const struct command *command)
{
	struct opt_table tables[LINE_TABLES_MAX], *table;

	command_tables(command, &(struct globals){ 0 }, tables);
	for (table = tables; table->opts; table++) {
		if (table == tables || table->title)
			fprintf(file, "\n%s:\n", table->title ? table->title : "options");
		opt_help(file, table->opts);
	}
}

static void print_commands(FILE *file, const char *object)
{
	char words[64];
	size_t i;

	fputs("\ncommands:\n", file);
	for (i = 0; commands[i]; i++) {
		if (object && strcmp(commands[i]->object, object))
			continue;
		snprintf(words, sizeof(words), "%s %s", commands[i]->object,
			 commands[i]->name ? commands[i]->name : "");
		fprintf(file, "  %-26s %s\n", words, commands[i]->summary);
	}
}

void help_print_all(FILE *file)
{
	fputs("usage: sluice [GLOBAL OPTIONS] OBJECT COMMAND [OPTIONS]\n\n"
	      "Makes UDP servers reply from the requested address (reply), keeps each flow with one\n"
	      "worker (steer), keeps NAT mappings open (hold), and measures NATs (nat).\n",
	      file);
	print_commands(file, NULL);
	print_options(file, NULL);
	fputs("\nFor details see 'sluice OBJECT --help', 'sluice OBJECT COMMAND --help' and sluice(8).\n"
	      "To find faults first, without changing a packet, run 'sluice reply load --mode audit'\n"
	      "and, some time later, 'sluice reply audit'.\n\n"
	      "exit status: 0 done, 1 error, 2 usage, 3 the kernel lacks something, 4 permission,\n"
	      "5 conflict with another program, 6 findings (with --exit-code)\n",
	      file);
}

void help_print_object(FILE *file, const char *object)
{
	size_t i;

	fprintf(file, "usage: sluice [GLOBAL OPTIONS] %s COMMAND [OPTIONS]\n", object);
	for (i = 0; i < sizeof(objects) / sizeof(*objects); i++) {
		if (strcmp(objects[i].name, object))
			continue;
		fprintf(file, "\n%s", objects[i].summary);
		print_commands(file, object);
		fprintf(file, "\nexamples:\n%s", objects[i].example);
	}
	fprintf(file,
		"\nFor the options of a command see 'sluice %s COMMAND --help', for the global"
		" options\n'sluice --help'.\n",
		object);
}

void help_print_command(FILE *file, const struct command *command)
{
	fprintf(file, "usage: sluice %s%s%s%s%s%s\n\n%s\n", command->object,
		command->name ? " " : "", command->name ? command->name : "",
		command->tables->opts ? " [OPTIONS]" : "", command->words ? " " : "",
		command->words ? command->words : "", command->summary);
	print_options(file, command);
	if (command->help)
		fprintf(file, "\n%s", command->help);
}

/* --- the command */

static struct options {
	bool man;
	const char *section;
} options;

static const struct opt opts[] = {
	{ "man", 0, NULL, opt_switch, offsetof(struct options, man),
	  "for packagers: print the options of a command, or the global ones, in roff" },
	{ "man-config", 0, "SECTION", opt_text, offsetof(struct options, section),
	  "for packagers: print the keys of a section of the daemon's file in roff" },
	{ .name = NULL },
};

/* Prints the options of a command; NULL selects the global options, which only sluice(8) lists. */
static void man_options(const struct command *command)
{
	struct opt_table global[LINE_TABLES_MAX];
	const struct opt_table *table = command ? command->tables : global;

	command_tables(NULL, &(struct globals){ 0 }, global);
	for (; table->opts; table++) {
		if (command && table->title)
			printf(".PP\n%c%s:\n", toupper((unsigned char)table->title[0]),
			       table->title + 1);
		opt_man(stdout, table->opts, OPT_LINE);
	}
}

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	const struct options *wanted = into;
	const char *known[COMMANDS_MAX];
	const struct conf_table *table;
	const struct command *command;
	bool found = false;
	int used;

	if (wanted->section) {
		for (table = config_tables; table->section; table++) {
			if (strcmp(table->section, wanted->section))
				continue;
			opt_man(stdout, table->opts, OPT_FILE);
			found = true;
		}
		return found ? 0
			     : err_set(err, EXIT_USAGE, EINVAL, "unknown section [%s]",
				       wanted->section);
	}
	if (!words && wanted->man) {
		man_options(NULL);
		return 0;
	}
	if (!words) {
		help_print_all(stdout);
		return 0;
	}
	if (words == 1 && !wanted->man && command_words(word[0], known)) {
		help_print_object(stdout, word[0]);
		return 0;
	}
	command = command_find(words, word, &used, err);
	if (!command)
		return -EINVAL;
	if (used < words)
		return err_set(err, EXIT_USAGE, EINVAL, "unexpected word '%s'", word[used]);
	if (wanted->man)
		man_options(command);
	else
		help_print_command(stdout, command);
	return 0;
}

const struct command help_command = {
	.object = "help",
	.summary = "print the general help, or that of an object or command",
	.words = "[OBJECT [COMMAND]]",
	.max_words = 2,
	.tables = { { opts, &options } },
	.options = &options,
	.run = run,
};
