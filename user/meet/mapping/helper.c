// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/mapping/helper.h"

#include "base/clock.h"
#include "meet/mapping/natpmp.h"
#include "meet/mapping/upnp.h"
#include "meet/scope.h"

#include <fcntl.h>
#include <grp.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/capability.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define CONTROL 3
#define NOBODY	65534 /* the kernel's overflow uid and gid */

struct helper {
	unsigned int methods;
	struct helper_order order;
	struct gateway gateway;
	struct lease lease;
	struct natpmp natpmp;
	struct upnp upnp;
	char url[UPNP_URL_MAX]; /* of the gateway's description */
	in_port_t external_be;	/* the external port to request: the one granted before */
	int announcements;	/* of NAT-PMP; -1: there is no gateway */
	struct helper_report reported;
};

static uint64_t now_ns(void)
{
	return clock_now_us() * 1000;
}

/* --- asking */

static void end_exchange(struct helper *helper)
{
	natpmp_end(&helper->natpmp);
	upnp_end(&helper->upnp);
}

static int begin(struct helper *helper)
{
	struct upnp_job job = { .gateway = helper->gateway,
				.port_be = helper->order.port_be,
				.external_be = helper->external_be };
	/* try the last protocol for as long as its RFC says */
	unsigned int tries = helper->lease.allowed >> LEASE_UPNP ? NATPMP_TRIES_FIRST
								 : NATPMP_TRIES;

	if (helper->lease.method == LEASE_NAT_PMP)
		return natpmp_begin(&helper->natpmp, &helper->gateway, job.port_be, job.external_be,
				    tries, now_ns());
	memcpy(job.url, helper->url, sizeof(job.url));
	return upnp_begin(&helper->upnp, &job, now_ns());
}

static void granted(struct helper *helper, const struct lease_grant *grant)
{
	if (lease_grant(&helper->lease, grant, now_ns()))
		helper->external_be = grant->port_be;
}

static void on_natpmp(struct helper *helper, enum natpmp_outcome outcome)
{
	if (outcome == NATPMP_GRANTED)
		granted(helper, &helper->natpmp.grant);
	else if (outcome == NATPMP_FAILED)
		lease_failed(&helper->lease, helper->natpmp.reason, now_ns());
}

static void on_upnp(struct helper *helper)
{
	struct upnp_result result;

	upnp_finish(&helper->upnp, &result);
	memcpy(helper->url, result.url, sizeof(helper->url));
	if (result.reason)
		lease_failed(&helper->lease, result.reason, now_ns());
	else
		granted(helper, &result.grant);
}

static void on_announcement(struct helper *helper)
{
	struct in_addr external = { 0 };

	if (helper->lease.granted)
		external = helper->lease.grant.external;
	if (natpmp_announced(&helper->natpmp, helper->announcements, &helper->gateway, external,
			     now_ns()))
		lease_doubt(&helper->lease, now_ns());
}

/* --- orders and reports */

static bool is_public(struct in_addr addr)
{
	struct in6_addr mapped = { .s6_addr16[5] = 0xffff };

	mapped.s6_addr32[3] = addr.s_addr;
	return scope_of(&mapped) == SCOPE_PUBLIC;
}

/* Returns false if the peer process has exited. */
static bool read_order(struct helper *helper)
{
	struct gateway gateway = { .addr = { 0 } };
	struct helper_order order;
	bool same;

	if (recv(CONTROL, &order, sizeof(order), 0) != sizeof(order))
		return false;
	if (order.port_be && (gateway_toward(order.server, &gateway) || is_public(gateway.own)))
		memset(&gateway, 0, sizeof(gateway));
	same = order.port_be == helper->order.port_be &&
	       !memcmp(&gateway, &helper->gateway, sizeof(gateway));
	helper->order = order;
	if (same && gateway.addr.s_addr) {
		lease_doubt(&helper->lease, now_ns());
		return true;
	}
	end_exchange(helper);
	helper->gateway = gateway;
	helper->external_be = order.port_be;
	helper->natpmp.epoch.known = false;
	helper->url[0] = '\0';
	if (gateway.addr.s_addr)
		lease_start(&helper->lease, now_ns());
	else
		lease_stop(&helper->lease,
			   order.port_be ? LEASE_REASON_NO_GATEWAY : LEASE_REASON_NONE);
	return true;
}

static void report(struct helper *helper)
{
	const struct lease *lease = &helper->lease;
	struct helper_report fresh;

	memset(&fresh, 0, sizeof(fresh));
	fresh.gateway = helper->gateway.addr;
	fresh.granted = lease->granted;
	if (lease->granted) {
		fresh.by = (uint8_t)lease->by;
		fresh.grant = lease->grant;
	} else if (lease->state == LEASE_DUE || lease->state == LEASE_ASKING) {
		/* not known yet, but an expired mapping must not count */
		if (!helper->reported.granted)
			return;
	} else {
		fresh.reason = (uint8_t)lease->reason;
	}
	if (!memcmp(&fresh, &helper->reported, sizeof(fresh)))
		return;
	helper->reported = fresh;
	send(CONTROL, &fresh, sizeof(fresh), MSG_NOSIGNAL);
}

