// SPDX-License-Identifier: GPL-2.0-or-later
#include "daemon/spread.h"

#include "base/clock.h"
#include "base/log.h"
#include "steer/cpu/spread_text.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

/* News of an interface come several at a time. */
#define QUIET_US 20000
/* To try costs all of a load; what refused a program may go, but mostly it stays. */
#define REST_US 60000000

struct said {
	char trouble[768]; /* that lasts; empty: none */
	bool left_out;	   /* by the load that is going on */
	__u32 ifindex;	   /* in force there; 0: nowhere */
	__u64 rest_us;	   /* it refused the program: not to be tried for before then */
};

struct run_spread {
	struct loop_timer *soon;
	struct spread_options wanted; /* ifcount 0: nothing is */
	struct ports ports;
	char bpffs[PATH_MAX];
	struct said said[SLUICE_SPREAD_LINKS]; /* of each interface that is wanted */
	char trouble[768];		       /* of all of them */
	struct spread now;
};

/* --- what is said */

static void warn(const char *message, const char *ifname, const struct err *err)
{
	struct log_line line;

	log_begin(&line, LOG_LEVEL_WARNING, message);
	if (ifname)
		log_field(&line, "iface", "%s", ifname);
	if (err)
		log_field(&line, "reason", "%s", err->what);
	if (err && err->hint[0])
		log_field(&line, "hint", "%s", err->hint);
	log_end(&line);
}

/* What lasts is said once. */
static void say_trouble(char trouble[768], const char *ifname, const struct err *err)
{
	if (!strcmp(trouble, err->what))
		return;
	snprintf(trouble, 768, "%s", err->what);
	warn("steer: flows are not spread over CPUs; to be tried again", ifname, err);
}

static struct said *said_of(struct run_spread *spread, const char *ifname)
{
	__u32 i;

	for (i = 0; i < spread->wanted.ifcount; i++)
		if (!strcmp(spread->wanted.ifname[i], ifname))
			return &spread->said[i];
	return NULL;
}

static void on_left_out(const char *ifname, bool asked, const struct err *err, void *arg)
{
	struct said *said = said_of(arg, ifname);

	if (!said)
		return;
	said->left_out = true;
	said->ifindex = 0;
	said->rest_us = asked ? clock_now_us() + REST_US : 0;
	say_trouble(said->trouble, ifname, err);
}

static void say_in_force(const struct spread *xdp, __u32 at)
{
	const struct sluice_spread_link *link = &xdp->meta.links[at];
	char cpus[STEER_CPUS_TEXT_MAX], hint[64];
	struct log_line line;

	log_begin(&line, LOG_LEVEL_INFO, "steer: flows are spread over CPUs");
	log_field(&line, "iface", "%s", link->name);
	log_field(&line, "cpus", "%s",
		  steer_cpus_text(xdp->meta.cpus, xdp->meta.cpu_count, cpus, sizeof(cpus)));
	log_field(&line, "mode", "%s", spread_mode_name(link->mode));
	if (link->why[0])
		log_field(&line, "not_native", "%s", link->why);
	log_end(&line);
	if (!xdp->loses_vlan[at])
		return;
	log_begin(&line, LOG_LEVEL_WARNING, "steer: " STEER_XDP_LOSES_VLAN);
	log_field(&line, "iface", "%s", link->name);
	log_field(&line, "hint", "%s", spread_vlan_hint(link->name, hint, sizeof(hint)));
	log_end(&line);
}

/* What is new. */
static void say_loaded(struct run_spread *spread)
{
	const struct sluice_spread_meta *meta = &spread->now.meta;
	__u32 i;

	for (i = 0; i < spread->wanted.ifcount; i++)
		if (!spread->said[i].left_out)
			spread->said[i].trouble[0] = '\0';
	if (spread_read(spread->bpffs, &spread->now, &(struct err){ 0 }))
		return;
	for (i = 0; i < meta->link_count; i++) {
		struct said *said = said_of(spread, meta->links[i].name);

		if (!said || said->ifindex == meta->links[i].ifindex)
			continue;
		said->ifindex = meta->links[i].ifindex;
		say_in_force(&spread->now, i);
	}
}

/* --- what is done */

static void load(struct run_spread *spread)
{
	struct err err;
	int result;
	__u32 i;

	for (i = 0; i < spread->wanted.ifcount; i++)
		spread->said[i].left_out = false;
	result = spread_load(&spread->wanted, &err);
	if (result < 0) {
		say_trouble(spread->trouble, NULL, &err);
		return;
	}
	spread->trouble[0] = '\0';
	/* and stays so: what somebody else loads is not ours to follow */
	spread->wanted.keep_programs = true;
	if (result)
		log_warning("steer: flows are no longer spread over CPUs: the file names no xdp");
	say_loaded(spread);
}

void spread_section_apply(struct run_spread *spread, const struct spread_options *wanted,
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

void spread_section_stop(struct run_spread *spread)
{
	spread->wanted.ifcount = 0;
	memset(spread->said, 0, sizeof(spread->said));
	spread->trouble[0] = '\0';
}

void spread_section_check(struct run_spread *spread)
{
	__u64 now = clock_now_us();
	__u32 detached, i, resting = 0;

	for (i = 0; i < spread->wanted.ifcount; i++)
		if (now < spread->said[i].rest_us)
			resting |= 1U << i;
	if (!spread->wanted.ifcount || !spread_is_due(&spread->wanted, resting, &detached))
		return;
	for (i = 0; i < spread->wanted.ifcount; i++)
		if (detached & 1U << i) {
			spread->said[i].ifindex = 0;
			warn("steer: found detached, and not by this daemon",
			     spread->wanted.ifname[i], NULL);
		}
	load(spread);
}

static void on_soon(void *arg)
{
	spread_section_check(arg);
}

void spread_section_link(struct run_spread *spread, const struct rtnl_link *link)
{
	struct said *said = said_of(spread, link->name);
	bool known = said;
	__u32 i;

	if (said)
		said->rest_us = 0;
	/* one that gets another name has its old one no more */
	for (i = 0; i < spread->wanted.ifcount; i++)
		known |= spread->said[i].ifindex == link->index;
	if (known && !loop_timer_runs(spread->soon))
		loop_timer_start(spread->soon, QUIET_US);
}

/* --- start and end */

struct run_spread *spread_section_new(struct loop *loop)
{
	struct run_spread *spread = calloc(1, sizeof(*spread));

	if (!spread)
		return NULL;
	spread->soon = loop_timer(loop, false, on_soon, spread);
	if (spread->soon)
		return spread;
	free(spread);
	return NULL;
}

void spread_section_free(struct run_spread *spread)
{
	free(spread);
}
