// SPDX-License-Identifier: GPL-2.0-or-later
/* What a known peer may request as members of its pool: how many, and at which addresses. */
#include "meet/node/node.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define PATHS_MAX 9

static struct node node;
static struct link *path[PATHS_MAX];

static void on_message(void *arg, const struct stun_endpoint *at, const uint8_t *data,
		       size_t length)
{
}

static void on_change(void *arg, const struct stun_endpoint *at)
{
}

static void on_flush(void *arg)
{
}

static struct stun_endpoint at(const char *addr, uint16_t port)
{
	struct stun_endpoint endpoint = { .port_be = htons(port), .tcp = true };
	char mapped[64];

	snprintf(mapped, sizeof(mapped), "::ffff:%s", addr);
	assert_int_equal(inet_pton(AF_INET6, mapped, &endpoint.addr), 1);
	return endpoint;
}

/* Adds the path of a peer with this address, by which it has registered. */
static void add_path(unsigned int i, bool initiator)
{
	struct introduction introduction = { .name = "peer",
					     .candidates = 1,
					     .initiator = initiator };
	uint8_t secret[KEY_SIZE];

	assert_int_equal(key_generate(secret), 0);
	key_public(introduction.peer_key, secret);
	key_public(introduction.peer_ephemeral, secret);
	assert_int_equal(key_generate(introduction.ephemeral_secret), 0);
	introduction.candidate[0] = (struct candidate){ .at = at("192.0.2.1", 5000),
							.kind = CANDIDATE_REFLEXIVE,
							.transport = CANDIDATE_TCP };
	assert_int_equal(link_new(&path[i], &node.runtime, &introduction, i, 1), 0);
	node.by_slot[i] = path[i];
}

static int setup(void **state)
{
	const struct tcp_paths_options options = { .received = on_message,
						   .connected = on_change,
						   .ended = on_change,
						   .flush = on_flush };
	struct tcp_paths_options with_loop = options;

	memset(&node, 0, sizeof(node));
	assert_int_equal(key_generate(node.runtime.secret), 0);
	assert_int_equal(loop_new(&node.runtime.loop), 0);
	with_loop.loop = node.runtime.loop;
	assert_int_equal(tcp_paths_open(&node.runtime.tcp, &with_loop, false), 0);
	return 0;
}

static int teardown(void **state)
{
	unsigned int i;

	node_members_close(&node);
	for (i = 0; i < PATHS_MAX; i++)
		if (path[i])
			link_free(path[i], 1);
	memset(path, 0, sizeof(path));
	tcp_paths_close(node.runtime.tcp);
	loop_free(node.runtime.loop);
	return 0;
}

static enum service_code request(struct link *from, const struct stun_endpoint *addresses,
				 unsigned int count)
{
	struct member_request member = { .addresses = count };
	uint8_t secret[KEY_SIZE], key[KEY_SIZE];

	assert_int_equal(key_generate(secret), 0);
	key_public(member.ephemeral, secret);
	memcpy(member.id, secret, sizeof(member.id));
	memcpy(member.at, addresses, count * sizeof(*addresses));
	return node_members_requested(&node, from, &member, key);
}

/* A member is only tried at addresses that the server has introduced, at any port from 1024 on. */
static void test_addresses(void **state)
{
	const struct stun_endpoint wanted[] = { at("198.51.100.7", 80), at("192.0.2.1", 6000),
						at("198.51.100.7", 6000), at("10.0.0.1", 6000),
						at("192.0.2.1", 22) };
	const struct peer_session_remote *remote;
	unsigned int count;

	add_path(0, false);
	assert_int_equal(request(path[0], wanted, 5), SERVICE_OK);
	remote = peer_session_remotes(node.members->session, &count);
	assert_int_equal(count, 2);
	assert_true(stun_endpoint_is_same(&remote[0].at, &wanted[1]));
	assert_int_equal(remote[1].reason, PEER_SESSION_REASON_SCOPE);
	assert_ptr_equal(node.members->parent, path[0]);
}

static void test_limits(void **state)
{
	const struct stun_endpoint own = at("192.0.2.1", 6000);
	unsigned int i, member;

	for (i = 0; i < PATHS_MAX; i++)
		add_path(i, false);
	for (i = 0; i < NODE_LINKS_MAX / 2 / MEMBERS_PEER_MAX; i++) {
		for (member = 0; member < MEMBERS_PEER_MAX; member++)
			assert_int_equal(request(path[i], &own, 1), SERVICE_OK);
		assert_int_equal(request(path[i], &own, 1), SERVICE_LIMIT);
	}
	/* half of the slots remain for paths */
	assert_int_equal(request(path[i], &own, 1), SERVICE_LIMIT);
	/* the members of a path end with it, and no others */
	node_members_orphan(&node, path[0]);
	assert_int_equal(request(path[i], &own, 1), SERVICE_OK);
	assert_int_equal(request(path[1], &own, 1), SERVICE_LIMIT);
}

/* Only the connecting peer has a pool, and only over a path. */
static void test_refused(void **state)
{
	const struct stun_endpoint own = at("192.0.2.1", 6000);

	add_path(0, true);
	assert_int_equal(request(path[0], &own, 1), SERVICE_UNKNOWN);
	add_path(1, false);
	assert_int_equal(request(path[1], &own, 1), SERVICE_OK);
	assert_int_equal(request(node.members, &own, 1), SERVICE_UNKNOWN);
	assert_null(node.members->next);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_addresses, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_refused, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
