#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A worker that has stopped reading, and whose queue is full, gets no new flows. Without sluice, the
# kernel sends it some of the flows, and none of these is answered.
#
#   host: 100 flows ── lo ── four workers; one does not read
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

# overflowed COUNT: floods until the host counts more than COUNT losses, so that the queue of the
# stalled worker is full
overflowed()
{
	in_ns "$HOST" "$FLOWS" --to "127.0.0.1:$PORT" --flood 500 --from 127.1.0.1 --sources 500 \
		>/dev/null
	[ "$(udp_counter "$HOST" RcvbufErrors)" -gt "$1" ]
}

ask_new()
{
	FLOWS_LOG=$TEST_TMP/flows
	in_ns "$HOST" "$FLOWS" --to "127.0.0.1:$PORT" --flows 100 --count 300 --window 100 \
		>"$FLOWS_LOG" || true
}

begin()
{
	workers "$HOST" --port "$PORT" --workers 4 --stall 1 --rcvbuf 65536
	FIRST=$SERVER_PID
	# before steering, which would divert the flood from a nearly full queue
	wait_until 20 overflowed "$(udp_counter "$HOST" RcvbufErrors)"
	"$@"
}

netns_add "$HOST"
for policy in flow load; do
	say "without sluice"
	begin true
	ask_new
	want_at_least 15 "$(result lost)" "datagrams that the stalled worker does not answer"
	stop "$FIRST"
	wait_until 10 udp_unbound "$HOST" "$PORT"

	say "loaded, policy $policy"
	begin sluice --netns "$HOST" steer load --port "$PORT" --policy "$policy"
	ask_new
	want_equal "$(result lost)" 0 "datagrams lost"
	want_equal "$(result workers)" 3 "answering workers"
	want_equal "$(result moved)" 0 "flows moved"
	sluice steer unload
	stop "$FIRST"
	wait_until 10 udp_unbound "$HOST" "$PORT"
done
