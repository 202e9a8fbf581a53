// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * The lease of a mapped port, and NAT-PMP against gateways that answer correctly, wrongly or not at
 * all.
 */
#include "meet/mapping/lease.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "meet/mapping/mapping.c"
#include "meet/mapping/natpmp.h"
#include "meet/mapping/upnp.h"

#define SECOND_NS 1000000000ULL
#define BOTH	  (1U << LEASE_NAT_PMP | 1U << LEASE_UPNP)

/* --- the lease */

static struct lease_grant grant_of(const char *address, unsigned int port, uint32_t lifetime_s)
{
	struct lease_grant grant = { .port_be = htons((uint16_t)port), .lifetime_s = lifetime_s };

	assert_int_equal(inet_pton(AF_INET, address, &grant.external), 1);
	return grant;
}

static bool grant(struct lease *lease, const char *address, unsigned int port, uint32_t lifetime_s,
		  uint64_t now_ns)
{
	struct lease_grant granted = grant_of(address, port, lifetime_s);

	return lease_grant(lease, &granted, now_ns);
}

/* Checks that the next request is due at this time, with this protocol. */
static void want_asked(struct lease *lease, enum lease_method method, uint64_t at_ns)
{
	if (at_ns) {
		assert_false(lease_timeout(lease, at_ns - 1));
		assert_int_equal(lease_due_ns(lease), at_ns);
	}
	assert_true(lease_timeout(lease, at_ns));
	assert_int_equal(lease->method, method);
	/* no further request before an answer */
	assert_false(lease_timeout(lease, at_ns));
}

static void test_renewed(void **state)
{
	struct lease lease = { .allowed = BOTH };

	lease_start(&lease, 0);
	want_asked(&lease, LEASE_NAT_PMP, 0);
	assert_true(grant(&lease, "12.0.0.1", 5000, 100, 0));
	assert_true(lease.granted);
	want_asked(&lease, LEASE_NAT_PMP, 50 * SECOND_NS);
	/* a lifetime longer than requested is ignored */
	assert_true(grant(&lease, "12.0.0.1", 5000, UINT32_MAX, 50 * SECOND_NS));
	want_asked(&lease, LEASE_NAT_PMP, (50 + LEASE_S / 2) * SECOND_NS);
}

static void test_other_protocol(void **state)
{
	struct lease lease = { .allowed = BOTH };

	lease_start(&lease, 0);
	want_asked(&lease, LEASE_NAT_PMP, 0);
	lease_failed(&lease, LEASE_REASON_SILENT, 0);
	want_asked(&lease, LEASE_UPNP, 0);
	assert_true(grant(&lease, "12.0.0.1", 5000, 600, 0));
	assert_int_equal(lease.by, LEASE_UPNP);
	want_asked(&lease, LEASE_UPNP, 300 * SECOND_NS);
}

/* A gateway without any of the protocols is not queried again until something changes. */
static void test_silent(void **state)
{
	struct lease lease = { .allowed = BOTH };

	lease_start(&lease, 0);
	want_asked(&lease, LEASE_NAT_PMP, 0);
	lease_failed(&lease, LEASE_REASON_SILENT, 0);
	want_asked(&lease, LEASE_UPNP, 0);
	lease_failed(&lease, LEASE_REASON_SILENT, 2 * SECOND_NS);
	assert_int_equal(lease_due_ns(&lease), UINT64_MAX);
	assert_int_equal(lease.state, LEASE_RESTING);
	lease_doubt(&lease, 3 * SECOND_NS);
	want_asked(&lease, LEASE_NAT_PMP, 62 * SECOND_NS);
	lease_failed(&lease, LEASE_REASON_SILENT, 62 * SECOND_NS);
	want_asked(&lease, LEASE_UPNP, 62 * SECOND_NS);
	lease_failed(&lease, LEASE_REASON_SILENT, 62 * SECOND_NS);
	lease_doubt(&lease, 62 * SECOND_NS);
	want_asked(&lease, LEASE_NAT_PMP, (62 + 120) * SECOND_NS);
	/* another gateway is queried at once */
	lease_start(&lease, 200 * SECOND_NS);
	want_asked(&lease, LEASE_NAT_PMP, 200 * SECOND_NS);
}

