/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A nonce proves that its sender receives at an address over a transport. The server keeps no state
 * for it. It is the base64 of the time and the first 16 bytes of HMAC-SHA256(key, time ‖ address ‖
 * port ‖ transport). The transport counts, since a NAT may assign the same UDP and TCP port to
 * different clients.
 */
#ifndef SLUICE_MEET_NONCE_H
#define SLUICE_MEET_NONCE_H

#include "net/stun.h"

#define NONCE_SIZE 32 /* characters, without a NUL */

/* Lifetime. An address is reassigned to another host only later. */
#define NONCE_LIFE_MS 60000

void nonce_make(char nonce[NONCE_SIZE], const uint8_t key[32], const struct stun_endpoint *to,
		uint8_t transport, uint64_t now_ms);
/*
 * Checks a nonce of NONCE_SIZE characters. Returns its age in milliseconds, -EKEYREJECTED if it
 * does not match the key, address and transport, or -ESTALE if it has expired.
 */
int nonce_check(const char *nonce, const uint8_t key[32], const struct stun_endpoint *from,
		uint8_t transport, uint64_t now_ms);

#endif
