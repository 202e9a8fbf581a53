// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/conf.h"

#include "base/array.h"
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEM_MAX 512

struct parser {
	struct conf *conf;
	const char *section; /* NULL before the first section */
	unsigned int line;
	bool parsed;	/* inih found a key and a value in the line */
	bool continues; /* the last value ended with a comma */
};

int conf_add_problem(struct conf *conf, unsigned int line, const char *fmt, ...)
{
	struct conf_problem problem = { .line = line, .text = malloc(PROBLEM_MAX) };
	va_list args;

	if (!problem.text || array_grow((void **)&conf->problem, &conf->problem_room,
					conf->problems, sizeof(problem))) {
		free(problem.text);
		return -ENOMEM;
	}
	va_start(args, fmt);
	vsnprintf(problem.text, PROBLEM_MAX, fmt, args);
	va_end(args);
	text_controls(problem.text, false);
	conf->problem[conf->problems++] = problem;
	return 0;
}

int conf_add_err(struct conf *conf, unsigned int line, const char *what, const struct err *err)
{
	return conf_add_problem(conf, line, "%s%s%s%s%s", what, what[0] ? ": " : "", err->what,
				err->hint[0] ? "; " : "", err->hint);
}

static int entry_add(struct conf *conf, const char *section, const char *key, const char *value,
		     unsigned int line)
{
	struct conf_entry entry = { .section = strdup(section),
				    .key = key ? strdup(key) : NULL,
				    .value = value ? strdup(value) : NULL,
				    .line = line };

	if (entry.section && (!key || entry.key) && (!value || entry.value) &&
	    !array_grow((void **)&conf->entry, &conf->entry_room, conf->entries, sizeof(entry))) {
		conf->entry[conf->entries++] = entry;
		return 0;
	}
	free(entry.section);
	free(entry.key);
	free(entry.value);
	return -ENOMEM;
}

static bool ends_with_comma(const char *value)
{
	return *value && value[strlen(value) - 1] == ',';
}

/* Appends a continuation line, which inih does not see, to the last value. */
static int entry_extend(struct parser *parser, const char *more)
{
	struct conf_entry *entry = &parser->conf->entry[parser->conf->entries - 1];
	size_t used = strlen(entry->value), length = 1;
	char *grown;

	while (more[length] && (more[length] != ';' || !isspace((unsigned char)more[length - 1])))
		length++;
	while (isspace((unsigned char)more[length - 1]))
		length--;
	grown = realloc(entry->value, used + length + 1);
	if (!grown)
		return -ENOMEM;
	memcpy(grown + used, more, length);
	grown[used + length] = '\0';
	entry->value = grown;
	parser->continues = ends_with_comma(grown);
	return 0;
}

/* Adds the key and value that inih found. Returns 0 on failure, as inih requires. */
static int on_value(void *arg, const char *section, const char *key, const char *value)
{
	struct parser *parser = arg;

	parser->parsed = true;
	if (!parser->section)
		return !conf_add_problem(parser->conf, parser->line,
					 "'%s' comes before any [section]", key);
	parser->continues = ends_with_comma(value);
	return !entry_add(parser->conf, parser->section, key, value, parser->line);
}

static int parse_line(struct parser *parser, char *text, size_t length)
{
	char *at = text + (parser->line == 1 && !strncmp(text, "\xef\xbb\xbf", 3) ? 3 : 0);
	char *body = at + strspn(at, " \t\r\n\v\f"), *end;
	struct conf *conf = parser->conf;

	if (strlen(text) != length)
		return conf_add_problem(conf, parser->line, "the line holds a NUL byte");
	if (!*body || *body == ';' || *body == '#')
		return 0;
	/* inih counts the newline too */
	if (strlen(body) + 1 >= INI_MAX_LINE) {
		parser->continues = false;
		return conf_add_problem(conf, parser->line,
					"the line is longer than %d characters; a list continues"
					" on the next line if it ends with a comma and that line"
					" is indented",
					INI_MAX_LINE - 3);
	}
	if (parser->continues && isblank((unsigned char)*at))
		return entry_extend(parser, body);
	parser->continues = false;
	end = *body == '[' ? strchr(body, ']') : NULL;
	if (end) {
		*end++ = '\0';
		end += strspn(end, " \t\r\v\f");
		if (*end && *end != ';' && *end != '#')
			return conf_add_problem(conf, parser->line,
						"'%s' after [%s]: a key needs a line of its own",
						end, body + 1);
		if (entry_add(conf, body + 1, NULL, NULL, parser->line))
			return -ENOMEM;
		parser->section = conf->entry[conf->entries - 1].section;
		return 0;
	}
	parser->parsed = false;
	/* parse one line at a time; inih fails if the value is missing or on_value() fails */
	if (ini_parse_string(body, on_value, parser) && parser->parsed)
		return -ENOMEM;
	return parser->parsed ? 0
			      : conf_add_problem(conf, parser->line,
						 "neither 'key = value', nor a [section], nor a"
						 " comment");
}

/*
 * Reads at most CONF_SIZE_MAX + 1 bytes. Returns the length, or -errno; the caller always frees
 * *text.
 */
static ssize_t read_all(FILE *file, char **text)
{
	size_t length;

	*text = malloc(CONF_SIZE_MAX + 2);
	if (!*text)
		return -ENOMEM;
	errno = 0;
	length = fread(*text, 1, CONF_SIZE_MAX + 1, file);
	if (ferror(file))
		return errno ? -errno : -EIO;
	return (ssize_t)length;
}

int conf_read(FILE *file, struct conf *conf)
{
	struct parser parser = { .conf = conf };
	char *text, *at, *end, *next;
	ssize_t length = read_all(file, &text);
	int result = length < 0 ? (int)length : 0;

	*conf = (struct conf){ .entry = NULL };
	/* limit the number of problems: in a file that is not a configuration, each line has one */
	for (at = text, end = text + length;
	     !result && at < end && conf->problems < CONF_PROBLEMS_MAX; at = next) {
		char *newline = memchr(at, '\n', (size_t)(end - at));
		char *stop = newline ? newline : end;

		next = stop + 1;
		*stop = '\0';
		parser.line++;
		result = parse_line(&parser, at, (size_t)(stop - at));
	}
	/*
	 * with CONF_PROBLEMS_MAX problems, the file is no configuration: do not report its size too
	 */
	if (!result && length > CONF_SIZE_MAX && conf->problems < CONF_PROBLEMS_MAX)
		result = -EFBIG;
	free(text);
	if (result)
		conf_free(conf);
	return result;
}

static int by_line(const void *a, const void *b)
{
	const struct conf_problem *x = a, *y = b;

	return (x->line > y->line) - (x->line < y->line);
}

void conf_sort_problems(struct conf *conf)
{
	if (conf->problems)
		qsort(conf->problem, conf->problems, sizeof(*conf->problem), by_line);
}

void conf_free(struct conf *conf)
{
	size_t i;

	for (i = 0; i < conf->entries; i++) {
		free(conf->entry[i].section);
		free(conf->entry[i].key);
		free(conf->entry[i].value);
	}
	for (i = 0; i < conf->problems; i++)
		free(conf->problem[i].text);
	free(conf->entry);
	free(conf->problem);
	*conf = (struct conf){ .entry = NULL };
}
