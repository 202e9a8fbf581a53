// SPDX-License-Identifier: GPL-2.0-or-later
/* Reads the state of the loaded object from its pins. */
#include "hold/hold.h"

#include "base/clock.h"
#include "cli/opt.h"
#include "hold/pins.h"
#include "kernel/meta.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

/* A daemon is considered dead if its status is older; a daemon updates it every few seconds. */
#define ALIVE_NS 20000000000ULL

static const char *const link_pins[] = { PIN_CLOSED, PIN_OUT, PIN_IN };
#define LINK_PINS ((int)(sizeof(link_pins) / sizeof(*link_pins)))

void hold_ports(const struct sluice_hold_meta *meta, struct ports *ports)
{
	ports->any = meta->any_port;
	memcpy(ports->bit, meta->ports, sizeof(ports->bit));
}

const char *hold_state_name(unsigned int state)
{
	static const char *const names[SLUICE_HOLD_STATES + 1] = {
		[SLUICE_HOLD_NEW] = "new",	     [SLUICE_HOLD_UNANSWERED] = "unanswered",
		[SLUICE_HOLD_ACTIVE] = "active",     [SLUICE_HOLD_KEPT] = "kept",
		[SLUICE_HOLD_RENEWED] = "renewed",   [SLUICE_HOLD_UNREACHABLE] = "unreachable",
		[SLUICE_HOLD_REMAPPED] = "remapped", [SLUICE_HOLD_NEAR] = "near",
		[SLUICE_HOLD_FAILED] = "failed",     [SLUICE_HOLD_ENDED] = "ended",
		[SLUICE_HOLD_CLOSED] = "closed",
	};

	return opt_word_name(names, state);
}

const char *hold_source_name(unsigned int source)
{
	static const char *const names[] = { "default", "fixed", "probe", NULL };

	return opt_word_name(names, source);
}

bool hold_attached(const char *bpffs, const struct sluice_hold_meta *meta)
{
	struct hook_state hook;
	int i;

	for (i = 0; i < LINK_PINS; i++)
		if (hook_read(bpffs, HOLD_OBJECT, link_pins[i], &hook) ||
		    hook.cgroup_id != meta->cgroup_id)
			return false;
	return true;
}

int hold_read(const char *bpffs, struct hold_state *state, struct err *err)
{
	int i, fd, result = meta_read(&hold_state_dir, bpffs, &state->meta, err);
	__u32 zero = 0;

	if (result)
		return meta_not_loaded(&hold_state_dir, bpffs, result, err);
	state->hook_count = 0;
	for (i = 0; i < LINK_PINS; i++)
		if (!hook_read(bpffs, HOLD_OBJECT, link_pins[i], &state->hooks[state->hook_count]))
			state->hook_count++;
	state->detached = state->meta.state == SLUICE_LOADED && !hold_attached(bpffs, &state->meta);
	fd = state_dir_map_open(&hold_state_dir, bpffs, "sluice_status", BPF_MAP_TYPE_ARRAY,
				sizeof(zero), sizeof(state->status), err);
	if (fd < 0)
		return fd;
	result = bpf_map_lookup_elem(fd, &zero, &state->status) ? -errno : 0;
	close(fd);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "hold: %s", strerror(-result));
	state->sending = state->status.alive_ns &&
			 clock_now_ns(CLOCK_BOOTTIME) - state->status.alive_ns < ALIVE_NS;
	return state_dir_counters(&hold_state_dir, bpffs, "sluice_counters", state->counters.value,
				  SLUICE_HOLD_COUNTERS_MAX, err);
}
