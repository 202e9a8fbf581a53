#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The flow table is full. Further flows are not recorded and evict no recorded flow. No flow moves
# while the workers stay the same. When a worker is added, only unrecorded flows move; without
# sluice, any flow may move.
#
#   host: 1,000 flows, a table for 256 ── lo ── four workers, and a fifth
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"

COUNT=1000 TABLE=256

begin()
{
	workers "$HOST" --port "$PORT" --workers 4
	FIRST=$SERVER_PID
	"$@"
	flows "$HOST" --to "127.0.0.1:$PORT" --flows "$COUNT" --rate 5000 --burst 2
}

add_worker()
{
	workers "$HOST" --port "$PORT"
	"$@"
	flows_go_on $((3 * COUNT))
}

end()
{
	flows_end
	want_equal "$(result lost)" 0 "datagrams lost"
	stop "$FIRST"
	stop "$SERVER_PID"
	wait_until 10 udp_unbound "$HOST" "$PORT"
}

netns_add "$HOST"
say "without sluice"
begin true
add_worker true
kernel=$(result moved)
want_at_least $((COUNT / 5)) "$kernel" "flows moved"
end

say "loaded"
LOAD=(sluice --netns "$HOST" steer load --port "$PORT" --flows "$TABLE")
begin "${LOAD[@]}"
flows_go_on $((3 * COUNT))
want_equal "$(result moved)" 0 "flows moved"
want_at_least $((COUNT - TABLE)) "$(steer_counter unrecorded)" "flows without a slot"
recorded=$(bpftool -j map dump pinned "$(steer_groups)/sluice_table" | python3 -c '
import json, sys
print(sum(word != 0 for entry in json.load(sys.stdin)
          for line in entry["formatted"]["value"]["line"] for word in line["print"]))')
want_at_least $((TABLE * 9 / 10)) "$recorded" "flows on record"
add_worker "${LOAD[@]}"
echo "moved: $(result moved) of $COUNT, $recorded on record"
want_at_least 1 "$(result moved)" "unrecorded flows moved"
want_at_most $((COUNT - recorded)) "$(result moved)" "flows moved"
end
sluice steer unload
