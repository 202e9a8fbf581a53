/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses that wire mode leaves alone, since DNAT or IPVS handles them. The programs find
 * them in the map of routes; a pinned map of their own keeps them for the next command or daemon
 * that rewrites the routes.
 */
#ifndef SLUICE_WIRE_EXCEPT_H
#define SLUICE_WIRE_EXCEPT_H

#include "base/err.h"
#include "wire/options.h"

/* Reads the loaded list; empty without a pin. */
void wire_except_read(const char *bpffs, struct wire_addrs *except);
/* Compares two lists, regardless of the order of their addresses. */
bool wire_except_same(const struct wire_addrs *a, const struct wire_addrs *b);
/* Replaces the loaded list atomically. Returns 0, or -errno with *err set. */
int wire_except_write(const char *bpffs, const struct wire_addrs *except, struct err *err);

#endif
