#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Tests when keepalives are due, and keepalives that are queued because of the rate limit or a slow
# device. A socket that is closed meanwhile gets no keepalive, and no keepalive is dropped.
#
#   inside ── nat ── router ── peer
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

lab_up symmetric 60
configure '[hold]' 'port = 7000' 'interval = 1'
daemon_start

say "keepalives are up to a sixth of the interval early, and differ"
configure '[hold]' 'port = 7000-7029' 'interval = 60'
daemon_reload 'msg="hold is active"'
peer_start 7000 --count 30
plain_start "$INSIDE" "$PEER4" 7000 --count 30
all_active()
{
	[ "$(hold_flow 'sum(x["state"] == "active" for x in f)')" = 30 ]
}
wait_until 30 all_active
want_equal "$(json "(lambda due: (min(due) > 49, max(due) < 61, max(due) - min(due) > 2))(
	[x['next_s'] + x['silent_s'] for x in d['flows']])" sluice -j hold flows)" "(True, True, True)"
stop "$PLAIN_PID"
stop "$PEER_PID"

for key in rate rate_netns; do
	say "$key: thirty flows share four keepalives a second, the longest silent first"
	configure '[hold]' 'port = 7000-7029' 'interval = 1' "$key = 4"
	daemon_reload 'msg="hold is active"'
	peer_start 7000 --count 30
	delayed=$(hold_counter delayed)
	plain_start "$INSIDE" "$PEER4" 7000 --count 30
	waiting()
	{
		[ "$(hold_counter delayed)" -ge $((delayed + 26)) ]
	}
	wait_until 30 waiting
	before=$(hold_sent)
	began=$(date +%s%N)
	sleep 10
	sent=$(($(hold_sent) - before)) ms=$((($(date +%s%N) - began) / 1000000))
	want_at_most $((ms * 4 / 1000 + 2)) "$sent" "keepalives in $ms ms"
	want_at_least 20 "$sent" "keepalives in $ms ms"
	want_at_most 1 "$(hold_flow 'max(x["sent"] for x in f) - min(x["sent"] for x in f)')" \
		"keepalives more than the flow with the fewest"

	say "their socket is closed while keepalives wait"
	stop "$PLAIN_PID"
	# one may be in flight
	sleep 1
	before=$(hold_sent)
	sleep 4
	want_equal "$(hold_sent)" "$before" "keepalives for a closed socket"
	stop "$PEER_PID"
done

say "a slow device"
MANY=$ROOT/tests/net/lib/many.py
in_ns "$PEER" nft 'add table ip quiet
	add chain ip quiet output { type filter hook output priority filter; }
	add rule ip quiet output icmp type destination-unreachable drop'
configure '[hold]' 'port = 10000-60000' 'interval = 8'
daemon_reload 'msg="hold is active"'
spawn_in "$PEER" "$TEST_TMP/many.server" python3 "$MANY" server 10000 3000
server=$SPAWNED
wait_until 20 grep -qx ready "$TEST_TMP/many.server"
spawn_in "$INSIDE" "$TEST_TMP/many.client" python3 "$MANY" client "$PEER4" 10000 3000 4000 4001
client=$SPAWNED
wait_until 200 grep -qx ready "$TEST_TMP/many.client" || fail "some requests got no answer"
# 2000 keepalives per second, while 6000 become due at once
in_ns "$INSIDE" tc qdisc add dev eth0 root tbf rate 700kbit burst 4k limit 4m
all_kept()
{
	[ "$(json "d['hold']['flows']['kept']" sluice -j hold show)" = 6000 ]
}
wait_until 40 all_kept || fail "$(sluice hold show)"
want_equal "$(hold_counter send_failed)" 0 "keepalives that were given up"
stop "$client"
stop "$server"
daemon_stop
sluice hold unload
