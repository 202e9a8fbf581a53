// SPDX-License-Identifier: GPL-2.0-or-later
#include "cli/opt.h"

#include "base/addr.h"
#include "base/ports.h"
#include "cli/suggest.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* White space that is allowed around the names of a list. */
#define BLANKS " \t"

#define OPTS_MAX   48
#define FIRST_LONG 256

/* The tables in the format of getopt_long(); entry i of `longs` is entry i of `opts`. */
struct merged {
	struct option longs[OPTS_MAX + 1];
	const struct opt *opts[OPTS_MAX];
	const struct opt_table *table[OPTS_MAX];
	const char *names[OPTS_MAX];
	char letters[3 * OPTS_MAX + 4];
	size_t count;
};

static bool is_optional(const struct opt *opt)
{
	return opt->arg && *opt->arg == '[';
}

static void merged_add(struct merged *m, const struct opt *opt, const struct opt_table *table)
{
	size_t i = m->count++, used = strlen(m->letters);

	m->opts[i] = opt;
	m->table[i] = table;
	m->names[i] = opt->name;
	m->longs[i] = (struct option){ .name = opt->name,
				       .has_arg = is_optional(opt) ? optional_argument
						  : opt->arg	   ? required_argument
								   : no_argument,
				       .val = FIRST_LONG + (int)i };
	if (opt->letter)
		snprintf(m->letters + used, sizeof(m->letters) - used, "%c%s", opt->letter,
			 is_optional(opt) ? "::"
			 : opt->arg	  ? ":"
					  : "");
}

/* Compares two names; '-' equals '_'. */
static bool is_same_name(const char *one, const char *other)
{
	while (*one && (*one == *other || (strchr("-_", *one) && *other && strchr("-_", *other)))) {
		one++;
		other++;
	}
	return !*one && !*other;
}

/* Returns the key of this name, or NULL if no key has it or the key is also an option. */
static const char *file_key(const struct opt_table *tables, const char *name)
{
	const struct opt *opt;

	for (; tables->opts; tables++)
		for (opt = tables->opts; opt->name; opt++)
			if (is_same_name(opt->name, name))
				return opt->side == OPT_FILE ? opt->name : NULL;
	return NULL;
}

/*
 * Sets the error for a word that getopt_long() rejects: an unknown or ambiguous option, or a
 * missing or extra value.
 */
static int refuse(const struct opt_table *tables, const struct merged *m, const char *word,
		  int value, struct err *err)
{
	const char *nearest, *key;
	char name[64];

	if (value == ':')
		return err_set(err, EXIT_USAGE, EINVAL, "option '%s' needs a value", word);
	if (strncmp(word, "--", 2))
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL, "unknown option '-%c'", optopt),
				"see --help");
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	if (optopt >= FIRST_LONG)
		return err_set(err, EXIT_USAGE, EINVAL, "option '--%s' takes no value", name);
	err_set(err, EXIT_USAGE, EINVAL, "unknown option '--%s'", name);
	nearest = suggest_nearest(name, m->names, m->count);
	key = file_key(tables, name);
	if (key)
		return err_hint(err, -EINVAL, "'%s' is a key of the daemon's file, sluice.conf(5)",
				key);
	return nearest ? err_hint(err, -EINVAL, "did you mean '--%s'?", nearest)
		       : err_hint(err, -EINVAL, "see --help");
}

/* Parses the words between commas one by one. */
static int set_list(const struct opt *opt, const char *what, const char *value, void *into,
		    struct err *err)
{
	char *text = strdup(value), *rest = text, *word, *end;
	struct opt_value v = { opt, what, NULL, (char *)into + opt->offset };
	int result = text ? 0 : err_set(err, EXIT_ERROR, ENOMEM, "out of memory");

	while (!result && (word = strsep(&rest, ","))) {
		word += strspn(word, " \t");
		for (end = word + strlen(word); end > word && strchr(" \t", end[-1]); end--)
			;
		*end = '\0';
		v.text = word;
		result = opt->parse(&v, err);
	}
	free(text);
	return result;
}

