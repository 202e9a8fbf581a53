// SPDX-License-Identifier: GPL-2.0-or-later
/* The events between two states, as 'sluice monitor' prints them. */
#include "cmd/monitor/diff.h"
#include "cmd/monitor/diff_groups.h"
#include "cmd/monitor/event.h"
#include "cmd/monitor/state.h"

#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define SECOND 1000000000ULL

static struct monitor_state before, after;

/* --- states */

static void *copy_of(const void *from, size_t count, size_t size)
{
	void *copy = calloc(count + 1, size);

	assert_non_null(copy);
	if (count)
		memcpy(copy, from, count * size);
	return copy;
}

/*
 * Sets @after to the state read if nothing has changed, without the fields kept by monitor_diff().
 */
static void read_again(void)
{
	size_t i;

	after = before;
	after.at_ns = before.at_ns + SECOND;
	after.overflow = after.remade = false;
	after.audits_ahead = 0;
	for (i = 0; i < MONITOR_OBJECTS; i++) {
		after.load[i].changing_ns = after.load[i].made_seen = 0;
		after.load[i].incomplete = after.load[i].detached_too = false;
	}
	after.daemon.silent_ns = 0;
	after.daemon.silent = false;
	after.ifaces = copy_of(before.ifaces, (size_t)before.iface_count, sizeof(*before.ifaces));
	for (i = 0; i < (size_t)before.iface_count; i++)
		after.ifaces[i].missing = false;
	after.audits = copy_of(before.audits, before.audit_count, sizeof(*before.audits));
	after.groups = copy_of(before.groups, before.group_count, sizeof(*before.groups));
	for (i = 0; i < before.group_count; i++) {
		after.groups[i].generation = 0;
		after.groups[i].workers = copy_of(before.groups[i].workers, SLUICE_STEER_SLOTS,
						  sizeof(*before.groups[i].workers));
	}
}

static int setup(void **state)
{
	memset(&before, 0, sizeof(before));
	before.at_ns = 100 * SECOND;
	read_again();
	return 0;
}

static int teardown(void **state)
{
	monitor_state_free(&before);
	monitor_state_free(&after);
	return 0;
}

static void on_event(const struct monitor_event *event, void *arg)
{
	const struct output output = { .file = arg };
	const struct timespec at = { 0 };
	json_t *document = monitor_event_json(event, &at);

	monitor_event_print(document, &at, false, &output);
	json_decref(document);
}

/* Compares the states, expects these lines, and continues with the later state. */
static void expect_late(__u64 late_ns, const char *lines)
{
	char *text = NULL;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	assert_non_null(file);
	monitor_diff(&before, &after, late_ns, on_event, file);
	fclose(file);
	assert_string_equal(text, lines);
	free(text);
	monitor_state_free(&before);
	before = after;
	read_again();
}

static void expect(const char *lines)
{
	expect_late(0, lines);
}

static void load(enum monitor_object object, __u64 loaded_ns)
{
	struct monitor_load *load = &after.load[object];

	load->state = loaded_ns ? MONITOR_IS_LOADED : MONITOR_IS_ABSENT;
	load->loaded_ns = loaded_ns;
	strcpy(load->ports, "53");
}

static struct sluice_addr ip4(const char *text)
{
	struct sluice_addr addr = { .word_be = { 0, 0, htonl(0xffff) } };

	assert_int_equal(inet_pton(AF_INET, text, &addr.word_be[3]), 1);
	return addr;
}

/* --- objects */

static void test_load(void **state)
{
	expect("");
	load(MONITOR_REPLY, 1);
	strcpy(after.load[MONITOR_REPLY].mode, "socket");
	expect("reply loaded mode socket ports 53 by command\n");
	expect("");
	load(MONITOR_REPLY, 2);
	after.load[MONITOR_REPLY].by_daemon = true;
	strcpy(after.load[MONITOR_REPLY].ports, "53,5060");
	expect("reply replaced mode socket ports 53,5060 by daemon\n");
	load(MONITOR_REPLY, 0);
	expect("reply unloaded\n");
}

