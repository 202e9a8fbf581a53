#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Loading again with other options, under traffic: not one answer is lost or leaves from the wrong
# address in between. After the loader has exited, and when it is loaded again, the fix is in force.
#
#   container: six clients ── docker0 172.17.0.1, fd17::1 [host: [::]:56789] eth0 172.16.13.13, fd16::13
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" dual6 "$PORT"
reply_load

clients=()
for number in 1 2 3; do
	for addr in "$FAR4" "$FAR6"; do
		spawn_in "$CONTAINER" "$TEST_TMP/client.$number.$addr" \
			"$CLIENT" --any --until-signal --to "$(target "$addr" "$PORT")"
		clients+=("$SPAWNED")
	done
done

for round in $(seq 6); do
	reply_load --port any
	reply_load --port "1000-2000,$PORT"
	reply_load --port "$PORT" --table 5000
	reply_load --table 20000
done

kill -TERM "${clients[@]}"
wait "${clients[@]}" || true
for output in "$TEST_TMP"/client.*; do
	read -r _ sent _ right _ <"$output"
	[ "$sent" -gt 100 ] || fail "hardly any traffic: $(cat "$output")"
	want_equal "$right" "$sent" "answers under reload: $(cat "$output")"
done
no_errors "$LOG"
want_equal "$(bpftool cgroup show "$TEST_CGROUP" | grep -c sluice_fix4)" 1 "programs on sendmsg4"
