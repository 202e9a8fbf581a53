/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Tells the service manager how it stands, as sd_notify(3) lays it down: a datagram of KEY=VALUE
 * lines to the socket that $NOTIFY_SOCKET names.  libsystemd does the same, but would be a
 * dependency for one sendto(2).
 */
#ifndef SLUICE_BASE_SD_NOTIFY_H
#define SLUICE_BASE_SD_NOTIFY_H

#include <stdint.h>

/* 1 if it was sent, 0 if nobody wants to know, -errno. */
__attribute__((format(printf, 1, 2))) int sd_notify(const char *fmt, ...);
/* What $WATCHDOG_USEC wants of this process; 0: nothing. Tell WATCHDOG=1 twice as often. */
uint64_t sd_notify_watchdog_us(void);

#endif
