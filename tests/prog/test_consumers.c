// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * Who reads from which socket: this process reads, and waits, in a namespace and a cgroup of its
 * own, and is told so, by the hooks of new kernels and by those of old ones.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include "bpf/steer/consumers.skel.h"
#include "kernel/links.h"
#include "lab.h"
#include "steer/cpu/consumers.h"

#include <bpf/bpf.h>
#include <poll.h>
#include <pthread.h>
#include <sys/epoll.h>

static char cgroup[PATH_MAX];

static __u32 own_tid(void)
{
	return (__u32)syscall(SYS_gettid);
}

/* To the CPU that it is on. */
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

	lab_ask(client, addr, ntohs(lab_port_be(server)));
	close(client);
}

static void read_plain(int server)
{
	char payload[64];

	assert_int_equal(recv(server, payload, sizeof(payload), 0), 8);
}

static struct readers *watch(int fd)
{
	__u64 cookie = lab_cookie(fd);
	struct readers *readers;
	struct err err = { 0 };

	assert_int_equal(readers_watch(&cookie, 1, &readers, &err), 0);
	return readers;
}

/* --- reading */

static void test_read(void **state)
{
	int server = lab_socket("::", 0), other = lab_socket("::", 0), cpu = pin_down();
	struct readers *readers = watch(server);
	struct sluice_reader reader;
	char payload[64];

	assert_int_equal(recv(server, payload, sizeof(payload), MSG_DONTWAIT), -1);
	ask(other, NEAR4);
	read_plain(other);
	assert_false(readers_complete(readers));
	assert_false(readers_get(readers, lab_cookie(server), &reader));
	ask(server, NEAR4);
	lab_receive(server);
	assert_true(readers_complete(readers));
	assert_true(readers_get(readers, lab_cookie(server), &reader));
	assert_int_equal(reader.tid, own_tid());
	assert_int_equal(reader.cpu, cpu);
	assert_int_equal(reader.reads, 1);
	assert_int_equal(reader.shared, 0);
	assert_false(readers_get(readers, lab_cookie(other), &reader));
	readers_free(readers);
	close(server);
	close(other);
}

static void *read_once(void *arg)
{
	lab_receive(*(int *)arg);
	return NULL;
}

static void test_shared(void **state)
{
	int server = lab_socket("0.0.0.0", 0);
	struct readers *readers = watch(server);
	struct sluice_reader reader;
	pthread_t thread;

	ask(server, NEAR4);
	lab_receive(server);
	ask(server, NEAR4);
	assert_int_equal(pthread_create(&thread, NULL, read_once, &server), 0);
	pthread_join(thread, NULL);
	assert_true(readers_get(readers, lab_cookie(server), &reader));
	assert_int_equal(reader.reads, 2);
	assert_int_not_equal(reader.tid, own_tid());
	assert_int_equal(reader.shared, 1);
	readers_free(readers);
	close(server);
}

/* What kernels before 6.3 have. */
static void test_old_hooks(void **state)
{
	struct consumers_bpf *skel = consumers_bpf__open();
	int fd = open(cgroup, O_RDONLY | O_DIRECTORY), server = lab_socket("0.0.0.0", 0);
	int server6 = lab_socket("::", 0), i;
	struct bpf_link *link4, *link6;
	struct stat st;

	assert_non_null(skel);
	assert_return_code(stat("/proc/self/ns/pid", &st), errno);
	skel->rodata->pid_ns = (__u32)st.st_ino;
	bpf_program__set_autoload(skel->progs.sluice_read, false);
	bpf_program__set_autoload(skel->progs.sluice_waiting, false);
	bpf_map__set_max_entries(skel->maps.sluice_readers, 2);
	assert_int_equal(consumers_bpf__load(skel), 0);
	link4 = bpf_program__attach_cgroup(skel->progs.sluice_read4, fd);
	link6 = bpf_program__attach_cgroup(skel->progs.sluice_read6, fd);
	assert_non_null(link4);
	assert_non_null(link6);
	for (i = 0; i < 2; i++) {
		__u64 cookie = lab_cookie(i ? server6 : server);
		struct sluice_reader reader = { 0 };
		int map = bpf_map__fd(skel->maps.sluice_readers);

		assert_int_equal(bpf_map_update_elem(map, &cookie, &reader, BPF_ANY), 0);
		ask(i ? server6 : server, i ? NEAR6 : NEAR4);
		lab_receive(i ? server6 : server);
		assert_int_equal(bpf_map_lookup_elem(map, &cookie, &reader), 0);
		assert_int_equal(reader.reads, 1);
		assert_int_equal(reader.tid, own_tid());
	}
	bpf_link__destroy(link4);
	bpf_link__destroy(link6);
	consumers_bpf__destroy(skel);
	close(fd);
	close(server);
	close(server6);
}

