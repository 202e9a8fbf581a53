// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/mapping/natpmp.h"

#include "base/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS_NS	  1000000ULL
#define SECOND_NS 1000000000ULL
#define FIRST_NS  (250 * MS_NS)
#define NEVER	  UINT64_MAX

/* RFC 6886, section 3.2 to 3.5 */
#define ANSWER_HEADER  8
#define ANSWER_ADDRESS 12
#define ANSWER_MAPPING 16
#define OPCODE_ADDRESS 128
#define OPCODE_MAPPING 129
#define ANNOUNCE_PORT  5350
#define PCP_VERSION    2
#define PCP_ANNOUNCE   24
#define ANNOUNCE_BURST 16 /* datagrams per wake-up */

void natpmp_end(struct natpmp *natpmp)
{
	if (natpmp->running)
		closenatpmp(&natpmp->library);
	natpmp->running = false;
	natpmp->due_ns = NEVER;
}

static enum natpmp_outcome fail(struct natpmp *natpmp, enum lease_reason reason)
{
	natpmp_end(natpmp);
	natpmp->reason = reason;
	return NATPMP_FAILED;
}

/* Sends or repeats the pending request. Treats an error like a lost datagram. */
static void send_request(struct natpmp *natpmp, uint64_t now_ns)
{
	if (natpmp->address_known)
		sendnewportmappingrequest(&natpmp->library, NATPMP_PROTOCOL_UDP,
					  ntohs(natpmp->port_be), ntohs(natpmp->external_be),
					  LEASE_S);
	else
		sendpublicaddressrequest(&natpmp->library);
	natpmp->due_ns = now_ns + (FIRST_NS << natpmp->tries++);
}

static int open_toward(struct natpmp *natpmp, const struct gateway *gateway)
{
	int result;

	natpmp_end(natpmp);
	errno = EIO;
	result = initnatpmp(&natpmp->library, 1, gateway->addr.s_addr);
	if (result)
		return -errno;
	natpmp->gateway = *gateway;
	natpmp->running = true;
	return 0;
}

int natpmp_begin(struct natpmp *natpmp, const struct gateway *gateway, in_port_t port_be,
		 in_port_t external_be, unsigned int tries_max, uint64_t now_ns)
{
	int result = open_toward(natpmp, gateway);

	if (result)
		return result;
	natpmp->address_known = false;
	natpmp->port_be = port_be;
	natpmp->external_be = external_be;
	natpmp->tries = 0;
	natpmp->tries_max = tries_max;
	send_request(natpmp, now_ns);
	return 0;
}

int natpmp_fd(const struct natpmp *natpmp)
{
	return natpmp->running ? natpmp->library.s : -1;
}

uint64_t natpmp_due_ns(const struct natpmp *natpmp)
{
	return natpmp->running ? natpmp->due_ns : NEVER;
}

/* --- the epoch */

bool natpmp_epoch_is_new(struct natpmp_epoch *known, uint32_t epoch_s, uint64_t now_ns)
{
	/* a gateway's clock may be slow by an eighth (RFC 6886, section 3.6) */
	uint64_t at_least_s = known->epoch_s + (now_ns - known->at_ns) / SECOND_NS * 7 / 8;
	bool is_new = known->known && epoch_s + 2ULL < at_least_s;

	*known = (struct natpmp_epoch){ .known = true, .epoch_s = epoch_s, .at_ns = now_ns };
	return is_new;
}

/* --- answers */

/*
 * Drops datagrams that are too short for their opcode: the library would read beyond their end.
 * Returns the length of the next one, or -errno.
 */
static ssize_t next_length(int fd)
{
	uint8_t header[ANSWER_HEADER];
	ssize_t length, needed;

	for (;;) {
		length = recv(fd, header, sizeof(header), MSG_PEEK | MSG_TRUNC | MSG_DONTWAIT);
		if (length < 0)
			return -errno;
		needed = length < ANSWER_HEADER || header[2] || header[3] ? ANSWER_HEADER
			 : header[1] == OPCODE_ADDRESS			  ? ANSWER_ADDRESS
									  : ANSWER_MAPPING;
		if (length >= needed)
			return length;
		recv(fd, header, sizeof(header), MSG_DONTWAIT);
	}
}

static enum lease_reason reason_of(int error)
{
	switch (error) {
	case NATPMP_ERR_NETWORKFAILURE:
		return LEASE_REASON_NO_ADDRESS;
	case NATPMP_ERR_OUTOFRESOURCES:
		return LEASE_REASON_FULL;
	case NATPMP_ERR_NOGATEWAYSUPPORT:
		return LEASE_REASON_SILENT;
	default:
		return LEASE_REASON_REFUSED;
	}
}

