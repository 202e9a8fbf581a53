/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses as text. All addresses in sluice have 16 bytes; IPv4 is v4-mapped (::ffff:a.b.c.d). */
#ifndef SLUICE_BASE_ADDR_H
#define SLUICE_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* "[" address "%" scope "]:" port */
#define ADDR_TEXT_MAX (INET6_ADDRSTRLEN + 24)

bool addr_is_ip4(const void *addr);
/* Parses an IPv4 or IPv6 address into 16 bytes. Returns false if the text is not an address. */
bool addr_parse(const char *text, void *addr);
/*
 * Parses an address and a port, as in "172.17.0.3:53" or "[fd00::3]:53". Returns false on failure.
 */
bool addr_parse_port(const char *text, void *addr, in_port_t *port_be);
/* Formats an address, as in "172.17.0.3" or "fd00::3". Returns text. */
const char *addr_format(const void *addr, char text[ADDR_TEXT_MAX]);
/* Formats an address and a port, as in "172.17.0.3:53" or "[fd00::3]:53". Returns text. */
const char *addr_format_port(const void *addr, uint16_t port_be, char text[ADDR_TEXT_MAX]);

#endif
