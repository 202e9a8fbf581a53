// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/log.h"

#include "base/text.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define VALUE_MAX 1024
/* A field needs this many free bytes, for its key and quotes; otherwise it is dropped. */
#define FIELD_MIN 64

static bool verbose, logfmt;
static enum log_level least = LOG_LEVEL_WARNING;
static char last_problem[512]; /* the last warning or error */
static struct timespec last_problem_at;

const char *const log_level_names[] = {
	[LOG_LEVEL_ERROR] = "error",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_DEBUG] = "debug",
	NULL,
};

void log_verbose(bool wanted)
{
	verbose = wanted;
	least = wanted ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;
}

bool log_is_verbose(void)
{
	return verbose;
}

void log_logfmt(enum log_level wanted)
{
	logfmt = true;
	least = wanted;
	verbose = wanted >= LOG_LEVEL_DEBUG;
}

static void put(struct log_line *line, char c)
{
	/* leave room for a closing quote and the end of the line */
	if (line->used < sizeof(line->text) - 3)
		line->text[line->used++] = c;
}

static void put_text(struct log_line *line, const char *text)
{
	while (*text)
		put(line, *text++);
}

/* Quotes a value, so that it can neither end the line nor look like another field. */
static void put_quoted(struct log_line *line, const char *value)
{
	put(line, '"');
	for (; *value; value++) {
		unsigned char c = (unsigned char)*value;

		if (c == '"' || c == '\\')
			put(line, '\\');
		if (c == '\n')
			put_text(line, "\\n");
		else
			put(line, c < ' ' || c == 0x7f ? '?' : (char)c);
	}
	line->text[line->used++] = '"';
}

void log_begin(struct log_line *line, enum log_level level, const char *message)
{
	line->used = 0;
	line->level = level;
	line->silent = level > least;
	if (line->silent)
		return;
	if (logfmt) {
		put_text(line, "level=");
		put_text(line, log_level_names[level]);
		put_text(line, " msg=");
		put_quoted(line, message);
	} else {
		put_text(line, level == LOG_LEVEL_WARNING ? "sluice: warning: " : "sluice: ");
		put_text(line, message);
	}
}

void log_field(struct log_line *line, const char *key, const char *fmt, ...)
{
	char value[VALUE_MAX], *at = value;
	va_list args;

	if (line->silent || line->used > sizeof(line->text) - FIELD_MIN)
		return;
	va_start(args, fmt);
	vsnprintf(value, sizeof(value), fmt, args);
	va_end(args);
	put(line, ' ');
	put_text(line, key);
	put(line, '=');
	while (*at > ' ' && !strchr("\"=\\\x7f", *at))
		at++;
	if (*at || at == value)
		put_quoted(line, text_controls(value, true));
	else
		put_text(line, value);
}

/* Writes the line in one call, so that the lines of two processes do not interleave. */
void log_end(struct log_line *line)
{
	if (line->silent)
		return;
	if (line->level <= LOG_LEVEL_WARNING) {
		clock_gettime(CLOCK_MONOTONIC, &last_problem_at);
		snprintf(last_problem, sizeof(last_problem), "%.*s", (int)line->used, line->text);
	}
	line->text[line->used++] = '\n';
	line->text[line->used] = '\0';
	fputs(line->text, stderr);
}

const char *log_last_problem(uint64_t *at_us)
{
	*at_us = (uint64_t)last_problem_at.tv_sec * 1000000 +
		 (uint64_t)last_problem_at.tv_nsec / 1000;
	return last_problem;
}

static void log_message(enum log_level level, const char *fmt, va_list args)
{
	char message[VALUE_MAX];
	struct log_line line;
	size_t length;

	vsnprintf(message, sizeof(message), fmt, args);
	length = strlen(message);
	if (length && message[length - 1] == '\n')
		message[length - 1] = '\0';
	text_controls(message, true);
	log_begin(&line, level, message);
	log_end(&line);
}

void log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_message(LOG_LEVEL_INFO, fmt, args);
	va_end(args);
}

void log_warning(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_message(LOG_LEVEL_WARNING, fmt, args);
	va_end(args);
}

void log_field_err(struct log_line *line, const struct err *err)
{
	log_field(line, "reason", "%s", err->what);
	if (err->hint[0])
		log_field(line, "hint", "%s", err->hint);
}

bool log_condition_set(struct log_condition *condition, const char *text)
{
	char now[sizeof(condition->text)];

	snprintf(now, sizeof(now), "%s", text ? text : "");
	if (!strcmp(condition->text, now))
		return false;
	memcpy(condition->text, now, sizeof(now));
	return true;
}

void log_library(const char *fmt, va_list args)
{
	log_message(logfmt ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO, fmt, args);
}

void log_err(const struct err *err)
{
	struct err copy = *err;
	struct log_line line;
	char *at, *rest;

	if (logfmt) {
		log_begin(&line, LOG_LEVEL_ERROR, text_controls(copy.what, true));
		if (err->hint[0])
			log_field(&line, "hint", "%s", err->hint);
		log_end(&line);
		/*
		 * log each line of the detail: a field is too small for it, and cannot have line
		 * breaks
		 */
		for (at = strtok_r(copy.detail, "\n", &rest); at;
		     at = strtok_r(NULL, "\n", &rest)) {
			log_begin(&line, LOG_LEVEL_ERROR, text_controls(at, false));
			log_end(&line);
		}
		return;
	}
	fprintf(stderr, "sluice: %s\n", text_controls(copy.what, true));
	if (copy.detail[0])
		fprintf(stderr, "%s", text_controls(copy.detail, true));
	if (copy.hint[0])
		fprintf(stderr, "  %s\n", text_controls(copy.hint, true));
}
