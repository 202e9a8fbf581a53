#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Half of the flows are active and half are idle, for two minutes at the default interval. The
# active flows get no keepalives, and all flows together get at most half the number of a fixed 15 s
# schedule.
#
#   inside ── nat ── router ── peer
. "$(dirname "$0")/../net/lib/lib.sh"
. "$(dirname "$0")/../net/lib/daemon.sh"
. "$(dirname "$0")/../net/lib/hold.sh"

FLOWS=30 SECONDS_LONG=120

lab_up symmetric 60
configure '[hold]' "port = 7000-$((7000 + FLOWS - 1))"
daemon_start
peer_start 7000 --count "$FLOWS"
plain_start "$INSIDE" "$PEER4" 7000 --count "$FLOWS" --every 5 --from 10.0.0.2:4000
active=$PLAIN_PID
plain_start "$INSIDE" "$PEER4" 7000 --count "$FLOWS" --from 10.0.0.2:4001
sleep "$SECONDS_LONG"
want_equal "$(hold_flow 'len(f)')" $((2 * FLOWS)) "flows"
want_equal "$(hold_flow 'sum(x["sent"] for x in f if x["local_port"] == 4000)')" 0 \
	"keepalives on active flows"
sent=$(hold_flow 'sum(x["sent"] for x in f)') saved=$(hold_flow 'sum(x["saved"] for x in f)')
say "$sent sent, where a fixed schedule sends $((sent + saved))"
want_at_least $((FLOWS * (SECONDS_LONG / 18 - 1))) "$sent" "keepalives ($(hold_counter late) late)"
want_at_most $(((sent + saved) / 2)) "$sent" "keepalives"
stop "$active"
stop "$PLAIN_PID"
daemon_stop
sluice hold unload
