// SPDX-License-Identifier: GPL-2.0-or-later
/* ChannelData: all lengths, all truncations, and data that is no channel message. */
#include "meet/channel.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Copies to a buffer of this exact size at an odd address, for the address sanitizer. */
static uint8_t *exact(const void *data, size_t length)
{
	uint8_t *copy = malloc(length + 1);

	assert_non_null(copy);
	memcpy(copy + 1, data, length);
	return copy;
}

static int parse(const void *data, size_t length, struct channel_data *out)
{
	uint8_t *copy = exact(data, length);
	int result = channel_parse(copy + 1, length, out);

	free(copy);
	return result;
}

static ssize_t frame(const void *data, size_t length, size_t max)
{
	uint8_t *copy = exact(data, length);
	ssize_t result = channel_frame(copy + 1, length, max);

	free(copy);
	return result;
}

static void test_lengths(void **state)
{
	static uint8_t message[SLUICE_CHANNEL_HEADER + 65535];
	struct channel_data data;
	size_t length, step = 1;

	for (length = 0; length <= 65535; length += step) {
		channel_put_header(message, 0x4abc, length);
		assert_int_equal(parse(message, SLUICE_CHANNEL_HEADER + length, &data), 0);
		assert_int_equal(data.number, 0x4abc);
		assert_int_equal(data.length, length);
		/* additional bytes are padding; missing bytes are an error */
		assert_int_equal(channel_parse(message, sizeof(message), &data), 0);
		assert_int_equal(data.length, length);
		assert_int_equal(parse(message, SLUICE_CHANNEL_HEADER + length - 1, &data),
				 -EPROTO);
		if (length == 40)
			step = 1000;
		if (length + step > 65500 && step > 1) {
			step = 1;
			length = 65500;
		}
	}
}

static void test_numbers(void **state)
{
	uint8_t message[SLUICE_CHANNEL_HEADER];
	struct channel_data data;
	unsigned int number;

	for (number = 0; number <= 0xffff; number++) {
		bool valid = number >= 0x4000 && number <= 0x4fff;

		channel_put_header(message, (uint16_t)number, 0);
		assert_int_equal(channel_parse(message, sizeof(message), &data),
				 valid ? 0 : -EPROTO);
		assert_int_equal(channel_is_data(message, sizeof(message)), valid);
		assert_int_equal(channel_frame(message, sizeof(message), 100),
				 valid ? SLUICE_CHANNEL_HEADER : -EPROTO);
	}
	assert_false(channel_is_data(message, 0));
}

static void test_stream(void **state)
{
	uint8_t message[64] = { 0 };
	size_t have;

	for (have = 0; have < SLUICE_CHANNEL_HEADER; have++) {
		channel_put_header(message, 0x4000, 5);
		assert_int_equal(frame(message, have, 100), 0);
	}
	/* 4 + 5 bytes, and 3 bytes of padding */
	assert_int_equal(frame(message, 4, 100), 12);
	assert_int_equal(frame(message, 4, 12), 12);
	assert_int_equal(frame(message, 4, 11), -EPROTO);
	channel_put_header(message, 0x4000, 8);
	assert_int_equal(frame(message, 4, 12), 12);
	channel_put_header(message, 0x4fff, 65535);
	assert_int_equal(frame(message, 4, 1280), -EPROTO);
	assert_int_equal(frame(message, 4, 1 << 20), 65540);
	/* the start of a STUN message, and of a QUIC packet */
	message[0] = 0;
	assert_int_equal(frame(message, 1, 100), -EPROTO);
	message[0] = 0x50;
	assert_int_equal(frame(message, 1, 100), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lengths),
		cmocka_unit_test(test_numbers),
		cmocka_unit_test(test_stream),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
