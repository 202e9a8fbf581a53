// SPDX-License-Identifier: GPL-2.0-or-later
#include "base/addr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool addr_is_ip4(const void *addr)
{
	return IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)addr);
}

bool addr_parse(const char *text, void *addr)
{
	struct in6_addr parsed = { .s6_addr = { [10] = 0xff, 0xff } };

	if (inet_pton(AF_INET, text, &parsed.s6_addr[12]) != 1 &&
	    inet_pton(AF_INET6, text, &parsed) != 1)
		return false;
	memcpy(addr, &parsed, sizeof(parsed));
	return true;
}

bool addr_parse_port(const char *text, void *addr, in_port_t *port_be)
{
	const char *colon = strrchr(text, ':');
	size_t length = colon ? (size_t)(colon - text) : 0;
	bool bracketed = length > 2 && text[0] == '[' && colon[-1] == ']';
	char host[INET6_ADDRSTRLEN], *end;
	unsigned long port;

	if (!length || length - 2 * bracketed >= sizeof(host) || !isdigit((unsigned char)colon[1]))
		return false;
	snprintf(host, sizeof(host), "%.*s", (int)length - 2 * bracketed, text + bracketed);
	/* without brackets, the port could be the last group of an IPv6 address */
	if (bracketed != (strchr(host, ':') != NULL))
		return false;
	port = strtoul(colon + 1, &end, 10);
	if (*end || !port || port > UINT16_MAX || !addr_parse(host, addr))
		return false;
	*port_be = htons((uint16_t)port);
	return true;
}

const char *addr_format(const void *addr, char text[ADDR_TEXT_MAX])
{
	if (addr_is_ip4(addr))
		inet_ntop(AF_INET, (const char *)addr + 12, text, ADDR_TEXT_MAX);
	else
		inet_ntop(AF_INET6, addr, text, ADDR_TEXT_MAX);
	return text;
}

const char *addr_format_port(const void *addr, uint16_t port_be, char text[ADDR_TEXT_MAX])
{
	char plain[ADDR_TEXT_MAX];

	addr_format(addr, plain);
	snprintf(text, ADDR_TEXT_MAX, addr_is_ip4(addr) ? "%.46s:%u" : "[%.46s]:%u", plain,
		 ntohs(port_be));
	return text;
}
