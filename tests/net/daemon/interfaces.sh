#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The daemon follows bridges and interfaces that do not exist yet, are renamed, or change their
# master, in its own namespace or in the namespace that the file names. It also recovers after the
# kernel has dropped netlink messages.
#
#   container 172.17.0.3 ── veth3 ═ docker0 172.17.0.1 [host: [::]:56789] eth0 172.16.13.13
#
# takes long: many changes of interfaces, in two namespaces
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

# attached: prints the names of the interfaces that have programs in the kernel
attached()
{
	json "sorted(i['name'] for i in d['wire']['interfaces'])" sluice -j --netns "$HOST" reply show
}

attached_are()
{
	[ "$(attached)" = "$1" ]
}

want_attached()
{
	wait_until 60 attached_are "$1" || fail "wanted $1, got $(attached)" "$(cat "$DAEMON_LOG")"
}

pair_add()
{
	ip -n "$HOST" link add "$1" type veth peer name "$1p"
}

topology_up
# a fixed address, because by default the bridge inherits the address of a port, which may change
ip -n "$HOST" link set dev docker0 address 02:42:00:00:00:01
serve "$HOST" dual6 "$PORT"

say "no interface exists yet: the daemon starts, and waits"
configure '[wire]' 'follow = br1, br2' 'iface = late0' "port = $PORT"
daemon_start
want_attached "[]"
pair_add late0
want_attached "['late0']"
ip -n "$HOST" link add br1 type bridge
pair_add one
ip -n "$HOST" link set dev one master br1
want_attached "['late0', 'one']"

say "ports leave the bridge, and interfaces are renamed"
pair_add two
ip -n "$HOST" link set dev two master br1
want_attached "['late0', 'one', 'two']"
ip -n "$HOST" link set dev two nomaster
want_attached "['late0', 'one']"
ip -n "$HOST" link set dev late0 name early0
want_attached "['one']"
ip -n "$HOST" link set dev two name late0
want_attached "['late0', 'one']"
ip -n "$HOST" link set dev one name uno
want_attached "['late0', 'uno']"

say "a bridge with ports is renamed to a followed name, and another bridge loses the name"
ip -n "$HOST" link add other type bridge
pair_add three
ip -n "$HOST" link set dev three master other
ip -n "$HOST" link set dev other name br2
want_attached "['late0', 'three', 'uno']"
ip -n "$HOST" link set dev br2 name other
want_attached "['late0', 'uno']"
ip -n "$HOST" link set dev three master br1
want_attached "['late0', 'three', 'uno']"

say "a bridge is deleted and created again"
ip -n "$HOST" link del br1
want_attached "['late0']"
ip -n "$HOST" link add br1 type bridge
ip -n "$HOST" link set dev uno master br1
want_attached "['late0', 'uno']"

say "an interface moves to another namespace"
ip -n "$HOST" link set dev uno netns "$CONTAINER"
want_attached "['late0']"
ip -n "$CONTAINER" link set dev uno netns "$HOST"
ip -n "$HOST" link set dev uno master br1
want_attached "['late0', 'uno']"

say "changes while no daemon runs take effect at its start"
kill -KILL "$DAEMON"
wait "$DAEMON" || true
ip -n "$HOST" link del uno
ip -n "$HOST" link set dev three master br1
daemon_start
want_attached "['late0', 'three']"

say "the file changes: other interfaces, under the same traffic"
configure '[wire]' 'follow = docker0' "port = $PORT"
daemon_reload 'msg="reloaded"'
want_attached "['veth3']"
want_right "$CONTAINER" "$FAR4" "$PORT"
want_right "$CONTAINER" "$FAR6" "$PORT"

say "more netlink messages than the socket buffer holds"
halt "$DAEMON"
pair_add noise
awk 'BEGIN { for (i = 0; i < 6000; i++) print "link set dev noise mtu " 1400 + i % 2 }' \
	>"$TEST_TMP/batch"
ip -n "$HOST" -batch "$TEST_TMP/batch"
ip -n "$HOST" link del noise
pair_add last
ip -n "$HOST" link set dev last master docker0
kill -CONT "$DAEMON"
want_logged "rtnetlink events lost"
want_attached "['last', 'veth3']"
ip -n "$HOST" link del last
want_attached "['veth3']"

# lost: prints the interfaces in the table without a program
lost()
{
	json "sorted(i['name'] for i in d['wire']['interfaces'] if i['gone'])" \
		sluice -j --netns "$HOST" reply show
}

nothing_lost()
{
	[ "$(lost)" = "[]" ]
}

say "detached by another process: reattached, and logged"
halt "$DAEMON"
bpftool link detach pinned "$PINS/wire/link_$(ip -n "$HOST" -o link show dev veth3 | cut -d: -f1)_in"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
kill -CONT "$DAEMON"
wait_until 60 nothing_lost
want_logged 'msg="detached by another process" iface=veth3'
want_right "$CONTAINER" "$FAR4" "$PORT"
sluice --netns "$HOST" reply unload
configure '[wire]' 'follow = docker0' "port = $PORT" 'attach = clsact'
daemon_reload 'msg="reloaded"'
want_right "$CONTAINER" "$FAR4" "$PORT"
halt "$DAEMON"
in_ns "$HOST" tc qdisc del dev veth3 clsact
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
kill -CONT "$DAEMON"
want_logged 'msg="detached by another process" iface=veth3' 2
wait_until 60 nothing_lost
want_right "$CONTAINER" "$FAR4" "$PORT"

say "commands in between: after a manual unload and load, the daemon takes over again"
sluice --netns "$HOST" reply unload
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
pair_add by
ip -n "$HOST" link set dev by master docker0
want_logged 'wire is not loaded'
daemon_reload 'msg="reloaded"'
want_attached "['by', 'veth3']"
want_right "$CONTAINER" "$FAR4" "$PORT"
daemon_stop
sluice --netns "$HOST" cleanup
want_clean

say "a namespace named in the file"
configure '[wire]' "netns = $HOST" 'follow = docker0' "port = $PORT" '[reply]' 'mode = audit'
: >"$DAEMON_LOG"
spawn_in "$LAN" "$DAEMON_LOG" "$SLUICE" run --config "$CONF"
DAEMON=$SPAWNED
want_logged 'msg="started"'
want_attached "['by', 'veth3']"
ip -n "$HOST" link del by
want_attached "['veth3']"
pair_add again
ip -n "$HOST" link set dev again master docker0
want_attached "['again', 'veth3']"
want_right "$CONTAINER" "$FAR4" "$PORT"
configure '[wire]' "netns = $LAN" 'follow = docker0'
daemon_reload 'reload refused'
want_logged "netns cannot change"
daemon_stop
want_right "$CONTAINER" "$FAR4" "$PORT"
no_errors "$LOG"
sluice --netns "$HOST" cleanup
want_clean
