// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests dumps of a table that changes during the dump, in a private network namespace. The receiver
 * adds an address after the first message, so the kernel sets NLM_F_DUMP_INTR on the rest.
 *
 * Also tests lost events, and events forged by another process.
 */
#include "net/netdev.h"
#include "net/nl.h"
#include "net/rtnl_events.h"

#include <arpa/inet.h>
#include <errno.h>
#include <linux/rtnetlink.h>
#include <net/if.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

/* Enough for a dump of several messages of 32 KiB; the kernel is always one message ahead. */
#define ADDRESSES 3000

static struct nl *nl;
static uint32_t next_address;

static int address_add(void)
{
	uint32_t address_be = htonl(0x0a000001 + next_address++);
	struct nlmsghdr *nlh = nl_request(nl);
	struct ifaddrmsg *msg;

	nlh->nlmsg_type = RTM_NEWADDR;
	nlh->nlmsg_flags |= NLM_F_CREATE | NLM_F_EXCL;
	msg = mnl_nlmsg_put_extra_header(nlh, sizeof(*msg));
	msg->ifa_family = AF_INET;
	msg->ifa_prefixlen = 32;
	msg->ifa_index = if_nametoindex("lo");
	mnl_attr_put_u32(nlh, IFA_LOCAL, address_be);
	return nl_query(nl, nlh, NULL, NULL);
}

static int setup(void **state)
{
	size_t i;

	assert_int_equal(unshare(CLONE_NEWNET), 0);
	assert_int_equal(nl_open(&nl, NETLINK_ROUTE), 0);
	next_address = 0;
	for (i = 0; i < ADDRESSES; i++)
		assert_int_equal(address_add(), 0);
	return 0;
}

static int teardown(void **state)
{
	nl_close(nl);
	return 0;
}

struct reading {
	size_t count;
	int tries;
	int changes; /* number of attempts during which the table changes */
};

static void request(struct nlmsghdr *nlh, void *into)
{
	struct reading *reading = into;

	nlh->nlmsg_type = RTM_GETADDR;
	mnl_nlmsg_put_extra_header(nlh, sizeof(struct ifaddrmsg));
	reading->tries++;
}

static int receive(const struct nlmsghdr *nlh, void *into)
{
	struct reading *reading = into;

	if (!reading->count++ && reading->tries <= reading->changes)
		assert_int_equal(address_add(), 0);
	return MNL_CB_OK;
}

static void forget(void *into)
{
	((struct reading *)into)->count = 0;
}

static const struct nl_dump dump = { NETLINK_ROUTE, request, receive, forget };

static void test_undisturbed(void **state)
{
	struct reading reading = { .changes = 0 };

	assert_int_equal(nl_dump(&dump, &reading), 0);
	assert_int_equal(reading.tries, 1);
	assert_int_equal(reading.count, ADDRESSES);
}

static void test_changed_three_times(void **state)
{
	struct reading reading = { .changes = 3 };

	assert_int_equal(nl_dump(&dump, &reading), 0);
	assert_int_equal(reading.tries, 4);
	assert_int_equal(reading.count, ADDRESSES + 3);
}

static void test_changed_every_time(void **state)
{
	struct reading reading = { .changes = 1000000 };

	assert_int_equal(nl_dump(&dump, &reading), -EAGAIN);
	assert_true(reading.tries > 3 && reading.tries < 1000);
}

/* Ignores NLM_F_EXCL, which the new addresses have; it is also one of the bits of NLM_F_DUMP. */
static void test_made_already(void **state)
{
	next_address--;
	assert_int_equal(address_add(), -EEXIST);
}

static int refuse(const struct nlmsghdr *nlh, void *into)
{
	errno = ENOMEM;
	return MNL_CB_ERROR;
}

static void test_refused_by_the_taker(void **state)
{
	static const struct nl_dump refusing = { NETLINK_ROUTE, request, refuse, forget };
	struct reading reading = { .changes = 0 };

	assert_int_equal(nl_dump(&refusing, &reading), -ENOMEM);
	assert_int_equal(reading.tries, 1);
}

/* --- one interface */