static void test_refused(void **state)
{
	struct lease lease = { .allowed = 1U << LEASE_NAT_PMP };
	uint64_t at_ns = 0, pause_ns;

	lease_start(&lease, 0);
	for (pause_ns = 60; pause_ns < 3600; pause_ns *= 2) {
		want_asked(&lease, LEASE_NAT_PMP, at_ns);
		lease_failed(&lease, LEASE_REASON_REFUSED, at_ns);
		assert_int_equal(lease.reason, LEASE_REASON_REFUSED);
		at_ns += pause_ns * SECOND_NS;
	}
	want_asked(&lease, LEASE_NAT_PMP, at_ns);
	lease_failed(&lease, LEASE_REASON_REFUSED, at_ns);
	assert_int_equal(lease_due_ns(&lease), at_ns + 3600 * SECOND_NS);
	assert_true(lease_timeout(&lease, at_ns + 3600 * SECOND_NS));
	assert_true(grant(&lease, "12.0.0.1", 5000, 600, at_ns));
}

/* Answers of the gateway that cannot describe a mapping. */
static void test_bad_grants(void **state)
{
	static const struct {
		const char *address;
		unsigned int port;
		uint32_t lifetime_s;
		enum lease_reason reason;
	} bad[] = {
		{ "0.0.0.0", 5000, 600, LEASE_REASON_SCOPE },
		{ "127.0.0.1", 5000, 600, LEASE_REASON_SCOPE },
		{ "169.254.169.254", 5000, 600, LEASE_REASON_SCOPE },
		{ "224.0.0.1", 5000, 600, LEASE_REASON_SCOPE },
		{ "255.255.255.255", 5000, 600, LEASE_REASON_SCOPE },
		{ "12.0.0.1", 0, 600, LEASE_REASON_SCOPE },
		{ "12.0.0.1", 1023, 600, LEASE_REASON_SCOPE },
		{ "12.0.0.1", 5000, 0, LEASE_REASON_LIFETIME },
		{ "12.0.0.1", 5000, LEASE_MIN_S - 1, LEASE_REASON_LIFETIME },
	};
	size_t i;

	for (i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		struct lease lease = { .allowed = 1U << LEASE_NAT_PMP };

		lease_start(&lease, 0);
		assert_true(lease_timeout(&lease, 0));
		assert_true(grant(&lease, "12.0.0.1", 4000, 600, 0));
		assert_true(lease_timeout(&lease, 300 * SECOND_NS));
		assert_false(grant(&lease, bad[i].address, bad[i].port, bad[i].lifetime_s,
				   300 * SECOND_NS));
		assert_false(lease.granted);
		assert_int_equal(lease.reason, bad[i].reason);
		assert_true(lease_due_ns(&lease) > 300 * SECOND_NS);
	}
	/* behind another NAT: useful to peers behind the same outer NAT */
	{
		struct lease lease = { .allowed = 1U << LEASE_NAT_PMP };

		lease_start(&lease, 0);
		assert_true(lease_timeout(&lease, 0));
		assert_true(grant(&lease, "100.64.0.10", 5000, LEASE_MIN_S, 0));
	}
}

/* A gateway does not answer the renewal: the mapping stays until its lifetime ends. */
static void test_expired(void **state)
{
	struct lease lease = { .allowed = 1U << LEASE_NAT_PMP };
	unsigned int asked = 0;
	uint64_t at_ns;

	lease_start(&lease, 0);
	want_asked(&lease, LEASE_NAT_PMP, 0);
	assert_true(grant(&lease, "12.0.0.1", 5000, 600, 0));
	while (lease.granted) {
		at_ns = lease_due_ns(&lease);
		assert_true(at_ns <= 600 * SECOND_NS);
		if (!lease_timeout(&lease, at_ns))
			continue;
		asked++;
		lease_failed(&lease, LEASE_REASON_SILENT, at_ns + SECOND_NS);
	}
	assert_in_range(asked, 3, 10);
	assert_int_equal(at_ns, 600 * SECOND_NS);
}