/* Handles an answer. Drops answers to other requests. */
static enum natpmp_outcome take(struct natpmp *natpmp, const natpmpresp_t *answer, uint64_t now_ns)
{
	natpmp_epoch_is_new(&natpmp->epoch, answer->epoch, now_ns);
	if (!natpmp->address_known && answer->type == NATPMP_RESPTYPE_PUBLICADDRESS) {
		natpmp->grant.external = answer->pnu.publicaddress.addr;
		natpmp->address_known = true;
		natpmp->tries = 0;
		send_request(natpmp, now_ns);
	} else if (natpmp->address_known && answer->type == NATPMP_RESPTYPE_UDPPORTMAPPING &&
		   answer->pnu.newportmapping.privateport == ntohs(natpmp->port_be)) {
		natpmp->grant.port_be = htons(answer->pnu.newportmapping.mappedpublicport);
		natpmp->grant.lifetime_s = answer->pnu.newportmapping.lifetime;
		natpmp_end(natpmp);
		return NATPMP_GRANTED;
	} else {
		/* the library accepts an answer only while it waits for one */
		natpmp->library.has_pending_request = 1;
	}
	return NATPMP_PENDING;
}

enum natpmp_outcome natpmp_readable(struct natpmp *natpmp, uint64_t now_ns)
{
	enum natpmp_outcome outcome = NATPMP_PENDING;
	natpmpresp_t answer;
	ssize_t length;
	int result;

	while (natpmp->running && outcome == NATPMP_PENDING) {
		length = next_length(natpmp->library.s);
		if (length == -EAGAIN)
			break;
		/* such as ECONNREFUSED: the gateway does not support NAT-PMP */
		if (length < 0)
			return fail(natpmp, LEASE_REASON_SILENT);
		/* a datagram is present, so the library does not use its own clock */
		result = readnatpmpresponseorretry(&natpmp->library, &answer);
		if (!result)
			outcome = take(natpmp, &answer, now_ns);
		else if (result != NATPMP_TRYAGAIN && result != NATPMP_ERR_WRONGPACKETSOURCE)
			return fail(natpmp, reason_of(result));
	}
	return outcome;
}

enum natpmp_outcome natpmp_timeout(struct natpmp *natpmp, uint64_t now_ns)
{
	if (!natpmp->running || natpmp->due_ns > now_ns)
		return NATPMP_PENDING;
	if (natpmp->tries >= natpmp->tries_max)
		return fail(natpmp, LEASE_REASON_SILENT);
	send_request(natpmp, now_ns);
	return NATPMP_PENDING;
}

/* --- release */

void natpmp_release(struct natpmp *natpmp, const struct gateway *gateway, in_port_t port_be)
{
	unsigned int tries;

	if (open_toward(natpmp, gateway))
		return;
	for (tries = 0; tries < NATPMP_TRIES_FIRST; tries++) {
		struct pollfd wait = { .fd = natpmp->library.s, .events = POLLIN };

		/* RFC 6886, section 3.4: an external port and a lifetime of 0 */
		sendnewportmappingrequest(&natpmp->library, NATPMP_PROTOCOL_UDP, ntohs(port_be), 0,
					  0);
		if (poll(&wait, 1, 250 << tries) > 0)
			break;
	}
	natpmp_end(natpmp);
}

/* --- announcements */

int natpmp_announcements(void)
{
	const struct sockaddr_in any = { .sin_family = AF_INET, .sin_port = htons(ANNOUNCE_PORT) };
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int on = 1;

	/* 224.0.0.1 needs no membership; other programs may share the port */
	if (fd >= 0 && (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) ||
			bind(fd, (const struct sockaddr *)&any, sizeof(any)))) {
		close(fd);
		fd = -1;
	}
	return fd;
}

/* Reads the epoch of an announcement, by NAT-PMP or PCP (RFC 6887, section 14.1). */
static bool read_announcement(const uint8_t *data, ssize_t length, uint32_t *epoch_s)
{
	uint32_t epoch_be;

	if (length < 2 || data[1] != OPCODE_ADDRESS)
		return false;
	if (data[0] == 0 && length == ANSWER_ADDRESS)
		memcpy(&epoch_be, data + 4, sizeof(epoch_be));
	else if (data[0] == PCP_VERSION && length == PCP_ANNOUNCE)
		memcpy(&epoch_be, data + 8, sizeof(epoch_be));
	else
		return false;
	*epoch_s = ntohl(epoch_be);
	return true;
}

bool natpmp_announced(struct natpmp *natpmp, int fd, const struct gateway *gateway,
		      struct in_addr external, uint64_t now_ns)
{
	uint8_t data[PCP_ANNOUNCE + 1];
	struct sockaddr_in from;
	bool lost = false;
	unsigned int i;

	for (i = 0; i < ANNOUNCE_BURST; i++) {
		socklen_t size = sizeof(from);
		ssize_t length = recvfrom(fd, data, sizeof(data), MSG_DONTWAIT,
					  (struct sockaddr *)&from, &size);
		uint32_t epoch_s;

		if (length < 0)
			break;
		if (from.sin_addr.s_addr != gateway->addr.s_addr ||
		    from.sin_port != htons(NATPMP_PORT) ||
		    !read_announcement(data, length, &epoch_s))
			continue;
		if (natpmp_epoch_is_new(&natpmp->epoch, epoch_s, now_ns) || !external.s_addr ||
		    (!data[0] && memcmp(&external, data + 8, sizeof(external)) != 0))
			lost = true;
	}
	return lost;
}
