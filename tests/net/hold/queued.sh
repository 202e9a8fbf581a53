#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Keepalives that wait: behind a rate, and behind a device that is slower than they come. None is
# sent for a socket that is closed meanwhile, and none is given up.
#
#   inside ── nat ── router ── peer
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

lab_up symmetric 60
say "the socket is closed while its keepalives wait for the rate"
configure '[hold]' 'port = 7000-7029' 'interval = 1' 'rate = 1'
daemon_start
peer_start 7000 --count 30
plain_start "$INSIDE" "$PEER4" 7000 --count 30
delayed()
{
	[ "$(hold_counter delayed)" -ge 29 ]
}
wait_until 30 delayed
stop "$PLAIN_PID"
# one may be on its way
sleep 1
before=$(hold_sent)
sleep 5
want_equal "$(hold_sent)" "$before" "keepalives for a closed socket"
stop "$PEER_PID"

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
wait_until 200 grep -qx ready "$TEST_TMP/many.client" || fail "not all are answered"
# 2000 keepalives a second, where 6000 become due within a moment
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
