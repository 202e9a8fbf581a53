// SPDX-License-Identifier: GPL-2.0-or-later
/* UPnP jobs against gateways that answer correctly, wrongly or not at all. */
#include "meet/mapping/upnp.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#define OWN_PORT 40000

/* The behaviour of a gateway. */
struct habits {
	const char *control;	 /* URL; NULL: its own */
	const char *moved_to;	 /* URL that the description redirects to; NULL: none */
	unsigned int moved;	 /* status of the redirect */
	const char *address;	 /* external address; NULL: 12.0.0.1 */
	unsigned int add_error;	 /* answer to the first AddPortMapping */
	unsigned int add_errors; /* answer to each AddPortMapping */
	unsigned int lease_s;	 /* lifetime of an entry */
	bool others_port;	 /* OWN_PORT is mapped for another host */
	bool lies;		 /* after adding, the entry belongs to another host */
	bool silent;		 /* requests get no answer */
};

/* The requests that a gateway received. */
struct shared {
	char log[2048];
};

static struct {
	struct habits habits;
	struct shared *shared;
	struct gateway gateway;
	struct in_addr self;
	in_port_t port_be;
	pid_t pid;
	char entry[8]; /* external port of the added entry */
} fake;

/* --- the gateway */

static void answer(int fd, unsigned int status, const char *body)
{
	dprintf(fd, "HTTP/1.1 %u -\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status,
		strlen(body), body);
}

static void describe(int fd)
{
	char body[2048];

	if (fake.habits.moved_to) {
		dprintf(fd, "HTTP/1.1 %u -\r\nLocation: %s\r\nContent-Length: 0\r\n\r\n",
			fake.habits.moved, fake.habits.moved_to);
		return;
	}
	snprintf(body, sizeof(body),
		 "<?xml version=\"1.0\"?><root><device>"
		 "<deviceType>urn:schemas-upnp-org:device:InternetGatewayDevice:1</deviceType>"
		 "<serviceList><service>"
		 "<serviceType>urn:schemas-upnp-org:service:WANIPConnection:1</serviceType>"
		 "<controlURL>%s</controlURL><SCPDURL>/scpd</SCPDURL>"
		 "</service></serviceList></device></root>",
		 fake.habits.control ? fake.habits.control : "/control");
	answer(fd, 200, body);
}

static void soap(int fd, unsigned int error, const char *content)
{
	char body[1024];

	if (error)
		snprintf(body, sizeof(body),
			 "<?xml version=\"1.0\"?><Envelope><Body><Fault><detail><UPnPError>"
			 "<errorCode>%u</errorCode></UPnPError></detail></Fault></Body></Envelope>",
			 error);
	else
		snprintf(body, sizeof(body),
			 "<?xml version=\"1.0\"?><Envelope><Body><R>%s</R></Body></Envelope>",
			 content);
	answer(fd, error ? 500 : 200, body);
}

static void show_entry(int fd, const char *port)
{
	bool own = !strcmp(port, fake.entry);
	bool others = (fake.habits.others_port && atoi(port) == OWN_PORT) ||
		      (own && fake.habits.lies);
	char content[512];

	if (!own && !others) {
		soap(fd, 714, NULL);
		return;
	}
	snprintf(content, sizeof(content),
		 "<NewInternalPort>%u</NewInternalPort><NewInternalClient>%s</NewInternalClient>"
		 "<NewEnabled>1</NewEnabled>"
		 "<NewPortMappingDescription>%s</NewPortMappingDescription>"
		 "<NewLeaseDuration>%u</NewLeaseDuration>",
		 OWN_PORT, others ? "10.0.0.9" : "127.0.0.1", others ? "game" : "sluice",
		 fake.habits.lease_s);
	soap(fd, 0, content);
}

static void act(int fd, const char *action, const char *port)
{
	char content[128];
	unsigned int error;

	if (!strcmp(action, "GetExternalIPAddress")) {
		snprintf(content, sizeof(content),
			 "<NewExternalIPAddress>%s</NewExternalIPAddress>",
			 fake.habits.address ? fake.habits.address : "12.0.0.1");
		soap(fd, 0, content);
	} else if (!strcmp(action, "GetSpecificPortMappingEntry")) {
		show_entry(fd, port);
	} else {
		error = fake.habits.add_error ? fake.habits.add_error : fake.habits.add_errors;
		fake.habits.add_error = 0;
		if (!strcmp(action, "AddPortMapping") && !error)
			snprintf(fake.entry, sizeof(fake.entry), "%s", port);
		soap(fd, strcmp(action, "AddPortMapping") != 0 ? 0 : error, "");
	}
}

