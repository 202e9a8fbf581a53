/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A host with one interface, a tun device. The test reads from it the packets that its sockets
 * send, and writes to it the packets that they receive. The programs of hold are attached to the
 * cgroup of the test.
 */
#ifndef SLUICE_TESTS_PROG_HOLD_LAB_H
#define SLUICE_TESTS_PROG_HOLD_LAB_H

#include "bpf/hold/hold.skel.h"
#include "lab.h"
#include "packet_build.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <poll.h>
#include <sluice/hold.h>
#include <stdio.h>

#define HERE4  "192.0.2.1"
#define HERE6  "2001:db8::1"
#define PEER4  "203.0.113.2"
#define PEER6  "2001:db8:1::2"
#define PORT   7000 /* the only managed port */
#define SECOND 1000000000ULL

struct hold_lab {
	struct hold_bpf *skel;
	struct bpf_link *link[3];
	char cgroup[PATH_MAX];
	int tun;
	__u32 ifindex;
	struct sluice_hold_counters seen; /* counters at the last hold_counted() */
};

static inline void lab_command(const char *command)
{
	if (system(command))
		fail_msg("%s", command);
}

static inline int lab_tun(const char *name)
{
	struct ifreq request = { .ifr_flags = IFF_TUN | IFF_NO_PI };
	int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);

	assert_return_code(fd, errno);
	snprintf(request.ifr_name, sizeof(request.ifr_name), "%s", name);
	assert_return_code(ioctl(fd, TUNSETIFF, &request), errno);
	return fd;
}

/* Enters a new network namespace; the caller closes the device of the previous one. */
static inline void hold_lab_net(struct hold_lab *lab)
{
	assert_return_code(unshare(CLONE_NEWNET), errno);
	lab->tun = lab_tun("tun0");
	lab->ifindex = if_nametoindex("tun0");
	lab_command("sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0");
	lab_command("ip addr add " HERE4 "/24 dev tun0 && ip addr add " HERE6
		    "/64 dev tun0 nodad && ip link set tun0 up && ip link set lo up &&"
		    " ip route add default dev tun0 && ip -6 route add default dev tun0");
}

