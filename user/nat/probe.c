// SPDX-License-Identifier: GPL-2.0-or-later
#include "nat/probe.h"

#include "base/addr.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define ROUNDS 4

struct probe {
	const struct nat_probe_options *options;
	struct nat_probe_report *report;
	struct loop *loop;
	struct nat_client *client;
	struct nat_lifetime_probe *lifetime;
	int fds[NAT_SOCKETS];
	int round;
	int pending; /* pending queries of this round */
	bool measuring;
};

static void advance(struct probe *probe);

static void on_done(struct nat_query *query)
{
	struct probe *probe = query->arg;

	if (!--probe->pending)
		advance(probe);
}

static void ask(struct probe *probe, enum nat_test test, int socket, const struct stun_endpoint *to,
		uint32_t change)
{
	struct nat_query *query = &probe->report->findings.tests[test];

	*query = (struct nat_query){
		.fd = probe->fds[socket], .to = *to, .change = change, .done = on_done, .arg = probe
	};
	probe->pending++;
	nat_client_ask(probe->client, query, 0);
}

/* --- the rounds: the queries of a round are independent of each other */

static void map(struct probe *probe)
{
	int i;

	for (i = 0; i < NAT_SOCKETS; i++)
		ask(probe, NAT_MAP + i, i, &probe->options->server, 0);
}

/*
 * Returns true if the mapping can be used to test hairpinning: it is a usable address, and not that
 * of this host.
 */
static bool is_hairpin(const struct nat_findings *findings, enum nat_test test)
{
	const struct stun_endpoint *mapped = &findings->tests[test].mapped;

	return nat_is_answered(findings, test) && nat_is_usable(mapped, &findings->server.addr) &&
	       memcmp(&mapped->addr, &findings->local, sizeof(findings->local)) != 0;
}

static void on_lifetime(const struct nat_lifetime_report *report, void *arg)
{
	struct probe *probe = arg;

	probe->report->lifetime = *report;
	probe->measuring = false;
	advance(probe);
}

static void measure_lifetime(struct probe *probe)
{
	uint32_t idle_ms[NAT_STEPS_MAX], i;

	for (i = 0; i < NAT_STEPS_MAX; i++)
		idle_ms[i] =
			(uint32_t)(probe->options->lifetime_s * 1000ULL * (i + 1) / NAT_STEPS_MAX);
	probe->lifetime = nat_lifetime_new(probe->loop, &probe->options->server,
					   &probe->report->findings.local, idle_ms, NAT_STEPS_MAX,
					   on_lifetime, probe);
	probe->measuring = probe->lifetime;
	if (!probe->lifetime)
		snprintf(probe->report->lifetime.failure, sizeof(probe->report->lifetime.failure),
			 "%s", strerror(ENOMEM));
}

static void test(struct probe *probe)
{
	struct nat_findings *findings = &probe->report->findings;
	const struct stun_endpoint *server = &findings->server, *reported;
	struct stun_endpoint addr, port;

	if (!nat_is_answered(findings, NAT_MAP)) {
		probe->round = ROUNDS;
		return;
	}
	if (probe->options->lifetime_s)
		measure_lifetime(probe);
	reported = &findings->tests[NAT_MAP].other;
	/* both the address and the port must differ from the server's: RFC 5780, section 7.4 */
	if (nat_is_usable(reported, &server->addr) && reported->port_be != server->port_be &&
	    memcmp(&reported->addr, &server->addr, sizeof(server->addr)) != 0) {
		findings->other = *reported;
		addr = (struct stun_endpoint){ reported->addr, server->port_be };
		port = (struct stun_endpoint){ server->addr, reported->port_be };
		ask(probe, NAT_MAP_ADDR, 0, &addr, 0);
		ask(probe, NAT_MAP_PORT, 0, &port, 0);
		ask(probe, NAT_MAP_BOTH, 0, reported, 0);
		ask(probe, NAT_FILTER_BOTH, 1, server,
		    SLUICE_STUN_CHANGE_IP | SLUICE_STUN_CHANGE_PORT);
		ask(probe, NAT_FILTER_PORT, 1, server, SLUICE_STUN_CHANGE_PORT);
	} else {
		findings->other_refused = reported->port_be;
	}
	if (is_hairpin(findings, NAT_HAIRPIN_MAP) && is_hairpin(findings, NAT_HAIRPIN_MAP_OTHER)) {
		ask(probe, NAT_HAIRPIN, 2, &findings->tests[NAT_HAIRPIN_MAP_OTHER].mapped, 0);
		ask(probe, NAT_HAIRPIN_OTHER, 3, &findings->tests[NAT_HAIRPIN_MAP].mapped, 0);
	}
}

/* Returns true if the NAT maps a socket to different endpoints for A:a and P:p. */
static bool maps_other_apart(const struct nat_findings *findings)
{
	return nat_is_answered(findings, NAT_MAP_BOTH) &&
	       !nat_is_same(&findings->tests[NAT_MAP_BOTH].mapped,
			    &findings->tests[NAT_MAP].mapped);
}

