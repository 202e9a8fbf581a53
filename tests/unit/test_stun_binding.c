// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The ordinary Binding transaction, whose code the XDP program shares: which requests are ordinary,
 * and that the answer equals the answer of the full codec.
 */
#include "net/stun_build.h"
#include "stun_vectors.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <sluice/stun_binding.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

static const uint8_t id[SLUICE_STUN_ID_SIZE] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

/* Passes a copy of exact size to the recogniser, at an offset, for the address sanitizer. */
static enum sluice_stun_kind recognise(const void *data, size_t length, size_t offset,
				       struct sluice_stun_request *request)
{
	uint8_t *memory = malloc(offset + length + 1), *copy = memory + offset + 1;
	struct packet_cursor cursor;
	enum sluice_stun_kind kind;

	assert_non_null(memory);
	memcpy(copy, data, length);
	/* the byte before the message represents an already parsed header */
	cursor = packet_begin(copy - 1, copy + length, (__u32)length + 1, 0);
	kind = sluice_stun_recognise(&cursor, 1, (__u32)length, request);
	free(memory);
	return kind;
}

static void begin(struct stun_builder *builder, uint8_t *buffer, size_t size)
{
	stun_begin(builder, buffer, size, SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST, id);
}

/* --- requests */

static void test_ordinary(void **state)
{
	uint8_t buffer[256];
	struct stun_builder builder;
	struct sluice_stun_request request;
	size_t offset;

	begin(&builder, buffer, sizeof(buffer));
	for (offset = 0; offset < 8; offset++) {
		assert_int_equal(recognise(buffer, stun_end(&builder), offset, &request),
				 SLUICE_STUN_IS_ORDINARY);
		assert_memory_equal(request.id_be, id, sizeof(id));
		assert_false(request.fingerprint);
	}
	/* attributes that may be ignored */
	stun_put(&builder, SLUICE_STUN_SOFTWARE, "tailnode", 8);
	stun_put(&builder, SLUICE_STUN_ALTERNATE_DOMAIN, "x", 1);
	stun_put_u64(&builder, SLUICE_STUN_ICE_CONTROLLED, 1);
	assert_int_equal(recognise(buffer, stun_end(&builder), 0, &request),
			 SLUICE_STUN_IS_ORDINARY);
	assert_false(request.fingerprint);
	stun_put_fingerprint(&builder);
	for (offset = 0; offset < 8; offset++) {
		assert_int_equal(recognise(buffer, stun_end(&builder), offset, &request),
				 SLUICE_STUN_IS_ORDINARY);
		assert_true(request.fingerprint);
	}
}

static enum sluice_stun_kind with_attribute(uint16_t type)
{
	uint8_t buffer[64], value[4] = { 0 };
	struct stun_builder builder;
	struct sluice_stun_request request;

	begin(&builder, buffer, sizeof(buffer));
	stun_put(&builder, type, value, sizeof(value));
	return recognise(buffer, stun_end(&builder), 0, &request);
}

static void test_required(void **state)
{
	uint32_t type;

	for (type = 0; type < 0x10000; type++)
		assert_int_equal(with_attribute((uint16_t)type),
				 type < 0x8000 || type == SLUICE_STUN_FINGERPRINT
					 ? SLUICE_STUN_IS_OTHER
					 : SLUICE_STUN_IS_ORDINARY);
}

static void test_types(void **state)
{
	uint8_t buffer[20];
	struct stun_builder builder;
	struct sluice_stun_request request;
	unsigned int type;

	begin(&builder, buffer, sizeof(buffer));
	for (type = 0; type < 0x10000; type++) {
		buffer[0] = (uint8_t)(type >> 8);
		buffer[1] = (uint8_t)type;
		assert_int_equal(recognise(buffer, sizeof(buffer), 0, &request),
				 type & 0xc000 ? SLUICE_STUN_IS_NONE
				 : type == 1   ? SLUICE_STUN_IS_ORDINARY
					       : SLUICE_STUN_IS_OTHER);
	}
}

/* The work is limited, in bytes and in attributes. */
static void test_limits(void **state)
{
	uint8_t buffer[256], text[160] = { 0 };
	struct stun_builder builder;
	struct sluice_stun_request request;
	size_t i, length;

	for (length = 0; length < 160; length++) {
		begin(&builder, buffer, sizeof(buffer));
		stun_put(&builder, SLUICE_STUN_SOFTWARE, text, length);
		assert_int_equal(recognise(buffer, stun_end(&builder), 0, &request),
				 length <= SLUICE_STUN_ORDINARY_MAX - 24 ? SLUICE_STUN_IS_ORDINARY
									 : SLUICE_STUN_IS_OTHER);
	}
	/* the longest with FINGERPRINT */
	begin(&builder, buffer, sizeof(buffer));
	stun_put(&builder, SLUICE_STUN_SOFTWARE, text, SLUICE_STUN_ORDINARY_MAX - 32);
	stun_put_fingerprint(&builder);
	assert_int_equal(recognise(buffer, stun_end(&builder), 0, &request),
			 SLUICE_STUN_IS_ORDINARY);
	begin(&builder, buffer, sizeof(buffer));
	for (i = 1; i < 16; i++) {
		stun_put(&builder, SLUICE_STUN_SOFTWARE, NULL, 0);
		assert_int_equal(recognise(buffer, stun_end(&builder), 0, &request),
				 i <= SLUICE_STUN_ATTRS_MAX ? SLUICE_STUN_IS_ORDINARY
							    : SLUICE_STUN_IS_OTHER);
	}
}

