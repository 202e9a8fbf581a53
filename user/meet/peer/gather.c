// SPDX-License-Identifier: GPL-2.0-or-later
#include "meet/peer/gather.h"

#include "meet/scope.h"

#include <errno.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <string.h>
#include <sys/socket.h>

/* Names of the interfaces of container engines and hypervisors, which lead to no other host. */
static const char *const virtual_prefix[] = { "docker", "br-", "virbr", "cni", "cali", "lxc" };

static bool is_wanted(const struct ifaddrs *found, const char *const *interfaces)
{
	unsigned int i;

	if (!found->ifa_addr || !(found->ifa_flags & IFF_UP) || found->ifa_flags & IFF_LOOPBACK)
		return false;
	for (i = 0; interfaces && interfaces[i]; i++)
		if (!strcmp(interfaces[i], found->ifa_name))
			return true;
	if (interfaces)
		return false;
	for (i = 0; i < sizeof(virtual_prefix) / sizeof(virtual_prefix[0]); i++)
		if (!strncmp(found->ifa_name, virtual_prefix[i], strlen(virtual_prefix[i])))
			return false;
	return true;
}

static bool read_address(const struct ifaddrs *found, bool ip6, struct in6_addr *addr)
{
	const struct sockaddr *sa = found->ifa_addr;

	memset(addr, 0, sizeof(*addr));
	if (sa->sa_family == AF_INET6 && ip6) {
		*addr = ((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr;
	} else if (sa->sa_family == AF_INET) {
		addr->s6_addr16[5] = 0xffff;
		addr->s6_addr32[3] =
			((const struct sockaddr_in *)(const void *)sa)->sin_addr.s_addr;
	} else {
		return false;
	}
	return scope_of(addr) != SCOPE_NONE;
}

int gather_host(struct candidate candidates[CANDIDATES_MAX], const char *const *interfaces,
		in_port_t port_be, bool ip6, struct err *err)
{
	struct ifaddrs *all = NULL, *found;
	int count = 0;

	if (getifaddrs(&all))
		return err_set(err, EXIT_ERROR, errno, "cannot read the addresses of this host: %s",
			       strerror(errno));
	for (found = all; found && count < CANDIDATES_MAX; found = found->ifa_next) {
		struct candidate candidate = { .kind = CANDIDATE_HOST,
					       .transport = CANDIDATE_UDP,
					       .at.port_be = port_be };

		if (is_wanted(found, interfaces) && read_address(found, ip6, &candidate.at.addr))
			candidates[count++] = candidate;
	}
	freeifaddrs(all);
	return count;
}
