// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Repeatedly replaces a socket under load, with the functions of sweep and drain. The new socket
 * joins, takes the new flows, and then all flows. The old socket is read until it is empty, and
 * then closed. Every datagram is received and counted exactly once. Runs with the program that uses
 * helpers, and with the program for newer kernels.
 *
 *	20 peers 192.0.2.1:* ── lo ── one socket ▸ one socket ▸ … on port 5300
 *	         2000 datagrams a second
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "steer/group/choice.h"
#include "steer/group/slots.h"
#include "steer_lab.h"

#include <bpf/bpf.h>
#include <pthread.h>
#include <sluice/counters.h>
#include <stdatomic.h>
#include <unistd.h>

#define PORT	    5300
#define PEERS	    20
#define HANDOVERS   64
#define INTERVAL_US 10000
#define PERIOD_US   500
/* A busy machine may delay the reads. */
#define RECEIVE_ROOM (16 << 20)

static struct steer_bpf *skel;
static bool by_helpers; /* selects the program variant */
static struct steer_group *group;
static int peers[PEERS];
static atomic_ulong sent;
static atomic_bool sending;
static unsigned long received;

static int server_open(void)
{
	struct lab_end end = lab_end("0.0.0.0", PORT);
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	assert_return_code(fd, errno);
	lab_option(fd, SOL_SOCKET, SO_REUSEPORT, 1);
	lab_option(fd, SOL_SOCKET, SO_RCVBUFFORCE, RECEIVE_ROOM);
	assert_return_code(bind(fd, &end.any, end.size), errno);
	return fd;
}

static int start(void **state)
{
	struct sluice_steer_keys keys;
	int i;

	atomic_store(&sent, 0);
	received = 0;
	lab_net();
	for (i = 0; i < PEERS; i++)
		peers[i] = lab_socket(NEAR4, 0);
	skel = steer_lab_open(by_helpers, &keys);
	skel->rodata->sets = 64;
	skel->rodata->idle_limit = sluice_flow_clock(120000000000ULL);
	skel->rodata->policy = SLUICE_STEER_FLOW;
	bpf_map__set_max_entries(skel->maps.sluice_table, 64);
	assert_int_equal(steer_bpf__load(skel), 0);
	group = calloc(1, sizeof(*group));
	assert_non_null(group);
	group->sockets_fd = bpf_map__fd(skel->maps.sluice_sockets);
	group->slots_fd = bpf_map__fd(skel->maps.sluice_slots);
	group->choices_fd = bpf_map__fd(skel->maps.sluice_choices);
	group->current_fd = bpf_map__fd(skel->maps.sluice_current);
	group->stats_fd = bpf_map__fd(skel->maps.sluice_stats);
	return 0;
}

static int end(void **state)
{
	int i;

	for (i = 0; i < PEERS; i++)
		close(peers[i]);
	free(group);
	steer_bpf__destroy(skel);
	return 0;
}

static unsigned long counted(enum sluice_steer_counter counter)
{
	int cpus = libbpf_num_possible_cpus(), cpu;
	struct sluice_steer_counters *each = calloc((size_t)cpus, sizeof(*each));
	unsigned long sum = 0;
	__u32 zero = 0;

	assert_non_null(each);
	assert_return_code(
		bpf_map_lookup_elem(bpf_map__fd(skel->maps.sluice_counters), &zero, each), errno);
	for (cpu = 0; cpu < cpus; cpu++)
		sum += each[cpu].value[counter];
	free(each);
	return sum;
}

/* If a flow pauses during a handover, its slot has been freed since: moved_gone. */
static unsigned long counted_all(void)
{
	return counted(SLUICE_STEER_known) + counted(SLUICE_STEER_started) +
	       counted(SLUICE_STEER_moved_drained) + counted(SLUICE_STEER_moved_gone);
}

/* Waits until the program has handled all datagrams sent so far. */
static void wait_counted(void)
{
	int patience = LAB_WAIT_S * 1000000 / PERIOD_US;

	while (counted_all() < atomic_load(&sent)) {
		assert_true(patience-- > 0);
		usleep(PERIOD_US);
	}
}

static void *send_all(void *arg)
{
	const struct lab_end to = lab_end(FAR4, PORT);
	unsigned int i;

	for (i = 0; atomic_load(&sending); i++) {
		if (sendto(peers[i % PEERS], "x", 1, 0, &to.any, to.size) == 1)
			atomic_fetch_add(&sent, 1);
		usleep(PERIOD_US);
	}
	return NULL;
}

static void server_read(int fd)
{
	char byte;

	while (recv(fd, &byte, 1, 0) >= 0)
		received++;
}

static int server_join(int fd)
{
	const struct sluice_socket_record record = { .pid = (__u32)getpid(),
						     .sock = steer_lab_address(lab_cookie(fd)) };
	int slot = steer_group_join(group, fd, lab_cookie(fd), &record, 1);

	assert_true(slot >= 0);
	return slot;
}

/* Stops new flows to the old socket, then all of its flows. Waits until it receives no more. */
static void hand_over(int old, int slot)
{
	const __u32 rank[SLUICE_STEER_SLOTS] = { 0 };

	group->slots[slot].state = SLUICE_STEER_DRAINING;
	assert_int_equal(steer_group_write(group, slot), 0);
	assert_int_equal(steer_group_choose(group, rank), 0);
	assert_int_equal(steer_group_expel(group, slot), 0);
	server_read(old);
	wait_counted();
	server_read(old);
}

static void test_handovers(void **state)
{
	const __u32 rank[SLUICE_STEER_SLOTS] = { 0 };
	int prog = bpf_program__fd(steer_lab_program(skel, by_helpers)), i;
	int current = server_open(), slot = server_join(current), fresh, fresh_slot;
	pthread_t sender;

	assert_int_equal(steer_group_choose(group, rank), 0);
	lab_option(current, SOL_SOCKET, SO_ATTACH_REUSEPORT_EBPF, prog);
	atomic_store(&sending, true);
	assert_int_equal(pthread_create(&sender, NULL, send_all, NULL), 0);
	for (i = 0; i < HANDOVERS; i++) {
		fresh = server_open();
		fresh_slot = server_join(fresh);
		hand_over(current, slot);
		usleep(INTERVAL_US);
		server_read(fresh);
		server_read(current);
		close(current);
		assert_int_equal(steer_group_leave(group, slot), 0);
		current = fresh;
		slot = fresh_slot;
	}
	atomic_store(&sending, false);
	pthread_join(sender, NULL);
	wait_counted();
	usleep(INTERVAL_US);
	server_read(current);
	close(current);
	assert_true(atomic_load(&sent) >= HANDOVERS);
	assert_int_equal(received, atomic_load(&sent));
	assert_int_equal(counted_all(), atomic_load(&sent));
	assert_int_equal(counted(SLUICE_STEER_started), PEERS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_handovers, start, end),
	};

	int failed;

	by_helpers = true;
	failed = cmocka_run_group_tests_name("by helpers", tests, NULL, NULL);
	by_helpers = false;
	if (steer_lab_casts())
		failed += cmocka_run_group_tests_name("by casts", tests, NULL, NULL);
	return failed;
}
