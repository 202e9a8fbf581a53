// SPDX-License-Identifier: GPL-2.0-or-later
/* Binding requests to the server: RFC 8489, RFC 5780, RFC 3489, and the budget per prefix. */
#include "meet/rendezvous/budget.h"
#include "rendezvous_lab.h"

static void send_binding(struct outgoing *out, const struct path *path)
{
	size_t length = stun_end(&out->builder);

	lab_clear();
	receive(path, out->data, length);
}

static void want_mapped(const struct stun_message *message, const char *wanted)
{
	const struct stun_endpoint expected = endpoint(wanted);
	struct stun_endpoint mapped;

	assert_int_equal(stun_get_xor_address(message, SLUICE_STUN_XOR_MAPPED_ADDRESS, &mapped), 0);
	assert_true(stun_endpoint_is_same(&mapped, &expected));
}

static void want_address(const struct stun_message *message, uint16_t type, const char *wanted)
{
	const struct stun_endpoint expected = endpoint(wanted);
	struct stun_endpoint found;

	assert_int_equal(stun_get_address(message, type, &found), 0);
	assert_true(stun_endpoint_is_same(&found, &expected));
}

static void want_source(const char *wanted)
{
	const struct stun_endpoint expected = endpoint(wanted);

	assert_true(stun_endpoint_is_same(&lab.sent[0].path.local, &expected));
}

/* The smallest answers have 1.6 and 2.2 bytes per byte of a minimal request. */
static void test_bare(void **state)
{
	struct path ip4 = path_from("198.51.100.9:1234"), ip6 = path_from("[2001:db8::9]:1234");
	struct stun_message message;
	struct outgoing out;

	begin(&out, NULL, SLUICE_STUN_BINDING);
	send_binding(&out, &ip4);
	message = want_success(&out);
	want_mapped(&message, "198.51.100.9:1234");
	assert_int_equal(lab.sent[0].length, 32);
	assert_false(message.fingerprint);
	begin(&out, NULL, SLUICE_STUN_BINDING);
	send_binding(&out, &ip6);
	message = want_success(&out);
	want_mapped(&message, "[2001:db8::9]:1234");
	assert_int_equal(lab.sent[0].length, 44);
}

/* FINGERPRINT, and the attributes of an ICE check. */
static void test_ice(void **state)
{
	struct path path = path_from("198.51.100.9:1234");
	struct stun_message message;
	struct outgoing out;

	begin(&out, NULL, SLUICE_STUN_BINDING);
	stun_put(&out.builder, SLUICE_STUN_USERNAME, "abcd:efgh", 9);
	stun_put_u32(&out.builder, SLUICE_STUN_PRIORITY, 1);
	stun_put(&out.builder, SLUICE_STUN_USE_CANDIDATE, "", 0);
	stun_put_u64(&out.builder, SLUICE_STUN_ICE_CONTROLLING, 1);
	stun_put(&out.builder, SLUICE_STUN_SOFTWARE, "x", 1);
	stun_put_sha1(&out.builder, "secret", 6);
	stun_put_fingerprint(&out.builder);
	send_binding(&out, &path);
	message = want_success(&out);
	want_mapped(&message, "198.51.100.9:1234");
	assert_true(message.fingerprint);
	assert_int_equal(lab.sent[0].length, 40);
}

static void test_unknown(void **state)
{
	struct path path = path_from("198.51.100.9:1234");
	struct stun_message message;
	const uint8_t *value;
	struct outgoing out;
	size_t length;

	begin(&out, NULL, SLUICE_STUN_BINDING);
	stun_put_u32(&out.builder, 0x7abc, 0);
	stun_put_u32(&out.builder, 0xcabc, 0);
	stun_put_u32(&out.builder, SLUICE_STUN_PADDING, 0);
	send_binding(&out, &path);
	message = want_error(420);
	assert_int_equal(stun_get(&message, SLUICE_STUN_UNKNOWN_ATTRIBUTES, &value, &length), 0);
	assert_int_equal(length, 4);
	assert_memory_equal(value, "\x7a\xbc\x00\x26", 4);
}

