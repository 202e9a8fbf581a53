// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Checks repair when the host changes between the snapshot and the deletion. A private network
 * namespace has synthetic entries: requests from 10.0.0.1 to 127.0.0.1, where no socket receives.
 */
#include "conntrack/repair.h"
#include "conntrack/snapshot.h"
#include "net/nl.h"

#include <arpa/inet.h>
#include <errno.h>
#include <libnetfilter_conntrack/libnetfilter_conntrack.h>
#include <linux/netfilter/nfnetlink.h>
#include <linux/netfilter/nfnetlink_conntrack.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cmocka.h>

#define OUTCOMES_MAX 16

static struct nl *nl;

static void loopback_up(void)
{
	struct ifreq req = { .ifr_name = "lo", .ifr_flags = IFF_UP };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(ioctl(fd, SIOCSIFFLAGS, &req), 0);
	close(fd);
}

static int setup(void **state)
{
	assert_int_equal(unshare(CLONE_NEWNET), 0);
	loopback_up();
	return conntrack_open(&nl);
}

static int teardown(void **state)
{
	nl_close(nl);
	return 0;
}

/* Makes an entry from 10.0.0.1:4000 to 127.0.0.1:port, with DNAT to port @backend. */
static void entry_make(int port, int backend, int zone)
{
	struct nf_conntrack *ct = nfct_new();
	struct nlmsghdr *nlh = nl_request(nl);
	struct nfgenmsg *msg;

	nlh->nlmsg_type = NFNL_SUBSYS_CTNETLINK << 8 | IPCTNL_MSG_CT_NEW;
	nlh->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->nfgen_family = AF_INET;
	nfct_set_attr_u8(ct, ATTR_L3PROTO, AF_INET);
	nfct_set_attr_u8(ct, ATTR_L4PROTO, IPPROTO_UDP);
	nfct_set_attr_u32(ct, ATTR_IPV4_SRC, inet_addr("10.0.0.1"));
	nfct_set_attr_u32(ct, ATTR_IPV4_DST, inet_addr("127.0.0.1"));
	nfct_set_attr_u16(ct, ATTR_PORT_SRC, htons(4000));
	nfct_set_attr_u16(ct, ATTR_PORT_DST, htons((uint16_t)port));
	nfct_set_attr_u8(ct, ATTR_REPL_L3PROTO, AF_INET);
	nfct_set_attr_u8(ct, ATTR_REPL_L4PROTO, IPPROTO_UDP);
	nfct_set_attr_u32(ct, ATTR_REPL_IPV4_SRC, inet_addr("127.0.0.1"));
	nfct_set_attr_u32(ct, ATTR_REPL_IPV4_DST, inet_addr("10.0.0.1"));
	nfct_set_attr_u16(ct, ATTR_REPL_PORT_SRC, htons((uint16_t)backend));
	nfct_set_attr_u16(ct, ATTR_REPL_PORT_DST, htons(4000));
	nfct_set_attr_u32(ct, ATTR_TIMEOUT, 600);
	if (zone)
		nfct_set_attr_u16(ct, ATTR_ZONE, (uint16_t)zone);
	nfct_nlmsg_build(nlh, ct);
	nfct_destroy(ct);
	assert_int_equal(nl_query(nl, nlh, NULL, NULL), 0);
}

static const struct ct_entry *entry_at(const struct ct_table *table, int port, int zone)
{
	size_t i;

	for (i = 0; i < table->count; i++)
		if (table->entry[i].original.dst_port_be == htons((uint16_t)port) &&
		    table->entry[i].original_zone == zone)
			return &table->entry[i];
	return NULL;
}

static bool entry_is_there(int port, int zone)
{
	struct ct_table table = { .entry = NULL };
	struct err err;
	bool found;

	assert_int_equal(conntrack_read(&table, &err), 0);
	found = entry_at(&table, port, zone);
	conntrack_free(&table);
	return found;
}

static void entry_delete(const struct ct_snapshot *look, int port)
{
	assert_int_equal(conntrack_delete(nl, entry_at(&look->table, port, 0)), 0);
}

