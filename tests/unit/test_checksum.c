/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Unit tests of the incremental checksums: compares each result with a full computation over all
 * covered bytes, and with the example of RFC 1624.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sluice/checksum.h>

#define ROUNDS 20000

/* The bytes that a UDP checksum covers: pseudo-header, header, payload. */
struct covered {
	struct in6_addr saddr;
	struct in6_addr daddr;
	__u16 rest[12];
};

#define CHECK_WORD 3

/* Returns the complement of the ones' complement sum of bytes in network order (RFC 1071). */
static __u16 full_sum(const void *bytes, size_t size)
{
	const __u8 *byte = bytes;
	__u32 sum = 0;
	size_t i;

	for (i = 0; i + 1 < size; i += 2)
		sum += byte[i] << 8 | byte[i + 1];
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return sum;
}

static __sum16 full_check(const void *bytes, size_t size)
{
	__u16 check = ~full_sum(bytes, size);
	__u8 stored[2] = { check >> 8, check };
	__sum16 result;

	memcpy(&result, stored, 2);
	return result;
}

static void fill_random(void *bytes, size_t size)
{
	__u8 *byte = bytes;

	while (size--)
		*byte++ = random();
}

static struct in6_addr random_address(int mapped)
{
	struct in6_addr addr = {};

	fill_random(&addr, sizeof(addr));
	if (mapped) {
		memset(&addr, 0, 10);
		memset((__u8 *)&addr + 10, 0xff, 2);
	}
	return addr;
}

static void random_covered(struct covered *covered, int mapped)
{
	fill_random(covered, sizeof(*covered));
	covered->saddr = random_address(mapped);
	covered->daddr = random_address(mapped);
	covered->rest[CHECK_WORD] = 0;
	covered->rest[CHECK_WORD] = full_check(covered, sizeof(*covered));
	if (!covered->rest[CHECK_WORD])
		covered->rest[CHECK_WORD] = 0xffff;
}

static void test_fold(void **state)
{
	(void)state;
	assert_int_equal(checksum_fold(0), 0);
	assert_int_equal(checksum_fold(0xffff), 0xffff);
	assert_int_equal(checksum_fold(0x10000), 1);
	assert_int_equal(checksum_fold(0x1fffe), 0xffff);
	assert_int_equal(checksum_fold(0xffffffff), 0xffff);
	assert_int_equal(checksum_fold(0xffffffffffffffff), 0xffff);
	assert_int_equal(checksum_fold(0xfffffffffffffffe), 0xfffe);
	assert_int_equal(checksum_fold(0xffff0001ffffffff), 1);
}

/* RFC 1624, 4: changing 0x5555 to 0x3285 updates 0xdd2f to 0x0000. */
static void test_rfc1624_example(void **state)
{
	(void)state;
	assert_int_equal(checksum_replace(0xdd2f, checksum_difference16(0x5555, 0x3285)), 0);
	assert_int_equal(checksum_replace_udp(0xdd2f, checksum_difference16(0x5555, 0x3285)),
			 0xffff);
}

static void test_ipv4_header(void **state)
{
	int i;

	(void)state;
	srandom(1);
	for (i = 0; i < ROUNDS; i++) {
		struct in6_addr from = random_address(1), to = random_address(1);
		__u16 header[10];
		__sum16 check;

		fill_random(header, sizeof(header));
		memcpy(header + 6, from.s6_addr32 + 3, 4);
		header[5] = 0;
		header[5] = full_check(header, sizeof(header));
		check = checksum_replace(header[5], checksum_difference(&from, &to));
		memcpy(header + 6, to.s6_addr32 + 3, 4);
		header[5] = 0;
		assert_int_equal(check, full_check(header, sizeof(header)));
	}
}

static void test_udp(void **state)
{
	int i;

	(void)state;
	srandom(2);
	for (i = 0; i < ROUNDS; i++) {
		struct in6_addr to = random_address(i & 1);
		struct covered covered;
		__sum16 check;

		random_covered(&covered, i & 1);
		check = checksum_replace_udp(covered.rest[CHECK_WORD],
					     checksum_difference(&covered.daddr, &to));
		assert_int_not_equal(check, 0);
		covered.daddr = to;
		covered.rest[CHECK_WORD] = check;
		assert_int_equal(full_sum(&covered, sizeof(covered)), 0xffff);
	}
}

/* The sum of a pseudo-header becomes that of the new address, and is never 0. */
static void test_partial(void **state)
{
	int i;

	(void)state;
	srandom(6);
	for (i = 0; i < ROUNDS; i++) {
		struct in6_addr from = random_address(i & 1), to = random_address(i & 1);
		__u8 rest[4] = { 0, 17, random(), random() };
		__sum16 before, after, sum;

		/* full_check() returns the complement */
		before = ~full_check(&from, sizeof(from));
		after = ~full_check(&to, sizeof(to));
		before = checksum_fold((__u64)before + ((const __u16 *)rest)[0] +
				       ((const __u16 *)rest)[1]);
		after = checksum_fold((__u64)after + ((const __u16 *)rest)[0] +
				      ((const __u16 *)rest)[1]);
		sum = checksum_replace_partial(before, checksum_difference(&from, &to));
		assert_int_not_equal(sum, 0);
		assert_int_equal(sum, after);
	}
}

/* A change and its reversal restore the sender's checksum, for every checksum value. */
static void test_back_again(void **state)
{
	struct in6_addr from, to;
	__u32 check;

	(void)state;
	srandom(3);
	from = random_address(0);
	to = random_address(0);
	for (check = 1; check <= 0xffff; check++) {
		__sum16 there = checksum_replace_udp(check, checksum_difference(&from, &to));

		assert_int_equal(checksum_replace_udp(there, checksum_difference(&to, &from)),
				 check);
	}
}

static void test_zero(void **state)
{
	struct in6_addr from, to;
	__u32 check;

	(void)state;
	srandom(4);
	from = random_address(1);
	to = random_address(1);
	assert_int_equal(checksum_replace_udp(0, checksum_difference(&from, &to)), 0);
	for (check = 1; check <= 0xffff; check++)
		assert_int_not_equal(checksum_replace_udp(check, checksum_difference(&from, &to)),
				     0);
}

/*
 * In the quoted header, the change of the checksum cancels the change of the address. So the sum
 * over the quoted header, and the ICMP checksum, stay the same.
 */
static void test_quoted_header(void **state)
{
	int i;

	(void)state;
	srandom(5);
	for (i = 0; i < ROUNDS; i++) {
		struct in6_addr from = random_address(1), to = random_address(1);
		__wsum difference = checksum_difference(&from, &to);
		__u16 inner[10], check;
		__sum16 outer, expected;

		fill_random(inner, sizeof(inner));
		memcpy(inner + 8, from.s6_addr32 + 3, 4);
		inner[5] = 0;
		inner[5] = full_check(inner, sizeof(inner));
		fill_random(&outer, sizeof(outer));
		check = checksum_replace(inner[5], difference);
		expected = checksum_replace(outer, difference);
		expected = checksum_replace(expected, checksum_difference16(inner[5], check));
		/* 0 and 0xffff are equal in ones' complement */
		assert_int_equal(expected % 0xffff, outer % 0xffff);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_fold),	    cmocka_unit_test(test_rfc1624_example),
		cmocka_unit_test(test_ipv4_header), cmocka_unit_test(test_udp),
		cmocka_unit_test(test_partial),	    cmocka_unit_test(test_back_again),
		cmocka_unit_test(test_zero),	    cmocka_unit_test(test_quoted_header),
	};

	return cmocka_run_group_tests_name("checksum", tests, NULL, NULL);
}
