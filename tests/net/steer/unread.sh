#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The datagrams that a drained server leaves unread are lost, and counted exactly, whether the
# server has stopped reading or dies after its flows have moved. sluice does not resend them: behind
# a redirect, the new server would receive wrong client addresses. A server that reads slowly gets
# enough time.
#
#   host: flows ── lo, port 5300 redirected ── two workers, old ▸ two workers, new
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=50 REDIRECTED=5300

# send_unread PORT: sends COUNT datagrams from different sources, without requesting answers
send_unread()
{
	in_ns "$HOST" "$FLOWS" --to "127.0.0.1:$1" --flood "$COUNT" --from 127.1.0.1 \
		--sources "$COUNT" >/dev/null
}

# datagrams_of PID: prints the number of datagrams that the program has sent to the process
datagrams_of()
{
	json "sum(s['datagrams'] for g in d['groups'] for s in g['slots'] if s['pid'] == $1)" \
		sluice -j steer show
}

drain_unread()
{
	json "d['groups'][0]['counters']['drain_unread']" sluice -j steer show
}

# drain_json PID FIELD…: drains PID, which must fail, and prints fields of its report
drain_json()
{
	local pid=$1 status=0
	shift
	"$SLUICE" -j steer drain "$pid" --idle 0 --limit 0 >"$TEST_TMP/drain" 2>"$TEST_TMP/why" ||
		status=$?
	want_equal "$status" 1 "exit status: $(cat "$TEST_TMP/drain" "$TEST_TMP/why")"
	json "[d[name] for name in '$*'.split()]" cat "$TEST_TMP/drain"
}

# start_pair: starts OLD, which has stopped reading, and NEW
start_pair()
{
	workers "$HOST" --port "$PORT" --workers 2
	OLD=$SERVER_PID
	sluice --netns "$HOST" steer load --port "$PORT"
	halt "$OLD"
}

start_new()
{
	workers "$HOST" --port "$PORT" --workers 2
	NEW=$SERVER_PID
}

netns_add "$HOST"
in_ns "$HOST" nft -f - <<NFT
table ip sluice_test {
	chain out {
		type nat hook output priority -100
		udp dport $REDIRECTED redirect to :$PORT
	}
}
NFT

say "stopped: unread datagrams do not go elsewhere"
start_pair
send_unread "$REDIRECTED"
start_new
want_equal "$(drain_json "$OLD" datagrams_lost datagrams_unread datagrams_dropped stalled exited)" \
	"[$COUNT, $COUNT, 0, True, False]" "the drain"
grep -q "process $OLD has left $COUNT datagrams unread" "$TEST_TMP/why" ||
	fail "the error does not name the loss:" "$(cat "$TEST_TMP/why")"
want_equal "$(datagrams_of "$NEW")" 0 "datagrams of the new server"
want_equal "$(drain_unread)" "$COUNT" "counter drain_unread"
want_status 0 sluice steer show
want_text "drain_unread"

say "drained again: datagrams that the server has read do not count as lost"
kill -CONT "$OLD"
want_status 0 sluice steer drain "$OLD" --limit 5
want_equal "$(drain_unread)" "$COUNT" "counter drain_unread"
stop "$OLD"
stop "$NEW"
wait_until 10 udp_unbound "$HOST" "$PORT"

say "killed after its flows have moved"
start_pair
send_unread "$PORT"
start_new
before=$(incarnations "$OLD")
(
	# the drain waits three seconds for a server that does not read
	wait_until 60 has_moved "$OLD" "$before"
	kill -KILL "$OLD"
) &
want_equal "$(drain_json "$OLD" datagrams_unread closed_early)" "[$COUNT, 0]" "the drain"
want_equal "$(drain_unread)" "$COUNT" "counter drain_unread"
stop "$NEW"
wait_until 10 udp_unbound "$HOST" "$PORT"

say "slow: it still reads all datagrams"
workers "$HOST" --port "$PORT" --workers 2 --delay 100000
OLD=$SERVER_PID
sluice --netns "$HOST" steer load --port "$PORT"
send_unread "$PORT"
start_new
want_status 0 sluice -j steer drain "$OLD" --idle 0 --limit 0
want_equal "$(json "d['datagrams_lost'], d['stalled']" echo "$OUTPUT")" "(0, False)" "the drain"
stop "$OLD"
stop "$NEW"
sluice steer unload
