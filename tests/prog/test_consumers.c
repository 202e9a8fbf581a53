// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Tests which thread and CPU are recorded as the consumer of a socket: this process receives in a
 * private namespace and cgroup, and reads the records of the programs.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "kernel/links.h"
#include "kernel/pins.h"
#include "lab.h"
#include "steer/cpu/consumers.h"
#include "steer/group/groups.h"

#include <bpf/bpf.h>
#include <pthread.h>

#define FOLDER "/sys/fs/bpf/sluice_consumers"

static char cgroup[PATH_MAX];
static int map_fd;

static __u32 own_tid(void)
{
	return (__u32)syscall(SYS_gettid);
}

/* Pins this thread to its current CPU. */
static int pin_down(void)
{
	int cpu = sched_getcpu();
	cpu_set_t only;

	CPU_ZERO(&only);
	CPU_SET(cpu, &only);
	assert_int_equal(sched_setaffinity(0, sizeof(only), &only), 0);
	return cpu;
}

static void ask(int server, const char *addr)
{
	int client = lab_socket(lab_family(addr) == AF_INET ? "0.0.0.0" : "::", 0);

	lab_request(client, addr, ntohs(lab_port_be(server)));
	close(client);
}

/* Adds the socket to the map without any data. */
static void enter(int server)
{
	struct sluice_consumer consumer;

	assert_false(consumers_read(map_fd, lab_cookie(server), &consumer));
}

static bool take(int server, struct sluice_consumer *consumer)
{
	return consumers_read(map_fd, lab_cookie(server), consumer);
}

/* --- receiving */

static void want_recorded(const char *server_addr, const char *addr)
{
	int server = lab_socket(server_addr, 0), other = lab_socket(server_addr, 0);
	struct sluice_consumer consumer;
	int cpu = pin_down();

	enter(server);
	ask(other, addr);
	lab_receive(other);
	assert_false(take(server, &consumer));
	ask(server, addr);
	assert_false(take(server, &consumer));
	lab_receive(server);
	assert_true(take(server, &consumer));
	assert_int_equal(consumer.tid, own_tid());
	assert_int_equal(consumer.cpu, cpu);
	assert_int_equal(consumer.shared, 0);
	/* one record per datagram; the second receive records the next datagram */
	assert_false(take(server, &consumer));
	ask(server, addr);
	lab_receive(server);
	assert_true(take(server, &consumer));
	consumers_remove(map_fd, lab_cookie(server));
	ask(server, addr);
	lab_receive(server);
	enter(server);
	close(server);
	close(other);
}

static void test_ip4(void **state)
{
	want_recorded("0.0.0.0", NEAR4);
}

static void test_ip6(void **state)
{
	want_recorded("::", NEAR6);
}

/* Receives an IPv4 datagram on an IPv6 socket. */
static void test_dual_stack(void **state)
{
	want_recorded("::", NEAR4);
}

/* Receives without requesting the source address, so the kernel runs no hook. */
static void test_unseen(void **state)
{
	int server = lab_socket("::", 0);
	struct sluice_consumer consumer;
	char payload[64];

	enter(server);
	ask(server, NEAR4);
	assert_int_equal(recv(server, payload, sizeof(payload), 0), 8);
	ask(server, NEAR4);
	assert_int_equal(read(server, payload, sizeof(payload)), 8);
	assert_false(take(server, &consumer));
	close(server);
}

static void *receive_once(void *arg)
{
	lab_receive(*(int *)arg);
	return NULL;
}

static void test_shared(void **state)
{
	int server = lab_socket("0.0.0.0", 0);
	struct sluice_consumer consumer;
	pthread_t thread;

	enter(server);
	ask(server, NEAR4);
	lab_receive(server);
	ask(server, NEAR4);
	assert_int_equal(pthread_create(&thread, NULL, receive_once, &server), 0);
	pthread_join(thread, NULL);
	assert_true(take(server, &consumer));
	assert_int_not_equal(consumer.tid, own_tid());
	assert_int_equal(consumer.shared, 1);
	/* from here on, a single thread */
	ask(server, NEAR4);
	lab_receive(server);
	assert_true(take(server, &consumer));
	assert_int_equal(consumer.tid, own_tid());
	assert_int_equal(consumer.shared, 0);
	close(server);
}

/* --- attaching */

static __u32 program_on(__u32 type)
{
	__u32 ids[4] = { 0 }, count = 4;
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	assert_int_equal(bpf_prog_query(fd, type, 0, NULL, ids, &count), 0);
	close(fd);
	assert_in_range(count, 0, 1);
	return count ? ids[0] : 0;
}

static void test_attach(void **state)
{
	__u32 before = program_on(BPF_CGROUP_UDP4_RECVMSG);
	struct err err = { 0 };
	int fd;

	assert_int_not_equal(before, 0);
	assert_int_not_equal(program_on(BPF_CGROUP_UDP6_RECVMSG), 0);
	fd = consumers_attach(FOLDER, cgroup, false, &err);
	assert_return_code(fd, -fd);
	close(fd);
	assert_int_equal(program_on(BPF_CGROUP_UDP4_RECVMSG), before);
	/* on the same map, with the same pin */
	fd = consumers_attach(FOLDER, cgroup, true, &err);
	assert_return_code(fd, -fd);
	close(fd);
	assert_int_not_equal(program_on(BPF_CGROUP_UDP4_RECVMSG), before);
	want_recorded("::", NEAR6);
	fd = consumers_open(FOLDER);
	assert_return_code(fd, -fd);
	close(fd);
	consumers_detach(FOLDER);
	assert_int_equal(program_on(BPF_CGROUP_UDP4_RECVMSG), 0);
	assert_int_equal(program_on(BPF_CGROUP_UDP6_RECVMSG), 0);
	assert_int_equal(consumers_open(FOLDER), -ENOENT);
	rmdir(FOLDER "/" STEER_OBJECT);
	assert_int_equal(rmdir(FOLDER), 0);
}

