#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two hosts behind symmetric NATs, which permit no direct path, reach each other through the relay
# of the server. When one NAT changes its kind during a transfer, the path becomes direct; when the
# direct path breaks, it returns to the relay. No byte is lost in either direction. --direct-only
# and --relay-only are obeyed.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up symmetric symmetric 30
echo_start in2
run_bob()
{
	peer_run in2 bob --peer-key "alice=$(public alice)" --peer-key "carol=$(public carol)" \
		--expose tcp:127.0.0.1:7
	bob=$SPAWNED
}
run_bob

relays()
{
	json "d['relays']['count']" sluice -j rendezvous show
}

say "the peers are connected"
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

say "a NAT changes its kind during a transfer"
transfer_begin in1 7000
lab_reboot nat1 endpoint-independent 30 in out 198.51.100.1

wait_until 60 peer_is_direct alice
wait_until 60 peer_is_direct bob

say "the direct path breaks during the transfer"
in_ns nat1 nft -f - <<-'NFT'
	table inet block {
		chain forward {
			type filter hook forward priority 0
			ip daddr 198.51.100.2 drop
			ip saddr 198.51.100.2 drop
		}
	}
NFT
wait_until 60 peer_is_relayed alice
wait_until 60 peer_is_relayed bob
in_ns nat1 nft delete table inet block
transfer_end alice.log bob.log
want_equal "$(grep -cF 'msg="not connected' "$TEST_TMP/alice.log" || true)" 0
stop "$alice"

say "--relay-only does not use the existing direct path"
peer_connect in1 carol --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7001 --relay-only
carol=$SPAWNED
wait_log "$TEST_TMP/carol.log" 'msg="connected" peer=bob'
want_equal "$(echo hello | in_ns in1 timeout 20 socat -t 5 - TCP:127.0.0.1:7001)" hello
want_equal "$(grep 'msg="path"' "$TEST_TMP/carol.log" | grep -vcF kind=relayed || true)" 0
stop "$carol"

say "the server relays nothing"
stop "$bob"
stop "$RENDEZVOUS"
server_start --max-relays 0
run_bob
identity carol
want_status 1 in_ns in1 timeout 60 "$SLUICE" peer connect "${IDENTITY[@]}" \
	--peer-key "bob=$(public bob)" --to bob --stdio --relay-only
want_text "the server relays no more sessions"
