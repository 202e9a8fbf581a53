#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A socket has one slot even if it is found more than once: by two concurrent loads, under two
# descriptors, or in two processes. It keeps the slot and its flows while any process holds it.
# After its server has died, 'steer show' names the remaining process. nginx keeps its sockets open
# like this across a reload.
#
#   host: sockets.py and its child with two sockets, and flows
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/steer.sh"
. "$(dirname "$0")/../lib/sockets.sh"

LOAD=(sluice --netns "$HOST" steer load --port "$PORT")

slots()
{
	json "$1" sluice -j steer show
}

has_sockets()
{
	[ "$(slots "d['groups'][0]['open']")" = "$1" ]
}

sockets_are()
{
	[ "$(in_ns "$HOST" ss -Huan "sport = :$PORT" | wc -l)" = "$1" ]
}

netns_add "$HOST"
holder "$HOST"
hold open "$PORT" 1 2
hold copy 0
say "two loads at once"
# load_or_conflict: the other load may abort this one
load_or_conflict()
{
	"${LOAD[@]}" >/dev/null 2>&1 || [ $? = 5 ]
}
load_or_conflict &
other=$!
load_or_conflict
wait "$other"
want_equal "$(slots "[(g['open'], g['not_joined'], g['shared'], len(g['slots'])) for g in d['groups']]")" \
	"[(2, 0, 0, 2)]" "open, not joined, shared, slots"
cookies=$(slots "sorted(s['socket_cookie'] for s in d['groups'][0]['slots'])")

say "two processes"
hold fork
child=$(awk '$1 == "child" { print $2 }' "$HOLDER_LOG")
"${LOAD[@]}" >/dev/null
want_equal "$(slots "sorted(s['socket_cookie'] for s in d['groups'][0]['slots'])")" "$cookies"
want_equal "$(slots "[(s['pid'], s['holders']) for s in d['groups'][0]['slots']]")" \
	"[($HOLDER, 2), ($HOLDER, 2)]"
want_status 0 sluice steer show
want_text "2 sockets are held by several processes"

say "the server dies"
holder_end
"${LOAD[@]}" >/dev/null
want_equal "$(slots "sorted(s['socket_cookie'] for s in d['groups'][0]['slots'])")" "$cookies"
want_equal "$(slots "[(s['pid'], s['holders'], s['state']) for s in d['groups'][0]['slots']]")" \
	"[($child, 1, 'active'), ($child, 1, 'active')]"
workers "$HOST" --port "$PORT" --bind 127.0.0.1 --workers 2
"${LOAD[@]}" >/dev/null
has_sockets 4

say "the last holder dies: its sockets leave, and their flows move"
kill "$child"
wait_until 20 sockets_are 2
"${LOAD[@]}" >/dev/null
want_equal "$(slots "[s['pid'] for s in d['groups'][0]['slots']]")" "[$SERVER_PID, $SERVER_PID]"
flows "$HOST" --to "127.0.0.1:$PORT" --flows 50
flows_end
want_equal "$(result lost)" 0 "datagrams lost"
sluice steer unload
stop "$SERVER_PID"
want_clean
