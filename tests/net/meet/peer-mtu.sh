#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A direct path uses the packet size that its links pass. In the middle of a transfer, the links
# start to drop large packets, without ICMP, or the interface of a host does, or the path moves to
# the relay and back: the connection goes on, and no byte is lost.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up endpoint-independent endpoint-independent 30
for nat in nat1 nat2; do
	in_ns "$nat" nft 'add table inet silent; add chain inet silent output { type filter hook output priority 0; };
		add rule inet silent output icmp type destination-unreachable drop'
done
echo_start in2

# links MTU: sets the MTU between the NATs, in both directions
links()
{
	ip -n nat1 link set out mtu "$1"
	ip -n nat2 link set out mtu "$1"
}

# is_mtu BYTES…: the paths of alice and of bob have this size of UDP payload
is_mtu()
{
	[ "$(json "[q['mtu'] for p in sorted(d['peers'], key=lambda p: p['id']) for q in p['paths'] if not q['end']]" \
		sluice -j peer list)" = "[$1, $1]" ]
}

want_mtu()
{
	wait_until 60 is_mtu "$1" || fail "the path does not have $1 bytes" \
		"$(sluice -j peer list)" "$(tail -n 30 "$TEST_TMP"/{alice,bob}.log)"
}

start_alice()
{
	peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000
	alice=$SPAWNED
	wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'
}

exchange()
{
	in_ns in1 python3 "$ROOT/tests/net/lib/transfer.py" 7000 3000000
}

peer_run in2 bob --peer-key "alice=$(public alice)" --expose tcp:127.0.0.1:7
for mtu in 1280 1400 1500; do
	say "links of $mtu bytes"
	links "$mtu"
	start_alice
	want_mtu $((mtu - 28))
	exchange
	[ "$mtu" = 1500 ] && break
	stop "$alice"
	wait_log "$TEST_TMP/bob.log" 'msg="disconnected" peer=alice'
	: >"$TEST_TMP/bob.log"
done

say "the links shrink in the middle of a transfer"
transfer_begin in1 7000
links 1400
wait_log "$TEST_TMP/alice.log" 'msg="path mtu" peer=bob bytes=1200'
want_mtu 1372
transfer_end alice.log bob.log
exchange

say "the interface of a host shrinks in the middle of a transfer"
transfer_begin in1 7000
ip -n in1 link set eth0 mtu 1280
want_mtu 1252
transfer_end alice.log bob.log
exchange

say "the path moves to the relay and back in the middle of a transfer"
transfer_begin in1 7000
in_ns nat1 nft 'add table inet block; add chain inet block forward { type filter hook forward priority -10; };
	add rule inet block forward ip daddr 198.51.100.2 drop'
wait_until 60 peer_is_relayed alice
want_mtu 1200
in_ns nat1 nft delete table inet block
wait_until 60 peer_is_direct alice
want_mtu 1252
transfer_end alice.log bob.log
want_equal "$(grep -c 'msg="not connected' "$TEST_TMP/alice.log")" 0
