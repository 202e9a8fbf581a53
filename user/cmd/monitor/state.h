/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * What 'sluice monitor' watches: the loaded objects, the groups and workers of steering, the wrong
 * replies that the programs have counted, and the daemon's sections. A state owns its lists.
 */
#ifndef SLUICE_CMD_MONITOR_STATE_H
#define SLUICE_CMD_MONITOR_STATE_H

#include <limits.h>
#include <linux/types.h>
#include <net/if.h>
#include <sluice/steer.h>
#include <stdbool.h>
#include <stddef.h>

enum monitor_object {
	MONITOR_DAEMON,
	MONITOR_REPLY,
	MONITOR_WIRE,
	MONITOR_HOLD,
	MONITOR_STEER,
	MONITOR_RENDEZVOUS,
	MONITOR_OBJECTS,
	MONITOR_SELF = MONITOR_OBJECTS, /* events about the command itself */
};

extern const char *const monitor_object_names[MONITOR_OBJECTS + 1]; /* NULL ends the list */

#define MONITOR_REASON_MAX 768

enum monitor_load_state {
	MONITOR_IS_ABSENT,
	MONITOR_IS_LOADED,
	MONITOR_IS_CHANGING, /* a load or an unload is under way, or was killed */
};

/* A loaded object. */
struct monitor_load {
	enum monitor_load_state state;
	__u64 loaded_ns; /* CLOCK_BOOTTIME; differs after each load */
	bool by_daemon;
	bool detached;	 /* a program is not attached to the cgroup, or an unload has begun */
	__u64 cgroup_id; /* of its programs, or 0 */
	char mode[16];	 /* of reply; of steer: the policy */
	char ports[256];
	__u64 made; /* how often its directory was made, as far as that was notified */
	char reason[MONITOR_REASON_MAX]; /* why the object cannot be read; "": it can */
	/* monitor_diff() keeps these */
	__u64 changing_ns; /* since when the state is MONITOR_IS_CHANGING; 0: it is not */
	bool incomplete;   /* that is reported */
	bool detached_too; /* two states in a row were detached, which is reported */
	__u64 made_seen;   /* how many of @made the states have shown */
};

/* An interface of mode wire. */
struct monitor_iface {
	__u32 ifindex;
	bool gone; /* a program is no longer attached to it */
	/* kept by monitor_diff(): attached in the state before, but not in this one */
	bool missing;
	char name[IF_NAMESIZE];
};

struct monitor_worker {
	__u64 cookie;
	__u32 pid;
	__u32 generation;
	__u16 slot;
	__u16 state; /* enum sluice_steer_state */
	bool closed; /* the socket is closed, and the slot is not free yet */
	char comm[16];
};

struct monitor_group {
	char name[NAME_MAX]; /* of its pin directory */
	__u64 loaded_ns;
	struct sluice_addr local;
	__u32 netns;
	__u32 ifindex; /* of SO_BINDTODEVICE, or 0 */
	__u16 port;
	__u16 incarnation[SLUICE_STEER_SLOTS];
	struct monitor_worker *workers; /* one for each used slot */
	int count;
	/* kept by monitor_diff(): the generation that takes new flows, or took them last */
	__u32 generation;
};

/* The wrong replies of a socket, either before or after it has connected. */
struct monitor_wrong {
	__u64 count;
	bool covered; /* mode wire fixes them by now */
	/* the last one */
	struct sluice_addr peer, asked, used;
	__be16 peer_port_be;
};

/* A socket whose replies are audited. */
struct monitor_audit {
	__u64 cookie;
	struct monitor_wrong unconnected, connected;
	__u32 pid; /* 0: not known */
	__u32 netns;
	__u16 port;
	char comm[16];
	const char *fixed_by; /* the mode, or NULL */
};

/* A section of the daemon's file. */
struct monitor_section {
	char state[16]; /* "": the file does not have it */
	char reason[MONITOR_REASON_MAX];
	__u64 changes; /* of state or reason, since the start of the daemon */
};

struct monitor_daemon {
	int pid;	  /* 0: no daemon; -1: in another PID namespace */
	char reason[256]; /* why it does not answer; "": it does */
	/* its start is between these times of CLOCK_MONOTONIC; 0: not known */
	__u64 started_from_ns, started_to_ns;
	__u64 silent_ns; /* kept by monitor_diff(): since when it does not answer; 0: it does */
	bool silent;	 /* that is reported */
	struct monitor_section section[MONITOR_OBJECTS];
	char refused[MONITOR_REASON_MAX]; /* why the last reload was refused; "": it was not */
};

struct monitor_state {
	__u64 at_ns; /* CLOCK_BOOTTIME */
	/* since the state before */
	bool overflow; /* notifications were lost */
	bool remade;   /* all objects were unloaded at one moment */
	struct monitor_load load[MONITOR_OBJECTS];
	struct monitor_iface *ifaces;
	int iface_count;
	struct monitor_group *groups; /* sorted by name */
	size_t group_count, group_room;
	__u64 wrong;		      /* the counter of wrong replies */
	struct monitor_audit *audits; /* sorted by cookie */
	size_t audit_count, audit_room;
	/* kept by monitor_diff(): how many replies of @audits the counter did not have yet */
	__s64 audits_ahead;
	struct monitor_daemon daemon;
};

/* What to read again, rather than to take over from the state before. */
struct monitor_reading {
	bool groups; /* if not, only which sockets are closed: a group has eleven maps */
	bool daemon; /* each answer takes it milliseconds */
};

/*
 * Reads the state after @before, which is NULL for the first one. Keeps the audits of @before if no
 * wrong reply was counted since. Marks what cannot be read.
 */
void monitor_state_read(const char *bpffs, const struct monitor_state *before,
			const struct monitor_reading *reading, struct monitor_state *state);
void monitor_state_free(struct monitor_state *state);
/* Returns the audit of a socket, or NULL. */
struct monitor_audit *monitor_audit_find(const struct monitor_state *state, __u64 cookie);

#endif
