#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Under load, workers keep closing sockets and opening new ones, and steering is reloaded
# repeatedly, so a socket may be closed between its lookup and its selection. Every datagram is
# counted as a decision, and none is dropped for lack of a socket. An unanswered datagram was in a
# queue that its worker closed. The kernel logs no error.
#
#   host: 200 flows ── lo ── eight workers, each with a new socket every 50 ms
#
# takes long: sockets are closed and opened under load
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=200
DECISIONS="known started moved_gone moved_drained moved_idle
	kernel_no_worker kernel_header kernel_refused"

decided()
{
	local name sum=0
	for name in $DECISIONS; do
		sum=$((sum + $(steer_counter "$name")))
	done
	echo "$sum"
}

netns_add "$HOST"
since=$(kernel_time)
workers "$HOST" --port "$PORT" --workers 8 --reopen 50

say "without sluice"
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT" --rate 2000
flows_go_on $((10 * COUNT))
flows_end
want_at_least $((COUNT)) "$(result moved)" "flows moved"

say "repeated loads"
sluice --netns "$HOST" steer load --port "$PORT"
no_ports=$(udp_counter "$HOST" NoPorts) full=$(udp_counter "$HOST" RcvbufErrors)
flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT" --rate 2000
for ((round = 0; round < 15; round++)); do
	sluice --netns "$HOST" steer load --port "$PORT" >"$TEST_TMP/load" ||
		fail "load under churn:" "$(cat "$TEST_TMP/load")"
done
flows_go_on $((10 * COUNT))
flows_end
echo "$(head -n 1 <<<"$(grep ^sent "$FLOWS_LOG")"), choices repeated: $(steer_counter stale_slot)"
want_equal "$(decided)" "$(result sent)" "steered datagrams, of those sent"
want_at_least 1 "$(steer_counter stale_slot)" "selections of a closed socket"
want_at_least 1 "$(steer_counter moved_gone)" "flows whose socket was closed"
want_equal "$(udp_counter "$HOST" NoPorts)" "$no_ports" "datagrams without a socket"
want_equal "$(udp_counter "$HOST" RcvbufErrors)" "$full" "datagrams for a full queue"

say "repeated fresh loads: a descriptor number then refers to another socket"
for ((round = 0; round < 10; round++)); do
	sluice steer unload
	want_status 0 sluice --netns "$HOST" steer load --port "$PORT"
	want_text "1 group steered"
done

say "unloaded"
sluice steer unload
want_equal "$(kernel_complaints "$since")" "" "errors in the kernel's log"