static void test_begin(void **state)
{
	struct monitor_state first = { .at_ns = SECOND };
	char *text;
	size_t size;
	FILE *file = open_memstream(&text, &size);

	first.load[MONITOR_HOLD] = (struct monitor_load){
		.state = MONITOR_IS_LOADED, .loaded_ns = 1, .detached = true, .made = 3
	};
	strcpy(first.load[MONITOR_STEER].reason, "another version");
	monitor_diff_begin(&first, on_event, file);
	fclose(file);
	assert_string_equal(text, "steer gap reason \"another version\"\n");
	free(text);
	monitor_state_free(&after);
	before = first;
	read_again();
	expect("");
	after.load[MONITOR_HOLD].detached = false;
	expect("hold attached\n");
}

/* An unload detaches the programs first, which is not reported as an event. */
static void test_detached(void **state)
{
	load(MONITOR_REPLY, 1);
	expect("reply loaded ports 53 by command\n");
	after.load[MONITOR_REPLY].detached = true;
	expect("");
	expect("reply detached\n");
	expect("");
	after.load[MONITOR_REPLY].detached = false;
	expect("reply attached\n");
	after.load[MONITOR_REPLY].detached = true;
	expect("");
	load(MONITOR_REPLY, 0);
	expect("reply unloaded\n");
}

static void test_changing(void **state)
{
	int i;

	load(MONITOR_REPLY, 1);
	expect("reply loaded ports 53 by command\n");
	after.load[MONITOR_REPLY].state = MONITOR_IS_CHANGING;
	expect("");
	load(MONITOR_REPLY, 2);
	expect("reply replaced ports 53 by command\n");
	/* the load was killed */
	for (i = 0; i < 3; i++) {
		after.load[MONITOR_REPLY].state = MONITOR_IS_CHANGING;
		expect("");
	}
	after.load[MONITOR_REPLY].state = MONITOR_IS_CHANGING;
	expect("reply incomplete\n");
	after.load[MONITOR_REPLY].state = MONITOR_IS_CHANGING;
	expect("");
	load(MONITOR_REPLY, 0);
	expect("reply unloaded\n");
}

/* The leftovers of a first load that was killed */
static void test_remains(void **state)
{
	int i;

	for (i = 0; i < 4; i++) {
		after.load[MONITOR_WIRE].state = MONITOR_IS_CHANGING;
		expect(i == 3 ? "wire incomplete\n" : "");
	}
	load(MONITOR_WIRE, 0);
	expect("wire unloaded\n");
	expect("");
}

static void test_unreadable(void **state)
{
	load(MONITOR_REPLY, 1);
	expect("reply loaded ports 53 by command\n");
	load(MONITOR_REPLY, 0);
	strcpy(after.load[MONITOR_REPLY].reason, "no permission");
	expect("reply gap reason \"no permission\"\n");
	expect("");
	after.load[MONITOR_REPLY].reason[0] = '\0';
	load(MONITOR_REPLY, 2);
	expect("reply replaced ports 53 by command\n");
}

/* --- changes that the states cannot show */

static void test_unseen_loads(void **state)
{
	after.load[MONITOR_HOLD].made = 1;
	expect("hold gap changes 1 reason \"it was loaded, at least partly, and unloaded in between\"\n");
	after.load[MONITOR_HOLD].made = 2;
	load(MONITOR_HOLD, 1);
	expect("hold loaded ports 53 by command\n");
	after.load[MONITOR_HOLD].made = 3;
	load(MONITOR_HOLD, 2);
	expect("hold unloaded\nhold loaded ports 53 by command\n");
	after.load[MONITOR_HOLD].made = 5;
	load(MONITOR_HOLD, 3);
	expect("hold unloaded\n"
	       "hold gap changes 1 reason \"it was loaded, at least partly, and unloaded in between\"\n"
	       "hold loaded ports 53 by command\n");
	/* a load in place creates no directory */
	load(MONITOR_HOLD, 4);
	expect("hold replaced ports 53 by command\n");
	after.load[MONITOR_HOLD].made = 6;
	load(MONITOR_HOLD, 0);
	expect("hold gap changes 1 reason \"it was loaded, at least partly, and unloaded in between\"\n"
	       "hold unloaded\n");
}

