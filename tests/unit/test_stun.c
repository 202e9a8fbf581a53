// SPDX-License-Identifier: GPL-2.0-or-later
/* The STUN codec: published samples, and truncated, malformed and foreign messages. */
#include "net/stun.h"

#include "net/stun_build.h"
#include "net/stun_digest.h"
#include "stun_vectors.h"

#include <arpa/inet.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#define MUST(condition) assert_true(condition)
#include "stun_read.h"

static const uint8_t id[SLUICE_STUN_ID_SIZE] = { 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12 };

/* Makes a copy of exact size for the address sanitizer, at an offset from an aligned address. */
struct copy {
	void *memory;
	uint8_t *data;
};

static struct copy copy_at(const void *data, size_t length, size_t offset)
{
	struct copy copy = { .memory = malloc(length + offset + !(length + offset)) };

	assert_non_null(copy.memory);
	copy.data = (uint8_t *)copy.memory + offset;
	if (length)
		memcpy(copy.data, data, length);
	return copy;
}

/* Includes attributes that are absent. */
static void read_all(const struct stun_message *message)
{
	uint32_t type;

	stun_read_all(message);
	for (type = 0; type < 0x10000; type = type == 0x40     ? 0x8000
					      : type == 0x8040 ? 0x10000
							       : type + 1)
		stun_read_forms(message, (uint16_t)type);
}

static int parse_copy(const void *data, size_t length, size_t offset)
{
	struct copy copy = copy_at(data, length, offset);
	struct stun_message message;
	int result = stun_parse(copy.data, length, &message);

	assert_true(result == 0 || result == -EPROTO || result == -EBADMSG);
	if (result != -EPROTO)
		read_all(&message);
	free(copy.memory);
	return result;
}

static void set_length(uint8_t *message, size_t length)
{
	message[2] = (uint8_t)(length >> 8);
	message[3] = (uint8_t)length;
}

/* --- samples */

static int check_integrity(const struct stun_message *message, const void *key, size_t length)
{
	return message->integrity ? stun_check_sha1(message, key, length)
				  : stun_check_sha256(message, key, length);
}

static void test_samples(void **state)
{
	uint8_t data[VECTOR_MAX], key[64];
	struct stun_message message;
	size_t i, length, key_length;

	for (i = 0; i < VECTORS; i++) {
		length = from_hex(vectors[i].hex, data);
		key_length = from_hex(vectors[i].key_hex, key);
		assert_int_equal(stun_parse(data, length, &message), 0);
		assert_int_equal(message.method, SLUICE_STUN_BINDING);
		assert_int_equal(message.fingerprint, vectors[i].fingerprint);
		assert_int_equal(check_integrity(&message, key, key_length), 0);
		key[0] ^= 1;
		assert_int_equal(check_integrity(&message, key, key_length), -EKEYREJECTED);
	}
}

/*
 * Each flipped bit covered by an integrity attribute is detected, except in the length field of the
 * header.
 */
static void test_integrity_covers(void **state)
{
	uint8_t data[VECTOR_MAX], key[64];
	struct stun_message message;
	size_t i, bit, end, length, key_length;

	for (i = 0; i < VECTORS; i++) {
		length = from_hex(vectors[i].hex, data);
		key_length = from_hex(vectors[i].key_hex, key);
		assert_int_equal(stun_parse(data, length, &message), 0);
		end = message.integrity ? message.integrity : message.integrity_sha256;
		for (bit = 0; bit < end * 8; bit++) {
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
			if (!stun_parse(data, length, &message))
				assert_int_not_equal(check_integrity(&message, key, key_length), 0);
			data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		}
	}
}

static void want_mapped(const char *hex, const char *address, unsigned int port)
{
	uint8_t data[VECTOR_MAX];
	struct stun_endpoint mapped;
	struct stun_message message;
	struct in6_addr addr;

	assert_int_equal(stun_parse(data, from_hex(hex, data), &message), 0);
	assert_int_equal(message.class, SLUICE_STUN_SUCCESS);
	assert_true(stun_is_response(&message, data + 8));
	assert_int_equal(stun_get_mapped(&message, &mapped), 0);
	assert_int_equal(inet_pton(AF_INET6, address, &addr), 1);
	assert_memory_equal(&mapped.addr, &addr, sizeof(addr));
	assert_int_equal(ntohs(mapped.port_be), port);
}