static void attach(bool renew)
{
	struct err err = { 0 };
	int fd = consumers_attach(FOLDER, cgroup, renew, &err);

	assert_return_code(fd, -fd);
	close(fd);
}

/* A failed renewal keeps the programs and the map. */
static void test_renew_fails(void **state)
{
	struct err err = { 0 };
	__u32 before4, before6;

	attach(false);
	before4 = program_on(BPF_CGROUP_UDP4_RECVMSG);
	before6 = program_on(BPF_CGROUP_UDP6_RECVMSG);
	assert_int_not_equal(before4, 0);
	close(map_fd);
	map_fd = consumers_open(FOLDER);
	assert_int_equal(consumers_attach(FOLDER, "/sys/fs/cgroup/none", true, &err), -ENOENT);
	assert_string_equal(err.what, "cgroup /sys/fs/cgroup/none: No such file or directory");
	assert_int_equal(program_on(BPF_CGROUP_UDP4_RECVMSG), before4);
	assert_int_equal(program_on(BPF_CGROUP_UDP6_RECVMSG), before6);
	want_recorded("::", NEAR6);
}

/* Replaces the pinned map and the programs if the value size or the number of entries differs. */
static void replace_map(__u32 value_size, __u32 entries, bool fits)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_NO_PREALLOC);
	char path[PATH_MAX];
	__u32 before;
	int fd;

	attach(false);
	before = program_on(BPF_CGROUP_UDP4_RECVMSG);
	pins_path(FOLDER, STEER_OBJECT, "sluice_consumers", path);
	assert_int_equal(unlink(path), 0);
	fd = bpf_map_create(BPF_MAP_TYPE_HASH, "other", sizeof(__u64), value_size, entries, &opts);
	assert_return_code(fd, errno);
	assert_int_equal(bpf_obj_pin(fd, path), 0);
	close(fd);
	fd = consumers_open(FOLDER);
	assert_int_equal(fd >= 0, fits);
	if (fd >= 0)
		close(fd);
	attach(true);
	assert_int_not_equal(program_on(BPF_CGROUP_UDP4_RECVMSG), before);
	close(map_fd);
	map_fd = consumers_open(FOLDER);
	assert_return_code(map_fd, -map_fd);
	want_recorded("::", NEAR6);
	pins_staged_path(FOLDER, STEER_OBJECT, "sluice_consumers", path);
	assert_int_equal(access(path, F_OK), -1);
}

static void test_other_layout(void **state)
{
	replace_map(sizeof(struct sluice_consumer) + 8, 64, false);
	replace_map(sizeof(struct sluice_consumer), 64, true);
}

/* Makes the pinned links look like those of a loader that died before the commit. */
static void leave_staged(void)
{
	static const char *const links[] = { "sluice_recv4", "sluice_recv6" };
	char from[PATH_MAX], to[PATH_MAX];
	int i;

	for (i = 0; i < 2; i++)
		assert_int_equal(rename(pins_path(FOLDER, STEER_OBJECT, links[i], from),
					pins_staged_path(FOLDER, STEER_OBJECT, links[i], to)),
				 0);
}

static void test_staged(void **state)
{
	attach(false);
	leave_staged();
	/* program_on() allows one program */
	attach(false);
	assert_int_not_equal(program_on(BPF_CGROUP_UDP4_RECVMSG), 0);
	leave_staged();
	consumers_detach(FOLDER);
	assert_int_equal(program_on(BPF_CGROUP_UDP4_RECVMSG), 0);
	assert_int_equal(program_on(BPF_CGROUP_UDP6_RECVMSG), 0);
	close(map_fd);
	attach(false);
	map_fd = consumers_open(FOLDER);
	assert_return_code(map_fd, -map_fd);
}

/* --- affinity */

static void test_affinity(void **state)
{
	cpu_set_t before;
	__u32 tid = 0;
	int cpu;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	cpu = pin_down();
	assert_int_equal(consumers_thread_cpu(own_tid()), cpu);
	assert_int_equal(consumers_process_cpu((__u32)getpid(), &tid), cpu);
	assert_int_equal(tid, own_tid());
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	if (CPU_COUNT(&before) > 1) {
		assert_int_equal(consumers_thread_cpu(own_tid()), -ENOENT);
		assert_int_equal(consumers_process_cpu((__u32)getpid(), &tid), -ENOENT);
	}
	assert_int_equal(consumers_process_cpu(0x7fffffff, &tid), -ESRCH);
	assert_int_equal(consumers_thread_cpu(0x7fffffff), -ESRCH);
}

static int setup(void **state)
{
	struct err err = { 0 };

	links_libbpf_log();
	lab_net();
	lab_cgroup("consumers", cgroup);
	lab_enter(cgroup);
	if (mkdir(FOLDER, 0700) && errno != EEXIST)
		return -1;
	map_fd = consumers_attach(FOLDER, cgroup, false, &err);
	if (map_fd < 0)
		print_error("%s\n", err.what);
	return map_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	close(map_fd);
	consumers_detach(FOLDER);
	lab_cgroup_remove(cgroup);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_affinity),    cmocka_unit_test(test_ip4),
		cmocka_unit_test(test_ip6),	    cmocka_unit_test(test_dual_stack),
		cmocka_unit_test(test_unseen),	    cmocka_unit_test(test_shared),
		cmocka_unit_test(test_renew_fails), cmocka_unit_test(test_other_layout),
		cmocka_unit_test(test_staged),	    cmocka_unit_test(test_attach),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
