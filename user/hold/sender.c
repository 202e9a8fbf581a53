// SPDX-License-Identifier: GPL-2.0-or-later
#include "hold/sender.h"

#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "hold/pins.h"
#include "hold/sender_state.h"
#include "kernel/meta.h"
#include "nat/interval.h"
#include "net/conntrack.h"
#include "net/netdev.h"
#include "net/netns.h"
#include "net/nl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SECOND 1000000000ULL
/* Time until the next run if the rate has left keepalives in the queues. */
#define QUEUE_NS (HOLD_TICK_NS / 5)

static void on_due(struct timer *timer, void *arg)
{
	struct hold_slot *at = (struct hold_slot *)timer;
	struct hold_sender *sender = arg;
	__u32 slot = (__u32)(at - sender->slots);
	struct sluice_hold_flow flow;

	if (hold_slot_due(sender, slot, &flow))
		hold_queue_add(sender, slot, flow.key.netns);
}

__u64 hold_sender_run(struct hold_sender *sender, __u64 now_ns)
{
	const __u64 *sent = &sender->maps.status->counters.value[SLUICE_HOLD_SEND_sent];
	__u64 next, before = *sent;
	uint64_t at;

	sender->now_ns = now_ns;
	if (now_ns >= sender->scan_ns)
		hold_scan(sender);
	timer_wheel_expire(&sender->wheel, now_ns, on_due, sender);
	hold_queue_run(sender);
	if (*sent != before)
		sender->sent_ns = clock_now_ns(CLOCK_BOOTTIME);
	next = sender->scan_ns;
	if (timer_wheel_next(&sender->wheel, &at) && at < next)
		next = at;
	if (sender->queued && now_ns + QUEUE_NS < next)
		next = now_ns + QUEUE_NS;
	return next;
}

/* --- the interval */

static void publish(struct hold_sender *sender)
{
	struct sluice_hold_status *status = sender->maps.status;
	const struct hold_send_options *options = &sender->options;

	status->pid = (__u32)getpid();
	status->interval_ns = sender->interval_ns;
	status->outermost = options->outermost || sender->outermost;
	status->ttl = options->payload == HOLD_PAYLOAD_EMPTY ? options->ttl : 0;
	status->payload = options->payload;
	status->rate = options->rate;
}

/*
 * Sets the interval. A shorter interval is effective immediately, a longer interval after the next
 * keepalive of each flow.
 */
static void set_interval(struct hold_sender *sender, __u64 interval_ns)
{
	bool shorter = interval_ns < sender->interval_ns;
	__u32 slot;

	sender->interval_ns = interval_ns;
	for (slot = 1; shorter && slot <= hold_maps_used(&sender->maps); slot++) {
		const struct sluice_hold_flow *flow = &sender->maps.flows[slot];

		if (timer_runs(&sender->slots[slot].timer) &&
		    sender->slots[slot].serial == flow->serial)
			hold_slot_arm(sender, slot, hold_kept(sender, slot)->state,
				      hold_last_sent(sender, slot, flow));
	}
}

void hold_sender_probed(struct hold_sender *sender, const struct nat_finding *finding)
{
	const struct hold_send_options *options = &sender->options;
	struct sluice_hold_status *status = sender->maps.status;

	status->probed_ns = sender->now_ns;
	status->proven_ns = finding->proven_s * SECOND;
	sender->outermost = finding->outermost;
	if (!options->interval_s) {
		set_interval(sender, nat_interval_ns(finding, options->interval_max_s));
		status->source = finding->proven_s || finding->shorter ? SLUICE_HOLD_PROBED
								       : SLUICE_HOLD_DEFAULT;
	}
	publish(sender);
}

bool hold_sender_outdated(const struct hold_sender *sender, const char *bpffs)
{
	struct sluice_hold_meta meta;

	/* the record changes with each load, since it contains the time */
	return !meta_read(&hold_state_dir, bpffs, &meta, &(struct err){ 0 }) &&
	       meta.state == SLUICE_LOADED && memcmp(&meta, &sender->meta, sizeof(meta));
}

/* --- start and end */

int hold_sender_new(struct hold_sender **started, const char *bpffs,
		    const struct hold_send_options *options, struct err *err)
{
	struct hold_sender *sender = calloc(1, sizeof(*sender));
	int result;

	if (!sender)
		return err_set(err, EXIT_ERROR, ENOMEM, "hold: out of memory");
	sender->maps = HOLD_MAPS_NONE;
	sender->options = *options;
	sender->now_ns = clock_now_ns(CLOCK_BOOTTIME);
	sender->random = (unsigned int)sender->now_ns;
	/* each namespace needs five descriptors */
	files_raise_limit();
	sender->home_fd = netns_open(NULL, err);
	result = sender->home_fd;
	if (result < 0)
		goto failed;
	result = meta_read(&hold_state_dir, bpffs, &sender->meta, err);
	if (result) {
		result = meta_not_loaded(&hold_state_dir, bpffs, result, err);
		goto failed;
	}
	result = hold_maps_open(&sender->maps, bpffs, true, err);
	if (result)
		goto failed;
	sender->slots = calloc(sender->maps.table + 1, sizeof(*sender->slots));
	if (!sender->slots) {
		result = err_set(err, EXIT_ERROR, ENOMEM, "hold: out of memory");
		goto failed;
	}
	sender->home = (__u32)netdev_netns();
	if (conntrack_open(&sender->home_conntrack))
		sender->home_conntrack = NULL;
	hold_icmp_load(sender, bpffs);
	sender->interval_ns = (options->interval_s ? options->interval_s : NAT_INTERVAL_DEFAULT_S) *
			      SECOND;
	sender->rate.per_s = options->rate;
	timer_wheel_init(&sender->wheel, sender->now_ns, HOLD_TICK_NS);
	sender->maps.status->source = options->interval_s ? SLUICE_HOLD_FIXED : SLUICE_HOLD_DEFAULT;
	sender->maps.status->proven_ns = 0;
	publish(sender);
	*started = sender;
	return 0;
failed:
	hold_sender_free(sender);
	return result;
}

void hold_sender_free(struct hold_sender *sender)
{
	if (!sender)
		return;
	if (sender->maps.status)
		sender->maps.status->alive_ns = 0;
	hold_icmp_wait(sender);
	hold_queue_free(sender);
	hold_icmp_unload(sender);
	if (sender->home_conntrack)
		nl_close(sender->home_conntrack);
	if (sender->home_fd >= 0)
		close(sender->home_fd);
	hold_maps_close(&sender->maps);
	free(sender->slots);
	free(sender);
}
