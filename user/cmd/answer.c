// SPDX-License-Identifier: GPL-2.0-or-later
#include "cmd/answer.h"

#include "base/text.h"

#include <string.h>

double answer_number(const json_t *object, const char *key)
{
	return json_number_value(json_object_get(object, key));
}

const char *answer_string(const json_t *object, const char *key, char *text, size_t size)
{
	const char *value = json_string_value(json_object_get(object, key));

	return text_plain_copy(text, size, value ? value : "-");
}

const char *answer_age(const json_t *object, const char *key, char text[24])
{
	if (!json_is_number(json_object_get(object, key)))
		return strcpy(text, "-");
	return age_format((__u64)(answer_number(object, key) * 1e9), text);
}

bool answer_is_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}
