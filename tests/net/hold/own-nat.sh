#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon's host is itself the NAT of a container. With `outermost`, the daemon renews the
# conntrack entry and sends no datagram. It does not renew an entry without a reply, or an entry
# with a changed port.
#
#   inside ── nat [the daemon; a mapping lives 4 s] ── router ── peer
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

# datagrams_out: prints the number of UDP datagrams that have left NAT
datagrams_out()
{
	in_ns "$NAT" nft -j list counter ip lab leaving |
		python3 -c 'import json, sys; print(json.load(sys.stdin)["nftables"][1]["counter"]["packets"])'
}

lab_up symmetric 4
in_ns "$NAT" nft -f - <<'NFT'
table ip lab {
	counter leaving { }
	chain leaving {
		type filter hook forward priority filter + 1
		oifname "out" meta l4proto udp counter name leaving
	}
}
NFT
# shellcheck disable=SC2034
HOST=$NAT
configure '[hold]' 'port = 7000' "netns = $INSIDE" 'interval = 1' 'outermost = yes'
daemon_start
peer_start 7000
plain_start "$INSIDE" "$PEER4" 7000
want_equal "$(datagrams_out)" 1 "the program's own datagram"
sleep 12
push after_silence
wait_until 10 received after_silence
want_equal "$(datagrams_out)" 1 "datagrams of the program and of hold"
want_at_least 5 "$(hold_counter renewed)" "renewals"
want_equal "$(hold_sent)" 0 "keepalives"
want_equal "$(hold_flow '[x["state"] for x in f]')" "['renewed']"
stop "$PLAIN_PID"

say "the same from outside: not the outermost NAT"
configure '[hold]' 'port = 7000' "netns = $INSIDE" 'interval = 1'
daemon_reload 'msg="hold is active"'
plain_start "$INSIDE" "$PEER4" 7000 --from 10.0.0.2:4001
wait_until 20 sent_at_least 3
want_at_least 3 "$(datagrams_out)" "datagrams"

say "the table is flushed: the flow gets another port, which the peer does not know"
conntrack_flush "$NAT"
fed_no_more()
{
	hold_state_is remapped
}
wait_until 20 fed_no_more
sent=$(hold_sent)
# longer than the timeout of the entry
sleep 10
want_equal "$(hold_sent)" "$sent" "keepalives for a mapping that the peer does not know"
want_at_least 1 "$(($(hold_counter unreplied) + $(hold_counter remapped)))" "flows not fed"
stop "$PLAIN_PID"

say "the NAT receives an answer at the new port, and the program does not"
configure '[hold]' 'port = 7000' "netns = $INSIDE" 'interval = 1' 'payload = zero'
daemon_reload 'msg="hold is active"'
before=$(hold_sent)
plain_start "$INSIDE" "$PEER4" 7000 --from 10.0.0.2:4002
wait_until 20 sent_at_least $((before + 1))
in_ns "$INSIDE" nft 'add table ip deaf
	add chain ip deaf input { type filter hook input priority filter; }
	add rule ip deaf input meta l4proto udp drop'
wait_until 20 sent_at_least $(($(hold_sent) + 2))
remapped=$(hold_counter remapped)
conntrack_flush "$NAT"
was_remapped()
{
	[ "$(hold_counter remapped)" -gt "$remapped" ]
}
wait_until 20 was_remapped || fail "$(sluice hold show)"
daemon_stop
sluice hold unload
