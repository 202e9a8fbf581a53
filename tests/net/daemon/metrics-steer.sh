#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The metrics of steering cover the groups of a port. The daemon follows groups that come and go,
# and closes everything of an object that another process has unloaded.
#
#   host: udp-workers on two addresses of one port
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/steer.sh"
. "$(dirname "$0")/../lib/metrics.sh"

# is_gone prog|map ID
is_gone()
{
	! bpftool "$1" show id "$2" >/dev/null 2>&1
}

# program: prints the id of the program of the only group
program()
{
	json "d['steer']['groups'][0]['program_id']" sluice -j status
}

# table PROGRAM: prints the id of the flow table
table()
{
	bpftool -j prog show id "$1" | python3 -c "import json, sys
print(*json.load(sys.stdin)['map_ids'], sep='\n')" |
		while read -r id; do bpftool map show id "$id"; done | awk '$4 == "sluice_table" { print $1 + 0 }'
}

has_values()
{
	[ "$(metrics value "${@:2}")" = "${1// /$'\n'}" ]
}

netns_add "$HOST"
workers "$HOST" --port "$PORT" --workers 3
first=$SERVER_PID
configure "metrics = $METRICS_PORT" '[steer]' "port = $PORT,5303" 'flows = 1024'
daemon_start
ON="netns=\"$HOST\",port=\"$PORT\""
OTHER="netns=\"$HOST\",port=\"5303\""

say "a group with three workers, 100 flows, and a flow with a single datagram; a port without a group"
flows "$HOST" --to "127.0.0.1:$PORT" --flows 100
flows_end
# from a port that none of the 100 flows used
in_ns "$HOST" python3 -c "import socket
sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
sock.bind(('127.0.0.1', 20001))
sock.sendto(b'', ('127.0.0.1', $PORT))"
wait_until 30 has_values "1 3 0 101 1024 101 0 0" "sluice_steer_groups{$ON}" \
	"sluice_steer_workers{$ON,state=\"active\"}" "sluice_steer_workers{$ON,state=\"draining\"}" \
	"sluice_steer_flows{$ON}" "sluice_steer_flows_capacity{$ON}" "sluice_steer_started_total{$ON}" \
	"sluice_steer_started_total{$OTHER}" "sluice_steer_groups{$OTHER}" ||
	fail "$(metrics get /metrics | grep ^sluice_steer)"
want_values "sluice_steer_known_total{$ON}" "$(steer_counter known)"
metrics formats >"$TEST_TMP/text"
want_lint "$TEST_TMP/text"

say "groups of another address are summed up; removed groups are not"
workers "$HOST" --port "$PORT" --bind 127.0.0.2 --workers 2
second=$SERVER_PID
wait_until 30 has_values "2 5" "sluice_steer_groups{$ON}" "sluice_steer_workers{$ON,state=\"active\"}" ||
	fail "$(metrics get /metrics | grep ^sluice_steer)"
stop "$first"
wait_until 30 has_values "1 2" "sluice_steer_groups{$ON}" "sluice_steer_workers{$ON,state=\"active\"}" ||
	fail "$(metrics get /metrics | grep ^sluice_steer)"

say "but their counters stay, as those of a port never fall, over a restart of the daemon too"
KNOWN=$(metrics value "sluice_steer_known_total{$ON}")
want_values "sluice_steer_started_total{$ON}" 101
workers "$HOST" --port "$PORT" --workers 1
flows "$HOST" --to "127.0.0.1:$PORT" --flows 7
flows_end
stop "$SERVER_PID"
wait_until 30 has_values "1 108" "sluice_steer_groups{$ON}" "sluice_steer_started_total{$ON}" ||
	fail "$(metrics get /metrics | grep ^sluice_steer)"
daemon_stop
daemon_start
want_values "sluice_steer_started_total{$ON}" 108
want_at_least "$KNOWN" "$(metrics value "sluice_steer_known_total{$ON}")" "known"

say "the rate of status counts the datagrams of a server that has ended"
# is_in_rate: again if the machine is so slow that the daemon has taken two samples meanwhile
is_in_rate()
{
	workers "$HOST" --port "$PORT" --workers 1
	flows "$HOST" --to "127.0.0.1:$PORT" --flows 7
	flows_end
	stop "$SERVER_PID"
	wait_until 30 has_values 1 "sluice_steer_groups{$ON}"
	[ "$(json "d['daemon']['rates']['datagrams_steered_per_s'] > 0" sluice -j status)" = True ]
}
wait_until 120 is_in_rate || fail "$(sluice -j status)"

say "without a scrape, the daemon closes a flow table that a reload or a command replaces"
for change in daemon_reload command; do
	TABLE=$(table "$(program)")
	want_at_least 1 "$TABLE" "the flow table of $(program)"
	if [ "$change" = command ]; then
		sluice --netns "$HOST" steer load --port "$PORT,5303" --flows 4096 >/dev/null
	else
		sed -i 's/flows = 1024/flows = 2048/' "$CONF"
		daemon_reload 'msg="reloaded"'
	fi
	wait_until 60 is_gone map "$TABLE" || fail "$change: $(bpftool map show id "$TABLE")"
done

say "and a group that another replaces between two sweeps"
PROGRAM=$(program)
kill -STOP "$DAEMON"
stop "$second"
workers "$HOST" --port 5303 --workers 1
kill -CONT "$DAEMON"
wait_until 60 is_gone prog "$PROGRAM" || fail "$(bpftool prog show id "$PROGRAM")"

say "an unload by a command frees the program, although the daemon has read it"
PROGRAM=$(program)
sluice --netns "$HOST" steer unload >/dev/null
wait_until 30 is_gone prog "$PROGRAM" || fail "$(bpftool prog show id "$PROGRAM")"
wait_until 30 has_values 0 'sluice_object_loaded{object="steer"}' || fail "still loaded"
want_probe /readyz 503 '[steer] steer is not loaded'
want_probe /readyz 503 '[steer] unloaded by another process'
daemon_stop