/* Reads the headers and the body of a request. */
static void read_request(int fd, char *text, size_t size)
{
	const char *body, *length;
	size_t got = 0;
	ssize_t more;

	text[0] = '\0';
	while (got < size - 1 && (more = read(fd, text + got, size - 1 - got)) > 0) {
		got += (size_t)more;
		text[got] = '\0';
		body = strstr(text, "\r\n\r\n");
		length = strstr(text, "Content-Length: ");
		if (body &&
		    strlen(body + 4) >=
			    (length ? (size_t)atoi(length + strlen("Content-Length: ")) : 0))
			return;
	}
}

static void serve(int fd)
{
	char text[8192], action[64] = "", port[8] = "";
	const char *at;

	read_request(fd, text, sizeof(text));
	if (fake.habits.silent) {
		strcat(fake.shared->log, "? ");
		pause();
	}
	at = strchr(text, '#');
	if (!strncmp(text, "GET ", 4) || !at) {
		describe(fd);
		return;
	}
	sscanf(at + 1, "%63[A-Za-z]", action);
	at = strstr(text, "<NewExternalPort>");
	if (at)
		sscanf(at, "<NewExternalPort>%7[0-9]", port);
	if (strncmp(action, "Get", 3) != 0)
		sprintf(fake.shared->log + strlen(fake.shared->log), "%s %s, ", action, port);
	act(fd, action, port);
}

static void start(struct habits habits)
{
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t size = sizeof(at);
	int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), fd;

	memset(&fake, 0, sizeof(fake));
	fake.habits = habits;
	fake.shared = mmap(NULL, sizeof(*fake.shared), PROT_READ | PROT_WRITE,
			   MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(fake.shared != MAP_FAILED);
	at.sin_addr.s_addr = htonl(0x7f000002);
	fake.gateway = (struct gateway){ .addr = at.sin_addr, .own = { htonl(INADDR_LOOPBACK) } };
	assert_return_code(bind(listener, (struct sockaddr *)&at, sizeof(at)), errno);
	assert_return_code(listen(listener, 16), errno);
	assert_return_code(getsockname(listener, (struct sockaddr *)&at, &size), errno);
	fake.port_be = at.sin_port;
	fake.pid = fork();
	assert_return_code(fake.pid, errno);
	if (!fake.pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	while (!fake.pid && (fd = accept(listener, NULL, NULL)) >= 0) {
		serve(fd);
		close(fd);
	}
	if (!fake.pid)
		_exit(1);
	close(listener);
}

static void stop(void)
{
	kill(fake.pid, SIGKILL);
	waitpid(fake.pid, NULL, 0);
	munmap(fake.shared, sizeof(*fake.shared));
}

/* --- jobs */

static struct upnp_job job_of(unsigned int external)
{
	struct upnp_job job = { .gateway = fake.gateway,
				.port_be = htons(OWN_PORT),
				.external_be = htons((uint16_t)external) };

	snprintf(job.url, sizeof(job.url), "http://127.0.0.2:%u/description", ntohs(fake.port_be));
	return job;
}

static struct upnp_result run(const struct upnp_job *job)
{
	struct pollfd ready = { .events = POLLIN };
	struct upnp_result result;
	struct upnp upnp;

	assert_int_equal(upnp_begin(&upnp, job, 0), 0);
	ready.fd = upnp.fd;
	assert_int_equal(poll(&ready, 1, 60000), 1);
	upnp_finish(&upnp, &result);
	assert_int_equal(upnp.pid, 0);
	return result;
}

static struct upnp_result map(struct habits habits)
{
	struct upnp_result result;
	struct upnp_job job;

	start(habits);
	job = job_of(OWN_PORT);
	result = run(&job);
	return result;
}

static void test_granted(void **state)
{
	struct upnp_result result = map((struct habits){ .lease_s = 590 });

	assert_int_equal(result.reason, LEASE_REASON_NONE);
	assert_int_equal(result.grant.external.s_addr, htonl(0x0c000001));
	assert_int_equal(result.grant.port_be, htons(OWN_PORT));
	assert_int_equal(result.grant.lifetime_s, 590);
	assert_string_equal(fake.shared->log, "AddPortMapping 40000, ");
	stop();
}

/* The mapping of another host stays, whether or not the gateway protects it. */
static void test_others_port(void **state)
{
	struct upnp_result result = map((struct habits){ .lease_s = 600, .others_port = true });

	assert_int_equal(result.reason, LEASE_REASON_NONE);
	assert_int_not_equal(result.grant.port_be, htons(OWN_PORT));
	assert_null(strstr(fake.shared->log, "Mapping 40000,"));
	stop();
	result = map((struct habits){ .lease_s = 600, .add_error = 718 });
	assert_int_equal(result.reason, LEASE_REASON_NONE);
	assert_int_not_equal(result.grant.port_be, htons(OWN_PORT));
	stop();
	result = map((struct habits){ .lease_s = 600, .add_errors = 718 });
	assert_int_equal(result.reason, LEASE_REASON_FULL);
	stop();
}

static void test_refused(void **state)
{
	static const struct {
		struct habits habits;
		enum lease_reason reason;
		const char *log;
	} cases[] = {
		{ { .add_errors = 606 }, LEASE_REASON_REFUSED, "AddPortMapping 40000, " },
		{ { .add_errors = 725 }, LEASE_REASON_LIFETIME, "AddPortMapping 40000, " },
		/* a permanent mapping, whatever was requested */
		{ { .lease_s = 0 },
		  LEASE_REASON_LIFETIME,
		  "AddPortMapping 40000, DeletePortMapping 40000, " },
		{ { .lease_s = 600, .lies = true },
		  LEASE_REASON_MALFORMED,
		  "AddPortMapping 40000, " },
		{ { .address = "" }, LEASE_REASON_NO_ADDRESS, "" },
		{ { .address = "0.0.0.0" }, LEASE_REASON_NO_ADDRESS, "" },
		{ { .address = "12.0.0.1.2" }, LEASE_REASON_NO_ADDRESS, "" },
		{ { .address = "2001:db8::1" }, LEASE_REASON_NO_ADDRESS, "" },
	};
	size_t i;

	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		assert_int_equal(map(cases[i].habits).reason, cases[i].reason);
		assert_string_equal(fake.shared->log, cases[i].log);
		stop();
	}
}

