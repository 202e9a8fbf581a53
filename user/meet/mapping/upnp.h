/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UPnP IGD, by miniupnpc, which blocks, and waits for as long as others on the network want it to.
 * So each job is a process that ends at a deadline, and may use little memory.
 */
#ifndef SLUICE_MEET_MAPPING_UPNP_H
#define SLUICE_MEET_MAPPING_UPNP_H

#include "meet/mapping/gateway.h"
#include "meet/mapping/lease.h"

#include <sys/types.h>

#define UPNP_URL_MAX 256

struct upnp_job {
	struct gateway gateway;
	in_port_t port_be;
	in_port_t external_be; /* the external port that is wanted; to release: that there is */
	bool release;
	char url[UPNP_URL_MAX]; /* of the gateway's description, from an earlier job; may be "" */
};

struct upnp_result {
	enum lease_reason reason; /* NONE: there is a grant, or the mapping is released */
	struct lease_grant grant;
	char url[UPNP_URL_MAX];
};

struct upnp {
	pid_t pid; /* 0: no job runs */
	int fd;
	uint64_t deadline_ns;
};

/* Starts a job; no other may run. Returns 0 or -errno. */
int upnp_begin(struct upnp *upnp, const struct upnp_job *job, uint64_t now_ns);
/*
 * The descriptor is readable, or the deadline has passed: the job has ended. The result is that of
 * a process which hostile answers may have taken over.
 */
void upnp_finish(struct upnp *upnp, struct upnp_result *result);
/* Ends the job, if one runs. */
void upnp_end(struct upnp *upnp);
/* Runs a job, and waits for its end. */
void upnp_run(const struct upnp_job *job);

/* Does a URL lead to the gateway? Its host must be the address in digits. */
bool upnp_url_is_of(const char *url, struct in_addr gateway);

#endif
