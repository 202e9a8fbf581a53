/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Reads STUN messages (RFC 8489, RFC 5780; RFC 3489 as far as it allows). It knows no
 * sockets, keeps no state and allocates nothing; net/stun_build.h writes them. Numbers and the
 * ordinary Binding transaction are in <sluice/stun.h>, which the BPF programs share.
 *
 * It is here and not in user/meet, since hold and meet are siblings and both need it.
 *
 * stun_parse() checks the whole structure once. After that, the stun_get_*() read single
 * attributes, and can only fail because one is absent (-ENOENT) or has a malformed value
 * (-EBADMSG). Buffers may be unaligned. Attributes after MESSAGE-INTEGRITY, which nothing protects,
 * are not seen, with the exceptions of RFC 8489, section 14.5: MESSAGE-INTEGRITY-SHA256, and
 * FINGERPRINT as the last one. Of two attributes of one type the first counts.
 */
#ifndef SLUICE_NET_STUN_H
#define SLUICE_NET_STUN_H

#include <netinet/in.h>
#include <sluice/stun.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

/* An address and a port; IPv4 as ::ffff:a.b.c.d. */
struct stun_endpoint {
	struct in6_addr addr;
	in_port_t port_be;
	bool tcp; /* of another peer: reached by TCP, and not by UDP */
};

static inline bool stun_endpoint_is_same(const struct stun_endpoint *a,
					 const struct stun_endpoint *b)
{
	return a->port_be == b->port_be && a->tcp == b->tcp &&
	       !memcmp(&a->addr, &b->addr, sizeof(a->addr));
}

struct stun_message {
	const uint8_t *data;
	size_t length;
	uint16_t method;
	enum sluice_stun_class class;
	/*
	 * RFC 3489: no magic cookie, the transaction id has 16 bytes from the cookie's place on.
	 * XOR-MAPPED-ADDRESS and FINGERPRINT do not exist in such a transaction.
	 */
	bool classic;
	bool fingerprint; /* has one, which is correct */
	/* Internal: offsets of the end of what is read, and of the attributes; 0: absent. */
	size_t end;
	size_t integrity;
	size_t integrity_sha256;
};

/*
 * Parses a datagram, or one framed message. Returns 0; -EPROTO if it is no STUN message (drop it
 * without an answer: first bits, length, a wrong FINGERPRINT); or -EBADMSG for a STUN header with
 * malformed attributes, with *message set as far as stun_begin_response() needs it: a request gets
 * 400 (RFC 8489, section 6.3.1).
 */
int stun_parse(const void *data, size_t length, struct stun_message *message);

/*
 * Frames a stream (RFC 8489, section 6.2.2). Returns the size of the message at the start of a
 * stream of which @have bytes are here, which may exceed @have; 0 if that needs more bytes; or
 * -EPROTO if no message of RFC 8489 of at most @max bytes starts there.
 */
ssize_t stun_frame(const void *data, size_t have, size_t max);

/* Is it a response to the request with this transaction id? */
bool stun_is_response(const struct stun_message *message, const uint8_t id[SLUICE_STUN_ID_SIZE]);

/* The transaction id that a response repeats; of a classic message, without its first 4 bytes. */
const uint8_t *stun_id(const struct stun_message *message);

/* Return 0, -ENOENT or -EBADMSG; with 0 alone *out is set. */
int stun_get(const struct stun_message *message, uint16_t type, const uint8_t **value,
	     size_t *length);
int stun_get_u16(const struct stun_message *message, uint16_t type, uint16_t *out);
int stun_get_u32(const struct stun_message *message, uint16_t type, uint32_t *out);
int stun_get_u64(const struct stun_message *message, uint16_t type, uint64_t *out);
/* Of the form of MAPPED-ADDRESS. */
int stun_get_address(const struct stun_message *message, uint16_t type, struct stun_endpoint *out);
/* Of the form of XOR-MAPPED-ADDRESS. */
int stun_get_xor_address(const struct stun_message *message, uint16_t type,
			 struct stun_endpoint *out);
/* XOR-MAPPED-ADDRESS, or MAPPED-ADDRESS if that is absent. */
int stun_get_mapped(const struct stun_message *message, struct stun_endpoint *out);
/* ERROR-CODE, from 300 to 699. */
int stun_get_error(const struct stun_message *message, unsigned int *code);

/*
 * Walks over all attributes in order: *at is 0 at first. Returns false after the last. For
 * attributes that may be repeated.
 */
struct stun_attr {
	uint16_t type;
	size_t length;
	const uint8_t *value;
};
bool stun_next(const struct stun_message *message, size_t *at, struct stun_attr *attr);

/* Decode one value, as for stun_next(). Return 0 or -EBADMSG. */
int stun_value_address(const struct stun_attr *attr, struct stun_endpoint *out);
int stun_value_xor_address(const struct stun_message *message, const struct stun_attr *attr,
			   struct stun_endpoint *out);

#define STUN_UNKNOWN_MAX 16

/*
 * Collects the attributes that the receiver would have to understand and that are not among
 * @known, each once, for UNKNOWN-ATTRIBUTES in a response with 420. Integrity attributes are always
 * known. Returns their number, at most STUN_UNKNOWN_MAX; 0: none.
 */
unsigned int stun_unknown(const struct stun_message *message, const uint16_t *known,
			  size_t known_count, uint16_t unknown[STUN_UNKNOWN_MAX]);

/*
 * Check the integrity by a key, in constant time. Return 0, -ENOENT without the attribute, -EBADMSG
 * for a length that it must not have, or -EKEYREJECTED.
 */
int stun_check_sha256(const struct stun_message *message, const void *key, size_t key_length);
int stun_check_sha1(const struct stun_message *message, const void *key, size_t key_length);

#endif
