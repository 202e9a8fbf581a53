#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# With `netns = NAME`, the namespace is deleted and created again under the same name, while a
# server still runs in the old namespace. The daemon follows the name without a reload: it steers
# the servers in the new namespace, and returns the servers in the old namespace to the kernel.
#
#   lan: two workers on 0.0.0.0:PORT; then a namespace of the same name with the same
. "$(dirname "$0")/../lib/lib.sh"
. "$(dirname "$0")/../lib/daemon.sh"
. "$(dirname "$0")/../lib/steer.sh"

netns_add "$HOST"
netns_add "$LAN"
workers "$LAN" --port "$PORT" --workers 2
old=$SERVER_PID old_netns=$(stat -Lc %i "/run/netns/$LAN")
configure '[steer]' "port = $PORT" 'sweep = 600' "netns = $LAN"
daemon_start
want_equal "$(steer_groups_of "$LAN" | wc -l)" 1 "groups"

say "deleted: the daemon continues with the old namespace"
ip netns del "$LAN"
workers_of()
{
	json "[g['netns'] for g in d['groups']]" sluice -j steer show
}
want_equal "$(workers_of)" "[$old_netns]"

say "made again"
netns_add "$LAN"
new_netns=$(stat -Lc %i "/run/netns/$LAN")
[ "$new_netns" != "$old_netns" ] || fail "the new namespace has the number of the old one"
workers "$LAN" --port "$PORT" --workers 2
want_logged "msg=\"steer: group-attached\" address=0.0.0.0:$PORT netns=$new_netns"
want_logged "msg=\"steer: group-released\" address=0.0.0.0:$PORT netns=$old_netns"
want_equal "$(workers_of)" "[$new_netns]"
want_equal "$(grep -c 'network namespace name now refers to another namespace' "$DAEMON_LOG")" 1 "lines about the name"

say "later sockets of the new server are steered at once"
workers "$LAN" --port "$PORT"
want_logged "netns=$new_netns process=udp-worker pid=$SERVER_PID after_us="
flows "$LAN" --to "127.0.0.1:$PORT" --flows 20
flows_end
want_at_least 40 $(($(steer_counter known) + $(steer_counter started))) "datagrams steered"

say "unloaded"
daemon_stop
sluice steer unload
stop "$old"
want_clean