int opt_set(const struct opt *opt, const char *what, const char *value, void *into, struct err *err)
{
	struct opt_value v = { opt, what, value ? value : opt->bare, (char *)into + opt->offset };

	return opt->list ? set_list(opt, what, value, into, err) : opt->parse(&v, err);
}

void opt_defaults(const struct opt *opts, void *into)
{
	for (; opts->name; opts++)
		if (opts->preset)
			opt_set(opts, NULL, opts->preset, into, &(struct err){ 0 });
}

int opt_parse(const struct opt_table *tables, int argc, char **argv, int stop_at_word,
	      struct err *err)
{
	const struct opt_table *table;
	struct merged m = { .letters = "" };
	const struct opt *opt;
	int value, result;

	strcpy(m.letters, stop_at_word ? "+:" : ":");
	for (table = tables; table->opts; table++)
		for (opt = table->opts; opt->name && m.count < OPTS_MAX; opt++)
			if (opt->side != OPT_FILE)
				merged_add(&m, opt, table);
	opterr = 0;
	optind = 0; /* glibc: resets the parser */
	for (;;) {
		int at = optind ? optind : 1;
		char what[64];
		size_t found;

		value = getopt_long(argc, argv, m.letters, m.longs, NULL);
		if (value == -1)
			return optind;
		if (value == '?' || value == ':')
			return refuse(tables, &m, argv[at < optind ? optind - 1 : at], value, err);
		found = value >= FIRST_LONG ? (size_t)(value - FIRST_LONG) : 0;
		while (value < FIRST_LONG && m.opts[found]->letter != value)
			found++;
		/* getopt_long() accepts an optional value only as --name=VALUE */
		if (is_optional(m.opts[found]) && !optarg && optind < argc && *argv[optind] != '-')
			optarg = argv[optind++];
		snprintf(what, sizeof(what), "--%s", m.names[found]);
		if (optarg && !strncmp(optarg, "--", 2))
			return err_set(err, EXIT_USAGE, EINVAL, "option '%s' needs a value", what);
		result = opt_set(m.opts[found], what, optarg, m.table[found]->into, err);
		if (result)
			return result;
		if (m.table[found]->given)
			*m.table[found]->given = m.names[found];
	}
}

void opt_help(FILE *file, const struct opt *opts)
{
	for (; opts->name; opts++) {
		char left[64];

		if (opts->side == OPT_FILE)
			continue;
		snprintf(left, sizeof(left), "%c%c%s--%s%s%s", opts->letter ? '-' : ' ',
			 opts->letter ? opts->letter : ' ', opts->letter ? ", " : "  ", opts->name,
			 opts->arg ? " " : "", opts->arg ? opts->arg : "");
		fprintf(file, "  %-26s %s", left, opts->help);
		if (opts->preset)
			fprintf(file, " (default %s)", opts->preset);
		fputc('\n', file);
	}
}

/* Escapes hyphens and backslashes for roff. */
static void man_text(FILE *file, const char *text)
{
	for (; *text; text++) {
		if (*text == '-' || *text == '\\')
			fputc('\\', file);
		fputs(*text == '\\' ? "e" : (char[]){ *text, '\0' }, file);
	}
}

/* Prints the valid words or, if any value is valid, the name of the argument. */
static void man_argument(FILE *file, const struct opt *opt)
{
	const char *const *word;

	if (opt->parse != opt_word) {
		fputs("\\fI", file);
		man_text(file, opt->arg);
		fputs("\\fR", file);
		return;
	}
	for (word = opt->words; *word; word++) {
		fputs(word == opt->words ? "\\fB" : " | \\fB", file);
		man_text(file, *word);
		fputs("\\fR", file);
	}
}

const char *opt_key(const struct opt *opt, char key[OPT_KEY_MAX])
{
	char *at;

	snprintf(key, OPT_KEY_MAX, "%s", opt->name);
	for (at = key; *at; at++)
		if (*at == '-')
			*at = '_';
	return key;
}