static void test_truncated(void **state)
{
	uint8_t buffer[64];
	struct stun_builder builder;
	struct sluice_stun_request request;
	size_t cut, size, length;

	begin(&builder, buffer, sizeof(buffer));
	stun_put(&builder, SLUICE_STUN_SOFTWARE, "abcdef", 6);
	stun_put_fingerprint(&builder);
	length = stun_end(&builder);
	for (cut = 0; cut < length; cut++)
		assert_int_equal(recognise(buffer, cut, 0, &request), SLUICE_STUN_IS_NONE);
	for (size = 0; size < 0x10000; size++) {
		buffer[2] = (uint8_t)(size >> 8);
		buffer[3] = (uint8_t)size;
		assert_int_equal(recognise(buffer, length, 0, &request),
				 size == length - 20 ? SLUICE_STUN_IS_ORDINARY
						     : SLUICE_STUN_IS_NONE);
	}
	buffer[2] = 0;
	buffer[3] = (uint8_t)(length - 20);
	/* the length of an attribute */
	for (size = 0; size < 0x10000; size++) {
		buffer[22] = (uint8_t)(size >> 8);
		buffer[23] = (uint8_t)size;
		if (size != 6)
			assert_int_equal(recognise(buffer, length, 0, &request),
					 size == 16 || (size > 12 && size < 16)
						 ? SLUICE_STUN_IS_ORDINARY
						 : SLUICE_STUN_IS_OTHER);
	}
}

static void test_fingerprint(void **state)
{
	uint8_t buffer[64];
	struct stun_builder builder;
	struct sluice_stun_request request;
	size_t i, length;

	begin(&builder, buffer, sizeof(buffer));
	stun_put(&builder, SLUICE_STUN_SOFTWARE, "abcd", 4);
	stun_put_fingerprint(&builder);
	length = stun_end(&builder);
	for (i = 0; i < length * 8; i++) {
		buffer[i / 8] ^= (uint8_t)(1 << i % 8);
		/* unless it has turned into another attribute, which is ignored */
		if (recognise(buffer, length, 0, &request) == SLUICE_STUN_IS_ORDINARY)
			assert_false(request.fingerprint);
		buffer[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	/* not the last attribute */
	stun_put(&builder, SLUICE_STUN_SOFTWARE, "abcd", 4);
	assert_int_equal(recognise(buffer, stun_end(&builder), 0, &request), SLUICE_STUN_IS_OTHER);
}

/* The sample requests contain comprehension-required attributes; the responses are not requests. */
static void test_samples(void **state)
{
	uint8_t data[VECTOR_MAX];
	struct sluice_stun_request request;
	size_t i;

	for (i = 0; i < VECTORS; i++)
		assert_int_equal(recognise(data, from_hex(vectors[i].hex, data), 0, &request),
				 SLUICE_STUN_IS_OTHER);
}

/* --- answers */

static void want_answer(const char *address, bool fingerprint, size_t want)
{
	struct sluice_stun_request request = { .fingerprint = fingerprint };
	struct stun_endpoint from = { .port_be = htons(0xfedc) };
	struct sluice_stun_answer answer;
	uint8_t by_codec[sizeof(answer)];
	struct stun_builder builder;

	assert_int_equal(inet_pton(AF_INET6, address, &from.addr), 1);
	memcpy(request.id_be, id, sizeof(id));
	stun_begin(&builder, by_codec, sizeof(by_codec), SLUICE_STUN_BINDING, SLUICE_STUN_SUCCESS,
		   id);
	stun_put_xor_address(&builder, SLUICE_STUN_XOR_MAPPED_ADDRESS, &from);
	if (fingerprint)
		stun_put_fingerprint(&builder);
	assert_int_equal(stun_end(&builder), want);
	assert_int_equal(sluice_stun_answer(&answer, &request, &from.addr, from.port_be), want);
	assert_memory_equal(&answer, by_codec, want);
}

static void test_answers(void **state)
{
	want_answer("::ffff:192.0.2.1", false, 32);
	want_answer("::ffff:192.0.2.1", true, 40);
	want_answer("2001:db8::1234:5678", false, 44);
	want_answer("2001:db8::1234:5678", true, 52);
	/* almost v4-mapped */
	want_answer("::fffe:192.0.2.1", false, 44);
	want_answer("0:0:0:1:0:ffff:c000:201", true, 52);
	want_answer("1::ffff:192.0.2.1", true, 52);
	want_answer("::", false, 44);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ordinary),  cmocka_unit_test(test_required),
		cmocka_unit_test(test_types),	  cmocka_unit_test(test_limits),
		cmocka_unit_test(test_truncated), cmocka_unit_test(test_fingerprint),
		cmocka_unit_test(test_samples),	  cmocka_unit_test(test_answers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
