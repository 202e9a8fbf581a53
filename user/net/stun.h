/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Parses STUN messages (RFC 8489, RFC 5780; RFC 3489 as far as RFC 8489 allows). The parser has no
 * sockets and no state, and allocates nothing. net/stun_build.h builds messages. <sluice/stun.h>,
 * which the BPF programs share, has the numbers and the ordinary Binding transaction.
 *
 * The parser is in user/net, since both user/hold and user/meet use it.
 *
 * stun_parse() checks the whole structure once. After that, the stun_get_*() read single
 * attributes, and can only fail because one is absent (-ENOENT) or has a malformed value
 * (-EBADMSG). Buffers may be unaligned. Attributes after MESSAGE-INTEGRITY are unprotected and
 * therefore ignored, except MESSAGE-INTEGRITY-SHA256, and FINGERPRINT as the last attribute (RFC
 * 8489, section 14.5). If a type occurs twice, the first attribute is used.
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
	 * RFC 3489: no magic cookie; the transaction id has 16 bytes and starts at the cookie's
	 * offset. Such a transaction has no XOR-MAPPED-ADDRESS and no FINGERPRINT.
	 */
	bool classic;
	bool fingerprint; /* has a correct FINGERPRINT */
	/*
	 * internal: offsets of the end of the readable attributes, and of the integrity attributes
	 * (0: absent)
	 */
	size_t end;
	size_t integrity;
	size_t integrity_sha256;
};

/*
 * Parses a datagram, or one framed message. Returns 0; -EPROTO if the first bits, the length or the
 * FINGERPRINT are not those of a STUN message (the caller drops the datagram); or -EBADMSG for a
 * STUN header with malformed attributes. With -EBADMSG, *message has all that stun_begin_response()
 * needs to answer a request with 400 (RFC 8489, section 6.3.1).
 */
int stun_parse(const void *data, size_t length, struct stun_message *message);

/*
 * Frames a stream (RFC 8489, section 6.2.2). Returns the size of the message that starts at @data,
 * which may exceed the @have bytes received so far; 0 if @have is too small to determine the size;
 * or -EPROTO if no message of RFC 8489 of at most @max bytes starts there.
 */
ssize_t stun_frame(const void *data, size_t have, size_t max);

/* Returns true if the message is a response to the request with this transaction id. */
bool stun_is_response(const struct stun_message *message, const uint8_t id[SLUICE_STUN_ID_SIZE]);

/* Returns the transaction id; of a classic message, the id without its first 4 bytes. */
const uint8_t *stun_id(const struct stun_message *message);

/* Return 0 with *out set, or -ENOENT or -EBADMSG with *out unchanged. */
int stun_get(const struct stun_message *message, uint16_t type, const uint8_t **value,
	     size_t *length);
int stun_get_u16(const struct stun_message *message, uint16_t type, uint16_t *out);
int stun_get_u32(const struct stun_message *message, uint16_t type, uint32_t *out);
int stun_get_u64(const struct stun_message *message, uint16_t type, uint64_t *out);
/* For attributes in the format of MAPPED-ADDRESS. */
int stun_get_address(const struct stun_message *message, uint16_t type, struct stun_endpoint *out);
/* For attributes in the format of XOR-MAPPED-ADDRESS. */
int stun_get_xor_address(const struct stun_message *message, uint16_t type,
			 struct stun_endpoint *out);
/* Gets XOR-MAPPED-ADDRESS or, if it is absent, MAPPED-ADDRESS. */
int stun_get_mapped(const struct stun_message *message, struct stun_endpoint *out);
/* Gets the number of ERROR-CODE, from 300 to 699. */
int stun_get_error(const struct stun_message *message, unsigned int *code);

/*
 * Iterates over all attributes in order, for attributes that may be repeated. *at starts at 0.
 * Returns false after the last attribute.
 */
struct stun_attr {
	uint16_t type;
	size_t length;
	const uint8_t *value;
};
bool stun_next(const struct stun_message *message, size_t *at, struct stun_attr *attr);

/* Decode the value of an attribute from stun_next(). Return 0 or -EBADMSG. */
int stun_value_address(const struct stun_attr *attr, struct stun_endpoint *out);
int stun_value_xor_address(const struct stun_message *message, const struct stun_attr *attr,
			   struct stun_endpoint *out);

#define STUN_UNKNOWN_MAX 16

/*
 * Collects the comprehension-required attributes that are not in @known, each once, for
 * UNKNOWN-ATTRIBUTES in a response with 420. Integrity attributes are always known. Returns their
 * number, from 0 to STUN_UNKNOWN_MAX.
 */
unsigned int stun_unknown(const struct stun_message *message, const uint16_t *known,
			  size_t known_count, uint16_t unknown[STUN_UNKNOWN_MAX]);

/*
 * Check the integrity with a key, in constant time. Return 0, -ENOENT without the attribute,
 * -EBADMSG if its length is invalid, or -EKEYREJECTED.
 */
int stun_check_sha256(const struct stun_message *message, const void *key, size_t key_length);
int stun_check_sha1(const struct stun_message *message, const void *key, size_t key_length);

#endif
