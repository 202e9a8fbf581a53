/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * UPnP IGD, by miniupnpc. The library blocks, and other hosts can make it wait. So each job runs in
 * a process with a deadline and a memory limit.
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
	in_port_t external_be; /* the requested external port; for a release, the granted one */
	bool release;
	char url[UPNP_URL_MAX]; /* of the gateway's description, from an earlier job; may be "" */
};

struct upnp_result {
	enum lease_reason reason; /* NONE: granted, or released */
	struct lease_grant grant;
	char url[UPNP_URL_MAX];
};

struct upnp {
	pid_t pid; /* 0: no job runs */
	int fd;
	uint64_t deadline_ns;
};

/* Starts a job. No other job may be running. Returns 0 or -errno. */
int upnp_begin(struct upnp *upnp, const struct upnp_job *job, uint64_t now_ns);
/*
 * Collects the result when the descriptor is readable, or kills the job after its deadline. Do not
 * trust the result: a hostile answer may have taken over the process.
 */
void upnp_finish(struct upnp *upnp, struct upnp_result *result);
/* Ends the job, if one runs. */
void upnp_end(struct upnp *upnp);
/* Runs a job, and waits for its end. */
void upnp_run(const struct upnp_job *job);

/* Returns true if the host of the URL is the gateway's address in numeric form. */
bool upnp_url_is_of(const char *url, struct in_addr gateway);

#endif
