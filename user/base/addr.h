/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses as text. Everywhere in sluice an address is 16 bytes, IPv4 as ::ffff:a.b.c.d. */
#ifndef SLUICE_BASE_ADDR_H
#define SLUICE_BASE_ADDR_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>

/* "[" address "%" scope "]:" port */
#define ADDR_TEXT_MAX (INET6_ADDRSTRLEN + 24)

bool addr_is_ip4(const void *addr);
/* "172.17.0.3" or "fd00::3"; returns text. */
const char *addr_format(const void *addr, char text[ADDR_TEXT_MAX]);
/* "172.17.0.3:53" or "[fd00::3]:53", port in network order; returns text. */
const char *addr_format_port(const void *addr, uint16_t port_be, char text[ADDR_TEXT_MAX]);

#endif
