// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/commands.h"

#include "cli/suggest.h"

#include <errno.h>
#include <string.h>

#define COMMAND_POINTER(name) &name##_command,
const struct command *const commands[] = { COMMANDS(COMMAND_POINTER) NULL };

#define GLOBAL_FIELD(field) offsetof(struct globals, field)

static const struct opt global_opts[] = {
	{ "json", 'j', NULL, opt_switch, GLOBAL_FIELD(json), "print JSON" },
	{ "pretty", 'p', NULL, opt_switch, GLOBAL_FIELD(pretty), "print indented JSON" },
	{ "verbose", 'v', NULL, opt_switch, GLOBAL_FIELD(verbose), "log each step to stderr" },
	{ "netns", 0, "NAME|PATH|PID", opt_text, GLOBAL_FIELD(netns),
	  "act in this network namespace" },
	{ "version", 'V', NULL, opt_switch, GLOBAL_FIELD(version), "print the version" },
	{ "help", 'h', NULL, opt_switch, GLOBAL_FIELD(help), "print help" },
	{ .name = NULL },
};

void command_tables(const struct command *command, struct globals *globals,
		    struct opt_table tables[LINE_TABLES_MAX])
{
	const struct opt_table *own = command ? command->tables : NULL;

	while (own && own->opts)
		*tables++ = *own++;
	*tables++ = (struct opt_table){ global_opts, globals, .title = "global options" };
	*tables++ = (struct opt_table){ location_opts, &globals->location };
	*tables = (struct opt_table){ NULL };
}

size_t command_words(const char *object, const char *known[COMMANDS_MAX])
{
	size_t i, count = 0;

	for (i = 0; commands[i]; i++) {
		if (!object && (!i || strcmp(commands[i]->object, commands[i - 1]->object)))
			known[count++] = commands[i]->object;
		if (object && commands[i]->name && !strcmp(commands[i]->object, object))
			known[count++] = commands[i]->name;
	}
	return count;
}

static int unknown_word(const char *kind, const char *object, const char *word, struct err *err)
{
	const char *known[COMMANDS_MAX], *nearest;
	size_t i, used = 0, count = command_words(object, known);
	char list[256] = "";

	nearest = word ? suggest_nearest(word, known, count) : NULL;
	for (i = 0; i < count && used < sizeof(list); i++)
		used += snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "", known[i]);
	if (word)
		err_set(err, EXIT_USAGE, EINVAL, "unknown %s '%s'", kind, word);
	else
		err_set(err, EXIT_USAGE, EINVAL, "%s%s%s", object ? "'sluice " : "no object",
			object ? object : "", object ? "' needs a command" : "");
	if (nearest)
		return err_hint(err, -EINVAL, "did you mean '%s'?", nearest);
	return err_hint(err, -EINVAL, "give one of: %s", list);
}

const struct command *command_find(int words, char **word, int *used, struct err *err)
{
	const char *known[COMMANDS_MAX];
	bool object_known = false;
	size_t i;

	for (i = 0; words && commands[i]; i++) {
		if (strcmp(commands[i]->object, word[0]))
			continue;
		object_known = true;
		*used = commands[i]->name ? 2 : 1;
		if (!commands[i]->name || (words > 1 && !strcmp(commands[i]->name, word[1])))
			return commands[i];
	}
	if (!object_known)
		unknown_word("object", NULL, words ? word[0] : NULL, err);
	else if (command_words(word[0], known))
		unknown_word("command", word[0], words > 1 ? word[1] : NULL, err);
	return NULL;
}
