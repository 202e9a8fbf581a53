/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The addresses that wire mode leaves alone, since something else turns what comes to them to where
 * it belongs. The programs find them in the map of routes; they stand in a pinned map of their own
 * so that whoever writes the routes anew knows them, be it a command or the daemon.
 */
#ifndef SLUICE_WIRE_EXCEPT_H
#define SLUICE_WIRE_EXCEPT_H

#include "base/err.h"
#include "wire/options.h"

/* Those in force; none where nothing says otherwise. */
void wire_except_read(const char *bpffs, struct wire_addrs *except);
/* Whatever their order. */
bool wire_except_same(const struct wire_addrs *a, const struct wire_addrs *b);
/* Puts the list in the place of the other, at once. 0, or -errno with *err set. */
int wire_except_write(const char *bpffs, const struct wire_addrs *except, struct err *err);

#endif
