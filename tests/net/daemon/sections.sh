#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The sections of the daemon's file are independent. If the kernel refuses a section, the daemon
# logs this once, loads the other sections, and retries until the section loads; its earlier
# settings stay loaded. The daemon reattaches programs that another process has detached, and logs
# unloads by other processes.
#
#   container 172.17.0.3 ── docker0 172.17.0.1 [host: [::]:56789] eth0 172.16.13.13
#
# takes long: each section is refused in turn
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

# wire_ifaces: prints the interfaces of mode wire, or nothing if it is not loaded
wire_ifaces()
{
	json "sorted(i['name'] for i in (d['wire'] or {'interfaces': []})['interfaces'])" \
		sluice -j --netns "$HOST" status
}

wire_is()
{
	[ "$(wire_ifaces)" = "$1" ]
}

want_wire()
{
	wait_until 60 wire_is "$1" || fail "wanted $1, got $(wire_ifaces)" "$(cat "$DAEMON_LOG")"
}

RETRY='level=warning msg="section not applied, retrying" section=wire'

topology_up
serve "$HOST" dual6 "$PORT"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"

say "at the start: the interface to follow is not a bridge yet"
ip -n "$HOST" link add br1 type dummy 2>/dev/null || ip -n "$HOST" link add br1 type veth peer name br1p
configure '[reply]' 'mode = socket' "port = $PORT" '[wire]' 'follow = br1'
daemon_start
want_logged "$RETRY reason=\"br1 is not a bridge"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_equal "$(wire_ifaces)" "[]"

say "the section is retried until it loads"
ip -n "$HOST" link del br1
ip -n "$HOST" link add br1 type bridge
ip -n "$HOST" link add one type veth peer name onep
ip -n "$HOST" link set dev one master br1
want_wire "['one']"
ip -n "$HOST" link add two type veth peer name twop
ip -n "$HOST" link set dev two master br1
want_wire "['one', 'two']"

say "at a reload: the other sections take the new file, this one keeps its loaded settings"
configure '[reply]' 'mode = audit' "port = $PORT" '[wire]' 'follow = lo'
daemon_reload 'msg="reloaded"'
want_logged "$RETRY reason=\"lo is not a bridge"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
want_equal "$(json "d['reply']['mode']" sluice -j reply show)" audit
want_equal "$(wire_ifaces)" "['one', 'two']"
say "its bridge is still followed"
ip -n "$HOST" link add three type veth peer name threep
ip -n "$HOST" link set dev three master br1
want_wire "['one', 'three', 'two']"

say "a failed section that is removed from the file"
configure '[reply]' 'mode = socket' "port = $PORT"
daemon_reload 'msg="reloaded"'
want_equal "$(wire_ifaces)" "[]"
want_right "$CONTAINER" "$FAR4" "$PORT"

say "detached by another process: reattached, and logged"
bpftool link detach pinned "$PINS/reply/link_learn"
want_logged 'level=warning msg="detached by another process" section=reply'
want_logged 'msg="reply is active"' 4
want_right "$CONTAINER" "$FAR4" "$PORT"

say "unloaded by another process while the daemon waits to attach again: left alone, and logged"
exec {lock}<"$PINS"
flock "$lock"
bpftool link detach pinned "$PINS/reply/link_learn"
want_logged 'level=warning msg="detached by another process" section=reply' 2
halt "$DAEMON"
exec {lock}<&-
sluice reply unload
kill -CONT "$DAEMON"
want_logged 'level=warning msg="unloaded by another process" section=reply'
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
daemon_reload 'msg="reloaded"'
want_right "$CONTAINER" "$FAR4" "$PORT"
daemon_stop
sluice --netns "$HOST" cleanup
want_clean

say "a network namespace that is created later, and then followed"
configure '[reply]' 'mode = audit' '[wire]' 'netns = late' 'follow = br1'
daemon_start
want_logged "$RETRY reason=\"no network namespace 'late'"
in_late()
{
	json "sorted(i['name'] for i in (d['wire'] or {'interfaces': []})['interfaces'])" \
		sluice -j --netns late status
}
late_has()
{
	[ "$(in_late)" = "$1" ]
}
netns_add late
ip -n late link add br1 type bridge
want_logged 'msg="wire is active"'
ip -n late link add one type veth peer name onep
ip -n late link set dev one master br1
wait_until 30 late_has "['one']" || fail "$(in_late)" "$(cat "$DAEMON_LOG")"
say "mode wire does not change to another namespace"
configure '[reply]' 'mode = audit'
daemon_reload 'msg="reloaded"'
configure '[reply]' 'mode = audit' '[wire]' "netns = $HOST" 'follow = br1'
daemon_reload 'reload refused'
want_logged "netns cannot change"
configure '[reply]' 'mode = audit' '[wire]' 'netns = late' 'follow = br1'
daemon_reload 'msg="reloaded"'
wait_until 30 late_has "['one']" || fail "$(in_late)" "$(cat "$DAEMON_LOG")"
say "the name now refers to another namespace: shown, and followed after a restart"
ip netns del late
netns_add late
ip -n late link add br1 type bridge
ip -n late link add four type veth peer name fourp
ip -n late link set dev four master br1
want_status 0 sluice status
want_text "warning: its network namespace was deleted, and a new namespace has its name"
daemon_stop
daemon_start
wait_until 60 late_has "['four']" || fail "$(in_late)" "$(cat "$DAEMON_LOG")"
want_status 0 sluice status
[[ $OUTPUT != *"was deleted"* ]] || fail "$OUTPUT"
daemon_stop
sluice --netns late cleanup
want_clean
no_errors "$LOG"