static int socket_on(int port)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	assert_true(fd >= 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static void look_now(struct ct_snapshot *look, size_t findings)
{
	struct err err;

	memset(look, 0, sizeof(*look));
	assert_int_equal(snapshot_take(look, 0, &err), 0);
	assert_int_equal(look->audit.count, findings);
}

/* Repairs the findings of the snapshot, and compares the outcomes in port order. */
static void repair(struct ct_snapshot *look, bool dry_run, const enum repair_outcome *wanted)
{
	enum repair_outcome outcome[OUTCOMES_MAX];
	struct err err;
	size_t i;

	assert_int_equal(repair_run(look, dry_run, outcome, &err), 0);
	for (i = 0; i < look->audit.count; i++)
		assert_string_equal(repair_outcome_name(outcome[i], false),
				    repair_outcome_name(wanted[i], false));
	snapshot_free(look);
}

static void test_changes_underneath(void **state)
{
	static const enum repair_outcome wanted[] = { REPAIR_DELETED, REPAIR_VANISHED,
						      REPAIR_CHANGED, REPAIR_CHANGED };
	struct ct_snapshot look;
	int port, fd;

	for (port = 1001; port <= 1004; port++)
		entry_make(port, port, 0);
	look_now(&look, 4);
	entry_delete(&look, 1002);
	entry_delete(&look, 1003);
	entry_make(1003, 2003, 0); /* the same tuple with a different backend */
	fd = socket_on(1004);
	repair(&look, false, wanted);
	assert_false(entry_is_there(1001, 0));
	assert_false(entry_is_there(1002, 0));
	assert_true(entry_is_there(1003, 0));
	assert_true(entry_is_there(1004, 0));
	close(fd);
}

static void test_dry_run(void **state)
{
	static const enum repair_outcome wanted[] = { REPAIR_DELETED, REPAIR_VANISHED };
	struct ct_snapshot look;

	entry_make(1001, 1001, 0);
	entry_make(1002, 1002, 0);
	look_now(&look, 2);
	entry_delete(&look, 1002);
	repair(&look, true, wanted);
	assert_true(entry_is_there(1001, 0));
}

static void test_other_zone_stays(void **state)
{
	static const enum repair_outcome wanted[] = { REPAIR_DELETED };
	struct ct_snapshot look;

	entry_make(1001, 1001, 0);
	entry_make(1001, 1001, 5);
	look_now(&look, 2);
	assert_int_equal(look.table.entry[look.audit.finding[1].entry].original_zone, 5);
	look.audit.count = 1;
	repair(&look, false, wanted);
	assert_false(entry_is_there(1001, 0));
	assert_true(entry_is_there(1001, 5));

	look_now(&look, 1);
	repair(&look, false, wanted);
	assert_false(entry_is_there(1001, 5));
}

static void test_delete_goes_by_id(void **state)
{
	struct ct_table table = { .entry = NULL };
	struct ct_entry other;
	struct err err;

	entry_make(1001, 1001, 0);
	assert_int_equal(conntrack_read(&table, &err), 0);
	assert_int_equal(table.count, 1);
	other = table.entry[0];
	other.id++;
	assert_int_equal(conntrack_delete(nl, &other), -ENOENT);
	assert_true(entry_is_there(1001, 0));
	assert_int_equal(conntrack_get(nl, &table.entry[0], &other), 0);
	assert_true(conntrack_same(&table.entry[0], &other));
	assert_int_equal(conntrack_delete(nl, &table.entry[0]), 0);
	assert_int_equal(conntrack_get(nl, &table.entry[0], &other), -ENOENT);
	conntrack_free(&table);
}

/* Requires more than one batch. */
static void test_many(void **state)
{
	struct ct_snapshot look;
	enum repair_outcome *outcome;
	struct err err;
	size_t i, count = 5000;

	for (i = 0; i < count; i++)
		entry_make(1001 + (int)i, 1001 + (int)i, 0);
	look_now(&look, count);
	outcome = calloc(count, sizeof(*outcome));
	entry_delete(&look, 6000);
	assert_int_equal(repair_run(&look, false, outcome, &err), 0);
	for (i = 0; i < count; i++)
		assert_int_equal(outcome[i], i == 4999 ? REPAIR_VANISHED : REPAIR_DELETED);
	free(outcome);
	snapshot_free(&look);
	look_now(&look, 0);
	assert_int_equal(look.table.count, 0);
	snapshot_free(&look);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_changes_underneath), TEST(test_dry_run), TEST(test_other_zone_stays),
		TEST(test_delete_goes_by_id),  TEST(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
