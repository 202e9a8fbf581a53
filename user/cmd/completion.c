// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * sluice completion: a small script for each shell, which asks the program itself for what may come
 * next.  So the tables of options are the one source, and a script never goes out of date.
 */
#include "cmd/completion.h"

#include "cmd/commands.h"

#include <dirent.h>
#include <errno.h>
#include <string.h>

/* The build makes a string of each script in user/cmd/completion. */
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
	const char *current; /* the word that is being written */
	size_t kept;	     /* how much of it stays, as "--iface=eth0," does */
};

static void offer(const struct request *request, const char *word, const char *description)
{
	const char *begun = request->current + request->kept;

	if (strncmp(word, begun, strlen(begun)))
		return;
	fprintf(request->file, "%.*s%s%s%s\n", (int)request->kept, request->current, word,
		description ? "\t" : "", description ? description : "");
}

static void offer_folder(const struct request *request, const char *path)
{
	DIR *dir = opendir(path);
	const struct dirent *entry;

	while (dir && (entry = readdir(dir)))
		if (*entry->d_name != '.')
			offer(request, entry->d_name, NULL);
	if (dir)
		closedir(dir);
}

/* The argument's name in the help says of what kind it is. */
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
	else if (strstr(opt->arg, "NAME|PATH|PID"))
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

/* --- what the words before say */

struct place {
	const struct command *command; /* NULL: none yet */
	char *object;		       /* NULL: none yet */
	const struct opt *pending;     /* an option that has no value yet */
	int words;		       /* behind the command */
};

/* Returns the option that takes an argument and that the word names; or NULL. */
static const struct opt *option_of(const struct place *place, const char *word)
{
	bool is_long = word[1] == '-';
	const char *name = word + 2;
	size_t length = strcspn(name, "=");
	struct opt_table tables[LINE_TABLES_MAX], *table;
	const struct opt *opt;

	command_tables(place->command, &(struct globals){ 0 }, tables);
	for (table = tables; table->opts; table++)
		for (opt = table->opts; opt->name; opt++)
			if (opt->side != OPT_FILE && opt->arg &&
			    (is_long ? strlen(opt->name) == length &&
					       !strncmp(opt->name, name, length)
				     : word[1] == opt->letter && !word[2]))
				return opt;
	return NULL;
}

static void offer_options(const struct request *request, const struct place *place)
{
	struct opt_table tables[LINE_TABLES_MAX], *table;
	const struct opt *opt;
	char word[64];

	command_tables(place->command, &(struct globals){ 0 }, tables);
	for (table = tables; table->opts; table++)
		for (opt = table->opts; opt->name; opt++) {
			snprintf(word, sizeof(word), "--%s", opt->name);
			if (opt->side != OPT_FILE)
				offer(request, word, opt->help);
		}
}

static void place_word(struct place *place, char *word)
{
	char *words[] = { place->object ? place->object : word, word };
	int used;

	if (place->command)
		place->words++;
	else
		place->command = command_find(place->object ? 2 : 1, words, &used,
					      &(struct err){ 0 });
	place->object = words[0];
}

static struct place place_find(int words, char **word)
{
	struct place place = { NULL };
	int i;

	for (i = 0; i < words; i++) {
		/* bash cuts "--mode=wire" into three words */
		if (place.pending && !strcmp(word[i], "="))
			continue;
		if (place.pending) {
			place.pending = NULL;
		} else if (word[i][0] == '-' && word[i][1]) {
			place.pending = option_of(&place, word[i]);
			if (strchr(word[i], '='))
				place.pending = NULL;
		} else {
			place_word(&place, word[i]);
		}
	}
	return place;
}

static void offer_words(const struct request *request, const struct place *place, char *first)
{
	size_t i;

	if (place->command == &completion_command && !place->words)
		for (i = 0; i < SHELLS; i++)
			offer(request, shells[i].name, NULL);
	else if (place->command == &help_command && !place->words)
		offer_objects(request);
	else if (place->command == &help_command && place->words == 1)
		offer_commands(request, first);
}

void completion_print(FILE *file, int words, char **word)
{
	struct request request = { .file = file, .current = words ? word[words - 1] : "" };
	struct place place = place_find(words - 1, word);
	const char *equals = strchr(request.current, '=');

	if (place.pending && !strcmp(request.current, "="))
		request.current = "";
	if (!place.pending && !strncmp(request.current, "--", 2) && equals) {
		place.pending = option_of(&place, request.current);
		request.kept = (size_t)(equals + 1 - request.current);
		if (!place.pending)
			return;
	}
	if (place.pending) {
		offer_values(&request, place.pending);
	} else if (*request.current == '-') {
		offer_options(&request, &place);
	} else if (place.command) {
		offer_words(&request, &place, word[words - 2]);
	} else if (place.object) {
		offer_commands(&request, place.object);
	} else {
		offer_objects(&request);
	}
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
	.summary = "print the script that completes sluice's words in a shell",
	.words = "bash|zsh|fish",
	.max_words = 1,
	.run = run,
	.help = "'make install' puts the scripts where the shells look for them.\n\n"
		"examples:\n"
		"  source <(sluice completion bash)\n"
		"  source <(sluice completion zsh)\n"
		"  sluice completion fish | source\n",
};