static void test_mapped(void **state)
{
	want_mapped(vectors[1].hex, "::ffff:192.0.2.1", 32853);
	want_mapped(vectors[2].hex, "2001:db8:1234:5678:11:2233:4455:6677", 32853);
	/* only MAPPED-ADDRESS, as from an RFC 3489 server */
	want_mapped("0101000c2112a4420102030405060708090a0b0c00010008000112340a000001",
		    "::ffff:10.0.0.1", 0x1234);
}

/* --- truncated and malformed */

static void test_truncated(void **state)
{
	uint8_t data[VECTOR_MAX];
	size_t i, length, cut;

	for (i = 0; i < VECTORS; i++) {
		length = from_hex(vectors[i].hex, data);
		for (cut = 0; cut < length; cut++)
			assert_int_equal(parse_copy(data, cut, 0), -EPROTO);
		/* as if the sender had truncated it */
		for (cut = 20; cut < length; cut++) {
			set_length(data, cut - 20);
			if (cut % 4)
				assert_int_equal(parse_copy(data, cut, 0), -EPROTO);
			else
				parse_copy(data, cut, 0);
		}
	}
}

static void test_lengths(void **state)
{
	static const size_t lengths[] = { 0, 1, 2, 3, 4, 65531, 65532, 65533, 65534, 65535 };
	uint8_t *data = calloc(1, 65536 + 20);
	size_t i;

	assert_non_null(data);
	from_hex("000100002112a442", data);
	for (i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		set_length(data, lengths[i]);
		/* a length that exceeds the message, and a length that does not */
		assert_int_equal(parse_copy(data, 24, 0), lengths[i] == 4 ? 0 : -EPROTO);
		assert_int_equal(parse_copy(data, 20 + lengths[i], 0),
				 lengths[i] % 4 ? -EPROTO : 0);
	}
	/* an attribute longer than the message */
	set_length(data, 8);
	for (i = 4; i < 0x10000; i += i < 16 || i > 0xfff0 ? 1 : 97) {
		set_length(data + 20, i);
		assert_int_equal(parse_copy(data, 28, 0), i > 4 ? -EBADMSG : 0);
	}
	free(data);
}

/* Each kind of value, with each length up to 4 bytes more than valid. */
static void test_value_lengths(void **state)
{
	static const uint16_t types[] = {
		SLUICE_STUN_MAPPED_ADDRESS,    SLUICE_STUN_XOR_MAPPED_ADDRESS,
		SLUICE_STUN_CHANGE_REQUEST,    SLUICE_STUN_RESPONSE_PORT,
		SLUICE_STUN_ERROR_CODE,	       SLUICE_STUN_UNKNOWN_ATTRIBUTES,
		SLUICE_STUN_MESSAGE_INTEGRITY, SLUICE_STUN_MESSAGE_INTEGRITY_SHA256,
		SLUICE_STUN_FINGERPRINT,       SLUICE_STUN_ICE_CONTROLLED,
		SLUICE_STUN_USERHASH,	       SLUICE_STUN_PASSWORD_ALGORITHM,
	};
	static const uint8_t value[40] = { 0, 1, 4, 4 };
	uint8_t buffer[64];
	struct stun_builder builder;
	size_t i, length, size, family;

	for (i = 0; i < sizeof(types) / sizeof(*types); i++)
		for (length = 0; length <= 36; length++)
			for (family = 0; family < 4; family++) {
				stun_begin(&builder, buffer, sizeof(buffer), SLUICE_STUN_BINDING,
					   SLUICE_STUN_SUCCESS, id);
				stun_put(&builder, types[i], value, length);
				if (length > 1)
					buffer[25] = (uint8_t)family;
				size = stun_end(&builder);
				assert_int_equal(parse_copy(buffer, size, 0),
						 types[i] == SLUICE_STUN_FINGERPRINT ? -EPROTO : 0);
			}
}

