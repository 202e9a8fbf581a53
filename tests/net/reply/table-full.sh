#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 10,000 flows pass through a table for 1,000. The oldest flows are evicted and counted; replies to
# the newest flows are right.
#
#   container 172.17.0.3:20000-29999 ── docker0 172.17.0.1 [host: 0.0.0.0:56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"

topology_up
reply_load --table 1000
serve "$HOST" sendto4 "$PORT"

say "10,000 flows, one after another"
want_line "sent 10000 right 10000 wrong 0 refused 0 lost 0 corrupt 0" \
	"$(ask "$CONTAINER" --from 172.17.0.3:20000 --to "$FAR4:$PORT" --flows 10000)"
evicted=$(counter evicted)
# each flow is new: it took a free slot or evicted another flow
want_equal "$(($(counter learned) + evicted))" 10000 "flows learned and evictions"
[ "$evicted" -ge 8000 ] || fail "only $evicted evictions in a table of 1,000"
want_equal "$(counter fixed)" 10000 "fixed"

say "the newest flows: all requests before the first answer"
stop "$SPAWNED"
serve "$HOST" sendto4 "$PORT" --hold
server=$SPAWNED
spawn_in "$CONTAINER" "$TEST_TMP/newest" "$CLIENT" --from 172.17.0.3:30000 --to "$FAR4:$PORT" \
	--flows 60 --burst --timeout-ms 20000
client=$SPAWNED
wait_until 10 grep -q '^held 60$' "$LOG"
kill -USR1 "$server"
wait "$client" || true
want_line "sent 60 right 60 wrong 0 refused 0 lost 0 corrupt 0" "$(cat "$TEST_TMP/newest")"
no_errors "$LOG"

say "the table did not grow: the live flows fit its size"
live=$(json "len(d['flows'])" sluice -j reply flows)
if [ "$live" -lt 500 ] || [ "$live" -gt 1024 ]; then
	fail "live flows: $live"
fi
