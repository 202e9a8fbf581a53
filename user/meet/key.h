/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The identity of a peer and of the rendezvous server: an X25519 key pair (RFC 7748). As text, a
 * key is 44 characters of base64, as in WireGuard.
 *
 * Without exchanging a message, two parties derive the key of their messages, each from its private
 * and the other's public key: HKDF-SHA256(X25519(own, other), "sluice rendezvous 1").
 */
#ifndef SLUICE_MEET_KEY_H
#define SLUICE_MEET_KEY_H

#include "base/err.h"

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define KEY_SIZE 32
#define KEY_TEXT 45 /* with the terminating NUL */

/* Creates a private key from getrandom(2). Returns 0 or -errno. */
int key_generate(uint8_t secret[KEY_SIZE]);
void key_public(uint8_t key[KEY_SIZE], const uint8_t secret[KEY_SIZE]);
/* Formats a key. Returns text. */
const char *key_format(const uint8_t key[KEY_SIZE], char text[KEY_TEXT]);
/* Parses 44 characters of base64. Returns 0, or -EINVAL and leaves *key unchanged. */
int key_parse(const char *text, uint8_t key[KEY_SIZE]);
/*
 * Derives the key of the messages between two parties. Returns 0, or -EINVAL for a public key of
 * small order, which would make the result predictable.
 */
int key_derive(uint8_t derived[KEY_SIZE], const uint8_t secret[KEY_SIZE],
	       const uint8_t other[KEY_SIZE]);

/*
 * Returns true if this public key has small order (RFC 7748, section 6.1). key_derive() refuses
 * such a key as well, but costs a scalar multiplication.
 */
bool key_is_weak(const uint8_t public_key[KEY_SIZE]);

/* Reads a private key: one line. @name is for messages. Returns 0, or -errno with *err set. */
int key_read(FILE *file, const char *name, uint8_t secret[KEY_SIZE], struct err *err);
/* Reads the private key in a file, and warns if others can read it. As key_read(). */
int key_load(const char *path, uint8_t secret[KEY_SIZE], struct err *err);

#endif
