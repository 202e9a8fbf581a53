// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Mode audit of the reply programs: which answers, and which connections to a known peer, count as
 * right or wrong, and the recorded addresses.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "reply_lab.h"

/* --- audit */

static struct sluice_audit audit_of(int server)
{
	__u64 cookie = lab_cookie(server);
	struct sluice_audit audit;

	assert_return_code(bpf_map_lookup_elem(bpf_map__fd(programs.skel->maps.sluice_audits),
					       &cookie, &audit),
			   errno);
	return audit;
}

static void audit(const struct family *family)
{
	int server = family->dual ? server_dual() : server_v4();
	int client = lab_socket(family->near, 0), talks_first = lab_socket(family->near, 0);
	__u64 before_ns = clock_now_ns(CLOCK_MONOTONIC_COARSE);
	struct sluice_audit audit;
	struct lab_end peer;

	if (lab_family(family->near) == AF_INET && family->dual)
		peer = lab_end("::ffff:" NEAR4, ntohs(lab_port_be(talks_first)));
	else
		peer = lab_end(family->near, ntohs(lab_port_be(talks_first)));
	/* the answers leave with the kernel's source */
	lab_exchange(client, server, family->far, family->near);
	lab_exchange(client, server, family->far, family->near);
	assert_counted(&programs, COUNTED(learned, 1), COUNTED(audit_wrong, 2));
	audit = audit_of(server);
	assert_int_equal(audit.right, 0);
	assert_int_equal(audit.wrong, 2);
	assert_in_range(audit.wrong_ns, before_ns, clock_now_ns(CLOCK_MONOTONIC));
	assert_address(&audit.peer, family->near);
	assert_address(&audit.asked, family->far);
	assert_address(&audit.used, family->near);
	assert_int_equal(audit.peer_port_be, lab_port_be(client));
	assert_int_equal(audit.port, PORT);
	assert_int_equal(audit.netns, lab_netns());

	lab_exchange(client, server, family->near, family->near);
	assert_counted(&programs, COUNTED(moved, 1), COUNTED(audit_right, 1));
	audit = audit_of(server);
	assert_int_equal(audit.right, 1);
	assert_int_equal(audit.wrong, 2);
	assert_address(&audit.asked, family->far);

	lab_send(server, &peer, 8);
	lab_expect(talks_first, family->near);
	assert_counted(&programs);
	close(client);
	close(talks_first);
	close(server);
}

static void test_audit(void **state)
{
	load(&(struct settings){ .port = PORT, .audit = true });
	audit(&(struct family){ NEAR4, FAR4, OTHER4, false });
	audit(&(struct family){ NEAR4, FAR4, OTHER4, true });
	audit(&(struct family){ NEAR6, FAR6, OTHER6, true });
}

/*
 * Counts the first connect(2) to a known peer; does not count later connects, or a connect to an
 * unknown peer.
 */
static void audit_connect(int (*open_server)(void), const char *near, const char *far)
{
	int server = open_server(), client = lab_socket(near, 0);
	struct sluice_audit audit;
	struct lab_end peer;

	lab_request(client, far, PORT);
	peer = lab_receive(server);
	assert_counted(&programs, COUNTED(learned, 1));
	assert_return_code(connect(server, &peer.any, peer.size), errno);
	assert_counted(&programs, COUNTED(audit_connect, 1));
	audit = audit_of(server);
	assert_int_equal(audit.connects, 1);
	assert_int_equal(audit.right + audit.wrong, 0);
	assert_address(&audit.connect_peer, near);
	assert_int_equal(audit.connect_port_be, lab_port_be(client));
	assert_int_equal(audit.port, PORT);
	assert_return_code(connect(server, &peer.any, peer.size), errno);
	assert_counted(&programs);
	close(client);
	close(server);
}

static void test_audit_connect(void **state)
{
	int talks_first = server_v4(), bound;
	struct lab_end peer = lab_end(NEAR4, 4000);

	load(&(struct settings){ .port = PORT, .audit = true });
	assert_return_code(connect(talks_first, &peer.any, peer.size), errno);
	close(talks_first);
	bound = server_bound4();
	assert_return_code(connect(bound, &peer.any, peer.size), errno);
	close(bound);
	assert_counted(&programs);
	audit_connect(server_v4, NEAR4, FAR4);
	audit_connect(server_dual, NEAR4, FAR4);
	audit_connect(server_dual, NEAR6, FAR6);
	audit_connect(server_v6only, NEAR6, FAR6);
}

/* Parses the headers of locally sent answers: options, extension headers, fragments. */
static void test_audit_headers(void **state)
{
	int server4 = server_v4(), client4 = lab_socket(NEAR4, 0), client6 = lab_socket(NEAR6, 0);
	int server6 = server_v6only();

	lab_lo_mtu(1500);
	load(&(struct settings){ .port = PORT, .audit = true });
	set_headers(server4, server6);
	lab_exchange(client4, server4, FAR4, NEAR4);
	lab_exchange(client6, server6, FAR6, NEAR6);
	assert_counted(&programs, COUNTED(learned, 2), COUNTED(audit_wrong, 2));
	exchange_large(client4, server4, FAR4, NEAR4, 9000);
	exchange_large(client6, server6, FAR6, NEAR6, 9000);
	assert_counted(&programs, COUNTED(audit_wrong, 2));
	exchange_large(client4, server4, NEAR4, NEAR4, 9000);
	exchange_large(client6, server6, NEAR6, NEAR6, 9000);
	assert_counted(&programs, COUNTED(moved, 2), COUNTED(audit_right, 2));
	close(client4);
	close(client6);
	close(server4);
	close(server6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(audit),
		TEST(audit_connect),
		TEST(audit_headers),
	};

	if (geteuid()) {
		puts("needs root");
		return LAB_SKIPPED;
	}
	return cmocka_run_group_tests_name("reply audit", tests, NULL, NULL);
}
