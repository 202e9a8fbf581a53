#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The next load, unload or cleanup can handle any state that a loader of mode wire leaves when it is
# killed, with tcx and with clsact. ROUNDS sets the number of rounds (4; 30 in
# tests/nightly/crash-wire.sh).
#
#   container ═ docker0 172.17.0.1 [host: 0.0.0.0:56789] eth0 172.16.13.13
#
# takes long: loads are killed at many moments
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

ROUNDS=${ROUNDS:-4}
topology_up
serve "$HOST" sendto4 "$PORT"

# kill_load OPTION…: starts a load and kills it at a random moment
kill_load()
{
	local loader
	"$SLUICE" --netns "$HOST" reply load --mode wire --follow docker0 "$@" >"$TEST_TMP/killed" 2>&1 &
	loader=$!
	sleep "$(awk -v window="$window" -v random="$RANDOM" \
		'BEGIN { printf "%.6f", window * random / 32768 / 1e6 }')"
	kill -KILL "$loader" 2>/dev/null || true
	wait "$loader" 2>/dev/null || true
}

# nothing_left: checks that no sluice filter and no pin are left
nothing_left()
{
	want_clean
	! in_ns "$HOST" tc filter show dev veth3 ingress 2>/dev/null | grep sluice_ ||
		fail "a filter is left"
	! in_ns "$HOST" tc filter show dev veth3 egress 2>/dev/null | grep sluice_ ||
		fail "a filter is left"
}

for way in tcx clsact; do
	begin=${EPOCHREALTIME/[.,]/}
	wire_load --follow docker0 --attach "$way" >/dev/null
	window=$((${EPOCHREALTIME/[.,]/} - begin))
	wire_unload

	say "$way: killed, then loaded"
	for round in $(seq "$ROUNDS"); do
		kill_load --attach "$way"
		wire_load --follow docker0 --attach "$way" >/dev/null ||
			fail "round $round: the load after a killed one failed"
		want_right "$CONTAINER" "$FAR4" "$PORT"
		[ $((round % 2)) = 0 ] || wire_unload
	done
	say "$way: killed while an older load is active: either the old or the new load is active"
	wire_load --follow docker0 --attach "$way" >/dev/null
	for round in $(seq "$ROUNDS"); do
		kill_load --attach "$way" --table "$((round * 1000))"
		want_right "$CONTAINER" "$FAR4" "$PORT"
	done
	say "$way: killed, then cleaned up"
	for round in $(seq "$ROUNDS"); do
		kill_load --attach "$way"
		sluice --netns "$HOST" cleanup || fail "round $round: cleanup failed"
		nothing_left
		want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
	done
done
no_errors "$LOG"
