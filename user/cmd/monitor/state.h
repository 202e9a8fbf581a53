/* SPDX-License-Identifier: GPL-2.0-or-later */
/*
 * The state that 'sluice monitor' watches: the loaded objects, the groups and workers of steering,
 * the counted wrong replies, and the daemon's sections. A state owns its lists.
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
	MONITOR_PEER,
	MONITOR_OBJECTS,
	MONITOR_SELF = MONITOR_OBJECTS, /* events of the command itself */
};

extern const char *const monitor_object_names[MONITOR_OBJECTS + 1]; /* NULL ends the list */

#define MONITOR_REASON_MAX 768

enum monitor_load_state {
	MONITOR_IS_ABSENT,
	MONITOR_IS_LOADED,
	MONITOR_IS_CHANGING, /* a load or unload is in progress, or was killed */
};

/* A loaded object. */
struct monitor_load {
	enum monitor_load_state state;
	__u64 loaded_ns; /* CLOCK_BOOTTIME; differs after each load */
	bool by_daemon;
	bool detached;	 /* a program is not attached to the cgroup, or an unload has begun */
	__u64 cgroup_id; /* cgroup of the programs, or 0 */
	char mode[16];	 /* mode of reply; policy of steer */
	char ports[256];
	__u64 made;			 /* number of notified creations of its directory */
	char reason[MONITOR_REASON_MAX]; /* why the object cannot be read; "": readable */
	/* kept by monitor_diff() */
	__u64 changing_ns; /* time since which the state is MONITOR_IS_CHANGING; 0: it is not */
	bool incomplete;   /* MONITOR_INCOMPLETE has been reported */
	bool detached_too; /* two states in a row were detached, and this has been reported */
	__u64 made_seen;   /* number of creations in @made that the states have shown */
};

/* An interface of mode wire. */
struct monitor_iface {
	__u32 ifindex;
	bool gone; /* a program is no longer attached to the interface */
	/* kept by monitor_diff(): attached in the previous state, but not in this one */
	bool missing;
	char name[IF_NAMESIZE];
};

struct monitor_worker {
	__u64 cookie;
	__u32 pid;
	__u32 generation;
	__u16 slot;
	__u16 state; /* enum sluice_steer_state */
	bool closed; /* the socket is closed, and the slot is not yet free */
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
	struct monitor_worker *workers; /* one per used slot */
	int count;
	/* kept by monitor_diff(): the generation that takes, or last took, new flows */
	__u32 generation;
};

/* The wrong replies of a socket, either before or after it connected. */
struct monitor_wrong {
	__u64 count;
	bool covered; /* mode wire fixes them now */
	/* the last wrong reply */
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
	char state[16]; /* "": not in the file */
	char reason[MONITOR_REASON_MAX];
	__u64 changes; /* changes of state or reason since the daemon started */
};

struct monitor_daemon {
	int pid;	  /* 0: no daemon; -1: in another PID namespace */
	char reason[256]; /* why it does not answer; "": it answers */
	/* bounds of its start time, CLOCK_MONOTONIC; 0: unknown */
	__u64 started_from_ns, started_to_ns;
	__u64 silent_ns; /* kept by monitor_diff(): time of the first missing answer; 0: none */
	bool silent;	 /* the silence has been reported */
	struct monitor_section section[MONITOR_OBJECTS];
	char refused[MONITOR_REASON_MAX]; /* why the last reload was refused; "": it was accepted */
};

struct monitor_state {
	__u64 at_ns; /* CLOCK_BOOTTIME */
	/* since the previous state */
	bool overflow; /* notifications were lost */
	bool remade;   /* all objects were unloaded at the same time */
	struct monitor_load load[MONITOR_OBJECTS];
	struct monitor_iface *ifaces;
	int iface_count;
	struct monitor_group *groups; /* sorted by name */
	size_t group_count, group_room;
	__u64 wrong;		      /* counter of wrong replies */
	struct monitor_audit *audits; /* sorted by cookie */
	size_t audit_count, audit_room;
	/* kept by monitor_diff(): replies in @audits that the counter did not yet include */
	__s64 audits_ahead;
	struct monitor_daemon daemon;
};

/* Selects the parts to read again; the rest is copied from the previous state. */
struct monitor_reading {
	bool groups; /* false: only find closed sockets, since a group has eleven maps */
	bool daemon; /* each answer costs the daemon milliseconds */
};

/*
 * Reads the state that follows @before, which is NULL for the first state. Keeps the audits of
 * @before if no wrong reply was counted since. Marks unreadable parts.
 */
void monitor_state_read(const char *bpffs, const struct monitor_state *before,
			const struct monitor_reading *reading, struct monitor_state *state);
void monitor_state_free(struct monitor_state *state);
/* Returns the audit of a socket, or NULL. */
struct monitor_audit *monitor_audit_find(const struct monitor_state *state, __u64 cookie);

#endif