void opt_man(FILE *file, const struct opt *opts, enum opt_side side)
{
	char key[OPT_KEY_MAX];

	for (; opts->name; opts++) {
		if (opts->side != OPT_BOTH && opts->side != side)
			continue;
		fputs(".TP\n", file);
		if (opts->letter && side == OPT_LINE)
			fprintf(file, "\\fB\\-%c\\fR, ", opts->letter);
		fputs(side == OPT_LINE ? "\\fB\\-\\-" : "\\fB", file);
		man_text(file, side == OPT_LINE ? opts->name : opt_key(opts, key));
		fputs("\\fR", file);
		if (opts->arg) {
			fputs(side == OPT_LINE ? " " : " = ", file);
			man_argument(file, opts);
		} else if (side == OPT_FILE) {
			fputs(" = \\fBno\\fR | \\fByes\\fR", file);
		}
		fprintf(file, "\n%s%c", strchr(".'", opts->help[0]) ? "\\&" : "",
			toupper((unsigned char)opts->help[0]));
		man_text(file, opts->help + 1);
		fputs(".\n", file);
		if (opts->max && opts->parse != opt_word)
			fprintf(file, "From %" PRIu64 " to %" PRIu64 ".\n", opts->min, opts->max);
		if (!opts->arg && side == OPT_FILE)
			fputs("The default is no.\n", file);
		if (opts->preset) {
			fputs("The default is ", file);
			man_text(file, opts->preset);
			fputs(".\n", file);
		}
	}
}

int opt_number(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *number,
	       struct err *err)
{
	char *end = NULL;
	uint64_t parsed = 0;
	int result;

	errno = 0;
	if (isdigit((unsigned char)*text))
		parsed = strtoull(text, &end, 10);
	if (!end || *end) {
		result = err_set(err, EXIT_USAGE, EINVAL, "%s%s'%s' is not a number",
				 OPT_WHAT(what), text);
	} else if (errno || parsed < min || parsed > max) {
		result = err_set(err, EXIT_USAGE, ERANGE, "%s%s%s is out of range", OPT_WHAT(what),
				 text);
	} else {
		*number = parsed;
		return 0;
	}
	return err_hint(err, result, "give a number from %" PRIu64 " to %" PRIu64, min, max);
}

int opt_interfaces(const char *what, const char *list, char (*name)[IFNAMSIZ], int count, int max,
		   struct err *err)
{
	const char *whole = list, *end;
	int i;

	for (;; list = end + 1) {
		size_t length;

		list += strspn(list, BLANKS);
		end = strchrnul(list, ',');
		length = (size_t)(end - list);
		if (!length)
			return err_hint(err,
					err_set(err, EXIT_USAGE, EINVAL,
						"%s%s'%s': a name is empty", OPT_WHAT(what), whole),
					"give interface names, as in eth0,eth1");
		if (length >= IFNAMSIZ || strcspn(list, "/" BLANKS) < length)
			return err_hint(err,
					err_set(err, EXIT_USAGE, EINVAL,
						"%s%s'%.*s': not an interface name", OPT_WHAT(what),
						(int)length, list),
					"give interface names, as in eth0,eth1");
		for (i = 0; i < count; i++)
			if (strlen(name[i]) == length && !strncmp(name[i], list, length))
				break;
		if (i == max)
			return err_set(err, EXIT_USAGE, E2BIG, "%s%sat most %d interfaces",
				       OPT_WHAT(what), max);
		if (i == count)
			snprintf(name[count++], IFNAMSIZ, "%.*s", (int)length, list);
		if (!*end)
			return count;
	}
}

static const char *const no_yes[] = { "no", "yes", NULL };

int opt_switch(const struct opt_value *v, struct err *err)
{
	const struct opt words = { .name = v->opt->name, .words = no_yes };
	unsigned int number = 1;
	int result = 0;

	if (v->text)
		result = opt_word(&(struct opt_value){ &words, v->what, v->text, &number }, err);
	if (!result)
		*(bool *)v->field = number;
	return result;
}

