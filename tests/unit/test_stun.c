// SPDX-License-Identifier: GPL-2.0-or-later
/* STUN messages: what is sent, and responses whole, truncated, malformed and foreign. */
#include "base/stun.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* RFC 5769, section 2.2 and 2.3: the sample responses. */
static const uint8_t sample_id[STUN_ID_SIZE] = { 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34,
						 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae };
static const uint8_t sample4[] = { 0x01, 0x01, 0x00, 0x3c, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7,
				   0xa7, 0x01, 0xbc, 0x34, 0xd6, 0x86, 0xfa, 0x87, 0xdf, 0xae,
				   0x80, 0x22, 0x00, 0x0b, 0x74, 0x65, 0x73, 0x74, 0x20, 0x76,
				   0x65, 0x63, 0x74, 0x6f, 0x72, 0x20, 0x00, 0x20, 0x00, 0x08,
				   0x00, 0x01, 0xa1, 0x47, 0xe1, 0x12, 0xa6, 0x43, 0x00, 0x08,
				   0x00, 0x14, 0x2b, 0x91, 0xf5, 0x99, 0xfd, 0x9e, 0x90, 0xc3,
				   0x8c, 0x74, 0x89, 0xf9, 0x2a, 0xf9, 0xba, 0x53, 0xf0, 0x6b,
				   0xe7, 0xd7, 0x80, 0x28, 0x00, 0x04, 0xc0, 0x7d, 0x4c, 0x96 };
static const uint8_t sample6[] = {
	0x01, 0x01, 0x00, 0x18, 0x21, 0x12, 0xa4, 0x42, 0xb7, 0xe7, 0xa7, 0x01, 0xbc, 0x34, 0xd6,
	0x86, 0xfa, 0x87, 0xdf, 0xae, 0x00, 0x20, 0x00, 0x14, 0x00, 0x02, 0xa1, 0x47, 0x01, 0x13,
	0xa9, 0xfa, 0xa5, 0xd3, 0xf1, 0x79, 0xbc, 0x25, 0xf4, 0xb5, 0xbe, 0xd2, 0xb9, 0xd9
};

static int parse(const uint8_t *message, size_t length, struct stun_mapped *mapped)
{
	unsigned int error;
	/* of exact size, for the address sanitizer */
	uint8_t *copy = malloc(length ? length : 1);
	int result;

	assert_non_null(copy);
	memcpy(copy, message, length);
	result = stun_response(copy, length, sample_id, mapped, &error);
	free(copy);
	return result;
}

static void want(const struct stun_mapped *mapped, const char *address)
{
	struct in6_addr addr;

	assert_int_equal(inet_pton(AF_INET6, address, &addr), 1);
	assert_memory_equal(&mapped->addr, &addr, sizeof(addr));
	assert_int_equal(ntohs(mapped->port_be), 32853);
}

static void test_samples(void **state)
{
	struct stun_mapped mapped;

	assert_int_equal(parse(sample4, sizeof(sample4), &mapped), 0);
	want(&mapped, "::ffff:192.0.2.1");
	assert_int_equal(parse(sample6, sizeof(sample6), &mapped), 0);
	want(&mapped, "2001:db8:1234:5678:11:2233:4455:6677");
}

static void test_truncated(void **state)
{
	struct stun_mapped mapped;
	size_t length;

	for (length = 0; length < sizeof(sample4); length++)
		assert_true(parse(sample4, length, &mapped) < 0);
	for (length = 0; length < sizeof(sample6); length++)
		assert_true(parse(sample6, length, &mapped) < 0);
}

static void test_foreign(void **state)
{
	struct stun_mapped mapped;
	uint8_t message[sizeof(sample6)];
	size_t i;

	/* another type, cookie or transaction id */
	for (i = 0; i < 20; i++) {
		if (i == 2 || i == 3)
			continue;
		memcpy(message, sample6, sizeof(message));
		message[i] ^= 0x40;
		assert_int_equal(parse(message, sizeof(message), &mapped), -EAGAIN);
	}
}

static void test_malformed(void **state)
{
	static const uint16_t lengths[] = { 0, 1, 4, 8, 19, 21, 0xfffc, 0xffff };
	struct stun_mapped mapped;
	uint8_t message[sizeof(sample6)];
	size_t i;

	for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		memcpy(message, sample6, sizeof(message));
		message[22] = (uint8_t)(lengths[i] >> 8);
		message[23] = (uint8_t)lengths[i];
		assert_int_equal(parse(message, sizeof(message), &mapped), -EBADMSG);
		memcpy(message, sample6, sizeof(message));
		message[2] = (uint8_t)(lengths[i] >> 8);
		message[3] = (uint8_t)lengths[i];
		assert_int_equal(parse(message, sizeof(message), &mapped), -EBADMSG);
	}
	/* an unknown family; no address */
	memcpy(message, sample6, sizeof(message));
	message[25] = 3;
	assert_int_equal(parse(message, sizeof(message), &mapped), -EBADMSG);
	memcpy(message, sample6, sizeof(message));
	message[21] = 0x21;
	assert_int_equal(parse(message, sizeof(message), &mapped), -EBADMSG);
}

static void test_error(void **state)
{
	static const uint8_t attribute[] = { 0x00, 0x09, 0x00, 0x04, 0x00, 0x00, 0x04, 0x14 };
	uint8_t message[20 + sizeof(attribute)];
	struct stun_mapped mapped;
	unsigned int error;

	memcpy(message, sample6, 20);
	message[1] = 0x11;
	message[3] = sizeof(attribute);
	memcpy(message + 20, attribute, sizeof(attribute));
	assert_int_equal(stun_response(message, sizeof(message), sample_id, &mapped, &error),
			 -EREMOTEIO);
	assert_int_equal(error, 420);
}

static void test_sent(void **state)
{
	uint8_t message[STUN_SENT_MAX];

	assert_int_equal(stun_request(message, sample_id, 0), 20);
	assert_memory_equal(message, "\0\1\0\0\x21\x12\xa4\x42", 8);
	assert_memory_equal(message + 8, sample_id, STUN_ID_SIZE);
	assert_int_equal(stun_request(message, sample_id, 0x1234), 28);
	assert_memory_equal(message + 20, "\0\x27\0\4\x12\x34\0\0", 8);
	assert_int_equal(message[3], 8);
	/* an indication: no server answers it */
	assert_int_equal(stun_indication(message, sample_id), 28);
	assert_memory_equal(message, "\0\x11\0\x08", 4);
	assert_memory_equal(message + 20, "\x80\x28\0\4", 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples), cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_foreign), cmocka_unit_test(test_malformed),
		cmocka_unit_test(test_error),	cmocka_unit_test(test_sent),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
