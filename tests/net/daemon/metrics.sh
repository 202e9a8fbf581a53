#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon's metrics and probes: names, formats and values; conditions that make the daemon
# unready; a change of the address by reload.
#
#   container ── docker0 172.17.0.1 [host: the daemon] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/metrics.sh"

INCLUDE=$ROOT/include/sluice

topology_up

say "each list of counters in the source is one that a test compares with the metrics"
mapfile -t lists < <(grep -rhoE '#define \w+_COUNTERS\(X\)' "$ROOT/include" "$ROOT/user" | sed 's/.* //; s/(X)//')
[ "${#lists[@]}" -ge 9 ] || fail "${lists[*]}"
for list in "${lists[@]}"; do
	grep -rqE "=.*:$list\b" "$ROOT/tests/net" || fail "no test compares $list with the metrics"
done

say "every series is there from the start, whatever is loaded"
configure "metrics = $METRICS_PORT" '[reply]' 'mode = socket' "port = $PORT" '[steer]' 'port = 5353'
daemon_start
metrics formats "reply=$INCLUDE/counters.h:SLUICE_REPLY_COUNTERS" \
	"steer=$INCLUDE/counters.h:SLUICE_STEER_COUNTERS" \
	"steer=$ROOT/user/steer/group/stats.h:STEER_RECORD_COUNTERS" \
	"steer_spread=$INCLUDE/spread.h:SLUICE_SPREAD_COUNTERS" \
	"wire=$INCLUDE/wire.h:SLUICE_WIRE_COUNTERS" \
	"hold=$INCLUDE/hold_counters.h:SLUICE_HOLD_COUNTERS" \
	"hold=$INCLUDE/hold_counters.h:SLUICE_HOLD_SEND_COUNTERS" >"$TEST_TMP/text"
want_lint "$TEST_TMP/text"
contains 'sluice_section_applied{section="reply"} 1' <"$TEST_TMP/text" || fail "reply: not applied"
contains 'sluice_section_configured{section="hold"} 0' <"$TEST_TMP/text" || fail "hold: configured"
metrics protocol

say "the values are those of the commands"
serve "$HOST" sendto4 "$PORT"
want_right "$CONTAINER" "$FAR4" "$PORT"
sleep 1.1 # the metrics are read at most once per second
want_values sluice_reply_fixed_total 3 'sluice_table_entries{object="reply"}' 1 \
	'sluice_table_capacity{object="reply"}' 16384 'sluice_object_loaded{object="reply"}' 1 \
	'sluice_object_loaded{object="hold"}' 0 'sluice_steer_groups{port="5353"}' 0
want_equal "$(counter fixed)" 3

say "detached programs, and a section that waits, make it unready"
want_probe /readyz 200
configure "metrics = $METRICS_PORT" '[reply]' 'mode = socket' "port = $PORT" \
	'[hold]' 'port = 7000' '[wire]' 'iface = eth0' 'port = 5201'
daemon_reload 'msg="reloaded"'
want_probe /readyz 200
sleep 1.1
want_values 'sluice_table_size_bytes{object="hold"}' "$(json "d['hold']['flows']['bytes']" sluice -j hold show)" \
	'sluice_table_size_bytes{object="reply"}' "$(json "d['reply']['flows']['bytes']" sluice -j reply show)"
# unready_without LINK TEXT: detaches a link, again if the daemon has repaired it before the answer
unready_without()
{
	bpftool link detach pinned "$PINS/$1" >/dev/null 2>&1 || true
	probe /readyz 503 "$2"
}
for without in "reply/link_fix4|[reply] a program is detached" "hold/link_in|[hold] a program is detached" \
	"wire/link_$(ip -n "$HOST" -o link show dev eth0 | cut -d: -f1)_in|[wire] eth0: detached"; do
	wait_until 60 unready_without "${without%|*}" "${without#*|}" ||
		fail "without ${without%|*}:" "$(metrics get /readyz)"
done
want_probe /livez 200
kill -HUP "$DAEMON"
want_probe /readyz 200
configure "metrics = $METRICS_PORT" '[reply]' 'mode = socket' "port = $PORT" \
	'[wire]' 'follow = eth0' 'port = 5201'
daemon_reload 'msg="reloaded"'
want_probe /readyz 503 '[wire] waiting: '

say "a reload moves the server; an address in use refuses it, and nothing changes"
configure 'metrics = 127.0.0.1:9479' '[reply]' 'mode = socket' "port = $PORT"
daemon_reload 'msg="reloaded"'
METRICS_PORT=9479
want_probe /readyz 200
want_status 1 in_ns "$HOST" python3 "$ROOT/tests/net/lib/metrics.py" 9477 get /livez
in_ns "$HOST" python3 -c 'import socket,sys,time
s = socket.create_server(("127.0.0.1", 9478)); print(flush=True); time.sleep(600)' >"$TEST_TMP/busy" &
BUSY=$!
wait_until 30 test -s "$TEST_TMP/busy" || fail "no listener"
configure 'metrics = 127.0.0.1:9478' '[reply]' 'mode = audit' "port = $PORT"
daemon_reload 'msg="reload refused'
want_logged '127.0.0.1:9478 is in use'
want_equal "$(json "d['reply']['mode']" sluice -j reply show)" socket
sleep 1.1
want_values sluice_config_last_reload_successful 0
daemon_stop

say "the option overrides the file; at the start, an address in use is an error"
want_status 5 in_ns "$HOST" "$SLUICE" run --config "$CONF"
want_text "metrics: 127.0.0.1:9478 is in use"
want_status 2 sluice run --config "$CONF" --metrics localhost
want_text "--metrics: 'localhost' is not an address and a port"
kill "$BUSY"
spawn_in "$HOST" "$DAEMON_LOG" "$SLUICE" run --config "$CONF" --metrics '[::1]:9480'
DAEMON=$SPAWNED
want_logged 'msg="started"'
want_equal "$(in_ns "$HOST" python3 -c 'import urllib.request as u
print(u.urlopen("http://[::1]:9480/livez", timeout=20).read().decode(), end="")')" ok
daemon_stop
sluice reply unload