/* The last unload removes the pin directory, and also the watch that counts creations. */
static void test_remade(void **state)
{
	load(MONITOR_HOLD, 1);
	expect("hold loaded ports 53 by command\n");
	after.remade = true;
	load(MONITOR_HOLD, 2);
	expect("hold unloaded\nhold loaded ports 53 by command\n");
	after.remade = true;
	load(MONITOR_HOLD, 0);
	expect("hold unloaded\n");
	after.remade = true;
	expect("");
}

/* If the next state decides about an event, it must follow soon. */
static void test_settled(void **state)
{
	load(MONITOR_HOLD, 1);
	expect("hold loaded ports 53 by command\n");
	assert_true(monitor_diff_is_settled(&before));
	after.load[MONITOR_HOLD].detached = true;
	expect("");
	assert_false(monitor_diff_is_settled(&before));
	expect("hold detached\n");
	assert_true(monitor_diff_is_settled(&before));
	after.load[MONITOR_HOLD].state = MONITOR_IS_CHANGING;
	expect("");
	assert_false(monitor_diff_is_settled(&before));
	after.load[MONITOR_HOLD].state = MONITOR_IS_CHANGING;
	after.at_ns += 10 * SECOND;
	expect("hold incomplete\n");
	assert_true(monitor_diff_is_settled(&before));
}

/* A state may show a load whose notification is read later, or never. */
static void test_late_notification(void **state)
{
	load(MONITOR_HOLD, 1);
	expect("hold loaded ports 53 by command\n");
	after.load[MONITOR_HOLD].made = 1;
	expect("");
	expect("");
	load(MONITOR_HOLD, 0);
	expect("hold unloaded\n");
	load(MONITOR_HOLD, 2);
	expect("hold loaded ports 53 by command\n");
	expect("");
	after.load[MONITOR_HOLD].made = 2;
	load(MONITOR_HOLD, 3);
	expect("hold unloaded\nhold loaded ports 53 by command\n");
}

static void test_own_gaps(void **state)
{
	expect_late(SECOND, "");
	expect_late(5 * SECOND,
		    "monitor gap reason"
		    " \"the command was stopped, its output not read, or the host too busy\"\n");
	after.overflow = true;
	load(MONITOR_HOLD, 1);
	expect("monitor gap reason \"the queue of notifications was full\"\n"
	       "hold loaded ports 53 by command\n");
	expect("");
}

/* --- interfaces */

static void iface_add(__u32 ifindex, const char *name)
{
	after.ifaces = realloc(after.ifaces,
			       ((size_t)after.iface_count + 1) * sizeof(*after.ifaces));
	assert_non_null(after.ifaces);
	after.ifaces[after.iface_count] = (struct monitor_iface){ .ifindex = ifindex };
	strcpy(after.ifaces[after.iface_count++].name, name);
}

static void test_ifaces(void **state)
{
	load(MONITOR_WIRE, 1);
	iface_add(2, "eth0");
	expect("wire loaded ports 53 by command\nwire attached interface eth0 ifindex 2\n");
	iface_add(3, "veth1");
	expect("wire attached interface veth1 ifindex 3\n");
	/* an unload may have begun */
	after.ifaces[1].gone = true;
	expect("");
	after.ifaces[1].gone = false;
	expect("");
	after.ifaces[1].gone = true;
	expect("");
	expect("wire detached interface veth1 ifindex 3\n");
	after.iface_count = 1;
	expect("");
	iface_add(3, "veth1");
	expect("wire attached interface veth1 ifindex 3\n");
	/* the interface was deleted */
	after.iface_count = 1;
	expect("");
	after.iface_count = 1;
	expect("wire detached interface veth1 ifindex 3\n");
	after.iface_count = 1;
	expect("");
	/* the interfaces are unknown during a load */
	after.load[MONITOR_WIRE].state = MONITOR_IS_CHANGING;
	after.iface_count = 0;
	expect("");
	load(MONITOR_WIRE, 2);
	expect("wire replaced ports 53 by command\n");
	/* an unload detaches all interfaces */
	load(MONITOR_WIRE, 0);
	after.iface_count = 0;
	expect("wire unloaded\n");
}

/* --- steering */

static struct monitor_group *group_add(__u64 loaded_ns)
{
	struct monitor_group *group;

