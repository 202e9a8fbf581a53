// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/opt.h"

#include "base/suggest.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#define OPTS_MAX   48
#define FIRST_LONG 256

/* The tables as getopt_long() wants them; entry i of `longs` is entry i of `opts`. */
struct merged {
	struct option longs[OPTS_MAX + 1];
	const struct opt *opts[OPTS_MAX];
	void *into[OPTS_MAX];
	const char *names[OPTS_MAX];
	char letters[3 * OPTS_MAX + 4];
	size_t count;
};

static bool is_optional(const struct opt *opt)
{
	return opt->arg && *opt->arg == '[';
}

static void merged_add(struct merged *m, const struct opt *opt, void *into)
{
	size_t i = m->count++, used = strlen(m->letters);

	m->opts[i] = opt;
	m->into[i] = into;
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

static size_t merged_find(const struct merged *m, int value)
{
	size_t i;

	if (value >= FIRST_LONG)
		return (size_t)(value - FIRST_LONG);
	for (i = 0; i < m->count; i++)
		if (m->opts[i]->letter == value)
			break;
	return i;
}

/* getopt_long() has refused `word`: an unknown option, an ambiguous one, or one too little or much.
 */
static int refuse(const struct merged *m, const char *word, int value, struct err *err)
{
	char name[64];
	const char *nearest;

	if (value == ':')
		return err_set(err, EXIT_USAGE, EINVAL, "option '%s' needs a value", word);
	if (strncmp(word, "--", 2))
		return err_mend(err,
				err_set(err, EXIT_USAGE, EINVAL, "unknown option '-%c'", optopt),
				"see --help");
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	if (optopt >= FIRST_LONG)
		return err_set(err, EXIT_USAGE, EINVAL, "option '--%s' takes no value", name);
	err_set(err, EXIT_USAGE, EINVAL, "unknown option '--%s'", name);
	nearest = word_nearest(name, m->names, m->count);
	return nearest ? err_mend(err, -EINVAL, "did you mean '--%s'?", nearest)
		       : err_mend(err, -EINVAL, "see --help");
}

int opt_parse(const struct opt_table *tables, int count, int argc, char **argv, int stop_at_word,
	      struct err *err)
{
	struct merged m = { .letters = "" };
	const struct opt *opt;
	int i, value, result;

	strcpy(m.letters, stop_at_word ? "+:" : ":");
	for (i = 0; i < count; i++)
		for (opt = tables[i].opts; opt->name && m.count < OPTS_MAX; opt++)
			merged_add(&m, opt, tables[i].into);
	opterr = 0;
	optind = 0; /* glibc: start over, with this `letters` */
	for (;;) {
		int at = optind ? optind : 1;
		size_t found;

		value = getopt_long(argc, argv, m.letters, m.longs, NULL);
		if (value == -1)
			return optind;
		if (value == '?' || value == ':')
			return refuse(&m, argv[at < optind ? optind - 1 : at], value, err);
		found = merged_find(&m, value);
		/* getopt_long() only knows --name=VALUE for these */
		if (is_optional(m.opts[found]) && !optarg && optind < argc && *argv[optind] != '-')
			optarg = argv[optind++];
		if (optarg && !strncmp(optarg, "--", 2))
			return err_set(err, EXIT_USAGE, EINVAL, "option '--%s' needs a value",
				       m.names[found]);
		result = m.opts[found]->set(m.into[found], optarg, err);
		if (result)
			return result;
	}
}

void opt_help(FILE *file, const struct opt *opts)
{
	for (; opts->name; opts++) {
		char left[64];

		snprintf(left, sizeof(left), "%c%c%s--%s%s%s", opts->letter ? '-' : ' ',
			 opts->letter ? opts->letter : ' ', opts->letter ? ", " : "  ", opts->name,
			 opts->arg ? " " : "", opts->arg ? opts->arg : "");
		fprintf(file, "  %-26s %s\n", left, opts->help);
	}
}

int opt_number(const char *what, const char *text, uint64_t min, uint64_t max, uint64_t *number,
	       struct err *err)
{
	char *end = NULL;
	uint64_t parsed = 0;

	errno = 0;
	if (isdigit((unsigned char)*text))
		parsed = strtoull(text, &end, 10);
	if (!end || *end)
		return err_mend(
			err,
			err_set(err, EXIT_USAGE, EINVAL, "%s: '%s' is not a number", what, text),
			"give a number from %" PRIu64 " to %" PRIu64, min, max);
	if (errno || parsed < min || parsed > max)
		return err_mend(
			err, err_set(err, EXIT_USAGE, ERANGE, "%s: %s is out of range", what, text),
			"give a number from %" PRIu64 " to %" PRIu64, min, max);
	*number = parsed;
	return 0;
}
