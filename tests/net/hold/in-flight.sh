#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon exits or reloads while ICMP errors about its keepalives are in flight. The application
# receives none of them.
#
#   inside ── nat ── router (slow) ── peer
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

FLOWS=3

lab_up symmetric 60
in_ns "$ROUTER" sysctl -qw net.ipv4.icmp_ratelimit=0
configure '[hold]' "port = 7000-$((7000 + FLOWS - 1))" 'interval = 1'
daemon_start
peer_start 7000 --count $FLOWS
plain_start "$INSIDE" "$PEER4" 7000 --count $FLOWS --recverr
# an error takes 70 bytes: the second error leaves 70 ms after the first
in_ns "$ROUTER" tc qdisc add dev outside root tbf rate 8kbit burst 90 limit 10k
wait_until 20 sent_at_least 2

# signal_after_send SIGNAL: signals the daemon as soon as a keepalive has left
signal_after_send()
{
	# shellcheck disable=SC2016 # the variables of the other shell
	in_ns "$INSIDE" bash -c '
		sent()
		{
			local name packets rest
			while read -r name _ _ _ _ _ _ _ _ _ packets rest; do
				[ "$name" != eth0: ] || SENT=$packets
			done </proc/net/dev
		}
		sent
		before=$SENT
		while [ "$SENT" = "$before" ]; do
			sent
		done
		kill -"$1" "$2"' bash "$1" "$DAEMON"
}

for i in 1 2 3; do
	signal_after_send TERM
	wait "$DAEMON"
	daemon_start
	wait_until 20 sent_at_least $(($(hold_sent) + 2))
	configure '[hold]' "port = 7000-$((7000 + FLOWS - 1))" 'interval = 1' "max = $((1000 + i))"
	signal_after_send HUP
	want_logged 'msg="hold is active"' 2
done
sleep 1
if grep error "$PLAIN_LOG"; then fail "errors about keepalives"; fi
want_at_least 9 "$(hold_counter suppressed)" "time-exceeded messages dropped"
stop "$PLAIN_PID"
daemon_stop
sluice hold unload
