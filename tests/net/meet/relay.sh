#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two hosts behind symmetric NATs, between which theory allows no direct path, reach each other
# through the relay of the server; when one NAT becomes another kind in the midst of a transfer, the
# path becomes direct, and not a byte is missing. --direct-only and --relay-only mean what they say.
#
# A peer that cannot send UDP is relayed over TCP.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up symmetric symmetric 30
spawn_in in2 /dev/null socat TCP-LISTEN:7,bind=127.0.0.1,fork,reuseaddr EXEC:cat
peer_run in2 bob --peer-key "alice=$(public alice)" --peer-key "carol=$(public carol)" \
	--expose tcp:127.0.0.1:7

relays()
{
	json "d['relays']['count']" sluice -j rendezvous show
}

say "they are connected"
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
alice=$SPAWNED
wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'
wait_log "$TEST_TMP/alice.log" 'kind=relayed'
wait_log "$TEST_TMP/bob.log" 'kind=relayed'
want_equal "$(relays)" 1
want_status 0 sluice rendezvous show
want_text "relays       1 of at most 1000"

say "--direct-only finds no path"
identity carol
want_status 1 in_ns in1 "$SLUICE" peer connect "${IDENTITY[@]}" --peer-key "bob=$(public bob)" \
	--to bob --stdio --direct-only
want_text "no path was found"

say "a NAT becomes another kind in the midst of a transfer"
cat >"$TEST_TMP/transfer.py" <<'PYTHON'
import os, socket, sys, time

# numbered blocks, each after the answer to the one before, until the file DONE is there
with socket.create_connection(("127.0.0.1", 7000)) as connection:
	connection.settimeout(60)
	number = 0
	while number < 40 or not os.path.exists(sys.argv[1] + ".done"):
		block = os.urandom(20000)
		connection.sendall(block)
		got = b""
		while len(got) < len(block):
			part = connection.recv(65536)
			assert part, "the connection has ended"
			got += part
		assert got == block, number
		number += 1
		if number == 5:
			open(sys.argv[1], "w").close()
		time.sleep(0.02)
PYTHON
in_ns in1 python3 "$TEST_TMP/transfer.py" "$TEST_TMP/begun" &
transfer=$!
wait_until 20 test -e "$TEST_TMP/begun"
in_ns nat1 nft flush ruleset
lab_rules nat1 endpoint-independent 30 in out 198.51.100.1
in_ns nat1 conntrack -F 2>/dev/null

# is_direct LOG: is the path that was logged last a direct one?
is_direct()
{
	local last
	last=$(grep 'msg="path"' "$1" | tail -n 1)
	[[ $last != *kind=relayed* ]]
}
wait_until 60 is_direct "$TEST_TMP/alice.log"
wait_until 60 is_direct "$TEST_TMP/bob.log"
touch "$TEST_TMP/begun.done"
wait "$transfer" || fail "the transfer failed" "$(cat "$TEST_TMP"/{alice,bob}.log)"
want_equal "$(grep -cF 'msg="not connected' "$TEST_TMP/alice.log" || true)" 0
stop "$alice"

say "--relay-only uses no direct path, though there is one"
peer_connect in1 carol --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7001 --relay-only
carol=$SPAWNED
wait_log "$TEST_TMP/carol.log" 'msg="connected" peer=bob'
want_equal "$(echo hello | in_ns in1 timeout 20 socat -t 5 - TCP:127.0.0.1:7001)" hello
want_equal "$(grep 'msg="path"' "$TEST_TMP/carol.log" | grep -vcF kind=relayed || true)" 0
stop "$carol"

# echoed OPTION…: does carol get an answer with --stdio?
echoed()
{
	identity carol
	want_equal "$(echo hello | in_ns in1 timeout 60 "$SLUICE" peer connect "${IDENTITY[@]}" \
		--peer-key "bob=$(public bob)" --to bob --stdio "$@")" hello
}

say "the relay over TCP"
echoed --transport tcp
say "UDP is blocked"
in_ns in1 nft -f - <<'NFT'
table inet block {
	chain output {
		type filter hook output priority 0
		udp dport 1-65535 drop
	}
}
NFT
echoed