/* Loads the programs with a table of this size, in a new network namespace and cgroup. */
static inline void hold_lab_load(struct hold_lab *lab, __u32 table)
{
	struct hold_bpf *skel = hold_bpf__open();
	struct bpf_program *prog;
	int fd, i = 0;

	*lab = (struct hold_lab){ .skel = skel };
	assert_non_null(skel);
	hold_lab_net(lab);
	((__u64 *)skel->rodata->ports)[PORT >> 6] |= 1ULL << (PORT & 63);
	skel->rodata->table = table;
	skel->rodata->max_ns = 3600 * SECOND;
	bpf_map__set_max_entries(skel->maps.sluice_flows, table + 1);
	bpf_map__set_max_entries(skel->maps.sluice_kept, table + 1);
	bpf_map__set_max_entries(skel->maps.sluice_index, table + 1);
	bpf_map__set_max_entries(skel->maps.sluice_socks, table + 1);
	bpf_map__set_max_entries(skel->maps.sluice_netns, table + 1);
	assert_int_equal(hold_bpf__load(skel), 0);
	lab_cgroup("hold", lab->cgroup);
	lab_enter(lab->cgroup);
	fd = open(lab->cgroup, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_return_code(fd, errno);
	bpf_object__for_each_program(prog, skel->obj) {
		lab->link[i] = bpf_program__attach_cgroup(prog, fd);
		assert_non_null(lab->link[i++]);
	}
	close(fd);
}

static inline void hold_lab_unload(struct hold_lab *lab)
{
	int i;

	for (i = 0; i < 3; i++)
		bpf_link__destroy(lab->link[i]);
	hold_bpf__destroy(lab->skel);
	close(lab->tun);
	lab_cgroup_remove(lab->cgroup);
}

/* --- packets */

/* Delivers a packet to this host. */
static inline void lab_arrive(const struct hold_lab *lab, const struct shape *shape)
{
	uint8_t packet[FRAME_MAX];
	size_t length = build_packet(shape, packet);

	assert_int_equal(write(lab->tun, packet, length), length);
}

/* Returns the number of UDP packets that have left this host. Each fragment counts. */
static inline int lab_left(const struct hold_lab *lab)
{
	uint8_t packet[65536];
	int count = 0;
	ssize_t length;

	while ((length = read(lab->tun, packet, sizeof(packet))) > 0)
		count += packet[0] >> 4 == 4
				 ? packet[9] == IPPROTO_UDP
				 : packet[6] == IPPROTO_UDP || packet[6] == IPPROTO_FRAGMENT ||
					   packet[6] == IPPROTO_DSTOPTS;
	return count;
}

/* --- state stored by the programs */

static inline struct sluice_hold_flow hold_slot(const struct hold_lab *lab, __u32 slot)
{
	struct sluice_hold_flow flow;

	assert_return_code(
		bpf_map_lookup_elem(bpf_map__fd(lab->skel->maps.sluice_flows), &slot, &flow),
		errno);
	return flow;
}

static inline void hold_slot_set(const struct hold_lab *lab, __u32 slot,
				 const struct sluice_hold_flow *flow)
{
	assert_return_code(
		bpf_map_update_elem(bpf_map__fd(lab->skel->maps.sluice_flows), &slot, flow, 0),
		errno);
}

/* Returns the slot of the flow from @port to the peer's @peer_port, or 0. */
static inline __u32 hold_find(const struct hold_lab *lab, const char *local, __be16 port_be,
			      const char *peer, unsigned int peer_port)
{
	struct sluice_hold_key key = { .local_port_be = port_be,
				       .peer_port_be = htons(peer_port),
				       .netns = lab_netns() };
	const char *text[] = { local, peer };
	struct sluice_addr *to[] = { &key.local, &key.peer };
	__u32 slot = 0;
	int i;

	for (i = 0; i < 2; i++) {
		to[i]->half[0] = 0;
		to[i]->word_be[2] = htonl(0xffff);
		assert_int_equal(inet_pton(lab_family(text[i]), text[i],
					   lab_family(text[i]) == AF_INET6 ? (void *)to[i]
									   : &to[i]->word_be[3]),
				 1);
	}
	if (bpf_map_lookup_elem(bpf_map__fd(lab->skel->maps.sluice_index), &key, &slot))
		return 0;
	return slot;
}

static inline int hold_socket_known(const struct hold_lab *lab, __u64 cookie)
{
	struct sluice_hold_socket socket;

	return !bpf_map_lookup_elem(bpf_map__fd(lab->skel->maps.sluice_socks), &cookie, &socket);
}

static inline __u64 hold_open_sockets(const struct hold_lab *lab)
{
	__u32 inode = lab_netns();
	struct sluice_hold_netns tracked = { 0 };

	bpf_map_lookup_elem(bpf_map__fd(lab->skel->maps.sluice_netns), &inode, &tracked);
	return tracked.sockets;
}

static inline __u64 hold_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_BOOTTIME, &now);
	return (__u64)now.tv_sec * SECOND + (__u64)now.tv_nsec;
}

/* Checks that the counters rose by exactly these values since the last call. */
#define hold_counted(lab, ...) \
	hold_counted_at(lab, &(struct sluice_hold_counters){ { __VA_ARGS__ } }, __FILE__, __LINE__)
#define HOLD_COUNTED(name, count) [SLUICE_HOLD_##name] = (count)

static inline void hold_counted_at(struct hold_lab *lab, const struct sluice_hold_counters *wanted,
				   const char *file, int line)
{
	static struct sluice_hold_counters each[4096];
	struct sluice_hold_counters now = { 0 };
	int cpus = libbpf_num_possible_cpus(), cpu, i;
	__u32 zero = 0;

	assert_in_range(cpus, 1, 4096);
	assert_return_code(
		bpf_map_lookup_elem(bpf_map__fd(lab->skel->maps.sluice_counters), &zero, each),
		errno);
	for (cpu = 0; cpu < cpus; cpu++)
		for (i = 0; i < SLUICE_HOLD_COUNTERS_MAX; i++)
			now.value[i] += each[cpu].value[i];
	for (i = 0; i < SLUICE_HOLD_COUNTERS_MAX; i++)
		_assert_int_equal(now.value[i] - lab->seen.value[i], wanted->value[i], file, line);
	lab->seen = now;
}

#endif
