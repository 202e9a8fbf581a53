// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/conf.h"

#include "base/array.h"

#include <ctype.h>
#include <errno.h>
#include <ini.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define PROBLEM_MAX 512

/* inih reads through this, a line at a time, and calls back before it reads the next one. */
struct reading {
	struct conf *conf;
	FILE *file;
	char *text; /* of the line */
	size_t room;
	unsigned int line;
	bool waiting; /* inih has not said what it made of the line */
	bool goes_on; /* the value above ended with a comma */
	int result;
};

int conf_add_problem(struct conf *conf, unsigned int line, const char *fmt, ...)
{
	struct conf_problem problem = { .line = line, .text = malloc(PROBLEM_MAX) };
	va_list args;
	char *at;

	if (!problem.text || array_grow((void **)&conf->problem, &conf->problem_room,
					conf->problems, sizeof(problem))) {
		free(problem.text);
		return -ENOMEM;
	}
	va_start(args, fmt);
	vsnprintf(problem.text, PROBLEM_MAX, fmt, args);
	va_end(args);
	for (at = problem.text; *at; at++)
		if (iscntrl((unsigned char)*at))
			*at = '?';
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

/* How much of a line stands before a comment; inih sees to it only where a value begins. */
static size_t without_comment(const char *text)
{
	size_t length;

	for (length = 1; text[length]; length++)
		if (text[length] == ';' && isspace((unsigned char)text[length - 1]))
			break;
	while (length && isspace((unsigned char)text[length - 1]))
		length--;
	return length;
}

/* The rest of a value whose line ended with a comma. */
static int entry_extend(struct conf *conf, const char *more)
{
	struct conf_entry *entry = &conf->entry[conf->entries - 1];
	size_t used = strlen(entry->value), length = *more ? without_comment(more) : 0;
	char *grown = realloc(entry->value, used + length + 1);

	if (!grown)
		return -ENOMEM;
	memcpy(grown + used, more, length);
	grown[used + length] = '\0';
	entry->value = grown;
	return 0;
}

static bool ends_with_comma(const struct conf *conf)
{
	const char *value = conf->entry[conf->entries - 1].value;

	return *value && value[strlen(value) - 1] == ',';
}

static void note(struct reading *r, int result)
{
	if (result && !r->result)
		r->result = result;
}

/* inih calls it for each `key = value`, and for each line that goes on. */
static int on_value(void *arg, const char *section, const char *key, const char *value)
{
	struct reading *r = arg;

	r->waiting = false;
	if (r->goes_on)
		note(r, entry_extend(r->conf, value));
	else if (!*section)
		note(r,
		     conf_add_problem(r->conf, r->line, "'%s' stands before any [section]", key));
	else
		note(r, entry_add(r->conf, section, key, value, r->line));
	r->goes_on = !r->result && *section && ends_with_comma(r->conf);
	return 1;
}

static char *skip_blank(char *text)
{
	return text + strspn(text, " \t\r\n\v\f");
}

/* inih calls nobody for a section; it takes what stands before the first ']'. */
static void on_section(struct reading *r, char *text)
{
	char *end = strchr(text, ']');

	if (!end)
		return;
	r->waiting = false;
	*end = '\0';
	note(r, entry_add(r->conf, text + 1, NULL, NULL, r->line));
	*end = ']';
}

/* inih says nothing of a line that it could not use but the number of the first such. */
static void line_end(struct reading *r)
{
	if (r->waiting)
		note(r, conf_add_problem(r->conf, r->line,
					 "neither 'key = value', nor a [section], nor a comment"));
	r->waiting = false;
}

static char *refuse_length(struct reading *r, size_t size)
{
	note(r,
	     conf_add_problem(r->conf, r->line,
			      "the line is longer than %zu characters; a list goes on in the next"
			      " line if it ends with a comma and that is indented",
			      size - 3));
	r->goes_on = false;
	return "\n";
}

/* What inih is given of the line; an empty one for one that is refused here. */
static char *line_begin(struct reading *r, size_t length, size_t size)
{
	char *at = r->text + (r->line == 1 && !strncmp(r->text, "\xef\xbb\xbf", 3) ? 3 : 0);
	char *body = skip_blank(at);

	if (strlen(r->text) != length) {
		note(r, conf_add_problem(r->conf, r->line, "the line holds a NUL byte"));
		return "\n";
	}
	if (!*body || strchr(";#", *body))
		return "\n";
	r->goes_on = r->goes_on && isblank((unsigned char)*at);
	if (!r->goes_on)
		at = body;
	if (strlen(at) >= size)
		return refuse_length(r, size);
	r->waiting = true;
	if (*at == '[')
		on_section(r, at);
	return at;
}

/* fgets(3) for inih, of which each call must give a whole line. */
static char *on_read(char *into, int size, void *arg)
{
	struct reading *r = arg;
	ssize_t length;

	line_end(r);
	errno = 0;
	length = r->result ? -1 : getline(&r->text, &r->room, r->file);
	if (length < 0)
		return NULL;
	r->line++;
	snprintf(into, (size_t)size, "%s", line_begin(r, (size_t)length, (size_t)size));
	return into;
}

int conf_read(FILE *file, struct conf *conf)
{
	struct reading r = { .conf = conf, .file = file };

	*conf = (struct conf){ .entry = NULL };
	/* inih's own verdict is a line number at most, and known already. */
	ini_parse_stream(on_read, &r, on_value, &r);
	line_end(&r);
	free(r.text);
	if (!r.result && ferror(file))
		r.result = errno ? -errno : -EIO;
	if (r.result)
		conf_free(conf);
	return r.result;
}

static int problem_order(const void *a, const void *b)
{
	const struct conf_problem *x = a, *y = b;

	return (x->line > y->line) - (x->line < y->line);
}

void conf_sort_problems(struct conf *conf)
{
	if (conf->problems)
		qsort(conf->problem, conf->problems, sizeof(*conf->problem), problem_order);
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