/* --- waiting */

enum way {
	BY_RECV,
	BY_POLL,
	BY_EPOLL
};

struct waiter {
	int fd;
	enum way way;
	__u32 tid;
	int cpu;
};

static void wait_epoll(int fd)
{
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	struct epoll_event event = { .events = EPOLLIN };

	assert_return_code(epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event), errno);
	assert_int_equal(epoll_wait(epoll, &event, 1, LAB_WAIT_S * 1000), 1);
	close(epoll);
}

static void *wait_once(void *arg)
{
	struct waiter *waiter = arg;
	struct pollfd poll_fd = { .fd = waiter->fd, .events = POLLIN };

	waiter->cpu = pin_down();
	__atomic_store_n(&waiter->tid, own_tid(), __ATOMIC_RELEASE);
	if (waiter->way == BY_POLL)
		assert_int_equal(poll(&poll_fd, 1, LAB_WAIT_S * 1000), 1);
	else if (waiter->way == BY_EPOLL)
		wait_epoll(waiter->fd);
	lab_receive(waiter->fd);
	return NULL;
}

/* Of which /proc tells when it sleeps. */
static bool is_asleep(__u32 tid)
{
	char path[64], line[256] = "", *rest;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%u/stat", tid);
	file = fopen(path, "re");
	rest = file && fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	if (file)
		fclose(file);
	return rest && rest[2] == 'S';
}

static void test_waiting(void **state)
{
	int server = lab_socket("::", 0), way;

	for (way = BY_RECV; way <= BY_EPOLL; way++) {
		struct waiter waiter = { .fd = server, .way = way };
		struct readers *readers;
		struct sluice_reader reader;
		pthread_t thread;

		assert_int_equal(pthread_create(&thread, NULL, wait_once, &waiter), 0);
		while (!__atomic_load_n(&waiter.tid, __ATOMIC_ACQUIRE) || !is_asleep(waiter.tid))
			sched_yield();
		readers = watch(server);
		assert_true(readers_get(readers, lab_cookie(server), &reader));
		assert_int_equal(reader.reads, 0);
		assert_int_equal(reader.tid, waiter.tid);
		assert_int_equal(reader.shared, 0);
		assert_int_equal(readers_thread_cpu(waiter.tid), waiter.cpu);
		assert_int_equal(readers_thread_last_cpu(waiter.tid), waiter.cpu);
		ask(server, NEAR4);
		pthread_join(thread, NULL);
		/* it is joined a moment before it is gone */
		while (readers_thread_cpu(waiter.tid) >= 0)
			sched_yield();
		assert_int_equal(readers_thread_cpu(waiter.tid), -ESRCH);
		readers_free(readers);
	}
	close(server);
}

/* --- affinity */

static void test_affinity(void **state)
{
	cpu_set_t before;
	__u32 tid = 0;
	int cpu;

	assert_int_equal(sched_getaffinity(0, sizeof(before), &before), 0);
	cpu = pin_down();
	assert_int_equal(readers_thread_cpu(own_tid()), cpu);
	assert_int_equal(readers_process_cpu((__u32)getpid(), &tid), cpu);
	assert_int_equal(tid, own_tid());
	assert_int_equal(sched_setaffinity(0, sizeof(before), &before), 0);
	if (CPU_COUNT(&before) > 1) {
		assert_int_equal(readers_thread_cpu(own_tid()), -ENOENT);
		assert_int_equal(readers_process_cpu((__u32)getpid(), &tid), -ENOENT);
	}
	assert_int_equal(readers_process_cpu(0x7fffffff, &tid), -ESRCH);
}

static int setup(void **state)
{
	hooks_libbpf_log();
	lab_net();
	lab_cgroup("readers", cgroup);
	lab_enter(cgroup);
	return 0;
}

static int teardown(void **state)
{
	lab_cgroup_remove(cgroup);
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_affinity), cmocka_unit_test(test_read),
		cmocka_unit_test(test_shared),	 cmocka_unit_test(test_old_hooks),
		cmocka_unit_test(test_waiting),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
