#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# `nc -ul` connects its socket back to its first client, so that the socket no longer matches the
# address that the client uses. Both ends run the real nc. Without sluice, the first line arrives,
# its reply does not, and the second line is lost. Mode socket does not help, because the source of
# a connected socket is fixed.
#
#   container: nc -u 172.16.13.13 56789 ── docker0 172.17.0.1 [host: nc -ul 56789] eth0 172.16.13.13
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/wire.sh"

# nc_start NAME WORD OPTION…: starts nc in namespace NAME; it reads $WORD.to and writes $WORD.from
nc_start()
{
	local name=$1 word=$TEST_TMP/$2
	shift 2
	[ -p "$word.to" ] || mkfifo "$word.to"
	: >"$word.from"
	nsenter --net="/run/netns/$name" -- nc "$@" <>"$word.to" >"$word.from" 2>/dev/null &
	NC=$!
}

has_line()
{
	grep -qx "$2" "$TEST_TMP/$1.from"
}

received_or_refused()
{
	has_line client two || [ "$(no_ports)" != "$1" ]
}

# talk ADDR FAMILY: sends a line, a line back, and a third line; sets RECEIVED to the number of
# received lines
talk()
{
	local server client refused
	refused=$(no_ports)
	conntrack_flush "$HOST"
	nc_start "$HOST" server "$2" -u -l "$PORT"
	server=$NC
	wait_udp "$HOST" "$PORT"
	nc_start "$CONTAINER" client "$2" -u "$1" "$PORT"
	client=$NC
	RECEIVED=0
	echo one >"$TEST_TMP/client.to"
	wait_until 10 has_line server one
	echo two >"$TEST_TMP/server.to"
	wait_until 10 received_or_refused "$refused"
	if has_line client two; then
		echo three >"$TEST_TMP/client.to"
		wait_until 10 has_line server three
		RECEIVED=3
	fi
	kill "$server" "$client" 2>/dev/null || true
	wait "$server" "$client" 2>/dev/null || true
}

want_talk()
{
	want_equal "$RECEIVED" 3 "lines received"
	want_one_entry "$PORT"
}

topology_up

say "without sluice"
talk "$FAR4" -4
want_equal "$RECEIVED" 0 "lines received"
say "socket mode"
reply_load
talk "$FAR4" -4
want_equal "$RECEIVED" 0 "lines received"
sluice reply unload

for netfilter in 0 1; do
	bridge_netfilter "$netfilter"
	say "mode wire, bridge netfilter $netfilter"
	wire_load --follow docker0
	talk "$FAR4" -4
	want_talk
	talk "$FAR6" -6
	want_talk
	wire_unload
done

say "without sluice again"
talk "$FAR4" -4
want_equal "$RECEIVED" 0 "lines received"

say "both modes"
reply_load
wire_load --follow docker0
talk "$FAR4" -4
want_talk
