// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/mapping/upnp.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <miniupnpc/miniupnpc.h>
#include <miniupnpc/upnpcommands.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#define SECOND_NS    1000000000ULL
#define DEADLINE_NS  (20 * SECOND_NS)
#define RELEASE_MS   3000
#define SEARCH_MS    1000 /* after the last answer, for each of about five device types */
#define TTL	     2	  /* UPnP Device Architecture 1.1, section 1.3.2 */
#define PORTS	     4	  /* external ports to try */
#define MEMORY_BYTES (64U << 20)
#define CPU_S	     5
#define DESCRIPTION  "sluice"

/* Errors of UPnP IGD, WANIPConnection:1, section 2.4.16 */
#define NO_SUCH_ENTRY  714
#define CONFLICT       718
#define PERMANENT_ONLY 725

struct device {
	struct UPNPUrls urls;
	struct IGDdatas data;
	char own[INET_ADDRSTRLEN];
};

bool upnp_url_is_of(const char *url, struct in_addr gateway)
{
	char text[INET_ADDRSTRLEN];
	size_t length;

	inet_ntop(AF_INET, &gateway, text, sizeof(text));
	length = strlen(text);
	return !strncmp(url, "http://", 7) && !strncmp(url + 7, text, length) &&
	       (url[7 + length] == ':' || url[7 + length] == '/');
}

/* --- in the process of a job */

/* Reads the description of a device. Its control URL must also lead to the gateway. */
static bool open_device(struct device *device, const char *url, const struct upnp_job *job)
{
	char unused[64];

	if (strlen(url) >= UPNP_URL_MAX || !upnp_url_is_of(url, job->gateway.addr) ||
	    !UPNP_GetIGDFromUrl(url, &device->urls, &device->data, unused, sizeof(unused)))
		return false;
	return device->urls.controlURL && device->data.first.servicetype[0] &&
	       upnp_url_is_of(device->urls.controlURL, job->gateway.addr);
}

/* Finds the gateway among the devices that answer. */
static bool find_device(struct device *device, const struct upnp_job *job,
			struct upnp_result *result)
{
	struct UPNPDev *devices, *at;
	bool found = false;
	int error;

	if (job->url[0] && open_device(device, job->url, job)) {
		memcpy(result->url, job->url, sizeof(result->url));
		return true;
	}
	devices = upnpDiscover(SEARCH_MS, device->own, "", UPNP_LOCAL_PORT_ANY, 0, TTL, &error);
	for (at = devices; at && !found; at = at->pNext) {
		found = open_device(device, at->descURL, job);
		if (found)
			snprintf(result->url, sizeof(result->url), "%s", at->descURL);
	}
	freeUPNPDevlist(devices);
	return found;
}

enum entry {
	ENTRY_NONE,
	ENTRY_OWN,
	ENTRY_OTHER,
	ENTRY_UNKNOWN, /* the gateway does not report it */
};

/*
 * Finds the owner of an external port. Sets *lifetime_s for a mapping of this host; 0: permanent.
 */
static enum entry read_entry(const struct device *device, const char *external,
			     const struct upnp_job *job, uint32_t *lifetime_s)
{
	char client[64] = "", port[64] = "", text[128] = "", enabled[64] = "", lease[64] = "";
	int result = UPNP_GetSpecificPortMappingEntry(
		device->urls.controlURL, device->data.first.servicetype, external, "UDP", NULL,
		client, port, text, enabled, lease);

	if (result == NO_SUCH_ENTRY)
		return ENTRY_NONE;
	if (result)
		return ENTRY_UNKNOWN;
	*lifetime_s = (uint32_t)strtoul(lease, NULL, 10);
	return !strcmp(client, device->own) && atoi(port) == ntohs(job->port_be) &&
			       !strcmp(text, DESCRIPTION)
		       ? ENTRY_OWN
		       : ENTRY_OTHER;
}

static void delete_entry(const struct device *device, const char *external)
{
	UPNP_DeletePortMapping(device->urls.controlURL, device->data.first.servicetype, external,
			       "UDP", NULL);
}

/* Maps an external port. Never replaces a mapping that it did not create. */
static enum lease_reason map_port(const struct device *device, in_port_t external_be,
				  const struct upnp_job *job, uint32_t *lifetime_s)
{
	char external[8], own[8], lease[16];
	enum entry entry;
	int result;

	snprintf(external, sizeof(external), "%u", ntohs(external_be));
	snprintf(own, sizeof(own), "%u", ntohs(job->port_be));
	snprintf(lease, sizeof(lease), "%d", LEASE_S);
	if (read_entry(device, external, job, lifetime_s) == ENTRY_OTHER)
		return LEASE_REASON_FULL;
	result = UPNP_AddPortMapping(device->urls.controlURL, device->data.first.servicetype,
				     external, own, device->own, DESCRIPTION, "UDP", NULL, lease);
	if (result == CONFLICT)
		return LEASE_REASON_FULL;
	if (result == PERMANENT_ONLY)
		return LEASE_REASON_LIFETIME;
	if (result)
		return LEASE_REASON_REFUSED;
	*lifetime_s = LEASE_S;
	entry = read_entry(device, external, job, lifetime_s);
	if (entry == ENTRY_NONE || entry == ENTRY_OTHER)
		return LEASE_REASON_MALFORMED;
	/* a permanent mapping would outlive a crash */
	if (entry == ENTRY_OWN && !*lifetime_s) {
		delete_entry(device, external);
		return LEASE_REASON_LIFETIME;
	}
	return LEASE_REASON_NONE;
}

