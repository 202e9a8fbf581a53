/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * A sweep compares three things: the sockets of the processes, the groups that are pinned, and the
 * program that each kernel group has.  The program's id ties the second to the third, since the
 * kernel's own record of a group moves in memory when it grows.  What it finds and does, it tells.
 */
#ifndef SLUICE_STEER_SWEEP_H
#define SLUICE_STEER_SWEEP_H

#include "base/err.h"
#include "kernel/sockets.h"
#include "steer/group/group.h"
#include "steer/group/groups.h"
#include "steer/group/quota.h"

#include <limits.h>
#include <sluice/steer.h>
#include <stdbool.h>

enum steer_event {
	STEER_GROUP_FOUND,    /* of a dry run: would be attached to */
	STEER_GROUP_ATTACHED, /* the program is on, `count` sockets have joined */
	STEER_GROUP_KEPT,     /* it was on already */
	STEER_GROUP_CHANGED,  /* it was, and has got another policy or timeout */
	STEER_GROUP_FOREIGN,  /* left alone: it has a program of its own */
	STEER_GROUP_GONE,     /* its last socket is closed */
	STEER_GROUP_RELEASED, /* given back to the kernel's choice */
	STEER_GROUP_FAILED,   /* see why */
	STEER_SOCKET_JOINED,
	STEER_SOCKET_LEFT,
	STEER_SOCKET_FAILED,   /* see why */
	STEER_GENERATION,      /* a newer one has taken over */
	STEER_DRAIN_LAPSED,    /* whoever drained the slot's process was killed */
	STEER_GROUPS_LEFT_OUT, /* `count` groups like this: their namespace has its share */
};

struct steer_news {
	enum steer_event event;
	const char *name; /* of the group's folder; NULL: it has none */
	const struct sluice_steer_group *group;
	const struct sluice_steer_slot *slot; /* or NULL */
	int count;			      /* sockets of the group, or groups */
	__u32 prog_id;			      /* STEER_GROUP_FOREIGN; 0: a classic BPF program */
	const char *why;
};

/* Called for each thing that a function below finds or does. */
typedef void (*steer_news_fn)(const struct steer_news *news, void *arg);

struct steer_sweep {
	const char *bpffs;
	char dir[PATH_MAX];
	struct sluice_steer_meta meta;
	struct steer_setting setting;
	struct sockets *sockets;
	struct steer_pinned pinned;
	steer_news_fn fn;
	void *arg;
	int groups;  /* steered, at the end */
	int refused; /* sockets that could not be taken, though they are there */
	struct steer_shares shares;
	bool dry_run;
	bool regroup; /* instances are told by another rule than before */
};

/* Brings groups and slots in step with the sockets that there are.  The caller holds the lock. */
int steer_sweep_run(struct steer_sweep *sweep, struct err *err);
/* Gives all groups back to the kernel's choice: the number of pins removed, or -errno. */
int steer_sweep_release(struct steer_sweep *sweep, struct err *err);

#endif
