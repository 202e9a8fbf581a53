// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/mapping/mapping.h"

#include "base/addr.h"
#include "base/log.h"
#include "meet/mapping/helper.h"
#include "meet/scope.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define RELEASE_MS 2000

struct mapping {
	enum peer_port_mapping wanted;
	pid_t pid;
	int fd; /* -1: the process has ended */
	struct loop *loop;
	loop_fn changed;
	void *arg;
	struct helper_order order;
	struct helper_report report;
	struct stun_endpoint seen[PEER_CLIENT_SERVERS_MAX];
	struct log_condition unused;
};

static const char *const protocols[] = { "nat-pmp", "upnp" };

static const char *const reasons[LEASE_REASONS] = {
	[LEASE_REASON_NONE] = "none",
	[LEASE_REASON_NO_GATEWAY] = "there is no NAT, or no router toward the server",
	[LEASE_REASON_SILENT] = "no answer",
	[LEASE_REASON_REFUSED] = "the gateway has refused",
	[LEASE_REASON_NO_ADDRESS] = "the gateway has no external address",
	[LEASE_REASON_FULL] = "the gateway has no free port",
	[LEASE_REASON_MALFORMED] = "the gateway has sent a malformed answer",
	[LEASE_REASON_SCOPE] = "the external address is not valid for a peer",
	[LEASE_REASON_LIFETIME] = "the mapping would be permanent, or too short",
	[LEASE_REASON_FAILED] = "an error of this host",
};

/* --- log */

static struct stun_endpoint external_of(const struct mapping *mapping)
{
	struct stun_endpoint at = { .addr = { .s6_addr16[5] = 0xffff },
				    .port_be = mapping->report.grant.port_be };

	at.addr.s6_addr32[3] = mapping->report.grant.external.s_addr;
	return at;
}

static void log_report(const struct mapping *mapping)
{
	const struct helper_report *report = &mapping->report;
	struct stun_endpoint external = external_of(mapping);
	/* most gateways support neither protocol */
	bool usual = mapping->wanted == PEER_PORT_MAPPING_AUTO &&
		     (report->reason == LEASE_REASON_SILENT ||
		      report->reason == LEASE_REASON_NO_GATEWAY);
	char text[ADDR_TEXT_MAX];
	struct log_line line;

	if (!report->granted && !report->reason)
		return;
	if (report->granted)
		log_begin(&line, LOG_LEVEL_INFO, "port mapped");
	else
		log_begin(&line, usual ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING, "port not mapped");
	if (report->granted) {
		log_field(&line, "protocol", "%s", protocols[report->by]);
		log_field(&line, "external", "%s",
			  addr_format_port(&external.addr, external.port_be, text));
		log_field(&line, "lifetime", "%us", report->grant.lifetime_s);
	} else {
		log_field(&line, "reason", "%s", reasons[report->reason]);
	}
	log_end(&line);
}

/* Warns if no server sees the gateway's address. */
static void log_use(struct mapping *mapping)
{
	struct stun_endpoint external = external_of(mapping);
	struct candidate candidate;
	char text[ADDR_TEXT_MAX];
	struct log_line line;
	bool unused = mapping->report.granted && !mapping_candidate(mapping, &candidate);

	addr_format_port(&external.addr, external.port_be, text);
	if (!log_condition_set(&mapping->unused, unused ? text : NULL) || !unused)
		return;
	log_begin(&line, LOG_LEVEL_WARNING, "port mapping unused");
	log_field(&line, "external", "%s", text);
	log_field(&line, "reason", "%s",
		  "the servers see a different address: there is a second NAT beyond the gateway");
	log_end(&line);
}

/* --- the process */

static unsigned int methods_of(enum peer_port_mapping wanted)
{
	switch (wanted) {
	case PEER_PORT_MAPPING_NAT_PMP:
		return 1U << LEASE_NAT_PMP;
	case PEER_PORT_MAPPING_UPNP:
		return 1U << LEASE_UPNP;
	case PEER_PORT_MAPPING_AUTO:
		return 1U << LEASE_NAT_PMP | 1U << LEASE_UPNP;
	default:
		return 0;
	}
}