/* Without a second address, CHANGE-REQUEST is refused; RESPONSE-PORT works, except over TCP. */
static void test_without_alternate(void **state)
{
	struct path path = path_from("198.51.100.9:1234");
	struct stream stream = { NULL };
	struct stun_message message;
	struct outgoing out;

	begin(&out, NULL, SLUICE_STUN_BINDING);
	stun_put_u32(&out.builder, SLUICE_STUN_CHANGE_REQUEST, SLUICE_STUN_CHANGE_PORT);
	send_binding(&out, &path);
	want_error(420);
	begin(&out, NULL, SLUICE_STUN_BINDING);
	stun_put_u32(&out.builder, SLUICE_STUN_CHANGE_REQUEST, 0);
	send_binding(&out, &path);
	want_success(&out);
	begin(&out, NULL, SLUICE_STUN_BINDING);
	stun_put_u16(&out.builder, SLUICE_STUN_RESPONSE_PORT, 4321);
	send_binding(&out, &path);
	message = want_success(&out);
	want_mapped(&message, "198.51.100.9:1234");
	assert_int_equal(ntohs(lab.sent[0].path.client.port_be), 4321);
	assert_int_equal(counted(COUNT_binding_elsewhere), 1);
	path.stream = &stream;
	send_binding(&out, &path);
	want_error(420);
}

static const struct {
	uint32_t change;
	const char *source[SOCKET_ROLES]; /* indexed by the role of the requested socket */
} changes[] = {
	{ 0, { "192.0.2.1:3478", "192.0.2.1:3479", "192.0.2.2:3478", "192.0.2.2:3479" } },
	{ SLUICE_STUN_CHANGE_PORT,
	  { "192.0.2.1:3479", "192.0.2.1:3478", "192.0.2.2:3479", "192.0.2.2:3478" } },
	{ SLUICE_STUN_CHANGE_IP,
	  { "192.0.2.2:3478", "192.0.2.2:3479", "192.0.2.1:3478", "192.0.2.1:3479" } },
	{ SLUICE_STUN_CHANGE_IP | SLUICE_STUN_CHANGE_PORT,
	  { "192.0.2.2:3479", "192.0.2.2:3478", "192.0.2.1:3479", "192.0.2.1:3478" } },
};

static void with_alternate(void)
{
	server_free(lab.server);
	lab.config.listener[0].has_alternate = true;
	lab.config.listener[0].alternate = endpoint("192.0.2.2:3479");
	lab_start();
}

static void test_rfc5780(void **state)
{
	struct stun_message message;
	struct outgoing out;
	unsigned int i, role;

	with_alternate();
	for (i = 0; i < sizeof(changes) / sizeof(*changes); i++)
		for (role = 0; role < SOCKET_ROLES; role++) {
			struct path path = path_from("198.51.100.9:1234");

			path.role = (uint8_t)role;
			path.local = listener_address(&lab.config.listener[0], role);
			begin(&out, NULL, SLUICE_STUN_BINDING);
			if (changes[i].change)
				stun_put_u32(&out.builder, SLUICE_STUN_CHANGE_REQUEST,
					     changes[i].change);
			send_binding(&out, &path);
			message = want_success(&out);
			want_mapped(&message, "198.51.100.9:1234");
			want_source(changes[i].source[role]);
			want_address(&message, SLUICE_STUN_RESPONSE_ORIGIN,
				     changes[i].source[role]);
			/*
			 * always the address that differs from the requested one in both IP address
			 * and port
			 */
			want_address(&message, SLUICE_STUN_OTHER_ADDRESS, changes[3].source[role]);
		}
}

