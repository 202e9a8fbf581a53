# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests with a hostile process, which blocks other processes that access its socket.
# Source it after steer.sh and daemon.sh.

HOSTILE=$BUILD/tests/udp-hostile
BLOCKED=6001 BLOCKS="blocks access to its socket on port 6001"

# hostile [OPTION…]: starts the hostile process; sets BLOCKER to its process id
hostile()
{
	: >"$TEST_TMP/hostile"
	spawn_in "$HOST" "$TEST_TMP/hostile" "$HOSTILE" --port "$BLOCKED" --uid 4321 "$@"
	BLOCKER=$SPAWNED
	wait_until 20 grep -qx ready "$TEST_TMP/hostile" || fail "$(cat "$TEST_TMP/hostile")"
}

hold_lock()
{
	kill -USR1 "$BLOCKER"
	wait_until 20 grep -qx locked "$TEST_TMP/hostile"
}

# kill_hostile: kills the hostile process, which unblocks the other processes
kill_hostile()
{
	kill -9 "$BLOCKER"
	wait "$BLOCKER" 2>/dev/null || true
}

# want_live: checks that the daemon adds a new worker, and that commands terminate
want_live()
{
	workers "$HOST" --port "$PORT"
	wait_until 30 joined "$SERVER_PID" || fail "the daemon hangs:" "$(cat "$DAEMON_LOG")"
	stop "$SERVER_PID"
	want_status 0 timeout 30 "$SLUICE" steer show
}

# joined PID: returns true if the socket of PID has a slot
joined()
{
	json "[s['pid'] for g in d['groups'] for s in g['slots']]" sluice -j steer show |
		contains "\b$1\b"
}

# no_children: returns true if the daemon has reaped its children
no_children()
{
	[ -z "$(cat "/proc/$DAEMON/task/$DAEMON/children")" ]
}
