/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The peers file: one peer a line, `NAME PUBLIC-KEY [allow=NAME,…]`. It holds no secrets. A name
 * belongs to its key. `allow` lists the peers that may connect to this peer: all if it is absent,
 * none if it is empty. Empty lines, and lines that begin with '#', are skipped.
 */
#ifndef SLUICE_MEET_PEERS_H
#define SLUICE_MEET_PEERS_H

#include "base/err.h"
#include "base/hash.h"
#include "meet/key.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define PEER_NAME_MAX 63

struct relay_leg;

struct peer {
	UT_hash_handle hh; /* by name */
	char *allow;	   /* names separated by commas; NULL: all */
	unsigned int line;
	bool has_key;		  /* the key below was derived, on first use */
	uint64_t connects_due_ns; /* when its budget of connects is full again */
	uint64_t relay_due_ns;	  /* when its budget of relayed bytes is full again */
	struct relay_leg *relay_legs;
	unsigned int relays; /* length of that list */
	uint8_t public_key[KEY_SIZE];
	uint8_t key[KEY_SIZE]; /* of messages between the server and this peer */
	char name[];
};

struct peers {
	struct peer *by_name;
	size_t count;
};

/*
 * Reads a file. Returns 0. Otherwise returns -errno with the mistakes and their line numbers in
 * *err, and leaves *peers unchanged.
 */
int peers_load(const char *path, struct peers *peers, struct err *err);
/* Reads an open file; @path is for messages. */
int peers_parse(FILE *file, const char *path, struct peers *peers, struct err *err);
void peers_free(struct peers *peers);

/*
 * Returns true if @name is up to PEER_NAME_MAX letters, digits, '.', '_' and '-', and starts with a
 * letter or digit. It need not be NUL-terminated.
 */
bool peers_name_is_valid(const char *name, size_t length);

/* Returns the peer of this name, which need not be NUL-terminated, or NULL. */
struct peer *peers_find(const struct peers *peers, const char *name, size_t length);
/* Returns true if the peer @from may connect to @to. */
bool peers_allow(const struct peer *to, const struct peer *from);
/*
 * Returns the key of the messages between @peer and the owner of @secret, or NULL if the peer's
 * public key has small order.
 */
const uint8_t *peers_key(struct peer *peer, const uint8_t secret[KEY_SIZE]);

#endif
