/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The protocol of sd_notify(3): a datagram of KEY=VALUE lines to the service manager's socket,
 * $NOTIFY_SOCKET. libsystemd would be a dependency for a single sendto(2).
 */
#ifndef SLUICE_BASE_SD_NOTIFY_H
#define SLUICE_BASE_SD_NOTIFY_H

#include <stdint.h>

/* Sends a message. Returns 1 if it was sent, 0 without $NOTIFY_SOCKET, or -errno. */
__attribute__((format(printf, 1, 2))) int sd_notify(const char *fmt, ...);
/*
 * Returns the watchdog timeout that $WATCHDOG_USEC sets for this process, or 0 for none. The caller
 * sends WATCHDOG=1 at half that interval.
 */
uint64_t sd_notify_watchdog_us(void);

#endif
