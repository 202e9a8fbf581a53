// SPDX-License-Identifier: GPL-2.0-or-later
#include "metrics/accept.h"

#include <stdbool.h>
#include <string.h>
#include <strings.h>

#define SPACE " \t"
#define WHOLE 1000

/* A substring of the header. */
struct span {
	const char *at;
	size_t length;
};

/* Splits off the part before the next separator, and trims its spaces. */
static bool next(struct span *rest, char separator, struct span *part)
{
	const char *end;

	if (!rest->at)
		return false;
	end = memchr(rest->at, separator, rest->length);
	*part = (struct span){ rest->at, end ? (size_t)(end - rest->at) : rest->length };
	rest->length -= part->length + (end ? 1 : 0);
	rest->at = end ? end + 1 : NULL;
	while (part->length && strchr(SPACE, *part->at)) {
		part->at++;
		part->length--;
	}
	while (part->length && strchr(SPACE, part->at[part->length - 1]))
		part->length--;
	return true;
}

static bool is(const struct span *part, const char *word)
{
	return part->length == strlen(word) && !strncasecmp(part->at, word, part->length);
}

/* Returns a weight in thousandths; 0, which excludes the range, if the weight is malformed. */
static int weight_of(const struct span *value)
{
	int weight = 0, scale = WHOLE;
	size_t i;

	if (!value->length || value->length > 5 || (value->length > 1 && value->at[1] != '.'))
		return 0;
	for (i = 0; i < value->length; i++) {
		if (i == 1)
			continue;
		if (value->at[i] < '0' || value->at[i] > '9')
			return 0;
		weight += (value->at[i] - '0') * scale;
		scale /= 10;
	}
	return weight <= WHOLE ? weight : 0;
}

/* Reads the parameters of a range. Returns false for another version of OpenMetrics. */
static bool read_params(struct span *rest, int *weight)
{
	struct span param, value;
	bool known = true;

	*weight = WHOLE;
	while (next(rest, ';', &param)) {
		struct span name;

		value = param;
		if (!next(&value, '=', &name) || !value.at)
			continue;
		if (is(&name, "q"))
			*weight = weight_of(&value);
		else if (is(&name, "version"))
			known = is(&value, "1.0.0");
	}
	return known;
}

enum metrics_format accept_format(const char *accept)
{
	struct span rest = { accept, accept ? strlen(accept) : 0 }, range;
	int open = 0, plain = 0, any = 0;

	while (next(&rest, ',', &range)) {
		struct span type;
		bool known;
		int weight;

		if (!next(&range, ';', &type))
			continue;
		known = read_params(&range, &weight);
		if (is(&type, "application/openmetrics-text")) {
			if (known && weight > open)
				open = weight;
		} else if (is(&type, "text/plain")) {
			if (weight > plain)
				plain = weight;
		} else if (is(&type, "text/*") || is(&type, "*/*")) {
			if (weight > any)
				any = weight;
		}
	}
	/* a more specific range has precedence over a wildcard */
	if (!plain)
		plain = any;
	return open && open >= plain ? METRICS_OPENMETRICS : METRICS_PROMETHEUS;
}