int opt_text(const struct opt_value *v, struct err *err)
{
	*(const char **)v->field = v->text;
	return 0;
}

int opt_path(const struct opt_value *v, struct err *err)
{
	if (!*v->text)
		return err_set(err, EXIT_USAGE, EINVAL, "%s%sthe path is empty", OPT_WHAT(v->what));
	if (!v->what && *v->text != '/')
		return err_set(err, EXIT_USAGE, EINVAL, "'%s' is not an absolute path", v->text);
	return opt_text(v, err);
}

int opt_u64(const struct opt_value *v, struct err *err)
{
	uint64_t number;

	if (opt_number(v->what, v->text, v->opt->min, v->opt->max, &number, err))
		return -EINVAL;
	*(__u64 *)v->field = number;
	return 0;
}

int opt_u32(const struct opt_value *v, struct err *err)
{
	struct opt_value wide = *v;
	__u64 number;

	wide.field = &number;
	if (opt_u64(&wide, err))
		return -EINVAL;
	*(__u32 *)v->field = (__u32)number;
	return 0;
}

const char *opt_word_name(const char *const *words, unsigned int index)
{
	while (index && *words) {
		index--;
		words++;
	}
	return *words ? *words : "?";
}

/* Returns the index of a word, or -EINVAL with the nearest word or all words as the hint. */
static int word_index(const struct opt_value *v, const char *word, struct err *err)
{
	const struct opt *opt = v->opt;
	const char *noun = opt->noun ? opt->noun : "value", *nearest;
	char list[256] = "";
	size_t count, used = 0;

	for (count = 0; opt->words[count]; count++) {
		if (!strcmp(word, opt->words[count]))
			return (int)count;
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s'%s'",
					 !count			 ? ""
					 : opt->words[count + 1] ? ", "
								 : " or ",
					 opt->words[count]);
	}
	/* omit the name of the option if it contains the noun */
	if (strstr(opt->name, noun))
		err_set(err, EXIT_USAGE, EINVAL, "unknown %s '%s'", noun, word);
	else
		err_set(err, EXIT_USAGE, EINVAL, "%s%sunknown %s '%s'", OPT_WHAT(v->what), noun,
			word);
	nearest = suggest_nearest(word, opt->words, count);
	return nearest ? err_hint(err, -EINVAL, "did you mean '%s'?", nearest)
		       : err_hint(err, -EINVAL, "give %s", list);
}

int opt_word(const struct opt_value *v, struct err *err)
{
	int index = word_index(v, v->text, err);

	if (index < 0)
		return index;
	*(unsigned int *)v->field = (unsigned int)v->opt->min + (unsigned int)index;
	return 0;
}

int opt_word_set(const struct opt_value *v, struct err *err)
{
	const char *at = v->text;
	unsigned int set = 0;

	for (;; at++) {
		size_t length = strcspn(at, ",");
		char word[32];
		int index;

		snprintf(word, sizeof(word), "%.*s", (int)length, at);
		index = word_index(v, word, err);
		if (index < 0)
			return index;
		set |= 1U << index;
		at += length;
		if (!*at)
			break;
	}
	*(unsigned int *)v->field = set;
	return 0;
}

int opt_addr(const struct opt_value *v, struct err *err)
{
	struct opt_addr *field = v->field;

	if (!addr_parse(v->text, &field->addr))
		return err_hint(err,
				err_set(err, EXIT_USAGE, EINVAL, "%s%s'%s': not an IP address",
					OPT_WHAT(v->what), v->text),
				"give an address such as 172.17.0.3 or fd00::3");
	field->given = true;
	return 0;
}

int opt_ports(const struct opt_value *v, struct err *err)
{
	struct err reason = { 0 };
	int result = ports_parse(v->text, v->field, &reason);

	if (!result)
		return 0;
	err_set(err, reason.code, -result, "%s%s%s", OPT_WHAT(v->what), reason.what);
	return err_hint(err, result, "%s", reason.hint);
}
