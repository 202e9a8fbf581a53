/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The lab for the reply programs on real sockets. Programs and maps are used without the loader, so
 * that a test can read and concurrently change a slot of the flow table.
 *
 *	client NEAR ── lo ── server on the wildcard address, with requests to FAR or OTHER
 */
#ifndef SLUICE_TESTS_PROG_REPLY_LAB_H
#define SLUICE_TESTS_PROG_REPLY_LAB_H

#include "lab.h"
#include "programs.h"

#define PORT	  5300
#define COUNT(a)  (sizeof(a) / sizeof(*(a)))
#define MAX_FILES 64

#define LINK6	  "fe80::1"
#define LINK_FAR6 "fe80::2"

static char cgroup[PATH_MAX];
static struct programs programs;

static inline void load(const struct settings *settings)
{
	programs_load(&programs, settings);
	programs_attach(&programs, cgroup);
}

/* --- access to the flow table */

struct slot {
	__u32 index;
	__u32 way;
	struct sluice_flow_set set;
};

static inline int flows_fd(void)
{
	return bpf_map__fd(programs.skel->maps.sluice_flows);
}

static inline void set_read(__u32 index, struct sluice_flow_set *set)
{
	assert_return_code(bpf_map_lookup_elem_flags(flows_fd(), &index, set, BPF_F_LOCK), errno);
}

static inline void slot_write(const struct slot *slot)
{
	assert_return_code(
		bpf_map_update_elem(flows_fd(), &slot->index, &slot->set, BPF_EXIST | BPF_F_LOCK),
		errno);
}

static inline __u32 flow_count(void)
{
	struct sluice_flow_set set;
	__u32 index, way, count = 0;

	for (index = 0; index < programs.skel->rodata->sets; index++) {
		set_read(index, &set);
		for (way = 0; way < SLUICE_FLOW_WAYS; way++)
			count += !!set.tag[way];
	}
	return count;
}

static inline struct sluice_addr address(const char *text)
{
	struct sluice_addr addr = { .word_be = { 0, 0, htonl(0xffff), 0 } };

	if (lab_family(text) == AF_INET)
		assert_int_equal(inet_pton(AF_INET, text, &addr.word_be[3]), 1);
	else
		assert_int_equal(inet_pton(AF_INET6, text, &addr), 1);
	return addr;
}

static inline void assert_address(const struct sluice_addr *addr, const char *wanted)
{
	struct sluice_addr value = address(wanted);

	assert_memory_equal(addr, &value, sizeof(value));
}

static inline __u64 hash_of_scope(int server, int client, const char *near, __u32 scope)
{
	struct sluice_addr peer = address(near);

	return sluice_flow_hash(PROGRAMS_SEED, lab_netns(), ntohs(lab_port_be(server)), &peer,
				lab_port_be(client), scope);
}

static inline __u64 hash_of(int server, int client, const char *near)
{
	return hash_of_scope(server, client, near, 0);
}

/* Returns the expected seal of the flow. */
static inline __u64 seal_of(int server, int client, const char *near,
			    const struct sluice_flow *flow)
{
	return sluice_flow_seal(hash_of(server, client, near), lab_cookie(server), &flow->local,
				flow->generation);
}

/* Returns the flow's slot from the set that the programs search. */
static inline struct slot slot_of_scope(int server, int client, const char *near, __u32 scope)
{
	__u64 hash = hash_of_scope(server, client, near, scope);
	struct sluice_addr peer = address(near);
	struct slot slot = { .index = sluice_flow_set_index(hash, programs.skel->rodata->sets) };

	set_read(slot.index, &slot.set);
	for (slot.way = 0; slot.way < SLUICE_FLOW_WAYS; slot.way++) {
		const struct sluice_flow *flow = &slot.set.flow[slot.way];

		if (slot.set.tag[slot.way] == sluice_flow_tag(hash) &&
		    flow->cookie == lab_cookie(server) &&
		    flow->peer_port_be == lab_port_be(client) &&
		    !memcmp(&flow->peer, &peer, sizeof(peer)))
			return slot;
	}
	fail_msg("no flow for %s in its set", near);
	return slot;
}

static inline struct slot slot_of(int server, int client, const char *near)
{
	return slot_of_scope(server, client, near, 0);
}

static inline __u32 now(void)
{
	__u32 now;

	assert_int_equal(ticks_clock(&now), 0);
	return now;
}

/* Waits until the table's clock has passed @time. */
static inline void wait_past(__u32 time)
{
	const struct timespec pause = { .tv_nsec = 1000000 };

	while ((__s32)(now() - time) <= 0)
		nanosleep(&pause, NULL);
}

static inline int server_v4(void)
{
	return lab_socket("0.0.0.0", PORT);
}

static inline int server_dual(void)
{
	return lab_socket("::", PORT);
}

static inline int server_v6only(void)
{
	struct lab_end end = lab_end("::", PORT);
	int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	assert_return_code(fd, errno);
	lab_option(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1);
	assert_return_code(bind(fd, &end.any, end.size), errno);
	return fd;
}

static inline int server_bound4(void)
{
	return lab_socket(FAR4, PORT);
}

static inline int server_bound6(void)
{
	return lab_socket(FAR6, PORT);
}

static inline struct msghdr message_to(const struct lab_end *peer)
{
	static struct iovec payload = { "answer", 6 };

	return (struct msghdr){ .msg_name = (void *)&peer->any,
				.msg_namelen = peer->size,
				.msg_iov = &payload,
				.msg_iovlen = 1 };
}

struct family {
	const char *near, *far, *other;
	bool dual;
};

static inline void close_all(const int *files, size_t count)
{
	while (count--)
		close(files[count]);
}

static inline void answer_again(int server, int client, const char *near, const char *wanted)
{
	struct lab_end peer = lab_end(near, ntohs(lab_port_be(client)));

	lab_send(server, &peer, 8);
	lab_expect(client, wanted);
}

/* Sets the options and extension headers of the datagrams that a socket sends. */
static inline void set_headers(int client4, int client6)
{
	static const char options[8] = { 1, 1, 1, 1, 1, 1, 1, 0 };
	/* next header, length, and padding options only */
	static const char extension[8] = { 0, 0, 1, 4 };

	assert_return_code(setsockopt(client4, IPPROTO_IP, IP_OPTIONS, options, sizeof(options)),
			   errno);
	assert_return_code(
		setsockopt(client6, IPPROTO_IPV6, IPV6_HOPOPTS, extension, sizeof(extension)),
		errno);
	assert_return_code(
		setsockopt(client6, IPPROTO_IPV6, IPV6_DSTOPTS, extension, sizeof(extension)),
		errno);
}

/*
 * Exchanges fragmented datagrams. Only the headers are in the linear part that the socket receives.
 */
static inline void exchange_large(int client, int server, const char *addr, const char *wanted,
				  size_t size)
{
	struct lab_end to = lab_end(addr, PORT), peer;

	lab_send(client, &to, size);
	peer = lab_receive(server);
	lab_send(server, &peer, size);
	lab_expect(client, wanted);
}

static inline int set_up(void **state)
{
	lab_net();
	lab_cgroup("reply", cgroup);
	lab_enter(cgroup);
	return 0;
}

static inline int tear_down(void **state)
{
	int fd;

	programs_unload(&programs);
	/* sockets left open by a failed test */
	for (fd = 3; fd < MAX_FILES; fd++)
		if (fcntl(fd, F_GETFD) == FD_CLOEXEC)
			close(fd);
	lab_cgroup_remove(cgroup);
	return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(test_##name, set_up, tear_down)

#endif
