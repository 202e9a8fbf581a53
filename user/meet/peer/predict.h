/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * Predicts the next ports of a NAT that maps each destination to another port ("symmetric") and
 * assigns the ports in order. Several sockets request their mapped addresses from the server, one
 * right after the other. If the ports have a constant distance, the next mapping probably has the
 * next port. A NAT that assigns random ports yields no prediction.
 */
#ifndef SLUICE_MEET_PEER_PREDICT_H
#define SLUICE_MEET_PEER_PREDICT_H

#include "base/loop.h"
#include "net/stun.h"

#include <sluice/rendezvous.h>
#include <stdbool.h>

#define PREDICT_SOCKETS 3
/* Distance between two ports. Some NATs skip a port, so that RTP gets an even one (RFC 4787,
 * REQ-4). */
#define PREDICT_STEP_MAX 4

/*
 * Sets *predicted from the ports, in the order of the requests. Returns false if they have no
 * constant distance.
 */
bool predict_ports(const in_port_t ports_be[PREDICT_SOCKETS],
		   struct sluice_rendezvous_predicted *predicted);

struct prediction;

/*
 * Measures after @delay_us, or before if prediction_begin() is called. The loop calls @fn once if
 * there is a prediction; @fn may free it. Returns NULL on ENOMEM, or without a descriptor.
 */
struct prediction *prediction_new(
	struct loop *loop, const struct stun_endpoint *server, uint64_t delay_us,
	void (*fn)(const struct sluice_rendezvous_predicted *predicted, void *arg), void *arg);
/*
 * Sends the requests now, unless they are sent already. Call it before the NAT may assign another
 * port: a late loop may handle the timer after others. Does nothing for NULL.
 */
void prediction_begin(struct prediction *prediction);
/* Stops the measurement. Does nothing for NULL. */
void prediction_free(struct prediction *prediction);

#endif