static void test_doubt(void **state)
{
	struct lease lease = { .allowed = BOTH };

	/* no mapping is requested */
	lease_stop(&lease, LEASE_REASON_NONE);
	lease_doubt(&lease, 0);
	assert_int_equal(lease_due_ns(&lease), UINT64_MAX);
	lease_start(&lease, 100 * SECOND_NS);
	want_asked(&lease, LEASE_NAT_PMP, 100 * SECOND_NS);
	lease_doubt(&lease, 100 * SECOND_NS);
	assert_int_equal(lease_due_ns(&lease), UINT64_MAX);
	assert_true(grant(&lease, "12.0.0.1", 5000, 600, 100 * SECOND_NS));
	/* regardless of the number of calls */
	lease_doubt(&lease, 101 * SECOND_NS);
	lease_doubt(&lease, 102 * SECOND_NS);
	want_asked(&lease, LEASE_NAT_PMP, 110 * SECOND_NS);
	assert_true(lease.granted);
	assert_true(grant(&lease, "12.0.0.1", 5000, 600, 110 * SECOND_NS));
	lease_doubt(&lease, 200 * SECOND_NS);
	want_asked(&lease, LEASE_NAT_PMP, 200 * SECOND_NS);
	lease_stop(&lease, LEASE_REASON_NO_GATEWAY);
	assert_int_equal(lease_due_ns(&lease), UINT64_MAX);
	assert_false(lease.granted);
}

/* --- NAT-PMP: a gateway at a loopback address that no other test uses */

#define OWN_PORT 40000

struct fake {
	int fd;
	struct gateway gateway;
	struct sockaddr_in client;
	uint8_t request[16];
	ssize_t length;
};

static void fake_open(struct fake *fake)
{
	struct sockaddr_in at = { .sin_family = AF_INET, .sin_port = htons(NATPMP_PORT) };
	unsigned int pid = (unsigned int)getpid();

	at.sin_addr.s_addr = htonl(0x7f000000 | 1U << 22 | (pid & 0x3fffff));
	fake->gateway = (struct gateway){ .addr = at.sin_addr };
	fake->fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	assert_return_code(bind(fake->fd, (struct sockaddr *)&at, sizeof(at)), errno);
}

static void fake_read(struct fake *fake)
{
	socklen_t size = sizeof(fake->client);

	fake->length = recvfrom(fake->fd, fake->request, sizeof(fake->request), 0,
				(struct sockaddr *)&fake->client, &size);
	assert_return_code(fake->length, errno);
}

static void fake_send(struct fake *fake, const void *data, size_t length)
{
	assert_int_equal(sendto(fake->fd, data, length, 0, (struct sockaddr *)&fake->client,
				sizeof(fake->client)),
			 length);
}

#define SEND(fake, bytes) fake_send(fake, bytes, sizeof(bytes) - 1)

#define ADDRESS "\0\x80\0\0\0\0\0\1\x0c\0\0\1"
#define MAPPED	"\0\x81\0\0\0\0\0\1\x9c\x40\x9c\x41\0\0\2\x58" /* 40000 to 40001, 600 s */

static void begin(struct fake *fake, struct natpmp *natpmp)
{
	assert_int_equal(natpmp_begin(natpmp, &fake->gateway, htons(OWN_PORT), htons(OWN_PORT),
				      NATPMP_TRIES, 0),
			 0);
	fake_read(fake);
	assert_int_equal(fake->length, 2);
	assert_memory_equal(fake->request, "\0\0", 2);
}

