#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The next load, or a cleanup, can handle any state that a killed loader leaves. Two concurrent
# loaders do not disturb each other. ROUNDS sets the number of rounds (6; 30 in
# tests/nightly/crash-reply.sh).
#
#   container ── docker0 172.17.0.1 [host: 0.0.0.0:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

ROUNDS=${ROUNDS:-6}
topology_up
serve "$HOST" sendto4 "$PORT"

# duration of a load in microseconds: the time window for the kill
begin=${EPOCHREALTIME/[.,]/}
reply_load
window=$((${EPOCHREALTIME/[.,]/} - begin))
sluice reply unload

# kill_load: starts a load and kills it at a random moment; bash waits for the loader only
kill_load()
{
	local loader
	"$SLUICE" reply load --mode socket --cgroup "$TEST_CGROUP" >"$TEST_TMP/killed" 2>&1 &
	loader=$!
	sleep "$(awk -v window="$window" -v random="$RANDOM" \
		'BEGIN { printf "%.6f", window * random / 32768 / 1e6 }')"
	kill -KILL "$loader" 2>/dev/null || true
	wait "$loader" 2>/dev/null || true
}

say "killed, then loaded"
for round in $(seq "$ROUNDS"); do
	kill_load
	reply_load || fail "round $round: the load after a killed one failed"
	want_right "$CONTAINER" "$FAR4" "$PORT"
	[ $((round % 2)) = 0 ] || sluice reply unload
done

say "killed while an older load is active: either the old or the new load is active"
for round in $(seq "$ROUNDS"); do
	reply_load
	kill_load
	want_right "$CONTAINER" "$FAR4" "$PORT"
done

say "killed, then cleaned up"
for round in $(seq "$ROUNDS"); do
	kill_load
	sluice cleanup || fail "round $round: cleanup failed"
	want_clean
	want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
done

say "five loaders at once"
pids=()
for round in $(seq 5); do
	"$SLUICE" reply load --mode socket --cgroup "$TEST_CGROUP" >"$TEST_TMP/load.$round" 2>&1 &
	pids+=($!)
done
loaded=0
for pid in "${pids[@]}"; do
	if wait "$pid"; then
		loaded=$((loaded + 1))
	fi
done
[ "$loaded" -gt 0 ] || fail "none of five loaders succeeded:" "$(cat "$TEST_TMP"/load.*)"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_equal "$(bpftool cgroup show "$TEST_CGROUP" | grep -c sluice_fix4)" 1 "programs on sendmsg4"
sluice cleanup
want_clean
no_errors "$LOG"
