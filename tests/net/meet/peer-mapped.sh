#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two hosts have NATs that permit no direct path: one maps each flow to another port, and both
# filter by port. They connect directly if one gateway maps a port, by NAT-PMP or by UPnP. The
# mapping is restored when the gateway restarts, and removed when the peer exits.
#
#   in1 [bob: run]       ── nat1 [miniupnpd] ──┐
#                                              ├── router ── peer [sluice rendezvous serve]
#   in2 [alice: connect] ── nat2 ──────────────┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/gateway.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up symmetric address-and-port-dependent 30
spawn_in in1 /dev/null socat TCP-LISTEN:7,bind=127.0.0.1,fork,reuseaddr EXEC:cat

# bob_run OPTION…: runs bob; sets BOB to the process id
bob_run()
{
	peer_run in1 bob --peer-key "alice=$(public alice)" --expose tcp:127.0.0.1:7 "$@"
	BOB=$SPAWNED
}

# offered: returns true if the server offers a mapped address to other peers
offered()
{
	sluice -j rendezvous show | contains '"mapped"'
}

# want_connected: checks that alice reaches bob at the address that the gateway has mapped
want_connected()
{
	local external
	wait_until 20 offered
	external=$(sed -n 's/.*msg="port mapped".* external=\([^ ]*\).*/\1/p' "$TEST_TMP/bob.log" | tail -n 1)
	[[ $external == 12.0.0.1:* ]] || fail "mapped to '$external'" "$(cat "$TEST_TMP/bob.log")"
	identity alice
	got=$(echo hello | in_ns in2 timeout 30 "$SLUICE" --verbose peer connect "${IDENTITY[@]}" \
		--peer-key "bob=$(public bob)" --to bob --stdio --direct-only 2>"$TEST_TMP/alice.log") || true
	want_equal "$got" hello "$(cat "$TEST_TMP"/{alice,bob}.log)"
	contains -F "address=$external kind=mapped" "$TEST_TMP/alice.log" ||
		fail "not by $external:" "$(cat "$TEST_TMP/alice.log")"
}

say "no gateway maps a port"
bob_run
identity alice
want_status 1 in_ns in2 "$SLUICE" peer connect "${IDENTITY[@]}" --peer-key "bob=$(public bob)" \
	--to bob --stdio --direct-only
want_text "no path was found"
stop "$BOB"

say "NAT-PMP"
gateway_start nat1 natpmp upnp old
bob_run
wait_log "$TEST_TMP/bob.log" 'msg="port mapped" protocol=nat-pmp'
want_equal "$(awk '/^(CapPrm|NoNewPrivs)/ { print $2 }' "/proc/$(pgrep -P "$BOB")/status" | xargs)" \
	"0000000000000000 1" "privileges of the process that asks"
want_connected

say "the gateway restarts, and announces the restart"
stop "$GATEWAY"
gateway_start nat1 natpmp
wait_until 30 gateway_mapped nat1 1
want_connected

say "the mapping ends with the peer"
stop "$BOB"
gateway_mapped nat1 0 || fail "still mapped"
stop "$GATEWAY"

say "UPnP, and a peer that is killed"
gateway_start nat1 upnp
bob_run
wait_log "$TEST_TMP/bob.log" 'msg="port mapped" protocol=upnp'
want_connected
{ kill -KILL "$BOB" && wait "$BOB"; } 2>/dev/null || true
wait_until 20 gateway_mapped nat1 0

say "UPnP, whose mapping comes after the connect"
spawn_in in2 /dev/null socat TCP-LISTEN:7,bind=127.0.0.1,fork,reuseaddr EXEC:cat
peer_run in2 dave --peer-key "carol=$(public carol)" --expose tcp:127.0.0.1:7 --port-mapping off
identity carol
got=$(echo hello | in_ns in1 timeout 30 "$SLUICE" --verbose peer connect "${IDENTITY[@]}" --port-mapping upnp \
	--peer-key "dave=$(public dave)" --to dave --stdio --direct-only 2>"$TEST_TMP/carol.log") || true
want_equal "$got" hello "$(cat "$TEST_TMP"/{carol,dave}.log)"
gateway_mapped nat1 0 || fail "still mapped"
stop "$GATEWAY"

say "off"
gateway_start nat1 natpmp
bob_run --port-mapping off
stop "$BOB"
want_equal "$(grep -c 'request received' "$TEST_TMP/nat1.miniupnpd.log" || true)" 0