static int address_with(uint8_t family, size_t length)
{
	uint8_t buffer[64], value[32] = { 0, family };
	struct stun_endpoint endpoint;
	struct stun_message message;
	struct stun_builder builder;

	stun_begin(&builder, buffer, sizeof(buffer), SLUICE_STUN_BINDING, SLUICE_STUN_SUCCESS, id);
	stun_put(&builder, SLUICE_STUN_XOR_MAPPED_ADDRESS, value, length);
	assert_int_equal(stun_parse(buffer, stun_end(&builder), &message), 0);
	return stun_get_mapped(&message, &endpoint);
}

static void test_address_forms(void **state)
{
	size_t length;
	uint8_t family;

	for (family = 0; family < 4; family++)
		for (length = 0; length <= 24; length++)
			assert_int_equal(address_with(family, length),
					 (family == SLUICE_STUN_IP4 && length == 8) ||
							 (family == SLUICE_STUN_IP6 && length == 20)
						 ? 0
						 : -EBADMSG);
}

static void test_misaligned(void **state)
{
	uint8_t data[VECTOR_MAX];
	size_t i, offset, length;

	for (i = 0; i < VECTORS; i++) {
		length = from_hex(vectors[i].hex, data);
		for (offset = 1; offset < 8; offset++)
			assert_int_equal(parse_copy(data, length, offset), 0);
	}
}

static void test_foreign(void **state)
{
	uint8_t data[VECTOR_MAX];
	struct stun_message message;
	size_t i, length = from_hex(vectors[1].hex, data);

	/* RFC 9443: these bytes begin other protocols */
	for (i = 64; i < 256; i++) {
		data[0] = (uint8_t)i;
		assert_int_equal(parse_copy(data, length, 0), -EPROTO);
	}
	data[0] = 1;
	assert_int_equal(stun_parse(data, length, &message), 0);
	for (i = 8; i < 20; i++) {
		data[i] ^= 0x40;
		assert_false(stun_is_response(&message,
					      (const uint8_t *)"\xb7\xe7\xa7\x01\xbc\x34"
							       "\xd6\x86\xfa\x87\xdf\xae"));
		data[i] ^= 0x40;
	}
	/* a request is not a response, even with the same id */
	from_hex(vectors[0].hex, data);
	assert_int_equal(stun_parse(data, 108, &message), 0);
	assert_false(stun_is_response(&message, data + 8));
}

static void test_types(void **state)
{
	unsigned int method, class;
	uint8_t buffer[20];
	struct stun_builder builder;
	struct stun_message message;

	for (method = 0; method < 0x1000; method++)
		for (class = 0; class < 4; class ++) {
			stun_begin(&builder, buffer, sizeof(buffer), method,
				   (enum sluice_stun_class) class, id);
			assert_int_equal(stun_parse(buffer, stun_end(&builder), &message), 0);
			assert_int_equal(message.method, method);
			assert_int_equal(message.class, class);
		}
}

/* --- protected attributes */

static void test_after_integrity(void **state)
{
	uint8_t buffer[160], other[32] = { 0 };
	struct stun_builder builder;
	struct stun_message message;
	uint32_t number;

	stun_begin(&builder, buffer, sizeof(buffer), SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST, id);
	stun_put_u32(&builder, SLUICE_STUN_PRIORITY, 7);
	stun_put_sha1(&builder, "key", 3);
	stun_put_u32(&builder, SLUICE_STUN_CHANGE_REQUEST, 6);
	stun_put_sha256(&builder, "key", 3);
	stun_put_u32(&builder, SLUICE_STUN_CHANGE_REQUEST, 6);
	stun_put(&builder, SLUICE_STUN_MESSAGE_INTEGRITY, other, 20);
	stun_put_fingerprint(&builder);
	assert_int_equal(stun_parse(buffer, stun_end(&builder), &message), 0);
	assert_true(message.fingerprint);
	assert_int_equal(stun_get_u32(&message, SLUICE_STUN_PRIORITY, &number), 0);
	assert_int_equal(number, 7);
	assert_int_equal(stun_get_u32(&message, SLUICE_STUN_CHANGE_REQUEST, &number), -ENOENT);
	assert_int_equal(stun_check_sha1(&message, "key", 3), 0);
	assert_int_equal(stun_check_sha256(&message, "key", 3), 0);
	assert_int_equal(stun_check_sha256(&message, "kez", 3), -EKEYREJECTED);
	/* SHA-1 after SHA-256 is ignored */
	stun_begin(&builder, buffer, sizeof(buffer), SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST, id);
	stun_put_sha256(&builder, "key", 3);
	stun_put_sha1(&builder, "key", 3);
	assert_int_equal(stun_parse(buffer, stun_end(&builder), &message), 0);
	assert_int_equal(stun_check_sha1(&message, "key", 3), -ENOENT);
	assert_int_equal(stun_check_sha256(&message, "key", 3), 0);
}