/* Without the magic cookie, the transaction id has 16 bytes. */
static void test_classic(void **state)
{
	uint8_t request[28] = { 0, 1, 0, 8, 1, 2, 3, 4 };
	struct path path = path_from("198.51.100.9:1234");
	struct stun_message message;
	struct stun_endpoint mapped;

	memcpy(request + 20, "\x00\x03\x00\x04\x00\x00\x00\x06", 8);
	receive(&path, request, 20);
	assert_int_equal(lab.count, 0); /* the header announces more bytes than the message has */
	receive(&path, request, sizeof(request));
	want_error(420);
	with_alternate();
	receive(&path, request, sizeof(request));
	assert_int_equal(lab.count, 1);
	message = sent_message(0);
	assert_true(message.classic);
	assert_memory_equal(lab.sent[0].data + 4, request + 4, 16);
	want_address(&message, SLUICE_STUN_MAPPED_ADDRESS, "198.51.100.9:1234");
	want_address(&message, SLUICE_STUN_SOURCE_ADDRESS, "192.0.2.2:3479");
	want_address(&message, SLUICE_STUN_CHANGED_ADDRESS, "192.0.2.2:3479");
	assert_int_equal(stun_get_xor_address(&message, SLUICE_STUN_XOR_MAPPED_ADDRESS, &mapped),
			 -ENOENT);
	assert_int_equal(counted(COUNT_binding_classic), 1);
}

/* Indications, other methods and packets of other protocols get no answer. */
static void test_silence(void **state)
{
	struct path path = path_from("198.51.100.9:1234");
	struct outgoing out;
	size_t length;

	begin(&out, NULL, 0x003); /* Allocate */
	send_binding(&out, &path);
	assert_int_equal(lab.count, 0);
	stun_begin(&out.builder, out.data, sizeof(out.data), SLUICE_STUN_BINDING,
		   SLUICE_STUN_INDICATION, out.id);
	send_binding(&out, &path);
	assert_int_equal(lab.count, 0);
	begin(&out, NULL, SLUICE_STUN_BINDING);
	stun_put_fingerprint(&out.builder);
	length = stun_end(&out.builder);
	out.data[length - 1] ^= 1;
	receive(&path, out.data, length);
	assert_int_equal(lab.count, 0);
	assert_int_equal(counted(COUNT_foreign), 3);
}

static void test_budget(void **state)
{
	struct path path = path_from("198.51.100.9:1234"), other = path_from("198.51.101.9:1234");
	struct outgoing out;
	int i;

	server_free(lab.server);
	lab.config.rate = 10;
	lab_start();
	begin(&out, NULL, SLUICE_STUN_BINDING);
	stun_end(&out.builder);
	for (i = 0; i < 100; i++) {
		path.client.addr.s6_addr[15] = (uint8_t)i; /* all in one /24 */
		receive(&path, out.data, 20);
	}
	/* two seconds' worth of the rate at once */
	assert_int_equal(lab.count, 20);
	assert_int_equal(counted(COUNT_unanswered_budget), 80);
	assert_int_equal(server_budgets_spent(lab.server, lab.now_ns), 1);
	receive(&other, out.data, 20);
	assert_int_equal(lab.count, 21);
	lab.now_ns += SECOND_NS / 2;
	for (i = 0; i < 100; i++)
		receive(&path, out.data, 20);
	assert_int_equal(lab.count, 26);
	assert_int_equal(counted(COUNT_stranger_in_bytes), 26 * 20);
	assert_int_equal(counted(COUNT_stranger_out_bytes), 26 * 32);
	lab.now_ns += 10 * SECOND_NS;
	assert_int_equal(server_budgets_spent(lab.server, lab.now_ns), 0);
}

/* All truncations of a request, and all values of the length field. */
static void test_truncated(void **state)
{
	struct path path = path_from("198.51.100.9:1234");
	struct outgoing out;
	size_t length, i;

	begin(&out, NULL, SLUICE_STUN_BINDING);
	stun_put_u32(&out.builder, SLUICE_STUN_CHANGE_REQUEST, 0);
	stun_put(&out.builder, SLUICE_STUN_USERNAME, "abcde", 5);
	length = stun_end(&out.builder);
	for (i = 0; i < length; i++)
		receive(&path, out.data, i);
	assert_int_equal(lab.count, 0);
	for (i = 0; i <= 0xffff; i++) {
		out.data[2] = (uint8_t)(i >> 8);
		out.data[3] = (uint8_t)i;
		receive(&path, out.data, length);
	}
	assert_int_equal(lab.count, 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, lab_setup, lab_teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_bare),      TEST(test_ice),
		TEST(test_unknown),   TEST(test_without_alternate),
		TEST(test_rfc5780),   TEST(test_classic),
		TEST(test_silence),   TEST(test_budget),
		TEST(test_truncated),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
