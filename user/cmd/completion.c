// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice completion: prints the completion script of a shell. The script calls sluice for the
 * candidates. They come from the option tables, so an installed script never goes out of date.
 */
#include "cmd/completion.h"

#include "base/text.h"
#include "cmd/commands.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

/* The build converts each script in user/cmd/completion to a string literal. */
static const struct shell {
	const char *name, *script;
} shells[] = {
	{
		"bash",
#include "completion/sluice.bash.inc"
	},
	{
		"zsh",
#include "completion/sluice.zsh.inc"
	},
	{
		"fish",
#include "completion/sluice.fish.inc"
	},
};
#define SHELLS (sizeof(shells) / sizeof(*shells))

/* --- candidates */

struct request {
	FILE *file;
	const char *current; /* the word to complete */
	size_t kept;	     /* length of its fixed prefix, such as "--iface=eth0," */
};

static void offer(const struct request *request, const char *word, const char *description)
{
	const char *typed = request->current + request->kept;

	if (strncmp(word, typed, strlen(typed)))
		return;
	fprintf(request->file, "%.*s%s%s%s\n", (int)request->kept, request->current, word,
		description ? "\t" : "", description ? description : "");
}

/*
 * Offers the names in a directory. Skips names with a control character or a leading colon: a
 * newline would forge an output line, and a colon would forge a request (":file").
 */
static void offer_folder(const struct request *request, const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char clean[sizeof(entry->d_name)];

		snprintf(clean, sizeof(clean), "%s", entry->d_name);
		text_controls(clean, false);
		if (!strcmp(clean, entry->d_name) && !strchr(clean, '\t') && *clean != '.' &&
		    *clean != ':')
			offer(request, entry->d_name, NULL);
	}
	if (dir)
		closedir(dir);
}

/*
 * Offers values for an option. The name of the argument in the help determines the kind of value.
 */
static void offer_values(struct request *request, const struct opt *opt)
{
	const char *comma = strrchr(request->current + request->kept, ',');
	size_t i;

	if (comma && opt->parse != opt_word)
		request->kept = (size_t)(comma + 1 - request->current);
	for (i = 0; opt->words && opt->words[i]; i++)
		offer(request, opt->words[i], NULL);
	if (!strcmp(opt->arg, "FILE"))
		fputs(":file\n", request->file);
	else if (!strcmp(opt->arg, "DIR"))
		fputs(":dir\n", request->file);
	else if (!strncmp(opt->arg, "IF", 2) || !strncmp(opt->arg, "BRIDGE", 6))
		offer_folder(request, "/sys/class/net");
	else if (strstr(opt->arg, "NAME|PATH|PID") || !strcmp(opt->arg, "NAME|INODE"))
		offer_folder(request, "/run/netns");
}

static void offer_objects(const struct request *request)
{
	const char *known[COMMANDS_MAX];
	size_t i, count = command_words(NULL, known);

	for (i = 0; i < count; i++)
		offer(request, known[i], NULL);
}

static void offer_commands(const struct request *request, const char *object)
{
	size_t i;

	for (i = 0; commands[i]; i++)
		if (commands[i]->name && !strcmp(commands[i]->object, object))
			offer(request, commands[i]->name, commands[i]->summary);
}

/* --- the command line so far */

struct line {
	const struct command *command; /* NULL: not complete */
	char *object;		       /* NULL: none */
	const struct opt *pending;     /* option whose value is the next word */
	int operands;
};

/* Returns the option of the word if the option takes an argument, else NULL. */
static const struct opt *option_of(const struct line *line, const char *word)
{
	bool is_long = word[1] == '-';
	const char *name = word + 2;
	size_t length = strcspn(name, "=");
	struct opt_table tables[LINE_TABLES_MAX], *table;
	const struct opt *opt;

	command_tables(line->command, &(struct globals){ 0 }, tables);
	for (table = tables; table->opts; table++)
		for (opt = table->opts; opt->name; opt++)
			if (opt->side != OPT_FILE && opt->arg &&
			    (is_long ? strlen(opt->name) == length &&
					       !strncmp(opt->name, name, length)
				     : word[1] == opt->letter && !word[2]))
				return opt;
	return NULL;
}

static void offer_options(const struct request *request, const struct line *line)
{
	struct opt_table tables[LINE_TABLES_MAX], *table;
	const struct opt *opt;
	char word[64];

	command_tables(line->command, &(struct globals){ 0 }, tables);
	for (table = tables; table->opts; table++)
		for (opt = table->opts; opt->name; opt++) {
			snprintf(word, sizeof(word), "--%s", opt->name);
			if (opt->side != OPT_FILE)
				offer(request, word, opt->help);
		}
}

static struct line line_parse(int words, char **word)
{
	struct line line = { NULL };
	int i, used;

	for (i = 0; i < words; i++) {
		/* bash splits "--mode=wire" into three words. */
		if (line.pending && !strcmp(word[i], "="))
			continue;
		if (line.pending) {
			line.pending = NULL;
		} else if (word[i][0] == '-' && word[i][1]) {
			line.pending = strchr(word[i], '=') ? NULL : option_of(&line, word[i]);
		} else if (line.command) {
			line.operands++;
		} else {
			char *name[] = { line.object ? line.object : word[i], word[i] };

			line.command = command_find(line.object ? 2 : 1, name, &used,
						    &(struct err){ 0 });
			line.object = name[0];
		}
	}
	return line;
}

void completion_print(FILE *file, int words, char **word)
{
	struct request request = { .file = file, .current = words ? word[words - 1] : "" };
	struct line line = line_parse(words - 1, word);
	const char *equals = strchr(request.current, '=');
	size_t i;

	if (line.pending && !strcmp(request.current, "=")) {
		request.current = "";
	} else if (!line.pending && equals && !strncmp(request.current, "--", 2)) {
		line.pending = option_of(&line, request.current);
		request.kept = (size_t)(equals + 1 - request.current);
		if (!line.pending)
			return;
	}
	if (line.pending)
		offer_values(&request, line.pending);
	else if (*request.current == '-')
		offer_options(&request, &line);
	else if (!line.command && line.object)
		offer_commands(&request, line.object);
	else if (!line.command || (line.command == &help_command && !line.operands))
		offer_objects(&request);
	else if (line.command == &help_command && line.operands == 1)
		offer_commands(&request, word[words - 2]);
	else if (line.command->operands && line.operands < line.command->max_words)
		for (i = 0; line.command->operands[i]; i++)
			offer(&request, line.command->operands[i], NULL);
	else if (line.command == &completion_command && !line.operands)
		for (i = 0; i < SHELLS; i++)
			offer(&request, shells[i].name, NULL);
}

/* --- the command */

static int run(const struct context *context, void *into, int words, char **word, struct err *err)
{
	size_t i;

	for (i = 0; words && i < SHELLS; i++)
		if (!strcmp(word[0], shells[i].name)) {
			fputs(shells[i].script, context->output.file);
			return 0;
		}
	if (words)
		err_set(err, EXIT_USAGE, EINVAL, "unknown shell '%s'", word[0]);
	else
		err_set(err, EXIT_USAGE, EINVAL, "completion needs a shell");
	return err_hint(err, -EINVAL, "give bash, zsh or fish");
}

const struct command completion_command = {
	.object = "completion",
	.summary = "print the completion script of a shell",
	.words = "bash|zsh|fish",
	.max_words = 1,
	.run = run,
	.help = "'make install' installs the scripts in the directories that the shells search.\n\n"
		"examples:\n"
		"  source <(sluice completion bash)\n"
		"  source <(sluice completion zsh)\n"
		"  sluice completion fish | source\n",
};