static enum natpmp_outcome readable(struct natpmp *natpmp)
{
	struct pollfd wait = { .fd = natpmp_fd(natpmp), .events = POLLIN };

	assert_int_equal(poll(&wait, 1, 10000), 1);
	return natpmp_readable(natpmp, SECOND_NS);
}

static void test_natpmp_granted(void **state)
{
	struct natpmp natpmp = { .running = false };
	struct fake fake;

	fake_open(&fake);
	begin(&fake, &natpmp);
	/* empty, too short, and an answer to a request that was not sent */
	SEND(&fake, "");
	SEND(&fake, "\0\x80\0\0\0\0\0\1\x0d\0\0");
	SEND(&fake, MAPPED);
	SEND(&fake, ADDRESS);
	while (fake.length != 12) {
		assert_int_equal(readable(&natpmp), NATPMP_PENDING);
		if (natpmp.address_known)
			fake_read(&fake);
	}
	assert_memory_equal(fake.request, "\0\1\0\0\x9c\x40\x9c\x40\0\0\2\x58", 12);
	/* too short, for TCP, and for another port */
	SEND(&fake, "\0\x81\0\0\0\0\0\1\x9c\x40\x9c\x43\0\0\2");
	SEND(&fake, "\0\x82\0\0\0\0\0\1\x9c\x40\x9c\x44\0\0\2\x58");
	SEND(&fake, "\0\x81\0\0\0\0\0\1\x9c\x42\x9c\x45\0\0\2\x58");
	SEND(&fake, ADDRESS);
	SEND(&fake, MAPPED);
	while (natpmp.running)
		readable(&natpmp);
	assert_int_equal(natpmp.grant.port_be, htons(40001));
	assert_int_equal(natpmp.grant.external.s_addr, htonl(0x0c000001));
	assert_int_equal(natpmp.grant.lifetime_s, 600);
	assert_int_equal(natpmp_fd(&natpmp), -1);
	close(fake.fd);
}

static void test_natpmp_refused(void **state)
{
	static const struct {
		const char *answer;
		enum lease_reason reason;
	} cases[] = {
		{ "\0\x80\0\2\0\0\0\1\0\0\0\0", LEASE_REASON_REFUSED },
		{ "\0\x80\0\3\0\0\0\1\0\0\0\0", LEASE_REASON_NO_ADDRESS },
		{ "\0\x80\0\4\0\0\0\1\0\0\0\0", LEASE_REASON_FULL },
		{ "\0\x80\0\5\0\0\0\1\0\0\0\0", LEASE_REASON_REFUSED },
		{ "\2\x80\0\1\0\0\0\1\0\0\0\0", LEASE_REASON_REFUSED }, /* supports only PCP */
	};
	struct natpmp natpmp = { .running = false };
	struct fake fake;
	size_t i;

	fake_open(&fake);
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		begin(&fake, &natpmp);
		fake_send(&fake, cases[i].answer, 12);
		assert_int_equal(readable(&natpmp), NATPMP_FAILED);
		assert_int_equal(natpmp.reason, cases[i].reason);
		assert_false(natpmp.running);
	}
	close(fake.fd);
}