static in_port_t random_port(void)
{
	uint16_t port;

	if (getrandom(&port, sizeof(port), 0) != sizeof(port))
		port = (uint16_t)getpid();
	return htons(port | 0x8000);
}

static void map(const struct device *device, const struct upnp_job *job, struct upnp_result *result)
{
	char external[64] = "";
	struct lease_grant *grant = &result->grant;
	unsigned int tried;

	if (UPNP_GetExternalIPAddress(device->urls.controlURL, device->data.first.servicetype,
				      external) ||
	    inet_pton(AF_INET, external, &grant->external) != 1 || !grant->external.s_addr) {
		result->reason = LEASE_REASON_NO_ADDRESS;
		return;
	}
	grant->port_be = job->external_be;
	result->reason = LEASE_REASON_FULL;
	for (tried = 0; tried < PORTS && result->reason == LEASE_REASON_FULL; tried++) {
		if (tried)
			grant->port_be = random_port();
		result->reason = map_port(device, grant->port_be, job, &grant->lifetime_s);
	}
}

static void release(const struct device *device, const struct upnp_job *job)
{
	char external[8];
	uint32_t lifetime_s;

	snprintf(external, sizeof(external), "%u", ntohs(job->external_be));
	if (read_entry(device, external, job, &lifetime_s) == ENTRY_OWN)
		delete_entry(device, external);
}

static void work(const struct upnp_job *job, struct upnp_result *result)
{
	struct device device = { .own = "" };

	inet_ntop(AF_INET, &job->gateway.own, device.own, sizeof(device.own));
	result->reason = LEASE_REASON_SILENT;
	if (!find_device(&device, job, result))
		return;
	if (job->release)
		release(&device, job);
	else
		map(&device, job, result);
}

static void limit(int resource, rlim_t value)
{
	const struct rlimit limit = { value, value };

	setrlimit(resource, &limit);
}

/* Limits further allocations. Sanitizers have already reserved terabytes. */
static void limit_memory(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (file && fscanf(file, "%*u %*u %*u %*u %*u %llu", &pages) != 1)
		pages = 0;
	if (file)
		fclose(file);
	limit(RLIMIT_DATA, pages * (rlim_t)sysconf(_SC_PAGESIZE) + MEMORY_BYTES);
}

__attribute__((noreturn)) static void job_main(const struct upnp_job *job, int fd)
{
	struct upnp_result result = { .reason = LEASE_REASON_NONE };
	ssize_t written;

	limit_memory();
	limit(RLIMIT_CPU, CPU_S);
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_FSIZE, 0);
	work(job, &result);
	written = write(fd, &result, sizeof(result));
	_exit(written == sizeof(result) ? 0 : 1);
}

/* --- in the process that starts it */

int upnp_begin(struct upnp *upnp, const struct upnp_job *job, uint64_t now_ns)
{
	int fds[2];
	pid_t pid;

	if (pipe2(fds, O_CLOEXEC))
		return -errno;
	pid = fork();
	if (pid < 0) {
		close(fds[0]);
		close(fds[1]);
		return -EAGAIN;
	}
	if (!pid) {
		close(fds[0]);
		job_main(job, fds[1]);
	}
	close(fds[1]);
	*upnp = (struct upnp){ .pid = pid, .fd = fds[0], .deadline_ns = now_ns + DEADLINE_NS };
	return 0;
}

void upnp_end(struct upnp *upnp)
{
	if (!upnp->pid)
		return;
	close(upnp->fd);
	kill(upnp->pid, SIGKILL);
	waitpid(upnp->pid, NULL, 0);
	*upnp = (struct upnp){ .fd = -1 };
}

void upnp_finish(struct upnp *upnp, struct upnp_result *result)
{
	struct pollfd ready = { .fd = upnp->fd, .events = POLLIN };

	/* a result fits in an atomic pipe write (PIPE_BUF) */
	if (poll(&ready, 1, 0) <= 0 || read(upnp->fd, result, sizeof(*result)) != sizeof(*result) ||
	    (unsigned int)result->reason >= LEASE_REASONS)
		*result = (struct upnp_result){ .reason = LEASE_REASON_MALFORMED };
	result->url[UPNP_URL_MAX - 1] = '\0';
	upnp_end(upnp);
}

void upnp_run(const struct upnp_job *job)
{
	struct pollfd ready = { .events = POLLIN };
	struct upnp upnp;

	if (upnp_begin(&upnp, job, clock_now_us() * 1000))
		return;
	ready.fd = upnp.fd;
	poll(&ready, 1, RELEASE_MS);
	upnp_end(&upnp);
}
