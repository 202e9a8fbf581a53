# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
# Helpers for the tests of hold. Source it after lib.sh and daemon.sh. The network is described in
# tools/lab/nat.sh: INSIDE behind NAT, ROUTER, PEER.

# shellcheck source=tools/lab/nat.sh
. "$ROOT/tools/lab/nat.sh"

# By default, the daemon runs in the namespace of the sockets.
HOST=$INSIDE
PLAIN=$ROOT/tests/net/lib/plain.py

# plain_start NAME PEER PORT [OPTION…]: starts a program in namespace NAME that sends one datagram
# to PORT of PEER, and prints the datagrams that it receives (see plain.py). Sets PLAIN_PID to its
# process id, and PLAIN_LOG to its output file.
plain_start()
{
	local name=$1
	shift
	PLAINS=$((${PLAINS:-0} + 1))
	PLAIN_LOG=$TEST_TMP/plain.$PLAINS
	spawn_in "$name" "$PLAIN_LOG" python3 "$PLAIN" client "$@"
	# shellcheck disable=SC2034
	PLAIN_PID=$SPAWNED
	wait_until 20 grep -q '^got ' "$PLAIN_LOG" || fail "no answer:" "$(cat "$PLAIN_LOG")"
}

# peer_start PORT [OPTION…]: starts the peer's server, which answers each datagram. Sets PEER_PID to
# its process id, and PEER_LOG to its output file.
peer_start()
{
	PEER_LOG=$TEST_TMP/peer.$1
	spawn_in "$PEER" "$PEER_LOG" python3 "$PLAIN" server "$@"
	# shellcheck disable=SC2034
	PEER_PID=$SPAWNED
	wait_until 20 grep -q '^ready' "$PEER_LOG" || fail "no peer:" "$(cat "$PEER_LOG")"
}

# received TEXT [LOG]: returns true if the program has received TEXT
received()
{
	grep -qxF "got $1" "${2:-$PLAIN_LOG}"
}

# push TEXT: makes the peer send TEXT to each address and port from which it has received a datagram
push()
{
	printf '%s\n' "$1" >"$TEST_TMP/push"
	kill -USR1 "$PEER_PID"
	wait_until 20 grep -qxF "pushed $1" "$PEER_LOG"
}

# hold_flow EXPRESSION: evaluates EXPRESSION with `f` = the flows
hold_flow()
{
	json "(lambda f: $1)(d['flows'])" sluice -j hold flows
}

# hold_sent: prints the number of keepalives sent for all flows
hold_sent()
{
	json "d['hold']['send_counters']['sent']" sluice -j hold show
}

hold_counter()
{
	json "{**d['hold']['counters'], **d['hold']['send_counters']}['$1']" sluice -j hold show
}

# hold_state_is STATE: returns true if the only flow is in STATE
hold_state_is()
{
	[ "$(hold_flow '[x["state"] for x in f]')" = "['$1']" ]
}

sent_at_least()
{
	[ "$(hold_sent)" -ge "$1" ]
}

want_at_least()
{
	[ "$2" -ge "$1" ] || fail "$3: wanted at least $1, got $2"
}

want_at_most()
{
	[ "$2" -le "$1" ] || fail "$3: wanted at most $1, got $2"
}
