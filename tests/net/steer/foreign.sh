#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A load reports a server with its own reuseport program, classic BPF or eBPF, and leaves it alone:
# the server's program selects as before. The load exits with status 5 if the port has no other
# group. Another group on the port is still steered.
#
#   host: 40 flows ── lo ── four workers, whose program selects the first
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

# want_first TO: checks that worker 0 has all flows
want_first()
{
	flows "$HOST" --to "$1" --flows 40
	flows_end
	want_equal "$(result workers) $(result lost)" "1 0" "answering workers, datagrams lost"
	want_equal "$(awk '$1 == "worker" { print substr($2, index($2, "/")) }' "$FLOWS_LOG")" /0
}

netns_add "$HOST"
for own in classic ebpf; do
	say "$own"
	workers "$HOST" --port "$PORT" --workers 4 --own "$own"
	first=$SERVER_PID
	want_first "127.0.0.1:$PORT"
	want_status 5 sluice --netns "$HOST" steer load --port "$PORT"
	want_text "left alone"
	want_text "udp-worker"
	want_text "$first"
	[ "$own" = classic ] && want_text "its own classic BPF program"
	want_equal "$(steer_groups)" "" "groups"
	want_first "127.0.0.1:$PORT"

	say "$own, beside a group without a program"
	workers "$HOST" --port "$PORT" --bind 127.0.0.2 --workers 4
	want_status 0 sluice --netns "$HOST" steer load --port "$PORT"
	want_text "left alone"
	want_text "1 group steered"
	want_first "127.0.0.1:$PORT"
	flows "$HOST" --to "127.0.0.2:$PORT" --flows 40
	flows_end
	want_at_least 80 $(($(steer_counter known) + $(steer_counter started))) "datagrams steered"
	sluice steer unload
	want_first "127.0.0.1:$PORT"
	stop "$first"
	stop "$SERVER_PID"
	wait_until 10 udp_unbound "$HOST" "$PORT"
done
