#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A drain reports the exact number of lost datagrams, even if the queues alone do not show it: a
# full queue drops datagrams during the drain, a server still reads before it dies, or two drains of
# one server count the same datagrams.
#
#   host: flows ── lo ── a worker, old, and a worker, new
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=50

# flood NUMBER: sends NUMBER datagrams from the same COUNT flows, without requesting answers
flood()
{
	in_ns "$HOST" "$FLOWS" --to "127.0.0.1:$PORT" --flood "$1" --from 127.1.0.1:6000 \
		--sources "$COUNT" >/dev/null
}

# begin OPTION…: starts OLD, which has stopped reading and has COUNT flows, and NEW
begin()
{
	workers "$HOST" --port "$PORT" "$@"
	OLD=$SERVER_PID
	sluice --netns "$HOST" steer load --port "$PORT"
	halt "$OLD"
	flood "$COUNT"
	workers "$HOST" --port "$PORT"
	NEW=$SERVER_PID
	sluice --netns "$HOST" steer load --port "$PORT"
}

is_draining()
{
	json "[s['state'] for g in d['groups'] for s in g['slots'] if s['pid'] == $OLD]" \
		sluice -j steer show | contains draining
}

# drain_begin OPTION…: starts a drain of OLD; sets DRAIN_PID to the drain's process id
drain_begin()
{
	"$SLUICE" -j steer drain "$OLD" "$@" >"$TEST_TMP/drain" 2>"$TEST_TMP/why" &
	DRAIN_PID=$!
}

# want_lost UNREAD DROPPED: waits for the end of the drain, and checks its report
want_lost()
{
	local status=0
	wait "$DRAIN_PID" || status=$?
	want_equal "$status" 1 "exit status: $(cat "$TEST_TMP/drain" "$TEST_TMP/why")"
	want_equal "$(json "d['datagrams_unread'], d['datagrams_dropped'], d['datagrams_lost']" \
		cat "$TEST_TMP/drain")" "($1, $2, $(($1 + $2)))" "unread, dropped, lost"
}

drain_unread()
{
	json "d['groups'][0]['counters']['drain_unread']" sluice -j steer show
}

end()
{
	stop "$NEW"
	sluice steer unload
	wait_until 10 udp_unbound "$HOST" "$PORT"
}

netns_add "$HOST"
say "a full queue drops datagrams during the drain"
begin --rcvbuf 65536
before=$(udp_counter "$HOST" RcvbufErrors)
drain_begin --idle 10 --limit 120
wait_until 20 is_draining || fail "not draining:" "$(cat "$TEST_TMP/why")"
flood 2000
dropped=$(($(udp_counter "$HOST" RcvbufErrors) - before))
want_at_least 1 "$dropped" "datagrams for a full queue"
kill -CONT "$OLD"
want_lost 0 "$dropped"
want_equal "$(drain_unread)" 0 "counter drain_unread"
stop "$OLD"
end

say "the server reads some datagrams and dies between two readings of the drain"
begin --delay 20000
before=$(incarnations "$OLD") received=$(udp_counter "$HOST" InDatagrams)
drain_begin --idle 10 --limit 10
wait_until 20 is_draining || fail "not draining:" "$(cat "$TEST_TMP/why")"
drain_halt
# in short steps, because the drain gives up a stopped process three seconds after the last flow has
# moved
until has_moved "$OLD" "$before"; do
	kill -CONT "$DRAIN_PID"
	sleep 0.5
	drain_halt
done
kill -CONT "$OLD"
received_some()
{
	[ "$(udp_counter "$HOST" InDatagrams)" -ge $((received + 5)) ]
}
wait_until 20 received_some
kill -KILL "$OLD"
wait "$OLD" 2>/dev/null || true
left=$((COUNT - $(udp_counter "$HOST" InDatagrams) + received))
want_at_least 1 "$left" "datagrams left unread"
kill -CONT "$DRAIN_PID"
want_lost "$left" 0
want_equal "$(drain_unread)" "$left" "counter drain_unread"
end

say "two drains: unread datagrams are counted once"
begin
drain_begin --idle 60 --limit 10
wait_until 20 is_draining || fail "not draining:" "$(cat "$TEST_TMP/why")"
drain_halt
want_status 1 sluice steer drain "$OLD" --idle 0 --limit 0
want_equal "$(drain_unread)" 0 "counter drain_unread, while the first drain runs"
kill -CONT "$DRAIN_PID"
want_lost "$COUNT" 0
want_equal "$(drain_unread)" "$COUNT" "counter drain_unread"
kill -KILL "$OLD"
wait "$OLD" 2>/dev/null || true
end
