#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A host translates the source port of its own programs. A flow is tracked by the port of its
# socket, and its keepalives go through the same translation.
#
#   nat [the program and the daemon; a mapping lives 4 s] ── router ── peer
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

lab_up symmetric 4
# for the NAT's own programs: only answers
in_ns "$NAT" nft 'add chain inet firewall input { type filter hook input priority filter; }
	add rule inet firewall input iifname out meta l4proto udp ct state new drop'
HOST=$NAT
configure '[hold]' 'port = 4000' 'interval = 1'
daemon_start
peer_start 7000
plain_start "$NAT" "$PEER4" 7000 --from 198.51.100.1:4000
if grep -q ' 4000$' "$PEER_LOG"; then fail "the port is not translated: the test proves nothing"; fi
sleep 12
push after_silence
wait_until 10 received after_silence || fail "$(sluice hold flows)"
want_equal "$(hold_flow '[(x["state"], x["local_port"]) for x in f]')" "[('kept', 4000)]"
want_equal "$(grep -c '^got' "$PEER_LOG")" 1 "datagrams at the peer"
stop "$PLAIN_PID"
daemon_stop
sluice hold unload
