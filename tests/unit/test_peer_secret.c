// SPDX-License-Identifier: GPL-2.0-or-later
/* The secrets of a session: both sides derive the same ones, and refuse weak keys. */
#include "meet/peer/secret.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static struct introduction intro_a, intro_b;
static uint8_t a[KEY_SIZE], b[KEY_SIZE];

/* Private keys and session id are counting bytes. */
static int setup(void **state)
{
	uint8_t ea[KEY_SIZE], eb[KEY_SIZE];
	int i;

	intro_a = (struct introduction){ .initiator = true };
	intro_b = (struct introduction){ .initiator = false };
	for (i = 0; i < KEY_SIZE; i++) {
		a[i] = (uint8_t)(1 + i);
		b[i] = (uint8_t)(33 + i);
		ea[i] = (uint8_t)(65 + i);
		eb[i] = (uint8_t)(97 + i);
	}
	for (i = 0; i < SLUICE_RENDEZVOUS_SESSION_ID_SIZE; i++)
		intro_a.id[i] = intro_b.id[i] = (uint8_t)(200 + i);
	memcpy(intro_a.ephemeral_secret, ea, KEY_SIZE);
	memcpy(intro_b.ephemeral_secret, eb, KEY_SIZE);
	key_public(intro_a.peer_key, b);
	key_public(intro_b.peer_key, a);
	key_public(intro_a.peer_ephemeral, eb);
	key_public(intro_b.peer_ephemeral, ea);
	return 0;
}

static void want_hex(const uint8_t *bytes, const char *hex)
{
	char text[2 * PEER_SECRET_SIZE + 1];
	int i;

	for (i = 0; i < PEER_SECRET_SIZE; i++)
		snprintf(text + 2 * i, 3, "%02x", bytes[i]);
	assert_string_equal(text, hex);
}

/*
 * Made by python3-cryptography 38:
 *
 *   d = lambda s, p:
 * X25519PrivateKey.from_private_bytes(s).exchange(X25519PublicKey.from_public_bytes(p))
 *   HKDF(SHA256(), 32, sid, label + A + B + EA + EB).derive(d(a, B) + d(a, EB) + d(ea, B))
 */
static void test_vector(void **state)
{
	struct peer_secret secret;

	assert_int_equal(peer_secret_derive(&secret, a, &intro_a), 0);
	want_hex(secret.own_checks,
		 "81790bf3df6190902852866a942664c657dd674792b0e15edefec6f0b8b21d78");
	want_hex(secret.peer_checks,
		 "138cf4cad1eb0479db8285beb3c97db81d61cb5f3e8f34458ea40a4c7e33213d");
	want_hex(secret.psk, "95ff3a34be0b296a2c10dc771374294784b784cbfc4749169d18f99f8d8a171d");
	assert_string_equal(secret.psk_identity, "f54fd6e4ed012ea26c842bd4ec255fac");
}

static void test_both_sides(void **state)
{
	struct peer_secret of_a, of_b;

	assert_int_equal(peer_secret_derive(&of_a, a, &intro_a), 0);
	assert_int_equal(peer_secret_derive(&of_b, b, &intro_b), 0);
	assert_memory_equal(of_a.own_checks, of_b.peer_checks, PEER_SECRET_SIZE);
	assert_memory_equal(of_a.peer_checks, of_b.own_checks, PEER_SECRET_SIZE);
	assert_memory_not_equal(of_a.own_checks, of_a.peer_checks, PEER_SECRET_SIZE);
	assert_memory_equal(of_a.psk, of_b.psk, PEER_SECRET_SIZE);
	assert_string_equal(of_a.psk_identity, of_b.psk_identity);
}

/* Each key, and the session id, matters on each side. */
static void test_every_input(void **state)
{
	uint8_t *const inputs[] = { a, intro_a.ephemeral_secret, intro_a.peer_key,
				    intro_a.peer_ephemeral, intro_a.id };
	struct peer_secret right, wrong;
	size_t i;

	for (i = 0; i < sizeof(inputs) / sizeof(*inputs); i++) {
		setup(state);
		assert_int_equal(peer_secret_derive(&right, a, &intro_a), 0);
		inputs[i][1] ^= 1;
		assert_int_equal(peer_secret_derive(&wrong, a, &intro_a), 0);
		assert_memory_not_equal(right.psk, wrong.psk, PEER_SECRET_SIZE);
		assert_memory_not_equal(right.own_checks, wrong.own_checks, PEER_SECRET_SIZE);
		assert_string_not_equal(right.psk_identity, wrong.psk_identity);
	}
}

/* RFC 7748, section 6.1: the result would be known to everybody. */
static void test_small_order(void **state)
{
	uint8_t *const keys[] = { intro_a.peer_key, intro_a.peer_ephemeral };
	struct peer_secret secret = { .psk_identity = "unchanged" };
	unsigned int i, first;

	for (i = 0; i < 2; i++)
		for (first = 0; first < 2; first++) {
			setup(state);
			memset(keys[i], 0, KEY_SIZE);
			keys[i][0] = (uint8_t)first;
			assert_int_equal(peer_secret_derive(&secret, a, &intro_a), -EINVAL);
			assert_string_equal(secret.psk_identity, "unchanged");
		}
}

/* With itself, a peer would take its own checks for the other one's. */
static void test_own_key(void **state)
{
	struct peer_secret secret;

	key_public(intro_a.peer_key, a);
	assert_int_equal(peer_secret_derive(&secret, a, &intro_a), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_vector, setup),
		cmocka_unit_test_setup(test_both_sides, setup),
		cmocka_unit_test_setup(test_every_input, setup),
		cmocka_unit_test_setup(test_small_order, setup),
		cmocka_unit_test_setup(test_own_key, setup),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
