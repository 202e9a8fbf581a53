// SPDX-License-Identifier: GPL-2.0-or-later
/* The introduction of a member of the pool: its bytes, and the secrets of both peers. */
#include "meet/peer/member.h"
#include "meet/peer/secret.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* Reads from a buffer of this exact size, so that the sanitizers detect overreads. */
static int read_exactly(const void *data, size_t length, struct member_request *request)
{
	uint8_t *copy = malloc(length ? length : 1);
	int result;

	assert_non_null(copy);
	memcpy(copy, data, length);
	result = member_request_read(copy, length, request);
	free(copy);
	return result;
}

static struct member_request request_with(unsigned int addresses)
{
	struct member_request request = { .addresses = addresses };
	unsigned int i;

	memset(request.id, 7, sizeof(request.id));
	memset(request.ephemeral, 9, sizeof(request.ephemeral));
	for (i = 0; i < addresses; i++) {
		request.at[i].addr.s6_addr[15] = (uint8_t)(i + 1);
		request.at[i].port_be = htons((uint16_t)(1024 + i));
		request.at[i].tcp = true;
	}
	return request;
}

static void test_request(void **state)
{
	uint8_t buffer[MEMBER_REQUEST_MAX + MEMBER_ADDRESS_SIZE] = { 0 };
	struct member_request in, out;
	unsigned int i;
	size_t size, cut;

	for (i = 0; i <= MEMBER_ADDRESSES_MAX; i++) {
		in = request_with(i);
		size = member_request_put(buffer, &in);
		assert_int_equal(size, 48 + 18 * i);
		assert_int_equal(read_exactly(buffer, size, &out), 0);
		assert_memory_equal(out.id, in.id, sizeof(in.id));
		assert_memory_equal(out.ephemeral, in.ephemeral, sizeof(in.ephemeral));
		assert_int_equal(out.addresses, i);
		assert_memory_equal(out.at, in.at, i * sizeof(*in.at));
	}
	for (cut = 0; cut <= sizeof(buffer); cut++)
		assert_int_equal(read_exactly(buffer, cut, &out),
				 cut >= 48 && cut <= MEMBER_REQUEST_MAX && (cut - 48) % 18 == 0
					 ? 0
					 : -EPROTO);
}

/* Both peers derive the same secrets, which differ from those of the path. */
static void test_secrets(void **state)
{
	uint8_t secret[2][KEY_SIZE], ephemeral[2][KEY_SIZE], public[2][KEY_SIZE];
	struct introduction path[2], member[2];
	struct member_request other[2];
	struct peer_secret secrets[2], before;
	int i;

	for (i = 0; i < 2; i++) {
		assert_int_equal(key_generate(secret[i]), 0);
		assert_int_equal(key_generate(ephemeral[i]), 0);
		key_public(public[i], secret[i]);
	}
	for (i = 0; i < 2; i++) {
		path[i] = (struct introduction){ .server = 1, .initiator = !i };
		memcpy(path[i].peer_key, public[!i], KEY_SIZE);
		memset(path[i].id, 3, sizeof(path[i].id));
		memcpy(path[i].ephemeral_secret, ephemeral[i], KEY_SIZE);
		key_public(path[i].peer_ephemeral, ephemeral[!i]);
		other[i] = request_with(2);
		key_public(other[i].ephemeral, ephemeral[!i]);
		member_introduce(&member[i], &path[i], &other[i], ephemeral[i], !i, 77);
		assert_int_equal(member[i].start_ns, 77);
		assert_int_equal(member[i].server, 1);
		assert_int_equal(member[i].candidates, 2);
		assert_int_equal(member[i].candidate[1].transport, CANDIDATE_TCP);
		assert_int_equal(peer_secret_derive(&secrets[i], secret[i], &member[i]), 0);
	}
	assert_memory_equal(secrets[0].psk, secrets[1].psk, sizeof(before.psk));
	assert_memory_equal(secrets[0].own_checks, secrets[1].peer_checks, PEER_SECRET_SIZE);
	assert_int_equal(peer_secret_derive(&before, secret[0], &path[0]), 0);
	assert_memory_not_equal(secrets[0].psk, before.psk, sizeof(before.psk));

	/* an ephemeral key of small order */
	memset(member[0].peer_ephemeral, 0, KEY_SIZE);
	assert_int_equal(peer_secret_derive(&secrets[0], secret[0], &member[0]), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_request),
		cmocka_unit_test(test_secrets),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
