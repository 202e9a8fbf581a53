#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# A program behind a NAT is silent for ten NAT timeouts; then its peer sends a datagram. Without
# sluice, the datagram is lost. With sluice, the datagram arrives, although the peer has received no
# keepalive.
#
#   inside ── nat (a mapping lives 5 s) ── router ── peer
#
# takes long: a mapping is held for ten of its timeouts
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

SILENCE=50

lab_up symmetric 5
peer_start 7000
plain_start "$INSIDE" "$PEER4" 7000

say "without sluice"
sleep 6
push lost
sleep 1
if received lost; then fail "the mapping is still there: the test proves nothing"; fi
kill "$PLAIN_PID"
stop "$PEER_PID"

say "with hold"
configure '[hold]' 'port = 7000' 'interval = 2'
daemon_start
want_logged 'below the 15 s'
peer_start 7000
plain_start "$INSIDE" "$PEER4" 7000 --from 10.0.0.2:4000
sleep "$SILENCE"
push kept
wait_until 10 received kept || fail "lost:" "$(sluice hold flows)" "$(sluice hold show)"
want_equal "$(grep -c '^got' "$PEER_LOG")" 1 "datagrams at the peer"
want_at_least $((SILENCE / 3)) "$(hold_sent)" "keepalives"
want_equal "$(hold_flow '[(x["state"], x["peer_port"], x["local_port"]) for x in f]')" \
	"[('kept', 7000, 4000)]"
want_equal "$(grep -c error "$PLAIN_LOG" || true)" 0 "errors"

say "the process dies: sending stops"
stop "$PLAIN_PID"
sleep 3
before=$(hold_sent)
sleep 4
want_equal "$(hold_sent)" "$before" "keepalives for a closed socket"
daemon_stop
sluice hold unload
want_verified
