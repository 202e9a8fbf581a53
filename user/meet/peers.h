/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The peers file: one peer a line, `NAME PUBLIC-KEY [allow=NAME,…]`. It holds no secrets. A name
 * belongs to its key; `allow` lists the peers that may connect to this one, all of the file if it
 * is absent, none if it is empty. Empty lines, and lines that begin with '#', are skipped.
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
	char *allow;	   /* names between commas; NULL: all */
	unsigned int line;
	bool has_key;		  /* the key below is derived, at the first use */
	uint64_t connects_due_ns; /* when its budget of connects is full again */
	uint64_t relay_due_ns;	  /* and that of bytes through the relay */
	struct relay_leg *relay_legs;
	unsigned int relays; /* the length of that list */
	uint8_t public_key[KEY_SIZE];
	uint8_t key[KEY_SIZE]; /* of the messages between the server and this peer */
	char name[];
};

struct peers {
	struct peer *by_name;
	size_t count;
};

/*
 * Reads a file. Returns 0, or -errno with *err set, whose details are the mistakes with their
 * lines; *peers stays untouched then.
 */
int peers_load(const char *path, struct peers *peers, struct err *err);
/* Reads an open file; @path is for messages. */
int peers_parse(FILE *file, const char *path, struct peers *peers, struct err *err);
void peers_free(struct peers *peers);

/*
 * Is this a name: up to PEER_NAME_MAX letters, digits, '.', '_' and '-', the first one a letter or
 * digit? It need not end with NUL.
 */
bool peers_name_is_valid(const char *name, size_t length);

/* Finds a name, which need not end with NUL; NULL: there is none. */
struct peer *peers_find(const struct peers *peers, const char *name, size_t length);
/* May the peer @from connect to @to? */
bool peers_allow(const struct peer *to, const struct peer *from);
/*
 * Returns the key of the messages between @peer and the owner of @secret, or NULL if the peer's
 * public key has none.
 */
const uint8_t *peers_key(struct peer *peer, const uint8_t secret[KEY_SIZE]);

#endif