/* RFC 6886, section 3.1: nine requests, after pauses from 250 ms to 32 s, and 64 s at the end. */
static void test_natpmp_silent(void **state)
{
	struct natpmp natpmp = { .running = false };
	struct fake fake;
	uint64_t at_ns = 0;
	unsigned int i;

	fake_open(&fake);
	begin(&fake, &natpmp);
	for (i = 0; i < NATPMP_TRIES - 1; i++) {
		assert_int_equal(natpmp_due_ns(&natpmp), at_ns + (250000000ULL << i));
		at_ns = natpmp_due_ns(&natpmp);
		assert_int_equal(natpmp_timeout(&natpmp, at_ns - 1), NATPMP_PENDING);
		assert_int_equal(natpmp_timeout(&natpmp, at_ns), NATPMP_PENDING);
		fake_read(&fake);
	}
	assert_int_equal(natpmp_due_ns(&natpmp), at_ns + 64 * SECOND_NS);
	assert_int_equal(natpmp_timeout(&natpmp, natpmp_due_ns(&natpmp)), NATPMP_FAILED);
	assert_int_equal(natpmp.reason, LEASE_REASON_SILENT);
	assert_int_equal(recv(fake.fd, fake.request, 1, MSG_DONTWAIT), -1);

	/* no program listens there */
	begin(&fake, &natpmp);
	close(fake.fd);
	natpmp_timeout(&natpmp, natpmp_due_ns(&natpmp));
	assert_int_equal(readable(&natpmp), NATPMP_FAILED);
	assert_int_equal(natpmp.reason, LEASE_REASON_SILENT);
}

static void test_natpmp_release(void **state)
{
	struct natpmp natpmp = { .running = false };
	struct fake fake;

	fake_open(&fake);
	natpmp_release(&natpmp, &fake.gateway, htons(OWN_PORT));
	assert_false(natpmp.running);
	fake_read(&fake);
	assert_memory_equal(fake.request, "\0\1\0\0\x9c\x40\0\0\0\0\0\0", 12);
	close(fake.fd);
}

static void test_natpmp_epoch(void **state)
{
	struct natpmp_epoch epoch = { .known = false };

	assert_false(natpmp_epoch_is_new(&epoch, 1000, 0));
	/* a clock that is slow by an eighth, plus two seconds */
	assert_false(natpmp_epoch_is_new(&epoch, 1000 + 70 - 2, 80 * SECOND_NS));
	assert_true(natpmp_epoch_is_new(&epoch, 1068 + 70 - 3, 160 * SECOND_NS));
	assert_false(natpmp_epoch_is_new(&epoch, 2000, 160 * SECOND_NS));
	assert_true(natpmp_epoch_is_new(&epoch, 0, 160 * SECOND_NS));
	assert_false(natpmp_epoch_is_new(&epoch, UINT32_MAX, 160 * SECOND_NS));
}

/* --- UPnP */

static void test_upnp_url(void **state)
{
	static const char *const wrong[] = {
		"",
		"http://",
		"http://10.0.0.1",
		"http://10.0.0.10:80/",
		"http://10.0.0.1.example.net/",
		"http://10.0.0.1@192.0.2.1/",
		"http://user@10.0.0.1/",
		"https://10.0.0.1/",
		"HTTP://10.0.0.1/",
		" http://10.0.0.1/",
		"http://169.254.169.254/",
		"http://[::ffff:10.0.0.1]/",
	};
	struct in_addr gateway = { htonl(0x0a000001) };
	size_t i;

	for (i = 0; i < sizeof(wrong) / sizeof(*wrong); i++)
		assert_false(upnp_url_is_of(wrong[i], gateway));
	assert_true(upnp_url_is_of("http://10.0.0.1/", gateway));
	assert_true(upnp_url_is_of("http://10.0.0.1:5000/rootDesc.xml", gateway));
}

/* --- the candidate: the test supplies the reports of a process */

static unsigned int changes;

static void on_changed(void *arg)
{
	changes++;
}

static void report_of(struct mapping *mapping, int fd, const void *data, size_t length)
{
	unsigned int before = changes;

	assert_int_equal(send(fd, data, length, 0), length);
	on_report(mapping);
	assert_int_equal(changes, before + 1);
}