int mapping_start(struct mapping **mapping, enum peer_port_mapping wanted)
{
	struct mapping *fresh;
	int fds[2], result = -ENOMEM;

	*mapping = NULL;
	if (!methods_of(wanted))
		return 0;
	fresh = calloc(1, sizeof(*fresh));
	if (!fresh)
		return -ENOMEM;
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds)) {
		result = -errno;
		goto failed;
	}
	fresh->pid = fork();
	if (fresh->pid < 0) {
		result = -errno;
		close(fds[0]);
		close(fds[1]);
		goto failed;
	}
	if (!fresh->pid)
		helper_main(fds[1], methods_of(wanted));
	close(fds[1]);
	fresh->fd = fds[0];
	fresh->wanted = wanted;
	*mapping = fresh;
	return 0;
failed:
	free(fresh);
	return result;
}

static void end_process(struct mapping *mapping, int options)
{
	if (mapping->fd < 0)
		return;
	if (mapping->loop)
		loop_remove(mapping->loop, mapping->fd);
	close(mapping->fd);
	mapping->fd = -1;
	waitpid(mapping->pid, NULL, options);
}

static void on_report(void *arg)
{
	struct mapping *mapping = arg;
	struct helper_report report;
	ssize_t length = recv(mapping->fd, &report, sizeof(report), MSG_DONTWAIT);

	if (length < 0 && errno == EAGAIN)
		return;
	if (length != sizeof(report) || report.by >= LEASE_METHODS ||
	    report.reason >= LEASE_REASONS) {
		/* its mappings expire */
		kill(mapping->pid, SIGKILL);
		end_process(mapping, 0);
		report = (struct helper_report){ .reason = LEASE_REASON_FAILED };
	}
	mapping->report = report;
	log_report(mapping);
	log_use(mapping);
	mapping->changed(mapping->arg);
}

void mapping_toward(struct mapping *mapping, const struct stun_endpoint *server)
{
	if (mapping && !mapping->order.server.s_addr && addr_is_ip4(&server->addr))
		mapping->order.server.s_addr = server->addr.s6_addr32[3];
}

void mapping_doubt(struct mapping *mapping)
{
	/* a full socket holds the same order already */
	if (mapping && mapping->fd >= 0 && mapping->order.server.s_addr)
		send(mapping->fd, &mapping->order, sizeof(mapping->order),
		     MSG_DONTWAIT | MSG_NOSIGNAL);
}

int mapping_watch(struct mapping *mapping, struct loop *loop, in_port_t port_be, loop_fn changed,
		  void *arg)
{
	if (!mapping)
		return 0;
	mapping->loop = loop;
	mapping->changed = changed;
	mapping->arg = arg;
	mapping->order.port_be = port_be;
	mapping_doubt(mapping);
	return loop_read(loop, mapping->fd, on_report, mapping);
}

void mapping_seen(struct mapping *mapping, unsigned int server, const struct stun_endpoint *at)
{
	if (!mapping || !addr_is_ip4(&at->addr))
		return;
	mapping->seen[server] = *at;
	log_use(mapping);
}

bool mapping_candidate(const struct mapping *mapping, struct candidate *candidate)
{
	struct stun_endpoint external;
	bool seen = false, same = false;
	unsigned int i;

	if (!mapping || !mapping->report.granted)
		return false;
	external = external_of(mapping);
	for (i = 0; i < PEER_CLIENT_SERVERS_MAX; i++) {
		seen = seen || mapping->seen[i].port_be;
		same = same || IN6_ARE_ADDR_EQUAL(&external.addr, &mapping->seen[i].addr);
	}
	if (seen && !same && scope_of(&external.addr) != SCOPE_PRIVATE)
		return false;
	*candidate = (struct candidate){ .at = external,
					 .kind = CANDIDATE_MAPPED,
					 .transport = CANDIDATE_UDP };
	return true;
}

void mapping_stop(struct mapping *mapping)
{
	struct pollfd ended = { .events = POLLIN };
	struct helper_report report;

	if (!mapping)
		return;
	if (mapping->fd >= 0 && mapping->report.granted) {
		shutdown(mapping->fd, SHUT_WR);
		ended.fd = mapping->fd;
		while (poll(&ended, 1, RELEASE_MS) > 0 &&
		       recv(mapping->fd, &report, sizeof(report), MSG_DONTWAIT) > 0)
			;
	}
	end_process(mapping, WNOHANG);
	free(mapping);
}
