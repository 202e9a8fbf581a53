// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/output.h"

#include "base/text.h"
#include "cli/environment.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define COLUMNS_MAX 16

bool output_has_escapes(void)
{
	const char *term = environment_get("TERM");

	return term && strcmp(term, "dumb") != 0;
}

struct output output_to(FILE *file)
{
	return (struct output){ .file = file,
				.colour = isatty(fileno(file)) && !environment_get("NO_COLOR") &&
					  output_has_escapes() };
}

int output_finish(const struct output *output, struct err *err)
{
	errno = 0;
	if (!fflush(output->file) && !ferror(output->file))
		return 0;
	/* errno is 0 if an earlier write failed */
	err_set(err, EXIT_ERROR, EIO, "standard output: %s", strerror(errno ? errno : EIO));
	return err_hint(err, -EIO, "the command was carried out; only its output is incomplete");
}

json_t *output_document(void)
{
	return json_pack("{s:i}", "schema_version", OUTPUT_SCHEMA_VERSION);
}

json_t *output_name(const char *name)
{
	json_t *string = json_string(name);
	char *copy, *to;

	if (string)
		return string;
	copy = to = malloc(3 * strlen(name) + 1);
	for (; copy && *name; name++)
		to = (unsigned char)*name < 0x80 ? (*to = *name, to + 1)
						 : stpcpy(to, "\xef\xbf\xbd");
	if (copy)
		*to = '\0';
	string = json_string(copy ? copy : "");
	free(copy);
	return string;
}

json_t *output_nonzero(unsigned int number)
{
	return number ? json_integer(number) : json_null();
}

void output_json(const struct output *output, json_t *document)
{
	json_dumpf(document, output->file,
		   OUTPUT_JSON_FLAGS | (output->pretty ? JSON_INDENT(2) : JSON_COMPACT));
	fputc('\n', output->file);
	json_decref(document);
}

const char *output_tone(const struct output *output, enum output_tone tone)
{
	static const char *const codes[] = {
		[OUTPUT_PLAIN] = "\033[0m",    [OUTPUT_GOOD] = "\033[32m",
		[OUTPUT_WARNING] = "\033[33m", [OUTPUT_BAD] = "\033[31m",
		[OUTPUT_DIM] = "\033[2m",
	};

	return output->colour ? codes[tone] : "";
}

const char *output_plain(const struct output *output)
{
	return output_tone(output, OUTPUT_PLAIN);
}

struct table {
	int columns;
	bool right[COLUMNS_MAX];
	size_t rows;
	char **lines; /* row 0 is the header; '\0' ends a cell */
};

static void table_add(struct table *table, char *line)
{
	char **lines = realloc(table->lines, (table->rows + 1) * sizeof(*lines));

	if (!lines || !line) {
		free(line);
		table->lines = lines ? lines : table->lines;
		return;
	}
	table->lines = lines;
	table->lines[table->rows++] = line;
}

struct table *table_new(const char *columns)
{
	struct table *table = calloc(1, sizeof(*table));
	char *line = strdup(columns), *cell, *rest = line, *to = line;

	if (!table || !line) {
		free(line);
		free(table);
		return NULL;
	}
	while ((cell = strsep(&rest, "|")) && table->columns < COLUMNS_MAX) {
		table->right[table->columns] = *cell == '>';
		cell += *cell == '>';
		memmove(to, cell, strlen(cell) + 1);
		to += strlen(to) + 1;
		table->columns++;
	}
	table_add(table, line);
	return table;
}

void table_row(struct table *table, const char *fmt, ...)
{
	char *line = NULL, *at;
	int cells = 1;
	va_list args;

	if (!table)
		return;
	va_start(args, fmt);
	if (vasprintf(&line, fmt, args) < 0)
		line = NULL;
	va_end(args);
	for (at = line; at && *at; at++)
		if (*at == '|' && cells < table->columns) {
			*at = '\0';
			cells++;
		}
	table_add(table, cells == table->columns ? line : (free(line), NULL));
}

void change_row(struct table *table, const char *setting, const char *before, const char *now)
{
	if (strcmp(before, now))
		table_row(table, "%s|%s|%s", setting, before, now);
}

void change_row_number(struct table *table, const char *setting, uint64_t before, uint64_t now)
{
	if (before != now)
		table_row(table, "%s|%" PRIu64 "|%" PRIu64, setting, before, now);
}

/*
 * Returns the width on a terminal, in columns. Colours (ECMA-48 SGR) and UTF-8 continuation bytes
 * have no width.
 */
static size_t text_width(const char *text)
{
	size_t width = 0;

	for (; *text; text++)
		if (!strncmp(text, "\033[", 2))
			text += strcspn(text, "m") - !strchr(text, 'm');
		else
			width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static void table_line(const struct table *table, const struct output *output, size_t row,
		       const size_t *widths, int indent)
{
	const char *cell = table->lines[row];
	int column;

	fprintf(output->file, "%*s%s", indent, "", row ? "" : output_tone(output, OUTPUT_DIM));
	for (column = 0; column < table->columns; column++) {
		bool last = column == table->columns - 1;
		int padding = (int)(widths[column] - text_width(cell));

		if (table->right[column])
			fprintf(output->file, "%*s%s", padding, "", cell);
		else
			fprintf(output->file, "%s%*s", cell, last ? 0 : padding, "");
		fputs(last ? "" : "  ", output->file);
		cell += strlen(cell) + 1;
	}
	fprintf(output->file, "%s\n", row ? "" : output_plain(output));
}

void table_print(struct table *table, const struct output *output, int indent)
{
	size_t widths[COLUMNS_MAX] = { 0 };
	size_t row;
	int column;

	if (!table)
		return;
	for (row = 0; row < table->rows; row++) {
		const char *cell = table->lines[row];

		for (column = 0; column < table->columns; column++) {
			size_t width = text_width(cell);

			if (width > widths[column])
				widths[column] = width;
			cell += strlen(cell) + 1;
		}
	}
	for (row = 0; table->rows > 1 && row < table->rows; row++)
		table_line(table, output, row, widths, indent);
	for (row = 0; row < table->rows; row++)
		free(table->lines[row]);
	free(table->lines);
	free(table);
}