	after.groups = realloc(after.groups, (after.group_count + 1) * sizeof(*after.groups));
	assert_non_null(after.groups);
	group = &after.groups[after.group_count++];
	memset(group, 0, sizeof(*group));
	group->loaded_ns = loaded_ns;
	group->local = ip4("192.0.2.1");
	group->port = 53;
	strcpy(group->name, "53_1");
	group->workers = copy_of(NULL, 0, SLUICE_STEER_SLOTS * sizeof(*group->workers));
	return group;
}

static struct monitor_worker *worker_add(__u64 cookie, __u32 pid, __u32 generation)
{
	struct monitor_group *group = &after.groups[0];
	struct monitor_worker *worker = &group->workers[group->count];

	*worker = (struct monitor_worker){ .cookie = cookie,
					   .pid = pid,
					   .generation = generation,
					   .slot = (__u16)group->count++,
					   .state = SLUICE_STEER_ACTIVE,
					   .comm = "nsd" };
	group->incarnation[worker->slot]++;
	return worker;
}

#define GROUP "address 192.0.2.1 port 53 netns 0"

/* A group with two workers of process 7. */
static void group_up(void)
{
	load(MONITOR_STEER, 1);
	strcpy(after.load[MONITOR_STEER].mode, "flow");
	group_add(1);
	worker_add(1, 7, 1);
	worker_add(2, 7, 1);
	expect("steer loaded policy flow ports 53 by command\n"
	       "steer group-added " GROUP "\n"
	       "steer worker-joined " GROUP " pid 7 process nsd generation 1\n"
	       "steer worker-joined " GROUP " pid 7 process nsd generation 1\n");
}

static void test_workers(void **state)
{
	group_up();
	expect("");
	after.groups[0].workers[1].closed = true;
	expect("steer worker-left " GROUP " pid 7 process nsd generation 1\n");
	/* a sweep frees the slot, which is no event, and then another socket joins in it */
	after.groups[0].count = 1;
	expect("");
	worker_add(3, 8, 1);
	expect("steer worker-joined " GROUP " pid 8 process nsd generation 1\n");
	/* the same slot, between two readings */
	after.groups[0].workers[1].cookie = 4;
	after.groups[0].incarnation[1]++;
	expect("steer worker-left " GROUP " pid 8 process nsd generation 1\n"
	       "steer worker-joined " GROUP " pid 8 process nsd generation 1\n");
	load(MONITOR_STEER, 0);
	after.group_count = 0;
	free(after.groups[0].workers);
	expect("steer worker-left " GROUP " pid 7 process nsd generation 1\n"
	       "steer worker-left " GROUP " pid 8 process nsd generation 1\n"
	       "steer group-removed " GROUP "\n"
	       "steer unloaded\n");
}

static void test_workers_unseen(void **state)
{
	group_up();
	/* two sockets used free slots in between */
	after.groups[0].incarnation[2] = after.groups[0].incarnation[9] = 1;
	expect("steer gap " GROUP " changes 2 reason"
	       " \"workers joined and left, or were drained, in between\"\n");
	/* one socket was there between two known sockets */
	after.groups[0].workers[1].cookie = 5;
	after.groups[0].incarnation[1] += 2;
	expect("steer gap " GROUP " changes 1 reason"
	       " \"workers joined and left, or were drained, in between\"\n"
	       "steer worker-left " GROUP " pid 7 process nsd generation 1\n"
	       "steer worker-joined " GROUP " pid 7 process nsd generation 1\n");
}

/* The incarnation number has 16 bits and is never 0. */
static void test_incarnations_wrap(void **state)
{
	group_up();
	before.groups[0].incarnation[0] = 0xffff;
	after.groups[0].workers[0].cookie = 9;
	after.groups[0].incarnation[0] = 1;
	expect("steer worker-left " GROUP " pid 7 process nsd generation 1\n"
	       "steer worker-joined " GROUP " pid 7 process nsd generation 1\n");
}