/* A description whose control URL points to another host. */
static void test_foreign_control(void **state)
{
	assert_int_equal(map((struct habits){ .control = "http://127.0.0.3/control" }).reason,
			 LEASE_REASON_SILENT);
	stop();
}

/* A gateway cannot make this host connect to another one. */
static void test_redirect(void **state)
{
	static const unsigned int statuses[] = { 302, 307 };
	struct sockaddr_in at = { .sin_family = AF_INET };
	socklen_t size = sizeof(at);
	int other = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	char url[64];
	size_t i;

	at.sin_addr.s_addr = htonl(0x7f000003);
	assert_return_code(bind(other, (struct sockaddr *)&at, sizeof(at)), errno);
	assert_return_code(listen(other, 16), errno);
	assert_return_code(getsockname(other, (struct sockaddr *)&at, &size), errno);
	snprintf(url, sizeof(url), "http://127.0.0.3:%u/description", ntohs(at.sin_port));
	for (i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
		assert_int_not_equal(
			map((struct habits){ .moved_to = url, .moved = statuses[i] }).reason,
			LEASE_REASON_NONE);
		assert_string_equal(fake.shared->log, "");
		assert_int_equal(accept(other, NULL, NULL), -1);
		assert_int_equal(errno, EAGAIN);
		stop();
	}
	close(other);
}

/* A gateway that never answers blocks only the process of the job. */
static void test_silent(void **state)
{
	struct upnp_result result;
	struct upnp_job job;
	struct upnp upnp;
	unsigned int i;
	pid_t pid;

	start((struct habits){ .silent = true });
	job = job_of(OWN_PORT);
	assert_int_equal(upnp_begin(&upnp, &job, 0), 0);
	pid = upnp.pid;
	for (i = 0; i < 6000 && !fake.shared->log[0]; i++)
		usleep(10000);
	assert_string_equal(fake.shared->log, "? ");
	upnp_finish(&upnp, &result);
	assert_int_equal(result.reason, LEASE_REASON_MALFORMED);
	assert_int_equal(kill(pid, 0), -1);
	stop();
}

static void test_release(void **state)
{
	struct upnp_job job;

	start((struct habits){ .lease_s = 600, .others_port = true });
	job = job_of(50000);
	assert_int_equal(run(&job).reason, LEASE_REASON_NONE);
	job.release = true;
	upnp_run(&job);
	assert_string_equal(fake.shared->log, "AddPortMapping 50000, DeletePortMapping 50000, ");
	/* belongs to another host */
	job.external_be = htons(OWN_PORT);
	upnp_run(&job);
	assert_string_equal(fake.shared->log, "AddPortMapping 50000, DeletePortMapping 50000, ");
	stop();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_granted),	 cmocka_unit_test(test_others_port),
		cmocka_unit_test(test_refused),	 cmocka_unit_test(test_foreign_control),
		cmocka_unit_test(test_redirect), cmocka_unit_test(test_silent),
		cmocka_unit_test(test_release),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
