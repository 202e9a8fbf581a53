#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# The key 'follow' accepts patterns, since Docker Compose creates a bridge br-ID for each network.
# The daemon reports names without an interface, since they may be misspelt.
#
#   container 172.17.0.3 ── veth3 ═ docker0 [host]; bridges br-1, br-2, other come and go
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"

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

# warnings: prints the warnings in status for section [wire]
warnings()
{
	json "[s['warnings'] for s in d['daemon']['sections'] if s['section'] == 'wire'][0]" \
		sluice -j --netns "$HOST" status
}

# port_add NAME BRIDGE
port_add()
{
	ip -n "$HOST" link add "$1" type veth peer name "$1p"
	ip -n "$HOST" link set dev "$1" master "$2"
}

topology_up
ip -n "$HOST" link add br-1 type bridge
port_add one br-1
ip -n "$HOST" link add other type bridge
port_add alien other

say "the command line: only existing bridges"
want_status 0 sluice --netns "$HOST" reply load --mode wire --follow 'br-*,docker0' --port "$PORT"
want_equal "$(attached)" "['one', 'veth3']"
want_status 0 sluice --netns "$HOST" reply load --mode wire --follow 'nothing-*' --port "$PORT"
want_text "no bridge matches 'nothing-*'"
want_equal "$(attached)" "[]"
want_status 1 sluice --netns "$HOST" reply load --mode wire --follow 'dokcer0' --port "$PORT"
want_text "no interface 'dokcer0'"
sluice --netns "$HOST" reply unload
want_status 0 sluice --netns "$HOST" reply load --mode wire --follow docker0 --port "$PORT"
want_equal "$(bpftool -j map show pinned "$PINS/wire/sluice_w_ifaces" |
	python3 -c 'import json, sys; print(json.load(sys.stdin)["max_entries"] >= 65536)')" True \
	"room for the ports of a large host"
sluice --netns "$HOST" reply unload

say "the daemon: bridges that match come and go"
configure '[wire]' 'follow = br-*' "port = $PORT"
daemon_start
want_attached "['one']"
ip -n "$HOST" link add br-2 type bridge
port_add two br-2
want_attached "['one', 'two']"
port_add three br-2
want_attached "['one', 'three', 'two']"
ip -n "$HOST" link set dev other name br-3
want_attached "['alien', 'one', 'three', 'two']"
ip -n "$HOST" link set dev br-3 name other
want_attached "['one', 'three', 'two']"
ip -n "$HOST" link del br-2
want_attached "['one']"
want_equal "$(grep level=warning "$DAEMON_LOG" || true)" "" "warnings of the daemon"

say "a matching interface that is not a bridge is not followed"
ip -n "$HOST" link add br-x type veth peer name br-xp
ip -n "$HOST" link add br-4 type bridge
port_add four br-4
want_attached "['four', 'one']"

say "a typo is reported, with the nearest name"
configure '[wire]' 'follow = dokcer0' "port = $PORT"
daemon_reload 'msg="reloaded"'
want_logged 'names=dokcer0 did_you_mean=docker0'
want_status 0 sluice --netns "$HOST" status
want_text "no interface yet, or no bridge to follow: dokcer0"
want_equal "$(warnings)" "['no interface yet, or no bridge to follow: dokcer0']"
want_attached "[]"

say "names are reported until the interface exists, and after it is gone"
configure '[wire]' 'follow = docker0, late-*' 'iface = eth7' "port = $PORT"
daemon_reload 'msg="reloaded"'
want_logged 'names="eth7, late-*"'
ip -n "$HOST" link add eth7 type veth peer name eth7p
want_logged 'names=late-*'
ip -n "$HOST" link add late-1 type bridge
want_logged 'all configured interfaces exist'
want_equal "$(warnings)" "[]"
want_attached "['eth7', 'veth3']"
ip -n "$HOST" link del eth7
want_logged 'names=eth7'
want_attached "['veth3']"
daemon_stop
sluice --netns "$HOST" cleanup
want_clean
