// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/spread.h"

#include "base/clock.h"
#include "base/log.h"
#include "kernel/pins.h"
#include "steer/cpu/spread_links.h"
#include "steer/cpu/spread_text.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Link events of an interface come in bursts. */
#define QUIET_US 20000
/* A retry costs a full load, and the cause of a refusal rarely disappears. */
#define RETRY_US 60000000

/* --- log */

static void log_failure(struct log_condition *failure, const char *ifname, const struct err *err)
{
	struct log_line line;

	if (!log_condition_set(failure, err->what))
		return;
	log_begin(&line, LOG_LEVEL_WARNING, "steer: cannot spread flows over CPUs, retrying");
	if (ifname)
		log_field(&line, "iface", "%s", ifname);
	log_field_err(&line, err);
	log_end(&line);
}

static struct spread_iface *find_iface(struct spread_section *spread, const char *ifname)
{
	__u32 i;

	for (i = 0; i < spread->wanted.ifcount; i++)
		if (!strcmp(spread->wanted.ifname[i], ifname))
			return &spread->iface[i];
	return NULL;
}

static void on_left_out(const char *ifname, bool asked, const struct err *err, void *arg)
{
	struct spread_iface *iface = find_iface(arg, ifname);

	if (!iface)
		return;
	iface->skipped = true;
	iface->ifindex = 0;
	iface->retry_us = asked ? clock_now_us() + RETRY_US : 0;
	log_failure(&iface->failure, ifname, err);
}

static void log_attached(const struct spread *state, __u32 i)
{
	const struct sluice_spread_link *link = &state->meta.links[i];
	char cpus[STEER_CPUS_TEXT_MAX], hint[64];
	struct log_line line;

	log_begin(&line, LOG_LEVEL_INFO, "steer: flows are spread over CPUs");
	log_field(&line, "iface", "%s", link->name);
	log_field(&line, "cpus", "%s",
		  steer_cpus_text(state->meta.cpus, state->meta.cpu_count, cpus, sizeof(cpus)));
	log_field(&line, "mode", "%s", spread_mode_name(link->mode));
	if (link->why[0])
		log_field(&line, "not_native", "%s", link->why);
	log_end(&line);
	if (!state->loses_vlan[i])
		return;
	log_begin(&line, LOG_LEVEL_WARNING, "steer: " STEER_XDP_LOSES_VLAN);
	log_field(&line, "iface", "%s", link->name);
	log_field(&line, "hint", "%s", spread_vlan_hint(link->name, hint, sizeof(hint)));
	log_end(&line);
}

/* --- load */

static void load(struct spread_section *spread)
{
	struct spread state;
	struct err err;
	int result;
	__u32 i;

	for (i = 0; i < spread->wanted.ifcount; i++)
		spread->iface[i].skipped = false;
	result = spread_load(&spread->wanted, &err);
	if (result < 0) {
		log_failure(&spread->failure, NULL, &err);
		return;
	}
	log_condition_set(&spread->failure, NULL);
	free(spread->pins);
	/* Leave out the links: spread_is_due() finds missing links. */
	spread->pins = pins_list(spread->bpffs, spread_state_dir.name, spread_state_dir.prefix,
				 SPREAD_PIN_LINK);
	/* Never cleared: the daemon does not follow loads by other processes. */
	spread->wanted.keep_programs = true;
	if (result)
		log_warning("steer: flows are no longer spread over CPUs: the file has no xdp key");
	for (i = 0; i < spread->wanted.ifcount; i++)
		if (!spread->iface[i].skipped)
			log_condition_set(&spread->iface[i].failure, NULL);
	if (spread_read(spread->bpffs, &state, &err))
		return;
	for (i = 0; i < state.meta.link_count; i++) {
		const struct sluice_spread_link *link = &state.meta.links[i];
		struct spread_iface *iface = find_iface(spread, link->name);

		if (!iface || iface->ifindex == link->ifindex)
			continue;
		iface->ifindex = link->ifindex;
		log_attached(&state, i);
	}
}

void spread_section_apply(struct spread_section *spread, const struct spread_options *wanted,
			  const struct ports *ports, const char *bpffs)
{
	spread_section_stop(spread);
	spread->ports = *ports;
	snprintf(spread->bpffs, sizeof(spread->bpffs), "%s", bpffs);
	spread->wanted = *wanted;
	spread->wanted.ports = &spread->ports;
	spread->wanted.bpffs = spread->bpffs;
	spread->wanted.by_daemon = true;
	spread->wanted.keep_programs = false;
	spread->wanted.left_out = on_left_out;
	spread->wanted.arg = spread;
	load(spread);
}

void spread_section_stop(struct spread_section *spread)
{
	spread->wanted.ifcount = 0;
	memset(spread->iface, 0, sizeof(spread->iface));
	log_condition_set(&spread->failure, NULL);
	free(spread->pins);
	spread->pins = NULL;
}

void spread_section_check(struct spread_section *spread)
{
	__u32 detached, i, resting = 0;
	__u64 now = clock_now_us();
	struct log_line line;
	char pin[NAME_MAX];
	bool lost;

	for (i = 0; i < spread->wanted.ifcount; i++)
		if (now < spread->iface[i].retry_us)
			resting |= 1U << i;
	if (!spread->wanted.ifcount)
		return;
	lost = pins_lost(spread->bpffs, spread_state_dir.name, spread->pins, pin) &&
	       state_dir_is_daemons(&spread_state_dir, spread->bpffs);
	if (!spread_is_due(&spread->wanted, resting, &detached) && !lost)
		return;
	if (lost) {
		log_begin(&line, LOG_LEVEL_WARNING, "steer: pin removed by another process");
		log_field(&line, "pin", "%s", pin);
		log_end(&line);
	}
	for (i = 0; i < spread->wanted.ifcount; i++) {
		if (!(detached & 1U << i))
			continue;
		spread->iface[i].ifindex = 0;
		log_begin(&line, LOG_LEVEL_WARNING, "steer: detached by another process");
		log_field(&line, "iface", "%s", spread->wanted.ifname[i]);
		log_end(&line);
	}
	load(spread);
}

void spread_section_link(struct spread_section *spread, const struct rtnl_link *link)
{
	struct spread_iface *iface = find_iface(spread, link->name);
	bool known = iface;
	__u32 i;

	if (iface)
		iface->retry_us = 0;
	/* A renamed interface no longer matches the name in the options. */
	for (i = 0; i < spread->wanted.ifcount; i++)
		known |= spread->iface[i].ifindex == link->index;
	if (known && !loop_timer_runs(spread->check))
		loop_timer_start(spread->check, QUIET_US);
}

static void on_check(void *arg)
{
	spread_section_check(arg);
}

int spread_section_init(struct spread_section *spread, struct loop *loop)
{
	spread->check = loop_timer(loop, false, on_check, spread);
	return spread->check ? 0 : -ENOMEM;
}
