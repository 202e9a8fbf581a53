// SPDX-License-Identifier: GPL-2.0-or-later
#include "nat/behaviour.h"

#include "base/addr.h"

#include <stdio.h>
#include <string.h>

const char *const nat_behaviour_names[] = {
	"unknown",
	"none",
	"endpoint-independent",
	"address-dependent",
	"address-and-port-dependent",
};
const char *const nat_hairpin_names[] = { "unknown", "no", "external source", "internal source" };
const char *const nat_ports_names[] = { "unknown", "preserved", "sometimes preserved", "changed" };

struct stun_endpoint nat_answerer(const struct nat_findings *findings, enum nat_test test)
{
	struct stun_endpoint from = findings->tests[test].to;

	if (findings->tests[test].change & SLUICE_STUN_CHANGE_IP)
		from.addr = findings->other.addr;
	if (findings->tests[test].change & SLUICE_STUN_CHANGE_PORT)
		from.port_be = findings->other.port_be;
	return from;
}

bool nat_is_answered(const struct nat_findings *findings, enum nat_test test)
{
	const struct nat_query *query = &findings->tests[test];
	struct stun_endpoint from = nat_answerer(findings, test);

	return query->outcome == NAT_ANSWERED && nat_is_same(&query->from, &from);
}

/* Returns true if the server has a usable second address; otherwise sets the reason. */
static bool has_other(const struct nat_findings *findings, char reason[128])
{
	if (findings->other.port_be)
		return true;
	snprintf(reason, 128, "%s",
		 findings->other_refused
			 ? "the second address that the server reports cannot be used"
			 : "the server reports no second address (OTHER-ADDRESS, RFC 5780)");
	return false;
}

static bool maps_alike(const struct nat_findings *findings, enum nat_test one, enum nat_test other)
{
	return nat_is_same(&findings->tests[one].mapped, &findings->tests[other].mapped);
}

static enum nat_behaviour mapping(const struct nat_findings *findings, char reason[128])
{
	const struct stun_endpoint local = { findings->local, findings->local_port_be[NAT_MAP] };
	char silent[ADDR_TEXT_MAX];
	enum nat_test test;

	if (!has_other(findings, reason))
		return nat_is_same(&local, &findings->tests[NAT_MAP].mapped) ? NAT_NONE
									     : NAT_UNKNOWN;
	for (test = NAT_MAP_ADDR; test <= NAT_MAP_BOTH; test++) {
		const struct stun_endpoint *to = &findings->tests[test].to;

		if (nat_is_answered(findings, test))
			continue;
		snprintf(reason, 128, "no response from %s",
			 addr_format_port(&to->addr, to->port_be, silent));
		return NAT_UNKNOWN;
	}
	if (!maps_alike(findings, NAT_MAP_ADDR, NAT_MAP_BOTH) ||
	    !maps_alike(findings, NAT_MAP, NAT_MAP_PORT))
		return NAT_ADDRESS_AND_PORT_DEPENDENT;
	if (!maps_alike(findings, NAT_MAP, NAT_MAP_ADDR))
		return NAT_ADDRESS_DEPENDENT;
	return nat_is_same(&local, &findings->tests[NAT_MAP].mapped) ? NAT_NONE
								     : NAT_ENDPOINT_INDEPENDENT;
}

/*
 * Returns false and sets the reason if a test shows that the server does not respond from the
 * selected address, or if an ICMP error shows that it has not received the request.
 */
static bool knows_change_request(const struct nat_findings *findings, char reason[128])
{
	enum nat_test test;

	for (test = NAT_FILTER_BOTH; test <= NAT_FILTER_PORT; test++) {
		const struct nat_query *query = &findings->tests[test];

		if (query->outcome == NAT_REFUSED && query->code)
			snprintf(reason, 128, "the server refuses CHANGE-REQUEST: error %u",
				 query->code);
		else if (query->outcome == NAT_REFUSED)
			snprintf(reason, 128, "the response to CHANGE-REQUEST is malformed");
		else if (query->outcome == NAT_ANSWERED && !nat_is_answered(findings, test))
			snprintf(reason, 128, "the server ignores CHANGE-REQUEST");
		else if (query->outcome == NAT_SILENT && query->error)
			snprintf(reason, 128, "CHANGE-REQUEST: %s", strerror(query->error));
		else
			continue;
		return false;
	}
	return true;
}

