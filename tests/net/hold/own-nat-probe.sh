#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A probe from the NAT itself shows that it is the outermost NAT. Then the daemon renews the entries
# of the flows that the NAT translates. Flows of the other address family, and of the NAT's own
# programs, still get keepalives, since a firewall may be beyond the NAT. The test takes half a
# minute, since no common timeout is shorter.
#
#   inside ── nat [the daemon] ── router ── peer [turnserver on two addresses]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

TURN=$(server_path usr/bin/turnserver)

lab_up endpoint-independent 60
HOST=$NAT
spawn_in "$PEER" "$TEST_TMP/turn.log" "$TURN" -n --listening-ip 203.0.113.2 \
	--listening-ip 203.0.113.3 --stun-only --no-tcp --no-tls --no-dtls --no-cli \
	--log-file stdout --pidfile "$TEST_TMP/turn.pid"
wait_udp "$PEER" 3478
mkdir "$TEST_CGROUP/held"
configure '[hold]' 'port = 7000' 'netns = all' 'interval = 2' 'interval_max = 15' \
	"probe = $PEER4:3478" "cgroup = $TEST_CGROUP/held"
daemon_start
peer_start 7000
export PLAIN_CGROUP=$TEST_CGROUP/held
pids=()
for client in "$INSIDE $PEER4" "$INSIDE $PEER6" "$NAT $PEER4"; do
	# shellcheck disable=SC2086
	plain_start $client 7000
	pids+=("$PLAIN_PID")
done
states()
{
	hold_flow 'sorted((x["local"], x["state"]) for x in f)'
}
is_known()
{
	[ "$(json "d['hold']['sender']['outermost']" sluice -j hold show)" = True ]
}
want_equal "$(json "d['hold']['sender']['outermost']" sluice -j hold show)" False
wait_until 60 is_known || fail "$(sluice hold show)" "$(cat "$TEST_TMP/turn.log")"
settled()
{
	[ "$(states)" = "[('10.0.0.2', 'renewed'), ('198.51.100.1', 'kept'), ('fd0a:1::2', 'kept')]" ]
}
wait_until 20 settled || fail "$(states)"
kill "${pids[@]}"
daemon_stop
sluice hold unload
rmdir "$TEST_CGROUP/held"
