#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A peer measures its NAT although the server with which it measures moves to another address, or
# does not answer any more while another server does.
#
#   in1 [alice, bob: run] ── nat1 ── router ── peer [two times sluice rendezvous serve]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

MOVED=203.0.113.99

# server_at ADDRESS: runs a server there
server_at()
{
	PEER4=$1 server_start --name "at-${1##*.}"
}

# run_alone NAME OPTION…: runs a peer
run_alone()
{
	local name=$1
	shift
	spawn_in in1 "$TEST_TMP/$name.log" "$SLUICE" peer run "${IDENTITY[@]}" "$@" --trust-server \
		--expose tcp:127.0.0.1:7 --verbose
	wait_log "$TEST_TMP/$name.log" 'msg="registered"'
}

# want_measured NAME
want_measured()
{
	wait_until 60 is_logged "$TEST_TMP/$1.log" 'msg="keepalive interval" interval_s=10.0 source=measured' ||
		fail "$1 has not measured:" "$(cat "$TEST_TMP/$1.log")"
}

peers_server alice bob
first=$RENDEZVOUS
server_at "$PEER4_SECOND"
peers_nat 1 endpoint-independent 15
wait_link "$ROUTER" outside
cp /etc/hosts "$TEST_TMP/hosts"
mount --bind "$TEST_TMP/hosts" /etc/hosts
echo "$PEER4 moves.example" >"$TEST_TMP/hosts"

identity alice
run_alone alice --server "$PEER4_SECOND:3478"
identity bob
IDENTITY[1]=moves.example:3478
run_alone bob

stop "$first"
ip -n "$PEER" addr add "$MOVED/24" dev "$(ip -n "$PEER" -o -4 addr show to "$PEER4" | cut -d ' ' -f 2)"
server_at "$MOVED"
# in place, because the file itself is mounted
echo "$MOVED moves.example" >"$TEST_TMP/hosts"

say "the server has moved"
want_measured bob
say "another server"
want_measured alice
