#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# Two namespaces have servers on the same address and port. With `netns = all`, each namespace has
# its own group, including one that is created later. By default, or with a name, the other
# namespace is left alone.
#
#   host: two workers on 0.0.0.0:47083      lan: the same
#
# No other test uses this port: `netns = all` steers the servers of all namespaces of the machine.
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/steer.sh"

PORT=47083
servers=()

# serve_in NAME: starts two workers in that namespace
serve_in()
{
	workers "$1" --port "$PORT" --workers 2
	servers+=("$SERVER_PID")
}

number()
{
	stat -Lc %i "/run/netns/$1"
}

# steered NAME: checks that only the program of that namespace counts datagrams sent there
steered()
{
	local before folder
	folder=$(steer_groups_of "$1")
	before=$(($(steer_counter known "$folder") + $(steer_counter started "$folder")))
	flows "$1" --to "127.0.0.1:$PORT" --flows 20
	flows_end
	want_at_least 40 $(($(steer_counter known "$folder") + $(steer_counter started "$folder") - before)) \
		"datagrams that the program of $1 steered"
}

netns_add "$HOST"
netns_add "$LAN"
serve_in "$HOST"
serve_in "$LAN"

say "its own namespace only"
configure '[steer]' "port = $PORT" 'sweep = 600'
daemon_start
want_equal "$(steer_groups | wc -l) $(steer_groups_of "$HOST" | wc -l)" "1 1" "groups, in $HOST"
serve_in "$LAN"
serve_in "$HOST"
want_logged "netns=$(number "$HOST") process=udp-worker pid=$SERVER_PID after_us=" 2
want_equal "$(steer_groups_of "$LAN" | wc -l)" 0 "groups of the other namespace"
want_equal "$(grep -c "netns=$(number "$LAN")" "$DAEMON_LOG" || true)" 0 "lines of the other namespace"

say "the other namespace by name: groups of its own namespace return to the kernel"
configure '[steer]' "port = $PORT" 'sweep = 600' "netns = $LAN"
daemon_reload 'msg="reloaded"'
want_logged "msg=\"steer: group-released\" address=0.0.0.0:$PORT netns=$(number "$HOST")"
want_equal "$(steer_groups | wc -l) $(steer_groups_of "$LAN" | wc -l)" "1 1" "groups, in $LAN"
serve_in "$LAN"
want_logged "netns=$(number "$LAN") process=udp-worker pid=$SERVER_PID after_us=" 2

say "all namespaces"
configure '[steer]' "port = $PORT" 'sweep = 600' 'netns = all'
daemon_reload 'msg="reloaded"'
want_equal "$(steer_groups_of "$HOST" | wc -l) $(steer_groups_of "$LAN" | wc -l)" "1 1" "groups"
serve_in "$HOST"
want_logged "netns=$(number "$HOST") process=udp-worker pid=$SERVER_PID after_us=" 2
steered "$HOST"
steered "$LAN"

say "a namespace that is created later"
netns_add "$CONTAINER"
serve_in "$CONTAINER"
want_logged "netns=$(number "$CONTAINER") process=udp-worker pid=$SERVER_PID after_us=" 2
wait_until 20 logged "msg=\"steer: group-attached\" address=0.0.0.0:$PORT netns=$(number "$CONTAINER")"
steered "$CONTAINER"

say "a name that does not exist"
configure '[steer]' "port = $PORT" 'sweep = 600' 'netns = nowhere'
daemon_reload 'msg="section not applied, retrying" section=steer'
want_logged "no network namespace 'nowhere'"
want_equal "$(steer_groups | wc -l)" 3 "groups: $(steer_groups)"

daemon_stop
sluice steer unload
for pid in "${servers[@]}"; do
	stop "$pid"
done
want_verified
