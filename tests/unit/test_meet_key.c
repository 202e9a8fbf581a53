// SPDX-License-Identifier: GPL-2.0-or-later
/* Keys of peers: their text, the vectors of RFC 7748, and keys that must be rejected. */
#include "meet/key.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

/* RFC 7748, section 6.1 */
static const uint8_t alice[KEY_SIZE] = { 0x77, 0x07, 0x6d, 0x0a, 0x73, 0x18, 0xa5, 0x7d,
					 0x3c, 0x16, 0xc1, 0x72, 0x51, 0xb2, 0x66, 0x45,
					 0xdf, 0x4c, 0x2f, 0x87, 0xeb, 0xc0, 0x99, 0x2a,
					 0xb1, 0x77, 0xfb, 0xa5, 0x1d, 0xb9, 0x2c, 0x2a };
static const uint8_t alice_public[KEY_SIZE] = { 0x85, 0x20, 0xf0, 0x09, 0x89, 0x30, 0xa7, 0x54,
						0x74, 0x8b, 0x7d, 0xdc, 0xb4, 0x3e, 0xf7, 0x5a,
						0x0d, 0xbf, 0x3a, 0x0d, 0x26, 0x38, 0x1a, 0xf4,
						0xeb, 0xa4, 0xa9, 0x8e, 0xaa, 0x9b, 0x4e, 0x6a };

static void test_vector(void **state)
{
	uint8_t key[KEY_SIZE];

	key_public(key, alice);
	assert_memory_equal(key, alice_public, KEY_SIZE);
}

static void test_both_derive_the_same(void **state)
{
	uint8_t one[KEY_SIZE], other[KEY_SIZE], bob[KEY_SIZE], bob_public[KEY_SIZE];

	assert_int_equal(key_generate(bob), 0);
	key_public(bob_public, bob);
	assert_int_equal(key_derive(one, alice, bob_public), 0);
	assert_int_equal(key_derive(other, bob, alice_public), 0);
	assert_memory_equal(one, other, KEY_SIZE);
	assert_memory_not_equal(one, alice, KEY_SIZE);
}

/* With a key of small order, any third party knows the result. */
static void test_small_order(void **state)
{
	uint8_t derived[KEY_SIZE], weak[KEY_SIZE] = { 0 };

	assert_int_equal(key_derive(derived, alice, weak), -EINVAL);
	weak[0] = 1;
	assert_int_equal(key_derive(derived, alice, weak), -EINVAL);
}

/*
 * The table lists the keys for which the multiplication yields 0: order 8, and the numbers around 0
 * and p.
 */
static void test_weak(void **state)
{
	static const uint8_t eight[2][KEY_SIZE] = {
		{ 0xe0, 0xeb, 0x7a, 0x7c, 0x3b, 0x41, 0xb8, 0xae, 0x16, 0x56, 0xe3,
		  0xfa, 0xf1, 0x9f, 0xc4, 0x6a, 0xda, 0x09, 0x8d, 0xeb, 0x9c, 0x32,
		  0xb1, 0xfd, 0x86, 0x62, 0x05, 0x16, 0x5f, 0x49, 0xb8, 0x00 },
		{ 0x5f, 0x9c, 0x95, 0xbc, 0xa3, 0x50, 0x8c, 0x24, 0xb1, 0xd0, 0xb1,
		  0x55, 0x9c, 0x83, 0xef, 0x5b, 0x04, 0x44, 0x5c, 0xc4, 0x58, 0x1c,
		  0x8e, 0x86, 0xd8, 0x22, 0x4e, 0xdd, 0xd0, 0x9f, 0x11, 0x57 },
	};
	uint8_t derived[KEY_SIZE], key[KEY_SIZE];
	int i, weak = 0;

	for (i = 0; i < 256 + 256 + 2 * 2; i++) {
		memset(key, i < 256 ? 0 : 0xff, KEY_SIZE);
		key[0] = (uint8_t)i;
		if (i >= 512)
			memcpy(key, eight[(i - 512) / 2], KEY_SIZE);
		if (i >= 256 && i % 2)
			key[KEY_SIZE - 1] ^= 0x80;
		assert_int_equal(key_is_weak(key), key_derive(derived, alice, key) != 0);
		weak += key_is_weak(key);
	}
	assert_int_equal(weak, 2 + 3 + 4);
}

static void test_text(void **state)
{
	char text[KEY_TEXT];
	uint8_t key[KEY_SIZE];

	assert_string_equal(key_format(alice_public, text),
			    "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo=");
	assert_int_equal(key_parse(text, key), 0);
	assert_memory_equal(key, alice_public, KEY_SIZE);
}

static void test_bad_text(void **state)
{
	static const char *const bad[] = {
		"",
		"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo",
		"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo==",
		"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmp=", /* unused bits */
		"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTm==",
		"hSDwCYkwp1R0i33ctD73Wg2_Og0mOBr066SpjqqbTmo=",
		"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066Spjqqb mo=",
	};
	uint8_t key[KEY_SIZE] = { 42 };
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		assert_int_equal(key_parse(bad[i], key), -EINVAL);
	assert_int_equal(key[0], 42);
}

static int read_text(const char *text, size_t size, struct err *err)
{
	FILE *file = fmemopen((void *)text, size, "r");
	uint8_t key[KEY_SIZE];
	int result;

	assert_non_null(file);
	result = key_read(file, "the file", key, err);
	fclose(file);
	return result;
}

#define READ(text, err) read_text(text, sizeof(text) - 1, err)
#define KEY_LINE	"hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="

static void test_file(void **state)
{
	struct err err = { 0 };

	assert_int_equal(READ(KEY_LINE, &err), 0);
	assert_int_equal(READ(KEY_LINE "\n", &err), 0);
	assert_int_equal(READ(KEY_LINE "\r\n", &err), 0);
	assert_int_equal(READ(KEY_LINE "\n" KEY_LINE "\n", &err), -EINVAL);
	assert_int_equal(err.code, EXIT_USAGE);
	assert_non_null(strstr(err.what, "the file"));
	assert_int_equal(READ("\n", &err), -EINVAL);
	assert_int_equal(READ(KEY_LINE "x\n", &err), -EINVAL);
	assert_int_equal(READ(KEY_LINE KEY_LINE KEY_LINE "\n", &err), -EINVAL);
	assert_int_equal(READ("\0" KEY_LINE, &err), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vector),	    cmocka_unit_test(test_both_derive_the_same),
		cmocka_unit_test(test_small_order), cmocka_unit_test(test_weak),
		cmocka_unit_test(test_text),	    cmocka_unit_test(test_bad_text),
		cmocka_unit_test(test_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
