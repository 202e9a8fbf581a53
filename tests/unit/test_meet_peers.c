// SPDX-License-Identifier: GPL-2.0-or-later
/* The peers file: names, keys, permissions to connect, and each error with its line. */
#include "meet/peers.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define KEY	 "hSDwCYkwp1R0i33ctD73Wg2/Og0mOBr066SpjqqbTmo="
#define ZERO_KEY "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="

static int parse_bytes(const char *text, size_t size, struct peers *peers, struct err *err)
{
	FILE *file = fmemopen((void *)text, size, "r");
	int result;

	assert_non_null(file);
	*peers = (struct peers){ NULL };
	result = peers_parse(file, "peers", peers, err);
	fclose(file);
	return result;
}

static struct peers parse(const char *text)
{
	struct err err = { 0 };
	struct peers peers;

	assert_int_equal(parse_bytes(text, strlen(text), &peers, &err), 0);
	return peers;
}

/* Checks the line and the reason of the only error. */
static void refuse(const char *text, const char *mistake)
{
	struct err err = { 0 };
	struct peers peers;

	assert_int_equal(parse_bytes(text, strlen(text), &peers, &err), -EINVAL);
	assert_int_equal(err.code, EXIT_USAGE);
	if (!strstr(err.detail, mistake) || !strstr(err.what, " 1 mistake "))
		fail_msg("'%s' lacks '%s'\n%s", err.detail, mistake, err.what);
	assert_null(peers.by_name);
}

static struct peer *find(const struct peers *peers, const char *name)
{
	return peers_find(peers, name, strlen(name));
}

static void test_lines(void **state)
{
	struct peers peers = parse("# the office\n\n  alice\t" KEY "  \nbob " KEY "\r\n"
				   "c-3.x_y " KEY " allow=alice,bob");

	assert_int_equal(peers.count, 3);
	assert_int_equal(find(&peers, "bob")->line, 4);
	assert_non_null(find(&peers, "c-3.x_y"));
	assert_null(find(&peers, "Alice"));
	assert_null(peers_find(&peers, "alice", 4));
	peers_free(&peers);
	assert_null(peers.by_name);
}

static void test_allow(void **state)
{
	struct peers peers = parse("a " KEY "\nbb " KEY " allow=a\nc " KEY " allow=\n"
				   "d " KEY " allow=bb,c\n");
	const struct peer *a = find(&peers, "a"), *b = find(&peers, "bb"), *c = find(&peers, "c"),
			  *d = find(&peers, "d");

	assert_true(peers_allow(a, b));
	assert_true(peers_allow(a, d));
	assert_true(peers_allow(b, a));
	assert_false(peers_allow(b, c));
	assert_false(peers_allow(c, a));
	assert_true(peers_allow(d, b));
	assert_true(peers_allow(d, c));
	assert_false(peers_allow(d, a));
	peers_free(&peers);
}

static void test_empty(void **state)
{
	struct peers peers = parse("# no peer yet\n");

	assert_int_equal(peers.count, 0);
	peers_free(&peers);
}

static void test_mistakes(void **state)
{
	char long_name[PEER_NAME_MAX + 64];

	refuse("\nalice\n", "peers:2: alice has no public key");
	refuse("alice abc\n", "peers:1: alice: 'abc' is not a public key");
	refuse("alice " ZERO_KEY "\n", "is a key of small order");
	refuse("alice " KEY "\nbob " KEY "\nalice " KEY "\n", "peers:3: alice is also in line 1");
	refuse("-a " KEY "\n", "peers:1: '-a' is not a name");
	refuse("a/b " KEY "\n", "'a/b' is not a name");
	refuse("a " KEY " deny=b\n", "unexpected word 'deny=b'");
	refuse("a " KEY " allow=a allow=a\n", "unexpected word 'allow=a'");
	refuse("a " KEY " allow=a,,b\n", "'' is not a name");
	refuse("a " KEY " allow=bob\n", "peers:1: allow=bob: no peer has this name");
	memset(long_name, 'x', PEER_NAME_MAX + 1);
	strcpy(long_name + PEER_NAME_MAX + 1, " " KEY "\n");
	refuse(long_name, "is not a name");
	/* control characters are not printed */
	refuse("a\033[2Jb " KEY "\n", "'a?[2Jb' is not a name");
}

static void test_other_files(void **state)
{
	static const char zeros[100000];
	struct err err = { 0 };
	struct peers peers;
	char *text = calloc(1, 200001);

	assert_int_equal(parse_bytes(zeros, sizeof(zeros), &peers, &err), -EINVAL);
	assert_non_null(strstr(err.detail, "peers:1: the line holds a NUL byte"));
	assert_non_null(text);
	memset(text, 'x', 200000);
	assert_int_equal(parse_bytes(text, 200000, &peers, &err), -EINVAL);
	memset(text, '\n', 200000);
	for (size_t i = 0; i < 200000; i += 2)
		text[i] = '+';
	assert_int_equal(parse_bytes(text, 200000, &peers, &err), -EINVAL);
	assert_non_null(strstr(err.what, "stopped after 20 mistakes"));
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),	    cmocka_unit_test(test_allow),
		cmocka_unit_test(test_empty),	    cmocka_unit_test(test_mistakes),
		cmocka_unit_test(test_other_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