static void test_generation(void **state)
{
	group_up();
	worker_add(3, 9, 2);
	after.groups[0].workers[0].state = after.groups[0].workers[1].state = SLUICE_STEER_RETIRED;
	expect("steer worker-joined " GROUP " pid 9 process nsd generation 2\n"
	       "steer generation " GROUP " generation 2 generation_before 1\n");
	expect("");
	/* no worker takes new flows for a while */
	after.groups[0].workers[2].closed = true;
	expect("steer worker-left " GROUP " pid 9 process nsd generation 2\n");
	worker_add(4, 10, 3);
	expect("steer worker-joined " GROUP " pid 10 process nsd generation 3\n"
	       "steer generation " GROUP " generation 3 generation_before 2\n");
}

static void test_group_again(void **state)
{
	group_up();
	after.groups[0].loaded_ns = 2;
	after.groups[0].count = 1;
	after.groups[0].incarnation[1] = 0;
	expect("steer worker-left " GROUP " pid 7 process nsd generation 1\n"
	       "steer worker-left " GROUP " pid 7 process nsd generation 1\n"
	       "steer group-removed " GROUP "\n"
	       "steer group-added " GROUP "\n"
	       "steer worker-joined " GROUP " pid 7 process nsd generation 1\n");
}

static void test_groups_unreadable(void **state)
{
	group_up();
	strcpy(after.load[MONITOR_STEER].reason, "no memory");
	free(after.groups[0].workers);
	after.group_count = 0;
	expect("steer gap reason \"no memory\"\n");
	after.load[MONITOR_STEER].reason[0] = '\0';
	worker_add(3, 9, 1);
	expect("steer worker-joined " GROUP " pid 9 process nsd generation 1\n");
}

static void drain_to(__u16 state)
{
	after.groups[0].workers[0].state = after.groups[0].workers[1].state = state;
}

static void test_drain(void **state)
{
	group_up();
	worker_add(3, 9, 1);
	expect("steer worker-joined " GROUP " pid 9 process nsd generation 1\n");
	drain_to(SLUICE_STEER_DRAINING);
	expect("steer drain-started " GROUP " pid 7 process nsd generation 1 sockets 2\n");
	/* the drain expels its flows */
	after.groups[0].incarnation[0]++;
	after.groups[0].incarnation[1]++;
	expect("");
	drain_to(SLUICE_STEER_DRAINED);
	expect("steer drain-finished " GROUP " pid 7 process nsd generation 1 sockets 2\n");
	after.groups[0].workers[0].closed = after.groups[0].workers[1].closed = true;
	expect("steer worker-left " GROUP " pid 7 process nsd generation 1\n"
	       "steer worker-left " GROUP " pid 7 process nsd generation 1\n");
}

static void test_drain_ends_otherwise(void **state)
{
	group_up();
	drain_to(SLUICE_STEER_DRAINING);
	expect("steer drain-started " GROUP " pid 7 process nsd generation 1 sockets 2\n");
	drain_to(SLUICE_STEER_ACTIVE);
	expect("steer drain-cancelled " GROUP " pid 7 process nsd generation 1 sockets 2\n");
	/* all steps between two readings */
	drain_to(SLUICE_STEER_DRAINED);
	after.groups[0].incarnation[0]++;
	after.groups[0].incarnation[1]++;
	expect("steer drain-started " GROUP " pid 7 process nsd generation 1 sockets 2\n"
	       "steer drain-finished " GROUP " pid 7 process nsd generation 1 sockets 2\n");
	drain_to(SLUICE_STEER_DRAINING);
	expect("");
	/* the server closes its sockets */
	after.groups[0].workers[0].closed = after.groups[0].workers[1].closed = true;
	expect("steer drain-finished " GROUP " pid 7 process nsd generation 1 sockets 2\n"
	       "steer worker-left " GROUP " pid 7 process nsd generation 1\n"
	       "steer worker-left " GROUP " pid 7 process nsd generation 1\n");
}

/* --- wrong replies */