static int check_truncated_sha256(size_t length)
{
	uint8_t buffer[96], digest[SHA256_DIGEST_SIZE];
	struct stun_builder builder;
	struct stun_message message;

	stun_begin(&builder, buffer, sizeof(buffer), SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST, id);
	stun_digest_sha256(buffer, 20, length, "key", 3, digest);
	stun_put(&builder, SLUICE_STUN_MESSAGE_INTEGRITY_SHA256, digest,
		 length < sizeof(digest) ? length : sizeof(digest));
	assert_int_equal(stun_parse(buffer, stun_end(&builder), &message), 0);
	return stun_check_sha256(&message, "key", 3);
}

static void test_truncated_sha256(void **state)
{
	size_t length;

	for (length = 0; length <= 32; length++)
		assert_int_equal(check_truncated_sha256(length),
				 length >= 16 && length % 4 == 0 ? 0 : -EBADMSG);
}

static void test_fingerprint(void **state)
{
	uint8_t buffer[64];
	struct stun_builder builder;
	struct stun_message message;
	size_t i, length;

	stun_begin(&builder, buffer, sizeof(buffer), SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST, id);
	stun_put(&builder, SLUICE_STUN_SOFTWARE, "test", 4);
	stun_put_fingerprint(&builder);
	length = stun_end(&builder);
	assert_int_equal(stun_parse(buffer, length, &message), 0);
	assert_true(message.fingerprint);
	for (i = 8; i < length * 8; i++) {
		buffer[i / 8] ^= (uint8_t)(1 << i % 8);
		if (!stun_parse(buffer, length, &message))
			assert_false(message.fingerprint);
		buffer[i / 8] ^= (uint8_t)(1 << i % 8);
	}
	/* not the last attribute */
	stun_put(&builder, SLUICE_STUN_SOFTWARE, "test", 4);
	assert_int_equal(stun_parse(buffer, stun_end(&builder), &message), -EPROTO);
}

static void test_unknown(void **state)
{
	static const uint16_t known[] = { SLUICE_STUN_CHANGE_REQUEST };
	uint16_t unknown[STUN_UNKNOWN_MAX];
	uint8_t buffer[512], answer[128];
	struct stun_builder builder;
	struct stun_message message;
	const uint8_t *value;
	unsigned int i, code;
	size_t length;

	stun_begin(&builder, buffer, sizeof(buffer), SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST, id);
	stun_put_u32(&builder, SLUICE_STUN_CHANGE_REQUEST, 0);
	stun_put_u32(&builder, 0x7fff, 0);
	stun_put_u32(&builder, 0x7fff, 0);
	stun_put_u32(&builder, 0x8000, 0);
	stun_put(&builder, 0x0030, NULL, 0);
	stun_put_sha1(&builder, "key", 3);
	stun_put_u32(&builder, 0x0031, 0);
	assert_int_equal(stun_parse(buffer, stun_end(&builder), &message), 0);
	assert_int_equal(stun_unknown(&message, known, 1, unknown), 2);
	assert_int_equal(unknown[0], 0x7fff);
	assert_int_equal(unknown[1], 0x0030);
	assert_int_equal(stun_unknown(&message, NULL, 0, unknown), 3);

	stun_begin_response(&builder, answer, sizeof(answer), &message, SLUICE_STUN_ERROR);
	stun_put_error(&builder, 420);
	stun_put_unknown(&builder, unknown, 3);
	assert_int_equal(stun_parse(answer, stun_end(&builder), &message), 0);
	assert_int_equal(stun_get_error(&message, &code), 0);
	assert_int_equal(code, 420);
	assert_int_equal(stun_get(&message, SLUICE_STUN_UNKNOWN_ATTRIBUTES, &value, &length), 0);
	assert_int_equal(length, 6);
	assert_memory_equal(value, "\0\3\x7f\xff\0\x30\0\0", 8);

	/* at most the capacity of the array */
	stun_begin(&builder, buffer, sizeof(buffer), SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST, id);
	for (i = 0; i < 40; i++)
		stun_put(&builder, (uint16_t)(0x0100 + i), NULL, 0);
	assert_int_equal(stun_parse(buffer, stun_end(&builder), &message), 0);
	assert_int_equal(stun_unknown(&message, NULL, 0, unknown), STUN_UNKNOWN_MAX);
}

