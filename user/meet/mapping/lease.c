// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/mapping/lease.h"

#include "meet/scope.h"

#include <arpa/inet.h>

#define SECOND_NS 1000000000ULL
#define NEVER	  UINT64_MAX
#define PORT_MIN  1024 /* other peers refuse lower ones, sluice-protocol(7) */
/* Minimum interval between requests whether a granted mapping still exists. */
#define DOUBT_GAP_NS (10 * SECOND_NS)
/* Pauses after a refusal: the gateway may have no external address yet. */
#define REST_MIN_NS (60 * SECOND_NS)
#define REST_MAX_NS (3600 * SECOND_NS)

static void ask_by(struct lease *lease, unsigned int method, uint64_t now_ns)
{
	while (method < LEASE_METHODS && !(lease->allowed & 1U << method))
		method++;
	if (method == LEASE_METHODS) {
		lease->state = LEASE_RESTING;
		lease->due_ns = NEVER;
		return;
	}
	lease->state = LEASE_DUE;
	lease->method = (enum lease_method)method;
	lease->due_ns = now_ns;
}

void lease_start(struct lease *lease, uint64_t now_ns)
{
	*lease = (struct lease){ .allowed = lease->allowed, .rest_ns = REST_MIN_NS };
	ask_by(lease, 0, now_ns);
}

void lease_stop(struct lease *lease, enum lease_reason reason)
{
	*lease = (struct lease){ .allowed = lease->allowed, .reason = reason, .due_ns = NEVER };
}

void lease_doubt(struct lease *lease, uint64_t now_ns)
{
	uint64_t at_ns = lease->granted ? lease->asked_ns + DOUBT_GAP_NS : lease->again_ns;

	if (lease->state != LEASE_HELD && lease->state != LEASE_RESTING)
		return;
	if (at_ns < now_ns)
		at_ns = now_ns;
	if (at_ns < lease->due_ns)
		lease->due_ns = at_ns;
}

uint64_t lease_due_ns(const struct lease *lease)
{
	if (lease->granted && lease->expires_ns < lease->due_ns)
		return lease->expires_ns;
	return lease->due_ns;
}

bool lease_timeout(struct lease *lease, uint64_t now_ns)
{
	if (lease->granted && lease->expires_ns <= now_ns)
		lease->granted = false;
	if (lease->due_ns > now_ns)
		return false;
	if (lease->state == LEASE_RESTING) {
		lease->reason = LEASE_REASON_NONE;
		ask_by(lease, 0, now_ns);
	}
	lease->state = LEASE_ASKING;
	lease->asked_ns = now_ns;
	lease->due_ns = NEVER;
	return true;
}

static enum lease_reason check(const struct lease_grant *grant)
{
	struct in6_addr addr = { .s6_addr16[5] = 0xffff };

	addr.s6_addr32[3] = grant->external.s_addr;
	if (scope_of(&addr) == SCOPE_NONE || ntohs(grant->port_be) < PORT_MIN)
		return LEASE_REASON_SCOPE;
	return grant->lifetime_s < LEASE_MIN_S ? LEASE_REASON_LIFETIME : LEASE_REASON_NONE;
}

bool lease_grant(struct lease *lease, const struct lease_grant *grant, uint64_t now_ns)
{
	enum lease_reason reason = check(grant);

	if (reason) {
		/* this overrides any earlier grant */
		lease->granted = false;
		lease_failed(lease, reason, now_ns);
		return false;
	}
	lease->state = LEASE_HELD;
	lease->granted = true;
	lease->by = lease->method;
	lease->grant = *grant;
	if (lease->grant.lifetime_s > LEASE_S)
		lease->grant.lifetime_s = LEASE_S;
	lease->reason = LEASE_REASON_NONE;
	lease->due_ns = now_ns + lease->grant.lifetime_s * SECOND_NS / 2;
	lease->expires_ns = now_ns + lease->grant.lifetime_s * SECOND_NS;
	lease->rest_ns = REST_MIN_NS;
	return true;
}

void lease_failed(struct lease *lease, enum lease_reason reason, uint64_t now_ns)
{
	/* an error response says more than silence */
	if (reason != LEASE_REASON_SILENT || !lease->reason)
		lease->reason = reason;
	ask_by(lease, lease->method + 1U, now_ns);
	if (lease->state == LEASE_DUE)
		return;
	lease->granted = lease->granted && lease->expires_ns > now_ns;
	if (lease->granted) {
		/* the gateway may return before the mapping expires */
		lease->due_ns = now_ns + (lease->expires_ns - now_ns) / 2;
		if (lease->due_ns < now_ns + LEASE_MIN_S * SECOND_NS)
			lease->due_ns = now_ns + LEASE_MIN_S * SECOND_NS;
		return;
	}
	lease->again_ns = now_ns + lease->rest_ns;
	lease->rest_ns *= 2;
	if (lease->rest_ns > REST_MAX_NS)
		lease->rest_ns = REST_MAX_NS;
	if (lease->reason != LEASE_REASON_SILENT)
		lease->due_ns = lease->again_ns;
}