static void audit_add(__u64 cookie, __u64 count)
{
	struct monitor_audit *audit;

	after.audits = realloc(after.audits, (after.audit_count + 1) * sizeof(*after.audits));
	assert_non_null(after.audits);
	audit = &after.audits[after.audit_count++];
	*audit = (struct monitor_audit){
		.cookie = cookie,
		.unconnected = { .count = count,
				 .peer = ip4("198.51.100.1"),
				 .asked = ip4("192.0.2.1"),
				 .used = ip4("192.0.2.2"),
				 .peer_port_be = htons(4000) },
		.port = 53,
		.pid = 7,
		.comm = "dns",
		.fixed_by = "socket",
	};
	audit->connected = audit->unconnected;
	audit->connected.count = 0;
	audit->connected.asked = ip4("192.0.2.3");
}

#define WRONG "reply wrong pid 7 process dns port 53 netns 0 peer 198.51.100.1 peer_port 4000 "

static void test_wrong(void **state)
{
	load(MONITOR_REPLY, 1);
	expect("reply loaded ports 53 by command\n");
	after.wrong = 2;
	audit_add(1, 2);
	expect(WRONG "requested 192.0.2.1 reply_source 192.0.2.2 fixed_by socket replies 2\n");
	expect("");
	after.wrong = 5;
	after.audits[0].unconnected.count = 3;
	after.audits[0].connected.count = 2;
	expect(WRONG "requested 192.0.2.1 reply_source 192.0.2.2 fixed_by socket replies 1\n" WRONG
		     "requested 192.0.2.3 reply_source 192.0.2.2 fixed_by socket replies 2\n");
	/* fixed by mode wire */
	after.wrong = 6;
	after.audits[0].unconnected.count = 4;
	after.audits[0].unconnected.covered = true;
	expect("");
}

static void test_wrong_not_recorded(void **state)
{
	load(MONITOR_REPLY, 1);
	expect("reply loaded ports 53 by command\n");
	after.wrong = 3;
	audit_add(1, 1);
	expect(WRONG
	       "requested 192.0.2.1 reply_source 192.0.2.2 fixed_by socket replies 1\n"
	       "reply gap changes 2 reason \"wrong replies of sockets that are not recorded\"\n");
	/* the audits are read after the counter, so they may be ahead of it */
	after.wrong = 4;
	after.audits[0].unconnected.count = 4;
	expect(WRONG "requested 192.0.2.1 reply_source 192.0.2.2 fixed_by socket replies 3\n");
	after.wrong = 6;
	expect("");
	after.wrong = 7;
	expect("reply gap changes 1 reason \"wrong replies of sockets that are not recorded\"\n");
}

/* After an unload, the counter starts from 0. */
static void test_wrong_again(void **state)
{
	load(MONITOR_REPLY, 1);
	after.wrong = 3;
	audit_add(1, 3);
	expect("reply loaded ports 53 by command\n" WRONG
	       "requested 192.0.2.1 reply_source 192.0.2.2 fixed_by socket replies 3\n");
	load(MONITOR_REPLY, 2);
	after.wrong = 1;
	after.audits[0].unconnected.count = 1;
	expect("reply replaced ports 53 by command\n" WRONG
	       "requested 192.0.2.1 reply_source 192.0.2.2 fixed_by socket replies 1\n");
	/* the counter and the audits are unknown during a load */
	after.load[MONITOR_REPLY].state = MONITOR_IS_CHANGING;
	after.wrong = 0;
	after.audit_count = 0;
	expect("");
	load(MONITOR_REPLY, 3);
	expect("reply replaced ports 53 by command\n");
}

/* --- the daemon */

static void section(enum monitor_object object, const char *is, const char *reason)
{
	strcpy(after.daemon.section[object].state, is);
	strcpy(after.daemon.section[object].reason, reason);
	after.daemon.section[object].changes++;
}

static void daemon_up(int pid, __u64 started_ns)
{
	memset(&after.daemon, 0, sizeof(after.daemon));
	after.daemon.pid = pid;
	after.daemon.started_from_ns = started_ns;
	after.daemon.started_to_ns = started_ns + 1000;
}

