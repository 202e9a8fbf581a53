#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `iperf3 -s` connects a UDP socket back to each client, and opens a new socket for the next client.
# UDP tests from a container fail without sluice and in mode socket. In mode wire they run in both
# directions, with several streams, and leave one conntrack entry for each stream whose client keeps
# sending.
#
#   container: iperf3 -u -c 172.16.13.13 ── docker0 172.17.0.1 [host: iperf3 -s] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

IPERF=5201

listening()
{
	in_ns "$HOST" ss -Hltn "sport = :$IPERF" | contains .
}

iperf_serve()
{
	spawn_in "$HOST" "$TEST_TMP/iperf3.log" iperf3 -s -p "$IPERF"
	SERVER_PID=$SPAWNED
	wait_until 10 listening
}

# iperf ADDR OPTION…: sends 100 datagrams of 1,000 bytes, slowly enough for a delayed receiver; sets
# RECEIVED and SENT
iperf()
{
	local addr=$1 report
	shift
	conntrack_flush "$HOST"
	report=$(in_ns "$CONTAINER" timeout 30 iperf3 -u -c "$addr" -p "$IPERF" -J -l 1000 -k 100 \
		-b 1M "$@") || true
	read -r SENT RECEIVED <<<"$(python3 -c 'import json, sys
d = json.load(sys.stdin)
s = d.get("end", {}).get("sum")
print(s["packets"], s["packets"] - s["lost_packets"]) if s else print(0, 0)' <<<"$report")"
}

# entries COUNT: returns true if conntrack has COUNT entries, and each has seen a reply
entries()
{
	ENTRIES=$(conntrack_list "$HOST" | grep "dport=$IPERF ") || true
	[ "$(grep -c . <<<"$ENTRIES")" = "$1" ] && [[ $ENTRIES != *UNREPLIED* ]]
}

# want_iperf [STREAMS]
want_iperf()
{
	[ "$SENT" -ge 100 ] || fail "sent $SENT"
	want_equal "$RECEIVED" "$SENT" "datagrams that arrived"
	[ $# = 0 ] || wait_until 10 entries "$1" || fail "wanted $1 entries with replies:" "$ENTRIES"
}

refused()
{
	[ "$(no_ports)" != "$1" ]
}

# The server's first reply does not come from the client's target, and is refused.
want_no_iperf()
{
	local before client
	before=$(no_ports)
	spawn_in "$CONTAINER" "$TEST_TMP/client.log" iperf3 -u -c "$FAR4" -p "$IPERF" -k 100
	client=$SPAWNED
	wait_until 20 refused "$before"
	stop "$client"
	# it may hang after such a failure
	stop "$SERVER_PID"
	iperf_serve
}

topology_up
iperf_serve

say "without sluice"
want_no_iperf
say "socket mode"
reply_load
want_no_iperf
sluice reply unload

for netfilter in 0 1; do
	bridge_netfilter "$netfilter"
	say "mode wire, bridge netfilter $netfilter"
	wire_load --follow docker0 --port "$IPERF"
	iperf "$FAR4"
	want_iperf 1
	iperf "$FAR6"
	want_iperf 1
	say "the other direction, three streams"
	iperf "$FAR4" -R
	want_iperf
	iperf "$FAR4" -P 3
	want_iperf 3
	wire_unload
done

say "without sluice again"
want_no_iperf
