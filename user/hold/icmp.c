// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * ICMP errors caused by keepalives. Attaches the program that reads them (bpf/hold/icmp.bpf.c), and
 * waits for late errors before the sender stops. The links are not pinned: the kernel removes them
 * when this process exits.
 */
#include "base/array.h"
#include "base/clock.h"
#include "base/log.h"
#include "bpf/hold/icmp.skel.h"
#include "hold/packet.h"
#include "hold/pins.h"
#include "hold/sender_state.h"
#include "kernel/links.h"
#include "kernel/pins.h"
#include "kernel/tc.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Timeout for late ICMP errors: more than the RTT to a router a few hops away. */
#define WAIT_NS 250000000ULL

struct hold_icmp_link {
	__u32 ifindex;
	int fd; /* -1: the kernel refused the program */
};

static int reuse_maps(const struct icmp_bpf *skel, const char *bpffs)
{
	struct bpf_map *map;
	int fd, failed;

	bpf_object__for_each_map(map, skel->obj) {
		if (bpf_map__is_internal(map))
			continue;
		fd = pins_get(bpffs, HOLD_OBJECT, bpf_map__name(map), PINS_MAP);
		if (fd < 0)
			return fd;
		failed = bpf_map__reuse_fd(map, fd);
		close(fd);
		if (failed)
			return failed;
	}
	return 0;
}

void hold_icmp_load(struct hold_sender *sender, const char *bpffs)
{
	struct icmp_bpf *skel = icmp_bpf__open();

	if (skel) {
		skel->rodata->seed = sender->meta.seed;
		skel->rodata->payload_len = (__u32)hold_payload_length(sender->options.payload);
	}
	if (!skel || reuse_maps(skel, bpffs) || icmp_bpf__load(skel)) {
		icmp_bpf__destroy(skel);
		log_warning("hold: cannot read ICMP errors caused by keepalives: sockets may"
			    " receive them");
		return;
	}
	sender->icmp = skel;
}

void hold_icmp_unload(struct hold_sender *sender)
{
	icmp_bpf__destroy(sender->icmp);
}

static int attach(const struct hold_sender *sender, const struct hold_netns *netns, __u32 ifindex)
{
	int fd = outlet_enter(netns->outlet);

	if (fd)
		return fd;
	fd = tc_link_create(ifindex, false, bpf_program__fd(sender->icmp->progs.sluice_hold_icmp));
	outlet_leave(netns->outlet);
	return fd;
}

void hold_icmp_watch(const struct hold_sender *sender, struct hold_netns *netns, __u32 ifindex)
{
	void *links = netns->icmp;
	size_t i;
	int fd;

	for (i = 0; i < netns->icmp_count; i++)
		if (netns->icmp[i].ifindex == ifindex)
			return;
	if (!sender->icmp ||
	    array_grow(&links, &netns->icmp_room, netns->icmp_count, sizeof(*netns->icmp)))
		return;
	netns->icmp = links;
	fd = attach(sender, netns, ifindex);
	/* also record a refusal, so that it is logged only once */
	netns->icmp[netns->icmp_count++] = (struct hold_icmp_link){ ifindex, fd < 0 ? -1 : fd };
	if (fd < 0 && fd != -ENODEV)
		log_warning("hold: cannot read the ICMP errors of interface %u in network"
			    " namespace %u: %s",
			    ifindex, netns->number, strerror(-fd));
}

void hold_icmp_check(struct hold_netns *netns)
{
	struct hook_link link;
	size_t i, kept = 0;

	for (i = 0; i < netns->icmp_count; i++) {
		struct hold_icmp_link *at = &netns->icmp[i];

		if (at->fd >= 0 && (hook_link_read(at->fd, &link) || !link.ifindex)) {
			close(at->fd);
			continue;
		}
		netns->icmp[kept++] = *at;
	}
	netns->icmp_count = kept;
}

void hold_icmp_unwatch(struct hold_netns *netns)
{
	size_t i;

	for (i = 0; i < netns->icmp_count; i++)
		if (netns->icmp[i].fd >= 0)
			close(netns->icmp[i].fd);
	free(netns->icmp);
}

void hold_icmp_wait(const struct hold_sender *sender)
{
	__u64 elapsed = clock_since_ns(CLOCK_BOOTTIME, sender->sent_ns);

	if (sender->icmp && sender->sent_ns && elapsed < WAIT_NS)
		usleep((useconds_t)((WAIT_NS - elapsed) / 1000));
}