/* --- the process */

static void listen_to_announcements(struct helper *helper)
{
	bool wanted = helper->gateway.addr.s_addr && helper->methods & 1U << LEASE_NAT_PMP;

	if (wanted && helper->announcements < 0) {
		helper->announcements = natpmp_announcements();
	} else if (!wanted && helper->announcements >= 0) {
		close(helper->announcements);
		helper->announcements = -1;
	}
}

static int timeout_ms(const struct helper *helper)
{
	uint64_t due_ns = lease_due_ns(&helper->lease), now = now_ns();

	if (natpmp_due_ns(&helper->natpmp) < due_ns)
		due_ns = natpmp_due_ns(&helper->natpmp);
	if (helper->upnp.pid && helper->upnp.deadline_ns < due_ns)
		due_ns = helper->upnp.deadline_ns;
	if (due_ns == UINT64_MAX)
		return -1;
	return due_ns <= now ? 0 : (int)((due_ns - now + 999999) / 1000000);
}

static void run(struct helper *helper)
{
	for (;;) {
		struct pollfd fds[] = {
			{ .fd = CONTROL, .events = POLLIN },
			{ .fd = natpmp_fd(&helper->natpmp), .events = POLLIN },
			{ .fd = helper->upnp.pid ? helper->upnp.fd : -1, .events = POLLIN },
			{ .fd = helper->announcements, .events = POLLIN },
		};

		if (poll(fds, sizeof(fds) / sizeof(*fds), timeout_ms(helper)) < 0)
			continue;
		if (fds[1].revents)
			on_natpmp(helper, natpmp_readable(&helper->natpmp, now_ns()));
		on_natpmp(helper, natpmp_timeout(&helper->natpmp, now_ns()));
		if (helper->upnp.pid && (fds[2].revents || helper->upnp.deadline_ns <= now_ns()))
			on_upnp(helper);
		if (fds[3].revents)
			on_announcement(helper);
		if (fds[0].revents && !read_order(helper))
			return;
		while (lease_timeout(&helper->lease, now_ns()))
			if (begin(helper))
				lease_failed(&helper->lease, LEASE_REASON_FAILED, now_ns());
		listen_to_announcements(helper);
		report(helper);
	}
}

/* Releases the mapping, also one whose answer is still pending. */
static void release(struct helper *helper)
{
	const struct lease *lease = &helper->lease;
	bool asking = lease->state == LEASE_ASKING;
	struct upnp_job job = { .gateway = helper->gateway,
				.port_be = helper->order.port_be,
				.external_be = helper->external_be,
				.release = true };

	end_exchange(helper);
	if ((lease->granted && lease->by == LEASE_NAT_PMP) ||
	    (asking && lease->method == LEASE_NAT_PMP))
		natpmp_release(&helper->natpmp, &helper->gateway, job.port_be);
	/* without a description URL, no gateway was found */
	memcpy(job.url, helper->url, sizeof(job.url));
	if (job.url[0] && ((lease->granted && lease->by == LEASE_UPNP) ||
			   (asking && lease->method == LEASE_UPNP)))
		upnp_run(&job);
}

/* Drops the peer's descriptors and privileges. Returns false on failure. */
static bool enter(int control)
{
	cap_t none = cap_init();
	bool dropped;
	int null;

	prctl(PR_SET_NAME, "sluice-mapping");
	/* terminals and service managers signal the whole group; the peer must exit first */
	signal(SIGINT, SIG_IGN);
	signal(SIGTERM, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGCHLD, SIG_DFL);
	null = open("/dev/null", O_RDWR);
	if (null < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(null, 2) < 0 ||
	    (control != CONTROL && dup2(control, CONTROL) < 0) ||
	    close_range(CONTROL + 1, ~0U, 0) || chdir("/"))
		return false;
	/* a user namespace may lack this user; the capabilities are dropped anyway */
	if (!geteuid() && !setgroups(0, NULL) && !setresgid(NOBODY, NOBODY, NOBODY))
		(void)!setresuid(NOBODY, NOBODY, NOBODY);
	dropped = none && !cap_set_proc(none) && !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	cap_free(none);
	return dropped;
}

void helper_main(int control, unsigned int methods)
{
	struct helper helper = { .methods = methods,
				 .lease = { .allowed = methods, .due_ns = UINT64_MAX },
				 .announcements = -1 };

	if (enter(control)) {
		run(&helper);
		release(&helper);
	}
	_exit(0);
}
