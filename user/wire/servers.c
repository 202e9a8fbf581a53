// SPDX-License-Identifier: GPL-2.0-or-later
#include "wire/servers.h"

#include "base/addr.h"

#include <arpa/inet.h>
#include <errno.h>
#include <ifaddrs.h>
#include <string.h>

/*
 * Converts the address of an interface to a struct sluice_addr. Returns false for other families.
 */
static bool addr_of(const struct sockaddr *from, struct sluice_addr *addr)
{
	*addr = (struct sluice_addr){ .word_be = { 0, 0, htonl(0xffff) } };
	if (from && from->sa_family == AF_INET)
		addr->word_be[3] = ((const struct sockaddr_in *)from)->sin_addr.s_addr;
	else if (from && from->sa_family == AF_INET6)
		memcpy(addr, &((const struct sockaddr_in6 *)from)->sin6_addr, sizeof(*addr));
	else
		return false;
	return true;
}

int wire_servers_check(const struct wire_addrs *servers, struct err *err)
{
	struct ifaddrs *list, *at;
	char text[ADDR_TEXT_MAX];
	struct sluice_addr own;
	int i, result = 0;

	if (!servers->count)
		return 0;
	if (getifaddrs(&list))
		return err_set(err, EXIT_ERROR, errno, "addresses of this host: %s",
			       strerror(errno));
	for (at = list; at && !result; at = at->ifa_next)
		for (i = 0; i < servers->count && !result; i++)
			if (addr_of(at->ifa_addr, &own) &&
			    !memcmp(&own, &servers->addr[i], sizeof(own)))
				result =
					err_set(err, EXIT_USAGE, EADDRINUSE,
						"server %s: this is an address of this host, on %s",
						addr_format(&own, text), at->ifa_name);
	freeifaddrs(list);
	return result ? err_hint(err, result,
				 "give the addresses of the server behind the gateway; a server of"
				 " this host needs --iface or --follow toward its clients")
		      : 0;
}