static void test_daemon(void **state)
{
	daemon_up(5, 10 * SECOND);
	section(MONITOR_REPLY, "loaded", "");
	section(MONITOR_WIRE, "waiting", "no eth0");
	expect("daemon started pid 5\nreply applied\nwire waiting reason \"no eth0\"\n");
	expect("");
	section(MONITOR_WIRE, "waiting", "not a bridge");
	expect("wire waiting reason \"not a bridge\"\n");
	section(MONITOR_WIRE, "loaded", "");
	strcpy(after.daemon.refused, "line 1: x");
	expect("wire applied\ndaemon reload-refused reason \"line 1: x\"\n");
	after.daemon.refused[0] = '\0';
	section(MONITOR_REPLY, "", "");
	expect("reply removed\n");
	/* another daemon in the same container, with the same PID */
	daemon_up(5, 20 * SECOND);
	section(MONITOR_WIRE, "loaded", "");
	expect("daemon stopped pid 5\ndaemon started pid 5\nwire applied\n");
	daemon_up(0, 0);
	expect("daemon stopped pid 5\n");
	/* the process of the daemon is not visible */
	daemon_up(-1, 30 * SECOND);
	expect("daemon started\n");
}

static void test_section_changes_unseen(void **state)
{
	daemon_up(5, 10 * SECOND);
	section(MONITOR_WIRE, "loaded", "");
	expect("daemon started pid 5\nwire applied\n");
	after.daemon.section[MONITOR_WIRE].changes += 2;
	expect("wire gap changes 2 reason \"the section changed in between\"\n");
	after.daemon.section[MONITOR_WIRE].changes++;
	section(MONITOR_WIRE, "waiting", "no eth0");
	expect("wire gap changes 1 reason \"the section changed in between\"\n"
	       "wire waiting reason \"no eth0\"\n");
}

static void test_daemon_silent(void **state)
{
	int i;

	daemon_up(5, 10 * SECOND);
	section(MONITOR_WIRE, "loaded", "");
	expect("daemon started pid 5\nwire applied\n");
	for (i = 0; i < 12; i++) {
		daemon_up(5, 0);
		after.daemon.started_to_ns = 0;
		strcpy(after.daemon.reason, "it is busy");
		expect(i == 10 ? "daemon gap reason \"it is busy\"\n" : "");
	}
	daemon_up(5, 10 * SECOND);
	after.daemon.section[MONITOR_WIRE].changes = 1;
	section(MONITOR_WIRE, "waiting", "no eth0");
	expect("wire waiting reason \"no eth0\"\n");
}

/* --- the output */

static void test_output(void **state)
{
	const struct timespec at = { .tv_sec = 1796060840, .tv_nsec = 123456789 };
	const struct monitor_event event = { .type = MONITOR_WAITING,
					     .object = MONITOR_WIRE,
					     .reason = "a \033[2Jname" };
	json_t *document = monitor_event_json(&event, &at);
	char *text = json_dumps(document, JSON_COMPACT), *line;
	size_t size;
	struct output output = { .file = open_memstream(&line, &size) };

	assert_string_equal(text, "{\"schema_version\":1,\"time\":\"2026-11-30T17:47:20.123456Z\","
				  "\"object\":\"wire\",\"event\":\"waiting\","
				  "\"reason\":\"a \\u001B[2Jname\"}");
	free(text);
	setenv("TZ", "UTC0", 1);
	tzset();
	monitor_event_print(document, &at, true, &output);
	fclose(output.file);
	assert_string_equal(line,
			    "[2026-11-30T17:47:20.123456] wire waiting reason \"a ?[2Jname\"\n");
	free(line);
	json_decref(document);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	const struct CMUnitTest tests[] = {
		TEST(test_load),
		TEST(test_begin),
		TEST(test_detached),
		TEST(test_changing),
		TEST(test_remains),
		TEST(test_unreadable),
		TEST(test_unseen_loads),
		TEST(test_remade),
		TEST(test_settled),
		TEST(test_late_notification),
		TEST(test_own_gaps),
		TEST(test_ifaces),
		TEST(test_workers),
		TEST(test_workers_unseen),
		TEST(test_incarnations_wrap),
		TEST(test_generation),
		TEST(test_group_again),
		TEST(test_groups_unreadable),
		TEST(test_drain),
		TEST(test_drain_ends_otherwise),
		TEST(test_wrong),
		TEST(test_wrong_not_recorded),
		TEST(test_wrong_again),
		TEST(test_daemon),
		TEST(test_section_changes_unseen),
		TEST(test_daemon_silent),
		TEST(test_output),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