static int error_with(uint8_t hundreds, uint8_t number, unsigned int *code)
{
	const uint8_t value[] = { 0xff, 0xff, (uint8_t)(0xf8 | hundreds), number, 'O', 'h' };
	uint8_t buffer[64];
	struct stun_builder builder;
	struct stun_message message;

	stun_begin(&builder, buffer, sizeof(buffer), SLUICE_STUN_BINDING, SLUICE_STUN_ERROR, id);
	stun_put(&builder, SLUICE_STUN_ERROR_CODE, value, sizeof(value));
	assert_int_equal(stun_parse(buffer, stun_end(&builder), &message), 0);
	return stun_get_error(&message, code);
}

/* The reserved bits are ignored. */
static void test_error_codes(void **state)
{
	unsigned int code = 0, hundreds;

	for (hundreds = 0; hundreds < 8; hundreds++)
		assert_int_equal(error_with((uint8_t)hundreds, 20, &code),
				 hundreds >= 3 && hundreds <= 6 ? 0 : -EBADMSG);
	assert_int_equal(code, 620);
	assert_int_equal(error_with(4, 100, &code), -EBADMSG);
	assert_int_equal(error_with(4, 38, &code), 0);
	assert_int_equal(code, 438);
}

/* --- RFC 3489 */

static void test_classic(void **state)
{
	static const uint16_t types[] = { 0x0101, 0x0102, 0x0103 };
	uint8_t request[28], answer[64];
	struct stun_endpoint from = { .port_be = htons(4000) };
	struct stun_builder builder;
	struct stun_message message;
	const uint8_t *value;
	size_t i, length;

	from_hex("00010008000102030405060708090a0b0c0d0e0f0003000400000006", request);
	assert_int_equal(stun_parse(request, sizeof(request), &message), 0);
	assert_true(message.classic);
	stun_begin_response(&builder, answer, sizeof(answer), &message, SLUICE_STUN_ERROR);
	stun_put_address(&builder, SLUICE_STUN_MAPPED_ADDRESS, &from);
	stun_put_unknown(&builder, types, 3);
	assert_int_equal(stun_parse(answer, stun_end(&builder), &message), 0);
	assert_true(message.classic);
	assert_memory_equal(answer + 4, request + 4, 16);
	/* an even number */
	assert_int_equal(stun_get(&message, SLUICE_STUN_UNKNOWN_ATTRIBUTES, &value, &length), 0);
	assert_int_equal(length, 8);
	assert_memory_equal(value, "\1\1\1\2\1\3\1\1", 8);
	/* RFC 3489 has only Binding */
	for (i = 0; i < 0x10000; i++) {
		request[0] = (uint8_t)(i >> 8);
		request[1] = (uint8_t)i;
		assert_int_equal(stun_parse(request, sizeof(request), &message),
				 i == 0x0001 || i == 0x0101 || i == 0x0111 ? 0 : -EPROTO);
	}
}

/* --- building */

