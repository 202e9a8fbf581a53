#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-or-later
#
# 'reply flows' selects by port, peer and network namespace, and prints the latest N flows. It
# prints an IPv6 address with a port in brackets, and the process, cgroup and container of the
# socket.
#
#   container 172.17.0.3 ─┬─ docker0 172.17.0.1 [host: servers on two ports] eth0 172.16.13.13
#   container2 [a server] ─┘
. "$(dirname "$0")/../lib/lib.sh"

ID=0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef
OTHER=$((PORT + 1))

# ports OPTION…: prints the sorted client ports of the selected flows
ports()
{
	json "sorted(f['peer_port'] for f in d['flows'])" sluice -j reply flows "$@"
}

topology_up second
serve "$HOST" dual6 "$PORT"
contained=$SPAWNED
serve "$HOST" dual6 "$OTHER"
outside=$SPAWNED
serve "$CONTAINER2" dual6 "$PORT"
unit=$SPAWNED
docker=$TEST_CGROUP/docker-$ID.scope
service=$TEST_CGROUP/server.service
mkdir "$docker" "$service"
echo "$contained" >"$docker/cgroup.procs"
echo "$unit" >"$service/cgroup.procs"
reply_load
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4001
want_right "$CONTAINER" "$FAR6" "$PORT" --from "[fd17::3]:4002"
want_right "$CONTAINER" "$FAR4" "$OTHER" --from 172.17.0.3:4003
want_right "$CONTAINER" 172.17.0.4 "$PORT" --from 172.17.0.3:4004

say "all"
want_equal "$(ports)" "[4001, 4002, 4003, 4004]"

say "by the server's port"
want_equal "$(ports --port "$OTHER")" "[4003]"
want_equal "$(ports --port "$PORT,$OTHER")" "[4001, 4002, 4003, 4004]"
want_equal "$(ports --port 1-99)" "[]"

say "by peer"
want_equal "$(ports --peer fd17::3)" "[4002]"
want_equal "$(ports --peer 172.17.0.3)" "[4001, 4003, 4004]"
want_equal "$(ports --peer 172.17.0.9)" "[]"
want_status 2 sluice reply flows --peer 172.17
want_text "--peer: '172.17': not an IP address"

say "by the server's network namespace, by name and by number"
want_equal "$(ports --in-netns "$CONTAINER2")" "[4004]"
want_equal "$(ports --in-netns "$(stat -Lc %i "/run/netns/$HOST")")" "[4001, 4002, 4003]"
want_equal "$(ports --in-netns 1)" "[]"
want_status 1 sluice reply flows --in-netns none
want_text "no network namespace 'none'"
want_status 2 sluice reply flows --in-netns 99999999999
want_text "'99999999999' is not an inode number"

say "options combined, and the latest flow"
want_equal "$(ports --peer 172.17.0.3 --port "$PORT" --in-netns "$HOST")" "[4001]"
is_latest()
{
	want_right "$CONTAINER" 172.17.0.4 "$PORT" --from 172.17.0.3:4004
	[[ $(ports --limit 1) == "[4004]" ]]
}
# flows in the same tick of the flow clock are unordered
wait_until 20 is_latest
want_equal "$(json "(d['selected'], len(d['flows']))" sluice -j reply flows --peer 172.17.0.3 --limit 2)" "(3, 2)"
want_status 2 sluice reply flows --limit 0
want_status 0 sluice reply flows --peer 172.17.0.3 --limit 2
want_text "mode socket: 4 flows, of 16384; 3 selected; the latest 2 shown"
want_equal "$(grep -c 172.17.0.3: <<<"$OUTPUT")" 2 "lines"

say "an IPv6 address and a port, and a namespace by name and number"
want_status 0 sluice reply flows
want_text "[fd17::3]:4002"
want_text "[$FAR6]:$PORT"
want_text "$FAR4:$PORT"
want_text "$(stat -Lc %i "/run/netns/$HOST") ($HOST)"

say "process, cgroup and container"
# of CLIENT_PORT: prints the process of the flow
of()
{
	json "[(f['pid'], f['cgroup'], f['container']) for f in d['flows'] if f['peer_port'] == $1][0]" \
		sluice -j reply flows
}
path=$(sed -n 's/^0:://p' /proc/$outside/cgroup)
want_equal "$(of 4001)" "($contained, '$path/docker-$ID.scope', '$ID')"
want_equal "$(of 4003)" "($outside, '$path', None)"
want_equal "$(of 4004)" "($unit, '$path/server.service', None)"
want_text "docker:0123456789ab"
want_text "server.service"

say "a socket that is closed has no process"
stop "$outside"
want_equal "$(ports --port "$OTHER")" "[4003]"
want_equal "$(ports --peer 172.17.0.3)" "[4001, 4003, 4004]"
want_equal "$(json "[(f['cgroup'], f['container']) for f in d['flows'] if f['peer_port'] == 4003]" \
	sluice -j reply flows)" "[(None, None)]"

say "audit reports them, too"
sluice reply load --mode audit --cgroup "$TEST_CGROUP"
want_wrong "$CONTAINER" "$FAR4" "$PORT" "$NEAR4"
want_equal "$(json "[(s['cgroup'], s['container'], s['netns_name']) for s in d['sockets'] if s['netns_name'] == '$HOST']" \
	sluice -j reply audit)" "[('$path/docker-$ID.scope', '$ID', '$HOST')]"
want_status 0 sluice reply audit
want_text "docker:0123456789ab"
sluice reply unload

say "mode wire"
sluice --netns "$HOST" reply load --mode wire --follow docker0
want_right "$CONTAINER" "$FAR4" "$PORT" --from 172.17.0.3:4001
want_right "$CONTAINER" "$FAR6" "$PORT" --from "[fd17::3]:4002"
# wire_ports OPTION…
wire_ports()
{
	json "sorted(f['client_port'] for f in d['wire_flows'])" sluice -j --netns "$HOST" reply flows "$@"
}
want_equal "$(wire_ports --peer fd17::3)" "[4002]"
want_equal "$(wire_ports --port "$OTHER")" "[]"
want_equal "$(wire_ports --port "$PORT" --limit 1)" "[4002]"
want_equal "$(wire_ports --in-netns "$CONTAINER2")" "[]"
want_equal "$(wire_ports --in-netns "$HOST")" "[4001, 4002]"
sluice --netns "$HOST" reply unload
stop "$contained"
stop "$unit"
rmdir "$docker" "$service"
want_clean