static void test_one_interface(void **state)
{
	struct netdev dev, again;
	struct err err = { 0 };
	__u32 bridge;

	assert_int_equal(
		system("ip link add br0 type bridge && ip link add n0 type veth peer name n1"
		       " && ip link set n0 master br0"),
		0);
	assert_int_equal(netdev_read("br0", 0, &dev, &err), 0);
	assert_string_equal(dev.name, "br0");
	assert_true(dev.bridge);
	assert_int_equal(dev.master, 0);
	bridge = dev.ifindex;
	assert_int_equal(bridge, if_nametoindex("br0"));
	assert_int_equal(netdev_read("n0", 0, &dev, &err), 0);
	assert_false(dev.bridge);
	assert_int_equal(dev.master, bridge);
	assert_int_equal(netdev_has_ethernet(&dev), 1);
	assert_int_equal(netdev_read(NULL, dev.ifindex, &again, &err), 0);
	assert_string_equal(again.name, "n0");
	assert_int_equal(netdev_read("none", 0, &dev, &err), -ENODEV);
	assert_string_equal(err.what, "interface none: No such device");
	assert_int_equal(netdev_read(NULL, 9999, &dev, &err), -ENODEV);
}

/* --- events */

struct events {
	int links, lost, bridges;
	int links_after_lost;
};

static void on_link(const struct rtnl_link *link, void *arg)
{
	struct events *events = arg;

	events->links++;
	events->bridges += link->bridge;
	events->links_after_lost += events->lost;
}

static void on_lost(void *arg)
{
	((struct events *)arg)->lost++;
}

static const struct rtnl_handlers handlers = { on_link, on_link, on_lost };

static void test_events(void **state)
{
	struct events events = { 0 };
	struct rtnl *rtnl;

	assert_int_equal(rtnl_open(&rtnl, &handlers, &events), 0);
	assert_int_equal(system("ip link add n0 type veth peer name n1"), 0);
	assert_int_equal(rtnl_read(rtnl), 0);
	assert_true(events.links >= 2);
	assert_int_equal(events.bridges, 0);
	assert_int_equal(system("ip link add br0 type bridge"), 0);
	assert_int_equal(rtnl_read(rtnl), 0);
	assert_true(events.bridges > 0);
	assert_int_equal(events.lost, 0);
	rtnl_close(rtnl);
}

/* Reports lost events once, after all received events, even if this takes more than one read. */
static void test_events_lost(void **state)
{
	const int room = 1 << 20;
	struct events events = { 0 };
	struct rtnl *rtnl;
	int reads;

	assert_int_equal(rtnl_open(&rtnl, &handlers, &events), 0);
	assert_int_equal(setsockopt(rtnl_fd(rtnl), SOL_SOCKET, SO_RCVBUFFORCE, &room, sizeof(room)),
			 0);
	assert_int_equal(system("ip link add n0 type veth peer name n1 && for i in $(seq 5000);"
				" do echo link set dev n0 mtu $((1400 + i % 2)); done |"
				" ip -batch -"),
			 0);
	for (reads = 0; !events.lost && reads < 1000; reads++)
		assert_int_equal(rtnl_read(rtnl), 0);
	assert_true(reads > 1);
	assert_true(events.links > 256);
	assert_int_equal(rtnl_read(rtnl), 0);
	assert_int_equal(events.lost, 1);
	assert_int_equal(events.links_after_lost, 0);
	rtnl_close(rtnl);
}

/* A process with CAP_NET_ADMIN can send to any netlink socket. */
static void test_events_of_others(void **state)
{
	struct {
		struct nlmsghdr nlh;
		struct ifinfomsg msg;
	} forged = { { sizeof(forged), RTM_NEWLINK, 0, 0, 0 }, { .ifi_index = 77 } };
	struct sockaddr_nl to = { .nl_family = AF_NETLINK };
	socklen_t length = sizeof(to);
	struct events events = { 0 };
	struct rtnl *rtnl;
	int fd = socket(AF_NETLINK, SOCK_RAW, NETLINK_ROUTE);

	assert_int_equal(rtnl_open(&rtnl, &handlers, &events), 0);
	assert_int_equal(getsockname(rtnl_fd(rtnl), (struct sockaddr *)&to, &length), 0);
	to.nl_groups = 0;
	assert_int_equal(sendto(fd, &forged, sizeof(forged), 0, (struct sockaddr *)&to, sizeof(to)),
			 sizeof(forged));
	assert_int_equal(rtnl_read(rtnl), 0);
	assert_int_equal(events.links, 0);
	assert_int_equal(events.lost, 0);
	close(fd);
	rtnl_close(rtnl);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_undisturbed),		 TEST(test_changed_three_times),
		TEST(test_changed_every_time),	 TEST(test_made_already),
		TEST(test_refused_by_the_taker), TEST(test_events),
		TEST(test_one_interface),	 TEST(test_events_lost),
		TEST(test_events_of_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