/* All buffer sizes: the builder writes nothing beyond the buffer, and padding is zero. */
static void test_builder_sizes(void **state)
{
	struct stun_endpoint endpoint = { .port_be = htons(1) };
	struct stun_builder builder;
	size_t size, full = 0;

	for (size = 0; size < 256; size++) {
		uint8_t *buffer = malloc(size + !size);
		size_t length;

		assert_non_null(buffer);
		memset(buffer, 0xff, size);
		stun_begin(&builder, buffer, size, SLUICE_STUN_BINDING, SLUICE_STUN_SUCCESS, id);
		stun_put(&builder, SLUICE_STUN_NONCE, "abcde", 5);
		stun_put_u16(&builder, SLUICE_STUN_RESPONSE_PORT, 0xffff);
		stun_put_u32(&builder, SLUICE_STUN_PRIORITY, 1);
		stun_put_u64(&builder, SLUICE_STUN_ICE_CONTROLLED, 1);
		stun_put_address(&builder, SLUICE_STUN_OTHER_ADDRESS, &endpoint);
		stun_put_xor_address(&builder, SLUICE_STUN_XOR_MAPPED_ADDRESS, &endpoint);
		stun_put_error(&builder, 438);
		stun_put_unknown(&builder, (uint16_t[]){ 1 }, 1);
		stun_put_sha1(&builder, "key", 3);
		stun_put_sha256(&builder, "key", 3);
		stun_put_fingerprint(&builder);
		length = stun_end(&builder);
		if (length) {
			full = full ? full : size;
			assert_int_equal(length, full);
			assert_memory_equal(buffer + 20,
					    "\0\x15\0\5abcde\0\0\0\0\x27\0\4\xff\xff\0\0", 20);
			assert_int_equal(parse_copy(buffer, length, 0), 0);
		}
		free(buffer);
	}
	assert_in_range(full, 100, 255);
}

static void test_longest(void **state)
{
	static uint8_t buffer[70000], value[65536];
	struct stun_builder builder;
	struct stun_message message;

	stun_begin(&builder, buffer, sizeof(buffer), SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST, id);
	stun_put(&builder, SLUICE_STUN_PADDING, value, 65528);
	assert_int_equal(stun_end(&builder), 20 + 65532);
	assert_int_equal(stun_parse(buffer, 20 + 65532, &message), 0);
	stun_put(&builder, SLUICE_STUN_PADDING, value, 0);
	assert_int_equal(stun_end(&builder), 0);
	stun_begin(&builder, buffer, sizeof(buffer), SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST, id);
	stun_put(&builder, SLUICE_STUN_PADDING, value, 65529);
	assert_int_equal(stun_end(&builder), 0);
	/* only an overflow of size_t would make it fit */
	stun_begin(&builder, buffer, sizeof(buffer), SLUICE_STUN_BINDING, SLUICE_STUN_REQUEST, id);
	stun_put(&builder, SLUICE_STUN_PADDING, value, SIZE_MAX - 1);
	assert_int_equal(stun_end(&builder), 0);
}

/* --- streams */

static void test_frames(void **state)
{
	uint8_t data[VECTOR_MAX];
	size_t have, length = from_hex(vectors[0].hex, data);
	unsigned int first;

	for (have = 0; have <= length; have++) {
		struct copy copy = copy_at(data, have, 0);

		assert_int_equal(stun_frame(copy.data, have, 1500), have < 8 ? 0 : (ssize_t)length);
		free(copy.memory);
	}
	assert_int_equal(stun_frame(data, length, length), length);
	assert_int_equal(stun_frame(data, length, length - 1), -EPROTO);
	for (first = 0x40; first < 0x100; first++) {
		data[0] = (uint8_t)first;
		assert_int_equal(stun_frame(data, 1, 1500), -EPROTO);
	}
	data[0] = 0;
	data[3] |= 1;
	assert_int_equal(stun_frame(data, length, 1500), -EPROTO);
	data[3] &= 0xfe;
	data[7] ^= 1;
	assert_int_equal(stun_frame(data, length, 1500), -EPROTO);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_samples),		cmocka_unit_test(test_integrity_covers),
		cmocka_unit_test(test_mapped),		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_lengths),		cmocka_unit_test(test_value_lengths),
		cmocka_unit_test(test_address_forms),	cmocka_unit_test(test_misaligned),
		cmocka_unit_test(test_foreign),		cmocka_unit_test(test_types),
		cmocka_unit_test(test_after_integrity), cmocka_unit_test(test_truncated_sha256),
		cmocka_unit_test(test_fingerprint),	cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_error_codes),	cmocka_unit_test(test_classic),
		cmocka_unit_test(test_builder_sizes),	cmocka_unit_test(test_longest),
		cmocka_unit_test(test_frames),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
