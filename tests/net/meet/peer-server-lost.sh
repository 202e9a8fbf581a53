#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The server is killed while two peers search for a path, and while they hold one: the search goes on
# to its path, and the path stays. When the server is back, the peers register, and keep the path.
#
#   in1 [alice: connect] ── nat1 ──┐
#                                  ├── router ── peer [sluice rendezvous serve]
#   in2 [bob: run]       ── nat2 ──┘
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/peer.sh"

peers_up address-and-port-dependent address-and-port-dependent 30
echo_start in2

# checks: prints how many checks of alice nat1 has dropped
checks()
{
	in_ns nat1 nft list counter inet block checks | sed -n 's/.*packets \([0-9]*\) .*/\1/p'
}

are_searching()
{
	[ "$(checks)" -ge 2 ]
}

kill_server()
{
	kill -KILL "$RENDEZVOUS"
	wait "$RENDEZVOUS" 2>/dev/null || true
}

say "killed during the search"
in_ns nat1 nft -f - <<-'NFT'
	table inet block {
		counter checks {
		}
		chain forward {
			type filter hook forward priority 0
			ip daddr 198.51.100.2 counter name checks drop
			ip saddr 198.51.100.2 drop
		}
	}
NFT
peer_run in2 bob --peer-key "alice=$(public alice)" --expose tcp:127.0.0.1:7
bob=$SPAWNED
peer_connect in1 alice --peer-key "bob=$(public bob)" --to bob --listen tcp:127.0.0.1:7000 --direct-only
alice=$SPAWNED
wait_until 20 are_searching
kill_server
in_ns nat1 nft delete table inet block
wait_log "$TEST_TMP/alice.log" 'msg="connected" peer=bob'
in_ns in1 python3 "$ROOT/tests/net/lib/transfer.py" 7000 300000

say "the server is back"
server_start
# again NAME: has the peer registered twice?
again()
{
	[ "$(grep -c 'msg="registered"' "$TEST_TMP/$1.log")" -ge 2 ]
}
wait_until 120 again alice
wait_until 120 again bob

say "killed while the peers hold a path"
transfer_begin in1 7000
kill_server
# longer than consent lasts (24 s), so that the path has been checked without the server
sleep 30
transfer_end alice.log bob.log
for name in alice bob; do
	! contains -E 'msg="(path lost|disconnected|not connected)' "$TEST_TMP/$name.log" ||
		fail "$(cat "$TEST_TMP/$name.log")"
done
stop "$alice"
stop "$bob"