static void open_filters(struct probe *probe)
{
	struct nat_findings *findings = &probe->report->findings;
	struct stun_endpoint port = { findings->server.addr, findings->other.port_be };

	/*
	 * with a different mapping, a request does not open the filter; skip it, to save a second
	 * timeout
	 */
	if (findings->tests[NAT_FILTER_BOTH].outcome != NAT_SILENT || maps_other_apart(findings))
		return;
	ask(probe, NAT_FILTER_OPEN_BOTH, 1, &findings->other, 0);
	if (findings->tests[NAT_FILTER_PORT].outcome == NAT_SILENT)
		ask(probe, NAT_FILTER_OPEN_PORT, 1, &port, 0);
}

static void test_again(struct probe *probe)
{
	struct nat_findings *findings = &probe->report->findings;

	if (nat_is_answered(findings, NAT_FILTER_OPEN_BOTH))
		ask(probe, NAT_FILTER_AGAIN_BOTH, 1, &findings->server,
		    SLUICE_STUN_CHANGE_IP | SLUICE_STUN_CHANGE_PORT);
	if (nat_is_answered(findings, NAT_FILTER_OPEN_PORT))
		ask(probe, NAT_FILTER_AGAIN_PORT, 1, &findings->server, SLUICE_STUN_CHANGE_PORT);
}

/*
 * Starts the next round that has queries. Stops the loop after the last round, and after the
 * measurement of the lifetime.
 */
static void advance(struct probe *probe)
{
	static void (*const rounds[ROUNDS])(struct probe *) = { map, test, open_filters,
								test_again };

	while (!probe->pending && probe->round < ROUNDS)
		rounds[probe->round++](probe);
	if (!probe->pending && !probe->measuring)
		loop_stop(probe->loop);
}

/* --- the result */

static int no_response(const struct nat_findings *findings, struct err *err)
{
	const struct nat_query *query = &findings->tests[NAT_MAP];
	char server[ADDR_TEXT_MAX], from[ADDR_TEXT_MAX];

	addr_format_port(&findings->server.addr, findings->server.port_be, server);
	if (query->outcome == NAT_ANSWERED)
		return err_hint(
			err,
			err_set(err, EXIT_ERROR, EPROTO, "%s: the response came from %s", server,
				addr_format_port(&query->from.addr, query->from.port_be, from)),
			"a server with several addresses must respond from the destination"
			" address of the request; sluice-reply(8) fixes its replies");
	if (query->outcome == NAT_REFUSED && query->code)
		return err_set(err, EXIT_ERROR, EPROTO, "%s: the server responds with error %u",
			       server, query->code);
	if (query->outcome == NAT_REFUSED)
		return err_set(err, EXIT_ERROR, EPROTO, "%s: the response is malformed", server);
	return err_hint(err,
			/*
			 * ETIMEDOUT for all errors: EPERM comes from a firewall rule, not from a
			 * missing capability
			 */
			err_set(err, EXIT_ERROR, ETIMEDOUT, "%s: %s", server,
				query->error ? strerror(query->error) : "no response"),
			"give the address and UDP port of a STUN server; a firewall may drop the"
			" requests or the responses");
}

static int open_sockets(struct probe *probe, struct err *err)
{
	struct nat_findings *findings = &probe->report->findings;
	int i;

	for (i = 0; i < NAT_SOCKETS; i++) {
		probe->fds[i] = nat_client_socket(probe->client, err);
		if (probe->fds[i] < 0)
			return probe->fds[i];
		findings->local_port_be[i] = nat_local_port(probe->fds[i]);
	}
	return 0;
}

/*
 * Finds a source address for all sockets: the route to the second address of the server might
 * select a different address.
 */
static int find_local(const struct nat_probe_options *options, struct in6_addr *local,
		      struct err *err)
{
	char server[ADDR_TEXT_MAX];
	int result;

	if (!IN6_IS_ADDR_UNSPECIFIED(&options->source)) {
		*local = options->source;
		return 0;
	}
	result = nat_local_addr(&options->server.addr, local);
	return result ? err_set(err, EXIT_ERROR, -result, "%s: %s",
				addr_format_port(&options->server.addr, options->server.port_be,
						 server),
				strerror(-result))
		      : 0;
}

static int run(struct probe *probe, struct err *err)
{
	struct nat_findings *findings = &probe->report->findings;
	int result = open_sockets(probe, err);

	if (result)
		return result;
	advance(probe);
	result = loop_run(probe->loop);
	if (result)
		return err_set(err, EXIT_ERROR, -result, "event loop: %s", strerror(-result));
	if (!nat_is_answered(findings, NAT_MAP))
		return no_response(findings, err);
	nat_behaviours(findings, &probe->report->behaviours);
	return 0;
}

int nat_probe(const struct nat_probe_options *options, struct nat_probe_report *report,
	      struct err *err)
{
	struct probe probe = { .options = options, .report = report };
	int result;

	*report = (struct nat_probe_report){ .findings.server = options->server };
	result = find_local(options, &report->findings.local, err);
	if (result)
		return result;
	if (loop_new(&probe.loop))
		return err_set(err, EXIT_ERROR, ENOMEM, "%s", strerror(ENOMEM));
	probe.client = nat_client_new(probe.loop, &report->findings.local);
	if (probe.client)
		result = run(&probe, err);
	else
		result = err_set(err, EXIT_ERROR, ENOMEM, "%s", strerror(ENOMEM));
	nat_lifetime_free(probe.lifetime);
	nat_client_free(probe.client);
	loop_free(probe.loop);
	return result;
}