/*
 * Silence proves a filter only if the server has responded. Therefore the response must arrive
 * after a request has opened the filter. This does not work with a NAT that uses a different
 * mapping for each endpoint: the request to A:a then opens only its own mapping.
 */
static void filtering(const struct nat_findings *findings, struct nat_behaviours *out)
{
	char text[ADDR_TEXT_MAX], *reason = out->filtering_reason;
	enum nat_behaviour found = NAT_ENDPOINT_INDEPENDENT;

	if (!has_other(findings, reason) || !knows_change_request(findings, reason))
		return;
	if (!nat_is_answered(findings, NAT_FILTER_MAP)) {
		snprintf(reason, sizeof(out->filtering_reason), "no response to the first request");
		return;
	}
	out->filtering_confirmed = true;
	if (!nat_is_answered(findings, NAT_FILTER_BOTH)) {
		bool from_port = nat_is_answered(findings, NAT_FILTER_PORT);

		found = from_port ? NAT_ADDRESS_DEPENDENT : NAT_ADDRESS_AND_PORT_DEPENDENT;
		out->filtering_confirmed = nat_is_answered(findings, NAT_FILTER_AGAIN_BOTH) &&
					   (from_port ||
					    nat_is_answered(findings, NAT_FILTER_AGAIN_PORT));
	}
	if (out->filtering_confirmed || out->mapping == NAT_ADDRESS_DEPENDENT ||
	    out->mapping == NAT_ADDRESS_AND_PORT_DEPENDENT)
		out->filtering = found;
	else
		snprintf(reason, sizeof(out->filtering_reason),
			 "no response from %s even after a request to it",
			 addr_format_port(&findings->other.addr, findings->other.port_be, text));
}

static void hairpin(const struct nat_findings *findings, struct nat_behaviours *out)
{
	static const enum nat_test maps[] = { NAT_HAIRPIN_MAP, NAT_HAIRPIN_MAP_OTHER };
	char *reason = out->hairpin_reason;
	int i, silent = 0, error = 0;

	for (i = 0; i < 2; i++) {
		const struct nat_query *query = &findings->tests[NAT_HAIRPIN + i];

		/* a request that this host could not send proves nothing about the NAT */
		if (query->outcome == NAT_SILENT && !query->sent)
			error = query->error;
		silent += query->outcome == NAT_SILENT && query->sent;
		if (query->outcome != NAT_LOOPED)
			continue;
		out->hairpin = nat_is_same(&query->from, &findings->tests[maps[i]].mapped)
				       ? NAT_HAIRPIN_EXTERNAL
				       : NAT_HAIRPIN_INTERNAL;
		return;
	}
	if (silent == 2)
		out->hairpin = NAT_HAIRPIN_NO;
	else if (error)
		snprintf(reason, sizeof(out->hairpin_reason), "this host cannot send to it: %s",
			 strerror(error));
	else if (!memcmp(&findings->tests[NAT_MAP].mapped.addr, &findings->local, 16))
		snprintf(reason, sizeof(out->hairpin_reason),
			 "the mapped address is one of this host");
	else
		snprintf(reason, sizeof(out->hairpin_reason),
			 "no second mapping that a request can be sent to");
}

static void ports(const struct nat_findings *findings, struct nat_behaviours *out)
{
	int i;

	for (i = 0; i < NAT_SOCKETS; i++) {
		if (!nat_is_answered(findings, NAT_MAP + i))
			continue;
		out->ports_seen++;
		out->ports_preserved += findings->tests[NAT_MAP + i].mapped.port_be ==
					findings->local_port_be[i];
	}
	if (out->ports_preserved == out->ports_seen)
		out->ports = NAT_PORTS_PRESERVED;
	else
		out->ports = out->ports_preserved ? NAT_PORTS_SOMETIMES : NAT_PORTS_CHANGED;
}

void nat_behaviours(const struct nat_findings *findings, struct nat_behaviours *out)
{
	int i;

	*out = (struct nat_behaviours){ .mapping = NAT_UNKNOWN };
	out->mapping = mapping(findings, out->mapping_reason);
	if (out->mapping != NAT_UNKNOWN)
		out->mapping_reason[0] = '\0';
	filtering(findings, out);
	hairpin(findings, out);
	ports(findings, out);
	for (i = 0; i < NAT_TESTS; i++)
		out->rewritten |= nat_is_answered(findings, (enum nat_test)i) &&
				  findings->tests[i].rewritten;
}
