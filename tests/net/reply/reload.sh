#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A load with other options, under traffic, loses no reply, and no reply leaves from a wrong
# address. The fix stays active after the loader has exited, and during the next load. A different
# --table starts an empty table. Then replies to earlier requests, and to requests during the
# change, leave from the kernel's source address, and never from another address.
#
#   container: six clients ── docker0 172.17.0.1, fd17::1 [host: [::]:56789] eth0 172.16.13.13, fd16::13
#
# takes long: loads under traffic
. "$(dirname "$0")/../lib/lib.sh"

topology_up
serve "$HOST" dual6 "$PORT"
reply_load

# clients_end [some]: checks that each client had traffic, and that no answers were left alone; with
# `some`, at most half
clients_end()
{
	local output sent right wrong near
	kill -TERM "${clients[@]}"
	wait "${clients[@]}" || true
	for output in "$TEST_TMP"/client.*; do
		read -r _ sent _ right _ wrong _ <"$output"
		[ "$sent" -gt 100 ] || fail "hardly any traffic: $(cat "$output")"
		want_equal "$((right + wrong))" "$sent" "answers under reload: $(cat "$output")"
		# lost, refused and corrupt answers are neither right nor wrong
		[ "$wrong" -le "$((${1:+right}))" ] || fail "most left alone: $(cat "$output")"
		case $output in *:*) near="\[$NEAR6\]" ;; *) near=$NEAR4 ;; esac
		want_equal "$(grep '^answered' "$output" | awk -v near="^$near:" \
			'$2 ~ near { sum += $3 } END { print sum + 0 }')" "$wrong" "the kernel's own"
	done
}

say "other ports"
clients_start
for round in $(seq 3); do
	reply_load --port any
	reply_load --port "1000-2000,$PORT"
	reply_load --port "$PORT"
	reply_load
done
clients_end

say "other table sizes: only answers in flight are left alone"
clients_start
for round in $(seq 2); do
	reply_load --table 5000 | tee -a "$TEST_TMP/sizes"
	reply_load | tee -a "$TEST_TMP/sizes"
done
clients_end some
want_equal "$(grep -c 'table: 16384 flows before, 5000 now: it starts empty' "$TEST_TMP/sizes")" 2
want_equal "$(grep -c 'table: 5000 flows before, 16384 now: it starts empty' "$TEST_TMP/sizes")" 2
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$FAR6" "$PORT"

no_errors "$LOG"
want_equal "$(bpftool cgroup show "$TEST_CGROUP" | grep -c sluice_fix4)" 1 "programs on sendmsg4"
