// SPDX-License-Identifier: GPL-2.0-or-later
/* Services of a peer: their text on the command line, and the requests for them. */
#include "meet/peer/service.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_parse(void **state)
{
	static const char *const wrong[] = {
		"",
		"tcp",
		"tcp:",
		"tcp:127.0.0.1",
		"tcp:127.0.0.1:0",
		"tcp:127.0.0.1:65536",
		"tcp:localhost:1",
		"TCP:127.0.0.1:1",
		"sctp:127.0.0.1:1",
		"=tcp:127.0.0.1:1",
		"a b=tcp:127.0.0.1:1",
		"-a=tcp:127.0.0.1:1",
		"a=b=tcp:127.0.0.1:1",
		"tcp:::1:22",
	};
	struct service service = { .name = "before" };
	char name[PEER_NAME_MAX + 2], text[128];
	struct err err = { 0 };
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		err.what[0] = '\0';
		assert_int_equal(service_parse("--expose", wrong[i], &service, &err), -EINVAL);
		assert_int_equal(err.code, EXIT_USAGE);
		assert_true(err.what[0] && err.hint[0]);
		assert_string_equal(service.name, "before");
	}
	assert_int_equal(service_parse("--expose", "ssh=tcp:127.0.0.1:22", &service, &err), 0);
	assert_string_equal(service.name, "ssh");
	assert_int_equal(service.address.kind, SERVICE_TCP);
	assert_int_equal(service.address.at.port_be, htons(22));
	assert_int_equal(service_parse("--expose", "udp:[::1]:53", &service, &err), 0);
	assert_string_equal(service.name, "");
	assert_int_equal(service.address.kind, SERVICE_UDP);
	assert_true(IN6_IS_ADDR_LOOPBACK(&service.address.at.addr));

	memset(name, 'x', PEER_NAME_MAX + 1);
	name[PEER_NAME_MAX + 1] = '\0';
	snprintf(text, sizeof(text), "%s=tcp:127.0.0.1:1", name);
	assert_int_equal(service_parse("--expose", text, &service, &err), -EINVAL);
	snprintf(text, sizeof(text), "%s=tcp:127.0.0.1:1", name + 1);
	assert_int_equal(service_parse("--expose", text, &service, &err), 0);
	assert_string_equal(service.name, name + 1);
}

static void test_find(void **state)
{
	const struct service some[] = {
		{ { SERVICE_TCP, { .port_be = 1 } }, "a" },
		{ { SERVICE_UDP, { .port_be = 2 } }, "a" },
		{ { SERVICE_TCP, { .port_be = 3 } }, "b" },
		{ { SERVICE_TCP, { .port_be = 4 } }, "" },
	};

	assert_ptr_equal(service_find(some, 4, SERVICE_TCP, "a"), &some[0]);
	assert_ptr_equal(service_find(some, 4, SERVICE_UDP, "a"), &some[1]);
	assert_null(service_find(some, 4, SERVICE_UDP, "b"));
	assert_null(service_find(some, 4, SERVICE_TCP, "c"));
	assert_null(service_find(some, 0, SERVICE_TCP, ""));
	assert_ptr_equal(service_find(some, 4, SERVICE_TCP, ""), &some[3]);
	/* the only service of its kind needs no name; each of several services does */
	assert_ptr_equal(service_find(some, 4, SERVICE_UDP, ""), &some[1]);
	assert_null(service_find(some, 3, SERVICE_TCP, ""));
}

/* Reads from a buffer of this exact size, so that the sanitizers detect overreads. */
static int read_exactly(const void *data, size_t length, enum service_kind *kind,
			char name[PEER_NAME_MAX + 1])
{
	uint8_t *copy = malloc(length ? length : 1);
	int result;

	assert_non_null(copy);
	memcpy(copy, data, length);
	result = service_request_read(copy, length, kind, name);
	free(copy);
	return result;
}

static void test_request(void **state)
{
	char name[PEER_NAME_MAX + 1], longest[PEER_NAME_MAX + 1];
	uint8_t buffer[SERVICE_REQUEST_MAX];
	enum service_kind kind;
	size_t i, size;

	size = service_request_put(buffer, SERVICE_UDP, "dns", 3);
	assert_int_equal(size, 5);
	for (i = 0; i < size; i++)
		assert_int_equal(read_exactly(buffer, i, &kind, name), 0);
	assert_int_equal(read_exactly(buffer, size, &kind, name), 5);
	assert_int_equal(kind, SERVICE_UDP);
	assert_string_equal(name, "dns");

	assert_int_equal(service_request_put(buffer, SERVICE_TCP, "", 0), 2);
	assert_int_equal(read_exactly(buffer, 2, &kind, name), 2);
	assert_string_equal(name, "");

	memset(longest, 'x', PEER_NAME_MAX);
	longest[PEER_NAME_MAX] = '\0';
	size = service_request_put(buffer, SERVICE_TCP, longest, PEER_NAME_MAX);
	assert_int_equal(size, SERVICE_HEADER + PEER_NAME_MAX);
	assert_int_equal(read_exactly(buffer, size, &kind, name), size);
	assert_string_equal(name, longest);
}

static void test_bad_request(void **state)
{
	char name[PEER_NAME_MAX + 1];
	enum service_kind kind;

	assert_int_equal(read_exactly("\0", 1, &kind, name), -EPROTO);
	assert_int_equal(read_exactly("\4", 1, &kind, name), -EPROTO);
	assert_int_equal(read_exactly("\1\x40", 2, &kind, name), -EPROTO);
	assert_int_equal(read_exactly("\1\3a\0b", 5, &kind, name), -EPROTO);
	assert_int_equal(read_exactly("\1\3a\nb", 5, &kind, name), -EPROTO);
	assert_int_equal(read_exactly("\1\1-", 3, &kind, name), -EPROTO);
	assert_string_equal(service_describe(SERVICE_UNKNOWN), "the peer exposes no such service");
	assert_non_null(service_describe(SERVICE_CODES));
	assert_non_null(service_describe(255));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),
		cmocka_unit_test(test_find),
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_bad_request),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
