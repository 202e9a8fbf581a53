/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Records on a TCP connection between two peers (RFC 4571, section 2): the length of a packet in 16
 * bits, then the packet.
 */
#ifndef SLUICE_MEET_TCP_RECORD_H
#define SLUICE_MEET_TCP_RECORD_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define RECORD_HEADER 2

/*
 * Frames a stream, as stun_frame() does. Returns the size of the first record, including its
 * header; 0 if more bytes are needed; or -EPROTO if the record is empty or longer than @max.
 */
ssize_t record_frame(const uint8_t *data, size_t have, size_t max);
/* Writes the header of a record. @length: length of the packet, 1 to 65535. */
void record_put_header(uint8_t header[RECORD_HEADER], size_t length);

#endif
