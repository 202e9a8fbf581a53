#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon is killed and started again. The next daemon continues each flow from its last state,
# and the mapping stays open. After the NAT restarts, the next keepalive opens the mapping again.
# The settings can change while the daemon runs.
#
#   inside ── nat (a mapping lives 8 s) ── router ── peer
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/hold.sh"

lab_up endpoint-independent 8
configure '[hold]' 'port = 7000' 'interval = 2'
daemon_start
peer_start 7000
plain_start "$INSIDE" "$PEER4" 7000 --from 10.0.0.2:4000
wait_until 20 sent_at_least 2

say "killed, and restarted"
sent=$(hold_flow 'f[0]["sent"]')
kill -KILL "$DAEMON"
wait "$DAEMON" || true
want_equal "$(json "(d['hold']['sending'], d['hold']['sender'])" sluice -j hold show)" "(False, None)"
want_equal "$(hold_flow '[x["next_s"] for x in f]')" "[None]"
daemon_start
wait_until 20 sent_at_least $((sent + 2))
want_at_least $((sent + 2)) "$(hold_flow 'f[0]["sent"]')" "keepalives of the flow, over the restart"
sleep 10
push after_kill
wait_until 10 received after_kill

say "the NAT restarts"
conntrack_flush "$NAT"
in_ns "$NAT" nft flush map ip lab mapped
before=$(hold_sent)
wait_until 20 sent_at_least $((before + 2))
push after_reboot
wait_until 10 received after_reboot
want_equal "$(grep -c '^got' "$PEER_LOG")" 1 "datagrams at the peer"

say "another command loads it with other ports, and then with the original ports"
sluice --netns "$INSIDE" hold load --cgroup "$TEST_CGROUP" --port 1-10
want_logged 'loaded by another process'
before=$(hold_sent)
sleep 5
want_equal "$(hold_sent)" "$before" "keepalives of a flow that is no longer managed"
daemon_reload 'msg="hold is active"'
wait_until 20 sent_at_least $((before + 1))

say "detached by another process, so a close is missed: no keepalives for the closed socket"
bpftool link detach pinned "$PINS/hold/link_closed"
stop "$PLAIN_PID"
want_logged 'the flow table starts empty: the programs were detached'
before=$(hold_sent)
sleep 5
want_equal "$(hold_sent)" "$before" "keepalives for a closed socket"
plain_start "$INSIDE" "$PEER4" 7000
wait_until 20 sent_at_least $((before + 1))

say "another table size: the table starts empty, and the flow is recorded again with its next datagram"
configure '[hold]' 'port = 7000' 'interval = 2' 'table = 1000'
daemon_reload 'the flow table starts empty'
want_equal "$(hold_flow 'len(f)')" 0 "flows"

say "another cgroup is refused; the section continues unchanged"
mkdir "$TEST_CGROUP/other"
want_status 5 sluice --netns "$INSIDE" hold load --cgroup "$TEST_CGROUP/other" --port 7000
want_text "hold unload"
rmdir "$TEST_CGROUP/other"

say "unloaded by another process, and a reload"
sluice hold unload
want_logged 'unloaded by another process'
daemon_reload 'msg="hold is active"'
want_equal "$(json "d['hold']['sending']" sluice -j hold show)" True

say "the section is removed"
configure '[reply]' 'mode = audit'
daemon_reload 'hold unloaded'
want_status 1 sluice hold show
daemon_stop
sluice cleanup
want_verified