static void test_candidate(void **state)
{
	struct helper_report report = { .granted = 1, .by = LEASE_UPNP };
	struct mapping mapping = { .changed = on_changed };
	struct stun_endpoint seen = { .port_be = htons(1) };
	struct candidate candidate;
	int fds[2];

	assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds), errno);
	mapping.fd = fds[0];
	assert_false(mapping_candidate(NULL, &candidate));
	assert_false(mapping_candidate(&mapping, &candidate));
	report.grant = grant_of("12.0.0.1", 5000, 600);
	report_of(&mapping, fds[1], &report, sizeof(report));
	assert_true(mapping_candidate(&mapping, &candidate));
	assert_int_equal(candidate.kind, CANDIDATE_MAPPED);
	assert_int_equal(candidate.at.port_be, htons(5000));
	assert_int_equal(candidate.at.addr.s6_addr32[3], htonl(0x0c000001));

	/* a server reports another address, over IPv6 or IPv4 */
	assert_true(addr_parse("2001:db8::1", &seen.addr));
	mapping_seen(&mapping, 0, &seen);
	assert_true(mapping_candidate(&mapping, &candidate));
	assert_true(addr_parse("12.0.0.2", &seen.addr));
	mapping_seen(&mapping, 0, &seen);
	assert_false(mapping_candidate(&mapping, &candidate));
	assert_true(mapping.unused.text[0]);
	/* behind the same NAT, this mapping is useful */
	report.grant = grant_of("100.64.0.1", 5000, 600);
	report_of(&mapping, fds[1], &report, sizeof(report));
	assert_true(mapping_candidate(&mapping, &candidate));
	assert_false(mapping.unused.text[0]);
	report.grant = grant_of("12.0.0.1", 5000, 600);
	report_of(&mapping, fds[1], &report, sizeof(report));
	assert_false(mapping_candidate(&mapping, &candidate));
	assert_true(addr_parse("12.0.0.1", &seen.addr));
	mapping_seen(&mapping, 1, &seen);
	assert_true(mapping_candidate(&mapping, &candidate));

	report = (struct helper_report){ .reason = LEASE_REASON_SILENT };
	report_of(&mapping, fds[1], &report, sizeof(report));
	assert_false(mapping_candidate(&mapping, &candidate));
	close(fds[0]);
	close(fds[1]);
}

/* A process that was replaced or has exited is not used any more. */
static void test_bad_report(void **state)
{
	struct helper_report report = { .granted = 1, .by = LEASE_METHODS };
	struct candidate candidate;
	unsigned int i;
	int fds[2];

	report.grant = grant_of("12.0.0.1", 5000, 600);
	for (i = 0; i < 4; i++) {
		struct mapping mapping = { .changed = on_changed };

		mapping.pid = fork();
		assert_return_code(mapping.pid, errno);
		if (!mapping.pid) {
			prctl(PR_SET_PDEATHSIG, SIGKILL);
			pause();
			_exit(0);
		}
		assert_return_code(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds),
				   errno);
		mapping.fd = fds[0];
		report.by = i ? LEASE_NAT_PMP : LEASE_METHODS;
		report.reason = i == 1 ? LEASE_REASONS : 0;
		if (i == 3) {
			close(fds[1]);
			on_report(&mapping);
		} else {
			report_of(&mapping, fds[1], &report, sizeof(report) - (i == 2));
			close(fds[1]);
		}
		assert_int_equal(mapping.fd, -1);
		assert_false(mapping_candidate(&mapping, &candidate));
		assert_int_equal(kill(mapping.pid, 0), -1);
		mapping_doubt(&mapping);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_renewed),	       cmocka_unit_test(test_other_protocol),
		cmocka_unit_test(test_silent),	       cmocka_unit_test(test_refused),
		cmocka_unit_test(test_bad_grants),     cmocka_unit_test(test_expired),
		cmocka_unit_test(test_doubt),	       cmocka_unit_test(test_natpmp_granted),
		cmocka_unit_test(test_natpmp_refused), cmocka_unit_test(test_natpmp_silent),
		cmocka_unit_test(test_natpmp_release), cmocka_unit_test(test_natpmp_epoch),
		cmocka_unit_test(test_upnp_url),       cmocka_unit_test(test_candidate),
		cmocka_unit_test(test_bad_report),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
