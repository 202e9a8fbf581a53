/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Authentication of requests. */
#ifndef SLUICE_MEET_RENDEZVOUS_AUTH_H
#define SLUICE_MEET_RENDEZVOUS_AUTH_H

#include "meet/rendezvous/request.h"

/*
 * What each authenticated request may have besides the attributes of its method. PADDING, of any
 * content, makes a request without a nonce as long as the challenge that answers it.
 */
#define AUTH_ATTRIBUTES SLUICE_STUN_USERNAME, SLUICE_STUN_NONCE, SLUICE_STUN_PADDING

/*
 * Authenticates the request of a peer: sets its peer, key and nonce_age_ms. Returns false after an
 * error response.
 */
bool request_authenticate(struct request *request);
/* Sends an error response with a fresh nonce. */
void request_challenge(const struct request *request, unsigned int code);
/*
 * Returns the peer's registration if the request comes from its address. Otherwise sends an error
 * response and returns NULL.
 */
struct registration *request_registration(const struct request *request);

#endif
