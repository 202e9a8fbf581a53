#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A peer finds a server whose name gets a new address, a server whose first address does not answer,
# and a server whose name has no address yet while another server has one.
#
#   in1 [alice, bob: run] ── nat1 ── router ── peer [sluice rendezvous serve]
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_server alice bob
peers_nat 1 endpoint-independent 30
wait_link "$ROUTER" outside
cp /etc/hosts "$TEST_TMP/hosts"
mount --bind "$TEST_TMP/hosts" /etc/hosts

# run_by_names NAME ADDRESS…: runs a peer whose server has these addresses
run_by_names()
{
	local name=$1 address
	shift
	for address in "$@"; do
		echo "$address $name.example"
	done >>"$TEST_TMP/hosts"
	identity "$name"
	IDENTITY[1]=$name.example:3478
	spawn_in in1 "$TEST_TMP/$name.log" "$SLUICE" peer run "${IDENTITY[@]}" --trust-server \
		--expose tcp:127.0.0.1:7
}

run_by_names alice 203.0.113.77 "$PEER4"
run_by_names bob 203.0.113.77
BOB=$SPAWNED
wait_log "$TEST_TMP/alice.log" 'msg="not registered" server=alice.example reason="no answer"'
wait_log "$TEST_TMP/bob.log" 'msg="not registered" server=bob.example reason="no answer"'

say "another address of the server"
wait_log "$TEST_TMP/alice.log" "msg=\"the server has another address\" server=$PEER4:3478"
wait_log "$TEST_TMP/alice.log" 'msg="registered" server=alice.example'

say "the name gets another address"
# in place, because the file itself is mounted
echo "$PEER4 bob.example" >"$TEST_TMP/hosts"
wait_log "$TEST_TMP/bob.log" "msg=\"the server has another address\" server=$PEER4:3478"
wait_log "$TEST_TMP/bob.log" 'msg="registered" server=bob.example'

say "one of two names has no address"
: >"$TEST_TMP/empty"
mount --bind "$TEST_TMP/empty" /etc/resolv.conf
stop "$BOB"
identity bob
IDENTITY[1]=later.example:3478
spawn_in in1 "$TEST_TMP/bob.log" "$SLUICE" peer run "${IDENTITY[@]}" --server "$PEER4:3478" --trust-server \
	--expose tcp:127.0.0.1:7
wait_log "$TEST_TMP/bob.log" 'msg="not registered" server=later.example reason="--server later.example: '
wait_log "$TEST_TMP/bob.log" "msg=\"registered\" server=$PEER4"
echo "$PEER4 later.example" >"$TEST_TMP/hosts"
wait_log "$TEST_TMP/bob.log" 'msg="registered" server=later.example'
